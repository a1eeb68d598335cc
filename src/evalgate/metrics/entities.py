"""Entity extraction: recall, precision and F1 of labelled pieces of text.

Conventions, each chosen so that saying nothing or failing can never raise a metric:
- An answer whose status is not "ok" misses all its gold entities and counts as one wrong guess.
- A unit with gold entities and no guess has precision 0 and F1 0, not "undefined".
- A unit without gold entities has no recall; its guesses are wrong (precision 0, F1 0); silence there is counted in
  `items` but has no denominator (in a paired difference it is right, where the other side guessed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any, Literal

from evalgate.metrics.classification import class_recall
from evalgate.metrics.estimate import Estimate
from evalgate.metrics.matching import Match, as_entities, count_matches
from evalgate.metrics.tally import Cell, Pair, Plan, measure
from evalgate.records import Answer

Average = Literal["unit", "micro"]

_MODEL_CONTROLS = (
    "found a micro average whose denominator the model controls, expected a unit mean to gate on "
    "(it is only reported)"
)


def recall(
    rows: Iterable[Answer],
    *,
    match: Match = "exact",
    label: str | None = None,
    tag: str | None = None,
    average: Average = "unit",
    unit_weight_max: int | None = None,
    similarity: float = 0.85,
) -> Estimate:
    """Share of gold entities that were found: each unit's own share, averaged over the units that have gold entities.

    match: "exact" (label and text, white space collapsed), "span" (label and offsets) or "relaxed" (label, and text at
    least `similarity` alike, in (0, 1]); always one to one. label: entities of this label only. tag: items so tagged
    only. average="micro" pools all units; it is gated only with `unit_weight_max`, the largest number of gold entities
    of a unit as the gold set's card declares it (taken from `rows.unit_weight_max` where the rows know it).

    On rows whose gold answer is a class, this is `class_recall`, and `label` is required.

    Raises ValueError for arguments out of range and for answers that are not entities (naming the item, not its text).
    """
    declared = getattr(rows, "unit_weight_max", None)
    rows, kind = _kind(rows)
    if kind is str:
        if label is None:
            raise ValueError(
                "recall: found gold answers that are classes and no label, expected the class to be recalled. "
                'Write recall(answers, label="CLASS"), or use accuracy or macro_f1.'
            )
        if (match, average, unit_weight_max, similarity) != ("exact", "unit", None, 0.85):
            raise ValueError(
                "recall: found entity arguments for gold answers that are classes, expected label and tag only. "
                "Leave out match, average, unit_weight_max and similarity."
            )
        return class_recall(rows, label=label, tag=tag)
    if unit_weight_max is None:
        unit_weight_max = declared
    count = _counter(match, label, similarity)

    def score(answer: Answer) -> Cell:
        hits, _, gold = count(answer)
        return hits, gold, gold

    plan = _plan(
        "recall", score, match=match, label=label, tag=tag, average=average, den_max=unit_weight_max
    )
    return measure(rows, plan)


def precision(
    rows: Iterable[Answer],
    *,
    match: Match = "exact",
    label: str | None = None,
    tag: str | None = None,
    average: Average = "unit",
    similarity: float = 0.85,
) -> Estimate:
    """Share of guessed entities that are right: each unit's own share, averaged over units with gold or guesses.

    Arguments and errors as in `recall`. average="micro" is reported, never gated: the model decides how many entities it
    emits, so no declared largest unit can hold.
    """
    count = _counter(match, label, similarity)

    def score(answer: Answer) -> Cell:
        hits, guesses, gold = count(answer)
        return hits, guesses, gold

    plan = _plan(
        "precision",
        score,
        match=match,
        label=label,
        tag=tag,
        average=average,
        ungated=_MODEL_CONTROLS,
    )
    return measure(rows, plan)


def f1(
    rows: Iterable[Answer],
    *,
    match: Match = "exact",
    label: str | None = None,
    tag: str | None = None,
    average: Average = "unit",
    similarity: float = 0.85,
) -> Estimate:
    """F1 of entities, 2 hits / (guesses + gold): each unit's own, averaged over units with gold or guesses.

    Arguments and errors as in `precision`; average="micro" is reported, never gated.
    """
    count = _counter(match, label, similarity)

    def score(answer: Answer) -> Cell:
        hits, guesses, gold = count(answer)
        return 2 * hits, guesses + gold, gold

    plan = _plan(
        "f1", score, match=match, label=label, tag=tag, average=average, ungated=_MODEL_CONTROLS
    )
    return measure(rows, plan)


def _counter(
    match: Match, label: str | None, similarity: float
) -> Callable[[Answer], tuple[int, int, int]]:
    """A function of one answer: (hits, guesses, gold entities)."""
    if match not in ("exact", "span", "relaxed"):
        raise ValueError(f'match: found {match!r}, expected "exact", "span" or "relaxed".')
    if not 0 < similarity <= 1:
        raise ValueError(f"similarity: found {similarity!r}, expected a number in (0, 1].")

    def count(answer: Answer) -> tuple[int, int, int]:
        gold = as_entities(answer.expected, f"item {answer.id}: expected")
        if match == "span" and any(e.start is None or e.end is None for e in gold):
            raise ValueError(
                f"item {answer.id}: found a gold entity without offsets, expected start and end. "
                'Add them to the gold set, or use match="exact".'
            )
        if label is not None:
            gold = [e for e in gold if e.label == label]
        if answer.status != "ok" or answer.parsed is None:
            return 0, 1, len(gold)
        guesses = as_entities(answer.parsed, f"item {answer.id}: parsed answer")
        if label is not None:
            guesses = [e for e in guesses if e.label == label]
        return count_matches(gold, guesses, match, similarity), len(guesses), len(gold)

    return count


def _plan(
    name: str,
    score: Callable[[Answer], Cell],
    *,
    match: Match,
    label: str | None,
    tag: str | None,
    average: Average,
    den_max: int | None = None,
    ungated: str = "",
) -> Plan:
    if average not in ("unit", "micro"):
        raise ValueError(f'average: found {average!r}, expected "unit" or "micro".')
    micro = average == "micro"
    parts = [match, *([] if label is None else [f"label={label}"]), *(["micro"] if micro else [])]
    return Plan(
        name=f"{name}[{', '.join(parts)}]",
        score=score,
        tag=tag,
        micro=micro,
        den_max=den_max if micro else None,
        ungated=ungated if micro else "",
        nothing="no gold entity" if label is None else f"no gold entity labelled {label!r}",
    )


def _kind(rows: Any) -> tuple[Any, type]:
    """The rows, still unread, and the type of their gold answers by the first of them; list if there is none."""
    if isinstance(rows, Pair):
        candidate, kind = _kind(rows.rows)
        return Pair(candidate, rows.baseline), kind
    rest = iter(rows)
    head = list(islice(rest, 1))
    kind = str if head and isinstance(head[0].expected, str) else list
    return chain(head, rest), kind
