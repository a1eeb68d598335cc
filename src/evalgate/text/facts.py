"""Which facts a text states: groups of alternative wordings, not negated (see `negation`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from evalgate.text.dates import holds_date
from evalgate.text.negation import Phrase, Sentence
from evalgate.text.sentences import sentences
from evalgate.text.tokens import Token, tokens, visible

Fact = Sequence[Sequence[str]]
"""Groups of alternative wordings; stated where one wording of every group stands."""
_DOLLARS_BEFORE = re.compile(r"(?:\$|\busd)\s?\Z", re.IGNORECASE)
_SIGN = 5
"""Characters before a figure that are looked at for a currency sign."""
_DOLLARS_AFTER = re.compile(r"\s?(?:us\s)?(?:dollars?|d[oó]lar(?:es)?|usd)\b", re.IGNORECASE)
Within = Literal["sentence", "text"]


def coverage(text: str, facts: Sequence[Fact], *, within: Within = "sentence") -> float:
    """Share of `facts` that `text` states, in [0, 1]; 1.0 for no facts.

    A fact is a list of groups, a group a list of alternative wordings. It is stated if some sentence (within="text": the
    whole text) holds one wording of every group, not negated. Wordings match whole words in any case, without regard to
    accents, hyphens and white space; numbers match by value, dates by day; "$60" needs a dollar sign, "dollars" or "USD" in the text. A negation that is itself part of the fact's
    wordings ("not covered") negates nothing.
    Raises ValueError for a fact without groups, a group without wordings, or a wording without words.
    """
    stated = len(asserts(text, facts, within=within))
    return stated / len(facts) if facts else 1.0


def missing(text: str, facts: Sequence[Fact], *, within: Within = "sentence") -> list[int]:
    """Positions in `facts` of those that `text` does not state; see `coverage`."""
    stated = set(asserts(text, facts, within=within))
    return [i for i in range(len(facts)) if i not in stated]


def asserts(text: str, facts: Sequence[Fact], *, within: Within = "sentence") -> list[int]:
    """Positions in `facts` of those that `text` states, for what must be said and for what must not; see `coverage`.

    A negated mention ("pulmonary embolism was ruled out") states nothing.
    """
    if within not in ("sentence", "text"):
        raise ValueError(f'found within={within!r}, expected "sentence" or "text".')
    asked = [_read(fact, i) for i, fact in enumerate(facts)]
    pieces = [Sentence(sentence) for sentence in sentences(visible(text))]
    scopes = [[piece] for piece in pieces] if within == "sentence" else [pieces]
    return [
        i
        for i, groups in enumerate(asked)
        if any(all(_stated(group, groups, scope) for group in groups) for scope in scopes)
    ]


def _read(fact: Fact, position: int) -> list[list[Phrase]]:
    groups = [] if isinstance(fact, str) else [_wordings(group) for group in fact]
    if not groups or not all(groups):
        raise ValueError(
            f"found a fault in fact {position}, expected a list of groups, each a list of wordings with words in them. "
            'Write [["metformin"], ["stopped", "discontinued"]].'
        )
    return groups


def _wordings(group: Sequence[str]) -> list[Phrase]:
    """The wordings as words to compare; none if one of them holds no word, or if `group` is not a list of them."""
    if isinstance(group, str):
        return []
    seen = [visible(wording) for wording in group]
    read = [tuple(_wanted(wording, token) for token in tokens(wording)) for wording in seen]
    return read if all(read) else []


def _wanted(wording: str, token: Token) -> str:
    return f"${token.value}" if wording[: token.start].rstrip().endswith("$") else token.value


def _in_dollars(text: str, token: Token) -> bool:
    return bool(
        _DOLLARS_BEFORE.search(text[max(0, token.start - _SIGN) : token.start])
        or _DOLLARS_AFTER.match(text, token.end)
    )


def _stated(group: list[Phrase], fact: list[list[Phrase]], scope: list[Sentence]) -> bool:
    own = {word for wordings in fact for wording in wordings for word in wording}
    return any(
        not sentence.denies(i, i + len(wording), own)
        for sentence in scope
        for wording in group
        for i in _positions(sentence, wording)
    )


def _positions(sentence: Sentence, wording: Phrase) -> Iterator[int]:
    found = sentence.found
    for i in range(len(found) - len(wording) + 1):
        if all(
            _is(sentence.text, token, wanted)
            for token, wanted in zip(found[i:], wording, strict=False)
        ):
            yield i


def _is(text: str, token: Token, wanted: str) -> bool:
    if token.value == wanted:
        return True
    if wanted[0] == "$":
        return token.value == wanted[1:] and _in_dollars(text, token)
    return token.kind == "date" and holds_date(token.value, wanted)
