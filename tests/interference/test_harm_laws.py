"""One-sided p-values of harm and the drops they can see: laws, and enumeration beside them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from evalgate.stats import mcnemar_exact_p
from evalgate.stats.harm import detectable_drop, detectable_mean_drop, mcnemar_worse_p, sign_flip_p

counts = st.integers(0, 60)


@settings(deadline=None, max_examples=25)
@given(won=counts, lost=counts)
def test_the_p_value_of_harm_is_the_binomial_tail_and_half_of_mcnemars(won, lost):
    p = mcnemar_worse_p(won, lost)
    assert p == pytest.approx(binomtest(lost, won + lost, 0.5, alternative="greater").pvalue if won + lost else 1.0)  # fmt: skip
    assert min(1.0, 2 * min(p, mcnemar_worse_p(lost, won))) == pytest.approx(
        mcnemar_exact_p(won, lost)
    )


@settings(deadline=None, max_examples=25)
@given(won=counts, lost=counts)
def test_one_more_loss_never_raises_the_p_value(won, lost):
    assert mcnemar_worse_p(won, lost + 1) <= mcnemar_worse_p(won, lost)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=9))
def test_flipped_signs_agree_with_all_their_assignments(units):
    moved = [abs(x) for x in units if x]
    sums = [sum(s * x for s, x in zip(signs, moved, strict=True)) for signs in itertools.product((1, -1), repeat=len(moved))]  # fmt: skip
    exact = sum(total <= sum(units) for total in sums) / len(sums)
    assert sign_flip_p([(x, 1) for x in units], seed=1) == pytest.approx(exact, abs=0.02)


def test_flipped_signs_of_whole_units_are_mcnemars_test():
    drawn = sign_flip_p([(-1.0, 14), (0.0, 80), (1.0, 5)], seed=3)
    assert drawn == pytest.approx(mcnemar_worse_p(5, 14), abs=0.003)


def test_no_difference_is_no_evidence_and_no_p_value_is_zero():
    assert mcnemar_worse_p(0, 0) == sign_flip_p([(0.0, 50)]) == sign_flip_p([]) == 1.0
    assert sign_flip_p([(-0.5, 500)], draws=1000) == 1 / 1001


@pytest.mark.parametrize(("n", "discordance"), [(60, 0.1), (200, 0.05), (30, 0.0)])
def test_the_visible_drop_is_found_in_four_of_five_samples_and_a_smaller_one_in_fewer(
    n, discordance
):
    drop = detectable_drop(n, discordance, 0.05)

    alarms = [
        (m, lost)
        for m in range(n + 1)
        if binom.pmf(m, n, max(discordance, drop)) > 1e-9
        for lost in range(m + 1)
        if mcnemar_worse_p(m - lost, lost) <= 0.05
    ]
    differing, lost = np.array(alarms).T

    def found(drop):
        share = max(discordance, drop)
        return binom.pmf(differing, n, share) @ binom.pmf(lost, differing, (1 + drop / share) / 2)

    assert found(drop) == pytest.approx(0.8, abs=1e-3)
    assert found(drop - 0.005) < 0.8


def test_visible_drops_are_those_of_the_normal_approximation_in_large_samples():
    for n, discordance, points in ((200, 0.05, 3.9), (200, 0.1, 5.6), (600, 0.2, 4.5)):
        assert 100 * detectable_drop(n, discordance) == pytest.approx(points, abs=0.3)


def test_too_few_units_see_nothing():
    assert detectable_drop(4, 0.5) is None  # four losses of four: p = 1/16
    assert detectable_drop(0, 0.0) is None
    assert detectable_mean_drop(1, 0.3) is None
    assert detectable_mean_drop(50, 0.0) == detectable_drop(50, 0.0)
    assert detectable_mean_drop(400, 0.2) == pytest.approx(0.0249, abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(n=st.integers(8, 400), deviation=st.floats(0.01, 0.5))
def test_more_units_see_smaller_drops(n, deviation):
    few, many = detectable_mean_drop(n, deviation), detectable_mean_drop(4 * n, deviation)
    assert few is None or many == pytest.approx(few / 2)


@pytest.mark.parametrize("bad", [lambda: mcnemar_worse_p(-1, 2), lambda: sign_flip_p([(1.5, 3)]), lambda: detectable_drop(10, 1.2)])  # fmt: skip
def test_what_is_no_data_is_refused(bad):
    with pytest.raises(ValueError, match="found"):
        bad()
