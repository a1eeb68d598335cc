"""Asking a judge: one criterion a call, into runs on disk that resume, one run for each criterion of a suite.

A verdict run is keyed by the answers that are judged, the criterion as a rater reads it, the prompt, the judge's identity
and its sampling. So an edited criterion asks itself again and no other, and no verdict outlives what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from evalgate import digest
from evalgate.authored.rubric import Criterion
from evalgate.errors import FileProblems, IntegrityError
from evalgate.judge import prompt, reply
from evalgate.judge.case import Case, Verdict
from evalgate.records import Message, ModelIdentity, Record, Reply, Sampling
from evalgate.store import Manifest, Run, RunWriter

if TYPE_CHECKING:
    from evalgate.models import Server

PARSER = "evalgate.judge/1"
SAMPLING = Sampling(temperature=0.0, max_tokens=prompt.MAX_TOKENS, seed=0)
SECOND_TEMPERATURE = 0.7
"""A void or undecided reply is asked for once more. At temperature 0 another seed would say the same again."""

Told = Callable[[str, int, int], None]
"""Called with (suite, verdicts that are there, all) as they land."""


class Cases(Protocol):
    """What is judged, gone through as often as needed: (ordinal, case), ordinals ascending and below `size`."""

    @property
    def size(self) -> int:
        """One more than the largest possible ordinal."""

    def __iter__(self) -> Iterator[tuple[int, Case]]: ...


class Docket(Record, kw_only=True):
    """One suite's cases with the criteria that a judge answers.

    `answers`: digest of the outputs that are judged and of the gold set beside them. `show`: names of the sources. `seal`:
    the key under which verdicts are kept, None for plain ones.
    """

    suite: str
    cases: Any  # Cases (msgspec cannot name a protocol)
    criteria: tuple[Criterion, ...]
    show: tuple[str, ...]
    answers: str
    sampling: Sampling = SAMPLING
    criterion_first: bool = False
    seal: Any = None  # SealKey (likewise)

    def manifest(self, criterion: Criterion, judge: ModelIdentity) -> Manifest:
        """Of the run that holds the judge's replies about one criterion: first tries, then second ones."""
        asked = prompt.prompt_digest(criterion, self.show)
        return Manifest(
            suite=self.suite,
            gold=self.answers,
            items=2 * self.cases.size,
            prompt=digest.of_value([asked, "criterion first"]) if self.criterion_first else asked,
            parser=PARSER,
            model=judge,
            sampling=self.sampling,
        )

    def directory(self, reports: Path, criterion: Criterion, judge: ModelIdentity) -> Path:
        """Where that run lies: reports/verdicts/SUITE/CRITERION-<16 digits of its key>."""
        key = self.manifest(criterion, judge).key[:16]
        return reports / "verdicts" / self.suite / f"{criterion.id}-{key}"


class Bench:
    """The verdict runs of one docket, open for reading; `runs` maps criterion to its run."""

    def __init__(self, docket: Docket, judge: ModelIdentity, reports: Path) -> None:
        """Verifies every row. Raises IntegrityError for anything that is not what was written."""
        self.docket = docket
        self.runs = {
            c.id: Run(docket.directory(reports, c, judge), docket.manifest(c, judge), docket.seal)
            for c in docket.criteria
        }

    def __repr__(self) -> str:
        return f"<Bench {self.docket.suite} criteria={len(self.runs)}>"

    def verdict(self, ordinal: int, case: Case, criterion: Criterion) -> Verdict | None:
        """What the judge says: its first reply, its second where the first said nothing; None if it was not asked."""
        run = self.runs[criterion.id]
        return _settled(run, ordinal, self.docket.cases.size, case, criterion)

    def missing(self) -> int:
        """How many questions are still to be asked, second tries included as far as they are known to be needed."""
        return sum(1 for _ in _open_questions(self.docket, self.runs, second=False)) + sum(
            1 for _ in _open_questions(self.docket, self.runs, second=True)
        )


def _first(run: Run, ordinal: int, case: Case, criterion: Criterion) -> Verdict | None:
    """What the reply kept at `ordinal` says, None if there is none. Raises IntegrityError if it is about another case."""
    row = run.row(ordinal)
    if row is None:
        return None
    if row.id != case.id:
        raise IntegrityError(
            f"found a verdict on {row.id!r} in the place of {case.id!r}, expected each verdict with its case. "
            "Run again with --fresh.",
            where=str(run.answers),
            code="EG405",
        )
    return reply.read(row.text, row.finish, case, criterion)


def _settled(run: Run, ordinal: int, size: int, case: Case, criterion: Criterion) -> Verdict | None:
    first = _first(run, ordinal, case, criterion)
    if first is None or first.scored:
        return first
    second = _first(run, size + ordinal, case, criterion)
    # of two failures the first is told: the second was drawn at another temperature
    return second if second is not None and second.scored else first


def ask(
    dockets: Sequence[Docket],
    identity: ModelIdentity,
    server: Server,
    reports: Path,
    *,
    told: Told | None = None,
) -> int:
    """Asks the judge all that its runs do not hold; returns how many questions that were.

    `told(suite, done, total)` is called as verdicts land. Raises InfrastructureError (server, disk, lock), IntegrityError
    (edited run), FileProblems (EG350: cases that do not fit into the judge's context; nothing has been asked then).
    """
    problems = []
    counted: list[dict[tuple[int, str], int]] = []
    for docket in dockets:
        counts, found = _measured(docket, Bench(docket, identity, reports), server)
        counted.append(counts)
        problems += found
    if problems:
        raise FileProblems(problems)
    asked = 0
    for docket, counts in zip(dockets, counted, strict=True):
        with ExitStack() as stack:
            writers = {
                c.id: stack.enter_context(
                    RunWriter(
                        docket.directory(reports, c, identity),
                        docket.manifest(c, identity),
                        seal=docket.seal,
                    )
                )
                for c in docket.criteria
            }
            for second in (False, True):
                asked += _Sitting(docket, writers, server, counts, told).hold(second=second)
            if docket.seal is not None:
                _fill(writers.values())
    return asked


def _fill(writers: Iterable[RunWriter]) -> None:
    """Lands a blank row wherever nothing was asked: how many rows there are would tell which answers were none, and void verdicts."""
    for writer in writers:
        for ordinal in range(len(writer.run)):
            if ordinal not in writer.run:
                writer.land(ordinal, "", Reply(text="", finish=""))


def _open_questions(
    docket: Docket, runs: Mapping[str, Run], *, second: bool, block: int = 1
) -> Iterator[tuple[int, Case, Criterion]]:
    """Questions without a reply. In blocks of cases, criterion after criterion, so that each of `block` workers or
    server slots stays with one case and finds its prefix read.
    """
    size = docket.cases.size
    waiting: list[tuple[int, Case]] = []

    def of(waiting: list[tuple[int, Case]]) -> Iterator[tuple[int, Case, Criterion]]:
        for criterion in docket.criteria:
            run = runs[criterion.id]
            for ordinal, case in waiting:
                if not second:
                    wanted = ordinal not in run
                else:
                    said = None if size + ordinal in run else _first(run, ordinal, case, criterion)
                    wanted = said is not None and not said.scored
                if wanted:
                    yield ordinal, case, criterion

    for entry in docket.cases:
        waiting.append(entry)
        if len(waiting) == block:
            yield from of(waiting)
            waiting = []
    yield from of(waiting)


def _measured(
    docket: Docket, bench: Bench, server: Server
) -> tuple[dict[tuple[int, str], int], list[Any]]:
    """Tokens of every question by (ordinal, criterion); and the problem of the longest, if it does not fit."""
    if server.context is None:
        return {}, []
    keys: list[tuple[int, str, str]] = []

    def questions() -> Iterator[tuple[int, Sequence[Message]]]:
        for ordinal, case, criterion in _open_questions(docket, bench.runs, second=False):
            keys.append((ordinal, case.id, criterion.id))
            yield len(keys) - 1, _messages(docket, case, criterion)

    total = docket.cases.size * len(docket.criteria)
    counts = server.context.measured(questions(), total)[: len(keys)]
    problem = server.context.too_long(
        counts,
        docket.sampling.max_tokens,
        path=f"rubrics/{docket.suite}.toml",
        name=lambda at: f"{keys[at][1]} ({keys[at][2]})",
    )
    found = {(ordinal, name): counts[at] for at, (ordinal, _, name) in enumerate(keys)}
    return found, [msgspec.structs.replace(problem, line=0)] if problem else []


def _messages(docket: Docket, case: Case, criterion: Criterion) -> list[Message]:
    return prompt.messages(case, criterion, criterion_first=docket.criterion_first)


class _Sitting:
    """One pass over the questions of a docket: the first tries, or the second ones."""

    def __init__(
        self,
        docket: Docket,
        writers: Mapping[str, RunWriter],
        server: Server,
        counted: Mapping[tuple[int, str], int],
        told: Told | None,
    ) -> None:
        self._docket = docket
        self._writers = writers
        self._server = server
        self._counted = counted
        self._told = told
        self._flying: dict[int, tuple[int, str, Criterion]] = {}
        self._asked = 0
        self._second = False
        self._total = sum(1 for _ in docket.cases) * len(docket.criteria)

    def hold(self, *, second: bool) -> int:
        """Asks; returns how many questions."""
        from evalgate.models import ask_all

        self._second = second
        for writer in self._writers.values():
            writer.flush()  # what a second try depends on is read from the file
        if next(self._questions(), None) is None:
            return 0
        self._flying.clear()
        ask_all(
            self._server.endpoint,
            self._questions(),
            self._sampling(),
            self._land,
            alive=self._tick,
            extra=lambda n: {"response_format": prompt.response_format(self._flying[n][2])},
        )
        return self._asked

    def _sampling(self) -> Sampling:
        chosen = self._docket.sampling
        if not self._second:
            return chosen
        return msgspec.structs.replace(chosen, temperature=SECOND_TEMPERATURE, seed=chosen.seed + 1)

    def _questions(self) -> Iterator[tuple[int, Sequence[Message]]]:
        runs = {name: writer.run for name, writer in self._writers.items()}
        block = self._server.endpoint.concurrency
        questions = _open_questions(self._docket, runs, second=self._second, block=block)
        for n, (ordinal, case, criterion) in enumerate(questions):
            self._flying[n] = (ordinal, case.id, criterion)
            yield n, _messages(self._docket, case, criterion)

    def _land(self, n: int, given: Reply) -> None:
        ordinal, name, criterion = self._flying.pop(n)
        counted = self._counted.get((ordinal, criterion.id))
        if counted is not None:
            from evalgate.models import check_read

            check_read(given, counted, where=f"{self._docket.suite} {name} ({criterion.id})")
        place = ordinal + (self._docket.cases.size if self._second else 0)
        self._writers[criterion.id].land(place, name, given)
        self._asked += 1
        if self._told:
            landed = sum(writer.run.landed for writer in self._writers.values())
            self._told(self._docket.suite, landed, max(landed, self._total))

    def _tick(self) -> None:
        for writer in self._writers.values():
            writer.tick()
        self._server.alive()
