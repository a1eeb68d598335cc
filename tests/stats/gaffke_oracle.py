"""The worst-atom bounds without any random number: an independent computation to check the draws against.

sum w_i x_i + w_0 x_0 <= t under Dirichlet weights is sum e_i (x_i - t) + e_0 (x_0 - t) <= 0 for unit exponentials. Its
probability follows from the characteristic function, prod (1 - i s a_j)^-count_j, by Gil-Pelaez inversion.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq


def share_below_zero(slopes, counts):
    """P(sum of slope_j times independent Gamma(count_j) <= 0)."""
    a = np.asarray(slopes, float) / np.max(np.abs(slopes))
    c = np.asarray(counts, float)

    def integrand(s):
        return (np.exp(-(c * np.log(1 - 1j * s * a)).sum()) / s).imag

    parts = [0, 0.05, 0.3, 1, 3, 10, 50, 400]
    total = sum(quad(integrand, lo, hi, limit=400, epsabs=1e-11)[0] for lo, hi in pairwise(parts))
    total += quad(integrand, parts[-1], np.inf, limit=400, epsabs=1e-11)[0]
    return 0.5 - total / np.pi


def mean_lower(x, alpha, lo=0.0):
    """The exact worst-atom lower bound of a mean."""
    values, counts = np.unique(np.asarray(x, float), return_counts=True)
    slopes = np.append(values, lo)
    weights = np.append(counts, 1)
    return brentq(
        lambda t: share_below_zero(slopes - t, weights) - alpha,
        lo + 1e-9,
        values.max() - 1e-9,
        xtol=1e-9,
    )


def ratio_lower(num, den, alpha, den_max):
    """The exact worst-atom lower bound of a ratio."""
    n, d = np.append(num, 0.0), np.append(den, den_max)
    return brentq(
        lambda t: share_below_zero(n - t * d, np.ones(len(n))) - alpha, 1e-6, 1 - 1e-9, xtol=1e-9
    )
