"""What two runs differ by: laws of the comparison, the noise floor, and what is refused."""

from __future__ import annotations

import json
import shutil

import pytest
from harness import SUITE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_shelf import NOWHERE, answered, edited, project_of

from evalgate.errors import IntegrityError, UsageError
from evalgate.gate.compare import compare
from evalgate.gate.sides import find_runs
from evalgate.store import kept_runs
from evalgate.suite import load_project

wrongs = st.sets(st.integers(0, 119), max_size=30)


def compared(project, reference, *others, suites=()):
    return compare(load_project(project.root), reference, others, suites)


def claim(comparison, test):
    ((table,)) = comparison.suites
    return next(row for row in table.claims if row.test == test)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=wrongs, now=wrongs)
def test_flips_and_counts_are_those_of_the_items_and_turn_round_with_the_sides(
    tmp_path, before, now
):
    shutil.rmtree(tmp_path / "p", ignore_errors=True)
    project = project_of(tmp_path / "p")
    answered(project, "old", before)
    answered(project, "new", now)
    there, back = compared(project, "old", "new"), compared(project, "new", "old")
    flips, turned = there.suites[0].sides[1].flips, back.suites[0].sides[1].flips
    assert flips.lost == tuple(f"t-{n:04d}" for n in sorted(now - before))
    assert flips.won == tuple(f"t-{n:04d}" for n in sorted(before - now))
    assert (turned.lost, turned.won, turned.p) == (flips.won, flips.lost, flips.p)
    assert flips.identical == 120 - len(before ^ now)
    for test in ("accuracy", "failed_rate", "slice_accuracy[spanish]"):
        a, b = claim(there, test), claim(back, test)
        assert (a.levels, b.levels) == (b.levels[::-1], a.levels[::-1])
        assert a.shifts[1].difference == -b.shifts[1].difference
        assert (a.shifts[1].better, a.shifts[1].worse) == (b.shifts[1].worse, b.shifts[1].better)
        assert a.shifts[1].low == pytest.approx(-b.shifts[1].high)
        assert a.shifts[1].low <= a.shifts[1].difference <= a.shifts[1].high
    row = claim(there, "accuracy")
    assert (row.shifts[1].better, row.shifts[1].worse) == (len(before - now), len(now - before))
    assert claim(there, "accuracy_vs_baseline").shifts[1].difference == row.shifts[1].difference


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=wrongs, again=st.lists(wrongs, max_size=2), other=wrongs)
def test_within_noise_is_exactly_what_repeats_differ_by_at_most(tmp_path, first, again, other):
    shutil.rmtree(tmp_path / "p", ignore_errors=True)
    project = project_of(tmp_path / "p")
    answered(project, "old", first)
    for wrong in again:
        answered(project, "old", wrong, fresh=True)
    answered(project, "new", other)
    row = claim(compared(project, "old", "new"), "accuracy")
    now, *earlier = [*again[::-1], first]
    shift = row.shifts[1]
    if not earlier:
        assert row.floor is None
        assert shift.noise == ("unknown" if now != other else "same")
        return
    units = max(len(now ^ wrong) for wrong in earlier)
    moved = max(abs(len(now) - len(wrong)) for wrong in earlier) / 120
    assert row.floor_units == units
    assert row.floor == pytest.approx(moved)
    few = len(now ^ other) <= units and abs(len(now) - len(other)) / 120 <= moved + 1e-12
    assert shift.noise == ("same" if now == other else "within" if few else "beyond")


def test_a_model_alone_is_held_against_its_own_earlier_runs_the_latest_first(tmp_path):
    project = project_of(tmp_path)
    answered(project, "old", {1})
    answered(project, "old", {1, 2}, fresh=True)
    answered(project, "old", {1, 2, 3}, fresh=True)
    alone = compared(project, "old")
    assert alone.sides == ("old", "old~1", "old~2")
    assert [s.flips.won for s in alone.suites[0].sides[1:]] == [("t-0003",), ("t-0002", "t-0003")]
    assert {shift.noise for row in alone.suites[0].claims for shift in row.shifts[1:]} == {"repeat"}
    assert compared(project, "old", "old~2").suites[0].sides[1] == alone.suites[0].sides[2]


def test_fewer_errors_are_better_and_a_census_has_no_interval(tmp_path):
    project = project_of(tmp_path)
    answered(project, "old", {0, 50, 51}, text="no label at all")
    answered(project, "new", {60}, text="no label at all")
    result = compared(project, "old", "new")
    failed = claim(result, "failed_rate").shifts[1]
    assert failed.difference == pytest.approx(-2 / 120)
    assert (failed.better, failed.worse) == (3, 1)
    census = claim(result, "must_pass")
    assert [level.status for level in census.levels] == ["fail", "pass"]
    assert census.shifts[1].difference == pytest.approx(0.2)
    assert (census.shifts[1].low, census.shifts[1].better) == (None, None)
    assert result.verdicts == ("closed", "open")


def test_a_metric_without_unit_means_has_both_estimates_and_no_interval_of_their_difference(
    tmp_path,
):
    project = project_of(tmp_path)
    project.write("suites/test_triage.py", SUITE.replace("accuracy, mean", "accuracy, macro_f1, mean") + (
        "\ndef test_f1_of_classes(answers, threshold):\n    assert threshold.met_by(macro_f1(answers))\n"))  # fmt: skip
    project.edit("gate.toml", "must_pass =", "f1_of_classes = { min = 0.1 }\nmust_pass =")
    answered(project, "old", {1})
    answered(project, "new", {1, 2, 3})
    row = claim(compared(project, "old", "new"), "f1_of_classes")
    before, now = (level.estimate for level in row.levels)
    assert row.shifts[1].difference == pytest.approx(now - before)
    assert row.shifts[1].low is None
    assert row.levels[0].low < before


def test_a_test_that_needs_more_than_answers_is_named_and_leaves_the_verdict_open_to_nobody(
    tmp_path,
):
    project = project_of(tmp_path)
    project.edit("suites/test_triage.py", "def test_must_pass(answers, threshold)", "def test_must_pass(answers, threshold, tmp_path)")  # fmt: skip
    answered(project, "old")
    answered(project, "new", {1})
    result = compared(project, "old", "new")
    assert "outside pytest" in claim(result, "must_pass").note
    assert result.verdicts == (None, None)


def test_the_same_weights_under_two_names_are_one_run_and_nothing_to_compare(tmp_path):
    project = project_of(tmp_path)
    project.edit("evalgate.toml", f"{NOWHERE}/new", f"{NOWHERE}/old")
    project.edit("evalgate.toml", 'name = "new"', 'name = "old"')
    answered(project, "old")
    with pytest.raises(UsageError, match=r"EG424 found the same run behind old and new"):
        compared(project, "old", "new")


def refusals(project):
    answered(project, "old", {1})
    yield "EG420", ("old", "nwe"), "Did you mean `new`"
    yield "EG421", ("old", "new"), "evalgate gate check new"
    yield "EG421", ("old", "old~1"), "0 earlier runs"
    yield "EG424", ("old",), "--fresh"
    answered(project, "new", only=10)
    yield "EG422", ("old", "new"), "10 of 120"
    answered(project, "new", fresh=True)
    yield "EG422", ("old", "new~1"), "10 of 120"
    yield "EG425", ("old", "new", ["triag"]), "Did you mean `triage`"
    yield None, ("old", "old~0"), "at least 1"


def test_what_cannot_be_compared_is_refused_with_what_to_do(tmp_path):
    project = project_of(tmp_path)
    for code, names, says in refusals(project):
        suites = [s for given in names if isinstance(given, list) for s in given]
        names_only = [name for name in names if isinstance(name, str)]
        with pytest.raises(UsageError) as refused:
            compared(project, *names_only, suites=suites)
        assert refused.value.code == (code or ""), names
        assert says in str(refused.value)


def test_answers_to_another_gold_set_are_refused_with_both_digests(tmp_path):
    project = project_of(tmp_path)
    answered(project, "old")
    (kept,) = kept_runs(project.root / "reports")
    asked_about = load_project(project.root).suites["triage"].gold.digest
    project.edit("goldsets/triage.jsonl", "of member 7", "of member seven")
    answered(project, "new")
    with pytest.raises(UsageError) as refused:
        compared(project, "new", kept.key)
    assert refused.value.code == "EG423"
    assert asked_about[:19] in str(refused.value)
    with pytest.raises(UsageError, match="EG421"):
        compared(project, "new", "old")


def test_runs_of_two_prompts_are_compared_and_it_is_said(tmp_path):
    project = project_of(tmp_path)
    answered(project, "old", {1, 2})
    (before,) = kept_runs(project.root / "reports")
    project.edit("suites/prompts/triage.md", "Answer", "Please answer")
    answered(project, "old", {2})
    result = compared(project, before.key[:8], "old")
    assert result.suites[0].sides[1].unlike == ("prompt",)
    assert result.suites[0].sides[1].flips.won == ("t-0001",)


def test_a_prefix_that_fits_two_runs_is_refused(tmp_path):
    project = project_of(tmp_path)
    path = answered(project, "old")
    twin = path.with_name(path.name[:15] + ("0" if path.name[15] != "0" else "1"))
    shutil.copytree(path, twin)
    with pytest.raises(UsageError, match=r"several runs that begin with"):
        find_runs(load_project(project.root), path.name[:8], ["triage"])


def test_an_edited_run_is_a_breach_and_an_edited_repeat_is_no_repeat(tmp_path):
    project = project_of(tmp_path)
    answered(project, "old", {1})
    path = answered(project, "old", {1, 2}, fresh=True)
    answered(project, "new", {5})
    (earlier,) = (path / "earlier").iterdir()
    edited(earlier)
    result = compared(project, "old", "new")
    assert "is not what was written (EG402), so it is no repeat" in " ".join(result.suites[0].notes)
    assert claim(result, "accuracy").floor is None
    with pytest.raises(IntegrityError, match="EG402"):
        compared(project, "old~1", "new")
    edited(path)
    with pytest.raises(IntegrityError, match="EG402"):
        compared(project, "old", "new")


def test_a_run_moved_to_another_key_is_a_breach(tmp_path):
    project = project_of(tmp_path)
    old, new = answered(project, "old"), answered(project, "new", {1})
    shutil.rmtree(new)
    shutil.copytree(old, new)
    with pytest.raises(IntegrityError, match="EG401"):
        compared(project, "old", "new")


def test_without_the_weights_a_models_name_in_its_runs_has_to_do_and_that_is_said(tmp_path):
    project = project_of(tmp_path)
    path = answered(project, "old", {1})
    answered(project, "new")
    # the run as a model with weights would have left it: another identity, the same name
    _, _, tail = (tmp_path / "evalgate.toml").read_text().partition("[models.new]")
    gone = 'server = "llamacpp"\nartifact = "models/gone.gguf"\n'
    project.write("evalgate.toml", f"[models.old]\n{gone}\n[models.new]{tail}")
    result = compared(project, "old", "new")
    assert result.suites[0].sides[0].run == path.name
    assert "old cannot be identified here (EG301)" in " ".join(result.notes)


def test_numbers_are_bit_by_bit_those_of_the_gate(tmp_path):
    project = project_of(tmp_path)
    answered(project, "old", {1, 60, 61})
    answered(project, "new", {7, 8})
    result = json.loads(project.evalgate("run", "diff", "old", "new", "--json").stdout)
    for i, model in enumerate(("old", "new")):
        decision = json.loads(project.evalgate("gate", "check", model, "--json").stdout)
        by_test = {f["test"]: f for f in decision["findings"]}
        for row in result["suites"][0]["claims"]:
            level, finding = row["levels"][i], by_test[row["test"]]
            if row["test"] != "accuracy_vs_baseline":  # there the gate has no baseline yet
                for key in ("estimate", "low", "high", "units", "status"):
                    assert level[key] == finding[key], (row["test"], key)
