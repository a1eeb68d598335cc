"""Verdicts and labels as they would be without a fault: what a plan is made on, before anybody was asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalgate.authored.labels import Label
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.judge.calibration import Calibration, Drawn
from evalgate.judge.case import Case, Verdict
from evalgate.judge.draw import draw
from evalgate.judge.verdicts import Verdicts
from evalgate.records import Answer

_RATERS = ("one", "two")


class _Approving:
    """Stands for verdict runs in which a judge finds every output in order."""

    def __init__(self, rubric: Rubric) -> None:
        self.runs = {c.id: None for c in rubric.read_by_people}

    def verdict(self, ordinal: int, case: Case, criterion: Criterion) -> Verdict:
        del ordinal
        return Verdict(item=case.id, criterion=criterion.id, answer=best(criterion))


def best(criterion: Criterion) -> str:
    """The answer that speaks for an output."""
    if criterion.kind == "scale":
        return "5"
    return "not_met" if criterion.fault else "met"


def flawless(
    answers: Iterable[Answer], rubric: Rubric, *, size: int, labelled: Sequence[str]
) -> tuple[Verdicts, Calibration]:
    """Verdicts that find every answer in order, and two raters' labels of `labelled` that say the same."""
    verdicts = Verdicts(answers, rubric, _Approving(rubric), size=size)
    wanted = set(labelled)
    labels = [
        Label(
            item=row.id,
            criterion=criterion.id,
            rater=rater,
            answer=best(criterion),
            rubric=rubric.digest,
            criterion_digest=criterion.digest,
            output=row.output,
        )
        for row in verdicts
        if row.id in wanted
        for criterion in rubric.read_by_people
        for rater in _RATERS
    ]
    return verdicts, Calibration(verdicts, labels, Drawn(items=tuple(labelled)))


def labelled_items(answers: Iterable[Answer], tag: str | None, n: int | None) -> list[str]:
    """A draw of `n` items of a slice (None: all), as a review plan would make one."""
    slice_ = [a for a in answers if tag is None or tag in a.tags]
    return draw(slice_, len(slice_) if n is None else n, "plan")
