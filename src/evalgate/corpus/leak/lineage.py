"""What feeds both sides by its own account: a unit, a document, a parent or a generator that training and gold name alike.

Other words, another language, another template: text tells nothing then, and the origin that a row states still does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from evalgate.corpus.example import Example
from evalgate.corpus.hit import Hit
from evalgate.corpus.leak.gold import Gold, GoldText


class Lineage:
    """Compares what rows state of their origin with gold. Names are compared as they stand, over all gold sets."""

    def __init__(self, gold: Gold) -> None:
        self._units: dict[str, list[GoldText]] = defaultdict(list)
        self._documents: dict[str, list[GoldText]] = defaultdict(list)
        self._ids: dict[str, list[GoldText]] = defaultdict(list)
        for item in gold.items:
            self._units[item.unit].append(item)
            self._ids[item.id].append(item)
            for document in item.documents:
                self._documents[document].append(item)
        self._generators = {PurePosixPath(path).stem: path for path in gold.generators}
        self._digests = {d: path for path, d in gold.generators.items() if d}
        self._rows: set[str] = set()
        self._parents: dict[str, list[str]] = defaultdict(list)

    def hits(self, row: Example) -> Iterator[Hit]:
        """What one row shares by its own fields. Parents that bear a gold item's id are told by `late`, after all rows."""
        if row.unit:
            yield from _told(row, self._units.get(row.unit, ()), f"unit {row.unit!r} is the unit")
        for document in row.documents:
            said = f"document {document!r} is a document"
            yield from _told(row, self._documents.get(document, ()), said)
            said = f"document {document!r} is the unit"
            yield from _told(row, self._units.get(document, ()), said)
        if row.made_by is not None:
            name, _, made = row.made_by.template.partition("@")
            path = self._generators.get(name) or self._digests.get(made)
            if path:
                evidence = f"made by {path}, the generator of a gold set"
                yield Hit(kind="lineage", row=row.id, evidence=evidence)
        if row.id in self._ids:
            self._rows.add(row.id)
        for parent in row.parents:
            if parent in self._ids:
                self._parents[parent].append(row.id)

    def late(self) -> Iterator[Hit]:
        """The rows whose parents are gold items; a parent that is a row of these files is that row."""
        for parent, children in self._parents.items():
            if parent in self._rows:
                continue
            for child in children:
                for item in self._ids[parent]:
                    evidence = f"parent {parent!r} is a gold item of {item.gold_set}"
                    yield _hit(child, item, evidence)


def _told(row: Example, items: Sequence[GoldText], said: str) -> Iterator[Hit]:
    for item in items:
        yield _hit(row.id, item, f"{said} of a gold item of {item.gold_set}")


def _hit(row: str, item: GoldText, evidence: str) -> Hit:
    return Hit(kind="lineage", row=row, gold=item.id, gold_set=item.gold_set, evidence=evidence)
