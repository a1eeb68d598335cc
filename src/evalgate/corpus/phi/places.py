"""Where texts about people lie: gold sets, runs with answers and reasons of judges, logs, reports, training rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec

from evalgate.authored.problems import unreadable
from evalgate.corpus.example import Example, decode
from evalgate.corpus.phi.finding import Finding
from evalgate.corpus.phi.scanner import Scanner
from evalgate.errors import UsageError
from evalgate.records import Record

LARGEST = 50_000_000
"""Bytes of a file, or of a line of a .jsonl or .log file, that are read at once."""

_BY_LINE = (".jsonl", ".log")
_PAGES = (".html", ".htm")
_TABLES = {".csv": ",", ".tsv": "\t"}
_LEFT_OUT = (".git", ".venv", "__pycache__")
_OF_PEOPLE = re.compile(r"(?i)patient|member|subscriber|first|last|full|birth|dob|ssn|mrn|npi|phone|fax|mail|address|zip|id$|number$")  # fmt: skip


class Place(Record, kw_only=True):
    """What was found in one line of one file. A file that is read as a whole is line 1; offsets are of its text as read."""

    file: str
    line: int
    type: str
    start: int
    end: int
    reason: str


class Looked(Record, kw_only=True):
    """What a look at files gave. `unread`: files that hold no text this project can read; nothing is known of them."""

    schema: str = "evalgate.phi/1"
    clean: bool
    files: int
    places: tuple[Place, ...]
    unread: tuple[str, ...]


def look(paths: list[Path], scanner: Scanner) -> Looked:
    """Scans files, and all files below directories; links, .git and environments are left out. Raises UsageError (EG881)."""
    places: list[Place] = []
    unread: list[str] = []
    files = 0
    for path in (file for given in paths for file in _files(given)):
        files += 1
        try:
            for line, one in _found(path, scanner):
                places.append(Place(file=str(path), line=line, **msgspec.structs.asdict(one)))
        except _Unread:
            unread.append(str(path))
        except OSError as e:
            raise UsageError(
                f"{unreadable(e)}, expected a file that can be read. Mend it or leave it out.",
                where=str(path),
                code="EG881",
            ) from None
    return Looked(clean=not places, files=files, places=tuple(places), unread=tuple(unread))


class _Unread(Exception):  # noqa: N818 (a fact about a file, told at the end)
    """No text, or too much of it at once."""


def _files(given: Path) -> Iterator[Path]:
    if given.is_file():
        yield given
        return
    if not given.is_dir():
        raise UsageError(
            "found nothing, expected a file or a directory. Correct the path.",
            where=str(given),
            code="EG881",
        )
    for path in sorted(given.rglob("*")):
        inside = path.relative_to(given).parts
        if path.is_file() and not path.is_symlink() and not set(inside).intersection(_LEFT_OUT):
            yield path


def _found(path: Path, scanner: Scanner) -> Iterator[tuple[int, Finding]]:
    if path.suffix in _BY_LINE:
        with path.open("rb") as f:
            for number, line in enumerate(iter(lambda: f.readline(LARGEST + 1), b""), 1):
                yield from ((number, one) for one in _of_line(line, scanner))
        return
    if path.stat().st_size > LARGEST:
        raise _Unread
    text = _decoded(path.read_bytes())
    if path.suffix in _TABLES:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_TABLES[path.suffix])
        head: list[str] = []
        try:
            for row in rows:
                told = (
                    "\n".join(_told(k, v) for k, v in zip(head, row, strict=False))
                    if head
                    else "\n".join(row)
                )
                yield from ((rows.line_num, one) for one in scanner.scan(told))
                head = head or row
        except csv.Error:
            raise _Unread from None
        return
    if path.suffix == ".json":
        text = _flat_json(text)
    elif path.suffix in _PAGES:
        page = _Page()
        page.feed(text)
        text = "".join(page.texts)
    yield from ((1, one) for one in scanner.scan(text))


def _of_line(line: bytes, scanner: Scanner) -> Iterator[Finding]:
    if len(line) > LARGEST:
        raise _Unread
    try:
        example: Example | None = decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        example = None
    if example is not None:  # what it declares as invented is nobody's
        yield from (one for _, one in scanner.scan_example(example))
    else:
        yield from scanner.scan(_flat_json(_decoded(line)))


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unread from None
    if "\0" in text:
        raise _Unread
    return text


def _flat_json(text: str) -> str:
    """The strings and numbers of a JSON text, a line each; the text itself if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return "\n".join(_flat("", value))


def _flat(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner, one in value.items():
            yield from _flat(inner, one)
    elif isinstance(value, list):
        for one in value:
            yield from _flat(key, one)
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield _told(key, str(value))


def _told(key: str, value: str) -> str:
    """A value, with its key before it where that may be the label that gives it away."""
    short = len(value) < 60 and "\n" not in value
    return f"{key.replace('_', ' ')}: {value}" if short and _OF_PEOPLE.search(key) else value


class _Page(HTMLParser):
    """The texts of a page, and the attributes that a reader sees or follows."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("p", "div", "tr", "li", "br", "h1", "h2", "h3", "pre", "table", "section"):
            self.texts.append("\n")
        elif tag in ("td", "th"):
            self.texts.append(" ")
        self.texts += [
            f" {value} " for name, value in attrs if value and name in ("alt", "title", "value")
        ]
