"""Which gold items share words with a text: an exact index of every 8-word sequence of all gold texts.

Gold is small and training data large, so gold is indexed and training data streams past. Every sequence is looked up, and
what its hash finds is compared word by word: nothing that is shared is missed, and nothing else is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from evalgate.corpus.leak.gold import Gold
from evalgate.corpus.leak.words import Hashed, Hashes, Places, hashed, sequences
from evalgate.records import Record

SHORT: Final = 8
"""Words of an indexed sequence."""
LONG: Final = 13
"""Words of a run that alone makes a leak."""
SHARE: Final = 0.1
"""Share of an item's sequences in one row that makes a leak, however short the runs."""
_COMMON: Final = 10
"""A set of so many items or more has sequences of its own form: those in every item are boilerplate."""
_AT_ONCE: Final = 1 << 21
"""Pairs of places that are compared at a time."""


class Overlap(Record, kw_only=True):
    """What one text has of one gold item's question or answer.

    `shared` of the item's `own` 8-word sequences stand in the text; the longest run in common has so many `words`, begins at
    word `at` of the text (0 is the first) and is `said`.
    """

    text: int
    item: int
    part: str
    shared: int
    own: int
    words: int
    at: int
    said: bytes

    @property
    def share(self) -> float:
        """How much of the item's question or answer is in the text, in (0, 1]."""
        return self.shared / self.own

    @property
    def leaks(self) -> bool:
        """Whether this is more than a common phrase: see docs/leakage.md.

        As much in common as 13 words in a row have, six sequences (or half of what a shorter item has), and either in a row
        or a tenth of the item.
        """
        enough = self.shared >= min(LONG - SHORT + 1, self.own / 2)
        return enough and (self.words >= LONG or self.share >= SHARE)

    def __repr__(self) -> str:
        return f"<Overlap text {self.text} item {self.item} {self.share:.2f} {self.words}>"


class Table:
    """Places by hash: which of very many hashes are among these few, in a few nanoseconds each."""

    def __init__(self, keys: Hashes, values: Places) -> None:
        order = np.argsort(keys, kind="stable")
        self._keys, self._values = keys[order], values[order]
        bits = min(26, max(16, (16 * len(keys)).bit_length()))
        self._shift = np.uint64(64 - bits)
        self._seen: npt.NDArray[np.bool_] = np.zeros(1 << bits, dtype=np.bool_)
        self._seen[self._keys >> self._shift] = True

    def find(self, hashes: Hashes) -> tuple[Places, Places, Places]:
        """(i, low, high) for every `hashes[i]` that is a key: its values are those from low to high. Ordered by i."""
        at = np.flatnonzero(self._seen[hashes >> self._shift])
        low = np.searchsorted(self._keys, hashes[at], side="left")
        high = np.searchsorted(self._keys, hashes[at], side="right")
        known = high > low
        return at[known], low[known], high[known]

    def values(self, low: Places, high: Places) -> tuple[Places, Places]:
        """(n, value) for every value from low[n] to high[n], ordered by n."""
        many = high - low
        first = np.repeat(low - np.cumsum(many) + many, many)
        return np.repeat(np.arange(len(many)), many), self._values[first + np.arange(len(first))]


class _Part(NamedTuple):
    item: int
    name: str


class _Run(NamedTuple):
    """So many equal words: from word `at` of the texts and word `place` of gold on."""

    at: int
    place: int
    words: int


class Index:
    """All 8-word sequences of gold that are an item's own.

    Not its own are those of prompts, and those that stand in the question of every item of a set of ten or more: `own`
    says how many each item keeps of its question. Nothing finds an item that keeps none.
    """

    def __init__(self, gold: Gold) -> None:
        self._parts: list[_Part] = []
        texts: list[str] = []
        of_text: list[int] = []
        for number, item in enumerate(gold.items):
            for name, said in (("question", item.question), ("answer", item.answer)):
                self._parts.append(_Part(number, name))
                texts += said
                of_text += [len(self._parts) - 1] * len(said)
        self._gold = hashed(texts)
        keys = sequences(self._gold.words, SHORT)
        place = np.arange(len(keys))
        text = self._gold.text_of(place)
        inside = text == self._gold.text_of(place + SHORT - 1)
        part = np.array(of_text, dtype=np.int64)[text]
        own = inside & ~self._boilerplate(gold, keys, part, inside)
        self._part_of = part
        self._sizes = np.bincount(part[own], minlength=len(self._parts))
        self._table = Table(keys[own], place[own])

    @property
    def own(self) -> list[int]:
        """For each item, how many sequences of its question are its own."""
        return [int(n) for n in self._sizes[::2]]

    def _boilerplate(
        self, gold: Gold, keys: Hashes, part: Places, inside: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Whether the sequence at each place of gold is one of the prompts, or of every question of its set."""
        fixed = prompt_sequences(gold.boilerplate, SHORT)
        found = np.isin(keys, fixed)
        members: dict[str, list[int]] = {}
        for number, item in enumerate(gold.items):
            members.setdefault(item.gold_set, []).append(number)
        of_item = part // 2
        for numbers in members.values():
            if len(numbers) < _COMMON:
                continue
            here = inside & (part % 2 == 0) & np.isin(of_item, numbers)
            each = np.unique(
                np.stack((keys[here], of_item[here].astype(np.uint64)), axis=1), axis=0
            )
            values, counts = np.unique(each[:, 0], return_counts=True)
            found |= np.isin(of_item, numbers) & np.isin(keys, values[counts == len(numbers)])
        return found

    def overlaps(self, texts: Hashed) -> Iterator[Overlap]:
        """Everything that any of `texts` shares with any gold item, by text and item."""
        at, low, high = self._table.find(sequences(texts.words, SHORT))
        text = texts.text_of(at)
        whole = text == texts.text_of(at + SHORT - 1)
        at, low, high, text = at[whole], low[whole], high[whole], text[whole]
        upto = np.cumsum(high - low)
        begin = 0
        while begin < len(at):  # whole texts, as many as fit
            room = int(np.searchsorted(upto, upto[begin] + _AT_ONCE))
            end = int(np.searchsorted(text, text[min(room, len(at) - 1)]))
            if end <= begin or room >= len(at):
                end = int(np.searchsorted(text, text[min(room, len(at) - 1)], side="right"))
            n, place = self._table.values(low[begin:end], high[begin:end])
            yield from self._grouped(texts, text[begin + n], at[begin + n], place)
            begin = end

    def _grouped(self, texts: Hashed, text: Places, at: Places, place: Places) -> Iterator[Overlap]:
        part = self._part_of[place]
        # Along a run both places go up by one, so that their difference stays.
        order = np.lexsort((place, at - place, part, text))
        text, part, at, place = text[order], part[order], at[order], place[order]
        other = (np.diff(text) != 0) | (np.diff(part) != 0)
        broken = other | (np.diff(place) != 1) | (np.diff(at) != 1)
        runs = np.concatenate(([0], np.flatnonzero(broken) + 1, [len(at)]))
        last = np.append(other, values=True)
        found: list[_Run] = []
        for begin, end in zip(runs[:-1].tolist(), runs[1:].tolist(), strict=True):
            found += self._equal(texts, int(at[begin]), int(place[begin]), end - begin)
            if last[end - 1]:
                if found:
                    yield self._overlap(texts, int(text[begin]), int(part[begin]), found)
                found = []

    def _equal(self, texts: Hashed, at: int, place: int, count: int) -> list[_Run]:
        """The runs among `count` sequences from these places on whose words are equal, as their hashes are."""
        words = count + SHORT - 1
        if texts.said(at, words) == self._gold.said(place, words):
            return [_Run(at, place, words)]
        found: list[
            _Run
        ] = []  # two sequences have one hash: rare beyond telling, and told apart all the same
        for n in range(count):
            if texts.said(at + n, SHORT) != self._gold.said(place + n, SHORT):
                continue
            if found and found[-1].at + found[-1].words == at + n + SHORT - 1:
                found[-1] = found[-1]._replace(words=found[-1].words + 1)
            else:
                found.append(_Run(at + n, place + n, SHORT))
        return found

    def _overlap(self, texts: Hashed, text: int, part: int, runs: Sequence[_Run]) -> Overlap:
        places = {run.place + n for run in runs for n in range(run.words - SHORT + 1)}
        at, _, words = max(runs, key=lambda run: (run.words, -run.at))
        return Overlap(
            text=text,
            item=self._parts[part].item,
            part=self._parts[part].name,
            shared=len(places),
            own=int(self._sizes[part]),
            words=words,
            at=at - int(texts.firsts[text]),
            said=b" ".join(texts.said(at, words)),
        )


def prompt_sequences(fixed: Sequence[str], length: int) -> Hashes:
    """The hash of every sequence of so many words in these texts."""
    texts = hashed(fixed)
    keys = sequences(texts.words, length)
    place = np.arange(len(keys))
    return np.unique(keys[texts.text_of(place) == texts.text_of(place + length - 1)])
