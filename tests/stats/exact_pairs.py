"""The exact chance that Tango's bound clears a margin, by summing over every pair of discordant counts that matters."""

from __future__ import annotations

from scipy.stats import binom

from evalgate import stats


def pass_probability(n, margin, b_share, c_share):
    """P(tango_lower > -margin) when a unit is (new right, old wrong) with b_share and the reverse with c_share."""
    total, passing = 0.0, -1
    for b in range(int(binom.isf(1e-9, n, b_share)) + 1):
        # one more win never hurts, so the count of losses that still passes only grows
        while passing < n - b and stats.tango_lower(b, passing + 1, n) > -margin:
            passing += 1
        total += binom.pmf(b, n, b_share) * binom.cdf(passing, n - b, c_share / (1 - b_share))
    return float(total)
