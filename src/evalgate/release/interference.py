"""Whether a candidate does worse on any task than the models before it: from kept runs; nothing is asked, nothing decided.

A mixture that feeds one task can starve another. Each task is compared pair by pair with each reference; alarms are Holm's over
the tasks of one reference, and a comparison that could not have seen a drop says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from evalgate.authored.gate_toml import is_difference
from evalgate.errors import EvalgateError, IntegrityError, UsageError
from evalgate.gate.claims import paired_of, refused
from evalgate.gate.decide import find
from evalgate.gate.plan import plan_digest, seed_of
from evalgate.gate.sides import find_runs, known_suites, open_side
from evalgate.metrics import Difference, Estimate, PairedBinary
from evalgate.metrics.rates import ItemError
from evalgate.metrics.tally import Pair, Plan, measure
from evalgate.records import Answer, Bar, Finding, ModelSpec
from evalgate.release.early_alarm import HeldOut, Loss, early_alarm, held_out, losses
from evalgate.release.references import BASE, Reference, references
from evalgate.report.interference import Against, Cell, Interference, Kind, State
from evalgate.suite import Answers, LoadedSuite, Project
from evalgate.suite.asking import identify_model
from evalgate.suite.parse import parser_id

MARGIN: Final = 0.05
"""How much worse a task may be where gate.toml names no margin for it."""
POWER: Final = 0.8
_DRAWS = 20_000
_TWO_SIDED: Final[tuple[Kind, ...]] = ("refusals",)
_PROSE = "The request was read, and what follows is an answer in plain words."


def interference(
    project: Project, candidate: str, named: Sequence[str] = (), suites: Collection[str] = ()
) -> Interference:
    """The candidate against the models `named`, without any against all that `references` finds; only `suites`, if given.

    Models that were not asked are "not comparable", never passed. Raises UsageError (EG955: nothing to compare with; EG957: the
    candidate against itself; EG202, EG425; EG421: the candidate was not asked), IntegrityError (an edited run or record).
    """
    wanted = known_suites(project, suites)
    project.model(candidate)
    if candidate in named:
        raise UsageError(
            f"found {candidate} on both sides, expected another model to compare with. Name another one.",
            code="EG957",
        )
    for name in named:
        project.model(name)
    notes: list[str] = []
    if named:
        found = [Reference(role="named", models=dict.fromkeys(wanted, n)) for n in dict.fromkeys(named)]  # fmt: skip
    else:
        found, notes = references(project, candidate, _digest(project, candidate))
    if not found:
        raise UsageError(
            f"found nothing to hold {candidate} against ({'; '.join(notes)}), expected a model. Name one: --against NAME",
            code="EG955",
        )
    beside = _Beside(project, candidate, wanted)
    return Interference(
        candidate=candidate,
        alpha=project.gate.settings.alpha,
        against=tuple(beside.against(reference) for reference in found),
        notes=tuple(dict.fromkeys([*notes, *beside.notes])),
    )


def _digest(project: Project, name: str) -> str | None:
    try:
        return identify_model(project, name).digest
    except IntegrityError:
        raise
    except EvalgateError:  # its weights are not on this machine; its runs may be
        return None


class _Sides(NamedTuple):
    """Both models' answers to one suite. `plan`: the digest that the gate's seeds would come from."""

    loaded: LoadedSuite
    ours: Answers
    theirs: Answers
    model: str
    plan: str

    @property
    def suite(self) -> str:
        name: str = self.loaded.suite.name
        return name

    def seed(self, test: str) -> int:
        """That of the gate's own finding where the other model is the baseline, so that its numbers are these."""
        return seed_of(self.plan, self.suite, test)


class _Paired(NamedTuple):
    """A cell whose state is still to be told, with what that needs. `finding`: of the margin, None where there is none."""

    cell: Cell
    sample: PairedBinary | Difference
    finding: Finding | None = None


class _Beside:
    """The candidate's answers, and those of one reference after another."""

    def __init__(self, project: Project, candidate: str, suites: Sequence[str]) -> None:
        self.notes: list[str] = []
        self._project = project
        self._settings = project.gate.settings
        self._candidate = candidate
        self._spec = project.model(candidate)[1]
        self._ours = {name: self._answers(candidate, name) for name in suites}
        answered = [found for found in self._ours.values() if not isinstance(found, UsageError)]
        if not answered:
            raise next(e for e in self._ours.values() if isinstance(e, UsageError))
        parsers = {name: loaded.suite.parse for name, loaded in project.suites.items()}
        self._forms = {n: parse for n, parse in parsers.items() if not _takes(parse, _PROSE)}

    def against(self, reference: Reference) -> Against:
        """Every cell of one reference: the tasks' metrics, forms, refusals and losses."""
        found: list[_Paired | Cell] = []
        for suite in self._ours:
            if model := reference.models.get(suite):
                try:
                    found += self._compared(self._sides(suite, model))
                except (UsageError, ItemError) as e:
                    found.append(_missing(suite, model, _why(e)))
        models = list(dict.fromkeys(reference.models.values()))
        return Against(
            role=reference.role,
            model=", ".join(models),
            cells=(
                *_concluded(found, self._settings.alpha),
                *(cell for model in models for cell in self._losses(reference, model)),
            ),
        )

    def _answers(self, model: str, suite: str) -> Answers | UsageError:
        try:
            side = find_runs(self._project, model, [suite])
            self.notes += side.notes
            return open_side(self._project.suites[suite], side.runs[suite], model)
        except UsageError as e:
            return e

    def _sides(self, suite: str, model: str) -> _Sides:
        """Raises UsageError where one of the two has no complete answers."""
        ours, theirs = self._ours[suite], self._answers(model, suite)
        if isinstance(ours, UsageError):
            raise ours
        if isinstance(theirs, UsageError):
            raise theirs
        plan = plan_digest(self._project, self._spec, theirs.run.manifest.model.digest)
        return _Sides(self._project.suites[suite], ours, theirs, model, plan)

    def _compared(self, sides: _Sides) -> Iterator[_Paired | Cell]:
        yield self._metric(sides)
        if form := self._in_another_form(sides):
            yield self._share("form", sides, form)
        yield self._share("refusals", sides, _refused)

    def _in_another_form(self, sides: _Sides) -> Callable[[Answer], bool] | None:
        """Whether an answer is one that only another task's parser reads; None if no other task has a form of its own.

        A parser that takes any prose has none: there, an answer is in another form if a stricter parser of another task reads it.
        """
        own = self._forms.get(sides.suite)
        mine = parser_id(sides.loaded.suite.parse)
        others = [parse for parse in self._forms.values() if parser_id(parse) != mine]

        def bled(answer: Answer) -> bool:
            if not answer.text or (own and _takes(own, answer.text)):
                return False
            return any(_takes(parse, answer.text) for parse in others)

        return bled if others else None

    def _metric(self, sides: _Sides) -> _Paired | Cell:
        """The comparison with the baseline that gate.toml has for the suite; without one its first claim that can be paired."""
        table = self._project.gate.suites[sides.suite]
        for key in sorted(table, key=lambda key: not is_difference(key)):
            estimate = None if table[key].all else _estimate(sides, key, table[key])
            if estimate is not None:
                preset = is_difference(key)
                finding = find(
                    suite=sides.suite,
                    test=key,
                    bar=table[key] if preset else _own_bar(estimate),
                    estimate=estimate,
                    alpha=self._settings.alpha,
                    seed=sides.seed(key),
                    unscored_max=self._settings.unscored_max,
                )
                return self._paired("metric", sides, estimate, finding=finding, preset=preset)
        return _missing(sides.suite, sides.model, "none of its claims can be compared pair by pair")

    def _share(self, kind: Kind, sides: _Sides, hit: Callable[[Answer], bool]) -> _Paired:
        """A share of the answers, better when it is low; every answer counts, whatever its status."""
        plan = Plan(name=kind, score=lambda a: (int(hit(a)), 1, 1), binary=True, worst=1.0)
        return self._paired(kind, sides, measure(Pair(sides.ours, sides.theirs), plan))

    def _paired(
        self,
        kind: Kind,
        sides: _Sides,
        estimate: Estimate,
        *,
        finding: Finding | None = None,
        preset: bool = False,
    ) -> _Paired:
        sample = estimate.sample
        assert isinstance(sample, PairedBinary | Difference)
        seed = sides.seed(finding.test if finding else kind)
        if finding:
            low, high = finding.low, finding.high
        else:
            low, high = estimate.bounds(self._settings.alpha, seed, _DRAWS)
        up, down = _moved(sample)
        better, worse = (down, up) if estimate.lower_is_better else (up, down)
        cell = Cell(
            kind=kind,
            suite=sides.suite,
            model=sides.model,
            state="not shown",
            what=finding.test if finding else "",
            margin=next(map(float, finding.threshold.values())) if finding else None,
            preset=preset,
            difference=estimate.value,
            low=low,
            high=high,
            units=estimate.units,
            better=better,
            worse=worse,
            p=_p(sample, seed, rising=estimate.lower_is_better, two_sided=kind in _TWO_SIDED),
            method=estimate.method,
        )
        return _Paired(cell, sample, finding)

    def _losses(self, reference: Reference, model: str) -> list[Cell]:
        """The early alarm, where both trainings measured their held-out rows; nothing otherwise, and a note says so."""
        mine = self._held_out(self._candidate, self._spec)
        theirs: dict[str, Loss] = {}
        if mine and BASE in reference.role.split(" and "):
            theirs = losses(mine, "before")
        elif mine:
            spec = self._project.settings.models.get(model, ModelSpec(server="endpoint"))
            theirs = losses(self._held_out(model, spec), "after")
        if not theirs:
            return []
        tasks = {suite for suite, name in reference.models.items() if name == model}

        def wanted(rows: dict[str, Loss]) -> dict[str, Loss]:
            return {name: row for name, row in rows.items() if row.task in tasks}

        ours = losses(mine, "after")
        return early_alarm(wanted(ours), wanted(theirs), model=model, alpha=self._settings.alpha)

    def _held_out(self, model: str, spec: ModelSpec) -> tuple[HeldOut, ...]:
        rows = held_out(self._project.root / spec.artifact) if spec.artifact else None
        if rows is None:
            self.notes.append(f"no losses of held-out rows of {model}: no early alarm from it")
        return rows or ()


def _why(e: UsageError | ItemError) -> str:
    if isinstance(e, UsageError) and e.code == "EG421":
        return f"not asked: {e.message.partition(', expected')[0]}"
    return str(e)


def _missing(suite: str, model: str, why: str) -> Cell:
    return Cell(kind="metric", suite=suite, model=model, state="not comparable", reason=why)


def _takes(parse: Callable[[str], Any], text: str) -> bool:
    """Whether a suite's parser reads `text`; one that fails over a stranger's answer does not."""
    try:
        return parse(text) is not None
    except Exception:
        return False


def _refused(answer: Answer) -> bool:
    from evalgate.text import refuses

    return answer.status == "refused" or bool(answer.text and refuses(answer.text))


def _estimate(sides: _Sides, key: str, bar: Bar) -> Estimate | None:
    """The claim's difference, ours minus theirs; None where it has none, or the gate would take none from its test."""
    what = f"a pair with {sides.model}"
    try:
        estimate = paired_of(sides.loaded, key, sides.ours, sides.theirs, what=what)
    except UsageError:  # a test that fails on a pair: the suite's next claim may do
        return None
    if estimate is None or not isinstance(estimate.sample, PairedBinary | Difference):
        return None
    against = is_difference(key) and refused(sides.loaded, key, estimate, bar)
    return None if against else estimate


def _own_bar(estimate: Estimate) -> Bar:
    return Bar(max=MARGIN) if estimate.lower_is_better else Bar(min=-MARGIN)


def _moved(sample: PairedBinary | Difference) -> tuple[int, int]:
    """Units whose score rose, and fell."""
    if isinstance(sample, PairedBinary):
        return sample.b, sample.c
    return tuple(sum(n for x, n in sample.x_counts if sign * x > 0) for sign in (1, -1))  # type: ignore[return-value]


def _p(sample: PairedBinary | Difference, seed: int, *, rising: bool, two_sided: bool) -> float:
    """Of harm: that scores fell, or rose where rising ones are worse; `two_sided`: that they moved at all."""
    from evalgate.stats.harm import mcnemar_worse_p, sign_flip_p

    def one_sided(sign: int) -> float:
        if isinstance(sample, PairedBinary):
            return mcnemar_worse_p(*((sample.b, sample.c) if sign > 0 else (sample.c, sample.b)))
        return sign_flip_p([(sign * x, n) for x, n in sample.x_counts], seed=seed, draws=_DRAWS)

    if two_sided:
        return min(1.0, 2.0 * min(one_sided(1), one_sided(-1)))
    return one_sided(-1 if rising else 1)


def _concluded(found: Sequence[_Paired | Cell], alpha: float) -> Iterator[Cell]:
    """The cells beside one reference, their states told: Holm over the tasks of one kind that could be compared."""
    from evalgate.stats import holm_adjust

    tasks = Counter(row.cell.kind for row in found if isinstance(row, _Paired))
    adjusted = {
        kind: iter(holm_adjust([r.cell.p or 0.0 for r in found if isinstance(r, _Paired) and r.cell.kind == kind]))
        for kind in tasks
    }  # fmt: skip
    for row in found:
        if isinstance(row, Cell):
            yield row
            continue
        kind = row.cell.kind
        # what an alarm could see is told at the level that Holm's first step asks for
        visible = _detectable(row.sample, alpha / tasks[kind] / (2 if kind in _TWO_SIDED else 1))
        cell = msgspec.structs.replace(row.cell, adjusted=next(adjusted[kind]), detectable=visible)
        state, reason = _state(cell, row.finding, alpha)
        yield msgspec.structs.replace(cell, state=state, reason=reason)


def _state(cell: Cell, finding: Finding | None, alpha: float) -> tuple[State, str]:
    assert cell.adjusted is not None
    if cell.adjusted <= alpha:
        within = finding is not None and finding.status == "pass"
        return "alarm", "worse, but within its margin" if within else ""
    if finding is None:
        return "not shown", ""
    if finding.status == "pass":
        return "non-inferior", ""
    if finding.status == "insufficient":
        return "inconclusive", finding.reason
    if finding.status == "fail":
        return "inconclusive", f"{finding.reason}, but no alarm after Holm"
    margin = abs(cell.margin or 0.0)
    if cell.detectable is None or cell.detectable > margin:
        seen = "no drop at all" if cell.detectable is None else f"a drop of {cell.detectable:.3f}"
        return "inconclusive", (
            f"{cell.units} units of which {(cell.better or 0) + (cell.worse or 0)} differ: an alarm would see {seen} in "
            f"four of five such samples, the margin is {margin:g}"
        )
    return "not shown", finding.reason


def _detectable(sample: PairedBinary | Difference, alpha: float) -> float | None:
    from evalgate.stats.harm import detectable_drop, detectable_mean_drop

    if isinstance(sample, PairedBinary):
        return detectable_drop(sample.n, (sample.b + sample.c) / sample.n if sample.n else 0.0, alpha, POWER)  # fmt: skip
    return detectable_mean_drop(sum(n for _, n in sample.x_counts), _deviation(sample.x_counts), alpha, POWER)  # fmt: skip


def _deviation(x_counts: Iterable[tuple[float, int]]) -> float:
    """The standard deviation of differences, 0 of fewer than two."""
    pairs = list(x_counts)
    n = sum(count for _, count in pairs)
    if n < 2:
        return 0.0
    mean = sum(x * count for x, count in pairs) / n
    return float((sum(count * (x - mean) ** 2 for x, count in pairs) / (n - 1)) ** 0.5)
