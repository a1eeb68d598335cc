"""Text into sentences. A list item is a sentence of its own, led by the line that announces the list."""

from __future__ import annotations

import re
from collections.abc import Iterator

ITEM = re.compile(r"[ \t]*(?:[-*•‣◦–]|\(?\d{1,2}[.)]|\(?[a-z][.)])[ \t]+")
"""A bullet or a list number at the start of a line."""

_ABBREVIATION = re.compile(
    r"(?<!\w)(?:dr|drs|mr|mrs|ms|prof|sr|sra|dra|st|vs|approx|e\.g|i\.e|u\.s|etc|fig|sec|art|inc|jr|dept|pt"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.\Z",
    re.IGNORECASE,
)
_INITIAL = re.compile(r"(?:\A|[A-Z][a-z]+\s|\.\s?)[A-Z]\.\Z")
"""Only after a capitalised word: "Maria J. Lopez", not "hepatitis B."."""
_NUMBER = re.compile(r"(?<!\w)(?:[Nn]os?|pp?)\.\Z")
"""Only before a figure: "claim no. 12", not "No. The plan does not pay."."""
_BACK = 24
"""Characters that are looked at for an abbreviation."""
_MIXED = re.compile(r"[a-z]{1,2}[A-Z]")
"""A term that keeps its small letter at the start of a sentence: eGFR, pH, mRNA."""
_END = re.compile(r"(?<![.!?])[.!?]+[\"'”’)\]*]*(?=\s)\s*")


def sentences(text: str) -> list[str]:
    r"""The sentences of `text`, without bullets, in order; never empty strings.

    A full stop ends one unless it belongs to a title, an initial or a common abbreviation. A line break ends one unless
    the next line goes on in lower case. Items below a line that ends in a colon are each led by that line:
    "Stopped:\n- metformin\n- lisinopril" is "Stopped: metformin" and "Stopped: lisinopril".
    """
    found: list[str] = []
    lead = ""
    for line, is_item in _lines(text):
        if not is_item:
            lead = ""
        parts = list(_split(line))
        if is_item and lead and parts:
            parts[0] = f"{lead} {parts[0]}"
        elif not is_item and line.rstrip("* ").endswith(":"):
            lead = parts[-1] if parts else ""
        found += parts
    return found


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Lines with wrapped ones joined, and whether each is a list item (its bullet taken off)."""
    held, held_item = "", False
    for raw in text.splitlines():
        item = ITEM.match(raw)
        line = raw[item.end() :].strip() if item else raw.strip()
        if held and not item and line[:1].islower() and not _MIXED.match(line):
            held = f"{held} {line}"
            continue
        if held:
            yield held, held_item
        held, held_item = line, item is not None
    if held:
        yield held, held_item


def _split(line: str) -> Iterator[str]:
    start = 0
    small = (
        line.islower()
    )  # written without capitals: a small letter is no sign that a sentence goes on
    for end in _END.finditer(line):
        piece = line[start : end.end()].strip()
        following = line[end.end() : end.end() + 1]
        goes_on = following.islower() and not (small or _MIXED.match(line, end.end()))
        if goes_on or _abbreviates(line[start : end.start() + 1], following):
            continue
        if piece:
            yield piece
        start = end.end()
    if rest := line[start:].strip():
        yield rest


def _abbreviates(piece: str, following: str) -> bool:
    """Whether the full stop at the end of `piece` belongs to its last word."""
    tail = piece[-_BACK:]
    if _NUMBER.search(tail):
        return following.isdigit()
    return bool(_ABBREVIATION.search(tail) or _INITIAL.search(tail))
