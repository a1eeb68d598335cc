"""Phrases as regular expressions that stay readable: the text is brought to one plain form first."""

from __future__ import annotations

import re

from evalgate.text.citations import BRACKET
from evalgate.text.tokens import fold, visible

_WRITTEN_OUT = (
    (r"\b(can|do|does|did|is|are|was|were|has|have|could|should|would)n't\b", r"\1 not"),
    (r"\b(?:can't|cannot)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\bi'm\b", "i am"),
    (r"\bi'd\b", "i would"),
    (r"\bi'll\b", "i will"),
    (r"\b(it|that|there)'s\b", r"\1 is"),
)
_QUOTED = re.compile(r"(?<=[\w:,] )[\"“«][^\"“”«»]*[\"”»]")
"""What somebody else said: a quotation behind other words."""
_RULES = tuple((re.compile(short), long) for short, long in _WRITTEN_OUT)


def plain(text: str) -> str:
    """`text` folded, without what nobody sees, contractions written out, one space between words, without emphasis, brackets and what is quoted."""
    text = " ".join(BRACKET.sub(" ", fold(visible(text))).replace("*", " ").split())
    text = _QUOTED.sub("", text)
    for short, long in _RULES:
        text = short.sub(long, text)
    return text


def any_of(*phrases: str) -> re.Pattern[str]:
    """A pattern for `plain` text that finds any of `phrases` where a word begins."""
    return re.compile("|".join(rf"\b(?:{phrase})" for phrase in phrases))
