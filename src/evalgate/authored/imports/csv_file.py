"""CSV and TSV: a header, then one row per item. The delimiter is the one that makes the asked-for columns appear."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from evalgate.authored.imports.rows import (
    CELLS,
    EMPTY,
    NOT_TEXT,
    QUOTE,
    Columns,
    Options,
    Rows,
    is_text,
    left,
)
from evalgate.authored.imports.sources import files_of, unreadable
from evalgate.authored.imports.table import row_of
from evalgate.authored.problems import Problems, nearest

DELIMITERS: Final = (",", ";", "\t", "|")
LONGEST_CELL: Final = 16 << 20


def read_csv(source: Path, options: Options) -> Rows:
    """One row per record. Raises UsageError (EG175), FileProblems (EG178: every missing column of every file)."""
    # The module's own limit, 131072 characters, is less than a long history. It is global to the process; only raised.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    files, notes = files_of(source, (".csv", ".tsv"), "csv")
    yield from notes
    problems = Problems()
    delimiters = [_delimiter(name, path, options, problems) for name, path in files]
    problems.raise_if_any()
    for (name, path), delimiter in zip(files, delimiters, strict=True):
        stem = name.removesuffix(path.suffix)
        try:
            with _open(path, options) as file:
                yield from _records(_Lines(file), delimiter, name, stem, options.columns)
        except OSError as error:
            raise unreadable(name, error) from None


class _Lines(Iterator[str]):
    """The lines of a file as its records are read, so that a record that turns out wrong can be begun again behind its first line."""

    def __init__(self, file: Iterator[str]) -> None:
        self.number = 0
        """Of the line read last, from 1."""
        self._file = file
        # kept: lines to be read again, those of the record, and up to which line no record may go on
        self._given_back: deque[str] = deque()
        self._record: list[str] = []
        self._alone_before = 0

    def __next__(self) -> str:
        if self._record and self.number < self._alone_before:
            raise StopIteration
        line = self._given_back.popleft() if self._given_back else next(self._file)
        self.number += 1
        self._record.append(line)
        return line

    def begin(self) -> int:
        """Begin a record; returns the number of its first line."""
        self._record = []
        return self.number + 1

    def back(self) -> None:
        """Give back all lines of this record but the first.

        Those before the last one, where it went wrong, are then read one by one (a cell of several lines among them would
        have gone wrong sooner), so that no line is read more than three times, however many quotes are wrong.
        """
        first, *others = self._record
        self._given_back.extendleft(reversed(others))
        self._alone_before = max(self._alone_before, self.number)
        self.number -= len(others)
        self._record = [first]


def _records(lines: _Lines, delimiter: str, name: str, stem: str, columns: Columns) -> Rows:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = [cell.strip() for cell in next(reader)]
    number = 0
    while True:
        number += 1
        first = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            lines.back()  # where the cell should have ended is not known: its first line alone is left out
            yield left(QUOTE, _place(name, first, first))
            continue
        except UnicodeError:
            # an encoding that cannot skip bytes, such as UTF-16: nothing behind them can be read
            yield left(NOT_TEXT, f"{name}:{first}-end")
            return
        place = _place(name, first, lines.number)
        if not any(cell.strip() for cell in cells):
            yield left(EMPTY, place)
        elif not is_text("".join(cells)):
            yield left(NOT_TEXT, place)
        elif len(cells) != len(header):
            yield left(CELLS, place)
        else:
            values = dict(zip(header, cells, strict=True))
            yield row_of(values, columns, place, f"{stem}-{number}")


def _place(name: str, first: int, last: int) -> str:
    return f"{name}:{first}" if last <= first else f"{name}:{first}-{last}"


def _open(path: Path, options: Options) -> Any:
    encoding = "utf-8-sig" if options.encoding == "utf-8" else options.encoding
    return path.open(encoding=encoding, errors="surrogateescape", newline="")


def _delimiter(name: str, path: Path, options: Options, problems: Problems) -> str:
    """The delimiter under which the header has most of the required columns; notes those that it lacks, or has twice.

    A header is never shown: a file without one begins with somebody's text.
    """
    required = options.columns.required()
    best: tuple[list[str], str] = ([], DELIMITERS[0])
    try:
        with _open(path, options) as file:
            if not file.read(1):
                problems.add(name, "EG175", "found an empty file, expected a header and rows.")
                return DELIMITERS[0]
            for delimiter in DELIMITERS:
                file.seek(0)
                try:
                    header = next(csv.reader(file, delimiter=delimiter, strict=True), [])
                except csv.Error:
                    continue
                header = [cell.strip() for cell in header]
                if _known(header, required) > _known(best[0], required):
                    best = header, delimiter
    except UnicodeError:
        message = "found a beginning that is no text in this encoding, expected a header. Name the right one with --encoding."
        problems.add(name, "EG178", message, line=1)
        return DELIMITERS[0]
    except OSError as error:
        raise unreadable(name, error) from None
    header, delimiter = best
    for column in required:
        if header.count(column) != 1:
            found = f"the column {column!r} {header.count(column)} times"
            if column not in header:
                found = f"no column {column!r}"
            advice = "Name the right one with --text-column, --expected-column and the like."
            message = f"found {found}, expected it once.{nearest(column, header)} {advice}"
            problems.add(name, "EG178", message, line=1)
    return delimiter


def _known(header: list[str], required: tuple[str, ...]) -> int:
    return sum(column in header for column in required)
