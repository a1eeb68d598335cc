"""Classification: accuracy, recall of one class, macro-F1. An answer without a usable prediction is wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from evalgate.metrics.estimate import MIN_UNITS, Estimate, MacroF1
from evalgate.metrics.tally import (
    Account,
    Cell,
    Pair,
    Plan,
    Worst,
    is_right,
    measure,
    no_items,
    unpaired,
)
from evalgate.records import Answer

_RIGHT: Cell = (1, 1, 1)
_WRONG: Cell = (0, 1, 1)
_OTHER: Cell = (0, 0, 0)

_Labels = tuple[str, str | None]
"""Gold class and predicted class of one item; None is no usable prediction."""


def accuracy(rows: Iterable[Answer], *, tag: str | None = None) -> Estimate:
    """Share of items answered right, as the suite's `correct=` says; with several items in a unit, the mean of unit shares.

    Raises ValueError where `correct` is neither True nor False.
    """

    def score(answer: Answer) -> Cell:
        return _RIGHT if is_right(answer) else _WRONG

    return measure(rows, Plan(name="accuracy", score=score, tag=tag, binary=True))


def class_recall(rows: Iterable[Answer], *, label: str, tag: str | None = None) -> Estimate:
    """Share of the items of gold class `label` that were predicted as `label`.

    Items of other classes are accounted for in `items` but are in no denominator. Insufficient below 50 units of the
    class. Raises ValueError where a gold answer is not a class.
    """

    def score(answer: Answer) -> Cell:
        if _gold_class(answer) != label:
            return _OTHER
        return _RIGHT if answer.status == "ok" and answer.parsed == label else _WRONG

    plan = Plan(
        name=f"recall[class={label}]",
        score=score,
        tag=tag,
        binary=True,
        floor=True,
        nothing=f"no item of class {label!r}",
    )
    return measure(rows, plan)


def macro_f1(
    rows: Iterable[Answer], *, classes: Sequence[str] | None = None, tag: str | None = None
) -> Estimate:
    """Unweighted mean of the classes' F1, pooled over items; a class that is never right has F1 0.

    classes: every class there is; None takes the gold classes seen, and then a class that lost all its items goes
    unnoticed. A prediction outside of them (or none) misses its gold class and is a false alarm of no class.
    Insufficient if any class has fewer than 50 gold units.

    Raises ValueError for a gold class that is not in `classes`; TypeError inside paired_difference.
    """
    if isinstance(rows, Pair):
        unpaired("macro_f1")
    declared = None if classes is None else frozenset(classes)
    account, worst = Account(), Worst()
    by_unit: dict[str, list[_Labels]] = {}
    # One tuple per distinct pair: nothing of the rows is kept.
    shared: dict[_Labels, _Labels] = {}
    for answer, _ in account.of(rows, tag):
        gold = _gold_class(answer)
        if declared is not None and gold not in declared:
            raise ValueError(
                f"item {answer.id}: found a gold class that is not declared, expected one of the classes= "
                f"({len(declared)} are given). Add it to them, or leave classes= out."
            )
        guess = answer.parsed if answer.status == "ok" and isinstance(answer.parsed, str) else None
        if guess != gold:
            worst.add((0.0, answer.id))
        pair = (gold, guess)
        by_unit.setdefault(answer.unit, []).append(shared.setdefault(pair, pair))
    known = declared if declared is not None else frozenset(gold for gold, _ in shared)
    sample = _sample(by_unit, known)
    return Estimate(
        metric="macro_f1",
        value=_macro_f1(sample) if account.items else None,
        units=len(by_unit),
        items=account.items,
        unscored=account.unscored,
        coverage=account.coverage,
        tag=tag,
        sample=sample,
        insufficient=_clustered(by_unit)
        or _shortage(by_unit, known, tag, named=declared is not None),
        worst=worst.ids,
        answers=account.answers,
    )


def _clustered(by_unit: dict[str, list[_Labels]]) -> str:
    """Items of uneven units pool like a micro ratio: with rare large units the bound errs in up to a quarter of cases."""
    if all(len(items) == 1 for items in by_unit.values()):
        return ""
    return "found units with several items, expected one item a unit: macro-F1 over clusters is for the eye only"


def _gold_class(answer: Answer) -> str:
    if isinstance(answer.expected, str):
        return answer.expected
    raise ValueError(
        f"item {answer.id}: found a gold answer of type {type(answer.expected).__name__}, expected a class (str). "
        "Use the metrics of entities, or accuracy, on this gold set."
    )


def _sample(by_unit: dict[str, list[_Labels]], known: frozenset[str]) -> MacroF1:
    """Canonical: sorted within units, then units by content, so that neither order nor unit names matter."""
    classes = tuple(sorted(known))
    code: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    pairs = {pair for unit in by_unit.values() for pair in unit}
    coded = {pair: (code[pair[0]], code.get(pair[1], -1)) for pair in pairs}
    units = sorted(sorted(map(coded.__getitem__, unit)) for unit in by_unit.values())
    clustered = any(len(unit) > 1 for unit in units)
    return MacroF1(
        y=tuple(classes[gold] for unit in units for gold, _ in unit),
        yhat=tuple(classes[guess] if guess >= 0 else None for unit in units for _, guess in unit),
        units=tuple(i for i, unit in enumerate(units) for _ in unit) if clustered else None,
        classes=classes,
    )


def _macro_f1(sample: MacroF1) -> float:
    """F1 of a class is 2 hits / (items of the class + predictions of it)."""
    hits = Counter(gold for gold, guess in zip(sample.y, sample.yhat, strict=True) if gold == guess)
    gold, guessed = Counter(sample.y), Counter(sample.yhat)
    scores = [2 * hits[c] / max(1, gold[c] + guessed[c]) for c in sample.classes]
    return math.fsum(scores) / len(scores)


def _shortage(
    by_unit: dict[str, list[_Labels]], known: frozenset[str], tag: str | None, *, named: bool
) -> str:
    """Why no verdict may rest on these items, "" if one may: every class needs its own units.

    Classes are named only if the suite declared them: gold answers that are free text must not reach a report.
    """
    if not by_unit:
        return no_items(tag)
    held = Counter(c for pairs in by_unit.values() for c in {gold for gold, _ in pairs})
    short = [c for c in sorted(known) if held[c] < MIN_UNITS]
    if not short:
        return ""
    if named:
        found = ", ".join(f"{held[c]} units of class {c!r}" for c in short)
    else:
        least = min(held[c] for c in short)
        found = (
            f"{len(short)} of {len(known)} classes with too few units (the smallest has {least})"
        )
    return f"found {found}, expected at least {MIN_UNITS} units of each class"
