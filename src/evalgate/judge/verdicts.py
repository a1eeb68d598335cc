"""`Verdicts`: every item of a gold set with what judge and code say of the candidate's answer to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from evalgate.authored.prompt import as_text
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.errors import UsageError
from evalgate.judge.case import Case, Verdict
from evalgate.judge.scoring import UNSCORED, ItemScore, score
from evalgate.records import Answer, Record, Status

_FAILED = ItemScore(value=0.0, passed=False)
"""Of an answer that never was one: nothing of it is judged, and nothing of it can be right."""


class Judged(Record, kw_only=True):
    """One item with its verdicts by criterion. `score` is None where a verdict is void, undecided or absent.

    `status` is the answer's own, or "unscored" where the answer is there and its score is not. `output`: digest of
    what was judged (`Case.digest`), "" where there is none.
    """

    id: str
    unit: str
    tags: tuple[str, ...]
    status: Status
    output: str
    verdicts: dict[str, Verdict]
    score: ItemScore | None
    judged: ClassVar[bool] = True
    """For whoever counts rows: these are a judge's word (`metrics.tally`)."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Refuses what only answers have. Raises UsageError (EG692)."""
            if name not in Answer.__struct_fields__:
                raise AttributeError(name)
            raise UsageError(
                f"found a metric that reads `{name}`, given verdicts, expected answers: accuracy, recall and their like are "
                "about `answers`. Give it `answers`, or take a metric of verdicts: rubric_pass_rate, rubric_score, "
                "criterion_rate.",
                where="verdicts",
                code="EG692",
            )

    def __repr__(self) -> str:
        return f"<Judged {self.id} {self.status}>"

    @property
    def answers(self) -> dict[str, str]:
        """What was said, by criterion."""
        return {name: verdict.answer for name, verdict in self.verdicts.items()}

    def answer(self, criterion: str) -> str:
        """What was said to one criterion; "void" where nothing was."""
        verdict = self.verdicts.get(criterion)
        return verdict.answer if verdict else "void"


def case_of(answer: Answer, show: tuple[str, ...]) -> Case:
    """The case of an answer: its item's input as sources, by the rubric's `show` (all of it, if that is empty)."""
    given: Mapping[str, Any] = (
        {"input": answer.input} if isinstance(answer.input, str) else answer.input
    )
    names = show or tuple(given)
    return Case(
        id=answer.id,
        unit=answer.unit,
        tags=answer.tags,
        sources=tuple((name, as_text(given[name])) for name in names if name in given),
        output=answer.text,
    )


class Heard(Protocol):
    """What a judge said, read from its runs. `runs` has the criteria that it was asked about."""

    @property
    def runs(self) -> Mapping[str, Any]:
        """By criterion."""

    def verdict(self, ordinal: int, case: Case, criterion: Criterion) -> Verdict | None:
        """Of one case; None if it was not asked."""


class AnswerCases:
    """The cases of a suite's answers: what is of no slice that is judged, or was no answer, is left out."""

    def __init__(
        self,
        answers: Iterable[Answer],
        size: int,
        show: tuple[str, ...],
        tags: frozenset[str] | None,
    ) -> None:
        """`tags`: the slices that are judged, None for every item. `size`: items of the gold set."""
        self.size = size
        self._answers = answers
        self._show = show
        self._tags = tags

    def __iter__(self) -> Iterator[tuple[int, Case]]:
        for ordinal, answer in enumerate(self._answers):
            if self.holds(answer):
                yield ordinal, case_of(answer, self._show)

    def holds(self, answer: Answer) -> bool:
        """Whether the answer is judged."""
        judged = self._tags is None or not self._tags.isdisjoint(answer.tags)
        return judged and answer.status == "ok"


class Verdicts:
    """Every item of the gold set, in order, judged. Re-read on every pass; nothing can be taken out of it."""

    def __init__(
        self, answers: Iterable[Answer], rubric: Rubric, bench: Heard | None, *, size: int
    ) -> None:
        """`bench`: what the judge said (an `asking.Bench`); None where the rubric asks no judge."""
        self.rubric = rubric
        self._answers = answers
        self._bench = bench
        self._size = size

    def __repr__(self) -> str:
        return f"<Verdicts n={self._size}>"

    def __len__(self) -> int:
        return self._size

    def cases(self, items: Collection[str]) -> dict[str, Case]:
        """What was judged of some items, by item; answers that never were any are left out."""
        if not items:
            return {}
        return {
            answer.id: case_of(answer, self.rubric.show)
            for answer in self._answers
            if answer.id in items and answer.status == "ok"
        }

    def __iter__(self) -> Iterator[Judged]:
        __tracebackhide__ = True  # this frame holds texts; pytest would print them with -l
        for ordinal, answer in enumerate(self._answers):
            if answer.status != "ok":
                yield _judged(
                    answer, {}, answer.status, _FAILED if answer.status != "missing" else None
                )
                continue
            case = case_of(answer, self.rubric.show)
            verdicts = {
                c.id: v for c in self.rubric.criteria if (v := self._verdict(ordinal, case, c))
            }
            found = score(self.rubric, {name: v.answer for name, v in verdicts.items()})
            yield _judged(answer, verdicts, "ok" if found else "unscored", found, case.digest)

    def _verdict(self, ordinal: int, case: Case, criterion: Criterion) -> Verdict | None:
        if criterion.by_code:
            return by_code(case, criterion)
        if self._bench is None or criterion.id not in self._bench.runs:
            return None
        return self._bench.verdict(ordinal, case, criterion)


def _judged(
    answer: Answer,
    verdicts: dict[str, Verdict],
    status: Status,
    found: ItemScore | None,
    output: str = "",
) -> Judged:
    return Judged(
        id=answer.id,
        unit=answer.unit,
        tags=answer.tags,
        status=status,
        output=output,
        verdicts=verdicts,
        score=found,
    )


def by_code(case: Case, criterion: Criterion) -> Verdict:
    """What code says: the check tells whether the output is in order, and a fault is met where it is not."""
    from evalgate.text.checks import CHECKS

    check: Callable[[str, str], bool] = CHECKS[criterion.check or ""]
    fine = check(case.output, case.material)
    answer = "met" if fine != criterion.fault else "not_met"
    return Verdict(item=case.id, criterion=criterion.id, answer=answer, by="code")


def judged_criteria(rubric: Rubric) -> tuple[Criterion, ...]:
    """The criteria that the judge is asked about."""
    return tuple(c for c in rubric.criteria if "judge" in c.judged_by)


def refuse_unknown(rubric: Rubric, criterion: str) -> Criterion:
    """The criterion called so. Raises UsageError (EG660) with the names that there are."""
    found = rubric.criterion(criterion)
    if found is None:
        names = ", ".join(c.id for c in rubric.criteria)
        raise UsageError(
            f"found no criterion {criterion!r}, expected one of {names}. Correct the test.",
            where=rubric.path,
            code="EG660",
        )
    return found


def unscored_causes(rows: Iterable[Judged]) -> dict[str, int]:
    """Why items have no score, counted: the first void or cannot_tell of each."""
    causes: dict[str, int] = {}
    for row in rows:
        if row.status != "unscored":
            continue
        silent = [v for v in row.verdicts.values() if v.answer in UNSCORED]
        cause = (silent[0].void or "cannot tell") if silent else "not judged"
        causes[cause] = causes.get(cause, 0) + 1
    return dict(sorted(causes.items()))
