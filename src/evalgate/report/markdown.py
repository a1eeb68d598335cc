"""The decision as Markdown for job summaries and comments on GitHub and GitLab, never longer than it may be.

Verdict and failures first. Every string that did not come from this package stands in a code span, where neither HTML
nor a link, a mention or a reference of the forge can come of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evalgate.records import Decision, Evidence, Finding
from evalgate.report.egress import egress_text
from evalgate.report.lock import lock_warnings
from evalgate.report.numbers import NONE, high_text, low_text, present, value_text
from evalgate.report.signatures import Signatures, signed_lines, waived_lines
from evalgate.report.words import (
    NO_BASELINE,
    STATUS,
    VERDICT,
    answered,
    headline,
    next_step,
    other_reasons,
    plain,
    tally,
    threshold_text,
)

BUDGET = 60_000
"""Bytes. GitHub's limits are 65 536 characters for a comment and 1 MiB for a job summary; GitLab's are higher."""

LEAST = 4_000
"""The smallest budget: verdict, model and the count of what is left out always fit."""

_LONGEST = 160  # characters of a name; more is cut
_REASON = 400
_TICKS = re.compile("`+")
_PIPES = re.compile(r"\\*\|")


def render_markdown(
    decision: Decision,
    evidence: Evidence | None = None,
    *,
    signatures: Signatures | None = None,
    budget: int = BUDGET,
) -> str:
    """GitHub-flavoured Markdown of at most `budget` bytes of UTF-8, without any HTML.

    What does not fit is left out from the end, row by row, and counted in the last line: the verdict always stands, and
    no threshold that is met takes the place of one that is not. Raises ValueError for a budget below `LEAST`.
    """
    if budget < LEAST:
        raise ValueError(f"found a budget of {budget} bytes, expected at least {LEAST}.")
    page = _Page(budget)
    page.add(*_head(decision))
    if evidence is not None and evidence.egress is not None:
        page.add(f"- network {code_span(egress_text(evidence.egress), _REASON)}")
    page.list_("⛔ The plan", lock_warnings(evidence))
    missed = [f for f in decision.findings if f.status != "pass"]
    met = [f for f in decision.findings if f.status == "pass"]
    if signatures is not None:
        page.list_("⛔ Waivers", waived_lines(signatures))
        page.list_("⛔ Grade", signatures.notes)
        page.list_("Signatures", signed_lines(signatures))
    page.list_("Reasons that are no threshold's", other_reasons(decision))
    page.table(f"Not met: {len(missed)} of {len(decision.findings)}", _COLUMNS, map(_row, missed))
    page.list_("Why", [f"{f.suite} {f.test}: {f.reason}" for f in missed if f.reason])
    page.table("Worst items", ("suite", "test", "items"), _worst(decision.findings))
    page.table(f"Met: {len(met)} of {len(decision.findings)}", _COLUMNS, map(_row, met))
    if evidence is not None:
        page.list_("About this evidence", evidence.notes)
        page.table("Answers", ("suite", "items", "units", "answers"), _answers(evidence))
    return page.text()


class _Page:
    """Lines, as long as there is room for them; what there is no room for is counted."""

    def __init__(self, budget: int) -> None:
        self._lines: list[str] = []
        self._left = budget - 200  # the last line says what was left out
        self._out = 0
        self._full = False

    def add(self, *lines: str) -> bool:
        """Adds all of `lines` or none."""
        size = sum(len(line.encode()) + 1 for line in lines)
        if size > self._left:
            return False
        self._left -= size
        self._lines += lines
        return True

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A heading and a table; nothing at all without rows. Where one ends early, nothing follows."""
        head = ("", f"### {title}", "", _line(columns), _line(["---"] * len(columns)))
        self._full = self._fill(head, map(_line, rows))

    def list_(self, title: str, texts: Iterable[str]) -> None:
        """A heading and a list, on at most half of the room; nothing at all without texts."""
        self._left, kept = self._left // 2, self._left - self._left // 2  # tables need room, too
        self._fill(("", f"### {title}", ""), (f"- {code_span(t, _REASON)}" for t in texts))
        self._left += kept

    def _fill(self, head: Sequence[str], lines: Iterable[str]) -> bool:
        """Adds lines until one does not fit, `head` with the first; whether that happened."""
        full = self._full
        for line in lines:
            full = full or not self.add(*head, line)
            head = ()
            self._out += full
        return full

    def text(self) -> str:
        """The whole page."""
        if self._out:
            rows = "1 row is" if self._out == 1 else f"{self._out} rows are"
            self._lines += [
                "",
                f"**{rows} left out here for want of room.** The page has them all.",
            ]
        return "\n".join(self._lines) + "\n"


def _head(decision: Decision) -> Iterable[str]:
    mark = VERDICT[decision.decision]
    counts = ", ".join(f"{n} {status}" for status, n in tally(decision.findings))
    yield f"## {mark.symbol} {decision.decision.upper()} (exit {decision.exit})"
    yield ""
    yield f"**{mark.meaning}** {headline(decision)} {next_step(decision)}"
    yield ""
    yield f"- model {code_span(decision.model.get('name', ''))} {code_span(decision.model.get('digest', ''))}"
    yield f"- plan {code_span(decision.plan)}"
    if counts and not decision.integrity:
        yield f"- thresholds: {counts}"
    if decision.certificate:
        yield f"- certificate {code_span(decision.certificate)}"


_COLUMNS = ("", "suite", "test", "estimate", "interval", "threshold", "units", "needed")


def _row(f: Finding) -> Sequence[str]:
    bare = present(f.low) is None and present(f.high) is None
    return (
        f"{STATUS[f.status].symbol} {f.status}{' (no baseline)' if f.method == NO_BASELINE else ''}",
        table_cell(f.suite),
        table_cell(f.test),
        value_text(f.estimate),
        NONE if bare else f"{low_text(f.low)} to {high_text(f.high)}",
        f"`{threshold_text(f.threshold)}`",
        str(f.units),
        NONE if f.needed is None else f"+{f.needed}",
    )


def _worst(findings: Iterable[Finding]) -> Iterable[Sequence[str]]:
    for f in findings:
        if f.worst and f.status != "pass":
            yield table_cell(f.suite), table_cell(f.test), ", ".join(map(table_cell, f.worst))


def _answers(evidence: Evidence) -> Iterable[Sequence[str]]:
    for s in evidence.suites:
        yield table_cell(s.suite), str(s.items), str(s.units), answered(s.answers) or NONE


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table_cell(value: object) -> str:
    """A code span that ends no cell: every pipe has exactly one backslash before it, which tables take away."""
    return _PIPES.sub(r"\\|", code_span(value))


def code_span(value: object, longest: int = _LONGEST) -> str:
    """`value` as one line in a code span, cut to `longest` characters; a dash for nothing."""
    text = plain(value)
    if not text:
        return NONE
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    fence = "`" * (1 + max(map(len, _TICKS.findall(text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
