"""The one promise of the gate: a model that stands at its threshold is promoted at most once in 1/alpha times."""

from __future__ import annotations

import pytest
from false_promotion_table import SIZES, WORLDS, limit, rates

from evalgate import stats


@pytest.mark.parametrize("name", WORLDS)
def test_a_model_at_its_threshold_is_rarely_promoted_in_a_small_simulation(name):
    point, _, ours = rates(name, 100, 150)
    assert ours <= limit(150)
    assert point > 0.35


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", WORLDS)
def test_a_model_at_its_threshold_is_promoted_within_alpha(name, n):
    _, _, ours = rates(name, n, 1_500)
    assert ours <= limit(1_500)


@pytest.mark.slow
def test_the_point_estimate_and_the_normal_interval_do_not_keep_the_promise():
    found = {n: rates("right/wrong, independent", n, 4_000) for n in SIZES}
    assert all(point > 0.5 for point, _, _ in found.values())
    assert max(normal for _, normal, _ in found.values()) > limit(4_000)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_for_proportions_the_promise_is_exact(n, threshold, alpha):
    assert stats.gate_power(n, threshold, alpha, p_true=threshold) <= alpha
