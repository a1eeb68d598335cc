"""Checks of what callers pass in. Each returns the checked value or raises ValueError naming what was found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = Sequence[float] | npt.NDArray[Any]
Counts: TypeAlias = Iterable[Sequence[float]]
"""[[value, count], ...]: stands for each value repeated count times."""


def probability(name: str, value: float) -> float:
    """`value` as a float strictly between 0 and 1 (alpha, power, a threshold of a rate)."""
    found = number(name, value)
    if not 0.0 < found < 1.0:
        raise ValueError(f"{name}: found {value!r}, expected a number strictly between 0 and 1.")
    return found


def number(name: str, value: float, lo: float = -math.inf, hi: float = math.inf) -> float:
    """`value` as a finite float within [lo, hi]."""
    if isinstance(value, (str, bytes)):
        raise ValueError(f"{name}: found {value!r}, expected a number.")  # noqa: TRY004  one error type for bad data
    try:
        found = float(value)
    except TypeError as error:
        raise ValueError(f"{name}: found {value!r}, expected a number.") from error
    if not (math.isfinite(found) and lo <= found <= hi):
        raise ValueError(
            f"{name}: found {value!r}, expected a finite number from {lo:g} to {hi:g}."
        )
    return found


def integer(name: str, value: float, lo: int = 0, hi: int | None = None) -> int:
    """`value` as an int from lo to hi; 5.0 counts as 5, 5.5 does not."""
    found = number(name, value)
    if found != math.floor(found) or found < lo or (hi is not None and found > hi):
        limit = f"from {lo} to {hi}" if hi is not None else f">= {lo}"
        raise ValueError(f"{name}: found {value!r}, expected a whole number {limit}.")
    return int(value)


def vector(name: str, values: Numbers, lo: float = -math.inf, hi: float = math.inf) -> Floats:
    """`values` as a one-dimensional float array, every entry finite and within [lo, hi]."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name}: found {array.ndim} dimensions, expected a flat list of numbers.")
    if array.dtype.kind not in "biuf":
        bad = [v for v in array.tolist() if not isinstance(v, (int, float))]
        if bad:
            raise ValueError(f"{name}: found {bad[0]!r}, expected numbers only.")
    floats = array.astype(np.float64)
    wrong = ~((floats >= lo) & (floats <= hi) & np.isfinite(floats))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"{name}: found {float(floats[at])!r} at position {at}, expected finite numbers "
            f"from {lo:g} to {hi:g}. Clip scores to their declared range before this."
        )
    return floats + 0.0  # -0.0 becomes 0.0: equal values must have equal bits


def same_length(**arrays: Sequence[Any] | npt.NDArray[Any]) -> int:
    """The common length of the named arrays."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"lengths: found {found}, expected equal lengths.")
    return next(iter(lengths.values()))


def distinct(
    name: str,
    values: Numbers | None,
    counts: Counts | None,
    lo: float = -math.inf,
    hi: float = math.inf,
) -> tuple[Floats, Ints]:
    """(sorted distinct values, how often each occurs), from a list of values or from [[value, count], ...]."""
    if (values is None) == (counts is None):
        raise ValueError(
            f"{name}: found {'neither' if values is None else 'both'} of {name} and {name}_counts, expected one."
        )
    if values is not None:
        found, times = np.unique(vector(name, values, lo, hi), return_counts=True)
        return found, times.astype(np.int64)
    pairs = [tuple(pair) for pair in (() if counts is None else counts)]
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(f"{name}_counts: found {pair!r}, expected [value, count] pairs.")
    times = np.array([integer(f"{name}_counts", pair[1]) for pair in pairs], np.int64)
    given = vector(name, [pair[0] for pair in pairs], lo, hi)
    found, place = np.unique(given, return_inverse=True)
    summed = np.zeros(len(found), np.int64)
    np.add.at(summed, place, times)
    return found[summed > 0], summed[summed > 0]


def mean_of(values: Floats, counts: Ints) -> float:
    """The mean of distinct values with counts, correctly rounded, whatever the order."""
    return math.fsum((values * counts).tolist()) / int(counts.sum())


def labels(name: str, values: Iterable[Any]) -> list[Any]:
    """`values` as a list of labels. A missing label (None, NaN) is an error: it would vanish from the denominator."""
    found = values.tolist() if isinstance(values, np.ndarray) else list(values)
    for at, label in enumerate(found):
        if label is None or label != label:  # noqa: PLR0124  only NaN differs from itself
            raise ValueError(f"{name}: found {label!r} at position {at}, expected a label.")
    return found


def sort_key(label: object) -> tuple[int, float, str]:
    """A total order on labels of any type: numbers by value, then everything else by type and text."""
    if isinstance(label, (int, float)):
        return (0, float(label), "")
    return (1, 0.0, f"{type(label).__name__}:{label}")
