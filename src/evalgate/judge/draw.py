"""Which items people label: a draw that is fixed by its seed, stratified by tags, fair to every item.

The estimate that the labels correct is only as good as the draw: the labelled items must be a random part of all, drawn
before anything is scored. Stratifying in proportion costs nothing and keeps a rare tag from being missed by chance.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol

FEWEST, MOST = Fraction(1, 10), Fraction(9, 10)
"""Tags on a share of the items outside this range make no strata: they would cut them into single items."""


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
    """The ids of `n` of the items, in random order; all of them if there are no more. Neither depends on the items' order.

    A stratum is a combination of tags. Items stand in line by stratum, unit and id, each in the order of its hash with
    the seed, and every (N/n)-th is taken from a random start on: systematic sampling (Madow 1944). So each item has the
    same chance n/N exactly, a stratum of size k gives k n/N items rounded up or down, and items of one unit, standing
    side by side, are spread over. Largest remainders would round the same strata up every time.

    Raises ValueError if n < 0.
    """
    if n < 0:
        raise ValueError(f"n: found {n}, expected 0 or more.")
    drawn = list(items)
    told = _telling_tags(drawn)

    def place(item: Drawable) -> tuple[object, ...]:
        stratum = tuple(sorted(told.intersection(item.tags)))
        return (
            hashed(seed, "stratum", *stratum), hashed(seed, "unit", item.unit), hashed(seed, "item", item.id),
        )  # fmt: skip

    line = sorted(drawn, key=place)
    total = len(line)
    if n < total:
        start = int(hashed(seed, "start"), 16) % total
        line = [
            x for k, x in enumerate(line) if (k * n + n + start) // total > (k * n + start) // total
        ]
    return sorted((x.id for x in line), key=lambda name: hashed(seed, "order", name))


def hashed(seed: str, *names: str) -> str:
    """64 hex digits that nobody chose: sha256 over the seed and the names, each with its length."""
    text = "".join(f"{len(name)}:{name}" for name in (seed, *names))
    return hashlib.sha256(text.encode()).hexdigest()


def _telling_tags(items: list[Drawable]) -> set[str]:
    counts = Counter(tag for item in items for tag in set(item.tags))
    return {tag for tag, k in counts.items() if FEWEST <= Fraction(k, len(items)) <= MOST}
