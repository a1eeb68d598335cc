"""Nested parts of training data: 1/16 lies in 1/8, and so on, and stays what it was as data grows.

A unit belongs to 1/2^k if the digest of its name begins with k zero bits: nobody else's rows decide about it.
"""

from __future__ import annotations

import hashlib
import re
from fractions import Fraction

from evalgate.corpus.example import Example
from evalgate.errors import UsageError

_PART = re.compile(r"1(?:/([1-9]\d{0,3}))?")


def part_of(text: str, *, where: str) -> Fraction:
    """The share that `text` names: 1, 1/2, 1/4 and so on to 1/1024. Raises UsageError (EG965)."""
    found = _PART.fullmatch(text)
    below = int(found[1] or 1) if found else 0
    if not 1 <= below <= 1024 or below & (below - 1):
        raise UsageError(
            f"found the part {text!r}, expected 1, 1/2, 1/4 and so on to 1/1024: such parts lie in one another. Name one of these.",
            where=where,
            code="EG965",
        )
    return Fraction(1, below)


def in_part(row: Example, part: Fraction) -> bool:
    """Whether a row belongs to the part (1/2^k) of all data: by its unit, so that no unit is cut."""
    unit = row.unit or row.id
    prefix = int.from_bytes(hashlib.sha256(f"part\n{unit}".encode()).digest()[:8], "big")
    return prefix * part.denominator < 1 << 64
