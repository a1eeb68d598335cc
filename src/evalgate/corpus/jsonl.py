"""Rows of JSON lines: read in pieces, so that no line is held that is longer than any row can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from evalgate.authored.gold_lines import MOST_LISTED, LineProblems
from evalgate.authored.problems import BOM_FOUND, count, not_utf8
from evalgate.corpus.example import Example
from evalgate.corpus.row import Read, explained, fault_of

LONGEST_LINE: Final = 16 << 20
_CHUNK: Final = 1 << 18
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_lines(
    path: Path, read: Read, found: LineProblems, update: Callable[[bytes], None] | None = None
) -> Iterator[tuple[int, Example]]:
    """(line, row) of every good row in order; what is wrong with the others is noted (EG102, EG821 to EG823).

    `update` sees all bytes (for a digest). Blank lines at the end are tolerated. Raises OSError.
    """
    windows = 0
    with path.open("rb", buffering=_CHUNK) as file:
        for number, line in _usable(_lines(file, update), found):
            windows += line.endswith(b"\r\n")
            try:
                row = read(line)
                fault = fault_of(row)
            except (ValueError, RecursionError) as error:
                fault = _explained(error, line)
            if fault is None:
                yield number, row
            else:
                found.add(*fault, number)
    if windows:
        message = f"found Windows line ends (CRLF) on {count(windows, 'line')}, expected Unix ones. Save the file with LF, as UTF-8."
        found.add("EG821", message)


def _usable(lines: Iterator[bytes], found: LineProblems) -> Iterator[tuple[int, bytes]]:
    """(number, line) of those lines that can hold a row."""
    blank: list[int] = []
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith((b"\xef\xbb\xbf", *_UTF16)):
            found.add("EG102", BOM_FOUND, 1)
            if line.startswith(_UTF16):  # no line of it can be read
                for _ in lines:
                    pass
                return
        elif line.isspace():
            if len(blank) < MOST_LISTED:
                blank.append(number)
            continue
        elif len(line) >= LONGEST_LINE:
            found.add("EG821", "found a line of 16 MiB or more, expected one row a line. Split or shorten it.", number)  # fmt: skip
        else:
            yield number, line
        for empty in blank:  # those at the end do no harm
            found.add("EG821", "found a blank line, expected a row on every line. Remove it.", empty)  # fmt: skip
        blank.clear()


def _lines(file: BinaryIO, update: Callable[[bytes], None] | None) -> Iterator[bytes]:
    """Every line with its end; of one that is too long the first LONGEST_LINE bytes, then its rest is passed over."""
    for line in iter(partial(file.readline, LONGEST_LINE), b""):
        if update is not None:
            update(line)
        yield line
        if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
            for piece in iter(partial(file.readline, _CHUNK), b""):
                if update is not None:
                    update(piece)
                if piece.endswith(b"\n"):
                    break


def _explained(error: Exception, line: bytes) -> tuple[str, str]:
    try:
        line.decode()
    except UnicodeDecodeError as fault:
        return "EG102", not_utf8(line[fault.start])
    return explained(error, line)
