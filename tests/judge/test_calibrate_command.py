"""`evalgate judge calibrate` tells what the judge is worth; the gate uses the same numbers, from the same labels."""

from __future__ import annotations

import json

import pytest
from courtroom import Court, approving, asked_about, fine, judged_number, verdict, writing
from scripted import ScriptedServer


def faulty(number: int) -> bool:
    """Every fourth letter has an invented fact, in people's eyes."""
    return number % 4 == 0


def people(number, criterion):
    return "met" if criterion.fault and faulty(number) else fine(number, criterion)


def seeing(messages, payload):
    """A judge that sees what people see."""
    if asked_about(payload) == "states-reason":
        return verdict("met")
    return verdict("met" if faulty(judged_number(messages[-1]["content"])) else "not_met")


def calibrate(court: Court, *args: str) -> dict:
    done = court.evalgate("judge", "calibrate", "writer", "--json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["suites"][0]


def standings(table: dict) -> dict[str, str]:
    return {c["criterion"]: c["standing"] for c in table["criteria"]}


@pytest.fixture
def letters(tmp_path):
    with ScriptedServer(writing) as candidate, ScriptedServer(seeing) as judge:
        court = Court(tmp_path, candidate.url, judge.url, items=260)
        court.judge_server = judge
        yield court


def test_a_judge_that_sees_what_people_see_may_decide_the_fault_yet_not_as_an_endpoint(letters):
    """Whatever answers at an address could know which letters people read: labels alone count beside it."""
    letters.check()
    letters.label(letters.plan_review(220), people)
    table = calibrate(letters)
    fault = next(c for c in table["criteria"] if c["criterion"] == "invented-fact")
    assert fault["standing"] == "decides", fault["reason"]
    assert fault["agreement"] == {**fault["agreement"], "hits": 220, "of": 220}
    assert fault["found"]["hits"] == fault["found"]["of"] > 40
    _, told = letters.check()
    assert letters.finding(told)["method"] == "worst-atom mean of labels"
    assert letters.finding(told)["units"] == 220
    assert "assessor is an endpoint" in " ".join(table["notes"])


def test_without_asking_again_no_judge_decides(letters):
    letters.check()
    letters.label(letters.plan_review(220), people)
    assert "decides" not in standings(calibrate(letters, "--no-repeat")).values()
    _, told = letters.check()
    assert letters.finding(told)["method"] == "worst-atom mean of labels"


def test_a_judge_that_approves_of_everything_never_decides(tmp_path):
    with ScriptedServer(writing) as candidate, ScriptedServer(approving) as judge:
        court = Court(tmp_path, candidate.url, judge.url, items=260)
        court.edit("gate.toml", "min = 0.80", "min = 0.90")
        court.check()
        court.label(court.plan_review(220), people)
        assert "decides" not in standings(calibrate(court)).values()
        code, told = court.check()
        assert (code, told["decision"]) == (1, "closed")  # a quarter is faulty, and people saw it
        assert court.finding(told)["method"] == "worst-atom mean of labels"


def test_simulated_labels_qualify_nobody(letters):
    letters.check()
    letters.label(letters.plan_review(220), people, simulated=True)
    table = calibrate(letters)
    assert set(standings(table).values()) == {"clinician only", "by code"}
    assert any("simulated" in note for note in table["notes"])


def test_without_labels_it_says_how_to_get_them(letters):
    letters.check()
    table = calibrate(letters)
    assert "review plan" in " ".join(table["notes"])


def test_a_calibration_goes_stale_with_the_judge_the_rubric_and_the_labels(letters):
    letters.check()
    items = letters.plan_review(220)
    letters.label(items[:150], people)
    calibrate(letters)
    letters.label(items[150:], people)
    assert "the labels changed" in letters.evalgate("judge", "show").stdout
    calibrate(letters)
    fresh = letters.evalgate("judge", "show")
    assert fresh.returncode == 0
    assert "STALE" not in fresh.stdout
    letters.edit("rubrics/letters.toml", "At least one.", "One or more.")
    assert "STALE, calibrate again: the rubric changed" in letters.evalgate("judge", "show").stdout
    letters.edit("rubrics/letters.toml", "One or more.", "At least one.")
    letters.edit("evalgate.toml", 'name = "assessor"', 'name = "successor"')
    assert "the judge's weights changed" in letters.evalgate("judge", "show").stdout


def test_a_candidate_that_was_not_asked_cannot_be_calibrated_on(letters):
    done = letters.evalgate("judge", "calibrate", "writer")
    assert (done.returncode, "EG667" in done.stderr) == (2, True)
    assert "evalgate gate check writer" in done.stderr


def test_the_page_and_the_text_hold_no_word_of_a_letter(letters):
    letters.check()
    letters.label(letters.plan_review(220), people)
    done = letters.evalgate("judge", "calibrate", "writer")
    page = (letters.root / "reports/calibration/letters.html").read_text()
    for told in (done.stdout, page):
        assert "therapy" not in told
        assert "invented-fact" in told
