"""`models curve`: several bases are trained on nested parts of the same data; their curves nominate, and promote nothing.

Each point is an ordinary training: a mixture, a recipe, what `gate train` asks before the first step, and the suites of
`gate check` after the last. What was measured is recorded at once, so that a start after a crash goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final, NamedTuple

import msgspec
import tomlkit

from evalgate import digest
from evalgate.authored import Problems
from evalgate.authored.curve import CurveFile, load_curve
from evalgate.authored.gate_toml import is_census, is_difference, split_key
from evalgate.authored.recipe import Recipe, load_recipe
from evalgate.corpus.counting import counter
from evalgate.corpus.mix import Blend
from evalgate.corpus.mixture import Mixture, load_mixture, mix
from evalgate.corpus.parts import part_of
from evalgate.errors import IntegrityError, Refused, UsageError
from evalgate.files import held, write_whole
from evalgate.gate.check import check
from evalgate.records import Decision
from evalgate.release.experiments import trained
from evalgate.release.nomination import nominated, task_curves
from evalgate.release.reselection import reselection
from evalgate.release.trained import FILE
from evalgate.release.training import recipe_of, train
from evalgate.release.training_admission import DATA, Admitted, admit
from evalgate.report.curve import CurvePoint, CurveReport, curve_page
from evalgate.store.experiments import keep
from evalgate.suite import Project, load_project
from evalgate.suite.project import load_header

RECORDS: Final = "reports/curves"
RECIPES: Final = "trainers/curves"
"""Where the recipes of the points are written: each can be trained by itself with `gate train`."""

Told = Callable[[str], None]


class Point(NamedTuple):
    """One point to be made: `mixture` is the name of its part."""

    base: str
    part: str
    seed: int
    mixture: str
    key: str
    name: str


def curve_of(root: Path, path: Path) -> CurveFile:
    """The curve's file at `path`, valid and about this project's parts. Raises FileProblems, UsageError (EG965)."""
    problems = Problems()
    file = load_curve(path, root, problems)
    problems.raise_if_any()
    assert file is not None
    for part in file.parts:
        part_of(part, where=f"{file.path}: [curve] parts")
    return file


def draw(
    root: Path,
    file: CurveFile,
    *,
    keep: bool = False,
    told: Told = lambda _: None,
) -> CurveReport:
    """Makes the points that are not there yet, fits, nominates, and records reports/curves/STEM.json and .html.

    `keep`: the candidates stay; without it their files go once their numbers are recorded. `told` hears a line of each point.
    Raises Refused (EG967: the data, the plan or a licence does not allow it), UsageError (EG966: a task or metric that is not
    there; EG968: a point without its number; those of `train`), IntegrityError (EG969: a record that cannot be read),
    InfrastructureError, CheckError.
    """
    stem = Path(file.path).stem
    path = root / RECORDS / f"{stem}.json"
    with held(root / ".evalgate" / "curves" / f"{stem}.lock"):
        work = _Work(root, file, stem)
        before = read_curve(path)
        points = work.points()
        known = {p.key: p for p in before.points} if before else {}
        due = reselection(root)
        report = CurveReport(
            name=stem,
            file=file.digest,
            measure=file.measure,
            current=file.current,
            challengers=file.challengers,
            rows=due.rows,
            points=tuple(known[p.key] for p in points if p.key in known),
        )
        doubled = due.why if due.due else ""
        if before and not before.decided:  # this start goes on with one that knew the last choice
            doubled = doubled or before.doubled
        elif before and len(report.points) == len(points):
            same = msgspec.structs.replace(before, tasks=(), nominated={}, doubled="", decided="")
            if same == report:
                return before
        report = msgspec.structs.replace(report, doubled=doubled)
        missing = [point for point in points if point.key not in known]
        work.admitted(missing)
        if not keep:  # what a start left that was killed between record and removal
            work.drop(*(p.name for p in report.points))
        for number, point in enumerate(missing, 1):
            made = work.made(point)
            report = msgspec.structs.replace(report, points=(*report.points, made))
            _write(path, report)
            if not keep:
                work.drop(point.name)
            errors = ", ".join(f"{task} {error:.4f}" for task, error in made.error.items())
            told(f"{number}/{len(missing)} {point.name}: {errors} ({made.seconds:.0f} s)")
        tasks = tuple(
            task_curves(file, report.points, task, label, rows)
            for task, label, rows in work.asked()
        )
        report = msgspec.structs.replace(
            report,
            tasks=tasks,
            nominated=nominated(file.challengers, tasks, doubled),
            decided=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        )
        _write(path, report)
        return report


def read_curve(path: Path) -> CurveReport | None:
    """The record at `path`, None if there is none. Raises IntegrityError (EG969)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=CurveReport)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as e:
        kind = e.strerror if isinstance(e, OSError) else "not of its schema"
        raise IntegrityError(
            f"found a record of a curve that cannot be read ({kind}), expected evalgate.curve/1 as it was written. Restore it, or "
            "remove it: its points are trained again then.",
            where=f"{RECORDS}/{path.name}",
            code="EG969",
        ) from None


def _write(path: Path, report: CurveReport) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.format(msgspec.json.encode(report), indent=1), mode=0o644)
    if report.decided:
        write_whole(path.with_suffix(".html"), curve_page(report).encode(), mode=0o644)


class _Work:
    """One curve of one project: what its points are, and how each is made."""

    def __init__(self, root: Path, file: CurveFile, stem: str) -> None:
        problems = Problems()
        recipe = load_recipe(root / file.recipe, root, problems)
        problems.raise_if_any()
        assert recipe is not None
        self._root, self._file, self._stem = root, file, stem
        self._recipe: Recipe = recipe
        self._project: Project = load_project(root)
        self._whole = load_mixture(root / DATA, recipe.mixture)
        self._tasks = file.tasks or tuple(sorted(self._whole.tasks))
        for task in self._tasks:
            if task not in self._whole.tasks:
                known = ", ".join(self._whole.tasks)
                raise self._unusable(f"the task {task}", f"one of the mixture's: {known}", "tasks")
        self._claims = {} if file.measure == "loss" else {t: self._claim(t) for t in self._tasks}
        self._admitted: dict[str, Admitted] = {}
        self._mixtures = {part: self._mixture(part) for part in file.parts}

    def _unusable(self, found: str, expected: str, key: str) -> UsageError:
        return UsageError(
            f"found {found}, expected {expected}. Correct it.",
            where=f"{self._file.path}: {key}",
            code="EG966",
        )

    def _claim(self, task: str) -> str:
        """The row of gate.toml whose error is drawn: a level, not a slice, not a judge's."""
        rows = self._project.gate.suites.get(task, {})
        levels = [
            key
            for key, bar in rows.items()
            if not (is_difference(key) or is_census(key) or bar.judge or split_key(key)[1])
        ]
        wanted = self._file.primary.get(task) or next(
            (key for key in levels if rows[key].min is not None), None
        )
        if wanted not in levels:
            raise self._unusable(
                f"no such level {wanted or 'with a min'} of {task}",
                f"one of {', '.join(levels) or 'gate.toml, which has none'}",
                "[primary]",
            )
        return wanted

    def asked(self) -> Iterator[tuple[str, str, int]]:
        """Each task with what an error is, and its rows now."""
        for task in self._tasks:
            label = "held-out loss"
            if claim := self._claims.get(task):
                least = self._project.gate.suites[task][claim].min is not None
                label = f"1 - {claim}" if least else claim
            yield task, label, self._whole.tasks[task].available

    def _mixture(self, part: str) -> Mixture:
        """The part of the recipe's mixture, made if it is not there yet; it bears the digest of what it is a part of."""
        if part == "1":
            return self._whole
        below = part.partition("/")[2]
        name = f"{self._whole.name}-{self._whole.digest[7:15]}-1of{below}"
        data = self._root / DATA
        if (data / "mixtures" / f"{name}.manifest.json").exists():
            return load_mixture(data, name)
        blend = msgspec.convert(self._whole.made_with.arguments, Blend)
        share = part_of(part, where=self._file.path)
        rows = None if blend.rows is None else max(1, int(blend.rows * share))
        corpora = [data / one.name for one in self._whole.corpora]
        with counter(None, self._root) as words:
            blend = msgspec.structs.replace(blend, part=part, rows=rows)
            return mix(data, name, corpora, recipe=blend, counter=words)

    def points(self) -> list[Point]:
        """All points, the smallest parts first."""
        file = self._file
        asked: dict[str, Any] = {"measure": file.measure, "tasks": self._tasks}
        if file.measure == "metric":
            for task, claim in self._claims.items():
                suite = self._project.suites[task]
                here = [suite.gold.digest, suite.prompt.digest, digest.of_file(suite.path)]
                asked[f"suite {task}"] = [claim, *here]
        trainer = digest.of_file(self._root / self._recipe.trainer)
        found = []
        shares = sorted(file.parts, key=lambda p: part_of(p, where=file.path))
        bases = {base: self._base(base) for base in (file.current, *file.challengers)}
        for part in shares:
            mixture = self._mixtures[part]
            for base, known in bases.items():
                for seed in file.seeds:
                    key = digest.of_value(
                        [asked, trainer, self._recipe.config, known, mixture.digest, seed]
                    )
                    label = f"{self._stem}-{base}-{part.replace('/', 'of')}-s{seed}-{key[7:13]}"
                    name = re.sub(r"[^A-Za-z0-9._-]", "_", label)
                    found.append(Point(base, part, seed, mixture.name, key, name))
        return found

    def _base(self, name: str) -> list[str]:
        """What of a base can change a number: its bytes, and how its candidates are served."""
        spec = self._project.settings.model(name)
        path = self._root / (spec.artifact or "")
        bytes_ = digest.of_tree(path) if spec.artifact and path.is_dir() else ""  # `admit` refuses
        return [bytes_, spec.server, *spec.args]

    def _written(self, point: Point) -> Path:
        """The point's recipe."""
        recipe = self._recipe
        path = self._root / RECIPES / self._stem / f"{point.name}.toml"
        table = {
            "trainer": recipe.trainer,
            "base": point.base,
            "mixture": point.mixture,
            "output": point.name,
            "seed": point.seed,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        text = tomlkit.dumps({"recipe": table, "config": recipe.config})
        write_whole(path, text.encode(), mode=0o644)
        return path

    def admitted(self, points: list[Point]) -> None:
        """Writes the recipes; everything that is refused is refused before a step is trained. Raises Refused (EG967).

        Once for each base: all mixtures are of the same corpora and tasks, and nothing else of them is looked at.
        """
        for point in points:
            self._written(point)
        for base in dict.fromkeys(point.base for point in points):
            whole = msgspec.structs.replace(self._recipe, base=base)
            checks, admitted = admit(self._project, whole)
            if admitted is None:
                why = "; ".join(c.detail for c in checks if c.outcome == "fails")
                raise Refused(
                    f"found that {base} may not be trained on {whole.mixture} ({why}), expected admission. Mend it; nothing was "
                    "trained.",
                    where=self._file.path,
                    code="EG967",
                )
            self._admitted[base] = admitted

    def made(self, point: Point) -> CurvePoint:
        """Trains the point, unless a killed start has done so, and measures it."""
        began = time.monotonic()
        model = self._root / "models" / point.name
        if not (model / FILE).is_file():
            recipe = recipe_of(self._root, self._written(point))
            part = msgspec.structs.replace(
                self._admitted[point.base], mixture=self._mixtures[point.part]
            )
            done = train(self._project, recipe, part)
            keep(self._root, trained(self._root, recipe, part, done, why="a point of a curve"))
        numbers = self._losses(model) if self._file.measure == "loss" else self._metrics(point.name)
        available = self._mixtures[point.part].tasks
        return CurvePoint(
            base=point.base,
            part=point.part,
            seed=point.seed,
            key=point.key,
            name=point.name,
            model=digest.of_tree(model),
            rows={task: available[task].available for task in self._tasks},
            error={task: error for task, (error, _) in numbers.items()},
            se={task: se for task, (_, se) in numbers.items()},
            seconds=round(time.monotonic() - began, 1),
        )

    def _losses(self, model: Path) -> dict[str, tuple[float, None]]:
        """The held-out loss of each task at the last step, as the trainer logged it."""
        log = msgspec.json.decode((model / FILE).read_bytes())["log"]
        steps = [line for line in log if line["event"] == "step"]
        last = {k: v for line in steps if line["step"] == line["of"] for k, v in line.items()}
        found = {}
        for task in self._tasks:
            if (loss := last.get(f"eval_{task}_loss")) is None:
                raise UsageError(
                    f"found no held-out loss of {task} at the last step, expected one. Let `eval_every` divide `steps`, and mix in rows "
                    "of more units: one in fifty is held out.",
                    where=self._recipe.path,
                    code="EG968",
                )
            found[task] = (float(loss), None)
        return found

    def _metrics(self, name: str) -> dict[str, tuple[float, float | None]]:
        """The error of each task's claim in a check of the candidate; nothing is certified or entered anywhere."""
        project = load_header(self._root)  # evalgate.toml has one model more now
        decision, _ = check(project, name, log=self._root / "reports" / "logs" / "curve.log")
        return {task: self._error(decision, task, claim) for task, claim in self._claims.items()}

    def _error(self, decision: Decision, task: str, claim: str) -> tuple[float, float]:
        """1 - estimate (or the estimate, of errors) and the standard error of a normal law with the finding's interval."""
        for f in decision.findings:
            if (f.suite, f.test) == (task, claim) and None not in (f.estimate, f.low, f.high):
                assert f.estimate is not None
                assert f.low is not None
                assert f.high is not None
                z = NormalDist().inv_cdf(1 - f.alpha)
                error = f.estimate if "max" in f.threshold else 1.0 - f.estimate
                return error, (f.high - f.low) / (2 * z)
        raise UsageError(
            f"found no estimate with an interval of {claim} ({'; '.join(decision.reasons[:2])}), expected one. See "
            "reports/logs/curve.log; the next start goes on from here.",
            where=f"[{task}] {claim}",
            code="EG968",
        )

    def drop(self, *names: str) -> None:
        """Removes candidates whose numbers are recorded, if they are there: tables of evalgate.toml, then files."""
        path = self._root / "evalgate.toml"
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
        models: Any = document["models"]
        if gone := [name for name in names if models.pop(name, None) is not None]:
            write_whole(path, tomlkit.dumps(document).encode(), mode=0o666)
        for name in gone:
            shutil.rmtree(self._root / "models" / name, ignore_errors=True)
