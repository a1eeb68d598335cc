"""What is judged and what is said of it: the records of this room."""

from __future__ import annotations

from typing import Literal

from evalgate import digest
from evalgate.records import Record


class Case(Record, kw_only=True):
    """An output with what it must be held against. `sources` are (name, text), in the rubric's order of `show`."""

    id: str
    unit: str
    tags: tuple[str, ...] = ()
    sources: tuple[tuple[str, str], ...]
    output: str

    def __repr__(self) -> str:  # its texts are about somebody
        return f"<Case {self.id}>"

    @property
    def digest(self) -> str:
        """Of what is read, output and sources: what a label is about."""
        return digest.of_value([self.output, self.sources])

    @property
    def material(self) -> str:
        """All sources, joined by newlines: what code checks an output against."""
        return "\n".join(text for _, text in self.sources)


class Verdict(Record, kw_only=True):
    """One answer to one criterion about one output.

    `answer` is "met", "not_met", "not_applicable", "cannot_tell", of a scale "1" to "5", or "void": the judge gave no
    answer that can be used, for the reason in `void`. `quote` was found verbatim in output or sources; "" if none was.
    """

    item: str
    criterion: str
    answer: str
    quote: str = ""
    reason: str = ""
    void: str = ""
    by: Literal["judge", "code"] = "judge"

    def __repr__(self) -> str:  # quote and reason may hold clinical text
        return f"<Verdict {self.item} {self.criterion} {self.answer}>"

    @property
    def scored(self) -> bool:
        """Whether it says something: neither void nor cannot_tell."""
        return self.answer not in ("void", "cannot_tell")
