"""Texts as words that compare, and hashes of these words and of their sequences, for many texts at once.

Two texts that differ in case, punctuation, accents, white space, line breaks, invisible characters or Unicode's compatible
forms have the same words; digits are words, too. Hashes only ever find candidates: whoever uses them compares the words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_SPACE: Final = ord(" ")
_FOLD: Final = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() else _SPACE for byte in bytes(range(256)).lower()
)
"""ASCII letters in lower case, digits, and the bytes of other letters; everything else is a space."""

# Marks that stand over a letter, and characters that nobody sees: gone, so that they part no word.
_MARKS = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_NO_LETTER = re.compile(r"[^\w\x00-\x7f]")
# Scripts written without spaces: each sign is a word, or a line break would change the words.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\U00020000-\U0003ffff])"
)
_LONGEST: Final = 256
"""Bytes of a word that its hash reads; the comparison afterwards reads all."""
_K1: Final = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplication by it loses nothing
_K2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_KEPT: Final = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)


def plain(text: str) -> bytes:
    """The words of a text in UTF-8, with a space or more between them."""
    if not text.isascii():
        for _ in range(2):  # folding one form of a letter may give another that folds again
            text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
        text = _UNSPACED.sub(r" \1 ", _NO_LETTER.sub(" ", text))
    return text.encode(errors="replace").translate(_FOLD)


def words(text: str) -> list[bytes]:
    """The words of a text, in order."""
    return plain(text).split()


class Hashed(NamedTuple):
    """Texts behind one another. Word i is `text[starts[i]:ends[i]]`, its hash `words[i]`; text d begins with word `firsts[d]`."""

    text: bytes
    words: Hashes
    starts: Places
    ends: Places
    firsts: Places

    def text_of(self, word: Places) -> Places:
        """The text in which each of these words stands."""
        return np.searchsorted(self.firsts, word, side="right") - 1

    def said(self, first: int, count: int) -> list[bytes]:
        """So many words from word `first` on."""
        return self.text[self.starts[first] : self.ends[first + count - 1]].split()


def hashed(texts: Sequence[str]) -> Hashed:
    """The words of all texts with their hashes: about 30 bytes of memory for each byte of text while it works."""
    parts = [plain(text) for text in texts]
    offsets = np.cumsum([0, *(len(part) + 1 for part in parts)])
    text = b" ".join((*parts, b" " * 8))  # a word's eight bytes can be read wherever it starts
    byte = np.frombuffer(text, dtype=np.uint8)
    inside = byte != _SPACE
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if inside[0]:
        edges = np.concatenate((np.zeros(1, dtype=edges.dtype), edges))
    starts, ends = edges[::2], edges[1::2]
    return Hashed(
        text, _hashes(text, starts, ends - starts), starts, ends, np.searchsorted(starts, offsets)
    )


def _hashes(text: bytes, starts: Places, lengths: Places) -> Hashes:
    eights = np.ndarray((len(text) - 7,), dtype="<u8", buffer=text, strides=(1,))
    found = mixed((eights[starts] & _KEPT[np.minimum(lengths, 8)]) + lengths.astype(np.uint64))
    at = 8
    long = np.flatnonzero(lengths > at)
    while len(long) and at < _LONGEST:
        rest = eights[starts[long] + at] & _KEPT[np.minimum(lengths[long] - at, 8)]
        found[long] = mixed(found[long] * _K2 + rest)
        at += 8
        long = long[lengths[long] > at]
    return found


def mixed(values: Hashes) -> Hashes:
    """`values` with every bit spread over all bits (the finaliser of MurmurHash3, Appleby 2011)."""
    values = values ^ (values >> np.uint64(33))
    values *= _K1
    values ^= values >> np.uint64(29)
    values *= _K2
    values ^= values >> np.uint64(32)
    return values


def sequences(words: Hashes, length: int) -> Hashes:
    """The hash of the `length` words from each word on; fewer than words by length - 1. Texts' ends are not looked at."""
    count = max(0, len(words) - length + 1)
    found = words[:count].copy()
    for n in range(1, length):
        found *= _K1
        found += words[n : n + count]
    return found ^ (found >> np.uint64(32)) if length > 1 else found
