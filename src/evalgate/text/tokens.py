"""Text as tokens that compare by meaning: words without case and accents, numbers by value, dates by day.

"1,500" and "1500.0", "two" and "2", "1½" and "1 1/2" and "1.5", "2 March 2024", "03/02/2024" and "2024-03-02" are equal tokens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from evalgate.records import Record
from evalgate.text.dates import date_at

Kind = Literal["word", "number", "date"]


class Token(Record, kw_only=True):
    """`value` compares: a folded word, a number ("1500", "0.5", "1/3"), a time of day ("14:30"), or a date (see `date_at`).

    `text[start:end]` is what was written; `spelled` tells a number in words.
    """

    kind: Kind
    value: str
    start: int
    end: int
    spelled: bool = False


_PART = "¼½¾⅐-⅞"
_RAISED = "⁰¹²³⁴-⁹"
_CIRCLED = "①-⑳❶-➓"
LETTER = rf"[^\W_{_PART}{_CIRCLED}]"
# A figure inside a word ("A1c", "E11.9") is no number; a unit may stand right behind one ("5mg"), and a longer word right
# before both ("warfarin5mg"). A raised figure behind a word or a full stop is a power or a footnote.
_PIECE = re.compile(
    rf"(?P<figure>(?<!\d)\.?\d|[{_PART}{_CIRCLED}]|(?<![^\s($])[{_RAISED}])|%"
    r"|[^\W\d_]{4,}(?=\d+(?:\.\d+)?(?:mg|mcg|g|ml|meq|iu|units?)\b)"
    rf"|[^\W\d_]+\d+\.\d\w*|{LETTER}+(?:['’]{LETTER}+)*",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    rf"""
    (?P<hour>\d{{1,2}}):(?P<minute>[0-5]\d)(?!\d)(?:\s?(?P<half>[ap])\.?m\b\.?)?
  | (?P<sharp>1[0-2]|[1-9])\s?(?P<sharp_half>[ap])\.?m\b\.?
  | (?:(?P<whole>\d{{1,3}})\s?)?(?P<part>[{_PART}])
  | (?:(?P<mixed>\d{{1,3}})\s)?(?P<proper>(?:1[/⁄][2348]|2[/⁄]3|3[/⁄][48]|[57][/⁄]8))(?![/⁄]|[.,]?\d)
  | (?P<sign>[{_CIRCLED}]|[{_RAISED}]+)
  | (?P<number>\d{{1,3}}(?:,\d{{3}})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:(?:st|nd|rd|th)\b)?
    """,
    re.VERBOSE | re.IGNORECASE,
)

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_APART = re.compile(r"\n *[\n-]")
_LARGEST = 10**15
"""No number in words is larger: "million million million" is speech that went wrong."""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: n for n, word in enumerate(_UNITS.split())}
_SMALL |= {word: 10 * n for n, word in enumerate(_TENS.split(), 2)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "dozen": 12}


def visible(text: str) -> str:
    """`text` without characters that nobody sees: soft hyphens, zero-width spaces, marks of direction."""
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def fold(text: str) -> str:
    """`text` in one case and without accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def tokens(text: str) -> list[Token]:
    """The tokens of `text` in order. Punctuation, currency signs, hyphens and Markdown leave none; "%" is "percent"."""
    return list(_with_spelled_numbers(text, list(_pieces(text))))


def _pieces(text: str) -> Iterator[Token]:
    at = 0
    while piece := _PIECE.search(text, at):
        start, at = piece.span()
        written = piece.group()
        if dated := date_at(text, start):
            value, at = dated
            yield Token(kind="date", value=value, start=start, end=at)
        elif piece["figure"] and (figure := _FIGURE.match(text, start)):
            at = figure.end()
            yield Token(kind="number", value=_value(figure), start=start, end=at)
        else:
            value = "percent" if written == "%" else fold(written)
            yield Token(kind="word", value=value, start=start, end=at)


def _value(figure: re.Match[str]) -> str:
    written = figure["number"] or "".join(
        f"{unicodedata.numeric(c):.0f}" for c in figure["sign"] or ""
    )
    if written:
        return f"{Decimal(written.replace(',', '')).normalize():f}"
    if part := figure["part"]:
        rest = Fraction(unicodedata.numeric(part)).limit_denominator(10)
        return _decimal(rest + int(figure["whole"] or 0))
    if proper := figure["proper"]:
        return _decimal(Fraction(proper.replace("⁄", "/")) + int(figure["mixed"] or 0))
    hour = int(figure["hour"] or figure["sharp"])
    if half := figure["half"] or figure["sharp_half"]:
        hour = hour % 12 + (12 if half in "pP" else 0)
    return f"{hour:02}:{figure['minute'] or '00'}"


def _decimal(value: Fraction) -> str:
    """`value` as "2.5" where a decimal says it exactly, else as "4/3"."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{exact.normalize():f}" if Fraction(exact) == value else str(value)


def _with_spelled_numbers(text: str, found: list[Token]) -> Iterator[Token]:
    """`found` with each run of number words ("two hundred and fifty") as one number."""
    i = 0
    while i < len(found):
        first = found[i]
        if first.value not in _SMALL and first.value not in ("half", "dozen"):
            yield first
            i += 1
            continue
        used, whole = _read(text, found, i)
        value = Fraction(whole)
        if [token.value for token in found[i + used : i + used + 3]] == ["and", "a", "half"]:
            used, value = used + 3, value + Fraction(1, 2)  # "two and a half"
        elif not used:
            used, value = 1, Fraction(1, 2) if first.value == "half" else Fraction(12)
        last = found[i + used - 1]
        yield Token(
            kind="number", value=_decimal(value), start=first.start, end=last.end, spelled=True
        )
        i += used


def _read(text: str, found: list[Token], at: int) -> tuple[int, int]:
    """(tokens used, value) of the number in words that begins at `at`."""
    total = part = used = 0
    last = ""
    for i in range(at, len(found)):
        word = found[i].value
        between = text[found[i - 1].end : found[i].start] if used else ""
        if between.strip(" -\n") or _APART.search(between):
            break  # a comma, a blank line or a bullet stands between
        if word in _SMALL and _follows(word, last):
            part, last = part + _SMALL[word], word
        elif word in _SCALES and used and part * _SCALES[word] <= _LARGEST:
            part *= _SCALES[word]
            if word not in ("hundred", "dozen"):
                total, part = total + part, 0
            last = word
        elif word == "and" and last in _SCALES:
            continue  # "two hundred and fifty"
        else:
            break
        used = i - at + 1
    return used, total + part


def _follows(word: str, last: str) -> bool:
    """Whether `word` goes on the number that ended in `last`: not "one thirty", not "twenty eleven"."""
    if last in _TENS.split():
        return 1 <= _SMALL[word] <= 9
    return not last or last in _SCALES
