"""One row: from the outside form or the strict one to an `Example`, and what is wrong with one. Never shows its text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from evalgate.corpus.example import Example, MadeBy, decode
from evalgate.records import Message

Fault = tuple[str, str]
"""Code and message of what is wrong with a row."""

ROLES: Final = ("system", "user", "assistant")
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_BYTE = re.compile(r" \(byte (\d+)\)$")
_PLAIN_KEY = re.compile(r"[\w.-]{1,40}")


class _Turn(msgspec.Struct):
    role: str
    content: str


class _Outside(msgspec.Struct):
    """An Example with whatever further keys, which are ignored."""

    id: str
    task: str
    messages: tuple[_Turn, ...]
    unit: str = ""
    parents: tuple[str, ...] = ()
    made_by: MadeBy | None = None
    source: str = ""
    terms: str = ""
    documents: tuple[str, ...] = ()
    checks: dict[str, str] = {}
    input: str | dict[str, Any] | None = None
    expected: Any = None
    invented: tuple[str, ...] = ()


_decode_outside = msgspec.json.Decoder(_Outside).decode


def _example(outside: _Outside) -> Example:
    fields = msgspec.structs.asdict(outside)
    turns: tuple[_Turn, ...] = fields["messages"]
    fields["messages"] = tuple({"role": t.role, "content": t.content} for t in turns)
    return Example(**fields)


def read_strict(line: bytes) -> Example:
    """An example of the exact form. Raises ValueError, RecursionError."""
    return decode(line)


def read_outside(line: bytes) -> Example:
    """An example of the outside form: unknown keys, of messages too, are ignored. Raises ValueError, RecursionError."""
    return _example(_decode_outside(line))


Read = Callable[[bytes], Example]


def converted(value: dict[str, Any], *, strict: bool) -> Example:
    """An example of a row that was read as values (a table's). Raises msgspec.ValidationError."""
    if strict:
        return msgspec.convert(value, Example)
    return _example(msgspec.convert(value, _Outside))


def fault_of(row: Example) -> Fault | None:
    """What is unusable about a row of the right types (EG822, EG823), or None."""
    for key in ("id", "task"):
        if not _is_name(getattr(row, key)):
            return _no_name(key)
    for key in ("unit", "source", "terms"):
        if (value := getattr(row, key)) and not _is_name(value):
            return _no_name(key)
    if row.parents and not (all(map(_is_name, row.parents)) and _distinct(row.parents)):
        return _no_name("parents")
    return _fault_of_messages(row.messages)


def _distinct(names: tuple[str, ...]) -> bool:
    return len(set(names)) == len(names)


def _is_name(value: str) -> bool:
    # isprintable leaves the space as the only space there is
    return bool(value) and value.isprintable() and value[0] != " " != value[-1]


def _no_name(key: str) -> Fault:
    return (
        "EG822",
        f"{key}: found a blank text, space around it, control characters or a repeat, expected plain names, each once. Correct it.",
    )


def _fault_of_messages(messages: tuple[Message, ...]) -> Fault | None:
    last = ""
    for number, message in enumerate(messages, 1):
        if len(message) != 2 or "role" not in message or "content" not in message:
            return (
                "EG823",
                f"messages: found other keys in message {number}, expected role and content. Correct it.",
            )
        last = message["role"]
        if last not in ROLES or (last == "system" and number > 1):
            return (
                "EG823",
                f"messages: found an unknown or misplaced role in message {number}, expected user or assistant, and system only first. Correct it.",
            )
        if not message["content"] or message["content"].isspace():
            return (
                "EG823",
                f"messages: found no text in message {number}, expected some. Remove the row, or fill it in.",
            )
    if last != "assistant":
        return (
            "EG823",
            f"messages: found {last or 'no message'} at the end, expected the assistant's message that is to be learnt. Correct it.",
        )
    return None


def finite(value: Any) -> bool:
    """Whether no number anywhere in a JSON-like value is NaN or infinite: encoding would quietly make it null."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(finite, value))


NOT_FINITE: Final[Fault] = (
    "EG822",
    "found NaN or an infinite number, expected numbers that JSON has. Correct or remove it.",
)


def explained(error: Exception, line: bytes = b"") -> Fault:
    """What kept a row from being read: an error of decoding (EG821) or of the types (EG822)."""
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        if wrong := _EXPECTED.match(text):
            expected, got, at = wrong.groups()
            return (
                "EG822",
                f"{at or 'row'}: found {got}, expected {expected}. Correct it.",
            )
        if text.startswith("Object missing required field"):
            return (
                "EG822",
                f"found no key {text.split('`')[1]!r}, expected it. Add it; docs/corpus.md lists the keys.",
            )
        if text.startswith("Object contains unknown field"):
            key = text.split("`")[1]
            shown = f" {key!r}" if _PLAIN_KEY.fullmatch(key) else f" of {len(key)} characters"
            return (
                "EG822",
                f"found an unknown key{shown}, expected those of docs/corpus.md. Remove it.",
            )
        return "EG822", f"found a value that no row can have ({text.partition(' - ')[0]}), expected the form of docs/corpus.md. Correct it."  # fmt: skip
    if isinstance(error, RecursionError):
        reason = "values nested too deep"
    elif "truncated" in text:
        reason = "the line ends too early"
    else:
        reason = text.removeprefix("JSON is malformed: ")
        told = _BYTE.search(text)
        if told and line[int(told[1]) :].startswith((b"NaN", b"Inf")):
            return NOT_FINITE
    return (
        "EG821",
        f"found a fault of syntax ({reason}), expected one JSON object on the line. Correct it.",
    )
