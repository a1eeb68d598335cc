"""Ways around `gate switch`, and ways in which it could be stuck: outages, lifted bars, renamed gold, purged runs, forged results."""

import json
from html.parser import HTMLParser

import msgspec
import pytest
from models import stand_in

from evalgate.errors import IntegrityError
from evalgate.release.switch_pairs import Asked, Pairs, compared, disagreements
from evalgate.report.switch import Compared, Side
from evalgate.suite import load_project
from evalgate.suite.project import load_header
from switching.switch_world import BETTER, WRONG, SwitchWorld


@pytest.fixture(scope="module")
def switched(built_switch, tmp_path_factory):
    """A world in which `better` has been switched to; not to be changed."""
    world = SwitchWorld(built_switch.copy(tmp_path_factory.mktemp("switched") / "world").root)
    world.challenger("better", BETTER)
    world.run("gate", "switch", "better")
    return world


def test_an_outage_is_no_decision_and_the_next_start_goes_on_with_the_same_attempt(world):
    world.challenger("better", BETTER)
    stand_in.environment(world.root / "venv/bin", dies=3)
    world.run("gate", "switch", "better", expect=4)
    assert [body["stage"] for body in world.switches()] == ["began"]
    assert not list((world.root / "reports").glob("switches/*"))
    stand_in.environment(world.root / "venv/bin")
    world.run("gate", "switch", "better")
    assert world.record()["attempt"] == 1


def test_what_a_licence_forbade_is_asked_again_once_it_is_allowed(world):
    world.challenger("barred", BETTER, licence="Nobody Knows Licence 1.0")
    world.run("gate", "switch", "barred", expect=1)
    world.edit("evalgate.toml", "Nobody Knows Licence 1.0", "Apache-2.0")
    world.run("gate", "switch", "barred")
    assert world.record()["attempt"] == 1


def test_gold_under_another_name_is_no_new_gold(world):
    world.challenger("one", WRONG)
    world.challenger("two", [*WRONG[1:], 1])
    world.run("gate", "switch", "one", expect=1)
    for ending in ("jsonl", "toml"):
        (world.root / f"goldsets/triage.{ending}").rename(world.root / f"goldsets/again.{ending}")
    world.edit("suites/test_triage.py", "goldsets/triage.jsonl", "goldsets/again.jsonl")
    world.run("plan", "--lock")
    world.run("gate", "switch", "two", expect=1)
    assert world.record()["attempt"] == 2


def test_an_incumbent_whose_runs_were_purged_is_asked_again_and_nothing_is_decided_about_it(world):
    world.challenger("better", BETTER)
    world.run("run", "purge", "production", "--reason", "a test", "--yes", "--force")

    def decided() -> list[str]:
        entries = [json.loads(line)["entry"] for line in world.lines()]
        return [e["body"]["model"]["name"] for e in entries if e["kind"] == "decision"]

    before = decided()
    world.run("gate", "switch", "better")
    assert decided() == [*before, "better"]


def test_answers_of_other_bytes_than_the_question_was_about_are_an_integrity_fault(switched):
    told = switched.record()
    asked = Asked(
        root=str(switched.root),
        challenger=Side(**told["challenger"]),
        incumbent=Side(name="production", digest="sha256:" + "0" * 64),
        plan=told["plan"],
        alpha=told["alpha"],
    )
    with pytest.raises(IntegrityError) as caught:
        compared(load_project(switched.root), asked)
    assert caught.value.code == "EG502"


def _pairs(world) -> tuple[Pairs, float]:
    told = world.record()
    rows = tuple(msgspec.convert(row, Compared) for row in told["compared"])
    return Pairs(compared=rows, unpaired=tuple(told["unpaired"])), told["alpha"]


def _with(pairs: Pairs, place: int, **changes) -> Pairs:
    rows = list(pairs.compared)
    rows[place] = msgspec.structs.replace(rows[place], **changes)
    return msgspec.structs.replace(pairs, compared=tuple(rows))


def test_what_the_comparison_really_says_is_borne_out(switched):
    pairs, alpha = _pairs(switched)
    assert not list(disagreements(load_header(switched.root).gate, pairs, alpha))


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (lambda p: msgspec.structs.replace(p, compared=p.compared[1:]), "rows are missing"),
        (lambda p: msgspec.structs.replace(p, compared=p.compared[:-1]), "claims are missing"),
        (lambda p: msgspec.structs.replace(p, compared=p.compared * 2), "there twice"),
        (lambda p: _with(p, 0, bound=-0.5), "another margin or level"),
        (lambda p: _with(p, 0, alpha=0.4), "another margin or level"),
        (lambda p: _with(p, 0, low=-0.2), "does not pass by its own numbers"),
        (lambda p: _with(p, 0, low=None), "does not pass by its own numbers"),
        (lambda p: _with(p, -1, low=0.0), "does not pass by its own numbers"),
    ],
)
def test_a_result_that_a_suite_wrote_itself_is_not_believed(switched, forge, said):
    pairs, alpha = _pairs(switched)
    found = list(disagreements(load_header(switched.root).gate, forge(pairs), alpha))
    assert any(said in fault for fault in found), found


def test_a_suite_that_writes_a_result_of_its_own_decides_nothing(world):
    world.challenger("weaker", [*WRONG, *range(0, 30, 2)])
    forged = Pairs()
    code = f"\nimport os, sys\nif 'switch_pairs' in ' '.join(sys.orig_argv):\n    os.write(1, {msgspec.json.encode(forged)!r})\n    os._exit(0)\n"
    text = (world.root / "suites/test_triage.py").read_text()
    world.write("suites/test_triage.py", text + code)
    world.run("plan", "--lock")
    done = world.run("gate", "switch", "weaker", expect=5)
    assert "EG974" in done.said
    assert [body["stage"] for body in world.switches()] == ["began"]


def test_the_page_is_one_document_that_shows_every_row(switched):
    (page,) = (switched.root / "reports/switches").glob("*.html")
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            seen.append(data)

        def handle_starttag(self, tag: str, attrs: object) -> None:
            assert tag != "script"

    Reader().feed(page.read_text(encoding="utf-8"))
    assert "switch" in seen
    for row in switched.record()["compared"]:
        assert f"{row['suite']}.{row['row']}" in seen


def test_an_alias_that_was_never_moved_is_no_way_around_a_switch(world):
    world.challenger("better", BETTER)
    world.run("gate", "check", "better")
    world.promote("better", expect=1)
    done = world.run("gate", "promote", "better", "--to", "elsewhere", expect=1)
    assert "no switch to it was decided" in " ".join(done.said.split())


BRITTLE = """

def brittle(answer):
    if not answer.correct:
        raise ValueError("no score for it")
    return 1.0

def test_brittle(answers, threshold):
    assert threshold.met_by(mean(answers, brittle))
"""


def test_a_claim_that_fails_on_the_incumbents_answers_is_not_a_claim_that_cannot_be_compared(world):
    world.edit("suites/test_triage.py", "import Suite, accuracy", "import Suite, mean, accuracy")
    with (world.root / "suites/test_triage.py").open("a") as f:
        f.write(BRITTLE)
    world.edit("gate.toml", "failed_rate =", "brittle = { min = 0.5 }\nfailed_rate =")
    world.run("plan", "--lock")
    world.challenger("flawless", [])
    done = world.run("gate", "switch", "flawless", expect=2)
    assert "EG503" in done.said
    assert [body["stage"] for body in world.switches()] == ["began"]
