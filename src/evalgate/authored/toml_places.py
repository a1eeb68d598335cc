"""Where every key and value of a TOML text stands.

`tomllib` gives values without places and tomlkit keeps none either, so this scanner walks the text a second time. It only
runs on text that tomllib has read, or to find the two places of a key given twice; on text it cannot walk it stops quietly
and the places found so far stand.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Keys from the top of the file; an int is an index into an array."""

Place = tuple[int, int]
"""Line and column, both from 1; (0, 0) = unknown."""

NOWHERE: Place = (0, 0)

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'),
    re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}"),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


class Places:
    """Places of keys and of values by path, and the keys given twice as (path, first place, second place)."""

    def __init__(self) -> None:
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.repeats: list[tuple[Path, Place, Place]] = []

    def key(self, path: Path) -> Place:
        """Place of the key at `path`, or of the nearest table around it that has one."""
        while path:
            if path in self.keys:
                return self.keys[path]
            path = path[:-1]
        return NOWHERE

    def value(self, path: Path) -> Place:
        """Place of the value at `path`; a table written as `[header]` has only a key."""
        return self.values.get(path) or self.key(path)


def scan(text: str) -> Places:
    """Places of every key and value of `text`, which has Unix line ends. Never raises on text of any kind."""
    scanner = _Scanner(text)
    with contextlib.suppress(_LostError, RecursionError):
        scanner.document()
    return scanner.places


class _LostError(Exception):
    """The text is not TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places = Places()
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._written: set[Path] = set()
        self._arrays: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        opening, closing = ("[[", "]]") if self.text.startswith("[[", self.at) else ("[", "]")
        self.at += len(opening)
        parts = self._key()
        self._expect(closing)
        path: Path = ()
        for name, offset in parts[:-1]:
            path = self._inside(path, name)
            self._note((*path,), offset, written=False)
        name, offset = parts[-1]
        path = (*path, name)
        if opening == "[":
            self._note(path, offset, written=True)
            return path
        count = self._arrays.get(path, 0)
        self._arrays[path] = count + 1
        self._note(path, offset, written=False)
        path = (*path, count)
        self._note(path, offset, written=True)
        return path

    def _inside(self, path: Path, name: str) -> Path:
        path = (*path, name)
        return (*path, self._arrays[path] - 1) if path in self._arrays else path

    def _pair(self, table: Path) -> None:
        parts = self._key()
        self._expect("=")
        path = table
        for name, offset in parts:
            path = (*path, name)
            self._note(path, offset, written=len(path) == len(table) + len(parts))
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[tuple[str, int]]:
        """The parts of a dotted key with their offsets."""
        parts = []
        while True:
            self._skip(_SPACE)
            offset = self.at
            quoted = next((m for s in _STRINGS[2:] if (m := s.match(self.text, self.at))), None)
            bare = _BARE_KEY.match(self.text, self.at)
            if quoted:
                parts.append((_unquote(quoted[0]), offset))
                self.at = quoted.end()
            elif bare:
                parts.append((bare[0], offset))
                self.at = bare.end()
            else:
                raise _LostError
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _value(self, path: Path) -> None:
        self.places.values.setdefault(path, self._place(self.at))
        if self.text.startswith("{", self.at):
            self._inline_table(path)
            return
        if self.text.startswith("[", self.at):
            self._array(path)
            return
        string = next((m for s in _STRINGS if (m := s.match(self.text, self.at))), None)
        value = string or _BARE_VALUE.match(self.text, self.at)
        if not value:
            raise _LostError
        self.at = value.end()

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        self._skip(_BLANK)
        while not self.text.startswith("}", self.at):
            self._pair(path)
            self._skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_BLANK)
            elif not self.text.startswith("}", self.at):
                raise _LostError
        self.at += 1

    def _array(self, path: Path) -> None:
        self.at += 1
        self._skip(_BLANK)
        index = 0
        while not self.text.startswith("]", self.at):
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_BLANK)
            elif not self.text.startswith("]", self.at):
                raise _LostError
        self.at += 1

    def _note(self, path: Path, offset: int, *, written: bool) -> None:
        """Remember a key. A key that is only passed through (`a` in `a.b = 1`) may come again."""
        place = self._place(offset)
        if written:
            if path in self._written:
                self.places.repeats.append((path, self.places.keys[path], place))
                return
            self._written.add(path)
            self.places.keys[path] = place
        else:
            self.places.keys.setdefault(path, place)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()

    def _expect(self, sign: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(sign, self.at):
            raise _LostError
        self.at += len(sign)

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def _unquote(raw: str) -> str:
    if "\\" not in raw or raw.startswith("'"):
        return raw[1:-1]
    try:
        return str(tomllib.loads(f"key = {raw}")["key"])
    except ValueError:
        return raw[1:-1]
