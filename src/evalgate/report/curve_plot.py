"""Errors against rows of training data, on a logarithmic scale: points, fitted curves, and how far these may be off."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from evalgate.records import Record
from evalgate.report.numbers import exact_text, value_text
from evalgate.report.words import plain

WIDTH, HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 440.0, 12.0, 240.0
_STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_KINDS = 4

STYLE = """
.plot.curve { max-width: 44rem; margin: .6rem 0 1rem; }
.curve .k0 { color: var(--ink); } .curve .k1 { color: var(--inconclusive); }
.curve .k2 { color: var(--insufficient); } .curve .k3 { color: var(--pass); }
.curve .fit { fill: none; stroke: currentcolor; stroke-width: 2; }
.curve .k1 .fit { stroke-dasharray: 7 3; } .curve .k2 .fit { stroke-dasharray: 2 3; } .curve .k3 .fit { stroke-dasharray: 9 3 2 3; }
.curve .band { fill: currentcolor; opacity: .14; }
.curve .grid { stroke: var(--rule); stroke-width: 1; }
.curve text.label { fill: currentcolor; font-size: 11px; font-weight: 600; }
.curve-name { text-transform: none; font-size: 2rem; }
"""


class Outlook(Record, kw_only=True):
    """The fitted error at so many rows, with both one-sided ends at 5 %."""

    rows: float
    error: float
    low: float
    high: float


class Series(Record, kw_only=True):
    """One base: (rows, error) of its points, and its curve with band, () where nothing was fitted."""

    label: str
    points: tuple[tuple[float, float], ...]
    line: tuple[Outlook, ...]


class _Scale:
    """Where numbers stand: rows on a logarithmic scale, errors from 0 (or a round number below a narrow range)."""

    def __init__(self, series: Sequence[Series], planned: float) -> None:
        points = [p for s in series for p in s.points]
        heights = [y for _, y in points] + [o.error for s in series for o in s.line]
        reach = [o.high for s in series for o in s.line if o.high <= 2 * max(heights)]
        self.left = math.log(min((x for x, _ in points), default=1.0) * 0.9)
        self.right = math.log(max([planned, *(x for x, _ in points)]) * 1.03)
        high, low = max([*heights, *reach, 1e-9]), min([*heights, 1e9])
        low = 0.0 if low < high / 2 else low
        self.step = next((s for s in _STEPS if high - low <= 5 * s), (high - low) / 4 or 1.0)
        self.low = math.floor(low / self.step) * self.step
        self.high = math.ceil(high / self.step) * self.step or self.step

    def x(self, rows: float) -> float:
        share = (math.log(rows) - self.left) / (self.right - self.left or 1.0)
        return round(_LEFT + share * (_RIGHT - _LEFT), 2)

    def y(self, error: float) -> float:
        share = (error - self.low) / (self.high - self.low)
        return round(_BOTTOM - min(max(share, 0.0), 1.0) * (_BOTTOM - _TOP), 2)


def curve_plot(
    series: Sequence[Series], *, title: str, now: float, planned: float, key: str
) -> str:
    """An inline SVG, well-formed XML, for a page with STYLE. `key` makes its ids unique in the page."""
    scale = _Scale(series, planned)
    parts = [
        (
            f'<svg class="plot curve" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
            f'aria-labelledby="{key}-t {key}-d"><title id="{key}-t">{escape(plain(title))}: error by rows</title>'
            f'<desc id="{key}-d">{escape(plain(describe(series)))}</desc>'
        ),
        *_frame(series, scale, now, planned),
        *(part for i, one in enumerate(series) for part in _drawn(one, i % _KINDS, scale)),
        *_labels(series, scale),
        "</svg>",
    ]
    return "".join(parts)


def describe(series: Sequence[Series]) -> str:
    """The picture in words."""
    said = []
    for one in series:
        told = f"{one.label}: {len(one.points)} points"
        if one.line:
            first, last = one.line[0], one.line[-1]
            told += f", curve from {value_text(first.error)} at {first.rows:.0f} rows to {value_text(last.error)} at {last.rows:.0f}"
        said.append(f"{told}.")
    return " ".join(said)


def _frame(series: Sequence[Series], scale: _Scale, now: float, planned: float) -> Iterator[str]:
    for i in range(round((scale.high - scale.low) / scale.step) + 1):
        value = scale.low + i * scale.step
        y = scale.y(value)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 3.5}" text-anchor="end">{exact_text(round(value, 4))}</text>'
    taken = -math.inf
    for rows in sorted({x for s in series for x, _ in s.points} | {planned}):
        x = scale.x(rows)
        yield f'<line class="axis" x1="{x}" y1="{_BOTTOM}" x2="{x}" y2="{_BOTTOM + 4}"/>'
        if x - taken >= 34:
            taken = x
            yield f'<text x="{x}" y="{_BOTTOM + 16}" text-anchor="middle">{rows:.0f}</text>'
    yield f'<line class="axis" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}"/>'
    for rows, word in ((now, "now"), (planned, "planned")):
        x = scale.x(rows)
        yield f'<line class="zero" x1="{x}" y1="{_TOP}" x2="{x}" y2="{_BOTTOM}"/>'
        yield f'<text class="target" x="{x - 3}" y="{_TOP - 2}" text-anchor="end">{word}</text>'
    yield f'<text x="{_LEFT}" y="{HEIGHT - 6}">rows of the task, logarithmic</text>'


def _drawn(one: Series, kind: int, scale: _Scale) -> Iterator[str]:
    """One base: its band, its curve, its points."""
    yield f'<g class="k{kind}">'
    if one.line:
        above = [f"{scale.x(o.rows)},{scale.y(o.high)}" for o in one.line]
        below = [f"{scale.x(o.rows)},{scale.y(o.low)}" for o in reversed(one.line)]
        yield f'<polygon class="band" points="{" ".join(above + below)}"/>'
        told = " ".join(f"{scale.x(o.rows)},{scale.y(o.error)}" for o in one.line)
        yield f'<polyline class="fit" points="{told}"/>'
    for rows, error in one.points:
        yield _marker(kind, scale.x(rows), scale.y(error))
    yield "</g>"


def _marker(kind: int, x: float, y: float) -> str:
    """A dot of its own form for each base: colour alone would not tell them apart."""
    if kind == 0:
        return f'<circle class="dot" cx="{x}" cy="{y}" r="3.5"/>'
    corners = {
        1: [(-3.3, -3.3), (3.3, -3.3), (3.3, 3.3), (-3.3, 3.3)],
        2: [(0, -4.5), (4.2, 3), (-4.2, 3)],
        3: [(0, -4.5), (4.5, 0), (0, 4.5), (-4.5, 0)],
    }[kind]
    points = " ".join(f"{x + dx:.2f},{y + dy:.2f}" for dx, dy in corners)
    return f'<polygon class="dot" points="{points}"/>'


def _labels(series: Sequence[Series], scale: _Scale) -> Iterator[str]:
    """The bases' names with their markers, at the right, apart from one another."""
    ends = [
        (scale.y(s.line[-1].error if s.line else s.points[-1][1]), i)
        for i, s in enumerate(series)
        if s.line or s.points
    ]
    lowest = _TOP
    for y, i in sorted(ends):
        at = max(y, lowest)
        lowest = at + 16
        label = series[i].label if len(series[i].label) <= 14 else f"{series[i].label[:13]}…"
        yield (
            f'<g class="k{i % _KINDS}">{_marker(i % _KINDS, _RIGHT + 12, at)}'
            f'<text class="label" x="{_RIGHT + 20}" y="{at + 4:.2f}">{escape(plain(label))}</text></g>'
        )
