"""A corpus on disk, written: whole or not at all, whatever ends the writing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from array import array
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from evalgate import digest
from evalgate.authored.gold_lines import LineProblems
from evalgate.authored.problems import Problems
from evalgate.corpus.example import Example, encode
from evalgate.corpus.ids import Ids
from evalgate.corpus.jsonl import LONGEST_LINE, read_lines
from evalgate.corpus.manifest import MANIFEST, MadeWith, Manifest, Part, TaskRows, sealed
from evalgate.corpus.parquet import ParquetPart, read_parquet
from evalgate.corpus.row import NOT_FINITE, Fault, fault_of, finite, read_strict
from evalgate.errors import InfrastructureError, UsageError
from evalgate.files import PRIVATE, held, write_new

PART_ROWS: Final = 100_000
MIXTURES: Final = "mixtures"
"""Beside the corpora, and so no name of one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

Form = Literal["jsonl", "parquet"]


class Writer:
    """Writes the corpus `directory`/NAME: a context manager with `add`. It is there as a whole after it, or nothing is.

    Parts are written in a hidden directory beside it, which is renamed at the end; what a killed writer left there is
    removed by the next of that name. `command` and `arguments` go into the manifest: what was asked for, as far as it can
    change a row. `figures` may be filled until the end: what the maker measured. After the block `manifest` is there.

    Raises UsageError (EG820: no rows, EG827: the name, EG829), FileProblems (EG822 to EG825), InfrastructureError (EG828).
    """

    manifest: Manifest

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        form: Form = "jsonl",
    ) -> None:
        check_name(name, directory)
        self.path = directory / name
        self.figures: dict[str, Any] = {}
        self._made_with = MadeWith(command=command, arguments=dict(arguments or {}))
        self._form: Form = form
        self._hidden = directory / f".{name}.writing"
        self._stack = ExitStack()
        self._part: _JsonlPart | ParquetPart | None = None
        self._parts: list[Part] = []
        self._in_part = 0
        self._ids = Ids()
        self._texts = array("q")
        self._tasks: dict[str, _Count] = {}

    def __enter__(self) -> Self:
        with writable(self.path):
            self._stack.enter_context(held(self.path.parent / f".{self.path.name}.lock"))
        try:
            check_new(self.path)
            with writable(self.path):
                if self._hidden.exists():
                    shutil.rmtree(self._hidden)
                self._hidden.mkdir(mode=0o700)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._part is not None:
                with contextlib.suppress(Exception):  # a full disk, which is told already
                    self._part.drop()
            shutil.rmtree(self._hidden, ignore_errors=True)
            self._stack.close()

    def add(self, example: Example) -> None:
        """Writes one row. Raises FileProblems (EG822, EG823), InfrastructureError (EG828), UsageError (EG829)."""
        line, fault = _line_of(example)
        if fault is not None:
            problems = Problems()
            problems.add(str(self.path), *fault, line=len(self._ids) + 1)
            problems.raise_if_any()
        with writable(self.path):
            if self._part is None:
                self._part = self._new_part()
            self._part.write(example, line)
        self._in_part += 1
        self._ids.add(example)
        self._texts.append(hash(example.text))
        self._tasks.setdefault(example.task, _Count()).add(example)
        if self._in_part == PART_ROWS:
            self._end_part()

    def _new_part(self) -> _JsonlPart | ParquetPart:
        path = self._hidden / f"part-{len(self._parts):05d}.{self._form}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
        return ParquetPart(path) if self._form == "parquet" else _JsonlPart(path)

    def _end_part(self) -> None:
        if self._part is None:
            return
        path = self._part.path
        with writable(self.path):
            self._part.close()
            self._part = None
            to_disk(path)
            found = digest.of_file(path)
        self._parts.append(Part(file=path.name, rows=self._in_part, digest=found))
        self._in_part = 0

    def _finish(self) -> None:
        self._end_part()
        if not self._parts:
            raise UsageError(
                "found no rows to write, expected at least one. An empty corpus teaches nothing: see what should be in it.",
                where=str(self.path),
                code="EG820",
            )
        problems = Problems()
        found = LineProblems(str(self.path), problems)
        self._ids.check(self._again, found)
        found.close()
        problems.raise_if_any()
        self.manifest = sealed(
            Manifest(
                name=self.path.name,
                rows=len(self._ids),
                files=tuple(self._parts),
                tasks={task: self._tasks[task].record for task in sorted(self._tasks)},
                duplicates=_repeats(self._texts),
                made_with=self._made_with,
                figures=self.figures,
            )
        )
        with writable(self.path):
            write_new(self._hidden / MANIFEST, digest.canonical(self.manifest) + b"\n")
            to_disk(self._hidden)
            self._hidden.rename(self.path)
            to_disk(self.path.parent)

    def _again(self) -> Iterator[tuple[str, int, Example]]:
        number = 0
        quiet = LineProblems(str(self.path), Problems())
        for part in self._parts:
            path = self._hidden / part.file
            table = self._form == "parquet"
            again = read_parquet(path, strict=True, found=quiet) if table else read_lines(path, read_strict, quiet)  # fmt: skip
            for _, row in again:
                number += 1
                yield "", number, row


def _repeats(hashes: array[int]) -> int:
    """How many of these come again; a set of millions would take ten times the memory."""
    import numpy as np

    ordered = np.sort(np.frombuffer(hashes, dtype=np.int64))
    return int((ordered[1:] == ordered[:-1]).sum())


class _Count:
    """Rows of one task so far."""

    def __init__(self) -> None:
        self.rows = self.synthetic = 0
        self.terms: dict[str, int] = {}

    def add(self, example: Example) -> None:
        self.rows += 1
        self.synthetic += example.made_by is not None
        self.terms[example.terms] = self.terms.get(example.terms, 0) + 1

    @property
    def record(self) -> TaskRows:
        return TaskRows(rows=self.rows, synthetic=self.synthetic, terms=self.terms)


class _JsonlPart:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb", buffering=1 << 18)

    def write(self, example: Example, line: bytes) -> None:
        del example
        self._file.write(line)

    def close(self) -> None:
        self._file.close()

    drop = close


def _line_of(example: Example) -> tuple[bytes, Fault | None]:
    """The line of a row and what is wrong with it."""
    fault = fault_of(example)
    if fault is None and not (finite(example.expected) and finite(example.input)):
        fault = NOT_FINITE
    try:
        line = encode(example) + b"\n"
    except UnicodeEncodeError:
        return b"", ("EG822", "found half of a surrogate pair, expected text that UTF-8 can hold. Correct it.")  # fmt: skip
    if fault is None and len(line) >= LONGEST_LINE:
        fault = "EG822", "found a row of more than 16 MiB, expected a conversation. Split or shorten it."  # fmt: skip
    return line, fault


def check_name(name: str, where: Path) -> None:
    """Returns if a corpus or a mixture may have this name. Raises UsageError (EG827)."""
    if not _NAME.fullmatch(name) or name == MIXTURES:
        raise UsageError(
            f"found the name {name[:60]!r}, expected letters, digits, - _ and dots, a letter or digit first, and not {MIXTURES!r}. Choose another.",
            where=str(where),
            code="EG827",
        )


def check_new(path: Path) -> None:
    """Returns if nothing is at `path` yet. Raises UsageError (EG827)."""
    if path.exists():
        raise UsageError(
            "found something of this name, expected a new one. Choose another, or remove it.",
            where=str(path),
            code="EG827",
        )


def to_disk(path: Path) -> None:
    """Waits until a file or the names of a directory are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """What the disk refuses, as InfrastructureError (EG828)."""
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"found that it cannot be written ({error.strerror or type(error).__name__}), expected room and permission. Nothing is left; make room and start again.",
            where=str(path),
            code="EG828",
        ) from error
