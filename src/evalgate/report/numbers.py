"""Numbers for people. A display never flatters: lower ends are rounded down, upper ends up, thresholds not at all."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

NONE = "–"
"""Stands where there is no number."""

_PLACES = Decimal("0.0001")
_COARSE = 1e11  # from here on neighbouring floats are more than 1e-5 apart: rounding to 4 decimals says nothing


def floor4(x: float) -> float:
    """The largest number of 4 decimals that is not above `x`; `x` itself if it is not finite.

    Works on the shortest decimal form of `x`, so that 0.57 stays 0.57 and 0.8499999999999999 becomes 0.8499.
    """
    return _round(x, ROUND_FLOOR)


def ceil4(x: float) -> float:
    """The smallest number of 4 decimals that is not below `x`; `x` itself if it is not finite."""
    return _round(x, ROUND_CEILING)


def _round(x: float, way: str) -> float:
    if not math.isfinite(x) or abs(x) >= _COARSE:
        return x
    rounded = Decimal(repr(float(x))).quantize(_PLACES, rounding=way)
    return float(rounded) + 0.0  # + 0.0: never "-0.0000"


def shown(low: float, high: float) -> str:
    """The interval for people: lower end rounded down, upper end up, so that display never flatters."""
    return f"{floor4(low):.4f} to {ceil4(high):.4f}"


def present(x: float | None) -> float | None:
    """`x` if it is a finite number, else None: what a page or a JSON object can carry."""
    return x if x is not None and math.isfinite(x) else None


def low_text(x: float | None) -> str:
    """A lower end with 4 decimals, rounded down; a dash without one."""
    y = present(x)
    return NONE if y is None else f"{floor4(y):.4f}"


def high_text(x: float | None) -> str:
    """An upper end with 4 decimals, rounded up; a dash without one."""
    y = present(x)
    return NONE if y is None else f"{ceil4(y):.4f}"


def value_text(x: float | None) -> str:
    """An estimate with 4 decimals, rounded to the nearest; a dash without one. It decides nothing."""
    y = present(x)
    return NONE if y is None else f"{round(y, 4) + 0.0:.4f}"


def exact_text(x: float, *, places: int = 0) -> str:
    """All decimals of a number that people wrote (a threshold, alpha), at least `places`, never an exponent."""
    if not math.isfinite(x):
        return str(x)
    whole, _, decimals = f"{Decimal(repr(float(x) + 0.0)):f}".partition(".")
    decimals = decimals.rstrip("0").ljust(places, "0")
    return f"{whole}.{decimals}" if decimals else whole
