"""Gold items too short for sequences of eight words: found where they stand as sentences or lines of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from evalgate.corpus.example import Example
from evalgate.corpus.leak.gold import GoldText
from evalgate.corpus.leak.index import SHORT, Table
from evalgate.corpus.leak.words import Hashed, hashed, sequences, words

LEAST: Final = 3
"""Words below which an item must be a whole message: "yes" is a line of many texts."""

_END = re.compile(r"[\n\r\v\f\x85\u2028\u2029.?!:;…。．？！：；]+")


def segments(text: str) -> list[bytes]:
    """The sentences and lines of a text, as words with a space between; those without a word left out."""
    found = (b" ".join(words(piece)) for piece in _END.split(text))
    return [piece for piece in found if piece]


class ShortItems:
    """Items no text of whose question has eight words: by the rule of this module, every text of such an item must be there."""

    def __init__(self, items: Sequence[GoldText]) -> None:
        self._texts: dict[int, list[list[bytes]]] = {}
        keys: dict[int, list[str]] = {}
        values: dict[int, list[int]] = {}
        for number, item in enumerate(items):
            said = [words(text) for text in item.question]
            longest = max(said, key=len, default=[])
            if longest and len(longest) < SHORT:
                self._texts[number] = [segments(text) for text in item.question if words(text)]
                keys.setdefault(len(longest), []).append(b" ".join(longest).decode())
                values.setdefault(len(longest), []).append(number)
        self._tables = {
            length: Table(_whole(keys[length], length), np.array(values[length])) for length in keys
        }

    def __contains__(self, item: int) -> bool:
        return item in self._texts

    def found(self, texts: Hashed, rows: Sequence[Example]) -> Iterator[tuple[int, int]]:
        """(row, item) for each item that a row holds; text n of `texts` is that of row n."""
        candidates: set[tuple[int, int]] = set()
        for length, table in self._tables.items():
            at, low, high = table.find(sequences(texts.words, length))
            n, numbers = table.values(low, high)
            candidates.update(zip(texts.text_of(at)[n].tolist(), numbers.tolist(), strict=True))
        for row, item in sorted(candidates):
            messages = [segments(message["content"]) for message in rows[row].messages]
            if all(any(_holds(m, text) for m in messages) for text in self._texts[item]):
                yield row, item


def _whole(texts: Sequence[str], length: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """One hash for each text, all of `length` words."""
    found = hashed(texts)
    return sequences(found.words, length)[found.firsts[:-1]]


def _holds(message: list[bytes], text: list[bytes]) -> bool:
    if sum(piece.count(b" ") + 1 for piece in text) < LEAST:
        return message == text
    return any(message[n : n + len(text)] == text for n in range(len(message) - len(text) + 1))
