"""Alarms: whether one model does worse than another on the same units, and how small a drop such a test could see.

A small p-value alarms. A large one grants nothing: too few units always give one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evalgate.stats.inputs import integer, number, probability

_DRAWS = 20_000
_CELLS = 2_000_000  # numbers drawn at a time
_STEPS = 30  # halvings of the drop that is searched: 1e-9


def mcnemar_worse_p(b: int, c: int) -> float:
    """One-sided exact p-value of harm: b units won and c lost under equal chances of both; 1 without discordant units."""
    b, c = integer("b", b), integer("c", c)
    from scipy.special import bdtr

    return float(bdtr(b, b + c, 0.5)) if b + c else 1.0


def sign_flip_p(
    x_counts: Sequence[tuple[float, int]], *, seed: int = 0, draws: int = _DRAWS
) -> float:
    """One-sided p-value of a mean difference below 0: [(difference of a unit, number of such units), ..].

    If the two models are exchangeable on every unit, each difference is as likely with the other sign; the p-value is the share
    of `draws` seeded assignments of signs, the observed one among them, whose sum is as low (Phipson and Smyth 2010, "Permutation
    p-values should never be zero"). Of differences of -1, 0 and 1 it is a Monte Carlo form of `mcnemar_worse_p`.
    """
    draws = integer("draws", draws, 1)
    sizes: dict[float, int] = {}
    total = []
    for x, count in x_counts:
        value = number("x", x, -1.0, 1.0)
        total.append(value * integer("count", count))
        if value:
            sizes[abs(value)] = sizes.get(abs(value), 0) + count
    if not sizes:
        return 1.0
    values, counts = np.array(list(sizes)), np.array(list(sizes.values()))
    low = math.fsum(total) + 1e-9 * float(counts @ values)  # equal sums stay equal after rounding
    rng = np.random.Generator(np.random.PCG64(seed))
    as_low, left = 1, draws
    while left:
        block = min(left, max(1, _CELLS // len(counts)))
        positive = rng.binomial(counts, 0.5, (block, len(counts)))
        as_low += int(np.count_nonzero((2 * positive - counts) @ values <= low))
        left -= block
    return as_low / (1 + draws)


def detectable_drop(
    n: int, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """The smallest drop of a share that `mcnemar_worse_p` <= alpha finds among n units with probability `power`.

    `discordance` in [0, 1] is the share of units on which the models differ; a drop larger than it raises it. Exact but for the
    search. None where even the largest drop would not be found.
    """
    n = integer("n", n)
    discordance = number("discordance", discordance, 0.0, 1.0)
    alpha, power = probability("alpha", alpha), probability("power", power)
    differing = np.arange(n + 1)
    from scipy.stats import binom

    # of m differing units so many may be won: the most with P(X <= k | m, 1/2) <= alpha
    most = binom.ppf(alpha, differing, 0.5)
    most -= binom.cdf(most, differing, 0.5) > alpha

    def found(drop: float) -> float:
        share = max(discordance, drop)
        won = 0.5 * (1.0 - drop / share)
        return float(
            binom.pmf(differing, n, share) @ binom.cdf(most, differing, max(0.0, min(1.0, won)))
        )

    if n < 1 or found(1.0) < power:
        return None
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    return high


def detectable_mean_drop(
    n: int, deviation: float, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """The same for means of n unit differences of standard deviation `deviation`: (z_alpha + z_beta) deviation / sqrt(n).

    A normal approximation. Where no unit differs nothing is known of a drop's size: then as if each were a whole unit.
    """
    n = integer("n", n)
    deviation = number("deviation", deviation, 0.0, 1.5)
    if not deviation:
        return detectable_drop(n, 0.0, alpha, power)
    from scipy.special import ndtri

    reach = -float(ndtri(alpha)) + float(ndtri(power))
    drop = reach * deviation / math.sqrt(n)
    return drop if n > 1 and drop <= 1.0 else None
