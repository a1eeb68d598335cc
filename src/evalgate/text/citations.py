"""Ids of passages cited in square brackets."""

from __future__ import annotations

import re

BRACKET = re.compile(r"\[([^\[\]\n]{1,200})\]")
_SEPARATOR = re.compile(r"\s*(?:[,;&]|\band\b|\by\b)\s*")
_LEAD = re.compile(r"\A(?:§+|(?:sections?|sec\.|passages?|secci[oó]n|pasaje)\s)\s*", re.IGNORECASE)
_ID = re.compile(r"(?=[^\d]*\d)[A-Za-z0-9]+(?:[._:-][A-Za-z0-9]+)*")


def citations(text: str) -> list[str]:
    """The ids cited in square brackets, in order, without repeats: "[4.2, P3]" -> ["4.2", "P3"].

    An id is letters, digits, dots, colons and hyphens with at least one digit, so "[sic]" and "[Your Name]" cite
    nothing; "Section", "passage" or "§" before an id is dropped. A range ("4.2-4.4") stays one id.
    """
    found: dict[str, None] = {}
    for bracket in BRACKET.finditer(text):
        for part in _SEPARATOR.split(bracket.group(1).strip()):
            name = _LEAD.sub("", part.strip())
            if _ID.fullmatch(name):
                found[name] = None
    return list(found)
