"""The list that every loader writes its problems into, and the words problems are told in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from evalgate.errors import FileProblems
from evalgate.records import Problem

LONGEST_SHOWN = 60
"""Characters of a found text that a message repeats."""


class Problems:
    """The problems of any number of authored files, in the order found; the caller raises them all at once.

    Loaders only add. `raise_if_any` raises `FileProblems` (exit 2), which sorts by path, line and column.
    """

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, path: str, code: str, message: str, *, line: int = 0, column: int = 0) -> None:
        """Add one problem. `path` is relative to the project root; line and column count from 1, 0 = unknown."""
        self._found.append(Problem(path=path, code=code, message=message, line=line, column=column))

    def raise_if_any(self) -> None:
        """Raise `FileProblems` with everything found, or return."""
        if self._found:
            raise FileProblems(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<Problems n={len(self._found)}>"


def relative(path: Path, root: Path) -> str:
    """`path` as messages show it: relative to the project root where it lies inside, with forward slashes."""
    for inner, outer in ((path, root), (path.absolute(), root.absolute())):
        if inner.is_relative_to(outer):
            return inner.relative_to(outer).as_posix()
    return path.as_posix()


def read_bytes(path: Path, name: str, problems: Problems) -> bytes | None:
    """The bytes of a file, or None with one problem (EG101)."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        problems.add(name, "EG101", unreadable(error))
        return None


def unreadable(error: OSError | ValueError) -> str:
    """The message of EG101 for what the operating system said."""
    if isinstance(error, FileNotFoundError):
        return "found no such file, expected one here. Create it or correct the path."
    if isinstance(error, IsADirectoryError):
        return "found a directory, expected a file. Correct the path."
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "an unusable path"
    return f"found {reason.lower()}, expected a readable file. Correct its path or its permissions."


def decode_text(data: bytes, name: str, problems: Problems) -> str | None:
    """The text of a file with Unix line ends, or None with one problem (EG102)."""
    if data.startswith(b"\xef\xbb\xbf"):
        problems.add(name, "EG102", BOM_FOUND, line=1, column=1)
        return None
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode(errors="replace")) + 1
        problems.add(name, "EG102", not_utf8(data[error.start]), line=line, column=column)
        return None


BOM_FOUND = "found a byte order mark, expected plain UTF-8. Save the file as UTF-8 without BOM."


def not_utf8(byte: int) -> str:
    """The message of EG102 for the first byte that is not UTF-8."""
    return f"found the byte 0x{byte:02x}, expected UTF-8. Save the file as UTF-8."


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name` (case aside), or None when nothing is like it."""
    import difflib

    by_folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean `x`?` with a space before it, or nothing."""
    close = nearest_name(name, known)
    return f" Did you mean `{close}`?" if close is not None else ""


def listing(names: Iterable[str], *, at_most: int = 20) -> str:
    """Names in order, separated by commas, shortened with a count; `none` when there are none."""
    every = sorted(names)
    if not every:
        return "none"
    shown = ", ".join(every[:at_most])
    return shown if len(every) <= at_most else f"{shown} and {len(every) - at_most} more"


def count(n: int, noun: str) -> str:
    """`1 unit`, `2 units`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def describe(value: Any) -> str:
    """What a message says was found: type and, for scalars, the value. Never used on gold items."""
    if isinstance(value, bool):
        found = "true" if value else "false"
    elif isinstance(value, str):
        clipped = value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "…"
        found = f"the text {msgspec.json.encode(clipped).decode()}"
    elif isinstance(value, float):
        found = f"{value:g}"
    elif isinstance(value, int):
        found = clip_number(value)
    elif isinstance(value, dt.date | dt.time):
        found = "a date or time"
    else:
        found = "a table" if isinstance(value, dict) else "a list"
    return found


def clip_number(value: int) -> str:
    """An integer as text; a huge one (TOML allows them) as its size only."""
    return str(value) if value.bit_length() <= 128 else f"an integer of {value.bit_length()} bits"
