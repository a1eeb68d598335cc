"""One-sided bounds of proportions: Clopper-Pearson, and its stratified form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalgate.stats.draws import lower_end, settings
from evalgate.stats.inputs import Floats, integer, number, probability, same_length


def cp_lower(k: int, n: int, alpha: float = 0.05) -> float:
    """Clopper-Pearson lower bound of a proportion, k successes of n independent units; 0 for k = 0 or n = 0.

    Exact: whatever the true p, P(bound > p) <= alpha. The alpha-quantile of Beta(k, n-k+1) (Clopper and Pearson 1934).
    """
    n = integer("n", n)
    k = integer("k", k, 0, n)
    alpha = probability("alpha", alpha)
    if k == 0:
        return 0.0
    if k == n:
        return float(alpha ** (1.0 / n))
    from scipy.special import betaincinv

    return float(betaincinv(k, n - k + 1, alpha))


def cp_upper(k: int, n: int, alpha: float = 0.05) -> float:
    """Clopper-Pearson upper bound of a proportion; 1 for k = n or n = 0. The mirror image of `cp_lower`."""
    n = integer("n", n)
    k = integer("k", k, 0, n)
    return 1.0 - cp_lower(n - k, n, alpha)


def stratified_lower(
    weights: Sequence[float],
    k: Sequence[int],
    n: Sequence[int],
    alpha: float = 0.05,
    *,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Lower bound of sum_s weights[s] * p[s] for a gold set drawn stratum by stratum with known population shares.

    Each stratum has its own Beta(k, n-k+1) (its own worst atom, hence the price of stratifying); the bound is the
    alpha-quantile of their weighted sum. A stratum without units contributes 0. `weights` must sum to 1. One stratum
    gives Clopper-Pearson. Validity with several strata rests on simulation, not on a theorem.
    """
    same_length(weights=weights, k=k, n=n)
    shares = [number("weights", w, 0.0, 1.0) for w in weights]
    if abs(sum(shares) - 1.0) > 1e-6:
        raise ValueError(f"weights: found a sum of {sum(shares)!r}, expected 1.")
    sizes = [integer("n", size) for size in n]
    right = [integer("k", hits, 0, size) for hits, size in zip(k, sizes, strict=True)]
    alpha, draws, place, seed = settings(0, alpha, draws, seed)
    # Sorted, so that the order of the strata changes no bit.
    strata = sorted(s for s in zip(shares, right, sizes, strict=True) if s[0] > 0.0)
    if len(strata) == 1:
        return cp_lower(strata[0][1], strata[0][2], alpha)
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    total: Floats = np.zeros(draws)
    for share, hits, size in strata:
        if hits == 0:
            continue
        won = generator.standard_gamma(hits, draws)
        lost = generator.standard_gamma(size - hits + 1, draws)
        total += share * (won / (won + lost))
    point = sum(share * hits / size for share, hits, size in strata if size)
    return min(lower_end(total, place), point)
