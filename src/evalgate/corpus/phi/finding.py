"""What a scanner finds, and the text as its detectors read it."""

from __future__ import annotations

import re

from evalgate.records import Record


class Finding(Record, kw_only=True):
    """One piece of a text that may identify a person: characters `start` to `end` (exclusive) of the text as given.

    `reason` says which rule saw it, never what was there.
    """

    type: str
    start: int
    end: int
    reason: str

    def __str__(self) -> str:
        return f"{self.type} at characters {self.start}-{self.end} ({self.reason})"


PRESIDIO, MODEL = "Presidio", "a model"
"""Reasons of a second opinion: it adds findings and takes the characters of no other."""

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u00af\u02d7\ufe58\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
        **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94)},  # full-width forms
        **{chr(base + i): str(i) for base in (0x660, 0x6F0, 0x966) for i in range(10)},  # Arabic and Devanagari figures
        "\u2028": "\n", "\u2029": "\n", "\r": "\n", "\x85": "\n", "\x0b": "\n", "\x0c": "\n", "\t": " ",
    }
)  # fmt: skip


class Folded:
    """A text with dashes, blanks and figures of one kind and nothing invisible; knows where each character stood."""

    def __init__(self, text: str) -> None:
        self._places: list[int] | None = None
        self._length = len(text)
        if _INVISIBLE.search(text):
            self._places = [i for i, c in enumerate(text) if not _INVISIBLE.match(c)]
            text = "".join(text[i] for i in self._places)
        self.text = text.translate(_ALIKE)

    def place(self, finding: Finding) -> Finding:
        """The finding in the text as it was given."""
        if self._places is None:
            return finding
        start, end = self._places[finding.start], self._places[finding.end - 1] + 1
        return Finding(type=finding.type, start=start, end=end, reason=finding.reason)
