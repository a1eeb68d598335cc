"""Holding a judge against people: labels beside verdicts, what the judge says when it is asked again, what it may decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from evalgate.authored.labels import Label
from evalgate.judge import SAMPLING, Bench, Calibration, Case, Docket, Drawn, Verdicts
from evalgate.judge.calibration_table import ITEMS_TO_DECIDE, REPEATED, CriterionReport
from evalgate.judge.qualification import qualify_rubric
from evalgate.judge.review import verify
from evalgate.records import ModelIdentity
from evalgate.suite.answers import Answers
from evalgate.suite.asking import AskedModel, Progress
from evalgate.suite.judging import docket_of, dockets_of, judged_slices, put
from evalgate.suite.project import LoadedSuite, Project

SEEDS = (101, 102, 103)
"""One more asking each."""


def calibration_of(
    project: Project,
    loaded: LoadedSuite,
    answers: Answers,
    verdicts: Verdicts,
    *,
    candidate: ModelIdentity,
    judge: ModelIdentity | None,
) -> Calibration:
    """What people's labels say of these verdicts. What the judge may decide is computed from the same labels.

    An endpoint decides nothing: whatever answers there could know which outputs people read, and praise the others.
    """
    found: tuple[CriterionReport, ...] = ()
    drawn = drawn_of(project, loaded, candidate)
    known = judge is not None and judge.verified
    if known and labelled_twice(loaded.labels) >= ITEMS_TO_DECIDE:  # with fewer no judge decides
        found = reports_of(project, loaded, answers, verdicts, judge, drawn=drawn)
    return Calibration(
        verdicts,
        loaded.labels,
        drawn,
        deciding=frozenset(r.criterion for r in found if r.standing == "decides"),
    )


def labelled_twice(labels: Iterable[Label]) -> int:
    """How many items two raters or more have labelled, whatever becomes of their labels."""
    raters: dict[str, set[str]] = {}
    for label in labels:
        raters.setdefault(label.item, set()).add(label.who)
    return sum(len(names) > 1 for names in raters.values())


def reports_of(
    project: Project,
    loaded: LoadedSuite,
    answers: Answers,
    verdicts: Verdicts,
    judge: ModelIdentity | None,
    *,
    drawn: Drawn,
) -> tuple[CriterionReport, ...]:
    """What the judge is worth, criterion by criterion, by the labels about the drawn outputs; () without a judge or label.

    Of items that somebody chose a judge can be shown to be anything: labels of others are left out and counted.
    """
    if loaded.rubric is None or judge is None or not loaded.labels:
        return ()
    return qualify_rubric(
        loaded.rubric,
        verdicts,
        loaded.labels,
        drawn=frozenset() if drawn.fault else frozenset(drawn.items),
        slices=judged_slices(project, loaded.suite.name),
        lengths={answer.id: len(answer.text) for answer in answers},
        repeats=_repeats(project, loaded, answers, judge),
    )


def drawn_of(project: Project, loaded: LoadedSuite, candidate: ModelIdentity) -> Drawn:
    """Which items people were to label, by the review plan beside the rubric."""
    plan, name = loaded.review, loaded.suite.name
    draw = f"draw them with 'evalgate review plan {candidate.name} --suite {name}'"
    if plan is None:
        return Drawn(fault=f"nobody has drawn the items that people are to label; {draw}")
    items = (item for _, item in loaded.gold.items())
    fault = verify(
        plan,
        items,
        suite=name,
        gold=loaded.gold.digest,
        model=candidate.digest,
        n=project.gate.settings.review_items,
        slices=judged_slices(project, name),
    )
    return Drawn(
        items=plan.items,
        double=plan.double,
        tag=plan.tag,
        fault=f"{fault}; {draw}" if fault else "",
    )


class _Some:
    """Of the cases, those of some items."""

    def __init__(self, docket: Docket, items: frozenset[str]) -> None:
        self.size: int = docket.cases.size
        self._cases = docket.cases
        self._items = items

    def __iter__(self) -> Iterator[tuple[int, Case]]:
        return ((n, case) for n, case in self._cases if case.id in self._items)


def _repeated(docket: Docket, loaded: LoadedSuite) -> list[Docket]:
    """The dockets of asking again about the first drawn and labelled cases, with other seeds."""
    planned = loaded.review.items if loaded.review else ()
    named = {label.item for label in loaded.labels}.intersection(planned)
    chosen = [case.id for _, case in docket.cases if case.id in named][:REPEATED]
    some = _Some(docket, frozenset(chosen))
    return [
        msgspec.structs.replace(
            docket, cases=some, sampling=msgspec.structs.replace(SAMPLING, seed=seed)
        )
        for seed in SEEDS
    ]


def _repeats(
    project: Project, loaded: LoadedSuite, answers: Answers, judge: ModelIdentity
) -> Mapping[tuple[str, str], list[str]]:
    """What the judge said when it was asked again, by (item, criterion), as far as it was asked with every seed."""
    docket = docket_of(project, loaded, answers)
    found: dict[tuple[str, str], list[str]] = {}
    for again in _repeated(docket, loaded) if docket else ():
        bench = Bench(again, judge, project.reports)
        for ordinal, case in again.cases:
            for criterion in again.criteria:
                verdict = bench.verdict(ordinal, case, criterion)
                if verdict is not None:
                    found.setdefault((case.id, criterion.id), []).append(verdict.answer)
    return {about: said for about, said in found.items() if len(said) == len(SEEDS)}


def ask_again(
    project: Project, asked: AskedModel, judge: ModelIdentity, *, progress: Progress | None = None
) -> int:
    """Asks the judge three times more about labelled cases, as far as no run holds it; returns how many questions."""
    again = [d for loaded, docket in dockets_of(project, asked) for d in _repeated(docket, loaded)]
    return put(project, again, judge, "again", progress=progress)
