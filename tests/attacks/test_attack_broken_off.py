"""A look at the project that breaks off is no look: nothing is promoted on it, and nothing is decided by it."""

from __future__ import annotations

import pytest

from attacks.world import SUITE, World, build
from evalgate.errors import Exit
from evalgate.release.admission import code_of, fails, holds, skipped

# A suite whose bytes are reviewed, certified and the same ever after; what it does hangs on a file beside the project.
TRIPPED = """\
import os, signal
from pathlib import Path
if Path("{trip}").exists():
    os.kill(os.getpid(), signal.{signal})
"""


@pytest.mark.parametrize("code", [code for code in Exit if code is not Exit.OPEN])
def test_whatever_a_check_fails_with_is_never_open(code):
    assert code_of([holds("a"), fails("b", "", code), skipped("c", "")]) is not Exit.OPEN


def test_nothing_that_failed_is_open():
    assert code_of([holds("a"), skipped("b", "")]) is Exit.OPEN


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> World:
    return build(tmp_path_factory.mktemp("stages"))["checked"]


@pytest.mark.parametrize(("signal", "exit_code"), [("SIGINT", 130), ("SIGKILL", 1)])
def test_a_promotion_whose_look_at_the_plan_breaks_off_moves_nothing(
    checked, tmp_path, signal, exit_code
):
    world = checked.copy(tmp_path / "world")
    trip = tmp_path / "trip"
    world.write("suites/test_triage.py", SUITE + TRIPPED.format(trip=trip, signal=signal))
    world.edit("gate.toml", 'sign_off = ["clinical_lead", "release_manager"]', "sign_off = []")
    assert world.evalgate("gate", "check", "rc").exit == 0
    trip.touch()
    done = world.evalgate("gate", "promote", "rc")
    assert done.exit == exit_code, done.said
    assert "refused" in done.said
    assert world.ledger.of_kind("promotion") == []
    assert not world.path("reports/aliases/production.json").exists()


SECOND = """\
import os, signal
from pathlib import Path
first = Path("{trip}")
if not first.exists():
    first.write_text(str(os.getpid()))
elif first.read_text() != str(os.getpid()):
    os.kill(os.getpid(), signal.{signal})
"""


@pytest.mark.parametrize(("signal", "exit_code", "entries"), [("SIGINT", 130, 0), ("SIGKILL", 1, 1)])  # fmt: skip
def test_an_open_decision_that_is_not_looked_at_again_is_not_kept_as_open(
    checked, tmp_path, signal, exit_code, entries
):
    world = checked.copy(tmp_path / "world")
    before = len(world.ledger.of_kind("decision"))
    trip = tmp_path / "trip"
    world.write("suites/test_triage.py", SUITE + SECOND.format(trip=trip, signal=signal))
    done = world.evalgate("gate", "check", "rc")
    assert done.exit == exit_code, done.said
    new = world.ledger.of_kind("decision")[before:]
    assert [e.body["decision"] for e in new] == ["closed"] * entries
