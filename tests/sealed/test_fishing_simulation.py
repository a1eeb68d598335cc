"""Open scores, a ladder, and sealed sets with spent alpha against a developer who tries a hundred checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
from fishing import leaderboard, sealed

from evalgate.authored import GateSettings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("errors", "score", "passes"),
    [(0.0, 0.987, 1.00), (1.0, 0.975, 0.92), (2.0, 0.955, 0.08)],
    ids=["exact scores", "ladder of 1 SE", "ladder of 2 SE"],
)
def test_scores_of_the_gate_set_are_climbed(errors, score, passes):
    """The figures of the project's statistics notes; their checkpoints were alike in a way that is not written down."""
    rng = np.random.default_rng(20261123)
    found = leaderboard(rng, steps=100, errors=errors, true=0.94, worlds=800)
    assert found[0] == pytest.approx(score, abs=0.003)
    assert found[1] == pytest.approx(passes, abs=0.05)


@pytest.mark.parametrize("scheme", ["flat", "basel"])
def test_a_sealed_set_with_spent_alpha_is_not(tmp_path, scheme):
    rng = np.random.default_rng(7)
    settings = GateSettings(attempt_spending=scheme)
    worlds = [
        sealed(rng, tmp_path / str(n), steps=100, true=0.94, settings=settings) for n in range(60)
    ]
    assert np.mean([opened for opened, _, _ in worlds]) <= 0.05
    if scheme == "flat":
        assert max(asked for _, asked, _ in worlds) == 10
        assert sum(refused for _, _, refused in worlds) > 100


def test_even_models_exactly_at_the_threshold_pass_with_alpha_at_most(tmp_path):
    rng = np.random.default_rng(11)
    worlds = [
        sealed(rng, tmp_path / str(n), steps=100, true=0.95, settings=GateSettings())
        for n in range(120)
    ]
    opened = sum(opened for opened, _, _ in worlds)
    assert opened <= 11  # of 120 at 0.05: more has a chance of 2 in 100
