"""How far raters agree: with each other, and with themselves on outputs that came twice. Counts first, coefficients second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from evalgate.authored.labels import Label
from evalgate.authored.rubric import SCALE, Criterion, Rubric
from evalgate.records import Record

ALPHA = 0.05
"""Intervals are two-sided at 95 %."""


class Pair(Record, kw_only=True):
    """Two raters on one criterion, or one rater against themselves (`first` == `second`).

    `agreed` of `n` outputs that both answered; `low`, `high`: exact interval of that share, for outputs that are
    independent. kappa and AC1 are None where they are 0/0, of a rater against themselves too.
    """

    criterion: str
    first: str
    second: str
    n: int
    agreed: int
    low: float
    high: float
    kappa: float | None = None
    ac1: float | None = None

    @property
    def sentence(self) -> str:
        """What people are told first."""
        if self.first == self.second:
            return f"{self.first} gave the same answer again on {self.agreed} of {self.n}"
        return f"{self.second} agreed with {self.first} on {self.agreed} of {self.n}"


class CriterionAgreement(Record, kw_only=True):
    """One criterion: every pair of raters, each rater's repeats, and Krippendorff's alpha where there are three or more.

    alpha is ordinal on a scale (answers beside the scale are left out) and nominal else; None where it is 0/0.
    """

    criterion: str
    pairs: tuple[Pair, ...]
    repeats: tuple[Pair, ...]
    raters: int
    alpha: float | None = None


class Agreement(Record, kw_only=True):
    """All criteria, in the rubric's order. `labels` were compared, `simulated` of them; `stale` ones were not."""

    criteria: tuple[CriterionAgreement, ...]
    labels: int
    simulated: int
    stale: int

    def together(self) -> list[tuple[str, str, int, int]]:
        """(first, second, agreed, n) over all criteria. No interval: answers about one output are not independent."""
        totals: dict[tuple[str, str], tuple[int, int]] = {}
        for found in self.criteria:
            for pair in (*found.pairs, *found.repeats):
                agreed, n = totals.get((pair.first, pair.second), (0, 0))
                totals[pair.first, pair.second] = agreed + pair.agreed, n + pair.n
        return [(first, second, *counts) for (first, second), counts in totals.items()]


def agreement(rubric: Rubric, usable: Iterable[Label], *, stale: int = 0) -> Agreement:
    """From labels about the criteria as they stand. Answers given to settle a dispute are nobody's first opinion: left out."""
    kept = [label for label in usable if not label.adjudicates]
    names = {label.who: label.rater for label in reversed(kept)}  # as first written
    found = tuple(
        _of_criterion(criterion, [x for x in kept if x.criterion == criterion.id], names)
        for criterion in rubric.read_by_people
    )
    simulated = sum(label.simulated for label in kept)
    return Agreement(criteria=found, labels=len(kept), simulated=simulated, stale=stale)


def _of_criterion(
    criterion: Criterion, labels: Sequence[Label], names: Mapping[str, str]
) -> CriterionAgreement:
    first: dict[str, dict[tuple[str, str], str]] = {}
    again: dict[str, dict[tuple[str, str], str]] = {}
    for label in labels:
        side = again if label.repeat else first
        side.setdefault(names[label.who], {})[label.item, label.output] = label.answer
    pairs = [_pair(criterion, a, b, first[a], first[b]) for a, b in combinations(sorted(first), 2)]
    repeats = [_pair(criterion, a, a, first.get(a, {}), again[a]) for a in sorted(again)]
    return CriterionAgreement(
        criterion=criterion.id,
        pairs=tuple(p for p in pairs if p.n),
        repeats=tuple(p for p in repeats if p.n),
        raters=len(first),
        alpha=_alpha(criterion, first) if len(first) > 2 else None,
    )


def _pair(
    criterion: Criterion,
    a: str,
    b: str,
    ours: dict[tuple[str, str], str],
    theirs: dict[tuple[str, str], str],
) -> Pair:
    from evalgate.stats import cohen_kappa, cp_lower, cp_upper, gwet_ac1

    common = sorted(ours.keys() & theirs.keys())
    left, right = [ours[at] for at in common], [theirs[at] for at in common]
    agreed = sum(x == y for x, y in zip(left, right, strict=True))
    both = bool(common) and a != b
    return Pair(
        criterion=criterion.id,
        first=a,
        second=b,
        n=len(common),
        agreed=agreed,
        low=cp_lower(agreed, len(common), ALPHA / 2),
        high=cp_upper(agreed, len(common), ALPHA / 2),
        kappa=_number(cohen_kappa(left, right)) if both else None,
        ac1=_number(gwet_ac1(left, right)) if both else None,
    )


def _alpha(criterion: Criterion, first: dict[str, dict[tuple[str, str], str]]) -> float | None:
    from evalgate.stats import krippendorff_alpha

    questions = sorted({at for answers in first.values() for at in answers})
    scale = criterion.kind == "scale"

    def value(answer: str | None) -> int | str | None:
        if not scale or answer is None:
            return answer
        return int(answer) if answer in SCALE else None

    table = [[value(answers.get(at)) for at in questions] for _, answers in sorted(first.items())]
    try:
        return _number(krippendorff_alpha(table, "ordinal" if scale else "nominal"))
    except ValueError:  # no output with two answers
        return None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
