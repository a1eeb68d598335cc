"""One finding as a small picture: where the threshold lies, which side is good, and where the interval lies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from evalgate.records import Finding, Record
from evalgate.report.numbers import exact_text, high_text, low_text, present, value_text
from evalgate.report.words import STATUS, is_difference, plain, threshold_text

WIDTH, HEIGHT = 220, 48
_LEFT, _RIGHT = (
    14.0,
    206.0,
)  # the axis, in units of the picture; room for half a label on both sides
_TOP, _MIDDLE, _BASE = 15.0, 24.0, 33.0  # top of the shaded band, centre of the bar, the axis
_LEVELS = (0.1, 0.2, 0.5, 1.0)  # lengths of an axis for levels: one end is always 0 or 1
_DIFFERENCES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # half lengths of an axis for differences, around 0
_EDGE = 0.12  # share of the axis that stays free at an end that is neither 0 nor 1


class Axis(Record, frozen=True, kw_only=True):
    """What the picture shows, from `low` to `high`, with labels at `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> float:
        """The place of `value` in the picture; values beyond the axis stand at its end."""
        share = (value - self.low) / (self.high - self.low)
        return round(_LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - _LEFT), 2)


def axis_of(finding: Finding) -> Axis:
    """The shortest of a few fixed axes that holds the estimate, the interval and the threshold.

    Levels: up to 1 for `min` and `all`, from 0 for `max`. Differences: 0 in the middle.
    """
    numbers = _numbers(finding)
    if is_difference(finding):
        return _difference_axis(numbers)
    if any(not 0 <= x <= 1 for x in numbers):  # a score of somebody's own, on another scale
        low, high = min(*numbers, 0.0), max(*numbers, 1.0)
        return Axis(low=low, high=high, ticks=(low, high))
    from_zero = "max" in finding.threshold
    inside = [x if from_zero else 1 - x for x in numbers]
    length = next((s for s in _LEVELS if all(x <= s * (1 - _EDGE) for x in inside)), 1.0)
    low, high = (0.0, length) if from_zero else (1 - length, 1.0)
    return Axis(low=low, high=high, ticks=(low, (low + high) / 2, high))


def _difference_axis(numbers: Sequence[float]) -> Axis:
    furthest = max((abs(x) for x in numbers), default=0.0)
    half = next((s for s in _DIFFERENCES if furthest <= s * (1 - _EDGE)), max(1.0, furthest))
    return Axis(low=-half, high=half, ticks=(-half, 0.0, half))


def _numbers(finding: Finding) -> list[float]:
    target = _target(finding)
    return [
        x
        for x in map(present, (finding.estimate, finding.low, finding.high, target))
        if x is not None
    ]


def _target(finding: Finding) -> float | None:
    """Where the line stands: the threshold, or 1 if all must be right."""
    for end in ("min", "max"):
        if end in finding.threshold:
            return present(float(finding.threshold[end]))
    return 1.0


def describe(finding: Finding) -> str:
    """The picture in words, for people who do not see it."""
    said = [f"Threshold {threshold_text(finding.threshold)}."]
    if present(finding.estimate) is not None:
        said.append(f"Estimate {value_text(finding.estimate)}.")
    if present(finding.low) is not None or present(finding.high) is not None:
        said.append(f"Interval {low_text(finding.low)} to {high_text(finding.high)}.")
        said.append(STATUS[finding.status].meaning)
    return " ".join(said)


def interval_plot(finding: Finding, *, key: str) -> str:
    """An inline SVG, well-formed XML, styled by the page through classes. `key` makes its ids unique in the page."""
    axis = axis_of(finding)
    title = plain(f"{finding.suite} {finding.test}: {finding.status}")
    parts = [
        (
            f'<svg class="plot s-{finding.status}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
            f' role="img" aria-labelledby="{key}-t {key}-d">'
        ),
        f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(describe(finding))}</desc>',
        *_good_side(finding, axis),
        *_scale(finding, axis),
        *_bar(finding, axis),
        *_threshold(finding, axis),
        *_dot(finding, axis),
        "</svg>",
    ]
    return "".join(parts)


def _good_side(finding: Finding, axis: Axis) -> Iterable[str]:
    target = _target(finding)
    if target is None:
        return
    x = axis.x(target)
    start, end = (_LEFT, x) if "max" in finding.threshold else (x, _RIGHT)
    if end > start:
        yield f'<rect class="good" x="{start}" y="{_TOP}" width="{end - start:.2f}" height="{_BASE - _TOP}"/>'


def _scale(finding: Finding, axis: Axis) -> Iterable[str]:
    yield _line("axis", _LEFT, _BASE, _RIGHT, _BASE)
    signed = is_difference(finding)
    for tick in axis.ticks:
        x = axis.x(tick)
        yield _line("axis", x, _BASE, x, _BASE + 3)
        if signed and tick == 0:
            yield _line("zero", x, _TOP, x, _BASE)
        yield f'<text x="{x}" y="{HEIGHT - 2}" text-anchor="middle">{_label(tick, signed=signed)}</text>'


def _label(tick: float, *, signed: bool) -> str:
    text = exact_text(round(tick, 4)).replace("-", "−")
    return f"+{text}" if signed and tick > 0 else text


def _bar(finding: Finding, axis: Axis) -> Iterable[str]:
    """The interval. An end that is missing has no cap and runs to the end of the axis."""
    low, high = present(finding.low), present(finding.high)
    if low is None and high is None:
        return
    start = _LEFT if low is None else axis.x(low)
    end = _RIGHT if high is None else axis.x(high)
    yield f'<rect class="bar" x="{start}" y="{_MIDDLE - 2.5}" width="{max(end - start, 1):.2f}" height="5"/>'
    for x, bound in ((start, low), (end, high)):
        if bound is not None:
            yield _line("cap", x, _MIDDLE - 5.5, x, _MIDDLE + 5.5)


def _threshold(finding: Finding, axis: Axis) -> Iterable[str]:
    target = _target(finding)
    if target is None:
        return
    x = axis.x(target)
    yield _line("threshold", x, _TOP - 3, x, _BASE + 3)
    label = (
        threshold_text(finding.threshold).replace(">=", "≥").replace("<=", "≤").replace("-", "−")
    )
    anchor = "start" if x < _LEFT + 22 else "end" if x > _RIGHT - 22 else "middle"
    at = {"start": x - 1, "end": x + 1, "middle": x}[anchor]
    yield f'<text class="target" x="{at}" y="10" text-anchor="{anchor}">{escape(label)}</text>'


def _dot(finding: Finding, axis: Axis) -> Iterable[str]:
    value = present(finding.estimate)
    if value is None:
        line = axis.x(_target(finding) or axis.low)
        x = (_LEFT + line) / 2 if line - _LEFT > _RIGHT - line else (line + _RIGHT) / 2
        yield f'<text class="none" x="{x}" y="{_MIDDLE + 3.5}" text-anchor="middle">no estimate</text>'
    else:
        yield f'<circle class="dot" cx="{axis.x(value)}" cy="{_MIDDLE}" r="4"/>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
