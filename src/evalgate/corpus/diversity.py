"""How varied the rows of a corpus are, and how alike: measured while rows pass by, and on a sample of fixed size.

Shares of different n-grams fall as a text grows, so they are taken over the same number of tokens for every task
(Li et al. 2016, "distinct-n"); type-token ratio over a moving window (Covington and McFall 2010). Likeness is the Jaccard
index of word 5-grams (Broder 1997), exact: sampled rows are held against every other row.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from evalgate.corpus.example import Example
from evalgate.records import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

SAMPLE = 300
"""Rows of a task that are held against all others."""
TEXTS = 1_500
"""Rows of a task from which tokens are taken; the sample is among them."""
TOKENS = 50_000
"""Tokens of a task over which n-grams are counted."""
WINDOW = 500
ALIKE = 0.8
"""Jaccard index from which two rows are near duplicates."""
_N = 5
_WORD = re.compile(r"\w+")


class Lengths(Record, kw_only=True):
    """Words of a row: the fewest, the 5th, 50th and 95th of a hundred, the most."""

    fewest: int
    p5: int
    median: int
    p95: int
    most: int


class Spread(Record, kw_only=True):
    """How evenly a grid's choice was used: different values, and entropy over that of equal shares, in [0, 1]."""

    values: int
    evenness: float


class Diversity(Record, kw_only=True):
    """The figures of one task.

    `distinct`: share of different n-grams for n = 1 to 4 over `tokens` tokens; `type_token`: mean over windows of 500.
    `cells` different combinations of the grid's choices occur, with an entropy of `bits`; `grid` has each choice by itself.
    Of `sampled` rows `near_duplicates` have another row with a Jaccard index of 0.8 or more; `nearest` is the mean of their
    highest index, `likeness` the mean over all pairs.
    """

    rows: int
    input_words: Lengths
    answer_words: Lengths
    tokens: int
    distinct: tuple[float, float, float, float]
    type_token: float
    cells: int
    bits: float
    grid: dict[str, Spread]
    sampled: int
    near_duplicates: int
    nearest: float
    likeness: float


class Measuring:
    """Collects the figures of one task: `add` each row, then `compare` each row once more, then `result`.

    Memory: the texts, the distinct cells, and 8 bytes a row.
    """

    def __init__(self) -> None:
        self._input = array("I")
        self._answer = array("I")
        self._cells: Counter[int] = Counter()
        self._choices: dict[str, Counter[str]] = {}
        self._sample: list[tuple[int, str, str]] = []  # a heap: the rows of the smallest hashes
        self._queries: _Queries | None = None

    def add(self, example: Example) -> None:
        """Takes a row in."""
        answer = example.messages[-1]["content"]
        given = given_of(example)
        self._input.append(len(_WORD.findall(given)))
        self._answer.append(len(_WORD.findall(answer)))
        made_up = set(example.invented)
        seeds = example.made_by.seeds if example.made_by else {}
        seeds = {k: v for k, v in seeds.items() if v not in made_up}  # names are no variety
        self._cells[_hash("\n".join(f"{k}={v}" for k, v in sorted(seeds.items())))] += 1
        for key, value in seeds.items():
            self._choices.setdefault(key, Counter())[value] += 1
        entry = (-_hash(example.id), example.id, f"{given}\n{answer}")
        (heapq.heappush if len(self._sample) < TEXTS else heapq.heappushpop)(self._sample, entry)

    def compare(self, example: Example) -> None:
        """Holds a row against the sample. To be called for every row after the last `add`."""
        if self._queries is None:
            first = sorted(self._sample, reverse=True)[:SAMPLE]
            self._queries = _Queries({name: text for _, name, text in first})
        self._queries.compare(example.id, f"{given_of(example)}\n{example.messages[-1]['content']}")

    def result(self) -> Diversity:
        """The figures. Raises ValueError if there was no row."""
        if not self._input:
            raise ValueError("found no row, expected some.")
        words: list[str] = []
        for _, _, text in sorted(self._sample, reverse=True):
            words += _words(text)
            if len(words) >= TOKENS:
                break
        del words[TOKENS:]
        best = self._queries.best if self._queries else np.zeros(0)
        return Diversity(
            rows=len(self._input),
            input_words=_lengths(self._input),
            answer_words=_lengths(self._answer),
            tokens=len(words),
            distinct=(_distinct(words, 1), _distinct(words, 2), _distinct(words, 3), _distinct(words, 4)),
            type_token=_moving_ratio(words),
            cells=len(self._cells),
            bits=_rounded(_entropy(self._cells)),
            grid={k: _spread(c) for k, c in sorted(self._choices.items())},
            sampled=len(best),
            near_duplicates=int((best >= ALIKE).sum()),
            nearest=_rounded(float(best.mean())) if len(best) else 0.0,
            likeness=_rounded(self._queries.likeness) if self._queries else 0.0,
        )  # fmt: skip


def given_of(example: Example) -> str:
    """The text that an example's question is about, without the prompt around it where its input is known."""
    if example.input is None:
        return "\n".join(m["content"] for m in example.messages[:-1])
    if isinstance(example.input, str):
        return example.input
    return "\n".join(str(value) for _, value in sorted(example.input.items()))


class _Queries:
    """The sample's n-grams, sorted, each with its owner; what each of them is most like among the rows compared."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._place = {name: i for i, name in enumerate(texts)}
        grams = [_grams(text) for text in texts.values()]
        self._size = np.array([len(g) for g in grams])
        every = np.concatenate(grams) if grams else np.zeros(0, np.uint64)
        owner = np.repeat(np.arange(len(grams)), self._size)
        order = np.argsort(every, kind="stable")
        self._grams, self._owner = every[order], owner[order]
        self.best = np.zeros(len(grams))
        self._sum = 0.0
        self._pairs = 0

    @property
    def likeness(self) -> float:
        """Mean index over all pairs."""
        return self._sum / self._pairs if self._pairs else 0.0

    def compare(self, name: str, text: str) -> None:
        grams = _grams(text)
        low = np.searchsorted(self._grams, grams, "left")
        runs = np.searchsorted(self._grams, grams, "right") - low
        # positions low[i], low[i] + 1, .. of every run, without a loop
        starts = np.repeat(low - np.concatenate(([0], runs.cumsum()[:-1])), runs)
        shared = np.bincount(
            self._owner[starts + np.arange(int(runs.sum()))], minlength=len(self.best)
        )
        index = shared / np.maximum(self._size + len(grams) - shared, 1)
        own = self._place.get(name)
        if own is not None:
            index[own] = 0.0
        self._sum += float(index.sum())
        self._pairs += len(index) - (own is not None)
        np.maximum(self.best, index, out=self.best)


def _grams(text: str) -> Hashes:
    """The different word 5-grams of a text as sorted hashes of 64 bits; a shorter text is one gram."""
    words = np.array([zlib.crc32(w.encode()) for w in _words(text)] or [0], np.uint64)
    n = min(_N, len(words))
    grams = np.zeros(len(words) - n + 1, np.uint64)
    for k in range(n):
        grams = (grams ^ words[k : len(words) - n + 1 + k]) * np.uint64(0x9E3779B97F4A7C15)
        grams ^= grams >> np.uint64(29)
    found: Hashes = np.unique(grams)
    return found


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _distinct(words: list[str], n: int) -> float:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return _rounded(len(set(grams)) / len(grams)) if grams else 0.0


def _moving_ratio(words: list[str]) -> float:
    """Mean share of different words over all windows; of the whole where it is shorter than one."""
    if len(words) <= WINDOW:
        return _rounded(len(set(words)) / len(words)) if words else 0.0
    inside = Counter(words[:WINDOW])
    total = len(inside)
    for old, new in zip(words, words[WINDOW:], strict=False):
        inside[new] += 1
        inside[old] -= 1
        if not inside[old]:
            del inside[old]
        total += len(inside)
    return _rounded(total / WINDOW / (len(words) - WINDOW + 1))


def _entropy(counts: Counter[int] | Counter[str]) -> float:
    """Shannon entropy in bits."""
    n = counts.total()
    return -sum(c / n * math.log2(c / n) for c in counts.values())


def _spread(counts: Counter[str]) -> Spread:
    most = math.log2(len(counts)) if len(counts) > 1 else 1.0
    return Spread(values=len(counts), evenness=_rounded(_entropy(counts) / most))


def _lengths(words: Iterable[int]) -> Lengths:
    ordered = sorted(words)
    at = [ordered[round(q * (len(ordered) - 1))] for q in (0, 0.05, 0.5, 0.95, 1)]
    return Lengths(fewest=at[0], p5=at[1], median=at[2], p95=at[3], most=at[4])


def _rounded(value: float) -> float:
    return round(value, 4) + 0.0  # no -0.0
