"""Rows that may name people, set apart: two new corpora from one source, which stays as it is. Nothing is blacked out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from evalgate import digest
from evalgate.corpus.example import Example
from evalgate.corpus.files import load_manifest, rows
from evalgate.corpus.phi.scanner import Scanner
from evalgate.corpus.writer import Writer, check_new, to_disk, writable
from evalgate.records import Record

CLEAN, HELD = "clean", "held"
"""The names of the two corpora."""


class Apart(Record, kw_only=True):
    """How many rows went where. A corpus without rows is not written."""

    clean: int
    held: int


def set_apart(source: Path, directory: Path, scanner: Scanner) -> Apart:
    """Writes the rows of `source` (.jsonl, .parquet or a corpus) that hit to `directory`/held and the others to `directory`/clean.

    `directory` is there as a whole afterwards or not at all; only its owner may read it. Every row lies in exactly one of
    the two, as it was. Raises what `corpus.files.rows` and `corpus.writer.Writer` raise.
    """
    check_new(directory)
    hidden = directory.with_name(f".{directory.name}.setting-apart")
    counts = {CLEAN: 0, HELD: 0}
    with writable(directory):
        shutil.rmtree(hidden, ignore_errors=True)  # what a killed one left
        hidden.mkdir(mode=0o700, parents=True)
    try:
        with ExitStack() as stack:
            writers: dict[str, Writer] = {}
            for row, side in _sides(source, scanner):
                if side not in writers:
                    made_from = {"source": _digest(source), "scanner": scanner.digest, "side": side}
                    writer = Writer(
                        hidden, side, command="data phi --quarantine", arguments=made_from
                    )
                    writers[side] = stack.enter_context(writer)
                writers[side].add(row)
                counts[side] += 1
        with writable(directory):
            for lock in hidden.glob(".*.lock"):
                lock.unlink()
            hidden.rename(directory)
            to_disk(directory.parent)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return Apart(clean=counts[CLEAN], held=counts[HELD])


def _sides(source: Path, scanner: Scanner) -> Iterator[tuple[Example, str]]:
    for row in rows(source, strict=False):
        hit = next(scanner.scan_rows([row]), None)
        yield row, CLEAN if hit is None else HELD


def _digest(source: Path) -> str:
    return load_manifest(source).digest if source.is_dir() else digest.of_file(source)
