"""What a corpus says twice: rows of equal words, and rows that are nearly equal, by sketches of 128 bytes a row.

Rows are compared by the sequences of five words that they have in common, of all that either has (Jaccard); those of the
prompts do not count. The share is estimated by one-permutation MinHash (Li, Owen and Zhang 2012) with empty bins filled by
rotation (Shrivastava and Li 2014) and one byte kept of each bin (Li and König 2010). The standard error is 0.03 to 0.05 for
rows of 50 words and more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from evalgate.corpus.leak.index import Table, prompt_sequences
from evalgate.corpus.leak.words import Hashed, Hashes, Places, mixed, sequences
from evalgate.records import Record

LENGTH: Final = 5
NEAR: Final = 0.8
"""Likeness from which rows are counted as near duplicates."""
HIT: Final = 0.9
"""Likeness from which the later row is a hit."""
FEWEST: Final = 16
"""Bins that a row must fill: of shorter ones the estimate says little, and only equal words are told."""
_BINS: Final = 128
_BAND: Final = 4
"""Bins that must agree for two rows to be compared: at a likeness of 0.8 some band of the 32 does, but for 1 in 10**7 pairs."""
_EMPTY: Final = np.uint32(0xFFFFFFFF)
_AT_ONCE: Final = 1 << 16

Sketch = npt.NDArray[np.uint8]


class Twin(Record, kw_only=True):
    """A row, the earlier row that it repeats (ordinals from 0), and how alike they are: 1.0 only for equal words."""

    row: int
    earlier: int
    likeness: float


class Repeats:
    """Takes rows as they stream past, 144 bytes each, and says afterwards which repeat an earlier one."""

    def __init__(self, boilerplate: Sequence[str]) -> None:
        fixed = prompt_sequences(boilerplate, LENGTH)
        self._fixed = Table(fixed, np.arange(len(fixed)))
        self._wholes: list[Hashes] = []
        self._sketches: list[Sketch] = []
        self._known: list[npt.NDArray[np.bool_]] = []

    def add(self, texts: Hashed) -> None:
        """The next rows."""
        self._wholes.append(_whole(texts))
        keys = sequences(texts.words, LENGTH)
        place = np.arange(len(keys))
        text = texts.text_of(place)
        own = text == texts.text_of(place + LENGTH - 1)
        own[self._fixed.find(keys)[0]] = False
        sketch, known = sketches(keys[own], text[own], len(texts.firsts) - 1)
        self._sketches.append(sketch)
        self._known.append(known)

    def twins(self) -> Iterator[Twin]:
        """Every row that has the words of an earlier one, or is near to one (`NEAR`), in order; each with one such row."""
        if not self._wholes:
            return
        wholes = np.concatenate(self._wholes)
        earlier = np.arange(len(wholes))
        likeness = np.zeros(len(wholes), dtype=np.float32)
        order = np.lexsort((wholes[:, 1], wholes[:, 0]))
        _group(order, (wholes[order][1:] != wholes[order][:-1]).any(axis=1), earlier)
        likeness[earlier != np.arange(len(wholes))] = 1
        _near(np.concatenate(self._sketches), np.concatenate(self._known), earlier, likeness)
        for row in np.flatnonzero(likeness >= NEAR).tolist():
            yield Twin(row=row, earlier=int(earlier[row]), likeness=float(likeness[row]))


def _whole(texts: Hashed) -> Hashes:
    """128 bits for each text that depend on all its words in their order: (texts, 2)."""
    first, count = texts.firsts[:-1], np.diff(texts.firsts)
    found = np.zeros((len(first), 2), dtype=np.uint64)
    full = count > 0
    if full.any():
        within = np.arange(len(texts.words)) - np.repeat(first, count)
        each = mixed(texts.words + mixed(within.astype(np.uint64)))
        found[full, 0] = np.add.reduceat(each, first[full])
        found[full, 1] = np.bitwise_xor.reduceat(each, first[full])
    found[:, 1] ^= count.astype(np.uint64)
    return found


def sketches(keys: Hashes, text: Places, texts: int) -> tuple[Sketch, npt.NDArray[np.bool_]]:
    """The sketch of each text from the hashes of its sequences (`text`, ascending, says whose): (texts, 128), and which can be compared."""
    keys = mixed(keys)
    bin_of = text.astype(np.uint64) * np.uint64(_BINS) + (keys >> np.uint64(57))
    both = np.sort((bin_of << np.uint64(32)) | (keys & np.uint64(0xFFFFFFFE)))
    least = both[np.append(True, np.diff(both >> np.uint64(32)) != 0)[: len(both)]]
    flat = np.full(texts * _BINS, _EMPTY, dtype=np.uint32)
    flat[least >> np.uint64(32)] = least.astype(np.uint32)
    bins = flat.reshape(texts, _BINS)
    empty = bins == _EMPTY
    # An empty bin takes what the next full one to its right has, round the end, and how far that was.
    twice = np.where(np.tile(empty, 2), 2 * _BINS, np.arange(2 * _BINS))
    source = np.minimum.accumulate(twice[:, ::-1], axis=1)[:, ::-1][:, :_BINS]
    far = (source - np.arange(_BINS)).astype(np.uint32)
    filled = np.take_along_axis(bins, source % _BINS, axis=1) + far * np.uint32(0x85EBCA6B)
    comparable = _BINS - empty.sum(axis=1) >= FEWEST
    return (filled * np.uint32(0x9E3779B1) >> np.uint32(24)).astype(np.uint8), comparable


def alike(a: Sketch, b: Sketch) -> npt.NDArray[np.float32]:
    """The estimated likeness in [0, 1] of the sketches in two arrays of (n, 128), pair by pair."""
    equal = np.mean(a == b, axis=1, dtype=np.float32)
    return np.maximum(
        0, (equal - 1 / 256) / (1 - 1 / 256)
    )  # unlike bins have equal bytes once in 256


def _near(
    sketch: Sketch, known: npt.NDArray[np.bool_], earlier: Places, likeness: npt.NDArray[np.float32]
) -> None:
    """Notes for every row that has no equal the most alike earlier row among those it meets in a band."""
    single = np.flatnonzero(known & (likeness < 1))
    for band in range(0, _BINS, _BAND):
        keys = np.ascontiguousarray(sketch[single, band : band + _BAND]).view(np.uint32)[:, 0]
        order = np.argsort(keys, kind="stable")
        first = np.arange(len(single))
        _group(order, np.diff(keys[order]) != 0, first)
        later = np.flatnonzero(first != np.arange(len(single)))
        for begin in range(0, len(later), _AT_ONCE):
            rows = single[later[begin : begin + _AT_ONCE]]
            others = single[first[later[begin : begin + _AT_ONCE]]]
            found = np.minimum(alike(sketch[rows], sketch[others]), 0.999)
            better = found > likeness[rows]
            likeness[rows[better]], earlier[rows[better]] = found[better], others[better]


def _group(order: Places, other: npt.NDArray[np.bool_], first: Places) -> None:
    """Writes into `first` the first member of each row's group; `other` says where, along `order`, a new group begins."""
    starts = np.concatenate(([True], other))
    first[order] = order[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))]
