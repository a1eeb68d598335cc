"""A judge as the second verifier of what a model wrote for a corpus: after code, and only where labels show what it is worth.

What it may decide is computed again from labels and verdicts on disk. It can only drop a row, never let one in that code
has dropped; what is not plainly in order is out. Its words do not enter a row, and nothing that it said is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from evalgate import digest
from evalgate.authored.prompt import as_text
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.corpus.example import Example
from evalgate.errors import Undecided, UsageError
from evalgate.gate.calibrate import kept, recomputed
from evalgate.judge import SAMPLING, Bench, Case, Docket, ask, prompt
from evalgate.judge.asking import Told
from evalgate.judge.calibration_table import Qualification
from evalgate.judge.scoring import in_order
from evalgate.records import ModelIdentity, Record
from evalgate.suite import Project, identify_model

if TYPE_CHECKING:
    from evalgate.models import Server

_PLACE = "data synthesize"


class Bar(Record, kw_only=True):
    """What rows of one task are held against: criteria of its rubric. `labels`: digest of the labels that qualify the judge."""

    rubric: Rubric
    criteria: tuple[Criterion, ...]
    labels: str


def admitted(
    project: Project, name: str, generator: str, asked: Sequence[str], tasks: Collection[str]
) -> tuple[ModelIdentity, dict[str, Bar]]:
    """The judge, and by task what it is asked. `asked`: SUITE:CRITERION each, at least one; `tasks`: those of the corpus.

    Raises UsageError: EG998 (another judge, no such criterion or task), EG661 to EG664 (the judge is `generator`, or the
    candidate whose answers were labelled, or of their families), EG666 to EG668 (nothing is judged, asked or calibrated);
    Undecided (EG997: it is not qualified).
    """
    if name != project.settings.judge_model:
        there = project.settings.judge_model or "none"
        raise _unusable(
            f"found --judge {name}, expected the judge of evalgate.toml ({there}): only its verdicts are held against labels"
        )
    writer = identify_model(project, generator)
    criteria = _criteria(project, asked, tasks)
    tables = {suite: _table(project, name, writer, suite) for suite in criteria}
    for suite, table in tables.items():
        for criterion in criteria[suite]:
            _require_deciding(table, criterion)
    judge = next(iter(tables.values())).judge
    return judge, {suite: _bar(project, criteria[suite], table) for suite, table in tables.items()}


def _table(project: Project, judge: str, writer: ModelIdentity, suite: str) -> Qualification:
    """What the judge is worth in a suite today. Raises Undecided (EG997), and as `admitted`."""
    ((table, changed),) = kept(project, suite)
    if changed:
        told = f"its calibration is stale: {', '.join(changed)} changed since {table.when}"
        raise _unqualified(judge, suite, told)
    found = recomputed(project, table, [writer])
    if not found.judge.verified:
        raise _unqualified(judge, suite, "it is an endpoint: nobody verified what answers there")
    return found


def _bar(project: Project, criteria: tuple[Criterion, ...], table: Qualification) -> Bar:
    rubric = project.suites[table.suite].rubric
    assert rubric is not None
    return Bar(rubric=rubric, criteria=criteria, labels=table.labels)


def _criteria(
    project: Project, asked: Sequence[str], tasks: Collection[str]
) -> dict[str, tuple[Criterion, ...]]:
    """By suite, the criteria that are meant, each once. Raises UsageError (EG998)."""
    found: dict[str, tuple[Criterion, ...]] = {}
    for text in dict.fromkeys(asked):
        suite, _, name = text.partition(":")
        loaded = project.suites.get(suite)
        rubric = loaded.rubric if loaded else None
        if rubric is None or suite not in tasks:
            raise _unusable(
                f"found --criterion {text}, expected SUITE:CRITERION of a suite with a rubric whose rows are made here"
            )
        criterion = rubric.criterion(name)
        if criterion is None or "judge" not in criterion.judged_by:
            names = ", ".join(c.id for c in rubric.criteria if "judge" in c.judged_by)
            raise _unusable(
                f"found --criterion {text}, expected one that {suite} asks a judge: {names}"
            )
        found[suite] = (*found.get(suite, ()), criterion)
    return found


def _require_deciding(table: Qualification, criterion: Criterion) -> None:
    """Returns if the judge decides the criterion. Raises Undecided (EG997)."""
    report = next((c for c in table.criteria if c.criterion == criterion.id), None)
    if report is None or report.standing != "decides":
        why = (*table.notes, *((report.reason,) if report else ()))
        about = f"{table.suite}:{criterion.id}"
        raise _unqualified(table.judge.name, about, " ".join(why).rstrip(".") or "no labels")


def _unusable(found: str) -> UsageError:
    return UsageError(f"{found}. Correct the option.", where=_PLACE, code="EG998")


def _unqualified(judge: str, about: str, why: str) -> Undecided:
    return Undecided(
        f"found that {judge} is not qualified for {about} ({why}), expected a judge that decides it by clinicians' labels. "
        "'evalgate judge show' tells what is missing; without --judge code verifies alone.",
        where=_PLACE,
        code="EG997",
    )


class Verifier:
    """A context manager that holds the judge's server; called with examples it gives back each, or why it is dropped."""

    def __init__(
        self,
        project: Project,
        judge: ModelIdentity,
        bars: dict[str, Bar],
        *,
        told: Told | None = None,
    ) -> None:
        from evalgate.crypto.seal import SealKey

        self.judge = judge
        self.bars = bars
        self._project = project
        self._told = told
        self._key = SealKey.generate()  # what a killed process leaves behind nobody can read
        self._stack = ExitStack()
        self._server: Server | None = None

    def __enter__(self) -> Self:
        from evalgate.models import serving

        project = self._project
        name, spec = project.model(self.judge.name)
        self._server = self._stack.enter_context(
            serving(name, spec, project.root, self.judge, project.reports / "logs")
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def arguments(self) -> dict[str, Any]:
        """What of it can drop a row, for a manifest: the judge, what it is asked, and the labels that qualify it."""
        return {
            "judge": self.judge.digest,
            "criteria": {
                f"{task}:{c.id}": prompt.prompt_digest(c, bar.rubric.show)
                for task, bar in self.bars.items()
                for c in bar.criteria
            },
            "labels": {task: bar.labels for task, bar in self.bars.items()},
        }

    def __call__(self, examples: Sequence[Example]) -> list[Example | str]:
        """Each example with what it passed in `checks`, or the reason to drop it; tasks without a criterion pass as they are.

        Raises what `judge.ask` raises: a judge that fails lets nothing in.
        """
        found: list[Example | str] = list(examples)
        for task, bar in self.bars.items():
            places = [at for at, example in enumerate(examples) if example.task == task]
            judged = self._judged(bar, task, [examples[at] for at in places]) if places else ()
            for at, new in zip(places, judged, strict=True):
                found[at] = new
        return found

    def _judged(self, bar: Bar, task: str, examples: Sequence[Example]) -> list[Example | str]:
        assert self._server is not None
        cases = [_case(example, bar.rubric.show) for example in examples]
        reasons = self._unreadable(bar, cases)
        readable = _Readable(cases, reasons)
        docket = Docket(
            suite=task,
            cases=readable,
            criteria=bar.criteria,
            show=bar.rubric.show,
            answers=digest.of_value([case.digest for case in cases]),
            seal=self._key,
        )
        with tempfile.TemporaryDirectory(prefix="evalgate-", ignore_cleanup_errors=True) as folder:
            ask([docket], self.judge, self._server, Path(folder), told=self._told)
            bench = Bench(docket, self.judge, Path(folder))
            for at, case in readable:
                if why := _why_not(bench, at, case, bar.criteria):
                    reasons[at] = why
        passed = self._passed(bar)
        return [reasons.get(at) or _with(example, passed) for at, example in enumerate(examples)]

    def _unreadable(self, bar: Bar, cases: Sequence[Case]) -> dict[int, str]:
        """By place, why a case is not put to the judge: it lacks a source, or does not fit."""
        assert self._server is not None
        reasons = {
            at: "judge: no-sources"
            for at, case in enumerate(cases)
            if len(case.sources) < len(bar.rubric.show) or not case.sources
        }
        context = self._server.context
        if context is None:
            return reasons
        for criterion in bar.criteria:
            asked = ((at, prompt.messages(case, criterion)) for at, case in enumerate(cases))
            for at, count in enumerate(context.measured(asked, len(cases))):
                if count + SAMPLING.max_tokens > context.limit:
                    reasons.setdefault(at, "judge: no-room")
        return reasons

    def _passed(self, bar: Bar) -> dict[str, str]:
        judges = {f"judge:{c.id}": self.judge.digest for c in bar.criteria}
        return judges | {f"criterion:{c.id}": c.digest for c in bar.criteria}


class _Readable:
    """Of the cases, those that are put to the judge (`judge.asking.Cases`)."""

    def __init__(self, cases: Sequence[Case], left_out: Collection[int]) -> None:
        self.size = len(cases)
        self._cases = [(at, case) for at, case in enumerate(cases) if at not in left_out]

    def __iter__(self) -> Iterator[tuple[int, Case]]:
        return iter(self._cases)


def _case(example: Example, show: tuple[str, ...]) -> Case:
    """What a judge reads of an example: the sources that a rater of the suite is shown, and the answer that is to be learnt."""
    given = example.input if isinstance(example.input, dict) else {"input": example.input}
    return Case(
        id=example.id,
        unit=example.unit or example.id,
        sources=tuple(
            (name, as_text(given[name])) for name in show or given if given.get(name) is not None
        ),
        output=example.messages[-1]["content"],
    )


def _why_not(bench: Bench, at: int, case: Case, criteria: Sequence[Criterion]) -> str | None:
    """The first criterion that does not plainly speak for the row, with what was said; None if all do.

    A must-have is met, a fault is not, a scale is at its middle or above. What does not apply has shown nothing.
    """
    for criterion in criteria:
        verdict = bench.verdict(at, case, criterion)
        said = verdict.answer if verdict else "void"
        if said == "not_applicable" or in_order(criterion, said) is not True:
            return f"judge: {criterion.id} {said}"
    return None


def _with(example: Example, passed: dict[str, str]) -> Example:
    return msgspec.structs.replace(example, checks={**example.checks, **passed})
