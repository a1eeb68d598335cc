"""Which items people label: a draw that is fixed by its seed, stratified by tags, fair to every unit.

The estimate that the labels correct is only as good as the draw: the labelled part must be a random part of all, drawn
before anything is scored. Units are averaged, so it is units that are drawn, each whole: of items drawn alike a large unit
is seen sooner than a small one. Stratifying in proportion costs nothing and keeps a rare tag from being missed by chance.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Protocol

FEWEST, MOST = Fraction(1, 10), Fraction(9, 10)
"""Tags on a share of the items outside this range make no strata: they would cut them into single units."""


class Drawable(Protocol):
    """A gold item, an answer, a case."""

    @property
    def id(self) -> str:
        """Unique among the items."""

    @property
    def unit(self) -> str:
        """The independent sampling unit."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Of the gold item."""


def draw(items: Iterable[Drawable], n: int, seed: str) -> list[str]:
    """The ids of all items of as many units as hold `n` items on average, in random order; all if there are no more.

    Of M units with N items ceil(n M / N) are drawn, each with the same chance: their number follows from the sizes and
    not from the draw, so their mean estimates the mean over units without bias, as it would not if units were drawn until
    `n` items are there. Where units are of one size s, these are n items rounded up to whole units; else n items more or
    less. A larger `n` gives the same units and more. Neither depends on the order of the items.

    Raises ValueError if n < 0.
    """
    if n < 0:
        raise ValueError(f"n: found {n}, expected 0 or more.")
    units: dict[str, list[Drawable]] = {}
    for item in items:
        units.setdefault(item.unit, []).append(item)
    total = sum(map(len, units.values()))
    taken = len(units) if n >= total else -(-n * len(units) // total)
    names = [x.id for unit in _line(units, seed)[:taken] for x in units[unit]]
    return sorted(names, key=lambda name: hashed(seed, "order", name))


def draw_items(names: Sequence[str], n: int, seed: str) -> list[str]:
    """Exactly `n` of some ids, in random order, whichever units they are of; all if there are no more. A larger `n` gives
    the same and more.
    """
    return sorted(names, key=lambda name: hashed(seed, "order", name))[:n]


def _line(units: dict[str, list[Drawable]], seed: str) -> list[str]:
    """The units in the order in which they are drawn. The first k hold each unit with the same chance k / M, for every k.

    A stratum is a combination of tags that the unit's items bear. Within a stratum of size m units stand in random order
    at (r + 1/2) / m of the way, r = 0, 1, ... (Webster's method), so that any part of the line holds each stratum in
    proportion. The line is closed to a ring and entered at a random unit: no unit's place in it is better than another's.
    """
    told = _telling_tags([x for members in units.values() for x in members])
    strata: dict[tuple[str, ...], list[str]] = {}
    for unit, members in units.items():
        tags = tuple(sorted(told.intersection(tag for x in members for tag in x.tags)))
        strata.setdefault(tags, []).append(unit)
    placed = []
    for tags, found in strata.items():
        found.sort(key=lambda unit: hashed(seed, "unit", unit))
        among = hashed(seed, "stratum", *tags)
        placed += [(Fraction(2 * r + 1, 2 * len(found)), among, u) for r, u in enumerate(found)]
    line = [unit for _, _, unit in sorted(placed)]
    start = int(hashed(seed, "start"), 16) % max(1, len(line))
    return line[start:] + line[:start]


def hashed(seed: str, *names: str) -> str:
    """64 hex digits that nobody chose: sha256 over the seed and the names, each with its length."""
    text = "".join(f"{len(name)}:{name}" for name in (seed, *names))
    return hashlib.sha256(text.encode()).hexdigest()


def _telling_tags(items: list[Drawable]) -> set[str]:
    counts = Counter(tag for item in items for tag in set(item.tags))
    return {tag for tag, k in counts.items() if FEWEST <= Fraction(k, len(items)) <= MOST}
