from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binomtest
from statsmodels.stats.proportion import proportion_confint

from evalgate import stats

KN = [(0, 1), (1, 1), (0, 20), (1, 20), (7, 20), (19, 20), (97, 100), (299, 300), (4321, 5000)]


@pytest.mark.parametrize("alpha", [0.05, 0.005, 0.3])
@pytest.mark.parametrize(("k", "n"), KN)
def test_clopper_pearson_agrees_with_statsmodels_and_scipy(k, n, alpha):
    low, high = proportion_confint(k, n, alpha=2 * alpha, method="beta")
    assert stats.cp_lower(k=k, n=n, alpha=alpha) == pytest.approx(0.0 if k == 0 else low, abs=1e-10)
    assert stats.cp_upper(k=k, n=n, alpha=alpha) == pytest.approx(
        1.0 if k == n else high, abs=1e-10
    )
    exact = binomtest(k, n, alternative="greater").proportion_ci(1 - alpha, "exact").low
    assert stats.cp_lower(k, n, alpha) == pytest.approx(exact, abs=1e-10)


def test_a_worked_example_by_hand():
    # 59 of 59 right: the bound b solves b**59 = 0.05, so b = exp(ln(0.05)/59) = exp(-0.0507751) = 0.950492
    assert stats.cp_lower(59, 59) == pytest.approx(0.950492, abs=1e-6)
    # 0 critical errors in 30: 1 - 0.05**(1/30)
    assert stats.cp_upper(0, 30) == pytest.approx(0.0950339, abs=1e-6)


def test_without_data_nothing_is_known():
    assert stats.cp_lower(0, 0) == 0.0
    assert stats.cp_upper(0, 0) == 1.0


def test_one_stratum_is_clopper_pearson():
    assert stats.stratified_lower([1.0], [97], [100]) == stats.cp_lower(97, 100)
    assert stats.stratified_lower([1.0, 0.0], [97, 3], [100, 9]) == stats.cp_lower(97, 100)


def test_strata_agree_with_a_numerical_convolution():
    # P(w1 B1 + w2 B2 <= t) on a grid, B_s ~ Beta(k, n-k+1)
    weights, k, n = [0.7, 0.3], [60, 25], [64, 30]
    grid = (np.arange(20_000) + 0.5) / 20_000
    density = beta.pdf(grid, k[1], n[1] - k[1] + 1)

    def below(t):
        return np.mean(
            density * beta.cdf((t - weights[1] * grid) / weights[0], k[0], n[0] - k[0] + 1)
        )

    low = stats.stratified_lower(weights, k, n)
    assert below(low) == pytest.approx(0.05, abs=0.004)


def test_strata_without_units_or_successes_contribute_nothing():
    alone = stats.stratified_lower([0.5, 0.5], [40, 0], [40, 0])
    assert alone == pytest.approx(0.5 * 0.05 ** (1 / 40), abs=2e-3)
    assert stats.stratified_lower([0.5, 0.5], [0, 0], [40, 10]) == 0.0


def test_the_order_of_strata_changes_no_bit():
    one = stats.stratified_lower([0.2, 0.3, 0.5], [18, 30, 44], [20, 31, 50])
    other = stats.stratified_lower([0.5, 0.2, 0.3], [44, 18, 30], [50, 20, 31])
    assert one == other


def test_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match=r"sum of 0\.9"):
        stats.stratified_lower([0.5, 0.4], [1, 1], [2, 2])
