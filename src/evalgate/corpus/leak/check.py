"""The check of training data against gold, row by row as they stream past, and its report."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from evalgate.corpus.example import Example
from evalgate.corpus.hit import Hit, RowCheck
from evalgate.corpus.leak.gold import Gold, GoldText
from evalgate.corpus.leak.index import LONG, SHORT, Index, Overlap
from evalgate.corpus.leak.lineage import Lineage
from evalgate.corpus.leak.marks import Marks
from evalgate.corpus.leak.near import HIT, LENGTH, Repeats
from evalgate.corpus.leak.short import ShortItems
from evalgate.corpus.leak.words import Hashed, hashed
from evalgate.records import Record

RULES: Final = "1"
"""Raised whenever a rule or threshold changes: reports of other rules are not reused."""
BATCH: Final = 1 << 20
"""Characters of rows that are compared at a time."""


class Report(Record, kw_only=True):
    """What was found in training data, and in what was looked.

    `gold` and `prompts` are the digests, by name, of the gold sets and prompts that rows were compared with; `corpora` those
    of the files. `repeated` rows have the words of an earlier row, `near` ones are much like one (docs/leakage.md); of
    these only the most alike are hits. `unopened` sealed sets were not compared, and `unchecked` gold items cannot be, since
    nothing in them is their own ("SET/ID"). `contaminated` names, by set, the gold items that some hit touches, each
    with the largest share of it that one row holds (1.0 where it is the origin that is shared).
    """

    rows: int
    hits: tuple[Hit, ...]
    contaminated: dict[str, dict[str, float]]
    repeated: int
    near: int
    gold: dict[str, str]
    prompts: dict[str, str]
    unopened: tuple[str, ...]
    unchecked: tuple[str, ...]
    corpora: dict[str, str] = msgspec.field(default_factory=dict)
    rules: str = RULES

    @property
    def clean(self) -> bool:
        """Whether nothing speaks against training on these rows."""
        return not self.hits


class Leakage:
    """Takes rows one by one; `report` says what was found. Memory: about 0.4 kB a row, and what is found.

    With `show_text` the evidence of a leak quotes the words in common, never those of a sealed set.
    """

    def __init__(
        self, gold: Gold, *, also: Sequence[RowCheck] = (), show_text: bool = False
    ) -> None:
        self._gold = gold
        self._also = also
        self._show_text = show_text
        self._index = Index(gold)
        self._short = ShortItems(gold.items)
        self._marks = Marks(gold)
        self._lineage = Lineage(gold)
        self._repeats = Repeats(gold.boilerplate)
        self._ids = _Ids()
        self._descends = False
        self._hits: list[Hit] = []
        self._waiting: list[Example] = []
        self._size = 0

    def add(self, row: Example) -> None:
        """The next row."""
        self._ids.add(row.id)
        self._descends = self._descends or bool(row.parents)
        self._hits += self._lineage.hits(row)
        for check in self._also:
            self._hits += check(row)
        self._waiting.append(row)
        self._size += sum(len(message["content"]) for message in row.messages)
        if self._size >= BATCH:
            self._compare()

    def _compare(self) -> None:
        rows, self._waiting, self._size = self._waiting, [], 0
        if not rows:
            return
        texts = hashed([row.text for row in rows])
        self._repeats.add(texts)
        self._hits += self._shared(texts, rows)

    def _shared(self, texts: Hashed, rows: Sequence[Example]) -> Iterator[Hit]:
        items = self._gold.items
        for found in self._index.overlaps(texts):
            if found.leaks:
                item = items[found.item]
                told = self._told(found, rows[found.text], item)
                yield _leak(rows[found.text], item, told, share=found.share)
        for row, number in self._short.found(texts, rows):
            yield _leak(rows[row], items[number], "the whole question, a short one, on its own")
        for row, number, shared, many in self._marks.found(texts):
            item = items[number]
            evidence = (
                f"{item.gold_set}: {shared} of the {many} long numbers that only this unit has"
            )
            yield Hit(
                kind="lineage",
                row=rows[row].id,
                gold=item.id,
                gold_set=item.gold_set,
                evidence=evidence,
            )

    def _told(self, found: Overlap, row: Example, item: GoldText) -> str:
        said = item.question if found.part == "question" else item.answer
        if found.share == 1:
            text = row.text
            whole = all(each in text for each in said)
            match = "verbatim" if whole else "normalised"
        else:
            match = f"{LONG}-gram" if found.words >= LONG else f"{SHORT}-gram"
        told = (
            f"{match}, {found.share:.0%} of the {found.part}, {found.words} words in a row "
            f"from word {found.at + 1} on"
        )
        quoted = self._show_text and not item.sealed
        return f'{told}: "{found.said.decode(errors="replace")}"' if quoted else told

    def report(self, again: Callable[[], Iterable[Example]]) -> Report:
        """What was found in all rows. `again` gives them once more: descendants of a hit may stand before it."""
        self._compare()
        self._hits += self._lineage.late()
        if self._descends:
            self._hits += _descendants(self._hits, again)
        repeated = near = 0
        for twin in self._repeats.twins():
            row, earlier = self._ids[twin.row], self._ids[twin.earlier]
            if twin.likeness == 1:
                repeated += 1
                evidence = f"the words of row {earlier!r} again"
            else:
                near += 1
                evidence = f"about {twin.likeness:.2f} of its {LENGTH}-word sequences and those of row {earlier!r} are the same"
            if twin.likeness >= HIT:
                self._hits.append(Hit(kind="duplicate", row=row, evidence=evidence))
        return Report(
            rows=len(self._ids),
            hits=tuple(self._hits),
            contaminated=_contaminated(self._hits),
            repeated=repeated,
            near=near,
            gold=self._gold.sets,
            prompts=self._gold.prompts,
            unopened=self._gold.unopened,
            unchecked=tuple(self._unchecked()),
        )

    def _unchecked(self) -> Iterator[str]:
        for number, (item, own) in enumerate(zip(self._gold.items, self._index.own, strict=True)):
            if not own and number not in self._short:
                yield f"{item.gold_set}/{item.id}"


class _Ids:
    """The ids of rows in order, without an object for each."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("Q", (0,))

    def add(self, row: str) -> None:
        self._text += row.encode(errors="surrogatepass")
        self._ends.append(len(self._text))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, ordinal: int) -> str:
        begin, end = self._ends[ordinal], self._ends[ordinal + 1]
        return self._text[begin:end].decode(errors="surrogatepass")


def _leak(row: Example, item: GoldText, evidence: str, *, share: float = 1.0) -> Hit:
    return Hit(
        kind="leak",
        row=row.id,
        gold=item.id,
        gold_set=item.gold_set,
        share=share,
        evidence=f"{item.gold_set}: {evidence}",
    )


def _descendants(hits: Sequence[Hit], again: Callable[[], Iterable[Example]]) -> Iterator[Hit]:
    """A lineage hit for every row that descends from one with a leak or lineage hit."""
    tainted = {hit.row: hit for hit in hits if hit.kind in ("leak", "lineage")}
    known = -1
    while tainted and known != len(
        tainted
    ):  # once more while a child was found, for its children may stand before it
        known = len(tainted)
        for row in again():
            parent = next((p for p in row.parents if p in tainted), None)
            if parent is None or row.id in tainted:
                continue
            first = tainted[parent]
            hit = Hit(
                kind="lineage",
                row=row.id,
                gold=first.gold,
                gold_set=first.gold_set,
                evidence=f"descends from row {parent!r}, which has a {first.kind} hit",
            )
            tainted[row.id] = hit
            yield hit


def _contaminated(hits: Iterable[Hit]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for hit in hits:
        if hit.gold is not None:
            items = found.setdefault(hit.gold_set, {})
            items[hit.gold] = max(items.get(hit.gold, 0.0), hit.share)
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}
