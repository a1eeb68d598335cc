"""A sample of one source's cases put to a judge, through the room that judges for the gate: `evalgate.judge.asking`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.judge.asking import SAMPLING, Bench, Docket
from evalgate.judge.case import Case, Verdict
from evalgate.records import ModelIdentity, Record

from .labelled import Labelled, sample
from .sources import BETTER


class Places:
    """The drawn cases, each at its place among all of its source: so a larger sample asks only for what is new."""

    def __init__(self, everything: Sequence[Labelled], drawn: Sequence[Labelled]) -> None:
        self.size = len(everything)
        place = {item.case.id: at for at, item in enumerate(everything)}
        self.of = {item.case.id: place[item.case.id] for item in drawn}
        self._cases = sorted(((place[item.case.id], item.case) for item in drawn), key=_first)

    def __iter__(self) -> Iterator[tuple[int, Case]]:
        return iter(self._cases)


class Judged(Record, kw_only=True):
    """An item with the judge's verdict, and with its further answers where it was asked again."""

    item: Labelled
    verdict: Verdict
    again: tuple[str, ...] = ()


class Sitting:
    """One criterion of one source: all of its items, the drawn ones, and the dockets that put them to a judge.

    The first `repeated` of the drawn are asked `repeats` times in all, each time with another seed and otherwise alike.
    """

    def __init__(
        self,
        source: str,
        items: Sequence[Labelled],
        *,
        most: int | None,
        seed: int,
        repeats: int,
        repeated: int,
    ) -> None:
        """`items` share one criterion; `most`: None for all of them."""
        self.source = source
        self.items = sorted(items, key=lambda item: item.case.id)
        self.criterion = self.items[0].criterion
        self.drawn = sample(self.items, len(self.items) if most is None else most, seed)
        answers = digest.of_value([item.case for item in self.items])
        show = tuple(sorted({name for item in self.items for name, _ in item.case.sources}))
        self.dockets = [
            Docket(
                suite=source,
                cases=Places(self.items, self.drawn if turn == 0 else self.drawn[:repeated]),
                criteria=(self.criterion,),
                show=show,
                answers=answers,
                sampling=msgspec.structs.replace(SAMPLING, seed=turn),
            )
            for turn in range(max(1, repeats))
        ]

    @property
    def compares(self) -> bool:
        """Whether its cases are pairs of answers to one instruction, each held against the other."""
        return self.criterion == BETTER

    def questions(self) -> int:
        """How many questions that is, second tries not counted."""
        return sum(len(docket.cases.of) for docket in self.dockets)

    def judged(self, judge: ModelIdentity, reports: Path) -> list[Judged]:
        """What the judge said, read from its runs; raises LookupError for what it was not asked."""
        benches = [Bench(docket, judge, reports) for docket in self.dockets]
        found = []
        for item in self.drawn:
            said = []
            for docket, bench in zip(self.dockets, benches, strict=True):
                place = docket.cases.of.get(item.case.id)
                if place is None:
                    continue
                verdict = bench.verdict(place, item.case, self.criterion)
                if verdict is None:
                    raise LookupError(item.case.id)
                said.append(verdict)
            again = tuple(verdict.answer for verdict in said[1:])
            found.append(Judged(item=item, verdict=said[0], again=again))
        return found


def _first(entry: tuple[int, Case]) -> int:
    return entry[0]
