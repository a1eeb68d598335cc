"""Metrics of judged answers: verdicts -> Estimate, raw for screening, or corrected by what people said.

    rubric_pass_rate(verdicts)                    the judge's word alone: development only, a row with judge = "screen"
    rubric_pass_rate(verdicts, calibration)       what people said of a random part corrects it: judge = "calibrated"

The corrected interval is the worst-atom form of prediction-powered inference (statistics: WAD-PPI). A judge that was not
shown to agree with people has no part in it, nor one that speaks otherwise of the outputs that people were to read than of
the rest: then it is the exact interval of the labels alone. Units are averaged, and units were drawn.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, cast

import msgspec

from evalgate.judge.calibration import Calibration
from evalgate.judge.scoring import UNSCORED, in_order
from evalgate.judge.verdicts import Judged, Verdicts, refuse_unknown
from evalgate.metrics.estimate import MIN_UNITS, Bounds, Estimate, Kind, UnitMean
from evalgate.metrics.tally import Cell, Plan, measure
from evalgate.records import Answer, Record

_GRID = 1 << 60  # scores as integers, see metrics.rates
APART = 3.29
"""Standard errors between drawn and other units beyond which a judge is set aside: the normal law's 0.0005 at either end."""


class Corrected(Record, kw_only=True):
    """Labels `y` of the labelled units, the judge's guesses `f` of the same units and `rest` of the others, in [0, 1].

    `f` and `rest` are empty where the judge has no part in it; `aside` if that is because it told them apart.
    """

    kind: ClassVar[Kind] = "level"
    y: tuple[float, ...]
    f: tuple[float, ...] = ()
    rest: tuple[float, ...] = ()
    aside: bool = False

    def __repr__(self) -> str:
        return f"<Corrected labelled={len(self.y)} others={len(self.rest)}>"

    @property
    def method(self) -> str:
        """Name of the bound."""
        if self.rest and self.f:
            return "worst-atom PPI"
        return "worst-atom mean of labels" + (", judge set aside" if self.aside else "")

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Monte Carlo, the same seed gives the same bits; exact (Clopper-Pearson) for labels of 0 and 1 alone."""
        from evalgate.stats import cp_lower, cp_upper, worst_atom_ppi_lower, worst_atom_ppi_upper

        if not (self.rest and self.f):
            if all(value in (0.0, 1.0) for value in self.y):
                k, n = int(sum(self.y)), len(self.y)
                return float(cp_lower(k=k, n=n, alpha=alpha)), float(
                    cp_upper(k=k, n=n, alpha=alpha)
                )
            counts = tuple((value, self.y.count(value)) for value in sorted(set(self.y)))
            return UnitMean(x_counts=counts).bounds(alpha, seed, draws)
        y, f, rest = list(self.y), list(self.f), list(self.rest)
        low = worst_atom_ppi_lower(y, f, rest, alpha=alpha, draws=draws, seed=seed)
        high = worst_atom_ppi_upper(y, f, rest, alpha=alpha, draws=draws, seed=seed)
        return float(low), float(high)

    @property
    def point(self) -> float | None:
        """The point estimate: the labels' mean, moved by what the judge says of the others."""
        if not self.y:
            return None
        if not (self.rest and self.f):
            return sum(self.y) / len(self.y)
        from evalgate.stats import ppi_mean_point

        found = float(ppi_mean_point(list(self.y), list(self.f), list(self.rest)))
        return min(1.0, max(0.0, found))


def rubric_pass_rate(
    verdicts: Verdicts, calibration: Calibration | None = None, *, tag: str | None = None
) -> Estimate:
    """Share of items at or above the rubric's pass mark with no critical hit; of several items a unit, the mean over units.

    Without `calibration` it is the judge's word; an item without a score counts as not passed and as unscored.
    """

    def score(row: Judged) -> Cell:
        return (1, 1, 1) if row.score is not None and row.score.passed else (0, 1, 1)

    plan = Plan(name="rubric_pass_rate", score=_of(score), tag=tag, binary=True)
    raw = _measured(_as_asked(verdicts, calibration), plan)
    if calibration is None:
        return raw
    return _corrected(
        raw,
        calibration,
        tag,
        label=lambda row: None if (s := calibration.score_of(row)) is None else float(s.passed),
        guess=lambda row: None if (s := calibration.guess_of(row)) is None else float(s.passed),
    )


def rubric_score(
    verdicts: Verdicts, calibration: Calibration | None = None, *, tag: str | None = None
) -> Estimate:
    """Mean item score in [0, 1]; an item without a score counts 0 and as unscored."""

    def score(row: Judged) -> Cell:
        return (int(row.score.value * _GRID) if row.score is not None else 0), _GRID, 1

    plan = Plan(name="rubric_score", score=_of(score), tag=tag)
    raw = _measured(_as_asked(verdicts, calibration), plan)
    if calibration is None:
        return raw
    return _corrected(
        raw,
        calibration,
        tag,
        label=lambda row: None if (s := calibration.score_of(row)) is None else s.value,
        guess=lambda row: None if (s := calibration.guess_of(row)) is None else s.value,
    )


def criterion_rate(
    verdicts: Verdicts,
    criterion: str,
    calibration: Calibration | None = None,
    *,
    tag: str | None = None,
) -> Estimate:
    """Share of items in order by one criterion; for a fault the share that has it, lower is better.

    What the criterion does not apply to is in order; a step of a scale is, from the middle on. An answer that failed, or
    was not scored, speaks against the model. Of a criterion that code answers it needs no judge and no calibration.
    Raises UsageError (EG660) for an unknown criterion.
    """
    found = refuse_unknown(verdicts.rubric, criterion)

    def bad(row: Judged) -> bool:
        if row.status not in ("ok", "unscored"):
            return True
        return in_order(found, row.answer(criterion)) is not True

    def score(row: Judged) -> Cell:
        return (1, 1, 1) if bad(row) == found.fault else (0, 1, 1)

    plan = Plan(
        name=f"criterion_rate[{criterion}]",
        score=_of(score),
        tag=tag,
        binary=True,
        worst=1.0 if found.fault else 0.0,
    )
    by_people_alone = calibration is not None and "judge" not in found.judged_by
    rows = _About(verdicts, () if by_people_alone else (criterion,))
    raw = _measured(rows, plan)
    if found.by_code:
        return msgspec.structs.replace(raw, judge=None)
    if calibration is None:
        return raw

    def label(row: Judged) -> float | None:
        if row.status not in ("ok", "unscored"):
            return float(found.fault)
        share = calibration.fulfilled_by(row, criterion)
        if share is None:
            return None
        return float(share >= 0.5)

    def guess(row: Judged) -> float | None:
        return float(bad(row) == found.fault) if criterion in calibration.deciding else None

    return _corrected(raw, calibration, tag, label=label, guess=guess)


def agreement(
    verdicts: Verdicts,
    calibration: Calibration,
    criterion: str | None = None,
    *,
    tag: str | None = None,
) -> Estimate:
    """Share of drawn and labelled items on which the judge says what people say: of one criterion, or of passing at all.

    Void and undecided verdicts are disagreement. Every item of the slice is accounted for; what was not drawn counts for
    nothing, whoever labelled it.
    """
    found = None if criterion is None else refuse_unknown(verdicts.rubric, criterion)

    def score(row: Judged) -> Cell:
        if not calibration.was_drawn(row):
            return 0, 0, 0
        if found is not None:
            said = calibration.answer_of(row, found.id)
            if said is None:
                return 0, 0, 0
            return (1, 1, 1) if row.answer(found.id) == said else (0, 1, 1)
        people = calibration.score_of(row)
        if people is None or row.status not in ("ok", "unscored"):
            return 0, 0, 0
        return (1, 1, 1) if row.score and row.score.passed == people.passed else (0, 1, 1)

    name = f"agreement[{criterion}]" if criterion else "agreement"
    plan = Plan(name=name, score=_of(score), tag=tag, binary=True, nothing="no labelled item")
    estimate = _measured(verdicts, plan)
    lacking = calibration.lacking(tag)
    reason = "; ".join(r for r in (lacking, estimate.insufficient) if r)
    return msgspec.structs.replace(estimate, judge="calibrated", insufficient=reason)


class _About:
    """Verdicts as some criteria see them: an item is unscored if one of these criteria is."""

    def __init__(self, verdicts: Verdicts, criteria: Iterable[str]) -> None:
        self._verdicts = verdicts
        self._criteria = tuple(criteria)

    def __iter__(self) -> Iterator[Judged]:
        for row in self._verdicts:
            if row.status in ("ok", "unscored"):
                silent = any(row.answer(name) in UNSCORED for name in self._criteria)
                yield msgspec.structs.replace(row, status="unscored" if silent else "ok")
            else:
                yield row


def _as_asked(verdicts: Verdicts, calibration: Calibration | None) -> Verdicts | _About:
    """The rows of a number for the whole rubric. One that people correct waits for no judge where none is asked."""
    if calibration is None:
        return verdicts
    criteria = calibration.verdicts.rubric.criteria
    return _About(verdicts, [c.id for c in criteria if c.judged_by != ("clinician",)])


def _of(score: Callable[[Judged], Cell]) -> Callable[[Answer], Cell]:
    """A judged item has what the tally reads of an answer: id, unit, tags and status."""
    return cast("Callable[[Answer], Cell]", score)


def _measured(rows: Verdicts | _About, plan: Plan) -> Estimate:
    return measure(cast("Iterable[Answer]", rows), plan)


def _corrected(
    raw: Estimate,
    calibration: Calibration,
    tag: str | None,
    *,
    label: Callable[[Judged], float | None],
    guess: Callable[[Judged], float | None],
) -> Estimate:
    """The raw estimate with its value, its sample and its doubts replaced by what labels make of them."""
    drawn, rest = calibration.labelled(tag), calibration.rest(tag)
    labelled = [(row, value) for row in drawn if (value := label(row)) is not None]
    y = _by_unit(labelled)
    guesses = [(row, value) for row, _ in labelled if (value := guess(row)) is not None]
    f, others, aside = {}, {}, False
    if guesses and len(guesses) == len(labelled):
        f, others = _by_unit(guesses), _by_unit([(row, cast("float", guess(row))) for row in rest])
        aside = not _alike(list(f.values()), list(others.values()))
    if aside:
        f, others = {}, {}
    sample = Corrected(
        y=tuple(y[unit] for unit in sorted(y)),
        f=tuple(f[unit] for unit in sorted(f)),
        rest=tuple(others[unit] for unit in sorted(others)),
        aside=aside,
    )
    doubts = [raw.insufficient if not raw.items else calibration.lacking(tag)]
    if len(y) < min(MIN_UNITS, len(labelled)):
        doubts.append(
            f"found {len(y)} labelled units, expected at least {MIN_UNITS} for a clustered metric"
        )
    return msgspec.structs.replace(
        raw,
        value=sample.point,
        units=len(sample.y) + len(sample.rest),
        sample=sample,
        insufficient="; ".join(doubt for doubt in doubts if doubt),
        judge="calibrated",
    )


def _alike(drawn: Sequence[float], rest: Sequence[float]) -> bool:
    """Whether a judge speaks of the drawn units as of the rest, as far as their means tell.

    Of a judge that does not know the draw, drawn units are any of all: the difference of the means has the permutation law,
    of 0/1 the hypergeometric one, and here their normal form. A judge that knows it could praise what nobody reads.
    """
    if not drawn or not rest:
        return True
    apart = abs(statistics.fmean(drawn) - statistics.fmean(rest))
    error = statistics.pstdev([*drawn, *rest]) * math.sqrt(1 / len(drawn) + 1 / len(rest))
    return apart <= APART * error + 1e-12  # equal means may differ in their last bit


def _by_unit(values: Iterable[tuple[Judged, float]]) -> dict[str, float]:
    """The mean of each unit."""
    units: dict[str, list[float]] = {}
    for row, value in values:
        units.setdefault(row.unit, []).append(value)
    return {unit: sum(found) / len(found) for unit, found in units.items()}
