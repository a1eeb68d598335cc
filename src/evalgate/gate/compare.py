"""Two or more sides, claim by claim: the suite's own tests are called on each side's answers and on their pairs.

Nothing is asked and nothing is decided here. A difference means something only beside the noise floor: what two runs of
the very same model differ by. It is known where `--fresh` left an earlier run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from evalgate.authored.gate_toml import is_difference
from evalgate.errors import EvalgateError, IntegrityError, UsageError
from evalgate.gate.claims import estimate_of, paired_of, refused
from evalgate.gate.decide import decide, find, threshold_of
from evalgate.gate.plan import plan_digest, seed_of
from evalgate.gate.sides import Side, find_runs, known_suites, open_side, unlike
from evalgate.metrics import Estimate
from evalgate.metrics.estimate import Difference, PairedBinary
from evalgate.records import Finding, ModelSpec, Record, Verdict
from evalgate.report.comparison import (
    ClaimRow,
    Comparison,
    Flips,
    Level,
    Noise,
    Shift,
    SideOfSuite,
    SuiteTable,
)
from evalgate.store import repeats
from evalgate.suite import Answers, LoadedSuite, Project
from evalgate.suite.asking import identify_model

REPEATS = 5
"""Earlier runs of one key that the noise floor looks at, the latest first."""
_DRAWS = 20_000  # Monte Carlo error of a bound about 2e-4


def compare(
    project: Project, reference: str, others: Sequence[str], suites: Collection[str] = ()
) -> Comparison:
    """`reference` against each of `others`; without others, against its own earlier runs.

    Names are models of evalgate.toml or keys of runs (see `find_runs`). `suites` limits what is compared. Claims that
    compare with the baseline take the reference for it. Raises UsageError (EG420 to EG425), IntegrityError.
    """
    wanted = known_suites(project, suites)
    first = _in_project(find_runs(project, reference, wanted), wanted)
    if others:
        reached = [name for name in wanted if name in first.runs]
        sides = [first, *(_in_project(find_runs(project, n, reached), reached) for n in others)]
    else:
        sides = [first, *_own_repeats(first)]
    common = [name for name in wanted if all(name in side.runs for side in sides)]
    if not common:
        about = "; ".join(f"{side.label}: {', '.join(side.runs)}" for side in sides)
        raise UsageError(
            f"found no suite that all sides answered ({about}), expected at least one. Compare runs of one suite.",
            code="EG425",
        )
    _refuse_same(sides, common)
    baseline = _baseline_of(project)
    compared = [_Suite(project, name, sides, baseline) for name in common]
    tables = tuple(suite.table() for suite in compared)
    return Comparison(
        sides=tuple(side.label for side in sides),
        verdicts=tuple(_verdict(i, compared) for i in range(len(sides))),
        suites=tables,
        notes=tuple(dict.fromkeys(_notes(project, sides, common))),
    )


def _in_project(side: Side, wanted: Sequence[str]) -> Side:
    """A run named by its key may be about a suite that is not, or is no longer, among those compared."""
    if absent := [name for name in side.runs if name not in wanted]:
        raise UsageError(
            f"found the run {side.label} of {absent[0]}, expected one of: {', '.join(wanted)}. Compare runs of one suite.",
            code="EG425",
        )
    return side


def _own_repeats(first: Side) -> list[Side]:
    """The earlier runs of one side, as sides; only as far back as every suite reaches."""
    kept = {
        suite: list(repeats(run))[1 : REPEATS + 1]
        for suite, run in first.runs.items()
        if not run.repeat
    }
    depth = min((len(runs) for runs in kept.values()), default=0)
    if not depth:
        raise UsageError(
            f"found no earlier run of {first.label}, expected something to compare with. Name another side, or run "
            f"'evalgate gate check {first.label} --fresh': it asks everything again and keeps the run before it.",
            code="EG424",
        )
    return [
        Side(
            label=f"{first.label}~{n + 1}",
            model=first.model,
            runs={suite: runs[n] for suite, runs in kept.items()},
        )
        for n in range(depth)
    ]


def _refuse_same(sides: Sequence[Side], suites: Sequence[str]) -> None:
    for i, side in enumerate(sides):
        for other in sides[:i]:
            if all(side.runs[s] == other.runs[s] for s in suites):
                raise UsageError(
                    f"found the same run behind {other.label} and {side.label}, expected two: the same bytes, served alike, "
                    "are one model. 'evalgate gate check MODEL --fresh' makes a second run of it.",
                    code="EG424",
                )


def _notes(project: Project, sides: Sequence[Side], suites: Sequence[str]) -> Iterator[str]:
    for side in sides:
        yield from side.notes
    if any(is_difference(key) for name in suites for key in project.gate.suites[name]):
        yield f"claims that compare with the baseline take {sides[0].label} for it here"
    yield "nothing is decided here: only 'evalgate gate check' decides, with the baseline that gate.toml names"


class _Floor(Record, kw_only=True):
    """The most that repeats of one side differed by, in one claim."""

    difference: float
    units: int | None


class _Suite:
    """One suite with the answers of every side, and of every side's repeats."""

    def __init__(
        self, project: Project, name: str, sides: Sequence[Side], baseline: str | None
    ) -> None:
        self.project = project
        self.name = name
        self.loaded: LoadedSuite = project.suites[name]
        self.sides = sides
        self.kept = [side.runs[name] for side in sides]
        self.answers = [open_side(self.loaded, side.runs[name], side.label) for side in sides]
        self.notes: list[str] = []
        self.repeats = [self._repeats(side) for side in sides]
        self.plans = [
            _plan_of(project, side, answers, baseline)
            for side, answers in zip(sides, self.answers, strict=True)
        ]
        self.findings: list[dict[str, Finding]] = [{} for _ in sides]
        # of the claim at hand: why the gate would take no finding of it, on which sides
        self.refused: dict[str, list[str]] = {}

    def _repeats(self, side: Side) -> list[Answers]:
        """The complete earlier runs of a side, the latest first; those that cannot be read are named, not used."""
        kept = side.runs[self.name]
        if kept.repeat:
            return []  # an earlier run is itself a repeat of the one in use
        found: list[Answers] = []
        for earlier in list(repeats(kept))[1:]:
            if len(found) == REPEATS:
                break
            try:
                found.append(open_side(self.loaded, earlier, side.label))
            except UsageError:
                self.notes.append(f"{earlier.name} is not complete, so it is no repeat")
            except IntegrityError as e:
                self.notes.append(
                    f"{earlier.name} is not what was written ({e.code}), so it is no repeat"
                )
        return found

    def table(self) -> SuiteTable:
        claims = tuple(self._claim(key) for key in self.project.gate.suites[self.name])
        return SuiteTable(
            suite=self.name,
            items=len(self.loaded.gold),
            units=self.loaded.gold.units,
            gold=self.loaded.gold.digest,
            sides=tuple(self._side(i) for i in range(len(self.sides))),
            claims=claims,
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _side(self, i: int) -> SideOfSuite:
        answers, reference = self.answers[i], self.answers[0]
        identity = answers.run.manifest.model
        return SideOfSuite(
            label=self.sides[i].label,
            run=self.kept[i].name,
            ended=answers.run.ended,
            model=identity.digest,
            server=identity.server,
            version=identity.version,
            args=identity.args,
            statuses=dict(Counter(answer.status for answer in answers)),
            unlike=tuple(unlike(answers.run, reference.run)),
            flips=_flips(reference, answers) if i else None,
            repeats=tuple(_flips(earlier, answers) for earlier in self.repeats[i]),
        )

    def _claim(self, key: str) -> ClaimRow:
        bar = self.project.gate.suites[self.name][key]
        self.refused = {}
        found = [self._found(i, key) for i in range(len(self.sides))]
        estimates = [estimate for estimate, _ in found]
        levels = tuple(None if f is None else _level(f) for _, f in found)
        why = [f"no finding on {', '.join(on)}: {fault}" for fault, on in self.refused.items()]
        # of a comparison with the baseline, the reference is the baseline and has no estimate of its own
        usable = [e is not None or (not i and is_difference(key)) for i, e in enumerate(estimates)]
        floors = [self._floor(i, key) for i in range(len(self.sides)) if usable[i]]
        known = [floor for floor in floors if floor is not None]
        units = [floor.units for floor in known if floor.units is not None]
        floor = _Floor(
            difference=max((f.difference for f in known), default=0.0),
            units=max(units) if units else None,
        )
        shifts: list[Shift | None] = [None]
        for i in range(1, len(self.sides)):
            if not (usable[0] and usable[i]):
                shifts.append(Shift(difference=None, noise="unknown"))
                continue
            shift = self._shift(key, estimates[0], estimates[i], i)
            shifts.append(self._beside(shift, floor if known else None, i))
        methods = [e.method for e in estimates if e is not None]
        if not methods and not why:
            why = ["its test cannot be called outside pytest"]
        return ClaimRow(
            test=key,
            threshold=threshold_of(bar),
            method=methods[0] if methods else "",
            levels=levels,
            shifts=tuple(shifts),
            floor=floor.difference if known else None,
            floor_units=floor.units if known else None,
            note="; ".join(why),
        )

    def _found(self, i: int, key: str) -> tuple[Estimate | None, Finding | None]:
        """What the claim measures and finds on side i; the reference has nothing to be compared with."""
        if is_difference(key) and i == 0:
            return None, None
        estimate = self._estimate(key, self.answers[i], self.answers[0], i)
        if estimate is None:
            return None, None
        settings = self.project.gate.settings
        finding = find(
            suite=self.name,
            test=key,
            bar=self.project.gate.suites[self.name][key],
            estimate=estimate,
            alpha=settings.alpha,
            seed=seed_of(self.plans[i], self.name, key),
            unscored_max=settings.unscored_max,
        )
        self.findings[i][key] = finding
        return estimate, finding

    def _estimate(self, key: str, answers: Any, baseline: Any, i: int) -> Estimate | None:
        """What the claim measures, if the gate would take it for a finding; `self.refused` says why not."""
        label = self.sides[i].label
        what = f"the answers of {label}"
        estimate = estimate_of(self.loaded, key, answers, baseline, what=what)
        if estimate is None:
            return None
        fault = refused(self.loaded, key, estimate, self.project.gate.suites[self.name][key])
        if estimate.sample.kind == "first_release":
            fault = "a first-release finding beside a baseline"
        if fault:
            self.refused.setdefault(fault, []).append(label)
        return None if fault else estimate

    def _paired(self, key: str, ours: Answers, theirs: Answers) -> Estimate | None:
        """Ours minus theirs, unit by unit; None where the metric has no unit means."""
        try:
            return paired_of(self.loaded, key, ours, theirs)
        except UsageError:  # nothing is decided here, and each side has been measured by itself
            return None

    def _shift(self, key: str, before: Estimate | None, now: Estimate | None, i: int) -> Shift:
        paired = self._paired(key, self.answers[i], self.answers[0])
        if paired is None or not paired.difference:
            return Shift(difference=_minus(now, before), noise="unknown")
        alpha = self.project.gate.settings.alpha
        low, high = paired.bounds(alpha, seed_of(self.plans[i], self.name, key), draws=_DRAWS)
        better, worse = _moved(paired)
        return Shift(
            difference=paired.value, low=low, high=high, better=better, worse=worse, noise="unknown"
        )

    def _floor(self, i: int, key: str) -> _Floor | None:
        """The largest difference between side i and its earlier runs; None without one that can be told."""
        largest, units = 0.0, []
        for earlier in self.repeats[i]:
            paired = self._paired(key, self.answers[i], earlier)
            if paired is None or not paired.difference:
                was = self._estimate(key, earlier, earlier, i)
                now = self._estimate(key, self.answers[i], earlier, i)
                moved = _minus(now, was)
            else:
                moved = paired.value
                better, worse = _moved(paired)
                if better is not None and worse is not None:
                    units.append(better + worse)
            if moved is None:
                return None
            largest = max(largest, abs(moved))
        if not self.repeats[i]:
            return None
        return _Floor(difference=largest, units=max(units) if units else None)

    def _beside(self, shift: Shift, floor: _Floor | None, i: int) -> Shift:
        """The shift, held against the noise floor."""
        changed = shift.changed
        noise: Noise
        if self.kept[i].key == self.kept[0].key:
            noise = "repeat"
        elif not shift.difference and not changed:
            noise = "same"
        elif floor is None:
            noise = "unknown"
        else:
            small = abs(shift.difference or 0.0) <= floor.difference
            few = changed is None or (floor.units is not None and changed <= floor.units)
            noise = "within" if small and few else "beyond"
        values = {name: getattr(shift, name) for name in shift.__struct_fields__}
        return Shift(**{**values, "noise": noise})


def _level(finding: Finding) -> Level:
    return Level(
        estimate=finding.estimate,
        low=finding.low,
        high=finding.high,
        units=finding.units,
        status=finding.status,
        reason=finding.reason,
    )


def _minus(now: Estimate | None, before: Estimate | None) -> float | None:
    if now is None or before is None or now.value is None or before.value is None:
        return None
    return now.value - before.value


def _moved(paired: Estimate) -> tuple[int | None, int | None]:
    """Units that score better, and worse, than the reference. Of errors, fewer are better."""
    sample = paired.sample
    if isinstance(sample, PairedBinary):
        up, down = sample.b, sample.c
    elif isinstance(sample, Difference):
        up = sum(n for x, n in sample.x_counts if x > 0)
        down = sum(n for x, n in sample.x_counts if x < 0)
    else:
        return None, None
    return (down, up) if paired.lower_is_better else (up, down)


def _flips(reference: Answers, answers: Answers) -> Flips:
    """Items of two runs, one beside the other."""
    from evalgate.stats import mcnemar_exact_p

    same = 0
    lost, won = [], []
    for before, now in zip(reference, answers, strict=True):
        same += before.text == now.text
        if before.correct and not now.correct:
            lost.append(now.id)
        elif now.correct and not before.correct:
            won.append(now.id)
    return Flips(
        items=len(answers),
        identical=same,
        lost=tuple(lost),
        won=tuple(won),
        p=mcnemar_exact_p(len(won), len(lost)),
    )


def _baseline_of(project: Project) -> str | None:
    """The digest of the baseline that gate.toml names, for the plan."""
    if not project.gate.settings.baseline:
        return None
    try:
        return identify_model(project, project.gate.settings.baseline).digest
    except EvalgateError:  # not on this machine: other seeds, the same numbers to about 2e-4
        return ""


def _plan_of(project: Project, side: Side, answers: Answers, baseline: str | None) -> str:
    """The plan that `gate check` would hold this side's findings against, so that its numbers are these, bit by bit."""
    if side.model is not None:
        _, spec = project.model(side.model)
    else:
        identity = answers.run.manifest.model
        spec = ModelSpec(server=identity.server, args=identity.args)  # type: ignore[arg-type]  # a server that was run
    return plan_digest(project, spec, baseline)


def _verdict(i: int, suites: Sequence[_Suite]) -> Verdict | None:
    """What the findings shown of side i would decide together; None if some claim has none."""
    wanted = [
        (suite.name, key)
        for suite in suites
        for key in suite.project.gate.suites[suite.name]
        if i or not is_difference(key)
    ]
    findings = [f for suite in suites for f in suite.findings[i].values()]
    if len(findings) < len(wanted):
        return None
    return decide(expected=wanted, findings=findings, model={}, plan="").decision
