"""Ids of millions of rows in bounded memory: which stand twice, and which are their own ancestors.

8 bytes a row and 16 a parent are kept: Python's own 64-bit hashes. They only point at rows; a second reading names them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from evalgate.authored.gold_lines import MOST_LISTED, LineProblems
from evalgate.corpus.example import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.int64]

Again = Callable[[], Iterator[tuple[str, int, Example]]]


class Ids:
    """Ids and parents, added row by row in the order of the file."""

    def __init__(self) -> None:
        self._ids = array("q")
        self._child = array("q")
        self._parent = array("q")

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, example: Example) -> None:
        """Takes one row's id and parents."""
        here = hash(example.id)
        self._ids.append(here)
        for parent in example.parents:
            self._child.append(here)
            self._parent.append(hash(parent))

    def check(self, again: Again, found: LineProblems) -> None:
        """Notes ids given twice (EG824) and circular parents (EG825); `again` reads (file, line, row) a second time.

        `file` is "" where there is one file only: its lines are then those of the problems.
        """
        twice, repeats = self._repeated()
        circular, members = self._circular()
        if not repeats and not members:
            return
        first: dict[str, str] = {}
        told = 0
        for file, line, row in again():
            here = hash(row.id)
            place = f"{file}:{line}" if file else f"line {line}"
            shown = f" ({place})" if file else ""
            if here in twice:
                before = first.setdefault(row.id, place)
                if before != place:
                    told += 1
                    message = f"found the id {row.id!r} a second time{shown}, first at {before}, expected each id once. Rename or remove one."
                    found.add("EG824", message, 0 if file else line)
            elif here in circular:
                told += 1
                message = f"found that the row {row.id!r}{shown} is its own ancestor, expected parents that were there before it. Correct `parents`."
                found.add("EG825", message, 0 if file else line)
            if told > MOST_LISTED:
                break
        found.count += max(0, repeats + members - told)

    def _repeated(self) -> tuple[set[int], int]:
        """The hashes of the first ids that stand twice, as many as are listed, and how many rows repeat an id."""
        import numpy as np

        ids = np.frombuffer(self._ids, dtype=np.int64)
        if ids.size < 2:
            return set(), 0
        ordered = np.sort(ids)
        if not (ordered[1:] == ordered[:-1]).any():
            return set(), 0
        places = np.argsort(ids, kind="stable")
        again = np.sort(places[1:][ids[places[1:]] == ids[places[:-1]]])
        return set(ids[again[:MOST_LISTED]].tolist()), int(again.size)

    def _circular(self) -> tuple[set[int], int]:
        """The hashes of some rows, as many as are listed, that are their own ancestors, and how many rows are.

        These are the strongly connected components of more than one row, and rows that name themselves.
        """
        if not self._child:
            return set(), 0
        import numpy as np
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        child = np.frombuffer(self._child, dtype=np.int64)
        parent = np.frombuffer(self._parent, dtype=np.int64)
        inside = np.isin(parent, np.frombuffer(self._ids, dtype=np.int64))
        child, parent = child[inside], parent[inside]
        nodes, at = np.unique(np.concatenate([child, parent]), return_inverse=True)
        if not nodes.size:
            return set(), 0
        start, end = at[: child.size], at[child.size :]
        edges = coo_array((np.ones(start.size, np.int32), (start, end)), shape=(nodes.size,) * 2)
        _, component = connected_components(edges, directed=True, connection="strong")
        own = np.bincount(component)[component] > 1
        own[start[start == end]] = True
        members = nodes[own]
        return set(members[:MOST_LISTED].tolist()), int(members.size)
