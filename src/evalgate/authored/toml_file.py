"""Reading one authored TOML file: typed access to its tables that notes every problem with its place.

A `Section` is one table. Its getters return the value, or the default after noting a problem, so that a loader reads on and
a file's problems come out all at once.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any, TypeVar

from evalgate import digest
from evalgate.authored.problems import (
    Problems,
    decode_text,
    describe,
    nearest,
    read_bytes,
    relative,
)
from evalgate.authored.toml_places import Path, Place, Places, scan

D = TypeVar("D")

_TOLD_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class TomlFile:
    """A TOML file that could be parsed: its name in messages, data, digest of its exact bytes, and places."""

    def __init__(
        self, *, name: str, data: dict[str, Any], digest: str, places: Places, problems: Problems
    ) -> None:
        self.name = name
        self.data = data
        self.digest = digest
        self.places = places
        self.problems = problems

    def add(self, code: str, message: str, place: Place) -> None:
        """Note a problem at a place."""
        self.problems.add(self.name, code, message, line=place[0], column=place[1])

    def top(self) -> Section:
        """The table of top-level keys."""
        return Section(self, self.data)


def read_toml(path: FilePath, root: FilePath, problems: Problems) -> TomlFile | None:
    """The parsed file, or None after noting why not (EG101 unreadable, EG102 not UTF-8, EG103 syntax, EG104 twice)."""
    name = relative(path, root)
    data = read_bytes(path, name, problems)
    return None if data is None else toml_of(data, name, problems)


def toml_of(data: bytes, name: str, problems: Problems) -> TomlFile | None:
    """The bytes of a file parsed, or None after noting why not (EG102, EG103, EG104)."""
    text = decode_text(data, name, problems)
    if text is None:
        return None
    try:
        parsed = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        _note_syntax(error, text, name, problems)
        return None
    return TomlFile(
        name=name,
        data=parsed,
        digest=digest.of_bytes(data),
        places=scan(text),
        problems=problems,
    )


def _note_syntax(
    error: ValueError | RecursionError, text: str, name: str, problems: Problems
) -> None:
    repeats = scan(text).repeats
    paths = {path for path, _, _ in repeats}
    for path, first, second in repeats:
        if any(path[:n] in paths for n in range(1, len(path))):
            continue  # of a table that is itself given twice
        shown = ".".join(str(p) for p in path if not isinstance(p, int))
        message = f"found `{shown}` a second time (first on line {first[0]}), expected it once. Keep one of them."
        problems.add(name, "EG104", message, line=second[0], column=second[1])
    if repeats:
        return
    if isinstance(error, RecursionError):
        reason, line, column = "values nested too deep", 0, 0
    elif not isinstance(error, tomllib.TOMLDecodeError):  # Python's limit of digits of an int
        reason, line, column = "a number of too many digits", 0, 0
    else:
        told = _TOLD_PLACE.search(str(error))
        reason = str(error)[: told.start()] if told else str(error)
        line = int(told[1]) if told and told[1] else text.count("\n") + 1
        column = int(told[2]) if told and told[2] else 0
    reason = reason[:1].lower() + reason[1:]
    message = (
        f"found a fault of syntax ({reason}), expected TOML. Correct the line or the one before it."
    )
    problems.add(name, "EG103", message, line=line, column=column)


class Section:
    """One table of a TOML file. `keys` is its path; `bracketed` how many of them its heading shows in brackets.

    `called`: what messages call it instead, for a table that its path does not tell apart.
    """

    def __init__(
        self,
        file: TomlFile,
        table: dict[str, Any],
        keys: Path = (),
        bracketed: int = 1,
        *,
        called: str = "",
    ) -> None:
        self.file = file
        self.table = table
        self.keys = keys
        self.bracketed = bracketed
        self.called = called

    def label(self, name: str | None = None) -> str:
        """How messages call this table or a key of it: `[claim_entities] recall.min`."""
        if self.called:
            return self.called if name is None else f"{self.called}.{name}"
        keys = [str(key) for key in (self.keys if name is None else (*self.keys, name))]
        inside = min(self.bracketed, len(self.keys))
        head = [f"[{'.'.join(keys[:inside])}]"] if inside else []
        rest = [".".join(keys[inside:])] if keys[inside:] else []
        return " ".join(head + rest)

    def place(self, name: str | None = None, *, value: bool = False) -> Place:
        """Where a key of this table (or its value) stands; the table's own place where the key is absent."""
        if self.keys and isinstance(self.keys[-1], int) and name not in self.table:
            return self.file.places.value(self.keys)  # an element of a list has no key
        path: Path = self.keys if name is None else (*self.keys, name)
        return self.file.places.value(path) if value else self.file.places.key(path)

    def problem(
        self, code: str, message: str, name: str | None = None, *, value: bool = False
    ) -> None:
        """Note `label: message` at the key, or at its value."""
        label = self.label(name)
        text = f"{label}: {message}" if label else message
        self.file.add(code, text, self.place(name, value=value) if label else (1, 1))

    def wrong_type(self, name: str, expected: str, advice: str) -> None:
        """Note EG107 at the value of `name`."""
        found = describe(self.table[name])
        self.problem("EG107", f"found {found}, expected {expected}. {advice}", name, value=True)

    def only(self, known: Iterable[str], advice: str = "Remove it.") -> None:
        """Note EG105 for every key that is not known, with the nearest known one."""
        known = tuple(known)
        for name in self.table:
            if name not in known:
                hint = nearest(name, known) or f" {advice}"
                expected = f"one of {', '.join(known)}"
                self.problem("EG105", f"found an unknown key, expected {expected}.{hint}", name)

    def has(self, name: str, *, required: bool) -> bool:
        """Whether the key is present; notes EG106 at the table when it is required and absent."""
        if name in self.table:
            return True
        if required:
            label = f"{self.label()}: " if self.label() else ""
            message = f"{label}found no key `{name}`, expected one. Add it."
            self.file.add("EG106", message, self.place() if self.keys else (1, 1))
        return False

    def section(self, name: str, *, bracketed: int = 1, like: str = "") -> Section | None:
        """The table under `name`, or None (absent, or EG107 noted)."""
        if name not in self.table:
            return None
        if not isinstance(self.table[name], dict):
            self.wrong_type(name, "a table", like or f"Write [{name}].")
            return None
        return Section(self.file, self.table[name], (*self.keys, name), bracketed)

    def tables(self, name: str, *, like: str) -> list[Section]:
        """The tables of the list under `name`, called by their numbers from 1; EG107 for anything that is none."""
        value = self.table.get(name, [])
        if not isinstance(value, list):
            self.wrong_type(name, "a list of tables", like)
            return []
        label = self.label(name) if self.keys else f"[[{name}]]"
        found = []
        for index, table in enumerate(value):
            keys, called = (*self.keys, name, index), f"{label}.{index + 1}"
            if isinstance(table, dict):
                found.append(Section(self.file, table, keys, called=called))
            else:
                message = f"{called}: found {describe(table)}, expected a table. {like}"
                self.file.add("EG107", message, self.file.places.value(keys))
        return found

    def text(self, name: str, default: D = None, *, required: bool = False) -> str | D:  # type: ignore[assignment]
        """A text that is not blank."""
        if not self.has(name, required=required):
            return default
        value = self.table[name]
        if not isinstance(value, str):
            self.wrong_type(name, "a text", "Put it in quotes.")
        elif not value.strip():
            self.problem("EG109", "found an empty text, expected words. Fill it in.", name)
        else:
            return value
        return default

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts, none blank."""
        if name not in self.table:
            return default
        value = self.table[name]
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.wrong_type(name, "a list of texts", 'Write it as ["one", "two"].')
        elif not all(v.strip() for v in value):
            self.problem("EG109", "found an empty text in the list. Fill it in or remove it.", name)
        else:
            return tuple(value)
        return default

    def flag(self, name: str, default: D, *, required: bool = False) -> bool | D:
        """Either `true` or `false`, unquoted. EG107."""
        if not self.has(name, required=required):
            return default
        value = self.table[name]
        if isinstance(value, bool):
            return value
        self.wrong_type(name, "true or false", "Write it without quotes.")
        return default

    def number(self, name: str, default: D) -> float | D:
        """A finite number; integers are numbers, true and "0.80" are not. EG107, EG108."""
        if name not in self.table:
            return default
        value = self.table[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            quoted = isinstance(value, str)
            advice = "Write it without quotes." if quoted else "Write a decimal number."
            self.wrong_type(name, "a number", advice)
            return default
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            found = describe(value)
            self.problem(
                "EG108", f"found {found}, expected a finite number. Write one.", name, value=True
            )
            return default
        return number

    def whole(self, name: str, default: D, *, low: int, high: int | None = None) -> int | D:
        """An integer in [low, high]. EG107, EG108."""
        if name not in self.table:
            return default
        value = self.table[name]
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong_type(name, "a whole number", "Write it without quotes and without decimals.")
            return default
        if value < low or (high is not None and value > high):
            span = f"{low} or more" if high is None else f"{low} to {high}"
            self.range(name, span)
            return default
        return value

    def range(self, name: str, expected: str, advice: str = "Correct it.") -> None:
        """Note EG108 at the value of `name`."""
        found = describe(self.table[name])
        self.problem("EG108", f"found {found}, expected {expected}. {advice}", name, value=True)
