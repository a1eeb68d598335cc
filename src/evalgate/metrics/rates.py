"""Rates of what can go wrong with an answer, and the mean of any score: the way to a metric of one's own."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

from evalgate.metrics.estimate import Estimate
from evalgate.metrics.tally import Cell, Plan, is_right, measure
from evalgate.records import Answer

What = Literal["failed", "truncated", "refused", "unparseable", "timeout", "missing", "wrong"]

# Scores become integers on this grid, so that sums over a unit are exact and do not depend on the order of its items.
# Multiplying by a power of two is exact; what is cut off is below 1e-18.
_GRID = 1 << 60


class ItemError(ValueError):
    """An item that a suite's own function could not score: its id, and kinds and names of functions.

    The words are this package's own and never a text of the item, so they may be shown wherever ids may.
    """

    def __init__(self, item: str, found: str, expected: str) -> None:
        super().__init__(item, found, expected)
        self.item = item
        self.found = found
        self.expected = expected

    def __str__(self) -> str:
        return f"item {self.item}: found {self.found}, expected {self.expected}"


def rate(
    rows: Iterable[Answer],
    what: What | Callable[[Answer], bool],
    *,
    tag: str | None = None,
    name: str | None = None,
) -> Estimate:
    """Share of items that went wrong in the way `what`; for a `max` threshold, its upper end counts.

    what: "failed" (status is not "ok"), "wrong" (failed, or not right), one status by its name ("truncated", "refused",
    "unparseable", "timeout", "missing"), or a function of one answer that returns True where it went wrong; an answer
    whose status is not "ok" went wrong without being shown to it. name: for reports, the function's own name otherwise.
    Raises ValueError for any other name, ItemError where the function fails or returns no bool.
    """
    if callable(what):
        title = name or _title(what)
        hit = _predicate(what, title)
    else:
        title = name or what
        hit = _by_name(what)

    def score(answer: Answer) -> Cell:
        return (1, 1, 1) if hit(answer) else (0, 1, 1)

    return measure(rows, Plan(name=f"rate[{title}]", score=score, tag=tag, binary=True, worst=1.0))


def mean(
    rows: Iterable[Answer],
    score: Callable[[Answer], float],
    *,
    name: str | None = None,
    tag: str | None = None,
    failed: bool = False,
) -> Estimate:
    """Mean of `score(answer)` in [0, 1], higher is better: each unit's own mean, averaged over units.

    An answer whose status is not "ok" scores 0 without being shown to `score`; failed=True shows it. name: for reports,
    the function's own name otherwise. Raises ItemError for a score that is NaN, outside of [0, 1] or no number, and
    where the function fails.
    """
    title = name or _title(score)

    def cell(answer: Answer) -> Cell:
        if answer.status != "ok" and not failed:
            return 0, _GRID, 1
        value = _number(_apart(answer, score, title))
        if value is None:
            raise ItemError(
                answer.id,
                f"a score of {title} that is no number in [0, 1]",
                "one. Rescale or clip it in the score function, and decide there what an odd answer is worth.",
            )
        return int(value * _GRID), _GRID, 1

    return measure(rows, Plan(name=f"mean[{title}]", score=cell, tag=tag))


def _by_name(what: What) -> Callable[[Answer], bool]:
    if what not in get_args(What):
        near = difflib.get_close_matches(str(what), get_args(What), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"rate: found {what!r}, expected one of {', '.join(get_args(What))}, or a function.{hint}"
        )
    if what == "failed":
        return lambda answer: answer.status != "ok"
    if what == "wrong":
        return lambda answer: not is_right(answer)
    return lambda answer: answer.status == what


def _predicate(what: Callable[[Answer], bool], title: str) -> Callable[[Answer], bool]:
    def hit(answer: Answer) -> bool:
        if answer.status != "ok":
            return True
        went_wrong = _apart(answer, what, title)
        if not isinstance(went_wrong, bool):
            raise ItemError(
                answer.id,
                f"{type(went_wrong).__name__} from {title}",
                "True (it went wrong) or False. Return a bool.",
            )
        return went_wrong

    return hit


def _title(function: Callable[[Answer], Any]) -> str:
    return str(getattr(function, "__name__", "score"))


def _apart(answer: Answer, score: Callable[[Answer], Any], title: str) -> Any:
    """Calls a suite's own score. Its exceptions may quote the answer, so only their kind goes on."""
    __tracebackhide__ = True
    try:
        return score(answer)
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # exits and skips too: one answer does not end the test of all
        kind = type(e).__name__
    raise ItemError(answer.id, f"{kind} in {title}", "a score. Mend the function.")


def _number(value: Any) -> float | None:
    """`value` as a float in [0, 1], else None. A string is no number, even if it looks like one."""
    if isinstance(value, (str, bytes)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number <= 1 else None
