"""What reads badly in a rubric that is valid: warnings for its authors, which stop nothing.

The rules are few and look at words alone, so that a warning is mostly right; a rubric without warnings may still be a bad
one. What stands in quotation marks is somebody else's wording and is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalgate.authored.problems import count
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.records import Problem

MOST_CRITERIA = 15

_QUOTED = re.compile(r"[\"“][^\"“”]*[\"”]")
_NEGATED_VERB = re.compile(
    r"(?i)\b(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|may|must)(?:n['’]t| not)\b"
    r"|\bcannot\b|\bnever\b|\bfail(?:s|ed)? to\b"
)
_NEGATION = re.compile(
    r"(?i)\b(?:not|never|no|none|nothing|without|cannot|lacks?|omits?|fail(?:s|ed)? to)\b|n['’]t\b"
)
# Behind these begins what is said about a part of the sentence: "states a date that is not on file".
_SUBORDINATE = re.compile(
    r"(?i)[,;:]|\b(?:that|which|who|whom|whose|where|when|if|unless|because|as|than|but)\b"
)
_VERB = (
    r"(?:is|are|has|have|does|gives?|states?|says?|tells?|names?|explains?|describes?|lists?|includes?|mentions?|cites?"
    r"|quotes?|uses?|avoids?|asks?|offers?|contains?|provides?|shows?|identifies|identify|answers?|addresses|address"
    r"|recommends?|refers?|warns?|summari[sz]es?|makes?|keeps?)"
)
# "gives A, B and C" is one ask with a list; "gives A and explains B" is two that can come out differently.
_SECOND_ASK = re.compile(
    rf"(?i)\b(?:and|as well as)\s+(?:also\s+|then\s+|it\s+|the \w+\s+)?{_VERB}\b(?!\s+of\b)|\band/or\b"
)
# A further sentence may explain a word of the first ("The reader is the member."); it must not ask something more.
_SECOND_SENTENCE = re.compile(
    r"(?i)\?[^?]*\?|[.;]\s+(?:and |also )?(?:it|they|(?:the|an?) (?:output|letter|summary|answer|text|reply|response|note))\b"
)
_VAGUE = re.compile(
    r"(?i)\b(?:(?:in)?appropriate|(?:in)?adequate|(?:un)?reasonable|(?:in)?sufficient|(?:un)?suitable|(?:im)?proper"
    r"|(?:un)?satisfactory|(?:un)?acceptable)(?:ly)?\b(?! (?:and necessary|accommodation|name|noun))"
    r"|\b(?:good|bad|nice|well[- ]written|high[- ]quality)\b(?! (?:faith|cause|standing))"
)


def lint(rubric: Rubric) -> tuple[Problem, ...]:
    """The warnings about a valid rubric (EG620 to EG626), by line."""
    found = [
        Problem(path=rubric.path, code=code, message=message, line=line)
        for line, code, message in _warnings(rubric)
    ]
    return tuple(sorted(found, key=lambda p: (p.line, p.code)))


def _warnings(rubric: Rubric) -> Iterator[tuple[int, str, str]]:
    if len(rubric.criteria) > MOST_CRITERIA:
        found = count(len(rubric.criteria), "criterion").replace("criterions", "criteria")
        yield (
            0,
            "EG625",
            f"found {found}, expected at most {MOST_CRITERIA}: raters tire, and each needs its own labels. Merge or drop some.",
        )
    if not any(criterion.examples for criterion in rubric.criteria):
        yield (
            0,
            "EG626",
            "found no examples, expected some of each answer: raters and judge then read a criterion the same way. Write two for the hardest criteria.",
        )
    for criterion in rubric.criteria:
        for code, message in _of_criterion(criterion):
            yield (
                rubric.lines.get(criterion.id, 0),
                code,
                f"[[criterion]] {criterion.id}: {message}",
            )


def _of_criterion(criterion: Criterion) -> Iterator[tuple[str, str]]:
    ask = _QUOTED.sub("…", criterion.ask)
    if criterion.fault and _negates_twice(ask):
        yield (
            "EG620",
            "found a fault that asks for an absence, expected one that asks for a presence: raters stumble over two negations. Ask for the thing itself, with points above 0.",
        )
    if _SECOND_SENTENCE.search(ask) or _SECOND_ASK.search(ask):
        yield (
            "EG621",
            "found several asks in one, expected one: an output can meet the first and miss the second. Write a criterion for each.",
        )
    if not criterion.by_code:
        yield from _for_people(criterion, ask)


def _for_people(criterion: Criterion, ask: str) -> Iterator[tuple[str, str]]:
    text = _QUOTED.sub("…", f"{criterion.met}\n{criterion.not_met}")
    vague = _VAGUE.search(f"{ask}\n{text}")
    if vague:
        yield (
            "EG622",
            f"found the word `{vague[0].lower()}`, expected what it means here: to two raters it is two things. Say what must be there.",
        )
    if criterion.critical and criterion.evidence == "none":
        yield (
            "EG623",
            'found a critical criterion without evidence = "quote", expected it: what fails an output must be shown. Add it, unless only an absence meets the criterion.',
        )
    lacking = [name for name in ("met", "not_met") if not getattr(criterion, name)]
    if criterion.kind == "binary" and lacking:
        yield (
            "EG624",
            f"found no `{'` and no `'.join(lacking)}`, expected both: the border between them is what raters differ about. Write what counts as which.",
        )


def _negates_twice(ask: str) -> bool:
    """Whether a fault's ask, already held against the output by its points, is itself negated, or negated twice."""
    main = _SUBORDINATE.split(ask, maxsplit=1)[0]
    return bool(_NEGATED_VERB.search(main)) or len(_NEGATION.findall(ask)) > 1
