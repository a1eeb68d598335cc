"""The worst-atom Dirichlet bound: a Bayesian bootstrap over units plus one pseudo-unit at the worst possible value.

For 0/1 data it is Clopper-Pearson (exact). For bounded means it is the Gaffke bound (Learned-Miller and Thomas 2019,
"A new confidence interval for the mean of a bounded random variable"), whose validity its authors conjecture; no proof
is known to this project. For ratios it is that bound inverted. `docs/statistics.md` says what each is worth.
"""

from __future__ import annotations

import numpy as np

from evalgate.stats.draws import distinct_rows, lower_end, settings, simulate, upper_end
from evalgate.stats.inputs import (
    Counts,
    Floats,
    Ints,
    Numbers,
    distinct,
    mean_of,
    number,
    same_length,
    vector,
)
from evalgate.stats.proportions import cp_lower


def worst_atom_lower(
    x: Numbers | None = None,
    *,
    x_counts: Counts | None = None,
    alpha: float = 0.05,
    lo: float = 0.0,
    hi: float = 1.0,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Lower bound of the mean of independent units with values in the declared [lo, hi]; `lo` without data.

    The alpha-quantile of sum w_i x_i + w_0 lo with (w_0, .., w_n) ~ Dirichlet(1, .., 1), as an order statistic of
    `draws` seeded draws. In closed form, without draws, where all values above `lo` are equal (every 0/1 metric).
    `x_counts` = [[value, count], ..] stands for the expanded `x`.
    """
    lo, hi = _range(lo, hi)
    values, counts = distinct("x", x, x_counts, lo, hi)
    alpha, draws, place, seed = settings(int(counts.sum()), alpha, draws, seed)
    above = values[values > lo]
    if len(above) == 0:
        return lo
    if len(above) == 1:
        units = int(counts.sum())
        return lo + (float(above[0]) - lo) * cp_lower(int(counts[-1]), units, alpha)
    bound = lower_end(_means(values, counts, lo, draws, seed), place)
    return max(lo, min(bound, mean_of(values, counts)))


def worst_atom_upper(
    x: Numbers | None = None,
    *,
    x_counts: Counts | None = None,
    alpha: float = 0.05,
    lo: float = 0.0,
    hi: float = 1.0,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Upper bound of the mean: the same draws with the atom at `hi`, read at 1 - alpha; `hi` without data."""
    lo, hi = _range(lo, hi)
    values, counts = distinct("x", x, x_counts, lo, hi)
    alpha, draws, place, seed = settings(int(counts.sum()), alpha, draws, seed)
    below = values[values < hi]
    if len(below) == 0:
        return hi
    if len(below) == 1:
        units = int(counts.sum())
        return hi - (hi - float(below[0])) * cp_lower(int(counts[0]), units, alpha)
    bound = upper_end(_means(values, counts, hi, draws, seed), place)
    return min(hi, max(bound, mean_of(values, counts)))


def worst_atom_ratio_lower(
    num: Numbers,
    den: Numbers,
    alpha: float = 0.05,
    *,
    den_max: float | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Lower bound of E[num]/E[den] over independent units with 0 <= num <= den <= den_max (micro recall and its kin).

    The alpha-quantile of sum w_g num_g / (sum w_g den_g + w_0 den_max). `den_max` is the largest unit the sampling
    frame allows, declared in advance; without it the largest observed unit is taken, which is good enough to look at
    and not to decide: large units that were not seen may be bad ones. Units with den = 0 carry no weight. Fewer than
    two units with weight: 0, nothing can be said.
    """
    rows, counts, largest, units = _ratio_rows(num, den, den_max)
    alpha, draws, place, seed = settings(units, alpha, draws, seed)
    if units < 2:
        return 0.0

    def ratio(totals: Floats, atom: Floats) -> Floats:
        return np.asarray(totals[0] / (totals[1] + largest * atom))

    bound = lower_end(simulate(rows, counts, ratio, draws, seed), place)
    return min(bound, mean_of(rows[:, 0], counts) / mean_of(rows[:, 1], counts))


def worst_atom_ratio_upper(
    num: Numbers,
    den: Numbers,
    alpha: float = 0.05,
    *,
    den_max: float | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Upper bound of E[num]/E[den]: the same draws, the atom all right (den_max of den_max), read at 1 - alpha."""
    rows, counts, largest, units = _ratio_rows(num, den, den_max)
    alpha, draws, place, seed = settings(units, alpha, draws, seed)
    if units < 2:
        return 1.0

    def ratio(totals: Floats, atom: Floats) -> Floats:
        best = largest * atom
        return np.asarray((totals[0] + best) / (totals[1] + best))

    bound = upper_end(simulate(rows, counts, ratio, draws, seed), place)
    return min(1.0, max(bound, mean_of(rows[:, 0], counts) / mean_of(rows[:, 1], counts)))


def _range(lo: float, hi: float) -> tuple[float, float]:
    low, high = number("lo", lo), number("hi", hi)
    if not low < high:
        raise ValueError(f"lo, hi: found [{lo!r}, {hi!r}], expected lo < hi.")
    return low, high


def _means(values: Floats, counts: Ints, worst: float, draws: int, seed: int) -> Floats:
    """Draws of the weighted mean of the values and one atom at `worst`."""
    rows = np.column_stack((values, np.ones(len(values))))

    def mean(totals: Floats, atom: Floats) -> Floats:
        return np.asarray((totals[0] + worst * atom) / (totals[1] + atom))

    return simulate(rows, counts, mean, draws, seed)


def _ratio_rows(
    num: Numbers, den: Numbers, den_max: float | None
) -> tuple[Floats, Ints, float, int]:
    """(distinct (num, den) rows with weight, their counts, the atom's size, units with weight)."""
    top, bottom = vector("num", num, 0.0), vector("den", den, 0.0)
    same_length(num=top, den=bottom)
    wrong = np.flatnonzero(top > bottom)
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(
            f"num: found {float(top[at])!r} of {float(bottom[at])!r} at position {at}, expected num <= den."
        )
    observed = float(bottom.max()) if len(bottom) else 0.0
    largest = observed if den_max is None else number("den_max", den_max)
    if largest < observed or (den_max is not None and largest <= 0.0):
        raise ValueError(
            f"den_max: found {den_max!r}, expected at least the largest unit, {observed:g}. Units above the declared "
            "maximum lie outside the sampling frame: split them, or declare a larger maximum."
        )
    keep = bottom > 0.0
    rows, counts = distinct_rows(np.column_stack((top[keep], bottom[keep])))
    return rows, counts, largest, int(counts.sum())
