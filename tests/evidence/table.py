"""What a judge's sitting says: one row for each criterion of each source, every figure with its interval."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import msgspec
from rich.box import MARKDOWN, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evalgate.judge.calibration_table import CriterionReport, Difference, Rate
from evalgate.judge.qualification import Reading, qualify
from evalgate.judge.scoring import in_order
from evalgate.records import ModelIdentity, Record
from evalgate.report.numbers import NONE

from .asked import Judged, Sitting
from .intervals import Figure, figures
from .pairs import Pairs, of_pairs
from .sources import SOURCES

SCHEMA = "evalgate.evidence/1"


class Row(Record, kw_only=True):
    """One criterion of one source. `items` and `faulty` are of the whole source, `report` is of the drawn items.

    `raters`: how many people answered each item. `figures`: kappa, AC1, macro-F1, the people's own macro-F1 and the
    correlation of leniency with length, with bounds. `voids`: why replies were no verdicts. `pairs`: where two answers
    were compared.
    """

    source: str
    labelled_by: str
    raters: int
    items: int
    faulty: int
    units: int
    report: CriterionReport
    figures: dict[str, Figure]
    voids: dict[str, int]
    pairs: Pairs | None = None


class Evidence(Record, kw_only=True):
    """One judge on a seeded sample of all sources that were asked for. `sample`: None for everything."""

    schema: str = SCHEMA
    judge: ModelIdentity
    sample: int | None
    seed: int
    rows: tuple[Row, ...]


def evidence(
    judge: ModelIdentity,
    sittings: Iterable[Sitting],
    reports: Path,
    *,
    sample: int | None,
    seed: int,
) -> Evidence:
    """The rows of everything that was asked. Raises IntegrityError for runs that are not what was written."""
    rows = tuple(_row(sitting, sitting.judged(judge, reports), seed) for sitting in sittings)
    return Evidence(judge=judge, sample=sample, seed=seed, rows=rows)


def _row(sitting: Sitting, judged: Sequence[Judged], seed: int) -> Row:
    source = SOURCES[sitting.source]
    readings = [_reading(j) for j in judged]
    report = qualify(sitting.criterion, readings, seed=seed)
    return Row(
        source=sitting.source,
        labelled_by=source.labelled_by,
        raters=source.raters,
        items=len(sitting.items),
        faulty=sum(not in_order(sitting.criterion, item.answer) for item in sitting.items),
        units=len({j.item.case.unit for j in judged}),
        report=report,
        figures=figures(sitting.criterion, readings, seed),
        voids=dict(Counter(j.verdict.void for j in judged if j.verdict.void).most_common()),
        pairs=of_pairs(judged) if sitting.compares else None,
    )


def _reading(judged: Judged) -> Reading:
    item = judged.item
    return Reading(
        item=item.case.id,
        unit=item.case.unit,
        judge=judged.verdict.answer,
        clinicians={f"rater {n}": answer for n, answer in enumerate(item.people, 1)},
        adjudicated=item.answer,
        length=len(item.case.output),
        repeats=judged.again,
    )


def counts(sittings: Sequence[Sitting], file: TextIO = sys.stdout) -> None:
    """Prints what there is and what would be asked."""
    table = _table("source", "criterion", "labelled by", "raters", "items", "units", "met", "not met", "drawn: met", "not met", "questions")  # fmt: skip
    for s in sittings:
        met, drawn_met = (sum(i.answer == "met" for i in items) for items in (s.items, s.drawn))
        units = len({item.case.unit for item in s.items})
        source = SOURCES[s.source]
        table.add_row(
            s.source, s.criterion.id, source.labelled_by, str(source.raters), str(len(s.items)), str(units),
            str(met), str(len(s.items) - met), str(drawn_met), str(len(s.drawn) - drawn_met), str(s.questions()),
        )  # fmt: skip
    page = _Page(file)
    page.table(table)
    page.line(f"{sum(s.questions() for s in sittings)} questions")


def show(found: Evidence, file: TextIO = sys.stdout) -> None:
    """Prints the tables, and one sentence for each criterion: what the judge may do, and why."""
    page = _Page(file)
    judge = found.judge
    proof = "" if judge.verified else ", its bytes unverified"
    page.line(f"Judge {judge.name} ({judge.digest[:19]}, {judge.server} {judge.version}{proof}), seed {found.seed}.")  # fmt: skip
    page.table(_against_people(found.rows))
    page.table(_by_itself(found.rows))
    compared = [row for row in found.rows if row.pairs]
    if compared:
        page.table(_pairs(compared))
    for row in found.rows:
        page.line(f"- {row.source} {row.report.criterion}: {' '.join(_sentences(row))}")


def _sentences(row: Row) -> list[str]:
    standing = row.report.standing
    told = [
        "Qualified." if standing == "decides" else f"Not qualified ({standing}).",
        row.report.reason,
    ]
    if row.raters == 1:
        told.append("A single rater: nothing to compare people with.")
    if row.voids:
        causes = ", ".join(f"{n} {cause}" for cause, n in row.voids.items())
        told.append(f"Void: {causes}.")
    return told


def write(found: Evidence, stem: Path) -> None:
    """Writes STEM.json and STEM.md: ids, counts and shares, no text of a source."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(found), indent=1)
    stem.with_name(stem.name + ".json").write_bytes(data + b"\n")
    with stem.with_name(stem.name + ".md").open("w", encoding="utf-8") as file:
        show(found, file)


def _against_people(rows: Sequence[Row]) -> Table:
    table = _table("source", "criterion", "n (units)", "faulty in the source", "agreed", "kappa", "AC1", "faulty found", "sound recognised", "macro-F1")  # fmt: skip
    for row in rows:
        r = row.report
        table.add_row(
            row.source, r.criterion, f"{r.labelled} ({row.units})", f"{row.faulty}/{row.items}", rate(r.agreement),
            figure(row, "kappa"), figure(row, "AC1"), rate(r.found), rate(r.recognised), figure(row, "macro-F1"),
        )  # fmt: skip
    return table


def _by_itself(rows: Sequence[Row]) -> Table:
    table = _table("source", "criterion", "people among themselves (macro-F1)", "judge less people", "void", "cannot tell", "otherwise when asked again", "leniency with length (r)")  # fmt: skip
    for row in rows:
        r = row.report
        people = figure(row, "people") if r.clinicians else "single rater"
        less = span(r.clinicians.difference) if r.clinicians else NONE
        table.add_row(
            row.source, r.criterion, people, less, str(r.unscored.get("void", 0)),
            str(r.unscored.get("cannot_tell", 0)), rate(r.flips) if r.flips else NONE, figure(row, "length"),
        )  # fmt: skip
    return table


def _pairs(rows: Sequence[Row]) -> Table:
    table = _table("pairs", "same answer in both orders", "chose the better", "the worse", "tied", "undecided", "always the first shown", "the last", "better, of pairs whose worse answer is longer")  # fmt: skip
    for row in rows:
        p = row.pairs
        assert p is not None
        table.add_row(
            f"{row.source} {row.report.criterion}", rate(p.positions.consistent), rate(p.right), str(p.wrong),
            str(p.tied), str(p.undecided), str(p.positions.first), str(p.positions.last), rate(p.traps),
        )  # fmt: skip
    return table


def rate(r: Rate) -> str:
    """14/20 = 0.70 (0.49 to 0.86), a dash without items."""
    return f"{r.hits}/{r.of} = {span(r)}" if r.of else NONE


def figure(row: Row, name: str) -> str:
    """A figure with its ends; a dash where it is undefined."""
    found = row.figures.get(name)
    return span(found) if found else NONE


def span(x: Rate | Figure | Difference) -> str:
    """0.70 (0.49 to 0.86), the ends rounded outwards."""
    low, high = math.floor(x.low * 100) / 100, math.ceil(x.high * 100) / 100
    return f"{x.value:.2f} ({low:.2f} to {high:.2f})"


def _table(*columns: str) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


class _Page:
    """Folds tables to the width of a terminal; elsewhere they are Markdown, one line a row, however long."""

    def __init__(self, file: TextIO) -> None:
        self._terminal = file.isatty()
        width = None if self._terminal else 400
        self._console = Console(file=file, width=width, markup=False, highlight=False, emoji=False)

    def table(self, table: Table) -> None:
        table.box = SIMPLE_HEAD if self._terminal else MARKDOWN
        self._console.print(table)

    def line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
