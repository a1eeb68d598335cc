"""Many looks: adjusted p-values for alarms, and the alpha that each attempt on a sealed gold set may spend."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from evalgate.stats.inputs import Numbers, integer, number, vector


def holm_adjust(p: Numbers) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given: family-wise error, any dependence. For paging alarms."""
    values = vector("p", p, 0.0, 1.0)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(v) for v in adjusted]


def bh_adjust(p: Numbers) -> list[float]:
    """Benjamini-Hochberg adjusted p-values, in the order given: false discovery rate. For dashboards."""
    values = vector("p", p, 0.0, 1.0)
    order = np.argsort(values, kind="stable")[::-1]
    # The same operations in the same order as statsmodels: p / (rank / count), then the running minimum.
    ranks = np.arange(len(values), 0, -1) / max(len(values), 1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.minimum.accumulate(values[order] / ranks), 1.0)
    return [float(v) for v in adjusted]


def alpha_for_attempt(
    alpha_total: float,
    attempt: int,
    scheme: Literal["flat", "basel"] = "flat",
    *,
    attempts: int = 10,
    passes: int = 0,
) -> float:
    """The one-sided alpha of attempt number `attempt` (from 1) on one sealed gold set; all attempts sum to alpha_total.

    "flat" gives alpha_total / attempts to each of `attempts` and 0 to any later one: nothing is left to spend.
    "basel" gives 6 alpha_total / (pi k)^2 to attempt k, without end. Both hold against any adaptive developer as long
    as an attempt answers one bit, by the union bound along the single path of "not passed". After `passes` earlier
    passes of the same gold set there are more paths, sum_{i <= passes} C(attempt-1, i), and each gets its share.
    """
    total = number("alpha_total", alpha_total)
    if not 0.0 < total < 1.0:
        raise ValueError(
            f"alpha_total: found {alpha_total!r}, expected a number strictly between 0 and 1."
        )
    attempt = integer("attempt", attempt, 1)
    budget = integer("attempts", attempts, 1)
    passed = integer("passes", passes, 0, attempt - 1)
    if scheme == "flat":
        alpha = total / budget if attempt <= budget else 0.0
    elif scheme == "basel":
        alpha = 6.0 * total / (math.pi * attempt) ** 2
    else:
        raise ValueError(f"scheme: found {scheme!r}, expected 'flat' or 'basel'.")
    return alpha / sum(math.comb(attempt - 1, i) for i in range(passed + 1))
