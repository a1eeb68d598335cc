"""The decision on a terminal: verdict, one row per threshold, reasons, where to read on. rich is loaded when called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from evalgate.records import Decision, Evidence, Finding, FindingStatus, Record, Verdict
from evalgate.report.egress import egress_text
from evalgate.report.lock import lock_warnings
from evalgate.report.numbers import NONE, high_text, low_text, value_text
from evalgate.report.words import (
    NO_BASELINE,
    STATUS,
    VERDICT,
    answered,
    by_suite,
    headline,
    next_step,
    plain,
    short_digest,
    short_method,
    tally,
    threshold_text,
)

if TYPE_CHECKING:
    from rich.console import Console

_NO_TERMINAL = 100  # columns, where the output is a file or a pipe
_MOST_REASONS = 20
_GAP = 2  # columns between columns

# How far a test's name is folded before a column is left out.
_NAME = {"method": 24, "needed": 18, "units": 12}

_STATUS_STYLE: dict[FindingStatus, str] = {
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "insufficient": "magenta",
}
_VERDICT_STYLE: dict[Verdict, str] = {
    "open": "bold green",
    "closed": "bold red",
    "undecided": "bold yellow",
}


class _Column(Record, frozen=True, kw_only=True):
    """One column of the table: cells are ready text, one per finding, of one line or more."""

    title: str
    cells: tuple[str, ...]
    right: bool = False

    @property
    def width(self) -> int:
        """Columns that the widest cell takes."""
        return max(_cells(line) for x in (self.title, *self.cells) for line in x.split("\n"))


def print_decision(
    decision: Decision,
    evidence: Evidence | None = None,
    *,
    file: TextIO,
    report: Path | str | None = None,
    verbose: bool = False,
) -> None:
    """Prints the whole decision to `file`, except for the last line `decision: ...`, which is the caller's.

    Suites whose items were not all answered well say so; `verbose` names the worst items of every threshold.

    As wide as the terminal (COLUMNS goes first), 100 columns without one. Colour on terminals only, and not under
    NO_COLOR; every status has a symbol and a word. Encodings without the symbols get ASCII ones.
    """
    from rich.console import Console

    terminal = file.isatty()
    console = Console(
        file=file,
        width=_width(file),
        force_terminal=terminal,
        color_system="auto" if terminal else None,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as text:
        _Printer(console, decision, evidence).all(report, verbose=verbose)
    # rich pads its lines with spaces.
    file.write("".join(line.rstrip() + "\n" for line in text.get().splitlines()))
    file.flush()


def _width(file: TextIO) -> int:
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(file.fileno()).columns or _NO_TERMINAL
    except (OSError, ValueError):  # no terminal; or no file descriptor at all (StringIO)
        return _NO_TERMINAL


class _Printer:
    """Everything that one call of `print_decision` knows."""

    def __init__(self, console: Console, decision: Decision, evidence: Evidence | None) -> None:
        self.console = console
        self.decision = decision
        self.evidence = evidence
        self.encoding = console.encoding
        self.symbols = self._fits("".join(m.symbol for m in STATUS.values()) + "–…")

    def _fits(self, text: str) -> bool:
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def text(self, value: object) -> str:
        """`value` as one line that this output can encode."""
        line = plain(value)
        if self._fits(line):
            return line
        line = line.replace("–", "-").replace("…", "...")
        return line.encode(self.encoding, "replace").decode(self.encoding, "replace")

    def line(self, *parts: tuple[str, str]) -> None:
        """One line of (text, style) parts; wraps at spaces."""
        from rich.text import Text

        self.console.print(Text.assemble(*((self.text_keeping(t), s) for t, s in parts)))

    def text_keeping(self, value: str) -> str:
        """Like `text`, with the spaces at both ends kept."""
        body = value.strip(" ")
        return value.replace(body, self.text(body)) if body else value

    def all(self, report: Path | str | None, *, verbose: bool) -> None:
        """The whole report."""
        self.verdict()
        if self.decision.findings:
            self.table()
        self.reasons()
        if verbose:
            self.worst()
        self.sources(report)

    def verdict(self) -> None:
        """The verdict, the model, and in one sentence why."""
        from rich.padding import Padding
        from rich.text import Text

        d = self.decision
        verdict = d.decision
        mark = VERDICT[verdict]
        digest = short_digest(d.model.get("digest", ""))
        self.console.print()
        self.line(
            (
                f"{mark.symbol if self.symbols else mark.ascii} {verdict.upper()}",
                _VERDICT_STYLE[verdict],
            ),
            (f"  {d.model.get('name', '')}", "bold"),
            (f"  {digest}" if digest else "", "dim"),
        )
        self.console.print(Padding(Text(self.text(f"{headline(d)} {next_step(d)}")), (0, 0, 1, 2)))
        for warning in lock_warnings(self.evidence):
            self.line((warning, "bold red"))

    def table(self) -> None:
        """One row per finding under the name of its suite."""
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        findings = self.decision.findings
        name, columns, below = _fit(self._columns(findings), findings, self.console.width)
        styles = {id(f): _STATUS_STYLE[f.status] for f in findings}
        row_of = {id(f): i for i, f in enumerate(findings)}

        def grid() -> Table:
            table = Table.grid(padding=(0, _GAP, 0, 0))
            table.add_column(width=1, no_wrap=True)
            table.add_column(width=name, no_wrap=True)
            for c in columns:
                table.add_column(
                    width=c.width, no_wrap=True, justify="right" if c.right else "left"
                )
            return table

        wanted = self.console.width
        self.console.width = max(wanted, 1 + _GAP + name + sum(_GAP + c.width for c in columns))
        head = grid()
        head.add_row("", "", *(Text(c.title, style="dim") for c in columns))
        self.console.print(head)
        for i, (suite, group) in enumerate(by_suite(findings).items()):
            if i:
                self.console.print()
            counts = ", ".join(f"{n} {status}" for status, n in tally(group))
            self.line((suite, "bold"), (f"  {counts}", "dim"))
            body = grid()
            for f in group:
                mark = STATUS[f.status]
                style = styles[id(f)]
                cells = [Text(c.cells[row_of[id(f)]]) for c in columns]
                cells[0].stylize(style)
                body.add_row(
                    Text(mark.symbol if self.symbols else mark.ascii, style=style),
                    Text("\n".join(_fold(self.text(f.test), name))),
                    *cells,
                )
            self.console.print(body)
            if counts := self._troubled(suite):
                self.console.print(Padding(Text(counts, style="dim"), (0, 0, 0, 1 + _GAP)))
        self.console.width = wanted
        if "method" in below:
            used = " · " if self.symbols else ", "
            text = "intervals: " + used.join(
                dict.fromkeys(short_method(f.method) for f in findings)
            )
            self.console.print(Padding(Text(self.text(text), style="dim"), (0, 0, 0, 1 + _GAP)))
        self.console.print()

    def _troubled(self, suite: str) -> str:
        """How the suite's items were answered; "" if all answers are whole, or nobody knows."""
        suites = self.evidence.suites if self.evidence else ()
        counts = next((s.answers for s in suites if s.suite == suite), {})
        return f"answers: {answered(counts)}" if set(counts) - {"ok"} else ""

    def worst(self) -> None:
        """The worst items of every threshold, by id."""
        listed = [f for f in self.decision.findings if f.worst]
        if not listed:
            return
        self.line(("worst items", "bold"))
        for f in listed:
            self.line((f" {f.suite} {f.test}: ", "dim"), (", ".join(f.worst), ""))
        self.console.print()

    def _columns(self, findings: Sequence[Finding]) -> list[_Column]:
        none = NONE if self.symbols else "-"

        def column(title: str, cells: list[str], *, right: bool = True) -> _Column:
            return _Column(
                title=title, cells=tuple(none if c == NONE else c for c in cells), right=right
            )

        return [
            column("status", [f.status for f in findings], right=False),
            column("estimate", [value_text(f.estimate) for f in findings]),
            column("low", [low_text(f.low) for f in findings]),
            column("high", [high_text(f.high) for f in findings]),
            column("threshold", [threshold_text(f.threshold) for f in findings]),
            column("units", [str(f.units) for f in findings]),
            column("needed", [NONE if f.needed is None else f"+{f.needed}" for f in findings]),
            column("method", [self.text(short_method(f.method)) for f in findings], right=False),
        ]

    def reasons(self) -> None:
        """All reasons, up to a number that still fits on a screen."""
        from rich.table import Table
        from rich.text import Text

        reasons = self.decision.reasons
        if not reasons:
            return
        self.line(("reasons", "bold"))
        listed = Table.grid(padding=(0, 1, 0, 0))
        listed.add_column(no_wrap=True, justify="right", min_width=3)
        listed.add_column(overflow="fold")
        for i, reason in enumerate(reasons[:_MOST_REASONS], start=1):
            listed.add_row(Text(f"{i}.", style="dim"), Text(self.text(reason)))
        if len(reasons) > _MOST_REASONS:
            listed.add_row(
                "", Text(f"and {len(reasons) - _MOST_REASONS} more in the report", style="dim")
            )
        self.console.print(listed)
        self.console.print()

    def sources(self, report: Path | str | None) -> None:
        """What the decision rests on, and where its page lies. Paths are never broken: people copy them."""
        from rich.text import Text

        d = self.decision
        rows = [
            ("plan", short_digest(d.plan)),
            ("attempt", "" if d.attempt is None else str(d.attempt)),
            ("certificate", d.certificate or ""),
            ("report", "" if report is None else str(report)),
        ]
        if self.evidence is not None and self.evidence.egress is not None:
            rows.append(("network", egress_text(self.evidence.egress)))
        for label, value in rows:
            if value:
                width = max(len(name) for name, filled in rows if filled)
                text = Text.assemble((f"{label:<{width}}  ", "dim"), self.text(value))
                self.console.print(text, soft_wrap=True)
        for note in self.evidence.notes if self.evidence else ():
            text = Text.assemble(("note    ", "dim"), self.text(note))
            self.console.print(text, soft_wrap=True)


def _fit(
    columns: list[_Column], findings: Sequence[Finding], width: int
) -> tuple[int, list[_Column], set[str]]:
    """The width of the tests' names, the columns there is room for, and the titles of those that there is not.

    "needed" is no column where nothing needs more. What does not fit goes in this order: the methods (then listed below
    the table, and "no baseline" is a second line under the status), "needed" (then a second line, too) and "units"; after
    that, lines run over.
    """
    longest = max(_cells(plain(f.test)) for f in findings)
    if all(f.needed is None for f in findings):
        columns = [c for c in columns if c.title != "needed"]
    below: set[str] = set()
    room = 0
    for victim in ("method", "needed", "units", ""):
        room = width - 1 - _GAP - sum(c.width + _GAP for c in columns)
        if not victim or room >= min(longest, _NAME[victim]):
            break
        below.add(victim)
        columns = [c for c in columns if c.title != victim]
        if victim == "method":
            columns[0] = _under(
                columns[0], ["no baseline" * (f.method == NO_BASELINE) for f in findings]
            )
        if victim == "needed":
            columns[0] = _under(
                columns[0], ["" if f.needed is None else f"needs +{f.needed}" for f in findings]
            )
    return max(min(room, longest), min(longest, _NAME["units"])), columns, below


def _under(column: _Column, lines: Sequence[str]) -> _Column:
    """`column` with a further line in each cell; "" adds none."""
    cells = (f"{c}\n{line}" if line else c for c, line in zip(column.cells, lines, strict=True))
    return _Column(title=column.title, cells=tuple(cells))


def _fold(name: str, width: int) -> list[str]:
    """`name` in pieces of at most `width` columns, broken before "[" or after "_" where possible."""
    pieces = []
    while _cells(name) > width:
        fit = _prefix(name, width)
        cut = max(name.rfind("[", 1, fit + 1), name.rfind("_", 0, fit) + 1)
        cut = cut if cut > 0 else fit
        pieces.append(name[:cut])
        name = name[cut:]
    return [*pieces, name]


def _prefix(text: str, width: int) -> int:
    """How many characters of `text` fit into `width` columns; at least one."""
    for i in range(1, len(text) + 1):
        if _cells(text[:i]) > width:
            return max(i - 1, 1)
    return len(text)


def _cells(text: str) -> int:
    """Columns that `text` takes on a terminal (East Asian characters take two)."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
