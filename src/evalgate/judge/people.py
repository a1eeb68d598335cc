"""What people said of one model's outputs: labels read against the outputs, disputes settled, the usable ones counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce

from evalgate.authored.labels import Label
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.judge.case import Case
from evalgate.judge.reply import occurs
from evalgate.judge.scoring import worse
from evalgate.records import Record

DOUBLE = Fraction(1, 5)
"""Share of the labelled items that two raters must have seen."""
ENOUGH = 100
"""Labelled items below which a calibrated number decides nothing (statistics: the WAD-PPI bound was simulated from here)."""


class Said(Record, kw_only=True):
    """What people said of one item: an answer for each criterion that people may answer, and by how many raters.

    `complete`: every such criterion is answered. `disputed`: criteria on which raters differ and nobody settled it.
    """

    answers: dict[str, str]
    raters: int
    complete: bool
    disputed: tuple[str, ...] = ()


class Unused(Record, kw_only=True):
    """Labels that are there and speak of nothing here, by cause."""

    simulated: int = 0
    stale: int = 0
    other_output: int = 0
    not_blind: int = 0
    misquoted: int = 0
    not_drawn: int = 0

    @property
    def told(self) -> list[str]:
        """How many there are of each cause and why, without those that there are none of."""
        causes = (
            (self.simulated, "simulated"),
            (self.stale, "about an earlier wording"),
            (self.other_output, "about other outputs or sources"),
            (self.not_blind, "not given blind"),
            (self.misquoted, "with a quote that stands nowhere"),
            (self.not_drawn, "of items that were not drawn"),
        )
        return [f"{n} {why}" for n, why in causes if n]


def usable(
    labels: Iterable[Label],
    rubric: Rubric,
    cases: Mapping[str, Case],
    *,
    drawn: Collection[str] | None = None,
    simulated: bool = False,
) -> tuple[list[Label], Unused]:
    """The labels about exactly these outputs and these criteria, given blind, or to settle a dispute.

    `cases`: what was judged, by item. `drawn`: the items that people were to label, None for all: what somebody chose to label
    beside them says nothing. A quote that stands neither in the output nor in a source shows that something else was read.
    Simulated ones are left out unless `simulated`: then they, too, may be looked at, and nothing may be decided by them.
    """
    digests = {c.id: c.digest for c in rubric.criteria}
    kept: list[Label] = []
    causes: Counter[str] = Counter()
    for label in labels:
        case = cases.get(label.item)
        if label.criterion_digest != digests.get(label.criterion):
            causes["stale"] += 1
        elif case is None or label.output != case.digest:
            causes["other_output"] += 1
        elif drawn is not None and label.item not in drawn:
            causes["not_drawn"] += 1
        elif label.simulated and not simulated:
            causes["simulated"] += 1
        elif not label.blind and not label.adjudicates:
            causes["not_blind"] += 1
        elif label.quote.strip() and not occurs(label.quote, case):
            causes["misquoted"] += 1
        else:
            kept.append(label)
    return kept, Unused(**causes)


def settled(labels: Iterable[Label], rubric: Rubric) -> dict[str, Said]:
    """By item, what people said once disputes are settled: an adjudicated answer, else the raters' common one.

    Where they differ and nobody settled it, the answer that speaks more against the output stands. A repeat is not a
    second opinion and is left out.
    """
    by_item: dict[str, list[Label]] = {}
    for label in labels:
        if not label.repeat:
            by_item.setdefault(label.item, []).append(label)
    return {item: _said(found, rubric) for item, found in by_item.items()}


def _said(labels: list[Label], rubric: Rubric) -> Said:
    answers: dict[str, str] = {}
    disputed = []
    for criterion in rubric.read_by_people:
        about = [label for label in labels if label.criterion == criterion.id]
        given = {label.answer for label in about if not label.adjudicates}
        final = settling(about)
        if given:
            answers[criterion.id] = worst(criterion, final or given)
        if len(given) > 1 and not final:
            disputed.append(criterion.id)
    return Said(
        answers=answers,
        raters=_raters_of_all(labels, rubric),
        complete=len(answers) == len(rubric.read_by_people),
        disputed=tuple(disputed),
    )


def settling(labels: Iterable[Label]) -> set[str]:
    """The answers that settle what raters said of one criterion and item: of people who are none of them, where they differ.

    Who adjudicates has seen the others' answers. So where nothing is in dispute their word is no label.
    """
    labels = list(labels)
    raters = {label.who for label in labels if not label.adjudicates}
    if len({label.answer for label in labels if not label.adjudicates}) < 2:
        return set()
    return {label.answer for label in labels if label.adjudicates and label.who not in raters}


def worst(criterion: Criterion, answers: Iterable[str]) -> str:
    """Of some answers, at least one, that which speaks most against the output."""
    return reduce(lambda one, other: worse(criterion, one, other), sorted(answers))


def _raters_of_all(labels: list[Label], rubric: Rubric) -> int:
    """How many raters answered every criterion of the item."""
    wanted = {c.id for c in rubric.read_by_people}
    by_rater: dict[str, set[str]] = {}
    for label in labels:
        if not label.adjudicates:
            by_rater.setdefault(label.who, set()).add(label.criterion)
    return sum(wanted <= answered for answered in by_rater.values())


def read_twice(
    items: Sequence[str], planned: Collection[str], share: Fraction = DOUBLE
) -> set[str]:
    """Which of some items two raters read: those `planned`, and as many others, in their order, as the share needs.

    `items` are those of a plan that are answers, in its order: where a planned one never was an answer, another is read.
    """
    chosen = set(planned)
    first = sorted(items, key=lambda name: name not in chosen)  # stable: their order
    return chosen.intersection(items) | set(first[: math.ceil(share * len(items))])
