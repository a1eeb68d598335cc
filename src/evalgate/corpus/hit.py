"""What a check of training data finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from evalgate.corpus.example import Example
from evalgate.records import Record

Kind = Literal["leak", "lineage", "duplicate", "terms", "phi"]


class Hit(Record, kw_only=True):
    """One reason why a row may not be trained on. `gold` is the id of the gold item of `gold_set` that it touches, if any.

    `share` of that item, in [0, 1], stands in the row word by word (1.0 where it is the origin that is shared).
    `evidence` says in words what was found and where; it quotes nothing unless the caller asked for text.
    """

    kind: Kind
    row: str
    evidence: str
    gold: str | None = None
    gold_set: str = ""
    share: float = 1.0


RowCheck = Callable[[Example], Iterable[Hit]]
"""What looks at one row at a time: terms, PHI."""
