"""Dates as people write them, English and Spanish. With figures only they are read as in the United States: month first."""

from __future__ import annotations

import re
from datetime import date

_ENGLISH = "january|february|march|april|may|june|july|august|september|october|november|december"
_SPANISH = (
    "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
)
_MONTHS = {name: n for names in (_ENGLISH, _SPANISH) for n, name in enumerate(names.split("|"), 1)}
_MONTHS |= {name[:3]: n for n, name in enumerate(_ENGLISH.split("|"), 1)} | {"sept": 9}

_MONTH = rf"(?P<name>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)\b"
_FLAGS = re.IGNORECASE
_FORMS = {
    True: (  # begins with a figure
        re.compile(rf"{_YEAR}(?P<mark>[-/])(?P<month>\d\d?)(?P=mark)(?P<day>\d\d?)(?!\d)"),
        re.compile(
            r"(?P<first>\d\d?)(?P<mark>[-/])(?P<second>\d\d?)(?P=mark)(?P<year>(?:19|20)?\d\d)(?![\d/-])"
        ),
        re.compile(rf"(?P<month>0?[1-9]|1[0-2])/{_YEAR}(?![/-])"),
        re.compile(
            rf"{_DAY}\s+(?:of\s+|de\s+)?{_MONTH}(?:,?\s+(?:of\s+|del?\s+)?{_YEAR})?", _FLAGS
        ),
    ),
    False: (
        re.compile(rf"{_MONTH}\s+{_DAY}\b(?!\.\d)(?:,?\s+{_YEAR})?", _FLAGS),
        re.compile(rf"{_MONTH}(?:\s*,\s*|\s+(?:of\s+|del?\s+)?){_YEAR}", _FLAGS),
    ),
}
_OPENINGS = frozenset(name[:3] for name in _MONTHS)


def date_at(text: str, start: int) -> tuple[str, int] | None:
    """(value, end) of the date that is written at `start`, or None.

    The value is "2024-03-02", or without what is not said: "2024-03", "--03-02". A day that no calendar has ("02/30/2024")
    stays as it is written, so that it equals only itself.
    """
    figure = text[start].isdigit()
    if not figure and text[start : start + 3].lower() not in _OPENINGS:
        return None
    if figure and start and (text[start - 1].isalnum() or text[start - 1] in ".,/-"):
        return None  # the middle of a longer figure
    for form in _FORMS[figure]:
        if match := form.match(text, start):
            return _value(match), match.end()
    return None


def holds_date(whole: str, part: str) -> bool:
    """Whether the date `whole` says all that `part` says: "2024-03-02" holds "2024-03" and "--03-02"."""
    if part.startswith("--"):
        return whole == part or (whole.endswith(part[1:]) and len(whole) == len("2024-03-02"))
    return whole.startswith(part)


def _value(match: re.Match[str]) -> str:
    got = {key: value for key, value in match.groupdict().items() if value}
    if "first" in got:
        first, second = int(got["first"]), int(got["second"])
        month, day = (first, second) if first <= 12 else (second, first)
    else:
        month = int(got["month"]) if "month" in got else _MONTHS[got["name"].lower()]
        day = int(got.get("day", 0))
    year = got.get("year", "")
    if len(year) == 2:
        year = f"20{year}" if int(year) < 50 else f"19{year}"
    try:
        date(int(year or 2024), month, day or 1)
    except ValueError:
        return match.group()
    return f"{year or '-'}-{month:02}" + (f"-{day:02}" if day else "")
