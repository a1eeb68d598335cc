"""From items to sampling units: what happens inside a member, case or document is not independent evidence."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evalgate.stats.inputs import Floats, Numbers, same_length, vector


def unit_means(values: Numbers, units: Sequence[Hashable] | npt.NDArray[Any]) -> Floats:
    """Each unit's own mean of `values`, sorted ascending (one entry per distinct unit).

    The sums are correctly rounded, so the result has the same bits for any order of the items.
    """
    array = vector("values", values)
    same_length(values=array, units=units)
    return np.array(sorted(math.fsum(v) / len(v) for v in _grouped(array, units).values()))


def unit_totals(
    num: Numbers, den: Numbers, units: Sequence[Hashable] | npt.NDArray[Any]
) -> tuple[Floats, Floats]:
    """(num, den) summed within each unit: two arrays, one entry per unit, sorted by (num, den)."""
    top, bottom = vector("num", num), vector("den", den)
    same_length(num=top, den=bottom, units=units)
    tops, bottoms = _grouped(top, units), _grouped(bottom, units)
    pairs = sorted((math.fsum(tops[unit]), math.fsum(bottoms[unit])) for unit in tops)
    return np.array([n for n, _ in pairs]), np.array([d for _, d in pairs])


def _grouped(values: Floats, units: Iterable[Hashable]) -> dict[Hashable, list[float]]:
    groups: defaultdict[Hashable, list[float]] = defaultdict(list)
    for unit, value in zip(units, values.tolist(), strict=True):
        groups[unit].append(value)
    return groups
