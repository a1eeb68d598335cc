"""Rows inherit the terms of all that they are derived from, wherever their parents lie and whatever terms they name themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from pathlib import Path

from evalgate.authored.terms import terms_of
from evalgate.corpus.files import rows
from evalgate.corpus.manifest import MANIFEST
from evalgate.records import Record
from evalgate.release.trained import withdrawn
from evalgate.store.ledger import Ledger


class Descent(Record, kw_only=True):
    """What rows are derived from: terms and sources of all their ancestors; `missing`: ids of ancestors that are not here."""

    terms: frozenset[str]
    sources: frozenset[str]
    missing: frozenset[str]


def descent(root: Path, corpora: Collection[Path]) -> Descent:
    """The ancestors of the rows of these corpora, looked for in all corpora of the project, generation by generation.

    Kept are the ids of ancestors. Raises FileProblems, IntegrityError (EG826) for a corpus that is not what was written.
    """
    everywhere = sorted(path.parent for path in (root / "data").glob(f"*/{MANIFEST}"))
    waiting = {parent for path in corpora for row in rows(path, strict=True) for parent in row.parents}  # fmt: skip
    known: set[str] = set()
    missing: set[str] = set()
    terms: set[str] = set()
    sources: set[str] = set()
    while waiting:
        known |= waiting
        above: set[str] = set()
        for path in everywhere:
            for row in rows(path, strict=True):
                if row.id in waiting:
                    waiting.discard(row.id)
                    above.update(row.parents)
                    terms.add(row.terms)
                    sources.add(row.source)
        missing |= waiting
        waiting = above - known
    return Descent(
        terms=frozenset(terms), sources=frozenset(sources - {""}), missing=frozenset(missing)
    )


def refused_descent(root: Path, found: Descent, ledger: Ledger, on: dt.date) -> list[str]:
    """Why rows with these ancestors may not be trained on: their terms must allow derived examples, and training. [] if they do.

    Raises IntegrityError (the ledger).
    """
    if not found.terms and not found.missing:
        return []
    gone = withdrawn(ledger)
    reasons = [
        f"derived from {name}: withdrawn at {gone[name]} (ledger)"
        for name in sorted(found.terms & gone.keys())
    ]
    if left := found.terms - gone.keys():
        standing = terms_of(left, root)
        for use in ("augment", "train"):
            reasons += [f"derived from {reason}" for reason in standing.refusals(use, on)]
    if found.missing:
        reasons.append(
            f"{len(found.missing)} rows that others are derived from are not here (such as {min(found.missing)}): "
            "their terms are unknown"
        )
    return list(dict.fromkeys(reasons))
