"""`Calibration`: what people said of a random part of the very outputs that a judge scored, and what may follow from it.

Which items people were to see was drawn before any score; a calibrated number rests on exactly those. Whoever leaves one
out, or labels another model's outputs, has no calibrated number.
"""

from __future__ import annotations

from collections.abc import Iterable

from evalgate.authored.labels import Label
from evalgate.judge.people import ENOUGH, Said, read_twice, settled, usable
from evalgate.judge.scoring import ItemScore, fulfilled, score
from evalgate.judge.verdicts import Judged, Verdicts
from evalgate.records import Record

LABELLING = "'evalgate review plan' and 'evalgate review label' get them"


class Drawn(Record, kw_only=True):
    """Which items people were to label, fixed before scoring. `tag`: the slice they were drawn from, None for all.

    `double`: those that two were to label. `fault`: why the draw cannot be relied on; "" if it can.
    """

    items: tuple[str, ...] = ()
    double: tuple[str, ...] = ()
    tag: str | None = None
    fault: str = ""


class Calibration:
    """Labels read against the verdicts of one run.

    `deciding`: criteria of which the judge was shown to agree with people (`judge.qualification`); of the others the
    judge's word is not used, and people's alone decides.
    """

    def __init__(
        self,
        verdicts: Verdicts,
        labels: Iterable[Label],
        drawn: Drawn,
        *,
        deciding: frozenset[str] = frozenset(),
    ) -> None:
        self.verdicts = verdicts
        self.drawn = drawn
        self.deciding = deciding
        self._rows = {row.id: row for row in verdicts}
        self._drawn = frozenset(drawn.items)
        labels = tuple(labels)
        cases = verdicts.cases({label.item for label in labels})
        kept, self.unused = usable(labels, verdicts.rubric, cases, drawn=self._drawn)
        self.said = settled(kept, verdicts.rubric)

    def __repr__(self) -> str:
        return f"<Calibration items={len(self.said)}>"

    def people(self, row: Judged) -> Said | None:
        """What people said of an item; of an answer that never was one there is nothing to say."""
        return self.said.get(row.id)

    def score_of(self, row: Judged) -> ItemScore | None:
        """The score that people's answers (and code's) give; None where an answer is still missing.

        What clinicians could not tell counts as the answer that speaks against the output.
        """
        if row.status in ("ok", "unscored"):
            said = self.people(row)
            if said is None or not said.complete:
                return None
            return score(self.verdicts.rubric, self._all_answers(row, said))
        return row.score

    def _all_answers(self, row: Judged, said: Said) -> dict[str, str]:
        answers = {name: v.answer for name, v in row.verdicts.items() if v.by == "code"}
        for criterion in self.verdicts.rubric.read_by_people:
            given = said.answers[criterion.id]
            if given == "cannot_tell":
                bad = "met" if criterion.fault else "not_met"
                given = "1" if criterion.kind == "scale" else bad
            answers[criterion.id] = given
        return answers

    def answer_of(self, row: Judged, criterion: str) -> str | None:
        """People's answer to one criterion, code's where code answers it; None where it is missing."""
        verdict = row.verdicts.get(criterion)
        if verdict is not None and verdict.by == "code":
            return verdict.answer
        said = self.people(row)
        return said.answers.get(criterion) if said else None

    def guess_of(self, row: Judged) -> ItemScore | None:
        """The judge's score with its word on criteria that it may decide, and everything else taken to be in order.

        A covariate, no evidence: what it gets wrong the labels correct. None where nothing of it is the judge's.
        """
        if not self.deciding:
            return None
        if row.status not in ("ok", "unscored"):
            return row.score
        answers = {}
        for criterion in self.verdicts.rubric.criteria:
            given = row.answer(criterion.id)
            if not criterion.by_code and criterion.id not in self.deciding:
                fine = "not_met" if criterion.fault else "met"
                given = "5" if criterion.kind == "scale" else fine
            answers[criterion.id] = given
        return score(self.verdicts.rubric, answers) or ItemScore(value=0.0, passed=False)

    def lacking(self, tag: str | None) -> str:
        """Why no number about the slice may rest on these labels, "" if one may. Says how many labels are missing."""
        population = [row for row in self._rows.values() if tag is None or tag in row.tags]
        wanted = min(ENOUGH, len(population))
        if self.drawn.fault:
            short = f"people must label at least {wanted} of the {len(population)} items"
            return f"{self.drawn.fault}; {short}{self._have()}"
        if self.drawn.tag is not None and tag != self.drawn.tag:
            drawn_from = {row.id for row in self._rows.values() if self.drawn.tag in row.tags}
            if not all(row.id in drawn_from for row in population):
                return f"the items to label were drawn from the slice {self.drawn.tag!r}, which does not hold this one"
        inside = {row.id: row for row in population}
        chosen = [inside[name] for name in self.drawn.items if name in inside]
        if len(chosen) < wanted:
            return (
                f"the review plan draws {len(chosen)} of the {len(population)} items, at least {wanted} must be "
                f"labelled; {LABELLING}"
            )
        halved = {row.unit for row in chosen} & {row.unit for row in self.rest(tag)}
        if halved:
            return f"of {len(halved)} units some items are drawn and some are not: units are drawn whole"
        open_ = [row for row in chosen if self.score_of(row) is None]
        if open_:
            return (
                f"people have labelled {len(chosen) - len(open_)} of the {len(chosen)} drawn items, {len(open_)} are "
                f"missing{self._have()}; {LABELLING}"
            )
        twice = self._read_twice().intersection(inside)
        once = sum((said := self.said.get(name)) is None or said.raters < 2 for name in twice)
        if once:
            return (
                f"two raters have seen {len(twice) - once} of the {len(twice)} items that the review plan gives to two"
                f"{self._have()}; {LABELLING}"
            )
        return ""

    def _read_twice(self) -> set[str]:
        """The drawn items of which two raters must have read the output."""
        rows = (self._rows.get(name) for name in self.drawn.items)
        there = [row.id for row in rows if row and row.status in ("ok", "unscored")]
        return read_twice(there, self.drawn.double)

    def _have(self) -> str:
        """What labels there are that do not count, in brackets."""
        told = ", ".join(self.unused.told)
        return f" (of the labels that are there, {told})" if told else ""

    def was_drawn(self, row: Judged) -> bool:
        """Whether people were to label the item."""
        return row.id in self._drawn

    def labelled(self, tag: str | None) -> list[Judged]:
        """The drawn items of the slice, in the order of the gold set."""
        return [
            r for r in self._rows.values() if self.was_drawn(r) and (tag is None or tag in r.tags)
        ]

    def rest(self, tag: str | None) -> list[Judged]:
        """The items of the slice that were not drawn."""
        return [
            r
            for r in self._rows.values()
            if not self.was_drawn(r) and (tag is None or tag in r.tags)
        ]

    def fulfilled_by(self, row: Judged, criterion: str) -> float | None:
        """How far a criterion is true of the output by people's answer, in [0, 1]; None where it is missing.

        What clinicians could not tell counts against the output; what does not apply is in order.
        """
        found = self.verdicts.rubric.criterion(criterion)
        given = self.answer_of(row, criterion)
        if found is None or given is None:
            return None
        if given == "cannot_tell":
            return 1.0 if found.fault else 0.0
        if given == "not_applicable":
            return 0.0 if found.fault else 1.0
        return fulfilled(found, given)
