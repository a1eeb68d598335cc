"""What an import found, took and left: counted while rows stream by, then told on the terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, Literal

from evalgate.authored.imports.rows import KINDS, OTHER_SPAN_LABEL, Fault, Row
from evalgate.authored.problems import count
from evalgate.errors import UsageError
from evalgate.records import Record

Format = Literal["brat", "conll", "csv", "jsonl", "hf"]

MOST_PLACES: Final = 10_000
"""Places of one kind that a report keeps; the counts are of all."""
MOST_LINES: Final = 50
"""Places of one kind that are listed one a line."""


class Count(Record, kw_only=True):
    """found = taken + left."""

    found: int
    taken: int
    left: int


class KindCount(Record, kw_only=True):
    """One kind of fault with how often and where (at most 10000 places)."""

    kind: str
    code: str
    of: Literal["row", "span", "note"]
    count: int
    message: str
    places: tuple[str, ...]


class Report(Record, kw_only=True):
    """What an import found, took and left. Holds names, labels and counts, never a text."""

    schema: str = "evalgate.import/1"
    format: Format
    source: str
    rows: Count
    spans: Count
    units: int
    largest_unit: int
    """Most entities in one unit; 0 without entities."""
    labels: dict[str, int]
    faults: tuple[KindCount, ...]

    def lines(self) -> Iterator[str]:
        """One line per fault that is listed, then one per kind that is only counted."""
        kinds = {kind.name: kind for kind in KINDS}
        for fault in self.faults:
            if noun := kinds[fault.kind].counted:
                yield f"{self.source}: {fault.code} {count(fault.count, noun)} {fault.message}"
                continue
            for place in fault.places[:MOST_LINES]:
                yield f"{place}: {fault.code} {fault.message}"
            if fault.count > MOST_LINES:
                more = fault.count - MOST_LINES
                yield f"{self.source}: {fault.code} and {more} more of this kind ({fault.kind}); --report FILE keeps their places."

    def nothing(self) -> str | None:
        """Why there is nothing to write: no row, none that could be taken, or --labels kept no entity. None where there is."""
        if not self.rows.found:
            return "found no rows, expected at least one. Nothing was written."
        if not self.rows.taken:
            found = f"found {count(self.rows.found, 'row')} and could take none"
            return f"{found}, expected at least one. Nothing was written; see the lines above."
        unasked = sum(fault.count for fault in self.faults if fault.kind == OTHER_SPAN_LABEL.name)
        if unasked and not self.spans.taken:
            found = f"found {count(unasked, 'span')}, none with a label of --labels"
            return (
                f"{found}, expected at least one. Nothing was written; correct --labels or --map."
            )
        return None

    def raise_if_nothing(self) -> None:
        """Raise UsageError (EG177) when there was nothing to write."""
        if reason := self.nothing():
            raise UsageError(reason, where=self.source, code="EG177")

    def summary(self) -> str:
        """Counts in one line."""
        text = f"{self.rows.taken} of {count(self.rows.found, 'row')} taken, {count(self.units, 'unit')}"
        if self.spans.found:
            text += f"; {self.spans.taken} of {self.spans.found} entities, {count(len(self.labels), 'label')}, at most {self.largest_unit} in a unit"
        return text


class Account:
    """Counts rows, spans and faults as they stream by."""

    def __init__(self) -> None:
        self.taken = self.left = self.spans = self.spans_left = 0
        self.labels: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    def add(self, fault: Fault) -> None:
        """Count one fault."""
        name = fault.kind.name
        self._counts[name] += 1
        places = self._places.setdefault(name, [])
        if len(places) < MOST_PLACES:
            places.append(fault.place)
        self.spans_left += fault.kind.of == "span"

    def row(self, row: Row) -> None:
        """Count one row; entities of a row that is left out are not counted."""
        if row.item is None:
            of_row = [fault for fault in row.faults if fault.kind.of == "row"]
            self.left += bool(of_row)
            for fault in of_row or row.faults:
                self.add(fault)
            return
        self.taken += 1
        entities = row.item.expected if is_entities(row.item.expected) else ()
        self.spans += len(entities)
        self.units[row.item.unit] += len(entities)
        self.labels.update(entity["label"] for entity in entities)
        for fault in row.faults:
            self.add(fault)

    def report(self, format_: Format, source: str) -> Report:
        """What was counted so far."""
        return Report(
            format=format_,
            source=source,
            rows=_count(self.taken, self.left),
            spans=_count(self.spans, self.spans_left),
            units=len(self.units),
            largest_unit=max(self.units.values(), default=0),
            labels=dict(sorted(self.labels.items())),
            faults=tuple(
                KindCount(
                    kind=kind.name,
                    code=kind.code,
                    of=kind.of,
                    count=self._counts[kind.name],
                    message=kind.message,
                    places=tuple(self._places[kind.name]),
                )
                for kind in KINDS
                if self._counts[kind.name]
            ),
        )


def is_entities(expected: Any) -> bool:
    """Whether an answer is a list of entities with their texts."""
    return isinstance(expected, list) and all(
        isinstance(entity, dict)
        and isinstance(entity.get("label"), str)
        and isinstance(entity.get("text"), str)
        for entity in expected
    )


def _count(taken: int, left: int) -> Count:
    return Count(found=taken + left, taken=taken, left=left)
