"""Learning curves of several base models, task by task: what was measured, what was fitted, who is nominated. Numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from evalgate.authored.curve import Measure
from evalgate.records import Record
from evalgate.report.curve_plot import STYLE, Outlook, Series, curve_plot
from evalgate.report.markup import code, facts, number, section, small_table, text
from evalgate.report.numbers import NONE, high_text, low_text, value_text
from evalgate.report.page import page
from evalgate.report.tables import Block, Table, blocks_text
from evalgate.report.words import short_digest

NOMINATE = 0.25
"""A challenger is nominated for a paired comparison at the real size above this probability of being better there."""

LIMITS = "Curves nominate; they promote nothing. Whether to switch is decided by a paired comparison at the real size."


class CurvePoint(Record, kw_only=True):
    """One training: `base` on `part` with `seed`. By task: rows that were there, error, and its standard error if one is known.

    `key`: digest of all that can change the numbers. `model`: digest of the candidate, whose files may be gone.
    """

    base: str
    part: str
    seed: int
    key: str
    name: str
    model: str
    rows: dict[str, int]
    error: dict[str, float]
    se: dict[str, float | None]
    seconds: float


class BaseCurve(Record, kw_only=True):
    """What was fitted for one base and task, or `why` nothing was. `line`: the curve with its 90 % band from the first size on."""

    base: str
    why: str = ""
    e: float = 0.0
    b: float = 0.0
    c: float = 0.0
    dropped: tuple[float, ...] = ()
    misfit: float = 1.0
    line: tuple[Outlook, ...] = ()
    now: Outlook | None = None
    planned: Outlook | None = None


class TaskCurves(Record, kw_only=True):
    """All bases on one task. `measured`: what an error is here. `better`: Pr(below the current base at the planned rows)."""

    task: str
    measured: str
    rows: int
    planned: float
    curves: tuple[BaseCurve, ...]
    better: dict[str, float]


class CurveReport(Record, kw_only=True):
    """The record. `rows`: of the governed data when it was made; `decided`: when (UTC), "" while points are still missing.

    `nominated`: why, by base; `doubled`: why the choice is due whatever the curves say, "" if it is not.
    """

    schema: Literal["evalgate.curve/1"] = "evalgate.curve/1"
    name: str
    file: str
    measure: Measure
    current: str
    challengers: tuple[str, ...]
    rows: int
    points: tuple[CurvePoint, ...] = ()
    tasks: tuple[TaskCurves, ...] = ()
    doubled: str = ""
    nominated: dict[str, str] = msgspec.field(default_factory=dict)
    decided: str = ""


def curve_text(report: CurveReport) -> str:
    """The report for a terminal."""
    return blocks_text(_blocks(report))


def verdicts(report: CurveReport) -> Iterator[str]:
    """One line for each challenger: nominated, or not, and why."""
    for base in report.challengers:
        if why := report.nominated.get(base):
            yield f"nominated: {base} ({why})"
        elif chances := _chances(report, base):
            yield f"not nominated: {base} ({chances}; more than {NOMINATE} is asked)"
        else:
            yield f"not nominated: {base} (no curve of it and of {report.current} to compare)"


def _chances(report: CurveReport, base: str) -> str:
    found = [(t.task, t.better[base]) for t in report.tasks if base in t.better]
    return ", ".join(f"{task}: Pr(better) {chance:.2f}" for task, chance in found)


_HEAD = ("base", "n now", "error now", "interval", "n planned", "error planned", "interval", "Pr(better)")  # fmt: skip


def _blocks(report: CurveReport) -> Iterator[Block]:
    yield "line", f"{report.name}: {len(report.points)} points, 90 % intervals; {LIMITS}"
    for task in report.tasks:
        yield "head", f"{task.task}: {task.measured}"
        rows = [(curve.base, *_numbers(task, curve)) for curve in task.curves]
        yield (
            "table",
            Table(head=_HEAD, right=(False, *(True,) * (len(_HEAD) - 1)), rows=list(rows)),
        )
        for curve in task.curves:
            for note in notes(curve):
                yield "item", f"{curve.base}: {note}"
    yield "head", "nomination"
    for line in verdicts(report):
        yield "item", line


def _numbers(task: TaskCurves, curve: BaseCurve) -> tuple[str, ...]:
    chance = task.better.get(curve.base)
    told = [*_outlook(curve.now), *_outlook(curve.planned)]
    return (*told, NONE if chance is None else f"{chance:.2f}")


def _outlook(at: Outlook | None) -> tuple[str, str, str]:
    if at is None:
        return NONE, NONE, NONE
    return f"{at.rows:.0f}", value_text(at.error), f"{low_text(at.low)} to {high_text(at.high)}"


def notes(curve: BaseCurve) -> Iterator[str]:
    """What has to be known beside a curve's numbers."""
    if curve.why:
        yield curve.why
        return
    if curve.dropped:
        sizes = ", ".join(f"{n:.0f}" for n in curve.dropped)
        yield f"without the sizes {sizes}, which lie before the bend"
    if curve.misfit < 0.05:
        yield f"the form does not fit even the largest sizes (p = {curve.misfit:.3f}); the band is widened by as much"


def curve_page(report: CurveReport) -> str:
    """The report as one self-contained page: for each task a picture and the same as tables."""
    body = [
        f'<p class="kicker">learning curves</p>\n<h1 class="curve-name">{text(report.name)}</h1>',
        f"<p>{text(LIMITS)}</p>",
        facts(
            [
                ("current base", code(report.current)),
                ("challengers", " ".join(map(code, report.challengers))),
                ("points", number(str(len(report.points)))),
                ("rows of data", number(str(report.rows))),
                ("file", code(short_digest(report.file))),
                ("decided", text(report.decided)),
            ]
        ),
        section("nomination", "Nomination", _list(verdicts(report))),
        *(_task(report, task, f"t{i}") for i, task in enumerate(report.tasks)),
    ]
    return page(f"{report.name}: learning curves", body, kind="curves", style=STYLE)


def _task(report: CurveReport, task: TaskCurves, key: str) -> str:
    shown = [_series(report, task, curve) for curve in task.curves]
    told = [f"{curve.base}: {note}" for curve in task.curves for note in notes(curve)]
    return section(
        key,
        task.task,
        f'<p class="method">{text(task.measured)}</p>',
        curve_plot(shown, title=task.task, now=task.rows, planned=task.planned, key=f"{key}-plot"),
        _list(told),
        small_table(
            f"{task.task}: 90 % intervals",
            _HEAD,
            ((code(c.base), *(number(n) for n in _numbers(task, c))) for c in task.curves),
            numbers=len(_HEAD) - 1,
        ),
        small_table(
            f"{task.task}: points",
            ("base", "part", "seed", "rows", "error", "standard error", "seconds"),
            (
                (
                    code(p.base),
                    text(p.part),
                    text(p.seed),
                    number(str(p.rows[task.task])),
                    number(value_text(p.error[task.task])),
                    number(value_text(p.se[task.task])),
                    number(f"{p.seconds:.0f}"),
                )
                for p in report.points
                if task.task in p.error
            ),
            numbers=4,
        ),
    )


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _series(report: CurveReport, task: TaskCurves, curve: BaseCurve) -> Series:
    points = [
        (float(p.rows[task.task]), p.error[task.task])
        for p in report.points
        if p.base == curve.base and task.task in p.error
    ]
    return Series(label=curve.base, points=tuple(points), line=curve.line)
