"""JSON lines, one object a line; or a file with one JSON list of objects, which is read whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from evalgate.authored.imports.rows import (
    EMPTY,
    MALFORMED,
    NOT_TEXT,
    TOO_LONG,
    Columns,
    Options,
    Row,
    Rows,
    left,
)
from evalgate.authored.imports.sources import files_of, unreadable
from evalgate.authored.imports.table import row_of

LONGEST_LINE: Final = 16 << 20

_BOM: Final = b"\xef\xbb\xbf"


def read_jsonl(source: Path, options: Options) -> Rows:
    """One row per line (or element). Raises UsageError (EG175)."""
    files, notes = files_of(source, (".jsonl", ".ndjson", ".json"), "jsonl")
    yield from notes
    for name, path in files:
        stem = name.removesuffix(path.suffix)
        try:
            if _is_list(path):
                yield from _elements(path, name, stem, options.columns)
            else:
                yield from _lines(path, name, stem, options.columns)
        except OSError as error:
            raise unreadable(name, error) from None


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1 << 12).removeprefix(_BOM).lstrip().startswith(b"[")


def _lines(path: Path, name: str, stem: str, columns: Columns) -> Rows:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            place = f"{name}:{number}"
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield left(TOO_LONG, place)
                continue
            line = line.removeprefix(_BOM) if number == 1 else line
            yield _decoded(line, columns, place, f"{stem}-{number}")


def _decoded(line: bytes, columns: Columns, place: str, number_id: str) -> Row:
    if not line.strip():
        return left(EMPTY, place)
    try:
        line.decode()
    except UnicodeDecodeError:
        return left(NOT_TEXT, place)
    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return left(MALFORMED, place)
    return _row(value, columns, place, number_id)


def _elements(path: Path, name: str, stem: str, columns: Columns) -> Rows:
    data = path.read_bytes().removeprefix(_BOM)
    try:
        values = msgspec.json.decode(data, type=list[Any])
    except (ValueError, RecursionError):
        yield left(MALFORMED, name)
        return
    for number, value in enumerate(values, start=1):
        yield _row(value, columns, f"{name}[{number}]", f"{stem}-{number}")


def _row(value: Any, columns: Columns, place: str, number_id: str) -> Row:
    if not isinstance(value, dict):
        return left(MALFORMED, place)
    return row_of(value, columns, place, number_id)
