from __future__ import annotations

import math

import numpy as np
import pytest
from exact_pairs import pass_probability
from scipy.stats import binom, norm

from evalgate import stats


@pytest.mark.parametrize(
    ("threshold", "alpha", "expected"),
    [
        (0.8, 0.05, 14),
        (0.85, 0.005, 33),
        (0.9, 0.05, 29),
        (0.95, 0.05, 59),
        (0.98, 0.005, 263),
        (0.99, 0.05, 299),
    ],
)
def test_the_fewest_units_of_an_errorless_gate(threshold, alpha, expected):
    n = stats.min_n_feasible(threshold=threshold, alpha=alpha)
    assert n == expected
    assert stats.cp_lower(n, n, alpha) >= threshold > stats.cp_lower(n - 1, n - 1, alpha)


def test_a_threshold_met_exactly_by_a_bound_needs_no_unit_more():
    for n in (1, 2, 3, 10, 58, 59, 250):
        assert stats.min_n_feasible(stats.feasible_bound(n)) == n


@pytest.mark.parametrize("n", [1, 13, 50, 59, 60, 300, 777])
@pytest.mark.parametrize(("threshold", "alpha"), [(0.95, 0.05), (0.8, 0.005), (0.3, 0.2)])
def test_successes_to_pass_agree_with_a_scan_of_scipy(n, threshold, alpha):
    k = stats.min_successes_to_pass(n=n, threshold=threshold, alpha=alpha)
    scan = [j for j in range(n + 1) if binom.sf(j - 1, n, threshold) <= alpha]
    assert k == (scan[0] if scan else n + 1)
    if scan:
        assert stats.cp_lower(k, n, alpha) >= threshold > stats.cp_lower(k - 1, n, alpha)
    power = binom.sf(k - 1, n, 0.97)
    assert stats.gate_power(n, threshold, alpha, p_true=0.97) == pytest.approx(power, abs=1e-12)


def test_no_units_no_power():
    assert stats.gate_power(0, 0.9, p_true=1.0) == 0.0
    assert stats.min_successes_to_pass(0, 0.9) == 1
    assert stats.gate_power(100, 0.9, p_true=1.0) == 1.0
    assert stats.gate_power(100, 0.9, p_true=0.0) == 0.0


@pytest.mark.parametrize(
    ("threshold", "p_true", "alpha", "power", "expected"),
    [
        (0.8, 0.85, 0.05, 0.8, 398),
        (0.85, 0.9, 0.05, 0.96, 533),
        (0.95, 0.99, 0.005, 0.8, 248),
        (0.98, 0.995, 0.05, 0.8, 386),
    ],
)
def test_required_units_agree_with_the_published_plan(threshold, p_true, alpha, power, expected):
    found = stats.required_n(
        threshold=threshold, p_true=p_true, alpha=alpha, power=power, sawtooth_run=40
    )
    assert found == expected


def test_required_units_start_a_run_without_gaps():
    n = stats.required_n(0.9, 0.96, power=0.9, sawtooth_run=25)
    powers = [stats.gate_power(m, 0.9, p_true=0.96) >= 0.9 for m in range(n - 1, n + 25)]
    assert powers == [False] + [True] * 25


def test_an_infallible_model_needs_the_feasible_number():
    assert stats.required_n(0.95, 1.0) == 59


def test_all_must_pass_spends_no_more_than_one_test():
    one = stats.gate_power(600, 0.95, p_true=0.95)
    assert stats.iut_pass_prob(600, 0.95, p=[0.95, 1.0, 1.0]) == pytest.approx(one)
    mixed = stats.iut_pass_prob([600, 300], [0.95, 0.9], 0.05, p=[0.99, 0.95])
    expected = stats.gate_power(600, 0.95, p_true=0.99) * stats.gate_power(300, 0.9, p_true=0.95)
    assert mixed == pytest.approx(expected)


def test_joint_power_multiplies():
    assert stats.joint_power([0.92] * 5) == pytest.approx(0.92**5)
    assert stats.joint_power([]) == 1.0


def test_clusters_are_worth_less():
    assert stats.effective_n(1000, 1, 0.3) == 1000
    assert stats.effective_n(n=900, mean_cluster=9, icc=0.1) == pytest.approx(500)


def test_the_best_reachable_bounds_are_those_of_errorless_data():
    assert stats.feasible_bound(60) == stats.cp_lower(60, 60)
    assert stats.feasible_bound(0) == 0.0
    equal = stats.ratio_feasible_bound(40, weight_mean=6, weight_max=6)
    assert equal == pytest.approx(stats.feasible_bound(40))
    uneven = stats.ratio_feasible_bound(40, weight_mean=6, weight_max=12)
    found = stats.worst_atom_ratio_lower([6] * 40, [6] * 40, den_max=12)
    assert uneven == pytest.approx(found, abs=1e-3)
    assert stats.ratio_feasible_bound(1, weight_mean=6, weight_max=12) == 0.0
    y = ["a"] * 50 + ["b"] * 20
    macro = stats.macro_f1_feasible_bound([20, 50])
    assert macro == pytest.approx(stats.worst_atom_macro_f1_bounds(y, y)[0], abs=1e-3)


def test_the_best_reachable_difference_is_that_of_identical_answers():
    assert stats.noninferiority_feasible_bound(80) == pytest.approx(stats.tango_lower(0, 0, 80))
    assert stats.noninferiority_feasible_bound(0) == -1.0
    means = stats.noninferiority_feasible_bound(80, unit_means=True)
    assert means == pytest.approx(stats.worst_atom_lower([0.0] * 80, lo=-1.0))


@pytest.mark.parametrize(
    ("n", "margin", "discordance"),
    [(127, 0.05, 0.03), (188, 0.05, 0.06), (461, 0.03, 0.06), (100, 0.05, 0.1)],
)
def test_noninferiority_power_agrees_with_enumeration(n, margin, discordance):
    exact = pass_probability(n, margin, discordance / 2, discordance / 2)
    assert stats.noninferiority_power(n, margin, discordance) == pytest.approx(exact, abs=0.06)


def test_required_pairs_are_the_fewest_with_that_power():
    for margin, discordance, power in ((0.02, 0.06, 0.8), (0.05, 0.03, 0.96), (0.05, 0.0, 0.8)):
        n = stats.noninferiority_required_n(margin, discordance, 0.05, power)
        assert stats.noninferiority_power(n, margin, discordance) >= power - 1e-9
        assert stats.noninferiority_power(n - 1, margin, discordance) < power


def test_required_pairs_approach_the_textbook_where_discordance_dominates():
    z = norm.ppf(0.95) + norm.ppf(0.8)
    textbook = z * z * 0.3 / 0.02**2
    assert stats.noninferiority_required_n(0.02, 0.3) == pytest.approx(textbook, rel=0.02)


def test_superiority_is_a_margin_of_zero():
    assert stats.noninferiority_power(500, 0.0, 0.1) == pytest.approx(0.05)
    n = stats.noninferiority_required_n(0.0, 0.1, difference=0.05)
    assert stats.noninferiority_power(n, 0.0, 0.1, difference=0.05) >= 0.8


def test_agreement_that_could_not_pass_has_no_power():
    assert stats.noninferiority_power(50, 0.02, 0.1) == 0.0
    assert stats.noninferiority_power(200, 0.05, 0.05, difference=0.05) > 0.99
    assert stats.noninferiority_power(100, 0.05, 0.0) == 1.0


SHAPES = {
    "0/1": ([0, 1], [0.1, 0.9]),
    "rubric": ([1, 0, 0.1, 0.2, 0.3, 0.4, 0.5], [0.8, *([0.2 / 6] * 6)]),
    "mild": ([1, 0.9, 0.8, 0.7, 0.6], [0.4, 0.3, 0.15, 0.1, 0.05]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "gap"), [(100, 0.08), (300, 0.04)])
def test_mean_power_agrees_with_simulation(shape, n, gap):
    values, shares = (np.array(v, float) for v in SHAPES[shape])
    mean = float(values @ shares)
    sd = math.sqrt(float(values**2 @ shares) - mean**2)
    rng = np.random.default_rng(0)
    passed = [
        stats.worst_atom_lower(
            x_counts=list(zip(values, rng.multinomial(n, shares).tolist(), strict=True)),
            draws=2_000,
            seed=s,
        )
        >= mean - gap
        for s in range(400)
    ]
    assert stats.mean_gate_power(n, mean - gap, mean, sd) == pytest.approx(
        np.mean(passed), abs=0.06 + 0.05
    )


def test_mean_power_of_two_valued_scores_is_that_of_a_proportion_without_the_saw():
    for n in (100, 300, 1000):
        saw = [stats.gate_power(m, 0.9, p_true=0.95) for m in range(n - 10, n + 11)]
        smooth = stats.mean_gate_power(n, 0.9, 0.95, math.sqrt(0.95 * 0.05))
        assert smooth == pytest.approx(np.mean(saw), abs=0.02)


def test_required_units_of_a_mean_are_the_fewest_with_that_power():
    n = stats.mean_required_n(0.8, 0.85, 0.2)
    assert (
        stats.mean_gate_power(n, 0.8, 0.85, 0.2)
        >= 0.8
        > stats.mean_gate_power(n - 1, 0.8, 0.85, 0.2)
    )
    assert stats.mean_required_n(-0.02, 0.0, 0.2, lo=-1.0, hi=1.0) > 100
    assert stats.mean_required_n(0.95, 1.0, 0.0) == 59


def test_a_threshold_out_of_reach_has_no_power():
    assert stats.mean_gate_power(20, 0.95, 0.99, 0.05) == 0.0
    assert stats.mean_gate_power(1, stats.feasible_bound(1), 0.5, 0.5) == 0.0


def decided(k, n, minimum):
    return stats.cp_lower(k, n) >= minimum or stats.cp_upper(k, n) < minimum


@pytest.mark.parametrize(("k", "n"), [(291, 300), (20, 20), (45, 50), (95, 101), (1, 3)])
def test_more_units_of_a_proportion_are_the_fewest_that_decide(k, n):
    more = stats.more_units_needed(value=k / n, low=0, high=1, units=n, minimum=0.95, binary=True)
    above = k / n > 0.95
    found = [
        m for m in range(more + 1)
        if decided(k * (n + m) // n if above else -(-k * (n + m) // n), n + m, 0.95)
    ]  # fmt: skip
    assert found == [more]


def test_a_maximum_is_the_mirror_image_of_a_minimum():
    low = stats.more_units_needed(value=0.97, low=0, high=1, units=300, minimum=0.95, binary=True)
    high = stats.more_units_needed(value=0.03, low=0, high=1, units=300, maximum=0.05, binary=True)
    assert low == high == 61


def test_more_units_of_other_metrics_scale_the_slack():
    # slack 0.04 at 100 units must shrink to 0.02: four times the units
    assert stats.more_units_needed(value=0.9, low=0.86, high=0.95, units=100, minimum=0.88) == 300
    assert stats.more_units_needed(value=0.9, low=0.86, high=0.95, units=100, minimum=0.925) == 300
    assert stats.more_units_needed(value=0.1, low=0.05, high=0.14, units=100, maximum=0.12) == 300


def test_a_decided_finding_needs_no_more():
    assert (
        stats.more_units_needed(value=0.99, low=0.97, high=1, units=300, minimum=0.95, binary=True)
        == 0
    )
    assert stats.more_units_needed(value=0.99, low=0.97, high=1, units=300, minimum=0.95) == 0


@pytest.mark.parametrize(
    "case",
    [
        {"value": None, "low": None, "high": None, "units": 0},
        {"value": 0.9, "low": 0.8, "high": 1.0, "units": 0},
        {"value": 0.95, "low": 0.9, "high": 1.0, "units": 100},
        {"value": 0.97, "low": None, "high": 1.0, "units": 100},
        {"value": 0.9501, "low": 0.9, "high": 1.0, "units": 100},
        {"value": 0.95001, "low": 0.9, "high": 1.0, "units": 100_000, "binary": True},
    ],
)
def test_what_no_realistic_number_of_units_decides_is_none(case):
    assert stats.more_units_needed(**case, minimum=0.95) is None


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: stats.required_n(0.95, 0.95), "0.95"),
        (lambda: stats.required_n(0.95, 0.9501), "0.9501"),
        (lambda: stats.gate_power(10.5, 0.9, p_true=0.9), "10.5"),
        (lambda: stats.min_n_feasible(1.0), "1.0"),
        (lambda: stats.effective_n(10, 2, 1.5), "1.5"),
        (lambda: stats.ratio_feasible_bound(10, weight_mean=6, weight_max=5), "weight_max 5"),
        (lambda: stats.noninferiority_required_n(0.02, 0.1, difference=-0.02), "-0.02"),
        (lambda: stats.noninferiority_required_n(0.0001, 0.5), "0.0001"),
        (lambda: stats.mean_required_n(0.8, 0.8, 0.1), "0.8"),
        (lambda: stats.mean_required_n(0.8, 0.80001, 0.1), "0.80001"),
        (lambda: stats.mean_gate_power(10, 0.8, 0.9, 0.4), "0.4"),
        (lambda: stats.mean_gate_power(10, 0.8, 0.9, 0.1, lo=1, hi=0), "lo < hi"),
        (lambda: stats.more_units_needed(value=0.9, low=0.8, high=1, units=9), "minimum"),
        (
            lambda: stats.more_units_needed(
                value=0.9, low=0.8, high=1, units=9, minimum=0.1, maximum=0.2
            ),
            "one of them",
        ),
        (
            lambda: stats.more_units_needed(
                value=0.95, low=0, high=1, units=9, minimum=0.9, binary=True
            ),
            "0.95",
        ),
        (lambda: stats.iut_pass_prob([10], 0.9, p=[0.9, 0.9]), "n has 1"),
    ],
)
def test_impossible_plans_are_refused(call, found):
    with pytest.raises(ValueError, match=found):
        call()
