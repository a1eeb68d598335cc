"""What a text says that its source does not hold: figures, dates and names, compared by value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, get_args

from evalgate.text.citations import BRACKET, citations
from evalgate.text.dates import holds_date
from evalgate.text.names import Name, names
from evalgate.text.sentences import ITEM
from evalgate.text.tokens import Token, tokens, visible

Kind = Literal["number", "date", "name"]

_COUNTING = 12
"""Numbers up to here, written in words, count things in passing ("two weeks") and are not figures, save in a dose."""
_DOSE = re.compile(
    r"[\s-]+(an?\s+|of\s+an?\s+)?(mg|milligram|mcg|microgram|gram|ml|milliliter|unit|tablet|capsule|pill|puff|drop|patch)(es|s)?\b",
    re.IGNORECASE,
)
_LIST_NUMBER = re.compile(
    rf"(?m)^{ITEM.pattern}|^[ \t]*[①-⑳❶-➓]|(?<=[.;:!?])\s+\(?\d{{1,2}}[.)]\s+(?=[A-Z])"
)


def unsupported(
    text: str, source: str, *, kinds: Sequence[Kind] = ("number", "date", "name")
) -> list[str]:
    """The figures, dates and names in `text` that `source` does not hold, as written, in order, without repeats.

    Numbers compare by value ("1,500" is "1500"), dates by day, names word by word without regard to case. No figures are:
    parts of a date, list numbers, citations in brackets, numbers up to twelve in words (save "two tablets"), and years of the source's dates.
    A date that says less than one of the source ("March 2024") is held by it. Units are not compared, and what the text
    rightly computes (a sum, an age) is reported too. Raises ValueError for another kind.
    """
    for kind in kinds:
        if kind not in get_args(Kind):
            raise ValueError(
                f"unsupported: found kind {kind!r}, expected some of {', '.join(get_args(Kind))}."
            )
    text, source = visible(text), visible(source)
    found: list[tuple[int, str]] = []
    theirs = tokens(source)
    if "number" in kinds or "date" in kinds:
        held = _Held(theirs)
        found += [
            (token.start, text[token.start : token.end])
            for token in tokens(_figures_only(text))
            if token.kind in kinds and not _passing(text, token) and not held.holds(token)
        ]
    if "name" in kinds:
        known = {token.value.removesuffix("'s") for token in theirs}
        found += [
            (n.start, n.written) for n in names(text, source) if not known.issuperset(_parts(n))
        ]
    return list(dict.fromkeys(written for _, written in sorted(found)))


def _parts(name: Name) -> set[str]:
    return {token.value for word in name.telling for token in tokens(word)}


def _figures_only(text: str) -> str:
    """`text` with citations and list numbers blanked out, every character at its place."""
    text = BRACKET.sub(lambda m: _blank(m) if citations(m.group()) else m.group(), text)
    return _LIST_NUMBER.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return "|" * len(match.group())  # not spaces: "fifty [4.2] two" is not fifty-two


def _passing(text: str, token: Token) -> bool:
    small = token.spelled and Fraction(token.value) <= _COUNTING
    return small and (token.value == "1" or not _DOSE.match(text, token.end))


class _Held:
    """The values of a source."""

    def __init__(self, theirs: list[Token]) -> None:
        self._dates = {t.value for t in theirs if t.kind == "date"}
        years = {day[:4] for day in self._dates if day[0] != "-"}
        self._numbers = {t.value for t in theirs if t.kind == "number"} | years | _spoken(theirs)

    def holds(self, token: Token) -> bool:
        if token.kind == "number":
            return token.value in self._numbers
        year, day = token.value[:4], token.value[4:]
        return any(holds_date(whole, token.value) for whole in self._dates) or (
            year in self._numbers and f"-{day}" in self._dates  # "in 2024 ... on March 2"
        )


def _spoken(theirs: list[Token]) -> set[str]:
    """Values of figures read aloud: "one thirty" is 130, "ninety eight point six" 98.6, "point five" 0.5."""
    values: set[str] = set()
    for i, token in enumerate(theirs):
        said = _digits(theirs, i)
        after = _digits(theirs, i + 1)
        if said and after:
            values |= {said + after.zfill(2), said + after}
        if token.value == "point" and after:
            whole = _digits(theirs, i - 1) if i else ""
            values.add(f"{whole or '0'}.{after}")
    return values


def _digits(theirs: list[Token], i: int) -> str:
    """The number that token `i` says in words, "" if it says none."""
    return (
        theirs[i].value
        if i < len(theirs) and theirs[i].spelled and theirs[i].value.isdigit()
        else ""
    )
