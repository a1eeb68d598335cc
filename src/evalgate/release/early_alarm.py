"""The early alarm: right answers that became less likely. The loss of gold answers moves before any metric does.

It warns and grants nothing: loss and metric can disagree. Measured are the rows that training held out, never gold.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from evalgate.errors import IntegrityError
from evalgate.records import Record
from evalgate.report.interference import Cell, State
from evalgate.training.measuring import HELD_OUT


class HeldOut(Record, kw_only=True):
    """A held-out row of a training. `before` and `after`: mean loss of its `tokens` trained tokens, nats; None if it was no number."""

    id: str
    task: str
    unit: str
    tokens: int
    before: float | None
    after: float | None


class _File(Record, kw_only=True):
    schema: Literal["evalgate.held_out/1"]
    rows: tuple[HeldOut, ...]


def held_out(artifact: Path) -> tuple[HeldOut, ...] | None:
    """What a model's training measured of its held-out rows; None if nothing was. Raises IntegrityError (EG956)."""
    path = artifact / HELD_OUT
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).rows
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as e:
        kind = e.strerror if isinstance(e, OSError) else "not of its schema"
        raise IntegrityError(
            f"found losses of held-out rows that cannot be read ({kind}), expected evalgate.held_out/1 as training wrote it. "
            "Restore the file, or train again.",
            where=f"{artifact.name}/{HELD_OUT}",
            code="EG956",
        ) from None


class Loss(Record, kw_only=True):
    """The loss of one row's right answer, in nats a token."""

    task: str
    unit: str
    loss: float


def early_alarm(
    ours: Mapping[str, Loss], theirs: Mapping[str, Loss], *, model: str, alpha: float
) -> list[Cell]:
    """A cell a task: whether right answers cost the candidate more than `model`, row beside row, by the rows' ids.

    A one-sided paired t-test over the means of units, Holm over the tasks, and a one-sided interval of t at each end. Rows that
    only one side has are dropped and counted. Approximate: the differences are taken as normal.
    """
    from evalgate.stats import holm_adjust

    cells = [
        _tested(task, _units(ours, theirs, task), _dropped(ours, theirs, task), model, alpha)
        for task in sorted({row.task for row in ours.values()})
    ]
    adjusted = iter(holm_adjust([c.p for c in cells if c.p is not None]))
    return [c if c.p is None else _concluded(c, next(adjusted), alpha) for c in cells]


def _dropped(ours: Mapping[str, Loss], theirs: Mapping[str, Loss], task: str) -> int:
    sides = [{n for n, row in side.items() if row.task == task} for side in (ours, theirs)]
    return len(sides[0] ^ sides[1])


def _units(ours: Mapping[str, Loss], theirs: Mapping[str, Loss], task: str) -> list[float]:
    """The mean difference of each unit's rows: rows of one unit are no independent evidence."""
    units: dict[str, list[float]] = {}
    for name, row in ours.items():
        if row.task == task and name in theirs:
            units.setdefault(row.unit, []).append(row.loss - theirs[name].loss)
    return [math.fsum(rows) / len(rows) for rows in units.values()]


def _tested(task: str, units: Sequence[float], dropped: int, model: str, alpha: float) -> Cell:
    if len(units) < 2:
        why = (
            f"{len(units)} units in common ({dropped} rows of one side only), expected two at least"
        )
        return Cell(kind="loss", suite=task, model=model, state="not comparable", reason=why, dropped=dropped)  # fmt: skip
    from scipy.stats import ttest_1samp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # differences that are all equal: an interval of no width
        test = ttest_1samp(units, 0.0, alternative="greater")
        both = test.confidence_interval(1 - alpha)
        above = ttest_1samp(units, 0.0, alternative="less").confidence_interval(1 - alpha)
    mean = math.fsum(units) / len(units)
    same = max(units) == min(units)
    return Cell(
        kind="loss",
        suite=task,
        model=model,
        state="not shown",
        difference=mean,
        low=mean if same else float(both.low),
        high=mean if same else float(above.high),
        units=len(units),
        better=sum(x < 0 for x in units),
        worse=sum(x > 0 for x in units),
        p=float(mean <= 0) if same else float(test.pvalue),
        method="paired t",
        dropped=dropped,
    )


def _concluded(cell: Cell, adjusted: float, alpha: float) -> Cell:
    state: State = "alarm" if adjusted <= alpha else "not shown"
    why = f"{cell.dropped} rows of one side only were left out" if cell.dropped else ""
    return msgspec.structs.replace(cell, adjusted=adjusted, state=state, reason=why)


def losses(rows: Iterable[HeldOut], moment: Literal["before", "after"]) -> dict[str, Loss]:
    """The losses of one moment by row id; rows whose loss was no number are left out."""
    return {
        row.id: Loss(task=row.task, unit=row.unit, loss=loss)
        for row in rows
        if (loss := getattr(row, moment)) is not None
    }
