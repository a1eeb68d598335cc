"""Bounds of figures that have no exact ones: whole units resampled, one-sided at 5 % on either side."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np

from evalgate import stats
from evalgate.authored.rubric import Criterion
from evalgate.judge.calibration_table import ALPHA
from evalgate.judge.qualification import Reading
from evalgate.judge.scoring import UNSCORED, in_order
from evalgate.records import Record

RESAMPLES = 1000

Statistic = Callable[[Sequence[Reading]], float]
"""NaN where it is undefined."""


class Figure(Record, kw_only=True):
    """A figure with the bounds that the bootstrap gives it."""

    value: float
    low: float
    high: float


def figures(criterion: Criterion, readings: Sequence[Reading], seed: int) -> dict[str, Figure]:
    """Kappa, AC1 and macro-F1 of judge and reference, macro-F1 of people among themselves ("people"), and the
    correlation of the judge's leniency with the output's length ("length"); those that are defined.

    The figures themselves are those of `qualify`, which gives no bounds for them. Answers are met and not_met alone.
    """
    classes = sorted({r.adjudicated for r in readings})
    said = sorted({answer for r in readings for answer in r.clinicians.values()})
    wanted: dict[str, Statistic] = {
        "kappa": lambda rs: stats.cohen_kappa([_said(r) for r in rs], [r.adjudicated for r in rs]),
        "AC1": lambda rs: stats.gwet_ac1([_said(r) for r in rs], [r.adjudicated for r in rs]),
        "macro-F1": lambda rs: stats.macro_f1(
            [r.adjudicated for r in rs], [r.judge for r in rs], classes=classes
        ),
        "people": lambda rs: _among_people(rs, said),
        "length": lambda rs: _length(criterion, rs),
    }
    return {
        name: found
        for name, statistic in wanted.items()
        if (found := bootstrap(readings, statistic, seed)) is not None
    }


def bootstrap(readings: Sequence[Reading], statistic: Statistic, seed: int) -> Figure | None:
    """`statistic` with the 5 % and 95 % points of it in resamples of units; None where it is undefined.

    Resamples in which it is undefined (only one answer drawn, say) are left out.
    """
    value = statistic(readings) if readings else math.nan
    if math.isnan(value):
        return None
    of_unit: defaultdict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        of_unit[reading.unit].append(reading)
    units = [of_unit[name] for name in sorted(of_unit)]
    generator = np.random.default_rng(seed)
    drawn = []
    for chosen in generator.integers(0, len(units), (RESAMPLES, len(units))).tolist():
        again = statistic([reading for at in chosen for reading in units[at]])
        if not math.isnan(again):
            drawn.append(again)
    low, high = np.quantile(drawn, [ALPHA, 1 - ALPHA]) if drawn else (value, value)
    return Figure(value=value, low=min(value, float(low)), high=max(value, float(high)))


def _said(reading: Reading) -> str:
    """The judge's answer; one that says nothing stands for the wrong one, as in `evalgate.judge.qualification`."""
    if reading.judge in UNSCORED:
        return "not_met" if reading.adjudicated == "met" else "met"
    return reading.judge


def _among_people(readings: Sequence[Reading], classes: Sequence[str]) -> float:
    """Macro-F1 over all ordered pairs of two people on one item."""
    pairs = [pair for r in readings for pair in permutations(r.clinicians.values(), 2)]
    if not pairs:
        return math.nan
    return stats.macro_f1([a for a, _ in pairs], [b for _, b in pairs], classes=classes)


def _length(criterion: Criterion, readings: Sequence[Reading]) -> float:
    """Leniency: 1 where a faulty output is called sound, -1 where a sound one is called faulty, else 0."""
    called = [
        (called - bool(in_order(criterion, r.adjudicated)), float(r.length))
        for r in readings
        if (called := in_order(criterion, r.judge)) is not None
    ]
    lenient, lengths = [a for a, _ in called], [b for _, b in called]
    if len(set(lenient)) < 2 or len(set(lengths)) < 2:
        return math.nan
    return statistics.correlation(lenient, lengths)
