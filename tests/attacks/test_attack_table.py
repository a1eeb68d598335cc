"""Every attack of the table is refused, with the right exit code and words that name the culprit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attacks.attacks import ATTACKS, Attack
from attacks.ledgers import LEAD
from attacks.table import MARKS, PAGE
from attacks.test_attack_ledger_faults import APPENDING
from attacks.world import World, build


@pytest.fixture(scope="module")
def stages(tmp_path_factory) -> dict[str, World]:
    return build(tmp_path_factory.mktemp("stages"))


def hold(attack: Attack, stages: dict[str, World], tmp_path: Path) -> None:
    done = attack.run(stages[attack.stage].copy(tmp_path / "world"))
    assert done.exit in attack.exits, done.said
    assert attack.says in done.said
    assert "Traceback" not in done.said


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_attack_is_refused_and_its_culprit_named(attack, stages, tmp_path):
    hold(attack, stages, tmp_path)


def test_the_page_tells_every_attack_with_an_exit_code_that_is_right():
    text = PAGE.read_text(encoding="utf-8").split(MARKS[0])[1].split(MARKS[1])[0]
    told = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    found = {cells[0].removeprefix("| "): cells[2] for cells in told if cells[2].isdecimal()}
    assert list(found) == [attack.name for attack in ATTACKS]
    assert all(int(found[attack.name]) in attack.exits for attack in ATTACKS)


@pytest.mark.parametrize("command", [("verify", "rc"), ("ledger", "verify"), ("gate", "promote", "rc")], ids=" ".join)  # fmt: skip
def test_a_project_that_nobody_attacked_holds(stages, tmp_path, command):
    assert stages["promoted"].copy(tmp_path / "world").evalgate(*command).exit == 0


def test_of_two_models_promoted_at_once_one_wins_and_the_other_learns_that_the_baseline_changed(
    stages, tmp_path
):
    world = stages["approved"].copy(tmp_path / "world")
    assert world.evalgate("gate", "check", "rc2").exit == 0
    for key, role in (("lead", "clinical_lead"), ("manager", "release_manager")):
        assert world.evalgate("gate", "approve", "rc2", "--role", role, "--key", key).exit == 0
    script = Path(sys.executable).with_name("evalgate")
    both = {
        name: subprocess.Popen(
            [script, "gate", "promote", name],
            cwd=world.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("rc", "rc2")
    }
    said = {name: process.communicate(timeout=300)[0] for name, process in both.items()}
    exits = {name: process.returncode for name, process in both.items()}
    assert sorted(exits.values()) == [0, 5], said
    winner = min(exits, key=exits.get)
    loser = max(exits, key=exits.get)
    assert "the baseline" in said[loser]
    assert [e.body["model"] for e in world.ledger.of_kind("promotion")] == [winner]
    assert world.evalgate("ledger", "verify").exit == 0


SPY = """import gc, os
with open("seen", "a") as f:
    held = [o for o in gc.get_objects() if type(o).__name__ == "SigningKey"]
    f.write(f"{os.environ.get('EVALGATE_KEY_FILE')} {len(held)}\\n")
from evalgate import"""


def test_no_process_that_runs_suites_is_handed_the_gates_key(stages, tmp_path):
    world = stages["checked"].copy(tmp_path / "world")
    world.edit("suites/test_triage.py", "from evalgate import", SPY)
    key = {"EVALGATE_KEY_FILE": ".evalgate/development.key"}
    assert world.evalgate("gate", "check", "rc", **key).exit == 0
    at_the_check = world.path("seen").read_text().splitlines()
    assert (
        world.evalgate("gate", "promote", "rc", **key).exit == 3
    )  # signatures are missing; all else was looked at
    seen = world.path("seen").read_text().splitlines()
    assert len(seen) > len(at_the_check) > 0
    assert set(seen) == {"None 0"}


@contextmanager
def load(stages: dict[str, World], folder: Path) -> Iterator[None]:
    """Four processes that work on copies meanwhile: two append to one ledger, two check a model over and over."""
    key = folder / "key"
    LEAD.write(key)
    script = Path(sys.executable).with_name("evalgate")
    copies = [stages["checked"].copy(folder / name).root for name in ("one", "two")]
    appending = [sys.executable, "-c", APPENDING, folder / "ledger", key, Path(__file__).parents[1]]
    checking = ["bash", "-c", f"while true; do '{script}' gate check rc; done"]
    commands = [(appending, folder), (appending, folder), *((checking, c) for c in copies)]
    workers = [
        subprocess.Popen(
            c, cwd=at, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for c, at in commands
    ]
    try:
        yield
        assert all(worker.poll() is None for worker in workers)
    finally:
        for worker in workers:
            _end(worker)


def _end(worker: subprocess.Popen) -> None:
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


@pytest.mark.slow
def test_every_attack_comes_to_the_same_while_others_append_and_check(stages, tmp_path):
    with load(stages, tmp_path):
        for number, attack in enumerate(ATTACKS):
            folder = tmp_path / str(number)
            folder.mkdir()
            hold(attack, stages, folder)
