"""CSV and TSV: a header, then one row per item. The delimiter is the one that makes the asked-for columns appear."""

from __future__ import annotations

import csv
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
                reader = csv.reader(file, delimiter=delimiter, strict=True)
                header = [cell.strip() for cell in next(reader)]
                yield from _records(reader, header, name, stem, options.columns)
        except OSError as error:
            raise unreadable(name, error) from None


def _records(reader: Any, header: list[str], name: str, stem: str, columns: Columns) -> Rows:
    number = 0
    while True:
        number += 1
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # the reader goes on with the next line
            yield left(QUOTE, _place(name, line, reader.line_num))
            continue
        except (
            UnicodeError
        ):  # an encoding that cannot skip bytes, such as UTF-16: nothing behind them can be read
            yield left(NOT_TEXT, f"{name}:{line}-end")
            return
        place = _place(name, line, reader.line_num)
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
