"""From the answers about one output to its score. The signs and points are applied here and by nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from evalgate.authored.rubric import Criterion, Rubric
from evalgate.records import Record

UNSCORED = ("void", "cannot_tell")
_UNEARNED = (
    0.9  # better than every answer that speaks against the output, and it earns less than the best
)


class ItemScore(Record, kw_only=True):
    """`value` in [0, 1]; `passed`: at or above the rubric's pass mark, and no critical hit. `hits`: ids of critical hits."""

    value: float
    passed: bool
    hits: tuple[str, ...] = ()


def score(rubric: Rubric, answers: Mapping[str, str]) -> ItemScore | None:
    """The score of one output from its answer to every criterion; None if any is void, cannot_tell or absent.

    Points met over the positive points that apply, less the faults found, clipped to [0, 1]; a scale earns
    (step - 1) / 4 of its points. Where no positive point applies: 1 less the share of the faults' points that were
    found. A critical hit is a must-have that is not met or a fault that is.
    """
    positive = earned = faults = found = Fraction(0)
    hits = []
    for criterion in rubric.criteria:
        answer = answers.get(criterion.id, "void")
        if answer in UNSCORED:
            return None
        if answer == "not_applicable":
            continue
        share = fulfilled(criterion, answer)
        points = _as_written(criterion.points)
        if criterion.fault:
            faults -= points
            found -= points * Fraction(share)
        else:
            positive += points
            earned += points * Fraction(share)
        if criterion.critical and share == (1.0 if criterion.fault else 0.0):
            hits.append(criterion.id)
    lost = found / faults if faults else Fraction(0)
    value = (earned - found) / positive if positive else 1 - lost
    value = min(Fraction(1), max(Fraction(0), value))
    passed = value >= _as_written(rubric.pass_mark) and not hits
    return ItemScore(value=float(value), passed=passed, hits=tuple(hits))


def _as_written(number: float) -> Fraction:
    """The decimal that stands in the file: points of 0.1 add up to a pass mark of 0.7, floats do not."""
    return Fraction(str(number))


def fulfilled(criterion: Criterion, answer: str) -> float:
    """How far the criterion is true of the output, in [0, 1]. Raises ValueError for an answer that does not say."""
    if criterion.kind == "scale":
        if answer not in criterion.answers[:5]:
            raise ValueError(f"{criterion.id}: found {answer!r}, expected a step of the scale.")
        return (int(answer) - 1) / 4
    if answer not in ("met", "not_met"):
        raise ValueError(f"{criterion.id}: found {answer!r}, expected met or not_met.")
    return 1.0 if answer == "met" else 0.0


def in_order(criterion: Criterion, answer: str) -> bool | None:
    """Whether the output is in order by this criterion: a must-have met, a fault absent; None where unscored.

    What does not apply is in order. A scale is in order from its middle step on.
    """
    if answer in UNSCORED:
        return None
    if answer == "not_applicable":
        return True
    share = fulfilled(criterion, answer)
    return share < 0.5 if criterion.fault else share >= 0.5


def worse(criterion: Criterion, one: str, other: str) -> str:
    """Of two answers the one that speaks more against the output; cannot_tell speaks more than any."""
    return min(one, other, key=lambda answer: _standing(criterion, answer))


def _standing(criterion: Criterion, answer: str) -> tuple[float, str]:
    if answer in UNSCORED:
        return (-1.0, answer)
    if answer == "not_applicable":
        return (_UNEARNED, answer)
    share = fulfilled(criterion, answer)
    return (1.0 - share if criterion.fault else share, answer)
