"""What must not get into a rubric: somebody's identifiers, and texts of the gold set that it judges."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from evalgate.authored.gold import GoldSet
from evalgate.authored.problems import count, listing, nearest
from evalgate.authored.toml_file import Section

FEWEST_WORDS = 5
"""Shorter examples ("Please overturn this decision.") may well stand in a gold set by chance."""

_NUMBER = r"(?:\s*(?:no\.?|number|id|#|:|is))*\s*[A-Za-z]{0,4}-?\d[\d-]{3,}"
# Two to four capitals and five digits; not codes of the trade, which identify a procedure and nobody.
_ID_LIKE = r"\b(?!(?:CPT|ICD|NCT|NDC|DSM|HCPC|DRG|LOINC)\b|NCT\d)[A-Z]{2,5}-?\d{5,}"
_IDENTIFIERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a social security number", re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")),
    (
        "a medical record number",
        re.compile(rf"(?i)\b(?:MRN|medical record)\b{_NUMBER}"),
    ),
    ("an e-mail address", re.compile(r"(?i)[\w.+-]+@(?!example\.(?:com|org|net)\b)[\w-]+\.\w[\w.]*")),
    (
        "a telephone number",
        re.compile(
            r"(?<![\d-])(?:\+?1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])(?!555[ .-]?01\d\d)\d{3}[ .-]\d{4}(?![\d-])"
            r"|(?<![\d.-])(?!555-01\d\d)\d{3}-\d{4}(?![\d-])"
        ),
    ),
    ("a date of birth", re.compile(r"(?i)\b(?:DOB|date of birth|born on)\b[^\n\d]{0,12}\d")),
    (
        "a number of a member, claim or account",
        re.compile(
            rf"(?i)\b(?:member|subscriber|patient|claim|account|case|policy)\s(?:no\b\.?|number|id|#){_NUMBER}|(?-i:{_ID_LIKE})"
        ),
    ),
)  # fmt: skip


def identifier_in(text: str) -> str | None:
    """What kind of identifier `text` seems to hold, None for none. Invented telephone numbers are 555-01xx."""
    return next((kind for kind, pattern in _IDENTIFIERS if pattern.search(text)), None)


def check_gold(head: Section | None, examples: Sequence[Section], gold: GoldSet) -> None:
    """Compare a rubric with every item of its gold set: EG606 for what [rubric] shows, EG610 for texts of examples.

    Raises IntegrityError (EG157) when the gold set's file changes meanwhile.
    """
    wanted = {
        index: _folded(text)
        for index, example in enumerate(examples)
        if isinstance(text := example.table.get("text"), str) and len(text.split()) >= FEWEST_WORDS
    }
    show = head.table.get("show") if head else None
    names = [name for name in show if isinstance(name, str)] if isinstance(show, list) else []
    lacking = dict.fromkeys(names, 0)
    copied: dict[int, str] = {}
    known: set[str] = set()
    for _, item in gold.items():  # noqa: PERF102 (no dict)
        given = {"input": item.input} if isinstance(item.input, str) else item.input
        known.update(given)
        for name in lacking:
            lacking[name] += name not in given
        texts = [_folded(text) for text in _texts([given, item.expected])]
        for index, example in wanted.items():
            if index not in copied and any(example in text for text in texts):
                copied[index] = item.id
    for name, items in lacking.items():
        if items and head is not None:
            whose = "every item" if items == len(gold) else f"{count(items, 'item')} of {len(gold)}"
            message = f"found `{name}`, which {whose} of {gold.name} lacks, expected some of {listing(known)}.{nearest(name, known)} Correct it."
            head.problem("EG606", message, "show", value=True)
    for index, item_id in copied.items():
        message = f"found a text that stands in the gold item {item_id}, expected one that no item holds: the judge would have seen the answer. Write another."
        examples[index].problem("EG610", message, "text", value=True)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _folded(text: str) -> str:
    """`text` as two people would call it the same: white space, case and composed accents do not matter."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
