"""What is wrong with one line of a gold set. Only runs on faulty lines; shows keys and types, never an item's text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from evalgate.authored.problems import Problems, nearest, not_utf8
from evalgate.records import GoldItem

MOST_LISTED: Final = 50

_BYTE = re.compile(r" \(byte (\d+)\)$")
_PLAIN_KEY = re.compile(r"[\w.-]{1,40}")
_KEYS = GoldItem.__struct_fields__
_REQUIRED = tuple(name for name in _KEYS if name != "tags")
_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class LineProblems:
    """Problems of one gold set: the first 50 are listed, the others counted in one more line (EG158)."""

    def __init__(self, path: str, problems: Problems) -> None:
        self.path = path
        self.count = 0
        self._problems = problems
        self._blank: list[int] = []

    @property
    def room(self) -> int:
        """How many more problems will be listed."""
        return max(0, MOST_LISTED - self.count)

    def add(self, code: str, message: str, line: int = 0, column: int = 0) -> None:
        """Note one problem."""
        self.count += 1
        if self.count <= MOST_LISTED:
            self._problems.add(self.path, code, message, line=line, column=column)

    def blank_lines(self, lines: Iterable[int]) -> None:
        """Note blank lines that items follow."""
        for line in lines:
            self._blank.append(line)
            self.add(
                "EG156", "found a blank line, expected an item on every line. Remove it.", line
            )

    def line_of_ordinal(self, ordinal: int) -> int:
        """The line of an item: blank lines before it count as lines but not as items."""
        line = ordinal + 1
        while (shifted := ordinal + 1 + bisect_right(self._blank, line)) != line:
            line = shifted
        return line

    def close(self) -> None:
        """Say how many problems were not listed."""
        if self.count > MOST_LISTED:
            more = self.count - MOST_LISTED
            message = f"found {self.count} problems, listed the first {MOST_LISTED}: and {more} more. Correct these and run it again."
            self._problems.add(self.path, "EG158", message)


def fault_of_item(item: GoldItem) -> tuple[str, str] | None:
    """Code and message for an item of the right types with an unusable value, or None."""
    id_, unit = item.id, item.unit
    # isprintable leaves the space as the only space there is
    if not (id_ and unit and id_.isprintable() and unit.isprintable()) or " " in (
        id_[0],
        id_[-1],
        unit[0],
        unit[-1],
    ):
        return _fault_of_name(item)
    if not item.input:
        return "EG152", "input: found nothing in it, expected what the model is asked. Fill it in."
    tags = item.tags
    if tags and (len(set(tags)) < len(tags) or not all(t and t == t.strip() for t in tags)):
        return (
            "EG159",
            "tags: found a blank tag or one tag twice, expected each once. Correct them.",
        )
    return None


def _fault_of_name(item: GoldItem) -> tuple[str, str]:
    key, value = ("unit", item.unit) if _is_name(item.id) else ("id", item.id)
    what = "a blank text" if not value.strip() else "space around it or control characters in it"
    return "EG152", f"{key}: found {what}, expected a plain name. Correct it."


def _is_name(value: str) -> bool:
    return bool(value) and value.isprintable() and value == value.strip()


def explain_line(line: bytes, error: Exception, number: int, found: LineProblems) -> None:
    """Note everything that is wrong with a line that does not decode to a GoldItem."""
    line = line.rstrip(b"\r\n")
    if not found.room:  # a whole file of another format must not cost seconds
        found.add("EG107", "found an item that cannot be read", number)
        return
    try:
        text = line.decode()
    except UnicodeDecodeError as fault:
        column = len(line[: fault.start].decode(errors="replace")) + 1
        found.add("EG102", not_utf8(line[fault.start]), number, column)
        return
    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError) as fault:
        _note_json(fault, line, text, number, found)
        return
    before = found.count
    _note_shape(value, number, found)
    if found.count == before:  # a rule that only the decoder knows
        found.add(
            "EG107",
            f"found an item that cannot be read ({error}), expected the form of docs/files.md. Correct it.",
            number,
        )


def _note_json(error: Exception, line: bytes, text: str, number: int, found: LineProblems) -> None:
    told = _BYTE.search(str(error))
    column = 0
    if isinstance(error, RecursionError):
        reason = "values nested too deep"
    elif told:
        reason = str(error)[: told.start()].removeprefix("JSON is malformed: ")
        # msgspec counts from 0, and has already read past the first of trailing characters
        at = int(told[1]) - reason.startswith("trailing")
        column = len(line[:at].decode(errors="replace")) + 1
    elif "truncated" in str(error):
        reason, column = "the line ends too early", len(text) + 1
    else:
        reason = str(error).partition(" - at ")[0]
        reason = reason[:1].lower() + reason[1:]
    message = (
        f"found a fault of syntax ({reason}), expected one JSON object on the line. Correct it."
    )
    found.add("EG150", message, number, column)


def _note_shape(value: Any, number: int, found: LineProblems) -> None:
    """Note unknown keys, missing keys and wrong types of one decoded line."""
    if not isinstance(value, dict):
        found.add(
            "EG107",
            f"found {_kind(value)}, expected an object with id, input, expected, unit. Correct the line.",
            number,
        )
        return
    for key in value:
        if key not in _KEYS:
            hint = nearest(key, _KEYS) or " Remove it."
            found.add(
                "EG105",
                f"found an unknown key{_shown_key(key)}, expected one of {', '.join(_KEYS)}.{hint}",
                number,
            )
    for key in _REQUIRED:
        if key not in value:
            found.add("EG106", f"found no key `{key}`, expected one. Add it.", number)
    wanted = {"id": str, "unit": str, "input": (str, dict), "tags": list}
    names = {"id": "a text", "unit": "a text", "input": "a text or an object", "tags": "a list"}
    for key, kind in wanted.items():
        if key in value and not isinstance(value[key], kind):  # type: ignore[arg-type]
            found.add(
                "EG107",
                f"{key}: found {_kind(value[key])}, expected {names[key]}. Correct it.",
                number,
            )
    tags = value.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        if not isinstance(tag, str):
            found.add(
                "EG107",
                f"tags: found {_kind(tag)} in the list, expected texts. Correct it.",
                number,
            )


def _shown_key(key: str) -> str:
    """An unknown key, if it looks like one: a text that slipped into its place is never repeated."""
    return f" {key!r}" if _PLAIN_KEY.fullmatch(key) else f" of {len(key)} characters"


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "something else")
