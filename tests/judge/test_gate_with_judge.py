"""A judged row decides only by what people said of the candidate's own outputs; a judge alone never opens the gate."""

from __future__ import annotations

import json
import socket
import time

import pytest
from courtroom import Court, approving, asked_about, fine, judged_number, verdict, writing
from scripted import Response, ScriptedServer


@pytest.fixture
def court(tmp_path):
    with ScriptedServer(writing) as candidate, ScriptedServer(approving) as judge:
        made = Court(tmp_path, candidate.url, judge.url)
        made.judge_server = judge
        made.candidate_url = candidate.url
        yield made


@pytest.fixture
def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_without_labels_the_gate_is_undecided_and_says_how_many_are_missing(court):
    code, told = court.check()
    assert (code, told["decision"]) == (3, "undecided")
    found = court.finding(told)
    assert found["status"] == "insufficient"
    assert "evalgate review plan" in " ".join(told["reasons"])


def test_labels_of_people_open_it_and_the_same_labels_marked_simulated_do_not(court):
    court.check()
    items = court.plan_review()
    court.label(items, fine, simulated=True)
    code, told = court.check()
    assert code == 3
    assert "simulated" in " ".join(told["reasons"])
    (court.root / "rubrics/letters.labels.jsonl").unlink()
    court.label(items, fine)
    code, told = court.check()
    assert (code, told["decision"]) == (0, "open"), told["reasons"]
    assert court.finding(told)["low"] > 0.8


@pytest.fixture
def labelled(court):
    """The court with every label it needs: open as it stands."""
    court.label(court.plan_review(), fine)
    return court


def test_a_second_check_asks_the_judge_nothing(labelled):
    assert labelled.check()[0] == 0
    asked = labelled.judge_server.count
    assert asked == 2 * 150, "one call for each criterion of each letter"
    assert labelled.check()[0] == 0
    assert labelled.judge_server.count == asked


def test_new_points_ask_nothing_and_a_new_wording_asks_its_own_criterion_again(labelled):
    labelled.check()
    asked = labelled.judge_server.count
    labelled.edit("rubrics/letters.toml", "points = 8", "points = 7")
    assert labelled.check()[0] == 0
    assert labelled.judge_server.count == asked
    labelled.edit("rubrics/letters.toml", "At least one.", "One or more.")
    code, told = labelled.check()
    assert labelled.judge_server.count == asked + 150
    assert code == 3, "labels about another wording do not count"
    assert "about an earlier wording" in " ".join(told["reasons"])


def test_pytest_and_its_workers_agree_with_the_gate(labelled):
    assert labelled.pytest().returncode == 0
    assert labelled.pytest("suites/", "-n", "2").returncode == 0
    labelled.label(["l-0001"], lambda n, c: "not_met", raters=("r3",))
    assert labelled.check()[0] == 0


def test_faults_that_people_find_close_the_gate_whatever_the_judge_says(court):
    faulty = lambda n, c: "met" if c.fault and n % 2 else fine(n, c)  # noqa: E731
    court.label(court.plan_review(), faulty)
    code, told = court.check()
    assert (code, told["decision"]) == (1, "closed")
    assert court.finding(told)["high"] < 0.8


def test_one_missing_label_leaves_the_gate_undecided(court):
    items = court.plan_review()
    court.label(items[:-1], fine)
    code, told = court.check()
    assert code == 3
    assert "119 of the 120 drawn items, 1 are missing" in " ".join(told["reasons"])


def test_too_few_items_seen_by_two_raters_leave_it_undecided(court):
    items = court.plan_review()
    court.label(items, fine, raters=("r1",))
    twice = json.loads((court.root / "rubrics/letters.review.json").read_text())["double"]
    court.label(twice[:23], fine, raters=("r2",))
    code, told = court.check()
    assert code == 3
    assert "two raters have seen 23 of the 24 items" in " ".join(told["reasons"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"blind": False}, "not given blind"),
        ({"output": lambda n: f"another model's letter {n}"}, "about other outputs"),
    ],
    ids=["not blind", "of other outputs"],
)
def test_labels_that_speak_of_something_else_do_not_count(court, given, said):
    court.label(court.plan_review(), fine, **given)
    code, told = court.check()
    assert code == 3
    assert said in " ".join(told["reasons"])


def test_an_edited_review_plan_is_no_draw(labelled):
    path = labelled.root / "rubrics/letters.review.json"
    plan = json.loads(path.read_text())
    plan["items"][0] = next(f"l-{n:04d}" for n in range(150) if f"l-{n:04d}" not in plan["items"])
    path.write_text(json.dumps(plan))
    code, told = labelled.check()
    assert code == 3
    assert "not the draw of its own fields" in " ".join(told["reasons"])


def test_raters_who_differ_count_against_the_model_until_somebody_settles_it(court):
    items = court.plan_review()
    court.label(items, fine, raters=("r1",))
    court.label(
        items, lambda n, c: "met", raters=("r2",)
    )  # the second sees an invented fact in each
    assert court.check()[1]["decision"] == "closed"


def test_a_screening_row_never_opens_the_gate(court):
    court.edit("gate.toml", 'judge = "calibrated"', 'judge = "screen"')
    court.edit(
        "suites/test_letters.py",
        "rubric_pass_rate(verdicts, calibration)",
        "rubric_pass_rate(verdicts)",
    )
    court.label(court.plan_review(), fine)
    code, told = court.check()
    assert (code, told["decision"]) == (3, "undecided")
    assert "never promotes" in " ".join(told["reasons"])
    assert court.finding(told)["low"] > 0.8, "the number is shown"


@pytest.mark.parametrize(
    ("row", "call"),
    [
        ('{ min = 0.80, judge = "calibrated" }', "rubric_pass_rate(verdicts)"),
        ("{ min = 0.80 }", "rubric_pass_rate(verdicts, calibration)"),
        ("{ min = 0.80 }", "rubric_pass_rate(verdicts)"),
        ('{ min = 0.80, judge = "screen" }', "rubric_pass_rate(verdicts, calibration)"),
    ],
)
def test_a_row_and_its_test_must_agree_about_the_judge(labelled, row, call):
    labelled.edit("gate.toml", '{ min = 0.80, judge = "calibrated" }', row)
    labelled.edit("suites/test_letters.py", "rubric_pass_rate(verdicts, calibration)", call)
    labelled.write(
        "gate.toml",
        (labelled.root / "gate.toml").read_text()
        + 'agreement = { min = 0.5, judge = "calibrated" }\n',
    )
    labelled.write(
        "suites/test_letters.py",
        (labelled.root / "suites/test_letters.py").read_text()
        + "\ndef test_agreement(verdicts, calibration, threshold):\n"
        "    assert threshold.met_by(agreement(verdicts, calibration))\n",
    )
    code, told = labelled.check()
    assert (code, told["decision"]) == (1, "closed")
    assert "judge" in " ".join(told["reasons"])


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"family": "scripted"}, "EG663"),
        ({"family": "Scripted "}, "EG663"),
    ],
)
def test_a_judge_of_the_candidates_family_is_refused(court, settings, code):
    court.settings(candidate="http://127.0.0.1:1/v1", judge="http://127.0.0.1:2/v1", **settings)
    done = court.evalgate("gate", "check", "writer")
    assert done.returncode == 2
    assert code in done.stderr


def test_the_candidate_under_another_name_is_no_judge(court):
    text = (court.root / "evalgate.toml").read_text()
    head, _, judge = text.partition("[models.assessor]")
    same = head.replace("[models.writer]", "[models.assessor]")
    court.write(
        "evalgate.toml",
        head + same + '[judge]\nmodel = "assessor"\n\n[default]\ncandidate = "writer"\n',
    )
    del judge
    done = court.evalgate("gate", "check", "writer")
    assert (done.returncode, "EG662" in done.stderr) == (2, True), done.stderr


def test_nobody_judges_by_default(court):
    court.edit("evalgate.toml", '[judge]\nmodel = "assessor"\n', "")
    done = court.evalgate("gate", "check", "writer")
    assert (done.returncode, "EG661" in done.stderr) == (2, True), done.stderr


def test_a_judge_that_cannot_be_reached_is_an_outage_and_no_score(court, free_port):
    court.settings(candidate=court.candidate_url, judge=f"http://127.0.0.1:{free_port}/v1")
    code, told = court.check()
    assert (code, told["decision"], told.get("retry")) == (4, "undecided", True)


def test_an_edited_verdict_is_a_breach(labelled):
    assert labelled.check()[0] == 0
    path = next(labelled.root.glob("reports/verdicts/letters/invented-fact-*/answers.jsonl"))
    path.write_text(path.read_text().replace("not_met", "met", 1))
    code, told = labelled.check()
    assert (code, told["decision"]) == (5, "closed")


BROKEN = {
    "prose": "The letter is fine, I would say met.",
    "half": '{"quote": "the claim was denied", "reason": "It',
    "wrong word": verdict("yes"),
    "invented quote": verdict("met", quote="the moon is made of cheese"),
    "no quote": verdict("met", quote=""),
    "long reason": verdict("met", reason="x" * 30_000),
    "nothing": "",
    "fenced": "```json\n" + verdict("met") + "\n```",
    "twice": '{"quote": "the claim was denied", "reason": "", "answer": "met", "answer": "not_met"}',
    "more": verdict("met")[:-1] + ', "score": 1.0}',
    "two": verdict("met") + verdict("not_met"),
    "list": "[" + verdict("met") + "]",
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
def test_a_reply_that_is_no_verdict_is_asked_for_once_more_and_then_scores_nothing(tmp_path, reply):
    """On the fault as on the must-have: a failure of the judge helps nobody and harms nobody, it is unscored."""

    def silent(messages, payload):
        about = "met" if asked_about(payload) == "states-reason" else "not_met"
        return verdict(about) if judged_number(payload["messages"][-1]["content"]) >= 30 else reply

    with ScriptedServer(writing) as candidate, ScriptedServer(silent) as judge:
        court = Court(tmp_path, candidate.url, judge.url)
        court.label(court.plan_review(), fine)
        code, told = court.check()
        found = court.finding(told)
        assert found["unscored"] == 30
        assert (code, found["status"]) == (3, "insufficient")
        assert "have no score" in " ".join(told["reasons"])
        again = [r for r in judge.requests if r.payload["seed"] == 1]
        firsts = [r for r in judge.requests if r.payload["seed"] == 0]
        assert len(firsts) == 300
        assert 30 <= len(again) <= 60
        assert court.check()[0] == 3
        assert len(judge.requests) == len(firsts) + len(again), "asked a third time"


def test_a_judge_that_cannot_tell_at_first_may_tell_when_asked_again(tmp_path):
    def unsure(messages, payload):
        return verdict("cannot_tell") if payload["seed"] == 0 else approving(messages, payload)

    with ScriptedServer(writing) as candidate, ScriptedServer(unsure) as judge:
        court = Court(tmp_path, candidate.url, judge.url)
        court.label(court.plan_review(), fine)
        code, told = court.check()
        assert (code, court.finding(told)["unscored"]) == (0, 0)
        assert judge.count == 600


def test_a_judge_that_stops_halfway_is_asked_only_for_the_rest(tmp_path):
    down = []

    def failing(messages, payload):
        if down:
            return Response(status=503)
        if len(seen) >= 100:
            down.append(True)
        seen.append(1)
        return approving(messages, payload)

    seen = []
    with ScriptedServer(writing) as candidate, ScriptedServer(failing) as judge:
        court = Court(tmp_path, candidate.url, judge.url)
        court.label(court.plan_review(), fine)
        assert court.check()[0] == 4
        kept = len(seen)
        down.clear()
        judge._reply = approving
        before = judge.count
        assert court.check()[0] == 0
        assert judge.count - before == 300 - kept


def test_a_criterion_for_clinicians_alone_waits_for_no_judge(court):
    court.edit(
        "rubrics/letters.toml", "critical = true\n", 'critical = true\njudged_by = ["clinician"]\n'
    )
    court.label(court.plan_review(), fine)
    code, told = court.check()
    assert (code, told["decision"]) == (0, "open"), told["reasons"]
    assert court.finding(told)["unscored"] == 0
    assert court.judge_server.count == 150, "the judge was asked about its own criterion only"


def test_a_rubric_for_clinicians_alone_needs_no_judge(court):
    for line in ("critical = true\n", 'evidence = "quote"\n'):
        court.edit("rubrics/letters.toml", line, line + 'judged_by = ["clinician"]\n')
    court.edit("evalgate.toml", '[judge]\nmodel = "assessor"\n', "")
    code, _told = court.check()
    assert code == 3
    court.label(court.plan_review(), fine)
    assert court.check()[0] == 0
    assert court.judge_server.count == 0


def test_a_number_that_no_judge_had_a_part_in_is_no_judged_finding(labelled):
    labelled.edit("gate.toml", "{ max = 0.10 }", '{ max = 0.10, judge = "calibrated" }')
    code, told = labelled.check()
    assert (code, told["decision"]) == (1, "closed")
    assert "no judge has a part" in " ".join(told["reasons"])


def test_a_gate_killed_while_the_judge_speaks_goes_on_where_it_was(tmp_path):
    def slowly(messages, payload):
        return Response(text=approving(messages, payload), delay=0.03)

    with ScriptedServer(writing) as candidate, ScriptedServer(slowly) as judge:
        court = Court(tmp_path, candidate.url, judge.url)
        court.label(court.plan_review(), fine)
        process = court.start("pytest", "suites/")
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("reports/verdicts/*/*/answers.jsonl")) or judge.count < 150:
            assert time.monotonic() < deadline, "the judge was not asked"
            time.sleep(0.02)
        process.kill()
        process.communicate()
        kept = sum(
            path.read_bytes().count(b"\n")
            for path in tmp_path.glob("reports/verdicts/*/*/answers.jsonl")
        )
        before = judge.count
        assert court.check()[0] == 0
        assert judge.count - before == 300 - kept
