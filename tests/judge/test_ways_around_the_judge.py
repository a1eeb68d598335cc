"""Ways around the judged gate that were tried and found: none of them opens it now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import msgspec
import pytest
from courtroom import Court, approving, asked_about, case, fine, judged_number, verdict, writing
from judge_readings import FAULT, agreed
from scripted import ScriptedServer

from evalgate import accuracy, f1, mean, must_pass, rate
from evalgate.authored.labels import Label
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.errors import UsageError
from evalgate.judge import (
    Calibration,
    Case,
    Drawn,
    Verdict,
    Verdicts,
    agreement,
    criterion_rate,
    rubric_pass_rate,
)
from evalgate.judge.draw import draw
from evalgate.judge.qualification import qualify, qualify_rubric
from evalgate.records import Answer

MUST = Criterion(id="states-reason", ask="The reason is stated.", points=8, evidence="quote")
BAD = Criterion(id="invented-fact", ask="A fact is invented.", points=-10, critical=True)
RUBRIC = Rubric(
    path="rubrics/letters.toml", digest="d", id="letters", task="letters", version="1.0.0",
    title="Letters", pass_mark=0.5, criteria=(MUST, BAD),
)  # fmt: skip
BOTH = frozenset({MUST.id, BAD.id})
Faulty = Callable[[int], bool]


def said(number: int, criterion: Criterion, faulty: Faulty) -> str:
    return "met" if criterion is MUST or faulty(number) else "not_met"


def answers(n: int, unit: Callable[[int], str] = str) -> list[Answer]:
    return [
        Answer(
            id=f"l-{i:04d}", unit=unit(i), tags=(), input={"facts": f"file {i}"}, expected=None,
            text=f"Letter {i}", parsed=None, status="ok", correct=True,
        )
        for i in range(n)
    ]  # fmt: skip


def world(
    n: int, judge: Faulty, unit: Callable[[int], str] = str, rubric: Rubric = RUBRIC
) -> Verdicts:
    """`n` letters; `judge`: which of them it calls faulty."""

    def verdict(ordinal: int, case: Case, criterion: Criterion) -> Verdict:
        answer = said(ordinal, criterion, judge)
        return Verdict(item=case.id, criterion=criterion.id, answer=answer)

    bench = SimpleNamespace(runs={c.id: None for c in rubric.criteria}, verdict=verdict)
    return Verdicts(answers(n, unit), rubric, bench, size=n)


def labels(
    verdicts: Verdicts,
    items: Iterable[str],
    faulty: Faulty,
    raters: tuple[str, ...] = ("ana", "ben"),
    **more,
) -> list[Label]:
    digests = {row.id: row.output for row in verdicts}
    return [
        Label(
            item=name, criterion=c.id, rater=rater, answer=said(int(name[2:]), c, faulty),
            rubric="d", criterion_digest=c.digest, output=digests[name],
            **{"quote": f"Letter {int(name[2:])}" if c is MUST else "", **more},
        )
        for name in items
        for c in verdicts.rubric.read_by_people
        for rater in raters
    ]  # fmt: skip


# Units of unequal size


@pytest.mark.parametrize(("large_fail", "truth"), [(True, 5 / 6), (False, 1 / 6)])
def test_large_units_count_as_one_each_whether_they_fail_or_pass(large_fail, truth):
    """40 members with five letters each and 200 with one: half of the letters pass, and of the members a sixth or five."""
    unit = lambda i: f"large-{i // 5}" if i < 200 else f"small-{i}"  # noqa: E731
    faulty = lambda i: (i < 200) is large_fail  # noqa: E731
    verdicts, every = world(400, faulty, unit), answers(400, unit)
    for n, within in ((200, 0.11), (400, 1e-9)):
        items = draw(every, n, "seed")
        given = labels(verdicts, items, faulty)
        for deciding in (frozenset(), BOTH):
            drawn = Drawn(items=tuple(items))
            found = rubric_pass_rate(
                verdicts, Calibration(verdicts, given, drawn, deciding=deciding)
            )
            assert found.insufficient == ""
            assert found.value == pytest.approx(truth, abs=within)


def test_a_draw_that_takes_a_part_of_a_unit_decides_nothing():
    verdicts = world(400, lambda i: False, lambda i: f"member-{i // 2}")
    items = tuple(f"l-{i:04d}" for i in range(0, 400, 2))
    calibration = Calibration(verdicts, labels(verdicts, items, bool_no), Drawn(items=items))
    assert "units are drawn whole" in rubric_pass_rate(verdicts, calibration).insufficient


def bool_no(_: int) -> bool:
    return False


def test_fourteen_units_are_too_few_however_many_labels_they_hold():
    verdicts = world(140, bool_no, lambda i: f"member-{i // 10}")
    items = tuple(f"l-{i:04d}" for i in range(140))
    calibration = Calibration(verdicts, labels(verdicts, items, bool_no), Drawn(items=items))
    found = rubric_pass_rate(verdicts, calibration)
    assert found.insufficient == (
        "found 14 labelled units, expected at least 50 for a clustered metric"
    )


# A judge that knows the draw


def test_a_judge_that_praises_what_nobody_reads_is_set_aside():
    faulty = lambda i: i % 2 == 1  # noqa: E731
    items = draw(answers(1000), 200, "seed")
    known = set(items)
    verdicts = world(1000, lambda i: faulty(i) and f"l-{i:04d}" in known)
    calibration = Calibration(
        verdicts, labels(verdicts, items, faulty), Drawn(items=tuple(items)), deciding=BOTH
    )
    found = rubric_pass_rate(verdicts, calibration)
    assert found.method == "worst-atom mean of labels, judge set aside"
    assert found.value == pytest.approx(0.5, abs=0.1)
    assert found.bounds(0.05, 1, 2_000)[0] < 0.6


def test_a_judge_that_does_not_know_it_is_not():
    faulty = lambda i: i % 5 == 1  # noqa: E731
    verdicts = world(1000, faulty)
    for seed in range(3):
        items = draw(answers(1000), 200, str(seed))
        calibration = Calibration(
            verdicts, labels(verdicts, items, faulty), Drawn(items=tuple(items)), deciding=BOTH
        )
        assert rubric_pass_rate(verdicts, calibration).method == "worst-atom PPI"


# A judge's word without the mark


@pytest.mark.parametrize(
    "count",
    [
        lambda rows: mean(rows, lambda row: float(row.answer(MUST.id) == "met")),
        lambda rows: rate(rows, lambda row: row.answer(BAD.id) == "met"),
        lambda rows: mean([*rows], lambda row: row.score.value),
        lambda rows: rate((row for row in rows), lambda row: not row.score.passed, name="bad"),
    ],
    ids=["mean", "rate", "a list", "a generator"],
)
def test_whoever_counts_verdicts_counts_a_judges_word(count):
    assert count(world(60, bool_no)).judge == "screen"
    assert rate(answers(60), "failed").judge is None
    by_code = Criterion(id="blank", ask="A blank is left.", points=-2, judged_by=("code",), check="no_placeholder_left")  # fmt: skip
    coded = msgspec.structs.replace(RUBRIC, criteria=(MUST, BAD, by_code))
    assert criterion_rate(world(60, bool_no, rubric=coded), "blank").judge is None


def test_a_row_without_judge_takes_no_finding_from_verdicts(tmp_path):
    with ScriptedServer(writing) as candidate, ScriptedServer(approving) as judge:
        court = Court(tmp_path, candidate.url, judge.url)
        court.edit("gate.toml", "truncated_rate = { max = 0.10 }", "truncated_rate = { max = 0.10 }\npraise = { min = 0.9 }")  # fmt: skip
        court.edit(
            "suites/test_letters.py",
            "def test_rubric_pass_rate",
            "def test_praise(verdicts, threshold):\n"
            "    from evalgate import mean\n"
            "    assert threshold.met_by(mean(verdicts, lambda row: float(row.score.passed)))\n\n"
            "def test_rubric_pass_rate",
        )
        court.label(court.plan_review(), fine)
        code, told = court.check()
        assert (code, told["decision"]) == (1, "closed")
        assert "a judge's word alone" in " ".join(told["reasons"])


@pytest.mark.parametrize("metric", [accuracy, f1, lambda rows: rate(rows, "wrong")])
def test_a_metric_of_answers_refuses_verdicts_in_one_clear_sentence(metric):
    with pytest.raises(UsageError, match=r"given verdicts, expected answers") as told:
        metric(world(5, bool_no))
    assert told.value.code == "EG692"


def test_the_census_refuses_verdicts_too():
    rows = [msgspec.structs.replace(row, tags=("must_pass",)) for row in world(3, bool_no)]
    with pytest.raises(UsageError, match="given verdicts"):
        must_pass(rows)


# Fishing for a draw


@pytest.fixture
def court(tmp_path):
    with ScriptedServer(writing) as candidate, ScriptedServer(approving) as judge:
        made = Court(tmp_path, candidate.url, judge.url)
        made.candidate_url, made.judge_url = candidate.url, judge.url
        yield made


def planned(court: Court) -> dict:
    done = court.evalgate("review", "plan", "writer", "--again")
    assert done.returncode == 0, done.stderr
    return json.loads((court.root / "rubrics/letters.review.json").read_text())


def test_how_many_are_drawn_is_written_in_gate_toml_and_nowhere_else(court):
    assert planned(court)["n"] == 120
    court.edit("gate.toml", "review_items = 120", "review_items = 140")
    code, told = court.check()
    assert code == 3
    assert "the review plan draws 120 items, gate.toml says 140" in " ".join(told["reasons"])
    court.edit("gate.toml", "review_items = 140\n", "")
    assert "without review_items it is all 150" in " ".join(court.check()[1]["reasons"])
    assert planned(court)["n"] == 150
    assert "--items" not in court.evalgate("review", "plan", "--help").stdout


def test_the_gold_sets_bytes_do_not_redraw(court):
    before = planned(court)
    path = court.root / "goldsets/letters.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    after = planned(court)
    assert before["gold"] != after["gold"]
    assert [after[k] for k in ("seed", "items", "double", "model")] == [
        before[k] for k in ("seed", "items", "double", "model")
    ]


def test_what_the_judged_rows_are_about_is_what_is_drawn_from(court):
    court.edit("gate.toml", "rubric_pass_rate", '"rubric_pass_rate[spanish]"')
    court.edit(
        "suites/test_letters.py",
        "def test_rubric_pass_rate(verdicts, calibration, threshold):\n"
        "    assert threshold.met_by(rubric_pass_rate(verdicts, calibration))",
        '@pytest.mark.parametrize("tag", ["spanish"])\n'
        "def test_rubric_pass_rate(verdicts, calibration, threshold, tag):\n"
        "    assert threshold.met_by(rubric_pass_rate(verdicts, calibration, tag=tag))",
    )
    court.plan_review()  # from all
    _, told = court.check()
    assert "draws from all items, the judged rows speak of 'spanish'" in " ".join(told["reasons"])


# Labels


def test_does_not_apply_is_no_answer_where_there_is_no_condition(court):
    items = court.plan_review()
    court.label(items, lambda n, c: "not_applicable" if c.id == "invented-fact" else "met")
    done = court.evalgate("gate", "check", "writer")
    assert done.returncode == 2
    assert "EG633" in done.stderr
    assert "not_applicable" not in FAULT.answers
    assert "not_applicable" in msgspec.structs.replace(FAULT, applies_when="It was denied.").answers


def test_a_label_about_other_sources_is_about_another_case(court):
    court.label(court.plan_review(), fine)
    assert court.check()[0] == 0
    court.edit("rubrics/letters.toml", 'show = ["facts"]\n', "")
    assert court.check()[0] == 0, "all sources are shown: the same ones"
    court.edit("suites/prompts/letters.md", "{{facts}}", "{{facts}} {{plan}}")
    path = court.root / "goldsets/letters.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["input"]["plan"] = "gold"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    planned(court)
    code, told = court.check()
    assert code == 3
    assert "about other outputs or sources" in " ".join(told["reasons"])
    assert case(1).digest != msgspec.structs.replace(case(1), sources=()).digest


def test_a_label_whose_quote_stands_nowhere_is_unused_and_told(court):
    items = court.plan_review()
    court.label(items, fine)
    path = court.root / "rubrics/letters.labels.jsonl"
    path.write_text(path.read_text().replace("the claim was denied", "therapy was a success"))
    code, told = court.check()
    assert code == 3
    assert "240 with a quote that stands nowhere" in " ".join(told["reasons"])


def test_only_the_items_that_the_plan_gives_to_two_count_as_read_twice():
    verdicts = world(150, bool_no)
    items = draw(answers(150), 120, "seed")
    drawn = Drawn(items=tuple(items), double=tuple(items[50:74]))
    once = labels(verdicts, items, bool_no, raters=("ana",))
    easy = Calibration(
        verdicts, once + labels(verdicts, items[:24], bool_no, raters=("ben",)), drawn
    )
    found = rubric_pass_rate(verdicts, easy).insufficient
    assert "seen 0 of the 24 items that the review plan gives to two" in found
    right = Calibration(
        verdicts, once + labels(verdicts, items[50:74], bool_no, raters=("ben",)), drawn
    )
    assert rubric_pass_rate(verdicts, right).insufficient == ""


def test_one_person_in_two_spellings_is_one_person():
    verdicts = world(150, bool_no)
    items = draw(answers(150), 120, "seed")
    drawn = Drawn(items=tuple(items), double=tuple(items[:24]))
    twice = Calibration(verdicts, labels(verdicts, items, bool_no, raters=("ana", "Ana")), drawn)
    assert "two raters have seen 0 of the 24" in rubric_pass_rate(verdicts, twice).insufficient
    first = labels(verdicts, items, lambda i: True, raters=("ana",))
    second = labels(verdicts, items, bool_no, raters=("ben",))
    own = labels(verdicts, items, bool_no, raters=("ANA",), adjudicates=True, blind=False)
    settled = Calibration(verdicts, first + second + own, drawn)
    assert rubric_pass_rate(verdicts, settled).value == 0.0


def test_agreement_counts_no_item_that_somebody_chose():
    """A judge that errs on every drawn item agrees with labels of a hundred others."""
    items = draw(answers(300), 120, "seed")
    chosen = [f"l-{i:04d}" for i in range(300) if f"l-{i:04d}" not in items][:100]
    known = set(items)
    verdicts = world(300, lambda i: f"l-{i:04d}" in known)
    given = labels(verdicts, [*items, *chosen], bool_no)
    found = agreement(verdicts, Calibration(verdicts, given, Drawn(items=tuple(items))))
    assert (found.value, found.items) == (0.0, 300)


# Qualification


def test_labels_of_chosen_items_qualify_no_judge():
    verdicts = world(400, lambda i: i % 4 == 0)
    chosen = [f"l-{i:04d}" for i in range(250)]
    given = labels(verdicts, chosen, lambda i: i % 4 == 0)
    repeats = {(row.id, c.id): [row.answer(c.id)] * 3 for row in verdicts for c in RUBRIC.criteria}
    every = qualify_rubric(RUBRIC, verdicts, given, repeats=repeats)
    assert every[1].standing == "decides"
    none = qualify_rubric(RUBRIC, verdicts, given, repeats=repeats, drawn=frozenset())
    assert (none[1].standing, none[1].unused.not_drawn) == ("clinician only", 500)


def test_twenty_nine_repeats_are_too_few_to_decide():
    readings = agreed(FAULT, 180, 20)
    few = [
        r if at < 29 else msgspec.structs.replace(r, repeats=()) for at, r in enumerate(readings)
    ]
    assert qualify(FAULT, readings).standing == "decides"
    found = qualify(FAULT, few)
    assert found.standing == "assists"
    assert "measured on 29 items, 100 are needed" in found.reason


# Who judges


@pytest.mark.parametrize(
    "family", ["scripted-1", "scripted\u200b", "ｓｃｒｉｐｔｅｄ", "SCRIPTED_2.5"]
)
def test_another_spelling_of_a_family_is_the_same_family(court, family):
    court.settings(candidate=court.candidate_url, judge=court.judge_url, family=family)
    done = court.evalgate("gate", "check", "writer")
    assert done.returncode == 2
    assert "EG663" in done.stderr


@pytest.mark.parametrize("spelt", ["{}/", "{}", "HTTP://LOCALHOST"])
def test_the_candidates_own_address_is_no_judge_whatever_its_family(court, spelt):
    url = court.candidate_url.replace("127.0.0.1", "localhost")
    other = url.replace("http://localhost", spelt) if "LOCAL" in spelt else spelt.format(url)
    court.settings(candidate=url, judge=other)
    court.edit("evalgate.toml", 'name = "assessor"', 'name = "writer"')
    done = court.evalgate("gate", "check", "writer")
    assert done.returncode == 2
    assert "EG662" in done.stderr


def test_an_endpoint_narrows_nothing_however_well_it_agrees(tmp_path):
    def truthful(messages, payload):
        bad = judged_number(messages[-1]["content"]) % 4 == 0
        return verdict("met" if asked_about(payload) == "states-reason" or bad else "not_met")

    with ScriptedServer(writing) as candidate, ScriptedServer(truthful) as judge:
        court = Court(tmp_path, candidate.url, judge.url, items=220)
        court.check()
        court.label(court.plan_review(204), lambda n, c: "met" if c.fault and n % 4 == 0 else fine(n, c))  # fmt: skip
        done = court.evalgate("judge", "calibrate", "writer")
        assert "invented-fact  decides" in done.stdout or "decides" in done.stdout
        assert "is an endpoint" in done.stdout
        assert court.finding(court.check()[1])["method"] == "worst-atom mean of labels"


# A bar that everything passes


@pytest.mark.parametrize(("critical", "opens"), [(False, False), (True, True)])
def test_a_pass_mark_of_nothing_needs_a_critical_criterion(court, critical, opens):
    court.edit("rubrics/letters.toml", "pass_mark = 0.5", "pass_mark = 0")
    if not critical:
        court.edit("rubrics/letters.toml", "critical = true\n", "")
    done = court.evalgate("rubric", "check")
    assert (done.returncode == 0) is opens
    assert ("EG108" in done.stderr + done.stdout) is not opens


def test_an_empty_slice_says_that_it_is_empty():
    verdicts = world(5, bool_no)
    calibration = Calibration(verdicts, [], Drawn())
    found = rubric_pass_rate(verdicts, calibration, tag="nowhere")
    assert found.insufficient == "found no items tagged 'nowhere'"
