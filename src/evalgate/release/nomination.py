"""From points to curves, and from curves to who is nominated for a paired comparison. Nothing is promoted here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evalgate.authored.curve import CurveFile
from evalgate.report.curve import NOMINATE, BaseCurve, CurvePoint, TaskCurves
from evalgate.report.curve_plot import Outlook

if TYPE_CHECKING:
    from evalgate.stats.learning_curve import LearningCurve

ALPHA = 0.05
"""Of each end of an interval: bands of 90 %."""
_STEPS = 24  # of a drawn line


def task_curves(
    file: CurveFile, points: Sequence[CurvePoint], task: str, measured: str, rows: int
) -> TaskCurves:
    """Every base's curve on `task`, and each challenger's chance to be better at the planned number of rows.

    `rows`: of the task now. A base with too few points, or whose points are no curve, has the reason in its place.
    """
    from evalgate.stats.learning_curve import better_probability

    planned = rows * file.planned
    seed = int(file.digest[7:15], 16)
    fitted: dict[str, LearningCurve] = {}
    curves = []
    for stream, base in enumerate((file.current, *file.challengers)):
        try:
            fitted[base] = _fitted([p for p in points if p.base == base], task, seed, stream)
        except ValueError as e:
            curves.append(BaseCurve(base=base, why=str(e)))
        else:
            curves.append(_told(base, fitted[base], rows, planned))
    current = fitted.get(file.current)
    better = {
        base: better_probability(current, fitted[base], planned)
        for base in file.challengers
        if current is not None and base in fitted
    }
    return TaskCurves(task=task, measured=measured, rows=rows, planned=planned, curves=tuple(curves), better=better)  # fmt: skip


def _fitted(points: Sequence[CurvePoint], task: str, seed: int, stream: int) -> LearningCurve:
    """Raises NotEnoughPoints, ValueError."""
    from evalgate.stats.learning_curve import fit_learning_curve

    ses = [p.se[task] for p in points]
    return fit_learning_curve(
        [p.rows[task] for p in points],
        [p.error[task] for p in points],
        None if None in ses else [se for se in ses if se is not None],
        seed=seed,
        stream=stream,
    )


def _told(base: str, curve: LearningCurve, rows: float, planned: float) -> BaseCurve:
    first = curve.sizes[0]
    line = [first * (planned / first) ** (i / _STEPS) for i in range(_STEPS + 1)]
    return BaseCurve(
        base=base,
        e=curve.e,
        b=curve.b,
        c=curve.c,
        dropped=curve.dropped,
        misfit=curve.misfit,
        line=tuple(_outlook(curve, n) for n in line),
        now=_outlook(curve, rows),
        planned=_outlook(curve, planned),
    )


def _outlook(curve: LearningCurve, n: float) -> Outlook:
    low, high = curve.interval(n, ALPHA)
    error = curve.at(n)
    return Outlook(rows=n, error=error, low=min(low, error), high=max(high, error))


def nominated(
    challengers: Iterable[str], tasks: Sequence[TaskCurves], doubled: str
) -> dict[str, str]:
    """Why each challenger that is nominated is: better at the planned size with a chance above NOMINATE on some task, or the data doubled."""
    found = {}
    for base in challengers:
        chances = [f"{t.task}: Pr(better) {t.better[base]:.2f}" for t in tasks if t.better.get(base, 0.0) > NOMINATE]  # fmt: skip
        if why := [*chances, *([doubled] if doubled else [])]:
            found[base] = "; ".join(why)
    return found
