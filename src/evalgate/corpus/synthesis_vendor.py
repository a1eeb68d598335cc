"""Rows derived from somebody else's: told in other words by a model, with the terms, unit and documents of their parent."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec

from evalgate.authored.terms import terms_of
from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.files import rows
from evalgate.corpus.manifest import Manifest, verify
from evalgate.corpus.rewriting import PROMPT, Rewriter, blocks, source_of
from evalgate.errors import Refused, UsageError


def admitted(corpus: Path, root: Path, *, on: dt.date) -> Manifest:
    """The manifest of a corpus of which every row may have descendants.

    Raises Refused (EG895) if the terms of one of them do not allow it, UsageError (EG820), IntegrityError (EG826).
    """
    manifest = verify(corpus)
    ids = {name for task in manifest.tasks.values() for name in task.terms}
    refusals = terms_of(ids, root).refusals("augment", on)
    if refusals:
        raise Refused(
            f"found terms that do not allow rows to be derived ({'; '.join(refusals)}), expected may_augment = true for all "
            "of them. Ask whoever read the contract; unknown means no.",
            where=corpus.name,
            code="EG895",
        )
    return manifest


def derived(corpus: Path, count: int, *, seed: int, rewriter: Rewriter) -> Iterator[Example]:
    """What is kept of `count` rewritings of the rows of `corpus`, each row in turn, and again in other words.

    Raises UsageError (EG896) if no row has a text whose facts code can look for.
    """
    for block in blocks(itertools.islice(_children(corpus, seed), count)):
        yield from (example for example in rewriter.retell(block) if example is not None)


def _children(corpus: Path, seed: int) -> Iterator[Example]:
    for turn in itertools.count():
        found = False
        for row in rows(corpus, strict=True):
            if source_of(row) is None:
                continue
            found = True
            yield msgspec.structs.replace(
                row,
                id=f"{row.id}.r{seed}.{turn}",
                unit=row.unit or row.id,
                parents=(row.id,),
                source="",
                made_by=MadeBy(template=f"retold@{PROMPT}", seed=seed, seeds={"turn": str(turn)}),
                checks={},
            )
        if not found:
            raise UsageError(
                "found no row that can be told in other words, expected rows with input and expected, and a fact in them. "
                "Rows of which code knows no fact cannot be checked, so they have no descendants.",
                where=corpus.name,
                code="EG896",
            )
