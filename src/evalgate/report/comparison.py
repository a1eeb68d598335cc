"""What `evalgate run diff` found, and how it is shown: text, Markdown, JSON. Numbers and ids only, never a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from evalgate.records import FindingStatus, Record, Verdict
from evalgate.report.numbers import high_text, low_text, value_text
from evalgate.report.tables import Block, Table, blocks_markdown, blocks_text
from evalgate.report.words import STATUS, served_by, short_digest, threshold_text

SCHEMA = "evalgate.rundiff/1"
_IDS = 20  # shown of a list of ids; the JSON has them all

Noise = Literal["same", "within", "beyond", "unknown", "repeat"]
NOISE: dict[Noise, str] = {
    "same": "same",
    "within": "within noise",
    "beyond": "beyond noise",
    "unknown": "no repeat",
    "repeat": "is noise",
}


class Level(Record, kw_only=True):
    """What one claim finds on one side. `high` and `low` are None where the metric has no interval."""

    estimate: float | None
    low: float | None
    high: float | None
    units: int
    status: FindingStatus
    reason: str


class Shift(Record, kw_only=True):
    """Other side minus reference. `better` and `worse` count units, None where the metric does not go unit by unit."""

    difference: float | None
    low: float | None = None
    high: float | None = None
    better: int | None = None
    worse: int | None = None
    noise: Noise

    @property
    def changed(self) -> int | None:
        """Units whose score moved."""
        return None if self.better is None or self.worse is None else self.better + self.worse


class ClaimRow(Record, kw_only=True):
    """One claim of one suite; `levels` and `shifts` follow the sides, the reference first (its shift is None).

    `floor` and `floor_units`: the largest difference, and the most changed units, between repeats of one side; None
    without a repeat. `note`: why something is missing.
    """

    test: str
    threshold: dict[str, float | bool]
    method: str
    levels: tuple[Level | None, ...]
    shifts: tuple[Shift | None, ...]
    floor: float | None = None
    floor_units: int | None = None
    note: str = ""


class Flips(Record, kw_only=True):
    """Two runs about the same items. `lost`: right before and wrong now; `won`: the other way. `p`: exact McNemar."""

    items: int
    identical: int
    lost: tuple[str, ...]
    won: tuple[str, ...]
    p: float


class SideOfSuite(Record, kw_only=True):
    """One run of a comparison: which it is, what became of its items, how it differs from the reference.

    `unlike`: what of its key is another. `repeats`: its comparisons with earlier runs of the same key.
    """

    label: str
    run: str
    ended: float | None
    model: str
    server: str
    version: str
    args: tuple[str, ...]
    statuses: dict[str, int]
    unlike: tuple[str, ...] = ()
    flips: Flips | None = None
    repeats: tuple[Flips, ...] = ()


class SuiteTable(Record, kw_only=True):
    """One suite of a comparison."""

    suite: str
    items: int
    units: int
    gold: str
    sides: tuple[SideOfSuite, ...]
    claims: tuple[ClaimRow, ...]
    notes: tuple[str, ...] = ()


class Comparison(Record, kw_only=True):
    """Sides in the order they were named, the reference first.

    `verdicts`: what the claims shown would decide; None where one of them finds nothing outside pytest.
    """

    sides: tuple[str, ...]
    verdicts: tuple[Verdict | None, ...]
    suites: tuple[SuiteTable, ...]
    notes: tuple[str, ...] = ()


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain values, schema evalgate.rundiff/1: full precision, every id."""
    value: dict[str, Any] = msgspec.to_builtins(comparison)
    return {"schema": SCHEMA, **value}


def comparison_text(comparison: Comparison) -> str:
    """The comparison for a terminal or a log: ASCII but for names, lines as long as their table needs."""
    return blocks_text(_blocks(comparison))


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison as GitHub and GitLab render it. Names are escaped: nothing in them can become markup."""
    return blocks_markdown(_blocks(comparison))


def _blocks(c: Comparison) -> Iterator[Block]:
    """The comparison's parts in reading order, for both forms of text."""
    reference, *others = c.sides
    yield "line", f"run diff: {reference} against {', '.join(others) or 'nothing'}"
    rows: list[tuple[str, ...] | str] = [
        (s, v or "unknown", *_tally(c, i))
        for i, (s, v) in enumerate(zip(c.sides, c.verdicts, strict=True))
    ]
    yield (
        "table",
        Table(
            head=("side", "by these claims", *STATUS),
            right=(False, False, *[True] * len(STATUS)),
            rows=rows,
        ),
    )
    for suite in c.suites:
        gold = f"gold {short_digest(suite.gold)}"
        yield "head", f"{suite.suite}  {suite.items} items, {suite.units} units, {gold}"
        yield "table", _sides(suite)
        yield "table", _items(suite)
        yield "table", _claims(suite)
        for side in suite.sides:
            yield from _about(side)
        for row in suite.claims:
            if row.note:
                yield "item", f"{row.test}: {row.note}"
        for note in suite.notes:
            yield "item", note
    if c.notes:
        yield "head", "notes"
        for note in c.notes:
            yield "item", note


def _tally(c: Comparison, i: int) -> list[str]:
    """How many claims of side i have each finding."""
    levels = [claim.levels[i] for suite in c.suites for claim in suite.claims]
    return [str(sum(x is not None and x.status == status for x in levels)) for status in STATUS]


def _sides(suite: SuiteTable) -> Table:
    rows: list[tuple[str, ...] | str] = [
        (s.label, s.run, served_by(s.server, s.version), short_digest(s.model)) for s in suite.sides
    ]
    return Table(head=("side", "run", "server", "weights"), right=(False,) * 4, rows=rows)


def _items(suite: SuiteTable) -> Table:
    statuses = [s for s in _STATUSES if any(side.statuses.get(s) for side in suite.sides)]
    head = ("side", *statuses, "identical", "right->wrong", "wrong->right", "McNemar p",
            "flips of repeats (identical)")  # fmt: skip
    rows: list[tuple[str, ...] | str] = []
    for side in suite.sides:
        f = side.flips
        told = ("-",) * 4
        if f is not None:
            told = (_share(f), str(len(f.lost)), str(len(f.won)), f"{f.p:.3f}")
        counts = [str(side.statuses.get(s, 0)) for s in statuses]
        floor = ", ".join(f"{len(r.lost) + len(r.won)} ({_share(r)})" for r in side.repeats)
        rows.append((side.label, *counts, *told, floor or "no repeat"))
    right = (False,) + (True,) * (len(statuses) + 4) + (False,)
    return Table(head=head, right=right, rows=rows)


_STATUSES = ("ok", "unparseable", "refused", "truncated", "timeout", "missing")


def _claims(suite: SuiteTable) -> Table:
    head = ("side", "estimate", "low", "high", "finding",
            "difference", "low", "high", "better", "worse", "noise")  # fmt: skip
    rows: list[tuple[str, ...] | str] = []
    for claim in suite.claims:
        rows.append(f"{claim.test} {threshold_text(claim.threshold)}")
        for side, level, shift in zip(suite.sides, claim.levels, claim.shifts, strict=True):
            if level is not None:
                rows.append((side.label, *_level(level), *_shift(shift)))
    right = (False, True, True, True, False, True, True, True, True, True, False)
    return Table(head=head, right=right, rows=rows)


def _level(level: Level) -> tuple[str, ...]:
    numbers = (value_text(level.estimate), low_text(level.low), high_text(level.high))
    return (*numbers, f"{STATUS[level.status].ascii} {level.status}")


def _shift(shift: Shift | None) -> tuple[str, ...]:
    if shift is None:
        return ("",) * 6
    moved = "-" if shift.difference is None else f"{shift.difference:+.4f}"
    counts = ["-" if n is None else str(n) for n in (shift.better, shift.worse)]
    return (moved, low_text(shift.low), high_text(shift.high), *counts, NOISE[shift.noise])


def _about(side: SideOfSuite) -> Iterator[Block]:
    if side.flips is None:
        return
    if side.unlike:
        yield "item", f"{side.label} differs in: {', '.join(side.unlike)}"
        if "server args" in side.unlike:
            yield "item", f"{side.label} server args: {' '.join(side.args) or 'none'}"
    for what, ids in (("right -> wrong", side.flips.lost), ("wrong -> right", side.flips.won)):
        if ids:
            more = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
            yield "item", f"{side.label} {what}: {', '.join(ids[:_IDS])}{more}"


def _share(flips: Flips) -> str:
    """Rounded down: 100.0 % means all of them."""
    return f"{flips.identical * 1000 // max(flips.items, 1) / 10:.1f} %"
