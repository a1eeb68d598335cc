"""Whether a text that a model wrote still tells the facts of the example it was made from. By code alone.

Refused is what code can see: a fact of the answer that is gone, a figure, date, name or clinical term that was not there, an
assertion turned into a denial, another language. Where the answer is a label, nothing but an addition that decides nothing is
let in. docs/synthesis.md says what code cannot see.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Literal, get_args

import msgspec

from evalgate.records import Record
from evalgate.text import asserts, refuses, unsupported, words

Reason = Literal[
    "cut-off", "declined", "speaks-of-the-task", "length", "language",
    "new-figure-or-date", "new-name", "new-term", "turned-round", "new-false-fact", "lost-entity",
    "lost-figure-or-date", "lost-fact", "off-topic", "unchanged", "other-reason", "duplicate", "no-room",
]  # fmt: skip
"""Why a text is dropped; the first reason that holds, in this order."""
REASONS: tuple[Reason, ...] = get_args(Reason)

SHORTEST, LONGEST = 0.5, 2.0
"""Words of the text over those of its source."""
KEPT = 0.5
"""Share of the source's longer words, by their first five letters, that a text about the same matter holds."""
ADDED = (6, 60)
"""Words of an addition."""
SAME = 95
"""Percent of likeness (rapidfuzz ratio over words) from which a text is its source again."""

_CHATTER = re.compile(
    r"(?i)\b(rewrit\w+|reword\w+|rephras\w+|as an ai|language model|here(?:'s| is) (?:the|a|your)|original text|let me know)\b"
)
_ENGLISH = re.compile(r"(?i)\b(the|of|and|to|was|is|for|with|that|this)\b")
_SPANISH = re.compile(r"(?i)\b(el|la|los|las|de|que|y|por|para|con|una?|fue|es|su)\b")

# What a decision of a plan is told with. An addition to a text whose label is the plan's reason may hold none of it.
_DECIDING = re.compile(
    r"(?i)\b(den[iy]\w*|declin\w+|approv\w+|authori\w+|cover\w*|network\w*|contract\w*|participat\w+|necess\w+|experiment\w+"
    r"|investigation\w*|prove[dn]?|unproven|record\w*|document\w*|paper\w*|forms?|receiv\w+|missing|exclu\w+|limit\w*|benefit\w*"  # codespell:ignore receiv
    r"|referral\w*|criteria|reason\w*|deci\w+|appeal\w*|upheld|overturn\w*|because|PA|OON|INN|MNC"
    r"|nieg\w+|neg\w+|deneg\w+|aprob\w+|autoriz\w+|cubr\w+|cubiert\w+|red|necesari\w+|prueb\w+|falt\w+|motivo\w*|apel\w+|porque)\b"  # codespell:ignore falt
)


class Facts(Record, kw_only=True):
    """What a text has to keep: `source` is the text that it tells anew, `others` the example's texts that stay.

    `terms`: clinical terms, in lower case, that a text may be about.
    """

    source: str
    others: str
    answer: str
    expected: Any
    terms: frozenset[str]


def why_not(text: str, facts: Facts) -> Reason | None:
    """The first reason to drop `text`, or None if it tells what `facts` tell."""
    every = chain(
        _faults(text, facts.source),
        _inventions(text, facts),
        _losses(text, facts),
        _form(text, facts),
    )
    return next(every, None)


def _faults(text: str, source: str) -> Iterator[Reason]:
    """What is wrong with the text as an answer to the task."""
    if refuses(text) and not refuses(source):
        yield "declined"
    if _CHATTER.search(text) and not _CHATTER.search(source):
        yield "speaks-of-the-task"
    if not SHORTEST <= words(text) / max(words(source), 1) <= LONGEST:
        yield "length"
    if is_spanish(text) != is_spanish(source):
        yield "language"


def _inventions(text: str, facts: Facts) -> Iterator[Reason]:
    """What the text says and its source does not."""
    source, held = facts.source, f"{facts.source}\n{facts.others}"
    if unsupported(text, held, kinds=("number", "date")):
        yield "new-figure-or-date"
    if unsupported(text, held, kinds=("name",)):
        yield "new-name"
    here = terms_in(text, facts.terms)
    if here - terms_in(held, facts.terms):
        yield "new-term"
    if _turned(text, source, here & terms_in(source, facts.terms)):
        yield "turned-round"
    stated = _stated(source, facts.expected, "must_not")
    if set(_stated(text, facts.expected, "must_not")) - set(stated):
        yield "new-false-fact"


def _losses(text: str, facts: Facts) -> Iterator[Reason]:
    """What the source says and the text does not."""
    if any(at_word(text, entity) is None for entity in _entities(facts.expected)):
        yield "lost-entity"
    new = f"{text}\n{facts.others}"
    if unsupported(facts.source, new, kinds=("number", "date")):
        yield "lost-figure-or-date"
    if _lost(new, f"{facts.source}\n{facts.others}", facts):
        yield "lost-fact"


def _form(text: str, facts: Facts) -> Iterator[Reason]:
    """Whether the text is about the same, in other words."""
    from rapidfuzz import fuzz

    own = _stems(facts.source)
    if own and len(own & _stems(text)) < KEPT * len(own):
        yield "off-topic"
    if fuzz.ratio(_plain(text), _plain(facts.source)) >= SAME:
        yield "unchanged"


def why_not_add(text: str, facts: Facts) -> Reason | None:
    """The first reason not to put `text` before a source whose answer is a label, or None if it changes nothing there."""
    if refuses(text):
        return "declined"
    if _CHATTER.search(text):
        return "speaks-of-the-task"
    if not ADDED[0] <= words(text) <= ADDED[1]:
        return "length"
    if is_spanish(text) != is_spanish(facts.source):
        return "language"
    if unsupported(text, facts.source, kinds=("number", "date")):
        return "new-figure-or-date"
    if unsupported(text, facts.source, kinds=("name",)):
        return "new-name"
    if terms_in(text, facts.terms) - terms_in(facts.source, facts.terms):
        return "new-term"
    return "other-reason" if _DECIDING.search(text) else None


def moved(expected: Any, text: str) -> Any:
    """`expected` with the offsets that its entities have in `text`; anything else as it is."""
    if not isinstance(expected, list):
        return expected
    found = []
    for entity in expected:
        start = at_word(text, entity["text"])
        assert start is not None  # why_not has seen it
        found.append({**entity, "start": start, "end": start + len(entity["text"])})
    return sorted(found, key=lambda e: int(e["start"]))


def at_word(text: str, piece: str) -> int | None:
    """Where `piece` first stands in `text`, not inside a longer word or figure; None if nowhere."""
    found = re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", text)
    return found.start() if found else None


def terms_in(text: str, terms: Collection[str]) -> set[str]:
    """Those of `terms` that stand in `text` as whole words, in whatever case."""
    low = text.casefold()
    return {t for t in terms if t in low and at_word(low, t) is not None}


def is_spanish(text: str) -> bool:
    """Whether small words of Spanish outnumber those of English."""
    return len(_SPANISH.findall(text)) > len(_ENGLISH.findall(text))


def _stems(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[^\W\d_]{4,}", text.casefold())}


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _turned(text: str, source: str, terms: Collection[str]) -> bool:
    """Whether a term that one of the texts asserts is only denied in the other."""
    asked = [[[t]] for t in sorted(terms)]
    return asserts(text, asked) != asserts(source, asked)


def _entities(expected: Any) -> list[str]:
    return [e["text"] for e in expected] if isinstance(expected, list) else []


def _lost(new: str, old: str, facts: Facts) -> bool:
    """Whether `old` holds something that the answer or what is expected of it says, and `new` does not."""
    if set(unsupported(facts.answer, new)) - set(unsupported(facts.answer, old)):
        return True
    return any(
        set(_stated(old, facts.expected, part)) - set(_stated(new, facts.expected, part))
        for part in ("facts", "critical", "elements")
    )


def _stated(text: str, expected: Any, part: str) -> list[int]:
    """Positions of the facts under `part` of a written task's `expected` that `text` states."""
    wanted = expected.get(part, []) if isinstance(expected, Mapping) else []
    if isinstance(wanted, Mapping):
        return asserts(text, list(wanted.values()), within="text")
    return asserts(text, wanted) if wanted else []


def digest_of_checks() -> str:
    """What the checks are: the digest of this module, for the field `checks` of an example."""
    from pathlib import Path

    from evalgate import digest

    return digest.of_file(Path(__file__))


def terms_of(expecteds: Collection[Any]) -> frozenset[str]:
    """The clinical terms of lists of entities: diagnoses, procedures and medicines, in lower case."""
    kinds = {"DIAGNOSIS", "PROCEDURE", "MEDICATION"}
    return frozenset(
        e["text"].casefold()
        for expected in expecteds
        if isinstance(expected, list)
        for e in msgspec.to_builtins(expected)
        if e["label"] in kinds
    )
