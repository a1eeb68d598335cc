"""Labels: what people said of outputs, criterion by criterion. rubrics/TASK.labels.jsonl, one label a line.

A label is about what somebody read: it names the digest of that output with the sources beside it, and of the criterion as
it then stood. So an edited criterion, other sources or another model's output never borrow it.
"""

from __future__ import annotations

from evalgate.records import Record


class Label(Record, kw_only=True):
    """One rater's answer to one criterion about one output.

    `rubric` and `criterion_digest` are of what the rater read, `output` is the digest of the output and of the sources
    that were shown beside it. `blind`: the
    rater saw no verdict of a judge, no other rater, no model's name. `adjudicates`: given after seeing both answers of a
    dispute; it settles it. `repeat`: the rater answered this before, unknowingly. `simulated`: given by anybody but a
    clinician; such a label never opens a gate. `at`: UTC, ISO 8601.
    """

    item: str
    criterion: str
    rater: str
    answer: str
    rubric: str
    criterion_digest: str
    output: str
    quote: str = ""
    comment: str = ""
    blind: bool = True
    adjudicates: bool = False
    repeat: bool = False
    simulated: bool = False
    at: str = ""

    @property
    def who(self) -> str:
        """The rater, to be compared: Ana and ana are one person."""
        return self.rater.casefold()

    def __repr__(self) -> str:  # quote and comment may hold clinical text
        return f"<Label {self.item} {self.criterion} {self.rater}>"
