from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from evalgate import stats


@pytest.mark.parametrize(
    "p", [[0.001, 0.012, 0.03, 0.2, 0.04], [0.5], [0.04, 0.04, 0.04], [1.0, 0.0, 0.9, 0.9]]
)
def test_adjusted_p_values_agree_with_statsmodels(p):
    assert stats.holm_adjust(p=p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-14)
    assert stats.bh_adjust(p=p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-14)


def test_many_random_p_values_agree_with_statsmodels():
    p = np.random.default_rng(1).random(200) ** 3
    assert stats.holm_adjust(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-13)
    assert stats.bh_adjust(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-13)


def test_no_p_values_no_adjusted_ones():
    assert stats.holm_adjust([]) == stats.bh_adjust([]) == []


@pytest.mark.parametrize("scheme", ["flat", "basel"])
@pytest.mark.parametrize("passes", [0, 2])
def test_the_alpha_spent_never_exceeds_the_total(scheme, passes):
    spent = sum(
        stats.alpha_for_attempt(0.05, k, scheme, passes=min(passes, k - 1)) for k in range(1, 2_000)
    )
    assert spent <= 0.05 + 1e-12


def test_the_flat_scheme_has_nothing_left_after_its_attempts():
    assert stats.alpha_for_attempt(alpha_total=0.05, attempt=10, scheme="flat") == 0.005
    assert stats.alpha_for_attempt(0.05, 11, "flat") == 0.0
    assert stats.alpha_for_attempt(0.05, 4, attempts=4) == 0.0125


def test_the_endless_scheme_sums_to_the_total():
    spent = sum(stats.alpha_for_attempt(0.05, k, "basel") for k in range(1, 20_000))
    assert spent == pytest.approx(0.05, abs=1e-5)


def test_after_a_pass_every_path_gets_its_share():
    plain = stats.alpha_for_attempt(0.05, 6, "basel")
    assert stats.alpha_for_attempt(0.05, 6, "basel", passes=2) == pytest.approx(
        plain / (1 + 5 + math.comb(5, 2))
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"alpha_total": 1.5, "attempt": 1}, "1.5"),
        ({"alpha_total": 0.0, "attempt": 1}, "0.0"),
        ({"alpha_total": 0.05, "attempt": 0}, "0"),
        ({"alpha_total": 0.05, "attempt": 1, "scheme": "bonferroni"}, "bonferroni"),
        ({"alpha_total": 0.05, "attempt": 3, "passes": 3}, "3"),
    ],
)
def test_impossible_spending_is_refused(arguments, found):
    with pytest.raises(ValueError, match=found):
        stats.alpha_for_attempt(**arguments)
