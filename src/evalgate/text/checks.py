"""Checks of written outputs that need no judge: what a rubric's criterion with `judged_by = ["code"]` may name.

Each takes the output and its sources, joined by newlines, and says whether the output is in order. docs/rubrics.md says
what each of them cannot see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from evalgate.text.citations import BRACKET, citations
from evalgate.text.reading import reading_grade
from evalgate.text.support import Kind, unsupported

PLAIN_GRADE = 9.0
"""US school grade up to which a letter counts as plain."""

_WORD = re.compile(r"[^\W\d_]{2}")
# What editors put in brackets, so that it fills nothing in: [sic], [redacted], "[she] was seen".
_EDITORIAL = re.compile(
    r"(?i)sic|redacted|illegible|inaudible|omitted|unclear|emphasis added|he|she|they|it|his|her|their|its"
    r"|(?:the|this|that) (?:patient|member|plan|provider|doctor)(?:'s)?"
)
# A row of X inside a longer number hides digits and holds nothing open.
_HELD_OPEN = re.compile(r"\b(?:TBD|TBC|TKTK)\b|\b[Ll]orem ipsum\b|(?<![\w-])X{3,}(?![\w-])")
_TEMPLATE = re.compile(r"\{\{[^{}\n]*\}\}|<<[^<>\n]+>>|<(?i:insert|enter|add|your)\b[^<>\n]*>")


def citations_resolve(output: str, sources: str) -> bool:
    """Whether every id cited in square brackets is one that the sources bear in square brackets.

    A range ("4.2-4.4") resolves where both its ends do. An output without citations is in order.
    """
    shown = set(citations(sources))
    return all(
        cited in shown or ("-" in cited and shown.issuperset(cited.split("-")))
        for cited in citations(output)
    )


def no_unsupported_numbers(output: str, sources: str) -> bool:
    """Whether the sources hold every figure of the output (see `unsupported`)."""
    return _supported(output, sources, "number")


def no_unsupported_dates(output: str, sources: str) -> bool:
    """Whether the sources hold every date of the output (see `unsupported`)."""
    return _supported(output, sources, "date")


def no_unsupported_names(output: str, sources: str) -> bool:
    """Whether the sources hold every name of the output (see `unsupported`)."""
    return _supported(output, sources, "name")


def _supported(output: str, sources: str, kind: Kind) -> bool:
    return not unsupported(output, sources, kinds=(kind,))


def no_placeholder_left(output: str, sources: str) -> bool:
    """Whether nothing in the output waits to be filled in: "[Your Name]", "{{date}}", "<insert dose>", "XXX", "TBD".

    Brackets that cite, link ("[text](address)") or edit ("[sic]", "[she]") fill nothing in. "TBD" and its like may stand
    where the sources say so too. A line of underscores is a place to sign, not a placeholder.
    """
    if _TEMPLATE.search(output):
        return False
    if any(found[0] not in sources for found in _HELD_OPEN.finditer(output)):
        return False
    return not any(_waits(found, output) for found in BRACKET.finditer(output))


def _waits(bracket: re.Match[str], output: str) -> bool:
    inside = bracket[1].strip()
    linked = output.startswith("(", bracket.end())
    return (
        bool(_WORD.search(inside))
        and not linked
        and not _EDITORIAL.fullmatch(inside)
        and not citations(bracket[0])
    )


def plain_reading(output: str, sources: str) -> bool:
    """Whether the output reads at US school grade 9 or below. The sources do not matter; an empty output is plain."""
    del sources
    return reading_grade(output) <= PLAIN_GRADE


CHECKS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {
        check.__name__: check
        for check in (
            citations_resolve,
            no_placeholder_left,
            no_unsupported_dates,
            no_unsupported_names,
            no_unsupported_numbers,
            plain_reading,
        )
    }
)
"""By the name that a rubric's `check` gives: (output, sources) -> whether the output is in order."""
