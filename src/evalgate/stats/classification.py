"""Macro-F1 and its worst-atom bounds: every class counts the same, however rare."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evalgate.stats.draws import (
    Statistic,
    distinct_rows,
    lower_end,
    settings,
    simulate,
    upper_end,
)
from evalgate.stats.inputs import Floats, Ints, labels, same_length, sort_key


def macro_f1(
    y: Sequence[Any] | npt.NDArray[Any],
    yhat: Sequence[Any] | npt.NDArray[Any],
    *,
    classes: Sequence[Any] | None = None,
) -> float:
    """Unweighted mean over classes of F1 = 2 tp / (gold + predicted); a class with neither scores 0.

    `classes` defaults to every label seen in `y` or `yhat` (scikit-learn's f1_score(average="macro", zero_division=0)).
    Predictions outside `classes` are misses of their gold class. Raises ValueError for no items or a missing label.
    """
    gold, predicted = labels("y", y), labels("yhat", yhat)
    if not same_length(y=gold, yhat=predicted):
        raise ValueError("y: found 0 items, expected at least 1.")
    used = sorted({*gold, *predicted}, key=sort_key) if classes is None else list(classes)
    return _macro_f1(gold, predicted, used)


def worst_atom_macro_f1_bounds(
    y: Sequence[Any] | npt.NDArray[Any],
    yhat: Sequence[Any | None] | npt.NDArray[Any],
    units: Sequence[Hashable] | npt.NDArray[Any] | None = None,
    classes: Sequence[Any] | None = None,
    alpha: float = 0.05,
    *,
    draws: int | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """(lower, upper): two one-sided bounds of macro-F1, each at `alpha`; (0, 1) without items.

    Every unit's share of the confusion matrix is re-weighted by Dirichlet weights with one atom, a unit of mean size:
    for the lower bound all its items are gold of the rarest class called the second rarest; for the upper bound they
    are the rarest class, called right. A prediction that is None or none of `classes` is a miss of its gold class and
    nobody's prediction. `classes` defaults to the gold labels. A declared class without a gold item scores 0 in the
    lower bound and leaves the upper one at 1. Items of one unit are dependent; without `units` every item is its own.
    Validity rests on simulation: with fewer than 50 units per class the bounds are wide and untested.
    """
    gold = labels("y", y)
    predicted = yhat.tolist() if isinstance(yhat, np.ndarray) else list(yhat)
    items = same_length(y=gold, yhat=predicted)
    names = list(range(items)) if units is None else list(units)
    same_length(y=gold, units=names)
    used = sorted(set(gold), key=sort_key) if classes is None else list(dict.fromkeys(classes))
    unknown = set(gold) - set(used)
    if unknown:
        found = min(unknown, key=sort_key)
        raise ValueError(f"y: found {found!r}, expected one of the declared classes.")
    alpha, draws, place, seed = settings(len(set(names)), alpha, draws, seed)
    if not items:
        return 0.0, 1.0
    size = items / len(set(names))
    tally = Counter(gold)
    by_rarity = sorted(range(len(used)), key=lambda c: tally[used[c]])  # ties: in class order
    rows, counts = _unit_rows(gold, predicted, names, used)
    point = _macro_f1(gold, predicted, used)

    worst = np.zeros(2 * len(used))
    for column in by_rarity[:2]:  # missed by the rarest, wrongly claimed by the second rarest
        worst[len(used) + column] += size
    low = lower_end(simulate(rows, counts, _draw_f1(worst), draws, seed), place)
    if any(tally[label] == 0 for label in used):
        return min(low, point), 1.0

    best = np.zeros(2 * len(used))
    best[by_rarity[0]] = size
    best[len(used) + by_rarity[0]] = 2 * size
    high = upper_end(simulate(rows, counts, _draw_f1(best), draws, seed), place)
    return min(low, point), min(1.0, max(high, point))


def _unit_rows(
    gold: Sequence[Any], predicted: Sequence[Any], units: Sequence[Hashable], classes: Sequence[Any]
) -> tuple[Floats, Ints]:
    """(distinct rows, units with each): true positives of each class, then gold + predicted of each class."""
    column = {label: at for at, label in enumerate(classes)}
    cells: defaultdict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for truth, guess, unit in zip(gold, predicted, units, strict=True):
        claimed = column.get(guess, -1) if isinstance(guess, Hashable) else -1
        cells[unit].append((column[truth], claimed))
    # Units with equal contents share a row before any row is made: memory follows the kinds of unit, not their number.
    kinds = Counter(tuple(sorted(cell)) for cell in cells.values())
    rows = np.zeros((len(kinds), 2 * len(classes)))
    for row, kind in zip(rows, kinds, strict=True):
        for truth, claimed in kind:
            row[len(classes) + truth] += 1
            if claimed >= 0:
                row[len(classes) + claimed] += 1
                row[claimed] += truth == claimed
    return distinct_rows(rows, np.array(list(kinds.values()), np.int64))


def _draw_f1(atom_row: Floats) -> Statistic:
    """The statistic of `simulate`: macro-F1 of the totals plus the atom."""
    classes = len(atom_row) // 2

    def statistic(totals: Floats, atom: Floats) -> Floats:
        total = np.zeros(len(atom))
        for c in range(classes):
            right = totals[c] + atom_row[c] * atom
            seen = totals[classes + c] + atom_row[classes + c] * atom
            total += np.divide(2.0 * right, seen, out=np.zeros(len(atom)), where=seen > 0.0)
        return total / classes

    return statistic


def _macro_f1(gold: Sequence[Any], predicted: Sequence[Any], classes: Sequence[Any]) -> float:
    seen = Counter(gold)
    claimed = Counter(guess for guess in predicted if isinstance(guess, Hashable))
    right = Counter(truth for truth, guess in zip(gold, predicted, strict=True) if truth == guess)
    scores = [
        2 * right[c] / (seen[c] + claimed[c]) if seen[c] + claimed[c] else 0.0 for c in classes
    ]
    return sum(scores) / len(scores)
