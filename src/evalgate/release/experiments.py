"""The experiment log: what a training and its check are kept as, and which experiments were moves on the ladder.

A ladder (Blum and Hardt 2015) reports an improvement only where it is larger than its own noise, so that hundreds of looks at one
development set do not climb on chance. Everything is read from kept decisions and runs; nothing is asked, nothing decided.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from evalgate.authored.gate_toml import is_census, is_difference
from evalgate.authored.recipe import Recipe
from evalgate.errors import EvalgateError, IntegrityError, UsageError
from evalgate.gate import record
from evalgate.gate.claims import estimate_of
from evalgate.gate.sides import open_side, unlike
from evalgate.metrics import Difference, PairedBinary
from evalgate.metrics.tally import Pair
from evalgate.release.interference import interference
from evalgate.release.trained import FILE
from evalgate.release.training import Trained
from evalgate.release.training_admission import Admitted
from evalgate.report.experiment import Log, Logged, Rung, experiment_page
from evalgate.report.interference import Interference
from evalgate.store import KeptRun, Run, last_sum, read_manifest, repeats
from evalgate.store.experiments import (
    NOT_CHECKED,
    Experiment,
    Kept,
    Losses,
    Seconds,
    TaskData,
    keep,
    new_stem,
    paths,
    read,
    write,
)
from evalgate.store.ledger import stamp
from evalgate.store.shelf import earlier_marks, read_mark
from evalgate.suite import Answers, FirstRelease, LoadedSuite, Project

ERRORS: Final = 2.0
"""How many paired standard errors a rung has to be above the best one."""
_OTHER_QUESTIONS: Final = frozenset({"gold", "items", "prompt", "parser", "sampling"})
_HELD_OUT: Final = re.compile(r"eval_(.+)_loss")


def trained(
    root: Path, recipe: Recipe, admitted: Admitted, done: Trained, *, why: str = NOT_CHECKED
) -> Kept:
    """The experiment as it is when its candidate is there and nothing was asked of it, and `why`. It is not written."""
    told = json.loads((root / done.path / FILE).read_bytes())
    log: list[Mapping[str, Any]] = told["log"]
    steps = [line for line in log if line["event"] == "step"]
    data: Mapping[str, Any] = next((line for line in reversed(log) if line["event"] == "data"), {})
    tokens = data.get("trained_tokens", {})
    tasks = {m[1] for line in steps for key in line if (m := _HELD_OUT.fullmatch(key))}
    experiment = Experiment(
        name=done.name,
        artifact=done.digest,
        when=stamp(),
        recipe=recipe.path,
        recipe_digest=recipe.digest,
        trainer=told["trainer"],
        config=dict(recipe.config),
        seed=recipe.seed,
        base=recipe.base,
        base_digest=told["base"],
        mixture=admitted.mixture.name,
        mixture_digest=admitted.mixture.digest,
        corpora=dict(told["corpora"]),
        data={
            task: TaskData(rows=rows, trained_tokens=tokens.get(task, 0))
            for task, rows in sorted(data.get("rows", {}).items())
        },
        starts=max(1, sum(line["event"] == "begun" for line in log)),
        loss=_curve(steps, "loss"),
        held_out={task: _curve(steps, f"eval_{task}_loss") for task in sorted(tasks)},
        seconds=Seconds(training=round(done.seconds, 3)),
        why=why,
    )
    return Kept(stem=new_stem(done.name), experiment=experiment)


def _curve(steps: Iterable[Mapping[str, Any]], key: str) -> Losses:
    """(step, value), a step that was done twice with its last value; what is no number is left out."""
    found = {line["step"]: float(line[key]) for line in steps if line.get(key) is not None}
    return tuple((step, loss) for step, loss in sorted(found.items()) if math.isfinite(loss))


class Window(NamedTuple):
    """When a check began and ended, in seconds since the epoch."""

    began: float
    ended: float


def checked(root: Path, kept: Kept, stem: str | None, why: str, window: Window) -> Kept:
    """The experiment after its check: with its decision, or `why` there is none, and with what the check cost.

    Raises IntegrityError (a decision or run that is not what was written).
    """
    seconds = msgspec.structs.replace(
        kept.experiment.seconds, check=round(window.ended - window.began, 3)
    )
    if stem is not None:
        evidence = _decision(root, stem).evidence
        runs = [r for s in evidence.suites for r in (s.run, s.baseline_run, *s.verdicts.values())]
        if evidence.suites:
            asked = sorted(i for run in runs if run for i in _asked(root / run, window))
            answering, first = _covered(asked), asked[0][0] if asked else window.ended
            seconds = msgspec.structs.replace(
                seconds, answering=round(answering, 3), opening=round(first - window.began, 3)
            )
    after = msgspec.structs.replace(
        kept.experiment, seconds=seconds, decision=stem, why="" if stem else why
    )
    return msgspec.structs.replace(kept, experiment=after)


def _decision(root: Path, stem: str) -> record.Recorded:
    """Raises IntegrityError (EG512, EG513)."""
    return record.read(root / "reports" / "decisions" / f"{stem}.json")


def _asked(path: Path, window: Window) -> Iterator[tuple[float, float]]:
    """From when to when each question of a run was with the server, within the window."""
    manifest = read_manifest(path)
    run = Run(path, manifest) if manifest else ()
    for n in range(len(run)):
        row = run.row(n) if isinstance(run, Run) else None
        if row is not None and row.at >= window.began:
            spent = row.seconds + sum(one.seconds for one in row.tries)
            yield max(row.at - spent, window.began), min(row.at, window.ended)


def _covered(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of intervals that are sorted by their beginnings."""
    total, reached = 0.0, -math.inf
    for low, high in intervals:
        total += max(0.0, high - max(low, reached))
        reached = max(reached, high)
    return total


def write_experiment(project: Project, kept: Kept) -> Interference | None:
    """Writes the record, then its page; returns what interference found beside references that were asked, None without one.

    Raises InfrastructureError (EG950), IntegrityError.
    """
    keep(project.root, kept)
    beside = _beside(project, kept.experiment.name) if kept.experiment.decision else None
    alpha = project.gate.settings.alpha
    one = next((one for one in log(project).logged if one.kept.stem == kept.stem), None)
    if one is not None:
        page = experiment_page(one, alpha, beside)
        write(project.root, f"{kept.stem}.html", page.encode())
    return beside


def _beside(project: Project, name: str) -> Interference | None:
    """The candidate beside those references of which answers are there."""
    try:
        found = interference(project, name)
    except UsageError:  # nothing to compare with, or nothing was answered
        return None
    there = tuple(
        against
        for against in found.against
        if any(c.kind == "metric" and c.state != "not comparable" for c in against.cells)
    )
    return msgspec.structs.replace(found, against=there) if there else None


def log(project: Project) -> Log:
    """Every experiment, oldest first, with its decision and its rungs; what was edited is named and starts the ladder anew."""
    ladder, logged, broken = _Ladder(project), [], []
    for path in paths(project.root):
        try:
            kept = read(path)
            logged.append(ladder.climbed(kept))
        except IntegrityError as e:
            broken.append(str(e))
            ladder.lost("an experiment before it is not what was written")
    recorded = {one.kept.experiment.name for one in logged}
    missing = [
        name
        for name, spec in project.settings.models.items()
        if name not in recorded and spec.artifact and (project.root / spec.artifact / FILE).is_file()
    ]  # fmt: skip
    notes = [f"{name} was trained here and has no experiment" for name in missing]
    return Log(
        alpha=project.gate.settings.alpha,
        logged=tuple(logged),
        broken=tuple(broken),
        notes=tuple(notes),
    )


class _Best(NamedTuple):
    name: str
    answers: Answers


class _Ladder:
    """By task the best rung so far; where rungs before cannot be compared any more, why not."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._claims = {suite: claim for suite in project.suites if (claim := _primary(project, suite))}  # fmt: skip
        self._best: dict[str, _Best] = {}
        self._why: dict[str, str] = {}

    def lost(self, why: str, *tasks: str) -> None:
        """What stands on the ladder of `tasks` (all, if none) can be no rung to compare with."""
        for task in tasks or self._claims:
            self._best.pop(task, None)
            self._why[task] = why

    def climbed(self, kept: Kept) -> Logged:
        """The experiment with a rung a task. Raises IntegrityError: its decision or a run of it was edited."""
        stem = kept.experiment.decision
        if stem is None:
            rungs = [Rung(task=t, claim=c, state="no estimate") for t, c in self._claims.items()]
            return Logged(kept=kept, decision="", rungs=tuple(rungs))
        found = _decision(self._project.root, stem)
        rungs = [self._rung(kept, found, task) for task in self._claims]
        return Logged(kept=kept, decision=found.decision.decision, rungs=tuple(rungs))

    def _rung(self, kept: Kept, found: record.Recorded, task: str) -> Rung:
        claim = self._claims[task]
        findings = found.decision.findings
        finding = next((f for f in findings if (f.suite, f.test) == (task, claim)), None)
        if finding is None or finding.estimate is None:
            reason = "its decision has no estimate of it"
            return Rung(task=task, claim=claim, state="no estimate", reason=reason)
        rung = Rung(
            task=task,
            claim=claim,
            state="not comparable",
            estimate=finding.estimate,
            low=finding.low,
            high=finding.high,
            units=finding.units,
            method=finding.method,
            status=finding.status,
        )
        try:
            answers = self._answers(found, task)
        except UsageError as e:
            why = str(e)
            self.lost(f"{kept.experiment.name} before it cannot be compared any more", task)
            return msgspec.structs.replace(rung, reason=why)
        return self._compared(rung, _Best(kept.experiment.name, answers))

    def _compared(self, rung: Rung, ours: _Best) -> Rung:
        task, best = rung.task, self._best.get(rung.task)
        if best is None:
            self._best[task] = ours
            why = self._why.pop(task, "")
            if why:
                return msgspec.structs.replace(rung, reason=f"{why}: the ladder starts anew here")
            return msgspec.structs.replace(rung, state="first rung")
        other = sorted(_OTHER_QUESTIONS & set(unlike(ours.answers.run, best.answers.run)))
        if other:
            self._best[task] = ours
            why = f"{best.name} was asked with another {', '.join(other)}: the ladder starts anew here"
            return msgspec.structs.replace(rung, against=best.name, reason=why)
        moved = _moved(self._project.suites[task], rung.claim, ours.answers, best.answers)
        if moved is None:
            why = "its metric does not go unit by unit"
            return msgspec.structs.replace(rung, against=best.name, reason=why)
        difference, error = moved
        up = difference > 0 and difference > ERRORS * error
        if up:
            self._best[task] = ours
        return msgspec.structs.replace(
            rung,
            state="ladder move" if up else "within noise",
            against=best.name,
            difference=difference,
            error=error,
        )

    def _answers(self, found: record.Recorded, task: str) -> Answers:
        """The very answers that a decision rests on. Raises UsageError where they are not here, IntegrityError."""
        root = self._project.root
        suite = next((s for s in found.evidence.suites if s.suite == task), None)
        if suite is None or not suite.run:
            raise UsageError("its decision names no answers")
        place = root / suite.run
        wanted = suite.sums.get(suite.run)
        for run in repeats(KeptRun(suite=task, key=place.name, repeat=0, path=place)):
            if wanted and last_sum(run.path) == wanted:
                return open_side(self._project.suites[task], run, found.decision.model["name"])
        gone = (read_mark(place) or earlier_marks(place)) if place.is_dir() else None
        raise UsageError(
            "its answers were purged" if gone else "the answers that it was decided on are not here"
        )


def _primary(project: Project, suite: str) -> str:
    """The first row with a `min` that is a level by itself: no census, no comparison, no judge's word; "" for none."""
    rows = project.gate.suites[suite].items()
    return next(
        (k for k, bar in rows if bar.min is not None and not (bar.judge or is_census(k) or is_difference(k))),
        "",
    )  # fmt: skip


def _moved(loaded: LoadedSuite, claim: str, ours: Answers, theirs: Answers) -> tuple[float, float] | None:  # fmt: skip
    """The mean difference over units, ours minus theirs, and its standard error; None for a metric without unit means.

    The error is that of a mean of n independent differences, sd / sqrt(n), the sd with n - 1. Raises IntegrityError.
    """
    try:
        pair = estimate_of(loaded, claim, Pair(ours, theirs), FirstRelease(), what="a pair")
    except EvalgateError as e:
        if isinstance(e, IntegrityError):
            raise
        return None
    sample = pair.sample if pair else None
    if isinstance(sample, PairedBinary):
        b, c, n = sample.b, sample.c, sample.n
        counts: tuple[tuple[float, int], ...] = ((1.0, b), (-1.0, c), (0.0, n - b - c))
    elif isinstance(sample, Difference):
        counts = sample.x_counts
    else:
        return None
    n = sum(k for _, k in counts)
    if n < 2:
        return None
    mean = math.fsum(x * k for x, k in counts) / n
    spread = math.fsum(k * (x - mean) ** 2 for x, k in counts) / (n - 1)
    return mean, math.sqrt(spread / n)
