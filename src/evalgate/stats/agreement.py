"""How far raters agree: Cohen's kappa, weighted kappa, Gwet's AC1, Krippendorff's alpha.

Kappa and alpha are 0/0 where every rating is the same category: they return NaN there, and AC1 says what there is to
say. Print kappa with AC1, always: at 95 % agreement and 96 % prevalence kappa is about 0 and AC1 about 0.95.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from evalgate.stats.inputs import Floats, labels, same_length, sort_key

Ratings = Sequence[Any] | npt.NDArray[Any]
Level = Literal["nominal", "ordinal", "interval", "ratio"]


def cohen_kappa(a: Ratings, b: Ratings) -> float:
    """Cohen's kappa of two raters on the same items (nominal categories); NaN if only one category occurs."""
    return _kappa(_crosstab(a, b, None), lambda i, j: float(i != j))


def weighted_kappa(
    a: Ratings,
    b: Ratings,
    weights: Literal["linear", "quadratic"] | None = "quadratic",
    *,
    scale: Sequence[Any] | None = None,
) -> float:
    """Weighted kappa of two raters on an ordered scale; NaN if only one category occurs. weights=None: plain kappa.

    Distances are between positions on the scale. `scale` lists its categories in order; without it the sorted
    categories that occur are the scale, as in scikit-learn, and an unused step in the middle is then not a step.
    """
    if weights is None:
        return _kappa(_crosstab(a, b, scale), lambda i, j: float(i != j))
    if weights not in ("linear", "quadratic"):
        raise ValueError(f"weights: found {weights!r}, expected 'linear' or 'quadratic'.")
    power = 1 if weights == "linear" else 2
    return _kappa(_crosstab(a, b, scale), lambda i, j: float(abs(i - j) ** power))


def gwet_ac1(a: Ratings, b: Ratings) -> float:
    """Gwet's AC1 (2008) of two raters: chance agreement sum_k p_k (1 - p_k) / (q - 1), p_k the raters' mean share.

    q is the number of categories that occur, at least 2 (a yes/no question nobody answered with no is still one).
    """
    table = _crosstab(a, b, None)
    items = table.sum()
    observed = float(np.trace(table)) / items
    share = (table.sum(axis=0) + table.sum(axis=1)) / (2.0 * items)
    chance = float((share * (1.0 - share)).sum()) / max(len(share) - 1, 1)
    return float((observed - chance) / (1.0 - chance))


def krippendorff_alpha(
    ratings: Sequence[Sequence[Any]] | npt.NDArray[Any], level: Level = "nominal"
) -> float:
    """Krippendorff's alpha of any number of raters, raters x items, None or NaN where a rater did not rate; NaN if 0/0.

    `level` is the scale of the values: "nominal" (any labels), "ordinal", "interval" or "ratio" (numbers). Items with
    fewer than two ratings carry no information. Raises ValueError if no item has two.
    """
    if level not in ("nominal", "ordinal", "interval", "ratio"):
        raise ValueError(f"level: found {level!r}, expected nominal, ordinal, interval or ratio.")
    table = [row.tolist() if isinstance(row, np.ndarray) else list(row) for row in ratings]
    same_length(**{f"rater {at}": row for at, row in enumerate(table)} or {"ratings": []})
    columns = [[v for v in column if not _missing(v)] for column in zip(*table, strict=True)]
    pairable = [column for column in (labels("ratings", c) for c in columns) if len(column) >= 2]
    if not pairable:
        raise ValueError("ratings: found no item with two ratings, expected at least one.")
    values = sorted({v for column in pairable for v in column}, key=sort_key)
    if level != "nominal":
        wrong = [v for v in values if not isinstance(v, (int, float)) or not math.isfinite(v)]
        if wrong:
            raise ValueError(f"ratings: found {wrong[0]!r}, expected numbers for level {level!r}.")
    place = {value: at for at, value in enumerate(values)}
    coincidence = np.zeros((len(values), len(values)))
    for column in pairable:
        tally = np.bincount([place[v] for v in column], minlength=len(values)).astype(float)
        coincidence += (np.outer(tally, tally) - np.diag(tally)) / (len(column) - 1)
    totals = coincidence.sum(axis=0)
    distance = _distance(values, totals, level)
    expected = float((np.outer(totals, totals) * distance).sum())
    if expected == 0.0:
        return math.nan
    return 1.0 - (float(totals.sum()) - 1.0) * float((coincidence * distance).sum()) / expected


def _distance(values: Sequence[Any], totals: Floats, level: Level) -> Floats:
    """Squared differences between categories on the given level (Krippendorff 2011, "Computing alpha")."""
    size = len(values)
    if level == "nominal":
        return 1.0 - np.eye(size)
    if level == "ordinal":
        below = np.cumsum(totals) - totals / 2.0  # ranks between two categories, each counted half
        return _squares(below)
    numbers = np.array(values, float)
    gap = _squares(numbers)
    if level == "interval":
        return gap
    total = (numbers[:, None] + numbers[None, :]) ** 2
    relative: Floats = np.divide(gap, total, out=np.zeros((size, size)), where=total > 0.0)
    return relative


def _squares(places: Floats) -> Floats:
    """The squared differences of all pairs."""
    return np.asarray(np.subtract.outer(places, places) ** 2, dtype=np.float64)


def _crosstab(a: Ratings, b: Ratings, scale: Sequence[Any] | None) -> Floats:
    first, second = labels("a", a), labels("b", b)
    if not same_length(a=first, b=second):
        raise ValueError("a: found 0 items, expected at least 1.")
    used = sorted({*first, *second}, key=sort_key) if scale is None else list(scale)
    place = {label: at for at, label in enumerate(used)}
    outside = [v for v in (*first, *second) if v not in place]
    if outside:
        raise ValueError(f"scale: found the rating {outside[0]!r}, expected one of {used!r}.")
    table = np.zeros((len(used), len(used)))
    for left, right in zip(first, second, strict=True):
        table[place[left], place[right]] += 1.0
    return table


def _kappa(table: Floats, weight: Any) -> float:
    size = len(table)
    weights = np.array([[weight(i, j) for j in range(size)] for i in range(size)])
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    expected = float((weights * by_chance).sum())
    if expected == 0.0:
        return math.nan
    return 1.0 - float((weights * table).sum()) / expected


def _missing(value: Any) -> bool:
    """None or NaN: the rater did not rate the item."""
    return value is None or (isinstance(value, float) and math.isnan(value))
