"""One threshold over the decisions of a project: a small picture, and the same as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from evalgate.records import Decision, Finding, Record
from evalgate.report.markup import code, number, small_table, text
from evalgate.report.numbers import NONE, exact_text, high_text, low_text, present, value_text
from evalgate.report.words import STATUS, plain, short_digest, threshold_text

WIDTH, HEIGHT = 320, 104
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 312.0, 8.0, 84.0
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MOST = 12  # points of one picture
_ENDLESS = 1e9


class Earlier(Record, kw_only=True):
    """A decision that was kept before. `when` is UTC in ISO 8601."""

    when: str
    decision: Decision


class Point(Record, kw_only=True):
    """One decision's finding about one threshold, and whose answers it was about."""

    when: str
    model: str
    digest: str
    finding: Finding


def points_of(finding: Finding, decisions: Sequence[Earlier]) -> list[Point]:
    """What `decisions` (oldest first) found under the suite and test of `finding`, the last dozen of them.

    Decisions that saw the same evidence say the same again: of a row of equal ones only the last is a point.
    """
    points: list[Point] = []
    for earlier in decisions:
        for f in earlier.decision.findings:
            if (f.suite, f.test) == (finding.suite, finding.test):
                model = earlier.decision.model
                point = Point(
                    when=earlier.when,
                    model=model.get("name", ""),
                    digest=model.get("digest", ""),
                    finding=f,
                )
                if points and _says(points[-1]) == _says(point):
                    points.pop()
                points.append(point)
    return points[-_MOST:]


def _says(point: Point) -> tuple[object, ...]:
    f = point.finding
    return (point.digest, f.status, f.estimate, f.low, f.high, f.units, threshold_text(f.threshold))


def describe(points: Sequence[Point]) -> str:
    """The picture in words: how many decisions, how the status went, and where the threshold changed."""
    said = [f"{len(points)} decisions from {points[0].when[:10]} to {points[-1].when[:10]}."]
    first, last = points[0].finding, points[-1].finding
    said.append(f"Estimate {value_text(first.estimate)} at first, {value_text(last.estimate)} now.")
    return " ".join([*said, *changes(points)])


def changes(points: Sequence[Point]) -> list[str]:
    """A sentence for each time that the threshold was another one than at the decision before."""
    bars = [(p.when[:10], threshold_text(p.finding.threshold)) for p in points]
    return [
        f"The threshold changed from {old} to {new} ({when})."
        for (_, old), (when, new) in pairwise(bars)
        if old != new
    ]


def trend_table(points: Sequence[Point], caption: str) -> str:
    """The points as a table, the latest first."""
    columns = ("decided", "model", "status", "estimate", "interval", "threshold")
    return small_table(caption, columns, map(_row, reversed(points)), numbers=3)


def _row(p: Point) -> Sequence[str]:
    f = p.finding
    bare = present(f.low) is None and present(f.high) is None
    return (
        text(p.when.replace("T", " ").removesuffix("Z")[:16]),
        f"{text(p.model)} {code(short_digest(p.digest))}",
        f'<span class="s-{f.status}">{STATUS[f.status].symbol} {f.status}</span>',
        number(value_text(f.estimate)),
        NONE if bare else number(f"{low_text(f.low)} to {high_text(f.high)}"),
        number(threshold_text(f.threshold).replace(">=", "≥").replace("<=", "≤")),
    )


class _Scale:
    """Where numbers and points stand in the picture. Both ends are round numbers beyond all that is shown."""

    def __init__(self, points: Sequence[Point]) -> None:
        shown = [x for p in points for x in _numbers(p.finding)] or [0.0, 1.0]
        low, high = min(shown), max(shown)
        step = next((s for s in _STEPS if high - low <= 4 * s), high - low)
        self.low = math.floor(low / step) * step
        self.high = math.ceil(high / step) * step
        if self.low == self.high:  # nothing but 0 or nothing but 1, most often
            self.low, self.high = self.low - 0.1, self.high + 0.1
        if min(shown) >= 0 and max(shown) <= 1:
            self.low, self.high = max(self.low, 0.0), min(self.high, 1.0)
        self.gap = (_RIGHT - _LEFT) / len(points)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_BOTTOM - share * (_BOTTOM - _TOP), 2)

    def x(self, i: int) -> float:
        return round(_LEFT + (i + 0.5) * self.gap, 2)


def _drawn(x: float | None) -> float | None:
    """`x` if a picture can hold it."""
    y = present(x)
    return y if y is not None and abs(y) < _ENDLESS else None


def _numbers(f: Finding) -> list[float]:
    return [x for x in map(_drawn, (f.estimate, f.low, f.high, _bar(f))) if x is not None]


def _bar(f: Finding) -> float:
    return float(f.threshold.get("min", f.threshold.get("max", 1.0)))


def trend_plot(points: Sequence[Point], *, key: str) -> str:
    """An inline SVG, well-formed XML, styled by the page through classes. `key` makes its ids unique in the page."""
    scale = _Scale(points)
    f = points[-1].finding
    title = plain(f"{f.suite} {f.test} over time")
    parts = [
        (
            f'<svg class="plot trend" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
            f'aria-labelledby="{key}-t {key}-d"><title id="{key}-t">{escape(title)}</title>'
            f'<desc id="{key}-d">{escape(describe(points))}</desc>'
        ),
        *_frame(points, scale),
        *(part for i, p in enumerate(points) for part in _column(p.finding, i, scale)),
        "</svg>",
    ]
    return "".join(parts)


def _frame(points: Sequence[Point], scale: _Scale) -> Iterable[str]:
    yield f'<line class="axis" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}"/>'
    for value in (scale.low, scale.high):
        label = escape(exact_text(round(value, 4)).replace("-", "−"))
        yield f'<text x="{_LEFT - 6}" y="{scale.y(value) + 3.5}" text-anchor="end">{label}</text>'
    one_day = points[0].when[:10] == points[-1].when[:10]
    for i, anchor in ((0, "start"), (len(points) - 1, "end")):
        x = _LEFT if anchor == "start" else _RIGHT
        label = points[i].when[11:16] if one_day else points[i].when[:10]
        yield f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="{anchor}">{escape(plain(label))}</text>'


def _column(f: Finding, i: int, scale: _Scale) -> Iterable[str]:
    """One decision: the good side of its threshold, the threshold, the interval, the estimate."""
    x, half = scale.x(i), scale.gap / 2
    line = _drawn(_bar(f))
    if line is not None:
        y = scale.y(line)
        top, bottom = (y, _BOTTOM) if "max" in f.threshold else (_TOP, y)
        yield f'<rect class="good" x="{x - half:.2f}" y="{top}" width="{2 * half:.2f}" height="{bottom - top:.2f}"/>'
        yield f'<line class="threshold" x1="{x - half:.2f}" y1="{y}" x2="{x + half:.2f}" y2="{y}"/>'
    low, high = _drawn(f.low), _drawn(f.high)
    if low is not None and high is not None:
        yield f'<line class="reach s-{f.status}" x1="{x}" y1="{scale.y(low)}" x2="{x}" y2="{scale.y(high)}"/>'
    if (value := _drawn(f.estimate)) is not None:
        yield f'<circle class="dot s-{f.status}" cx="{x}" cy="{scale.y(value)}" r="3.5"/>'
