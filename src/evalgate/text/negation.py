"""Where a sentence denies what it names: a simple scope of negation, after NegEx (Chapman et al. 2001).

A negation reaches forward from its word to the end of the clause, at most REACH words, and along a list ("no fever,
chills or cough"). Some phrases reach back ("was ruled out"). It does not see doubt ("possible"), whose history it is
("family history of"), or what another sentence takes back.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise, product

from evalgate.text.tokens import Token, fold, tokens

Phrase = tuple[str, ...]

REACH = 5
"""Words that a negation reaches forward, as in NegEx."""
_ITEM = 3
"""Words of a list item: a comma before a longer piece, or before one with a verb, ends the clause."""


def _phrases(*lines: str) -> frozenset[Phrase]:
    return frozenset(tuple(fold(phrase).split()) for line in lines for phrase in line.split("|"))


def _pairs(first: str, second: str) -> frozenset[Phrase]:
    return frozenset(
        tuple(fold(f"{a} {b}").split()) for a, b in product(first.split("|"), second.split("|"))
    )


_BEFORE = (
    _phrases(
        "no|not|never|without|neither|nor|none of|nothing|cannot|denies|denying|negative for|absence of|lack of|lacks",
        "free of|ruled out|rules out|rule out|ruling out|instead of|rather than|aren't|can't|couldn't|didn't|doesn't|don't",
        "hadn't|hasn't|haven't|isn't|wasn't|weren't|won't|wouldn't",
        "sin|nunca|niega|negó|ni|tampoco|descarta|descartó|ausencia de",
    )
    # "denied" alone is an insurer's word: "the plan denied the MRI" speaks of an MRI
    | _pairs("patient|member|he|she|they|pt", "denied|declined|declines|refused|refuses")
)
_AFTER = (
    _pairs(
        "was|were|is|are|has been|have been",
        "ruled out|excluded|absent|unlikely|negative|not seen|not found|not present|not detected|not identified"
        "|not performed|not done|not noted|not observed|not confirmed|not reported|not taken|not given",
    )
    | _pairs("fue|fueron|es", "descartado|descartada|negativo|negativa")
    | _phrases("ruled out|negative|absent|not present|not identified|none|negativo|negativa")
)
_NO_NEGATION = _phrases(
    "not only|not just|no doubt|not necessarily|no change|no changes|no increase|no question|never stop|never stopped",
    "without question|without doubt|without a doubt|without fail",
)
_TURNS = _phrases(
    "but|however|although|though|except|whereas|while|yet|because|since|despite|after|following|during|when|if|who|which",
    "pero|aunque|sino|porque|después|cuando",
)
_CANCELS = _phrases("until|hasta")
"""Behind a negated wording: "not discharged until June" speaks of a discharge."""
_BY = _phrases("by|with|on|in|at|after|using|via|through|from|based|because|per")
"""Behind a passive "ruled out": "ruled out by a normal CT" says nothing against the CT."""
_FINDINGS = "normal stable positive present elevated improved intact unchanged controlled resolved ongoing persistent weekly daily"
_HALLAZGOS = "estable presente positivo positiva elevado elevada"
_FOUND = frozenset(f"{_FINDINGS} {_HALLAZGOS}".split())
"""In a piece between commas: a finding of its own ("no cough, liver normal"), no item of the list that is denied."""
_VERBS = "is are was were has had have will does did es fue era tiene"
_FINITE = frozenset(_VERBS.split())
_ON = "on takes taking continues continued still now"
_GOES_ON = frozenset(_ON.split())
"""At the start of a piece between commas: "no longer dizzy, on warfarin" goes on about what is so."""
_AND = frozenset({"and", "or", "nor", "y", "o", "ni"})
_CLAUSE = re.compile(r"[;()\n]|\s[-–—]\s")
_COMMA = re.compile(",")
_COLON = re.compile(r":(?=\s)")
_LEADS = frozenset({"of", "for", "with", "following", "any"})
"""Right before a colon: what follows is still denied ("no history of: stroke")."""
_NOUNS = frozenset({"no", "nothing", "without", "sin"})
"""Denials of a thing end at a colon ("no changes: warfarin"), those of a deed do not ("not taking: warfarin")."""
_LONGEST = 4
"""Words of the longest phrase."""
_LIST = 60
"""Words of a list along which a negation reaches."""


class Sentence:
    """One sentence's tokens, and which of them begin a clause or a list item."""

    __slots__ = ("_clauses", "_colons", "_items", "found", "text", "values")

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Token] = tokens(text)
        self.values = [token.value for token in self.found]
        self._clauses = self._behind(text, _CLAUSE)
        self._colons = {i for i in self._behind(text, _COLON) if self.values[i - 1] not in _LEADS}
        commas = self._behind(text, _COMMA)
        ends = sorted(commas | self._clauses | {len(self.values)})
        self._items = {a for a, b in pairwise(ends) if a in commas and _is_item(self.values[a:b])}
        self._clauses |= commas - self._items

    def denies(self, start: int, end: int, own: Collection[str]) -> bool:
        """Whether the tokens from `start` to `end` are negated by a word that is none of `own`."""
        return self._denied_before(start, end, own) or self._denied_after(end, own)

    def at(self, i: int, phrases: Collection[Phrase]) -> Phrase | None:
        """The phrase that stands at token `i`, the longest first."""
        for length in range(_LONGEST, 0, -1):
            words = tuple(self.values[i : i + length])
            if len(words) == length and words in phrases:
                return words
        return None

    def _behind(self, text: str, mark: re.Pattern[str]) -> set[int]:
        """The tokens before which a mark stands."""
        return {
            i
            for i in range(1, len(self.found))
            if mark.search(text, self.found[i - 1].end, self.found[i].start)
        }

    def _denied_before(self, start: int, end: int, own: Collection[str]) -> bool:
        steps, colon = 0, False
        for i in range(start - 1, max(-1, start - 1 - _LIST), -1):
            steps += 1
            if i + 1 in self._clauses or steps > REACH or self.at(i, _TURNS):
                return False
            colon = colon or i + 1 in self._colons
            if (
                self.values[i] == "and"
                and self.values[end : end + 1]
                and self.values[end] in _FINITE
            ):
                return False  # "not tolerated, and metformin was started": a clause of its own
            if (none := self.at(i, _NO_NEGATION)) and not set(own).intersection(none):
                return False
            cue = self.at(i, _BEFORE)
            if cue and cue[-1] == "out" and self.at(i + len(cue), _BY):
                return False
            if cue and colon and cue[0] in _NOUNS:
                return False
            if cue and i + len(cue) <= start and not set(own).intersection(cue):
                return not any(self.at(j, _CANCELS) for j in range(end, end + REACH))
            if i in self._items:
                steps = 0
        return False

    def _denied_after(self, end: int, own: Collection[str]) -> bool:
        for i in (end, end + 1):  # "COVID-19 was negative", "COVID-19 test was negative"
            if i in self._clauses or i in self._items:
                return False
            cue = self.at(i, _AFTER)
            if cue and not set(own).intersection(cue):
                return self.values[i + len(cue) : i + len(cue) + 1] != ["for"]
        return False


def _is_item(piece: list[str]) -> bool:
    """Whether what stands behind a comma is an item of a list: short up to "and", without a verb or a finding."""
    if piece[0] in _AND:
        piece = piece[1:]
    if piece and piece[0] in _GOES_ON:
        return False
    first = next((i for i, word in enumerate(piece) if word in _AND), len(piece))
    return first <= _ITEM and not _FINITE.union(_FOUND).intersection(piece)
