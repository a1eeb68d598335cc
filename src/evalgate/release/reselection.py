"""Whether the choice of the base model is due again: the data has doubled since it was last looked into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from evalgate.corpus.manifest import MANIFEST, load_manifest
from evalgate.records import Record

GROWTH: Final = 2.0
"""Times the rows of the last choice at which it is due again."""
_RECORDS: Final = ("curves", "shortlists", "switches")
_DATA: Final = "data"


class Choice(Record, kw_only=True):
    """A recorded look at base models, whatever came of it: a curve, a shortlist, a switch or a "no switch". `at`: UTC, ISO 8601."""

    at: str
    what: str
    rows: int


class Reselection(Record, kw_only=True):
    """`due` or not, and `why`. `rows`: of all governed corpora now; `last`: the latest choice that says how many there were."""

    due: bool
    why: str
    rows: int
    last: Choice | None = None


class _Kept(msgspec.Struct):
    """What is read of a record, whatever else it holds."""

    rows: int = 0
    decided: str = ""
    made: str = ""


def governed_rows(root: Path) -> int:
    """Rows of every corpus below data/ with a manifest. Raises IntegrityError (EG826: a manifest that was changed)."""
    paths = sorted((root / _DATA).glob(f"*/{MANIFEST}"))
    return sum(load_manifest(path.parent).rows for path in paths)


def choices(root: Path) -> Iterator[Choice]:
    """The recorded choices that say how many rows there were; what cannot be read, or is unfinished, tells nothing."""
    for folder in _RECORDS:
        for path in sorted((root / "reports" / folder).glob("*.json")):
            try:
                kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
            except (OSError, ValueError, RecursionError):
                continue
            at = kept.decided or kept.made
            if at and kept.rows > 0:
                yield Choice(at=at, what=f"reports/{folder}/{path.name}", rows=kept.rows)


def reselection(root: Path) -> Reselection:
    """Whether the data has doubled since the last choice. Raises as `governed_rows`."""
    rows = governed_rows(root)
    last = max(choices(root), key=lambda choice: choice.at, default=None)
    if last is None:
        why = "no choice of a base model is recorded: evalgate models shortlist, evalgate models curve"
        return Reselection(due=False, why=why, rows=rows)
    told = f"{rows} rows now, {last.rows} at the last choice ({last.at[:10]}, {last.what})"
    due = rows >= GROWTH * last.rows
    return Reselection(due=due, why=f"data doubled: {told}" if due else told, rows=rows, last=last)
