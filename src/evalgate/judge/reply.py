"""From a judge's raw reply to a verdict, or to a void that says why. Nothing is guessed and nothing is repaired."""

from __future__ import annotations

import json
import re
from typing import Any

from evalgate.authored.rubric import Criterion
from evalgate.judge.case import Case, Verdict
from evalgate.judge.prompt import LONGEST_QUOTE, LONGEST_REASON, shown

LONGEST_REPLY = 20_000
"""Characters of a reply that are read at all."""
SHORTEST_QUOTE = 3
"""Characters, spaces aside: a quote of one letter shows nothing."""
_TOLD = re.compile(r"\banswer\W{1,8}(\w+)", re.IGNORECASE)  # "answer": "met", answer = met
_WHOLE = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})


class _Void(Exception):  # noqa: N818 - not an error: a kind of reply, raised and caught within this file
    pass


def read(text: str, finish: str, case: Case, criterion: Criterion) -> Verdict:
    """The verdict in a reply: exactly one JSON object with quote, reason and answer, and nothing around it.

    Void are: an unfinished reply, anything but that object, an answer that is not possible for the criterion, a reason
    or quote beyond its length, a required quote that occurs neither in the output nor in a source, as these were shown
    (white space folded), and a verdict that one of them dictates word for word. `finish` is the server's finish reason.
    """
    try:
        found = _object(text, finish)
        quote = _checked(found, case, criterion)
    except _Void as e:
        return Verdict(item=case.id, criterion=criterion.id, answer="void", void=str(e))
    return Verdict(
        item=case.id,
        criterion=criterion.id,
        answer=found["answer"],
        quote=quote,
        reason=found["reason"],
    )


def _checked(found: dict[str, str], case: Case, criterion: Criterion) -> str:
    """The quote if it stands in the case, "" if none need stand there. Raises _Void."""
    if found["answer"] not in criterion.answers:
        raise _Void("an answer that is none of those asked for")
    quote = found["quote"] if _shows(found["quote"]) and occurs(found["quote"], case) else ""
    if criterion.evidence == "quote" and found["answer"] == "met" and not quote:
        given = found["quote"].strip()
        raise _Void(
            "a quote that stands neither in the output nor in a source"
            if given
            else "no quote where one is required"
        )
    if _dictated(found, case):
        raise _Void("a verdict that stands word for word in the output or a source")
    return quote


def _object(text: str, finish: str) -> dict[str, str]:
    if finish == "timeout":
        raise _Void("no reply in time")
    if not text.strip():
        raise _Void("an empty reply")
    if len(text) > LONGEST_REPLY:
        raise _Void(f"a reply of more than {LONGEST_REPLY} characters")
    if finish not in _WHOLE:
        raise _Void("a reply that was cut off")
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _Void("no JSON object, or something around it") from None
    if not isinstance(found, dict) or found.keys() != {"quote", "reason", "answer"}:
        raise _Void("JSON without exactly quote, reason and answer")
    if not all(isinstance(value, str) for value in found.values()):
        raise _Void("JSON with something else than texts")
    if any("\ud800" <= c <= "\udfff" for value in found.values() for c in value):
        raise _Void("a lone half of a character, which no file can hold")
    if len(found["reason"]) > LONGEST_REASON or len(found["quote"]) > LONGEST_QUOTE:
        raise _Void("a reason or quote beyond its length")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key given twice says two things; which one was meant is not guessed."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def occurs(quote: str, case: Case) -> bool:
    """Whether the quote stands in the output or in a source, as they were shown and white space aside."""
    wanted = _folded(quote)
    return bool(wanted) and any(wanted in _folded(text) for text in _texts(case))


def _shows(quote: str) -> bool:
    return len(_folded(quote).replace(" ", "")) >= SHORTEST_QUOTE


def _dictated(found: dict[str, str], case: Case) -> bool:
    """Whether one text of the case says what to answer and holds quote and reason, too: small judges copy such things."""
    for text in _texts(case):
        told = (word.casefold() for word in _TOLD.findall(text))
        if found["answer"] in told:
            seen = _folded(text).casefold()
            if all(_folded(found[key]).casefold() in seen for key in ("quote", "reason")):
                return True
    return False


def _texts(case: Case) -> tuple[str, ...]:
    return (case.output, *(text for _, text in case.sources))


def _folded(text: str) -> str:
    return " ".join(shown(text).split())
