from __future__ import annotations

import tracemalloc

import gaffke_oracle
import numpy as np
import pytest

from evalgate import stats
from evalgate.stats import draws

X = [0.9, 1.0, 0.75, 0.8, 1.0, 1.0, 0.6, 0.95, 0.85, 1.0, 0.7, 0.9, 0.0, 0.33]
NUM = [5, 3, 8, 2, 6, 4, 7, 9, 3, 5, 10, 2, 0]
DEN = [5, 4, 8, 2, 7, 4, 8, 9, 3, 6, 10, 3, 2]


@pytest.mark.parametrize(("k", "n"), [(97, 100), (20, 20), (0, 7), (1, 1), (3, 9)])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_right_and_wrong_is_clopper_pearson(k, n, alpha):
    x = [1.0] * k + [0.0] * (n - k)
    assert stats.worst_atom_lower(x, alpha=alpha) == stats.cp_lower(k, n, alpha)
    assert stats.worst_atom_upper(x, alpha=alpha) == pytest.approx(
        stats.cp_upper(k, n, alpha), abs=1e-15
    )


def test_the_draws_themselves_give_clopper_pearson():
    # a third value within a hair of 1 keeps the closed form out of the way
    x = [1.0] * 96 + [1.0 - 1e-12] + [0.0] * 3
    assert stats.worst_atom_lower(x) == pytest.approx(stats.cp_lower(97, 100), abs=5e-4)
    assert stats.worst_atom_upper(x) == pytest.approx(stats.cp_upper(97, 100), abs=5e-4)


@pytest.mark.parametrize(("alpha", "noise"), [(0.05, 0.002), (0.005, 0.005), (0.2, 0.0015)])
def test_means_agree_with_inversion_of_the_characteristic_function(alpha, noise):
    exact = gaffke_oracle.mean_lower(X, alpha)
    assert stats.worst_atom_lower(X, alpha=alpha) == pytest.approx(exact, abs=noise)
    mirrored = 1 - gaffke_oracle.mean_lower([1 - v for v in X], alpha)
    assert stats.worst_atom_upper(X, alpha=alpha) == pytest.approx(mirrored, abs=noise)


def test_differences_on_minus_one_to_one_agree_with_inversion():
    x = [0.0] * 30 + [-0.5, -1 / 3, 1 / 3, 0.5, 1.0]
    exact = gaffke_oracle.mean_lower(x, 0.05, lo=-1.0)
    assert stats.worst_atom_lower(x, lo=-1.0) == pytest.approx(exact, abs=1e-3)


def test_the_monte_carlo_error_is_the_documented_one():
    x = np.random.default_rng(3).random(200)
    exact = gaffke_oracle.mean_lower(x, 0.05)
    found = np.array([stats.worst_atom_lower(x, draws=20_000, seed=s) for s in range(40)])
    assert abs(found.mean() - exact) < 1.5e-4
    assert found.std() < 4e-4


@pytest.mark.parametrize("den_max", [10.0, 25.0])
def test_ratios_agree_with_inversion(den_max):
    exact = gaffke_oracle.ratio_lower(NUM, DEN, 0.05, den_max)
    assert stats.worst_atom_ratio_lower(NUM, DEN, 0.05, den_max=den_max) == pytest.approx(
        exact, abs=1.5e-3
    )
    wrong = [d - n for n, d in zip(NUM, DEN, strict=True)]
    mirrored = 1 - gaffke_oracle.ratio_lower(wrong, DEN, 0.05, den_max)
    high = stats.worst_atom_ratio_upper(NUM, DEN, 0.05, den_max=den_max)
    assert high == pytest.approx(mirrored, abs=1.5e-3)


def test_the_largest_observed_unit_is_the_atom_where_none_is_declared():
    assert stats.worst_atom_ratio_lower(NUM, DEN) == stats.worst_atom_ratio_lower(
        NUM, DEN, den_max=10
    )


def test_units_without_weight_do_not_count():
    assert stats.worst_atom_ratio_lower([*NUM, 0, 0], [*DEN, 0, 0]) == stats.worst_atom_ratio_lower(
        NUM, DEN
    )


@pytest.mark.parametrize(("num", "den"), [([], []), ([3], [3]), ([3, 0], [3, 0]), ([0, 0], [0, 0])])
def test_fewer_than_two_units_with_weight_say_nothing(num, den):
    assert stats.worst_atom_ratio_lower(num, den) == 0.0
    assert stats.worst_atom_ratio_upper(num, den) == 1.0


def test_without_data_the_bounds_are_the_declared_range():
    assert stats.worst_atom_lower([], lo=-1.0) == -1.0
    assert stats.worst_atom_upper([], lo=-1.0, hi=2.0) == 2.0


def test_equal_values_have_the_closed_form():
    # lo + (c - lo) alpha**(1/n): zero observed variance is not zero uncertainty
    assert stats.worst_atom_lower([0.8] * 12) == pytest.approx(0.8 * 0.05 ** (1 / 12), abs=1e-12)
    assert stats.worst_atom_lower([0.8], lo=0.2) == pytest.approx(0.2 + 0.05 * 0.6, abs=1e-12)
    assert stats.worst_atom_upper([0.3] * 12) == pytest.approx(
        1 - 0.7 * 0.05 ** (1 / 12), abs=1e-12
    )
    assert stats.worst_atom_upper([1.0] * 12) == 1.0


def test_counts_stand_for_the_expanded_values():
    counts = [[0.5, 3], [1, 10], [0.5, 2], [0.25, 0], [0.1, 1]]
    x = [0.5] * 5 + [1] * 10 + [0.1]
    assert stats.worst_atom_lower(x_counts=counts) == stats.worst_atom_lower(x)
    assert stats.worst_atom_upper(x_counts=counts) == stats.worst_atom_upper(np.array(x))


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_ones():
    assert stats.worst_atom_lower(X, seed=7) == stats.worst_atom_lower(X, seed=7)
    assert stats.worst_atom_lower(X, seed=7) != stats.worst_atom_lower(X, seed=8)


def test_values_drawn_alone_and_in_groups_follow_the_same_law():
    # 300 distinct values against the same values twice over: Gamma(2) against pairs of exponentials
    x = np.linspace(0.2, 1.0, 150)
    twice = stats.worst_atom_lower(np.repeat(x, 2))
    nudged = stats.worst_atom_lower(np.concatenate((x, x - 1e-9)))
    assert twice == pytest.approx(nudged, abs=1e-3)


def test_default_draws_follow_the_number_of_units_and_alpha():
    assert draws.default_draws(1_000, 0.05) == 200_000
    assert draws.default_draws(1_001, 0.05) == 20_000
    assert draws.default_draws(5_000, 0.0001) == 200_000


def test_an_odd_number_of_draws_is_served_exactly():
    rows, counts = np.array([[0.1, 1.0], [0.7, 1.0]]), np.array([1, 3])
    values = draws.simulate(
        rows, counts, lambda totals, atom: totals[0] / (totals[1] + atom), 4_001, 0
    )
    assert values.shape == (4_001,)
    assert len(set(values.tolist())) == 4_001


def test_twenty_thousand_draws_of_five_thousand_units_stay_within_fifty_megabytes():
    x = np.random.default_rng(0).random(5_000)
    tracemalloc.start()
    low = stats.worst_atom_lower(x, draws=20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    assert x.mean() - 0.02 < low < x.mean()


def test_unit_means_and_totals_do_not_depend_on_the_order_of_items():
    values, units = [0.1, 0.2, 0.3, 1.0, 0.7], ["b", "a", "b", "a", "b"]
    shuffled = [4, 2, 0, 3, 1]
    one = stats.unit_means(values, units)
    other = stats.unit_means([values[i] for i in shuffled], [units[i] for i in shuffled])
    assert one.tolist() == other.tolist() == pytest.approx([1.1 / 3, 0.6])
    num, den = stats.unit_totals([1, 2, 3], [2, 2, 5], ["x", "y", "x"])
    assert (num.tolist(), den.tolist()) == ([2.0, 4.0], [2.0, 7.0])


def test_the_stream_of_draws_is_part_of_the_contract():
    # pinned: a change here changes every bound in every certificate, and belongs in the changelog under "Scores"
    found = (
        stats.worst_atom_lower(X),
        stats.worst_atom_ratio_lower(NUM, DEN, den_max=12),
        stats.stratified_lower([0.9, 0.1], [78, 9], [80, 20]),
    )
    assert found == pytest.approx(
        (0.5673850545417001, 0.5585865642121896, 0.8704260856507157), abs=1e-12
    )
