from __future__ import annotations

import math

import pytest
from exact_pairs import pass_probability
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

from evalgate import stats


@pytest.mark.parametrize(("b", "c"), [(12, 5), (3, 3), (0, 0), (0, 9), (1, 0), (40, 77)])
def test_mcnemar_agrees_with_statsmodels(b, c):
    expected = mcnemar([[50, b], [c, 50]], exact=True).pvalue if b + c else 1.0
    assert stats.mcnemar_exact_p(b=b, c=c) == pytest.approx(expected, abs=1e-12)


def score_z(b, c, n, d):
    """Tango's score statistic with the constrained maximum found numerically, not by the closed form."""

    def loss(p):  # p = P(new wrong, old right); P(new right, old wrong) = p + d
        rest = 1 - 2 * p - d
        if min(p, p + d, rest) <= 0:
            return math.inf
        return -(b * math.log(p + d) + c * math.log(p) + (n - b - c) * math.log(rest))

    low, high = max(0.0, -d), (1 - d) / 2
    p = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (b - c - n * d) / math.sqrt(n * (2 * p + d - d * d))


@pytest.mark.parametrize(
    ("b", "c", "n"), [(12, 5, 300), (3, 8, 60), (1, 1, 40), (30, 2, 90), (25, 60, 100)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_tango_agrees_with_a_numerical_inversion_of_the_score_test(b, c, n, alpha):
    low = stats.tango_lower(b=b, c=c, n=n, alpha=alpha)
    assert score_z(b, c, n, low) == pytest.approx(norm.ppf(1 - alpha), abs=1e-4)
    assert stats.tango_upper(b, c, n, alpha) == -stats.tango_lower(c, b, n, alpha)


def test_ten_identical_pairs_prove_nothing():
    z = norm.ppf(0.95)
    assert stats.tango_lower(0, 0, 10) == pytest.approx(-z * z / (10 + z * z), abs=1e-12)
    assert stats.tango_lower(0, 0, 10) < -0.2


@pytest.mark.parametrize("n", [1, 5, 200])
def test_tango_at_the_corners(n):
    z = norm.ppf(0.95)
    assert stats.tango_lower(n, 0, n) == pytest.approx((n - z * z) / (n + z * z), abs=1e-12)
    assert stats.tango_lower(0, n, n) == -1.0
    assert stats.tango_upper(0, n, n) == pytest.approx(-(n - z * z) / (n + z * z), abs=1e-12)
    assert -1.0 <= stats.tango_lower(0, 1, max(n, 2)) < -1 / max(n, 2)


def test_without_pairs_nothing_is_known():
    assert stats.tango_lower(0, 0, 0) == -1.0
    assert stats.tango_upper(0, 0, 0) == 1.0


def test_above_one_half_the_lower_end_is_the_other_upper_end():
    assert stats.tango_lower(12, 5, 300, 0.9) == pytest.approx(stats.tango_upper(12, 5, 300, 0.1))


def test_more_discordant_pairs_than_pairs_are_refused():
    with pytest.raises(ValueError, match="found 6"):
        stats.tango_lower(5, 6, 10)


def test_the_exact_error_of_tangos_bound_is_the_documented_one():
    # the worst case of the grid in docs/statistics.md: every discordant pair is a loss
    assert pass_probability(300, 0.02, 0.0, 0.02) == pytest.approx(0.0602, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("margin", [0.02, 0.05])
@pytest.mark.parametrize("n", [50, 75, 100, 150, 200, 300, 500])
def test_tangos_bound_errs_at_most_one_point_more_than_alpha(n, margin):
    shares = [margin * f for f in (1, 1.25, 1.5, 2, 3)] + [0.1, 0.15, 0.2, 0.3]
    worst = max(pass_probability(n, margin, (d - margin) / 2, (d + margin) / 2) for d in shares)
    assert worst <= 0.0605
