"""A synthetic corpus, written: rows of each task in turn, measured, and its figures in the manifest."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from evalgate.corpus.diversity import Diversity, Measuring
from evalgate.corpus.example import Example, decode, encode
from evalgate.corpus.manifest import Manifest
from evalgate.corpus.rewriting import Rewriter, Rewritten, blocks
from evalgate.corpus.synthesis import Maker, make, rows_of
from evalgate.corpus.verifying import terms_of
from evalgate.corpus.writer import Writer
from evalgate.errors import InfrastructureError
from evalgate.records import Record

_TERM_ROWS = 400

Told = Callable[[str, int, int], None]
"""Called with (task, rows so far, rows in all)."""


class Made(Record, kw_only=True):
    """What is told of one task: how many draws repeated an earlier row, what a model did, how varied the rows are."""

    redrawn: int
    rewritten: Rewritten | None
    diversity: Diversity


def write_made(
    writer: Writer,
    makers: Iterable[Maker],
    rows: Mapping[str, int],
    *,
    seed: int,
    processes: int = 1,
    rewriter: Rewriter | None = None,
    share: float = 0.0,
    told: Told | None = None,
) -> None:
    """Writes the rows of every maker, with the `share` of them that `rewriter` tells in other words and keeps.

    Raises what `rows_of`, `Rewriter.retell` and `Writer.add` raise, InfrastructureError (EG897).
    """
    redrawn: Counter[str] = Counter()
    for maker in makers:
        count = rows[maker.task]
        made = rows_of(maker, count, seed=seed, processes=processes, redrawn=redrawn)
        stream = _retold(made, rewriter, share) if rewriter else made
        found = _written(writer, _watched(stream, maker.task, count, told))
        _note(writer, maker.task, redrawn[maker.task], rewriter, found[maker.task])


def write_derived(writer: Writer, examples: Iterator[Example], rewriter: Rewriter) -> None:
    """Writes rows of whatever tasks in the order in which they come.

    Raises what `examples` and `Writer.add` raise, InfrastructureError (EG897).
    """
    for task, diversity in sorted(_written(writer, examples).items()):
        _note(writer, task, 0, rewriter, diversity)


def figures_of(manifest: Manifest) -> dict[str, Made]:
    """The figures of each task of a corpus that was made here. Raises msgspec.ValidationError for any other."""
    return msgspec.convert(manifest.figures, dict[str, Made])


def clinical_terms() -> frozenset[str]:
    """The diagnoses, procedures and medicines of the first 400 made claim narratives of seed 0, in lower case."""
    module = "evalgate.corpus.making.claim_entities"
    made = (make(module, "claim_entities", 0, index, 0) for index in range(_TERM_ROWS))
    return terms_of([one.expected for one in made])


def _retold(rows: Iterator[Example], rewriter: Rewriter, share: float) -> Iterator[Example]:
    """The rows, those told in other words in the place of their sources; a source whose rewriting is dropped stays."""
    for block in blocks(rows):
        chosen = [example for example in block if rewriter.chooses(example, share)]
        new = {e.id: n for e, n in zip(chosen, rewriter.retell(chosen), strict=True) if n}
        yield from (new.get(example.id, example) for example in block)


def _watched(
    rows: Iterator[Example], task: str, count: int, told: Told | None
) -> Iterator[Example]:
    for done, example in enumerate(rows, 1):
        if told:
            told(task, done, count)
        yield example


def _written(writer: Writer, rows: Iterator[Example]) -> dict[str, Diversity]:
    """Writes the rows, and measures those of each task.

    They lie in a file without a name, which goes with this process whatever ends it, until all are there to be compared.
    """
    measuring: dict[str, Measuring] = {}
    with _spool(writer.path) as spool:
        for example in rows:
            measuring.setdefault(example.task, Measuring()).add(example)
            spool.write(encode(example) + b"\n")
        spool.seek(0)
        for example in map(decode, spool):
            measuring[example.task].compare(example)
            writer.add(example)
    return {task: measured.result() for task, measured in measuring.items()}


@contextmanager
def _spool(corpus: Path) -> Iterator[IO[bytes]]:
    """A file without a name on the disk that the corpus will be on. Raises InfrastructureError (EG897)."""
    try:
        with tempfile.TemporaryFile(dir=corpus.parent) as spool:
            yield spool
    except OSError as e:  # when the file is closed, too: what is in memory is written then
        raise InfrastructureError(
            f"found that rows cannot be put aside there ({e.strerror or type(e).__name__}), expected room for the corpus "
            "twice over while it is made. Nothing is left; make room and start again.",
            where=str(corpus.parent),
            code="EG897",
        ) from None


def _note(
    writer: Writer, task: str, redrawn: int, rewriter: Rewriter | None, diversity: Diversity
) -> None:
    figures = Made(
        redrawn=redrawn,
        rewritten=rewriter.figures(task) if rewriter else None,
        diversity=diversity,
    )
    writer.figures[task] = msgspec.to_builtins(figures)
