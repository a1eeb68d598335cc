"""What `evalgate run interference` found, and how it is shown: text, Markdown, JSON, a section of a page. No texts.

One candidate against each of its references, task by task. Alarms warn; nothing here opens a gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from evalgate.records import FindingStatus, Record
from evalgate.report.markup import number, section, small_table, text
from evalgate.report.numbers import NONE, exact_text, high_text, low_text, value_text
from evalgate.report.tables import Block, Table, blocks_markdown, blocks_text

SCHEMA: Final = "evalgate.interference/1"

Kind = Literal["metric", "form", "refusals", "loss"]
State = Literal["alarm", "non-inferior", "not shown", "inconclusive", "not comparable"]

TITLES: Final[dict[Kind, str]] = {
    "metric": "the task's own metric",
    "form": "answers in another task's form (share)",
    "refusals": "refusals (share; more and fewer both count)",
    "loss": "loss of right answers, nats a token (an early alarm only)",
}
_WORSE: Final[dict[Kind, str]] = {
    "metric": "worse",
    "form": "more",
    "refusals": "changed",
    "loss": "worse",
}
_LOOK: Final[dict[State, FindingStatus]] = {
    "alarm": "fail",
    "non-inferior": "pass",
    "not shown": "inconclusive",
    "inconclusive": "inconclusive",
    "not comparable": "insufficient",
}


class Cell(Record, kw_only=True):
    """One task beside one reference. Differences are candidate minus reference; each end of the interval is one-sided at alpha.

    `what`: the claim that is compared. `margin`: how far it may move, below 0 where lower is worse; `preset` if gate.toml names it. `better`, `worse`: units. `p`: of harm (refusals: of any change), `adjusted`: the same after Holm over the
    tasks of the reference. `detectable`: the smallest change for the worse that an alarm would see in four of five such samples.
    `dropped`: rows that only one side has.
    """

    kind: Kind
    suite: str
    model: str
    state: State
    reason: str = ""
    what: str = ""
    margin: float | None = None
    preset: bool = False
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    units: int = 0
    better: int | None = None
    worse: int | None = None
    p: float | None = None
    adjusted: float | None = None
    detectable: float | None = None
    method: str = ""
    dropped: int = 0

    @property
    def word(self) -> str:
        """The state in words: `worse (alarm)`, `not shown worse`, .."""
        if self.state == "alarm":
            return f"{_WORSE[self.kind]} (alarm)"
        return f"not shown {_WORSE[self.kind]}" if self.state == "not shown" else self.state


class Against(Record, kw_only=True):
    """The cells of one reference. `role`: "previous release", "previous candidate", "base", "single-task adapters" or "named"."""

    role: str
    model: str
    cells: tuple[Cell, ...]


class Interference(Record, kw_only=True):
    """A candidate beside all of its references. `notes`: which references there are not, and how those that are were found."""

    candidate: str
    alpha: float
    against: tuple[Against, ...]
    notes: tuple[str, ...] = ()

    @property
    def alarms(self) -> tuple[tuple[Against, Cell], ...]:
        """Every cell that alarms, with its reference."""
        return tuple((a, c) for a in self.against for c in a.cells if c.state == "alarm")


def interference_json(found: Interference) -> dict[str, Any]:
    """Plain values, schema evalgate.interference/1: full precision."""
    value: dict[str, Any] = msgspec.to_builtins(found)
    return {"schema": SCHEMA, **value}


def interference_text(found: Interference) -> str:
    """For a terminal or a log."""
    return blocks_text(_blocks(found))


def interference_markdown(found: Interference) -> str:
    """As GitHub and GitLab render it."""
    return blocks_markdown(_blocks(found))


def sentences(found: Interference) -> list[str]:
    """The alarms, one sentence each; without any, what that does and does not say."""
    if found.alarms:
        return [_alarm(reference, cell) for reference, cell in found.alarms]
    metric = [c for a in found.against for c in a.cells if c.kind == "metric"]
    counts = [
        (sum(c.state == state for c in metric), state)
        for state in ("non-inferior", "not shown", "inconclusive", "not comparable")
    ]
    told = ", ".join(f"{n} {'not shown worse' if s == 'not shown' else s}" for n, s in counts if n)
    return [f"no alarm, which is no proof of anything: of {len(metric)} comparisons {told}"]


def _alarm(reference: Against, cell: Cell) -> str:
    change = f"{_signed(cell.difference)} [{low_text(cell.low)}, {high_text(cell.high)}]"
    subject = {
        "metric": f"{cell.suite} is worse",
        "form": f"{cell.suite} is answered in another task's form more often",
        "refusals": f"{cell.suite} is refused more or less often",
        "loss": f"{cell.suite}: right answers are less likely",
    }[cell.kind]
    return f"ALARM: {subject} than {cell.model} ({reference.role}): {change}, Holm p {_p(cell.adjusted)}"


_HEAD: Final = ("task", "against", "units", "worse", "better", "difference", "low", "high", "margin", "p (Holm)",
                "visible", "state")  # fmt: skip


def _blocks(found: Interference) -> Iterator[Block]:
    yield "line", f"run interference: {found.candidate}"
    for sentence in sentences(found):
        yield "item", sentence
    for reference in found.against:
        yield "head", f"{reference.role}: {reference.model}"
        rows: list[tuple[str, ...] | str] = []
        for kind, cells in _groups(reference):
            rows += [TITLES[kind], *map(_row, cells)]
        yield "table", Table(head=_HEAD, right=(False, False, *[True] * 9, False), rows=rows)
        for kind, cells in _groups(reference):
            for reason in dict.fromkeys(_reason(kind, cell) for cell in cells if cell.reason):
                yield "item", reason
    yield "head", "notes"
    for note in (*found.notes, *reading(found)):
        yield "item", note


def reading(found: Interference) -> tuple[str, ...]:
    """How to read the table, in a few sentences."""
    return (
        f"differences are {found.candidate} minus the other model on the same items; each end of an interval is one-sided at {found.alpha:g}",
        "alarms: exact one-sided test (refusals: two-sided), Holm over the tasks of one reference; they warn and grant nothing",
        "visible: the smallest change for the worse that such an alarm finds in four of five samples of this size",
        "a margin with * is not in gate.toml: it is this command's own",
        "asks nothing and decides nothing: only 'evalgate gate check' decides",
    )


def _groups(reference: Against) -> Iterator[tuple[Kind, list[Cell]]]:
    for kind in TITLES:
        if cells := [c for c in reference.cells if c.kind == kind]:
            yield kind, cells


def _reason(kind: Kind, cell: Cell) -> str:
    what = f" {cell.what}" if cell.what else ""
    return f"{cell.suite}{what if kind == 'metric' else ' ' + kind}: {cell.reason}"


def _row(cell: Cell) -> tuple[str, ...]:
    counts = (NONE if n is None else str(n) for n in (cell.worse, cell.better))
    return (
        cell.suite,
        cell.model,
        str(cell.units) if cell.units else NONE,
        *counts,
        _signed(cell.difference),
        low_text(cell.low),
        high_text(cell.high),
        _margin(cell),
        _p(cell.adjusted),
        value_text(cell.detectable),
        cell.word,
    )


def _signed(value: float | None) -> str:
    return NONE if value is None else f"{value + 0.0:+.4f}"


def _p(value: float | None) -> str:
    return NONE if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _margin(cell: Cell) -> str:
    if cell.margin is None:
        return NONE
    return exact_text(cell.margin, places=2) + ("" if cell.preset else "*")


_COLUMNS: Final = ("Task", "Against", "State", "Units", "Worse", "Better", "Difference", "Interval", "Margin", "p (Holm)",
                   "Visible")  # fmt: skip
_LEFT, _RIGHT, _ROW, _WIDTH = 130.0, 406.0, 22.0, 416
_LONGEST = 20  # letters of a task that fit beside the picture
_HALVES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def interference_section(found: Interference, *, key: str = "interference") -> str:
    """A section of a page: what alarms, then for each reference a picture of the tasks' own metrics and tables of all.

    Well-formed markup; `key` is unique in the page, and so are the ids that are made of it.
    """
    kind_ = ' class="s-fail"' if found.alarms else ""
    told = "".join(f"<li{kind_}>{text(sentence)}</li>" for sentence in sentences(found))
    parts = [f'<ul class="notes">{told}</ul>']
    for n, reference in enumerate(found.against):
        parts.append(f"<h3>{text(f'{reference.role}: {reference.model}')}</h3>")
        for kind, cells in _groups(reference):
            if kind == "metric":
                parts.append(interference_plot(reference, key=f"{key}-{n}"))
            caption = f"{found.candidate} beside {reference.model}: {TITLES[kind]}"
            parts.append(small_table(caption, _COLUMNS, map(_html_row, cells), numbers=8))
            parts.append(_notes([_reason(kind, cell) for cell in cells if cell.reason]))
    parts.append(_notes([*found.notes, *reading(found)]))
    return section(key, f"Interference: {found.candidate}", *parts)


def _notes(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{text(line)}</li>" for line in dict.fromkeys(lines))
    return f'<ul class="notes">{items}</ul>' if items else ""


def _html_row(cell: Cell) -> Sequence[str]:
    suite, model, units, worse, better, difference, low, high, *rest, word = _row(cell)
    interval = NONE if cell.low is None and cell.high is None else number(f"{low} to {high}")
    return (
        text(suite),
        text(model),
        f'<span class="s-{_LOOK[cell.state]}">{text(word)}</span>',
        *map(number, (units, worse, better, difference)),
        interval,
        *map(number, rest),
    )


def interference_plot(reference: Against, *, key: str) -> str:
    """An inline SVG: a row for each task's own metric, its difference with its interval, 0 and the task's margin.

    "" if no task could be compared. Colours come from the page's classes; `key` makes its ids unique there.
    """
    cells = [c for c in reference.cells if c.kind == "metric" and c.difference is not None]
    if not cells:
        return ""
    furthest = max(abs(x) for c in cells for x in (c.difference, c.low, c.high, c.margin) if x is not None)  # fmt: skip
    half = next((h for h in _HALVES if furthest <= 0.95 * h), max(1.0, furthest))
    bottom = _ROW * len(cells) + 6
    told = ". ".join(
        f"{c.suite}: {_signed(c.difference)}, {low_text(c.low)} to {high_text(c.high)}, {c.word}"
        for c in cells
    )
    title = f"Difference to {reference.model} by task"

    def x(value: float) -> float:
        share = (min(max(value, -half), half) + half) / (2 * half)
        return round(_LEFT + share * (_RIGHT - _LEFT), 2)

    parts = [
        (
            f'<svg class="plot trend" viewBox="0 0 {_WIDTH} {bottom + 20:g}" width="{_WIDTH}" height="{bottom + 20:g}" role="img" '
            f'aria-labelledby="{key}-t {key}-d"><title id="{key}-t">{text(title)}</title><desc id="{key}-d">{text(told)}</desc>'
        ),
        f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{_RIGHT}" y2="{bottom}"/>',
        f'<line class="zero" x1="{x(0)}" y1="0" x2="{x(0)}" y2="{bottom}"/>',
    ]
    for tick in (-half, 0.0, half):
        label = number(f"{tick:+g}" if tick else "0")
        parts.append(f'<text x="{x(tick)}" y="{bottom + 14}" text-anchor="middle">{label}</text>')
    for n, cell in enumerate(cells):
        parts += _drawn(cell, x, _ROW * n + _ROW / 2 + 3)
    return "".join([*parts, "</svg>"])


def _drawn(cell: Cell, x: Callable[[float], float], y: float) -> Iterator[str]:
    """One row of the picture. An end that is missing runs to the end of the axis."""
    assert cell.difference is not None
    colour = f"s-{_LOOK[cell.state]}"
    start = x(-1e9 if cell.low is None else cell.low)
    end = x(1e9 if cell.high is None else cell.high)
    yield f'<text x="{_LEFT - 8}" y="{y + 3.5}" text-anchor="end">{text(_short(cell.suite))}</text>'
    if cell.margin is not None:
        at = x(cell.margin)
        yield f'<line class="threshold" x1="{at}" y1="{y - 8}" x2="{at}" y2="{y + 8}"/>'
    yield f'<line class="reach {colour}" x1="{start}" y1="{y}" x2="{end}" y2="{y}"/>'
    yield f'<circle class="dot {colour}" cx="{x(cell.difference)}" cy="{y}" r="4"/>'


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
