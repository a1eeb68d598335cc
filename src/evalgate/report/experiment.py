"""Experiments for people: the list with its ladder, one experiment with its cost, what two differ in, and a page with curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, Final, Literal

import msgspec

from evalgate.records import FindingStatus, Record
from evalgate.report.interference import Interference, interference_section
from evalgate.report.markup import code, facts, number, section, small_table, text
from evalgate.report.numbers import NONE, high_text, low_text, value_text
from evalgate.report.page import page
from evalgate.report.tables import Block, Table, blocks_markdown, blocks_text
from evalgate.report.words import plain, short_digest
from evalgate.store.experiments import Experiment, Kept, Losses

State = Literal["first rung", "ladder move", "within noise", "not comparable", "no estimate"]


class Rung(Record, kw_only=True):
    """A task's primary metric in one experiment: what its decision says, and whether it is a move on the ladder.

    `against`: the best earlier rung; `difference` to it, oriented as the metric is, and `error`: the paired standard error of
    that. Both are None where nothing was compared.
    """

    task: str
    claim: str
    state: State
    reason: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    units: int = 0
    method: str = ""
    status: FindingStatus | None = None
    against: str = ""
    difference: float | None = None
    error: float | None = None


class Logged(Record, kw_only=True):
    """An experiment with what its decision was, "" without one, and its rungs in the order of gate.toml."""

    kept: Kept
    decision: str
    rungs: tuple[Rung, ...]

    @property
    def outcome(self) -> str:
        """The decision, or why there is none."""
        return self.decision or self.kept.experiment.why


class Log(Record, kw_only=True):
    """Every experiment, oldest first. `broken`: records that are not what was written; `notes`: what is not among them."""

    alpha: float
    logged: tuple[Logged, ...]
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def log_json(log: Log) -> dict[str, Any]:
    """Plain values, schema evalgate.experiments/1: full precision, without the curves of the single steps."""
    rows = []
    for one in log.logged:
        row = _plain(one)
        for curve in ("loss", "held_out"):
            del row["experiment"][curve]
        rows.append(row)
    return {"schema": "evalgate.experiments/1", "alpha": log.alpha, "experiments": rows,
            "broken": log.broken, "notes": log.notes}  # fmt: skip


def logged_json(one: Logged) -> dict[str, Any]:
    """The same of one experiment, with its curves."""
    return {"schema": "evalgate.experiments/1", "experiments": [_plain(one)]}


def _plain(one: Logged) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(one)
    return {**value.pop("kept"), **value, "seconds_of_harness": one.kept.experiment.seconds.harness}


_HEAD: Final = ("task", "metric", "units", "estimate", "low", "high", "finding", "difference", "2 errors", "against", "ladder")  # fmt: skip
_RIGHT: Final = (False, False, True, True, True, True, False, True, True, False, False)


def log_text(log: Log) -> str:
    """The list for a terminal."""
    if not log.logged and not log.broken:
        return "no experiments yet: 'evalgate gate train' makes them\n"
    blocks: list[Block] = [("line", f"{len(log.logged)} experiments, the oldest first")]
    for one in log.logged:
        e = one.kept.experiment
        blocks += [("head", f"{one.kept.stem}  {one.outcome}"), ("item", told(e))]
        blocks += _rungs(one.rungs)
    blocks += [("head", "notes"), *(("item", note) for note in (*log.notes, *reading(log.alpha)))]
    return blocks_text(blocks)


def told(e: Experiment) -> str:
    """Recipe, base, data and cost in one line."""
    data = ", ".join(f"{task} {d.rows}" for task, d in sorted(e.data.items()))
    return f"{e.recipe} over {e.base}, {e.mixture} ({data or 'rows not told'}), seed {e.seed}; {cost(e)}"


def cost(e: Experiment) -> str:
    """Harness time against training time, in words."""
    s = e.seconds
    if s.check is None:
        return f"trained in {s.training:.1f} s"
    if s.harness is None or s.answering is None or s.opening is None:
        return f"trained in {s.training:.1f} s, checked in {s.check:.1f} s, of which nothing more is known"
    share = f", {s.harness / s.training:.2f} times the training" if s.training else ""
    return (
        f"trained in {s.training:.1f} s, checked in {s.check:.1f} s: {s.answering:.1f} s of answers, {s.harness:.1f} s of "
        f"harness{share} ({s.opening:.1f} s before the first question, the server's start among them)"
    )


def reading(alpha: float) -> tuple[str, ...]:
    """How to read a ladder, in a few sentences."""
    return (
        f"estimates are those of the kept decisions, each end of an interval one-sided at {alpha:g}",
        "a ladder move is better than the best earlier rung by more than two paired standard errors on the same units; all else is within noise",
        "the ladder sorts development runs and decides nothing: only 'evalgate gate check' decides",
    )


def _rungs(rungs: Sequence[Rung]) -> Iterator[Block]:
    if rungs:
        yield "table", Table(head=_HEAD, right=_RIGHT, rows=list(map(_row, rungs)))
    for rung in rungs:
        if rung.reason:
            yield "item", f"{rung.task}: {rung.reason}"


def _row(r: Rung) -> tuple[str, ...]:
    moved = NONE if r.difference is None else f"{r.difference + 0.0:+.4f}"
    twice = NONE if r.error is None else f"{2 * r.error:.4f}"
    return (r.task, r.claim or NONE, str(r.units) if r.units else NONE, value_text(r.estimate), low_text(r.low),
            high_text(r.high), r.status or NONE, moved, twice, r.against or NONE, r.state)  # fmt: skip


def logged_text(one: Logged, alpha: float) -> str:
    """One experiment for a terminal."""
    blocks: list[Block] = [
        ("line", f"experiment {one.kept.stem}: {one.outcome}"),
        ("head", "what went in"),
    ]
    blocks += [("item", f"{name}: {value}") for name, value in _facts(one)]
    blocks += [("head", "losses of held-out rows"), *_losses(one.kept.experiment), ("head", "findings")]  # fmt: skip
    blocks += [*_rungs(one.rungs), *(("item", note) for note in reading(alpha))]
    return blocks_text(blocks)


def _facts(one: Logged) -> Iterator[tuple[str, str]]:
    e = one.kept.experiment
    yield "candidate", f"{e.name} {short_digest(e.artifact)}"
    yield "when", e.when
    yield "decision", e.decision or e.why
    yield "recipe", f"{e.recipe} {short_digest(e.recipe_digest)}"
    yield "trainer", short_digest(e.trainer)
    yield "config", ", ".join(f"{k} {v}" for k, v in sorted(e.config.items()))
    yield "seed", str(e.seed)
    yield "base", f"{e.base} {short_digest(e.base_digest)}"
    yield "mixture", f"{e.mixture} {short_digest(e.mixture_digest)}"
    yield "corpora", ", ".join(f"{n} {short_digest(d)}" for n, d in sorted(e.corpora.items()))
    for task, data in sorted(e.data.items()):
        yield f"data of {task}", f"{data.rows} rows, {data.trained_tokens} trained tokens"
    if e.starts > 1:
        yield "starts", f"{e.starts}: seconds of training are those of the last one"
    yield "cost", cost(e)


def _losses(e: Experiment) -> Iterator[Block]:
    rows: list[tuple[str, ...] | str] = [
        (task, str(len(curve)), *_ends(curve))
        for task, curve in sorted(e.held_out.items())
        if curve
    ]
    if not rows:
        yield "item", "the trainer measured none"
        return
    head = ("task", "points", "first step", "loss", "last step", "loss", "lowest at", "loss")
    yield "table", Table(head=head, right=(False, *(True,) * 7), rows=rows)


def _ends(curve: Losses) -> tuple[str, ...]:
    points = (curve[0], curve[-1], min(curve, key=lambda p: p[1]))
    return tuple(x for step, loss in points for x in (str(step), value_text(loss)))


class Differences(Record, kw_only=True):
    """What two experiments differ in: (what, in the one, in the other); the same in everything else that is kept."""

    reference: str
    other: str
    rows: tuple[tuple[str, str, str], ...]


def differences(a: Kept, b: Kept) -> Differences:
    """Recipe, trainer, each setting, seed, base, mixture, and rows and tokens of each task, where they differ."""
    left, right = dict(_inputs(a.experiment)), dict(_inputs(b.experiment))
    names = dict.fromkeys([*left, *right])
    rows = [(n, left.get(n, NONE), right.get(n, NONE)) for n in names if left.get(n) != right.get(n)]  # fmt: skip
    return Differences(reference=a.stem, other=b.stem, rows=tuple(rows))


def _inputs(e: Experiment) -> Iterator[tuple[str, str]]:
    yield "recipe", f"{e.recipe} {short_digest(e.recipe_digest)}"
    yield "trainer", short_digest(e.trainer)
    for key, value in sorted(e.config.items()):
        yield f"config {key}", str(value)
    yield "seed", str(e.seed)
    yield "base", f"{e.base} {short_digest(e.base_digest)}"
    yield "mixture", f"{e.mixture} {short_digest(e.mixture_digest)}"
    for name, known in sorted(e.corpora.items()):
        yield f"corpus {name}", short_digest(known)
    for task, data in sorted(e.data.items()):
        yield f"rows of {task}", str(data.rows)
        yield f"trained tokens of {task}", str(data.trained_tokens)


def differences_text(found: Differences) -> str:
    """For a terminal."""
    return blocks_text(_differing(found))


def differences_markdown(found: Differences) -> str:
    """For a job summary."""
    return blocks_markdown(_differing(found))


def _differing(found: Differences) -> Iterator[Block]:
    yield "line", f"experiments: {found.reference} against {found.other}"
    if not found.rows:
        yield "item", "the same recipe, config, data, base and seed"
        return
    head = ("differs in", found.reference, found.other)
    yield "table", Table(head=head, right=(False,) * 3, rows=list(found.rows))


def experiment_page(one: Logged, alpha: float, beside: Interference | None) -> str:
    """One experiment as a self-contained page: what went in, what it cost, losses as pictures and tables, findings, interference."""
    e = one.kept.experiment
    kind = one.decision or "undecided"
    body = [
        f'<p class="kicker">experiment</p>\n<p class="model">{text(e.name)} {code(short_digest(e.artifact))}</p>',
        f'<div class="verdict"><h1>{text(one.outcome)}</h1>\n<p>{text(cost(e))}.</p></div>',
        section("findings", "Findings and ladder", _findings(one), _notes(reading(alpha))),
        section("losses", "Losses of held-out rows", *_pictures(e)),
        interference_section(beside) if beside else "",
        section("inputs", "What went in", facts((n, text(v)) for n, v in _facts(one))),
    ]
    return page(f"{e.name}: experiment", body, kind=kind, style=_STYLE)


def _findings(one: Logged) -> str:
    columns = ("Task", "Metric", "Ladder", "Against", "Finding", "Units", "Estimate", "Interval", "Difference", "2 errors")  # fmt: skip
    rows = []
    for rung in one.rungs:
        task, claim, units, estimate, low, high, status, moved, twice, against, state = _row(rung)
        look = f'<span class="s-{rung.status}">{text(status)}</span>' if rung.status else NONE
        interval = NONE if rung.low is None and rung.high is None else number(f"{low} to {high}")
        rows.append((text(task), text(claim), text(state), text(against), look, number(units), number(estimate), interval,
                     number(moved), number(twice)))  # fmt: skip
    told_ = [f"{r.task}: {r.reason}" for r in one.rungs if r.reason]
    return small_table(f"{one.kept.experiment.name}: primary metric of each task", columns, rows, numbers=5) + _notes(told_)  # fmt: skip


def _notes(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f'<ul class="notes">{items}</ul>' if items else ""


_STYLE = """
.losses { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem; margin: .8rem 0; }
.losses figure { margin: 0; } .losses figcaption { font-weight: 600; font-size: .9rem; }
.plot .line { fill: none; stroke: currentcolor; stroke-width: 2; }
"""
_WIDTH, _HEIGHT, _LEFT, _TOP, _END, _BOTTOM = 320, 120, 48.0, 10.0, 308.0, 96.0


def _pictures(e: Experiment) -> Iterator[str]:
    curves = [(task, curve) for task, curve in sorted(e.held_out.items()) if curve]
    if not curves:
        yield "<p>The trainer measured none.</p>"
    top = max((loss for _, curve in curves for _, loss in curve), default=0.0)
    last = max((curve[-1][0] for _, curve in curves), default=0)
    if curves:
        figures = (
            f"<figure><figcaption>{text(task)}</figcaption>{loss_plot(task, curve, top=top, last=last, key=f'loss-{i}')}</figure>"
            for i, (task, curve) in enumerate(curves)
        )
        yield f'<div class="losses">{"".join(figures)}</div>'
        yield "<p>One scale for all tasks: nats a trained token, from 0. Losses of different tasks are not comparable with each other.</p>"
    yield _loss_table("Mean loss of held-out rows, nats a trained token, by step", curves)
    if e.loss:
        few = [e.loss[i] for i in _spread(len(e.loss))]
        yield _loss_table("Training loss by step (a few of all)", [("training", tuple(few))])


def _spread(n: int, most: int = 8) -> list[int]:
    """At most `most` of n positions, evenly spread, both ends among them."""
    return sorted({round(i * (n - 1) / (most - 1)) for i in range(most)}) if n else []


def _loss_table(caption: str, curves: Sequence[tuple[str, Losses]]) -> str:
    steps = sorted({step for _, curve in curves for step, _ in curve})
    rows = [
        (text(task), *(number(value_text(dict(curve).get(step))) for step in steps))
        for task, curve in curves
    ]
    return small_table(caption, ("Task", *map(str, steps)), rows, numbers=len(steps))


def loss_plot(task: str, curve: Losses, *, top: float, last: int, key: str) -> str:
    """An inline SVG of one task's held-out loss by step, from 0 to `top` and to the step `last`. `key` makes its ids unique."""

    def at(point: tuple[int, float]) -> tuple[float, float]:
        step, loss = point
        x = _LEFT + (_END - _LEFT) * (step / last if last else 0.0)
        y = _BOTTOM - (_BOTTOM - _TOP) * (min(max(loss, 0.0), top) / top if top > 0 else 0.0)
        return round(x, 2), round(y, 2)

    first, end = curve[0], curve[-1]
    said = f"{len(curve)} points, {value_text(first[1])} at step {first[0]}, {value_text(end[1])} at step {end[0]}."
    points = [at(point) for point in curve]
    parts = [
        (
            f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
            f'aria-labelledby="{key}-t {key}-d"><title id="{key}-t">{escape(plain(task))}: held-out loss by step</title>'
            f'<desc id="{key}-d">{escape(said)}</desc>'
        ),
        f'<line class="axis" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_END}" y2="{_BOTTOM}"/>',
        *(
            f'<text x="{_LEFT - 6}" y="{y + 3.5}" text-anchor="end">{number(f"{value:.3g}")}</text>'
            for value, y in ((0.0, _BOTTOM), (top, _TOP))
        ),
        *(
            f'<text x="{x}" y="{_BOTTOM + 15}" text-anchor="{side}">{label}</text>'
            for label, x, side in (("0", _LEFT, "start"), (f"step {last}", _END, "end"))
        ),
        f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in points)}"/>',
        *(f'<circle class="dot" cx="{x}" cy="{y}" r="3"/>' for x, y in points),
        "</svg>",
    ]
    return "".join(parts)
