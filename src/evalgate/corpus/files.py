"""Training data on disk, read: the rows of a file or a corpus as a stream, every problem of it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from evalgate import digest
from evalgate.authored.gold_lines import LineProblems
from evalgate.authored.problems import Problems, count, unreadable
from evalgate.corpus.example import Example
from evalgate.corpus.ids import Ids
from evalgate.corpus.jsonl import read_lines
from evalgate.corpus.manifest import Manifest, changed, load_manifest, verify
from evalgate.corpus.parquet import read_parquet
from evalgate.corpus.row import read_outside, read_strict
from evalgate.corpus.writer import Writer
from evalgate.errors import UsageError

__all__ = ["Manifest", "Writer", "load_manifest", "rows", "verify"]


def rows(path: Path, *, strict: bool) -> Iterator[Example]:
    """The rows of a .jsonl or .parquet file or of a corpus, in order, as a stream.

    `strict`: the exact form of a corpus; else the outside form, in which unknown keys are ignored. A corpus is read
    strictly and its bytes must be the recorded ones. After the first problem no row comes any more: the rest is read for
    its problems, and all are raised at the end, as are ids given twice and circular parents. So whoever keeps what was
    yielded must be ready to throw it away. Raises FileProblems (EG101, EG102, EG158, EG820 to EG825), UsageError (EG820,
    EG829), IntegrityError (EG826).
    """
    problems = Problems()
    found = LineProblems(str(path), problems)
    ids = Ids()
    for _, _, row in _read(path, strict=strict, found=found):
        ids.add(row)
        if not found.count:
            yield row
    if not len(ids) and not found.count:
        found.add("EG820", "found no rows, expected at least one. An empty source teaches nothing: see what should be in it.")  # fmt: skip
    quiet = LineProblems(str(path), Problems())
    ids.check(lambda: _read(path, strict=strict, found=quiet), found)
    found.close()
    problems.raise_if_any()


def _read(path: Path, *, strict: bool, found: LineProblems) -> Iterator[tuple[str, int, Example]]:
    """(part, line, row): part is "" for a single file."""
    if path.is_dir():
        yield from _read_corpus(path)
        return
    try:
        if path.suffix == ".parquet":
            numbered = read_parquet(path, strict=strict, found=found)
        elif path.suffix == ".jsonl":
            numbered = read_lines(path, read_strict if strict else read_outside, found)
        else:
            raise UsageError(
                f"found {'another kind of file' if path.exists() else 'nothing'}, expected FILE.jsonl, FILE.parquet or the directory of a corpus. Correct the path.",
                where=str(path),
                code="EG820",
            )
        for number, row in numbered:
            yield "", number, row
    except (OSError, ValueError) as error:
        found.add("EG101", unreadable(error))


def _read_corpus(directory: Path) -> Iterator[tuple[str, int, Example]]:
    """What has other bytes than recorded is that and nothing else, whatever is wrong with its rows."""
    for part in load_manifest(directory).files:
        path = directory / part.file
        problems = Problems()
        found = LineProblems(str(path), problems)
        seen = 0
        state = hashlib.sha256()
        try:
            if path.suffix == ".parquet":
                before = digest.of_file(path)
                numbered = read_parquet(path, strict=True, found=found)
            else:
                before = ""
                numbered = read_lines(path, read_strict, found, state.update)
            for number, row in numbered:
                seen += 1
                if not found.count:
                    yield part.file, number, row
        except OSError as error:
            raise changed(path, f"no readable file ({error.strerror})") from None
        if (before or "sha256:" + state.hexdigest()) != part.digest:
            raise changed(path, "other bytes than were written")
        found.close()
        problems.raise_if_any()
        if seen != part.rows:
            raise changed(path, f"{count(seen, 'row')} where {part.rows} are recorded")
