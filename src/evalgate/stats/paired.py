"""Two models on the same items: Tango's score bound of a difference of proportions, and McNemar's exact test."""

from __future__ import annotations

import math

from evalgate.stats.inputs import integer, probability


def tango_lower(b: int, c: int, n: int, alpha: float = 0.05) -> float:
    """Lower bound of the difference (new right - old right) of n independent paired 0/1 units; -1 for n = 0.

    b = new right where old is wrong, c = new wrong where old is right. Inverts Tango's score test (Statistics in
    Medicine 17, 1998): the d below (b-c)/n with (b-c-nd)/sqrt(n(2q+d(1-d))) = z. Asymptotic, not exact: its error
    exceeds alpha by up to about one percentage point (table in docs/statistics.md). With no discordant pair it is
    -z^2/(n+z^2), never 0: ten identical pairs prove nothing.
    """
    n = integer("n", n)
    b = integer("b", b, 0, n)
    c = integer("c", c, 0, n - b)
    alpha = probability("alpha", alpha)
    if alpha > 0.5:  # a "lower" bound above the estimate: the mirrored upper root
        return -tango_lower(c, b, n, 1.0 - alpha)
    if c == n:  # n = 0 too
        return -1.0
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z = -float(ndtri(alpha))
    if b == c == 0:
        return -z * z / (n + z * z)
    if b == n:
        return (n - z * z) / (n + z * z)

    def excess(d: float) -> float:
        """Positive left of the bound, negative between it and the estimate."""
        return (
            b
            - c
            - n * d
            - z * math.sqrt(n * max(0.0, 2.0 * constrained_loss(b, c, n, d) + d * (1.0 - d)))
        )

    estimate = (b - c) / n
    return min(estimate, float(brentq(excess, -1.0, estimate, xtol=1e-14, rtol=1e-14)))


def tango_upper(b: int, c: int, n: int, alpha: float = 0.05) -> float:
    """Upper bound of the same difference; 1 for n = 0. The mirror image of `tango_lower`."""
    return -tango_lower(c, b, n, alpha)


def mcnemar_exact_p(b: int, c: int) -> float:
    """Two-sided exact p-value of b against c discordant pairs under equal chances; 1 without discordant pairs.

    For reports only. "Not significantly different" is not "as good as": small samples always pass it.
    """
    b, c = integer("b", b), integer("c", c)
    from scipy.special import bdtr

    return min(1.0, 2.0 * float(bdtr(min(b, c), b + c, 0.5)))


def constrained_loss(b: float, c: float, n: float, d: float) -> float:
    """Maximum likelihood estimate of P(new wrong, old right) under a difference of d; b, c counts or, for n = 1, shares."""
    linear = -b - c + (2 * n - b + c) * d
    constant = -c * d * (1.0 - d)
    return (math.sqrt(max(0.0, linear * linear - 8.0 * n * constant)) - linear) / (4.0 * n)
