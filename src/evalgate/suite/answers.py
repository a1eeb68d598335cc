"""`Answers`: the gold set read beside its run. Re-read on every pass, so memory does not grow with the gold set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from evalgate.authored import Card, GoldSet
from evalgate.errors import IntegrityError
from evalgate.metrics.rates import ItemError
from evalgate.records import Answer, GoldItem, Status
from evalgate.store import Row, Run
from evalgate.suite.suite import Suite

_WHOLE = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", ""})
"""Finish reasons of an answer that the model itself ended; "" where a server names none. Any other is a stump."""


class FirstRelease:
    """Stands for the baseline that a first release does not have."""

    first_release = True

    def __repr__(self) -> str:
        return "<FirstRelease>"


class Answers:
    """Every item of the gold set, in order, with what the model made of it. Items without an answer are "missing".

    Iterating yields `evalgate.records.Answer`. Nothing can be taken out of it: a metric that is given less than the
    whole is recognised by its coverage.
    """

    def __init__(self, suite: Suite, gold: GoldSet, run: Run, *, card: Card | None = None) -> None:
        self.suite = suite
        self.gold = gold
        self.run = run
        self.unit_weight_max = (
            card.unit_weight_max if card else None
        )  # micro metrics need the declared largest unit

    def __repr__(self) -> str:
        return f"<Answers n={len(self)}>"

    def __len__(self) -> int:
        return len(self.gold)

    def __iter__(self) -> Iterator[Answer]:
        __tracebackhide__ = True  # this frame holds texts; pytest would print them with -l
        row_of, suite = self.run.row, self.suite
        parse, expected_of, correct = suite.parse, suite.expected, suite.correct
        for ordinal, item in self.gold.items():
            row = row_of(ordinal)
            if row is not None and row.id != item.id:
                raise IntegrityError(
                    f"found the answer to {row.id!r} in the place of {item.id!r}, expected each answer with its item. "
                    "Run again with --fresh.",
                    where=str(self.run.answers),
                    code="EG405",
                )
            expected = _apart(item.id, "parse.gold", expected_of, item.expected)
            parsed = None
            status: Status = "missing" if row is None else _early(row)
            if row is not None and status == "ok":
                parsed = _apart(item.id, "parse", parse, row.text)
                if parsed is None:
                    from evalgate.text import refuses

                    status = "refused" if refuses(row.text) else "unparseable"
            yield Answer(
                id=item.id,
                unit=item.unit,
                tags=item.tags,
                input=item.input,
                expected=expected,
                text="" if row is None else row.text,
                parsed=parsed,
                status=status,
                correct=status == "ok"
                and _apart(item.id, "correct", correct, parsed, expected) is True,
            )


def _apart(item: str, what: str, function: Callable[..., Any], *given: Any) -> Any:
    """Calls a suite's own function. Its exceptions may quote what it was given, so only their kind goes on."""
    __tracebackhide__ = True
    try:
        return function(*given)
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # exits and skips too: one answer does not end the test of all
        kind = type(e).__name__
    raise ItemError(item, f"{kind} in the suite's {what}", "a value. Mend the function.")


def _early(row: Row) -> Status:
    """The causes that are known before parsing. A truncated answer is wrong even where its stump would parse."""
    if row.finish in _WHOLE:
        return "ok"
    if row.finish == "timeout":
        return "timeout"
    return "refused" if row.finish == "content_filter" else "truncated"


def check_expected(suite: Suite, item: GoldItem) -> str | None:
    """Why the suite's parser cannot hold this item's `expected`, or None if it can. Never quotes it."""
    try:
        suite.expected(item.expected)
    except KeyboardInterrupt:
        raise
    except BaseException as e:
        ours = isinstance(e, ValueError) and type(suite.parse).__module__.startswith("evalgate.")
        return str(e) if ours else f"{type(e).__name__} in its parser"
    return None
