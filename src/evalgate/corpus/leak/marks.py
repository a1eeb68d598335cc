"""Numbers that only one gold unit has: two of them in a row tell the same case, in whatever words or language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from evalgate.corpus.leak.gold import Gold
from evalgate.corpus.leak.index import Table
from evalgate.corpus.leak.words import Hashed, hashed, words

DIGITS: Final = 5
"""Digits that make a word a mark: shorter numbers (years, doses, amounts) are alike by chance."""
LEAST: Final = 2
"""Marks of one item, and at least half of those it has, that a row must share."""


class Marks:
    """The marks of all gold items: words with five digits or more that end in no "00" and stand in one unit only."""

    def __init__(self, gold: Gold) -> None:
        of_item = [_marks(item.question) for item in gold.items]
        units = defaultdict(set)
        for item, marks in zip(gold.items, of_item, strict=True):
            for mark in marks:
                units[mark].add((item.gold_set, item.unit))
        fixed = _marks(gold.boilerplate)
        pairs = [
            (mark, number)
            for number, marks in enumerate(of_item)
            for mark in sorted(marks)
            if len(units[mark]) == 1 and mark not in fixed
        ]
        self._marks = [mark for mark, _ in pairs]
        self._item = np.array([number for _, number in pairs], dtype=np.int64)
        self._many = np.bincount(self._item, minlength=len(gold.items))
        keys = hashed([mark.decode() for mark in self._marks]).words
        self._table = Table(keys, np.arange(len(keys)))

    @property
    def covered(self) -> int:
        """How many items have marks enough to be found by."""
        return int((self._many >= LEAST).sum())

    def found(self, texts: Hashed) -> Iterator[tuple[int, int, int, int]]:
        """(text, item, marks it shares, marks the item has) for each pair of a text and an item that shares enough."""
        at, low, high = self._table.find(texts.words)
        n, mark = self._table.values(low, high)
        text = texts.text_of(at)[n]
        shared: dict[tuple[int, int], set[int]] = defaultdict(set)
        for place, number, each in zip(at[n].tolist(), text.tolist(), mark.tolist(), strict=True):
            if texts.said(place, 1)[0] == self._marks[each]:
                shared[number, int(self._item[each])].add(each)
        for (number, item), marks in shared.items():
            many = int(self._many[item])
            if len(marks) >= max(LEAST, many / 2):
                yield number, item, len(marks), many


def _marks(texts: Sequence[str]) -> set[bytes]:
    return {
        word
        for text in texts
        for word in words(text)
        if sum(0x30 <= byte <= 0x39 for byte in word) >= DIGITS and not word.endswith(b"00")
    }
