"""Thresholds that a gold set is too small for are refused with the number of units they need."""

import json
import math
from statistics import NormalDist

import pytest
from authored_files import item, lines, only, told, write
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.authored import Problems, check_feasible, load_gate, load_gold

ALPHA = 0.05


def problems_of(root, rows, items, *, alpha=ALPHA, alphas=None):
    problems = Problems()
    text = f'[gate]\nalpha = {alpha}\nbaseline = "b"\n[triage]\n' + "\n".join(rows) + "\n"
    gate = load_gate(write(root, "gate.toml", text), root, problems)
    gold = load_gold(write(root, "goldsets/triage.jsonl", lines(items)), root, problems)
    problems.raise_if_any()
    check_feasible(gate, {"triage": gold}, problems, alphas=alphas)
    return problems


def independent(n, **changes):
    return [item(i, **changes) for i in range(n)]


def pairs(units, **changes):
    return [item(2 * u + k, unit=f"u{u}", **changes) for u in range(units) for k in (0, 1)]


def fits(root, row, items, **options):
    problems = problems_of(root, ["base = { min = 0.01 }", row], items, **options)
    assert not told(problems)


def refusal(root, row, items, **options):
    """The message of the one refused row (line 6), without its path and label."""
    problems = problems_of(root, ["base = { min = 0.01 }", row], items, **options)
    start, _, message = only(problems).partition("] ")
    assert start.startswith("gate.toml:6: EG13")
    return only(problems).split(" ")[1], message.partition(": ")[2]


def test_a_share_is_refused_with_the_units_it_needs(tmp_path):
    problems = problems_of(tmp_path, ["recall = { min = 0.95 }"], independent(40))
    assert only(problems) == (
        "gate.toml:5: EG130 [triage] recall: found 40 units for min = 0.95, expected at least 59 even without a single error. "
        "Add 19 units or lower the threshold before anything is measured."
    )


@pytest.mark.parametrize(
    ("threshold", "alpha", "needed"),
    [  # the table of exact values of section 1 of the specification, alpha 0.05 and 0.005
        (0.80, 0.05, 14),
        (0.80, 0.005, 24),
        (0.85, 0.05, 19),
        (0.85, 0.005, 33),
        (0.90, 0.05, 29),
        (0.90, 0.005, 51),
        (0.95, 0.05, 59),
        (0.95, 0.005, 104),
        (0.98, 0.05, 149),
        (0.98, 0.005, 263),
        (0.99, 0.05, 299),
        (0.99, 0.005, 528),
    ],
)
def test_the_units_needed_are_exact_in_both_directions(tmp_path, threshold, alpha, needed):
    error = round(1 - threshold, 2)
    for row in (f"r = {{ min = {threshold} }}", f"r = {{ max = {error} }}"):
        fits(tmp_path, row, independent(needed), alpha=alpha)
        code, message = refusal(tmp_path, row, independent(needed - 1), alpha=alpha)
        assert code == "EG130"
        assert f"expected at least {needed} even without a single error. Add 1 units" in message


def test_a_maximum_is_raised_and_not_lowered(tmp_path):
    _, message = refusal(tmp_path, "r = { max = 0.05 }", independent(20))
    assert message == (
        "found 20 units for max = 0.05, expected at least 59 even without a single error. Add 39 units or raise the threshold "
        "before anything is measured."
    )


@pytest.mark.parametrize("row", ["r = { min = 1 }", "r = { max = 0 }", "r = { min = 0.99999999 }"])
def test_what_no_number_of_units_can_prove_is_refused(tmp_path, row):
    code, message = refusal(tmp_path, row, independent(3))
    assert code == "EG130"
    assert (
        "which no number of units can prove. Move the threshold, or call the test must_pass"
        in message
    )


def tango_best(n, alpha):
    z2 = NormalDist().inv_cdf(1 - alpha) ** 2
    return -z2 / (n + z2)


@pytest.mark.parametrize(
    "row", ["base_vs_baseline = { min = -0.05 }", "base_vs_baseline = { max = 0.05 }"]
)
def test_a_margin_needs_units_even_if_no_answer_differs(tmp_path, row):
    assert tango_best(51, ALPHA) < -0.05 < tango_best(52, ALPHA)
    fits(tmp_path, row, independent(52))
    code, message = refusal(tmp_path, row, independent(51))
    assert code == "EG130"
    assert "expected at least 52 even if no answer differs. Add 1 units" in message


def test_ten_identical_pairs_cannot_meet_a_margin_of_one_point(tmp_path):
    _, message = refusal(tmp_path, "base_vs_baseline = { min = -0.01 }", independent(10))
    assert (
        "found 10 units for min = -0.01, expected at least 268 even if no answer differs" in message
    )


def test_a_superiority_threshold_needs_units_even_if_every_answer_were_better(tmp_path):
    fits(tmp_path, "base_vs_baseline = { min = 0.0 }", independent(3))
    fits(tmp_path, "base_vs_baseline = { max = 0.0 }", independent(3))
    code, message = refusal(tmp_path, "base_vs_baseline = { min = 0.5 }", independent(8))
    assert code == "EG130"
    assert (
        "found 8 units for min = 0.5, expected at least 9 even if every answer were better"
        in message
    )


def test_the_units_count_and_not_the_items(tmp_path):
    _, message = refusal(tmp_path, "r = { min = 0.95 }", pairs(58))
    assert message.startswith("found 58 units for min = 0.95, expected at least 59")


def test_a_clustered_metric_needs_fifty_units(tmp_path):
    fits(tmp_path, "r = { min = 0.8 }", pairs(50))
    problems = problems_of(tmp_path, ["r = { min = 0.8 }"], pairs(49))
    assert only(problems) == (
        "gate.toml:5: EG131 [triage] r: found 49 units, expected at least 50 where a unit has several items. Add 1 units."
    )


def test_a_clustered_difference_uses_the_bound_of_clustered_differences(tmp_path):
    needed = next(n for n in range(1, 999) if -1 + ALPHA ** (1 / n) >= -0.05)
    fits(tmp_path, "base_vs_baseline = { min = -0.05 }", pairs(needed))
    _, message = refusal(tmp_path, "base_vs_baseline = { min = -0.05 }", pairs(needed - 1))
    assert f"expected at least {needed} even if no answer differs" in message
    fits(tmp_path, "base_vs_baseline = { min = 0.0 }", pairs(50))


def test_a_slice_counts_its_own_units(tmp_path):
    items = independent(100)
    for i in range(0, 36, 2):
        items[i]["tags"] = ["spanish"]
    fits(tmp_path, '"r[spanish]" = { min = 0.8 }', items)
    code, message = refusal(tmp_path, '"r[spanish]" = { min = 0.85 }', items)
    assert code == "EG130"
    assert message == (
        "found 18 units tagged spanish for min = 0.85, expected at least 19 even without a single error. Add 1 units or lower "
        "the threshold before anything is measured."
    )


def test_a_slice_of_independent_units_in_a_clustered_set_is_not_clustered(tmp_path):
    items = pairs(60)
    for i in range(0, 40, 2):
        items[i]["tags"] = ["spanish"]
    fits(tmp_path, '"r[spanish]" = { min = 0.8 }', items)
    items[1]["tags"] = ["spanish"]
    code, message = refusal(tmp_path, '"r[spanish]" = { min = 0.8 }', items)
    assert code == "EG131"
    assert "found 20 units tagged spanish, expected at least 50" in message


def test_an_unknown_slice_is_refused_with_the_known_tags(tmp_path):
    items = independent(60, tags=["spanish", "must_pass"])
    code, message = refusal(tmp_path, '"r[spansh]" = { min = 0.8 }', items)
    assert code == "EG132"
    assert message == (
        "found [spansh], expected a tag of the gold set (must_pass, spanish) or a class or label (A). Did you mean `spanish`?"
    )
    _, message = refusal(tmp_path, '"r[zzz]" = { min = 0.8 }', independent(60, expected=[]))
    assert message == (
        "found [zzz], expected a tag of the gold set (none). Correct the key, or tag items so."
    )


def test_an_unknown_slice_does_not_repeat_answers_that_are_free_text(tmp_path):
    items = [item(i, expected=f"patient {i} may go home") for i in range(60)]
    _, message = refusal(tmp_path, '"r[patient]" = { min = 0.8 }', items)
    assert "home" not in message
    long = independent(
        60, expected="a sentence that is too long for the name of any class of any classification"
    )
    _, message = refusal(tmp_path, '"r[zzz]" = { min = 0.8 }', long)
    assert "sentence" not in message


def test_a_label_of_entities_is_a_slice_of_the_units_that_have_it(tmp_path):
    dose = [{"label": "DOSE", "text": "5 mg"}]
    items = [item(i, expected=dose if i < 18 else []) for i in range(60)]
    fits(tmp_path, '"recall[DOSE]" = { min = 0.8 }', items)
    code, message = refusal(tmp_path, '"recall[DOSE]" = { min = 0.85 }', items)
    assert code == "EG130"
    assert "found 18 units with DOSE for min = 0.85, expected at least 19" in message


def classes(**sizes):
    names = [name for name, size in sizes.items() for _ in range(size)]
    return [item(i, expected=name) for i, name in enumerate(names)]


def test_a_class_needs_fifty_units(tmp_path):
    fits(tmp_path, '"recall[A]" = { min = 0.8 }', classes(A=50, B=60))
    code, message = refusal(tmp_path, '"recall[B]" = { min = 0.8 }', classes(A=60, B=49))
    assert code == "EG131"
    assert (
        message
        == "found 49 units of class B, expected at least 50 for a metric by classes. Add 1 units."
    )
    code, message = refusal(tmp_path, '"recall[B]" = { min = 0.95 }', classes(A=60, B=49))
    assert code == "EG130"
    assert "found 49 units of class B for min = 0.95, expected at least 59" in message


def test_macro_f1_needs_fifty_units_in_each_class(tmp_path):
    fits(tmp_path, "macro_f1 = { min = 0.8 }", classes(A=50, B=50, C=90))
    code, message = refusal(tmp_path, "macro_f1 = { min = 0.8 }", classes(A=49, B=50, C=20))
    assert code == "EG131"
    assert message == (
        "found 2 of 3 classes with fewer than 50 units (A, C), expected at least 50 in each. Add up to 30 units a class, or gate "
        "another metric."
    )


def test_macro_f1_is_refused_where_even_the_errorless_bound_misses_it(tmp_path):
    spent = -math.log(ALPHA)
    best = (2 + 2 * 100 / (100 + spent)) / 4
    assert 0.98 < best < 0.99
    fits(tmp_path, "macro_f1 = { min = 0.98 }", classes(A=50, B=50, C=80, D=80))
    code, message = refusal(tmp_path, "macro_f1 = { min = 0.99 }", classes(A=50, B=60, C=299, D=80))
    assert code == "EG130"
    assert message.startswith(
        "found 50 units in the rarest class for min = 0.99, expected at least "
    )
    needed = int(message.split("at least ")[1].split(" ")[0])
    assert (2 + 2 * (2 * needed / (2 * needed + spent))) / 4 >= 0.99
    assert (2 + 2 * (2 * (needed - 1) / (2 * (needed - 1) + spent))) / 4 < 0.99


def test_the_errorless_bound_of_macro_f1_is_never_below_the_simulated_one(tmp_path):
    from evalgate.stats import worst_atom_macro_f1_bounds

    y = ["A"] * 50 + ["B"] * 60 + ["C"] * 90
    low, _ = worst_atom_macro_f1_bounds(y=y, yhat=y, alpha=ALPHA, draws=4000, seed=1)
    threshold = math.floor(low * 1000) / 1000
    fits(tmp_path, f"macro_f1 = {{ min = {threshold} }}", classes(A=50, B=60, C=90))


def test_a_census_needs_an_item(tmp_path):
    fits(tmp_path, "must_pass = { all = true }", independent(1000, tags=["must_pass"])[:500])
    code, message = refusal(
        tmp_path, "must_pass = { all = true }", independent(60, tags=["spanish"])
    )
    assert code == "EG133"
    assert message.startswith(
        "found no items tagged must_pass, expected at least one: a census of nothing always"
    )
    fits(
        tmp_path,
        '"must_pass[spanish]" = { all = true }',
        independent(5, tags=["must_pass", "spanish"]) + independent(99)[50:],
    )


def test_a_sealed_gold_set_is_held_to_its_own_alpha(tmp_path):
    fits(tmp_path, "r = { min = 0.95 }", independent(60))
    _, message = refusal(tmp_path, "r = { min = 0.95 }", independent(60), alphas={"triage": 0.005})
    assert "found 60 units for min = 0.95, expected at least 104" in message
    fits(tmp_path, "r = { min = 0.95 }", independent(60), alphas={"other": 0.005})


def test_every_row_is_told_and_suites_without_gold_set_are_passed_over(tmp_path):
    problems = problems_of(
        tmp_path,
        [
            "recall = { min = 0.95 }",
            "recall_vs_baseline = { min = -0.01 }",
            '"r[x]" = { min = 0.5 }',
            "must_pass = { all = true }",
            "rate = { max = 0.5 }",
        ],
        independent(10),
    )
    assert [(p.line, p.code) for p in problems] == [
        (5, "EG130"),
        (6, "EG130"),
        (7, "EG132"),
        (8, "EG133"),
    ]
    gate = load_gate(tmp_path / "gate.toml", tmp_path, problems)
    empty = Problems()
    check_feasible(gate, {}, empty)
    assert not told(empty)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 0.99), st.floats(0.001, 0.2))
def test_the_units_needed_are_those_of_the_statistics(tmp_path_factory, threshold, alpha):
    from evalgate.stats import min_n_feasible

    needed = min_n_feasible(threshold=threshold, alpha=alpha)
    if needed == 1:
        return
    row = f"r = {{ min = {json.dumps(threshold)} }}"
    problems = problems_of(tmp_path_factory.mktemp("one"), [row], [item(1)], alpha=alpha)
    assert f"expected at least {needed} even" in only(problems)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 400), st.floats(0.001, 0.2))
def test_the_bound_of_identical_pairs_is_tangos(n, alpha):
    from evalgate.stats import tango_lower

    assert tango_lower(b=0, c=0, n=n, alpha=alpha) == pytest.approx(tango_best(n, alpha), abs=1e-9)
    z2 = NormalDist().inv_cdf(1 - alpha) ** 2
    assert tango_lower(b=n, c=0, n=n, alpha=alpha) == pytest.approx((n - z2) / (n + z2), abs=1e-9)
