"""A rubric: what a letter, a summary or an answer is held against, criterion by criterion. rubrics/TASK.toml.

A criterion asks whether something is true of the output, never whether the output is good; its points say what that is
worth, and points below 0 make it a fault. `rubric_file` reads the file, `rubric_lint` finds what reads badly.
"""

from __future__ import annotations

from typing import Literal, get_args

from evalgate import digest
from evalgate.records import Record

AnswerWord = Literal["met", "not_met", "not_applicable", "cannot_tell"]
ANSWERS: tuple[AnswerWord, ...] = get_args(AnswerWord)
"""What a rater may say of a binary criterion. Of a scale they say "1" to "5" in place of met and not_met."""

Rater = Literal["judge", "clinician", "code"]
RATERS: tuple[Rater, ...] = get_args(Rater)
SCALE: tuple[str, ...] = ("1", "2", "3", "4", "5")
"""The steps of a scale, worst first, one for each of its written anchors."""


class Example(Record, kw_only=True):
    """A piece of output with the answer it deserves, shown to raters and judge; `why` for what is not plain."""

    answer: str
    text: str
    why: str = ""


class Criterion(Record, kw_only=True):
    """One question about an output. `points` below 0: a fault. `critical`: a missed must-have or a found fault fails the item.

    `kind` "scale" has five `anchors`, worst first, and is worth `points` at the best of them. `evidence` "quote": who says
    met must quote. `check` names a function of `evalgate.text.checks`, for criteria that code answers.
    """

    id: str
    ask: str
    points: float
    kind: Literal["binary", "scale"] = "binary"
    axis: str = ""
    critical: bool = False
    evidence: Literal["none", "quote"] = "none"
    applies_when: str = ""
    met: str = ""
    not_met: str = ""
    anchors: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    judged_by: tuple[Rater, ...] = ("judge", "clinician")
    check: str | None = None

    @property
    def fault(self) -> bool:
        """Whether being true of the output speaks against it."""
        return self.points < 0

    @property
    def by_code(self) -> bool:
        """Whether code answers it, and nobody else is asked."""
        return "code" in self.judged_by

    @property
    def answers(self) -> tuple[str, ...]:
        """What a rater may say; not_applicable only where there is a condition that can fail."""
        every = (*SCALE, *ANSWERS[2:]) if self.kind == "scale" else ANSWERS
        return tuple(a for a in every if a != "not_applicable" or self.applies_when)

    @property
    def digest(self) -> str:
        """Over what a rater reads, and over nothing else: labels and verdicts are about this text.

        Points, axis and who answers may change without making a label stale.
        """
        read = (
            self.id, self.kind, self.ask, self.evidence, self.applies_when,
            self.met, self.not_met, self.anchors, self.examples, self.check,
        )  # fmt: skip
        return digest.of_value(read)


class Rubric(Record, kw_only=True):
    """A valid rubrics/TASK.toml. `show`: keys of the gold item's input that raters and judge see beside the output.

    `digest` is over the content: comments and layout do not change it. `lines`: where each criterion stands.
    """

    path: str
    digest: str
    id: str
    task: str
    version: str
    title: str
    pass_mark: float
    criteria: tuple[Criterion, ...]
    reader: str = ""
    owner: str = ""
    status: str = ""
    sign_off: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    lines: dict[str, int] = {}  # noqa: RUF012 (msgspec copies defaults)

    def criterion(self, name: str) -> Criterion | None:
        """The criterion called `name`, None if there is none."""
        return next((c for c in self.criteria if c.id == name), None)

    @property
    def read_by_people(self) -> tuple[Criterion, ...]:
        """The criteria that a judge or a clinician answers."""
        return tuple(c for c in self.criteria if not c.by_code)
