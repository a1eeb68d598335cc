"""Which task is worse than before: every state of a comparison, from runs that a test wrote."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from three_tasks import TASKS, ThreeTasks, but, right

from evalgate.errors import IntegrityError, UsageError
from evalgate.gate.compare import compare
from evalgate.release.interference import MARGIN, interference
from evalgate.stats.harm import mcnemar_worse_p
from evalgate.suite import load_project


@pytest.fixture
def project(tmp_path):
    return ThreeTasks(tmp_path / "p")


def found(project, *named, suites=()):
    return interference(load_project(project.root), "new", named or ("old",), suites)


def cell(project, kind, suite, *named):
    ((one,),) = [[c for c in a.cells if (c.kind, c.suite) == (kind, suite)] for a in found(project, *named).against]  # fmt: skip
    return one


def test_a_task_that_got_worse_alarms_and_the_others_do_not(project):
    project.answered("old")
    project.answered("new", but("codes", 40))
    (reference,) = found(project).against
    states = {c.suite: c.state for c in reference.cells if c.kind == "metric"}
    assert states == {"triage": "non-inferior", "codes": "alarm", "letters": "non-inferior"}
    codes = cell(project, "metric", "codes")
    assert (codes.units, codes.worse, codes.better, codes.difference) == (200, 40, 0, -0.2)
    assert codes.p == mcnemar_worse_p(0, 40)
    assert codes.adjusted == pytest.approx(3 * codes.p)
    assert (codes.margin, codes.preset, codes.what) == (-0.10, True, "accuracy_vs_baseline")


def test_numbers_are_those_of_run_diff(project):
    project.answered("old", but("codes", 9))
    project.answered("new", but("codes", 23))
    diff = compare(load_project(project.root), "old", ["new"], ["codes"])
    row = next(r for r in diff.suites[0].claims if r.test == "accuracy_vs_baseline")
    codes, shift = cell(project, "metric", "codes"), row.shifts[1]
    assert (codes.difference, codes.low, codes.high) == (shift.difference, shift.low, shift.high)
    assert (codes.better, codes.worse) == (shift.better, shift.worse)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=st.integers(0, 30), now=st.integers(0, 30))
def test_the_two_directions_mirror_each_other_and_at_most_one_alarms(tmp_path, before, now):
    root = tmp_path / f"{before}-{now}"
    project = ThreeTasks(root, n=60)
    project.answered("old", but("triage", before), tasks=("triage",))
    project.answered("new", but("triage", now), tasks=("triage",))
    there = cell_of(project, "new", "old")
    back = cell_of(project, "old", "new")
    assert there.difference == -back.difference
    assert (there.better, there.worse) == (back.worse, back.better)
    assert there.low == pytest.approx(-back.high)
    assert not (there.state == back.state == "alarm")
    assert (there.state == "alarm") == (mcnemar_worse_p(there.better, there.worse) <= 0.05)


def cell_of(project, candidate, other):
    (reference,) = interference(load_project(project.root), candidate, [other], ["triage"]).against
    return next(c for c in reference.cells if c.kind == "metric")


def test_too_few_items_are_inconclusive_and_never_fine(tmp_path):
    project = ThreeTasks(tmp_path / "p", n=30)
    project.answered("old")
    project.answered("new", but("codes", 1))
    one = cell(project, "metric", "codes")
    assert one.state == "inconclusive"
    assert one.detectable > abs(one.margin)
    assert "30 units of which 1 differ" in one.reason


def test_a_drop_that_the_margin_allows_and_nobody_could_see_is_not_shown_worse(project):
    project.edit("gate.toml", "accuracy_vs_baseline = { min = -0.10 }", "accuracy_vs_baseline = { min = -0.12 }")  # fmt: skip
    project.answered("old", lambda t, n: right(t, n + (t == "codes" and n < 19)))
    project.answered("new", lambda t, n: right(t, n + (t == "codes" and n >= 167)))
    one = cell(project, "metric", "codes")
    assert (one.worse, one.better, one.state) == (33, 19, "not shown")
    assert one.low < -0.12 < one.difference


def test_a_model_that_was_not_asked_is_not_comparable_and_never_passes(project):
    project.answered("old", tasks=("triage",))
    project.answered("new")
    one = cell(project, "metric", "codes")
    assert (one.state, one.adjusted, one.difference) == ("not comparable", None, None)
    assert one.reason.startswith("not asked: found no run of old for codes")
    assert cell(project, "metric", "triage").state == "non-inferior"


def test_answers_that_are_not_complete_are_not_comparable(project):
    project.answered("old", lambda t, n: right(t, n) if n < 150 else None)
    project.answered("new")
    one = cell(project, "metric", "codes")
    assert one.state == "not comparable"
    assert "EG422" in one.reason


def test_without_a_row_against_the_baseline_the_first_claim_is_paired_at_a_margin_of_its_own(
    project,
):
    text = (project.root / "gate.toml").read_text()
    project.write("gate.toml", text.replace("accuracy_vs_baseline = { min = -0.10 }\n", ""))
    for task in TASKS:
        suite = (project.root / f"suites/test_{task}.py").read_text()
        project.write(f"suites/test_{task}.py", suite.partition("def test_accuracy_vs")[0])
    project.answered("old")
    project.answered("new", but("codes", 40))
    one = cell(project, "metric", "codes")
    assert (one.state, one.what, one.margin, one.preset) == ("alarm", "accuracy", -MARGIN, False)


def test_an_answer_in_another_tasks_form_is_counted_where_its_own_parser_fails(project):
    project.answered("old")
    project.answered("new", but("triage", 12, '["C1"]'))
    form = cell(project, "form", "triage")
    assert (form.state, form.worse, form.difference) == ("alarm", 12, 12 / 200)
    assert cell(project, "form", "codes").worse == 0


def test_a_letter_in_another_tasks_form_is_counted_although_its_own_parser_takes_anything(project):
    project.answered("old")
    project.answered("new", but("letters", 12, "APPROVE"))
    assert cell(project, "form", "letters").worse == 12
    project2 = ThreeTasks(project.root.parent / "q")
    project2.answered("old")
    project2.answered("new", but("letters", 12, "Dear member, something else altogether."))
    assert cell(project2, "form", "letters").worse == 0


@pytest.mark.parametrize(("before", "now"), [(0, 12), (12, 0)])
def test_refusals_alarm_whether_they_grow_or_vanish(tmp_path, before, now):
    project = ThreeTasks(tmp_path / "p")
    said = "I'm sorry, but I can't help with that request."
    project.answered("old", but("letters", before, said))
    project.answered("new", but("letters", now, said))
    one = cell(project, "refusals", "letters")
    assert (one.state, one.difference) == ("alarm", (now - before) / 200)


def test_the_candidate_must_have_been_asked_something(project):
    project.answered("old")
    with pytest.raises(UsageError, match="no run of new") as e:
        found(project)
    assert e.value.code == "EG421"


def test_a_model_is_not_compared_with_itself_or_with_nothing(project):
    project.answered("new")
    with pytest.raises(UsageError) as e:
        found(project, "new")
    assert e.value.code == "EG957"
    with pytest.raises(UsageError) as e:
        interference(load_project(project.root), "new")
    assert e.value.code == "EG955"
    with pytest.raises(UsageError) as e:
        found(project, "nobody")
    assert e.value.code == "EG202"


def test_an_edited_answer_is_no_evidence(project):
    project.answered("old")
    project.answered("new")
    (path, *_) = sorted(project.root.glob("reports/runs/triage/*/answers.jsonl"))
    path.write_text(path.read_text().replace("APPROVE", "REVIEW", 1))
    with pytest.raises(IntegrityError):
        found(project)


def test_only_the_suites_asked_for_are_compared(project):
    project.answered("old")
    project.answered("new")
    (reference,) = found(project, suites=["codes"]).against
    assert {c.suite for c in reference.cells} == {"codes"}


def test_a_reference_named_twice_is_one(project):
    project.answered("old")
    project.answered("new")
    assert len(found(project, "old", "old").against) == 1
