"""Parsers: `str -> T | None`. None means unparseable, which counts as a wrong answer.

A parser is any function; those made here also know how to read a gold item's `expected` (`.gold`), so that answer and
gold pass through the same conversion. They are deliberately strict: what the workflow behind the model could not read
must not be read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from evalgate.authored.problems import nearest_name

T = TypeVar("T")
_FENCE = re.compile(r"\A```[a-zA-Z]*\n(.*?)\n?```\Z", re.DOTALL)
_LONGEST_NEAR = 60  # characters; a longer text is no slip of the pen in a label


class _JsonParser(Generic[T]):
    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._kind = kind
        self.id = f"json:{kind}"

    def __call__(self, text: str) -> T | None:
        body = text.strip()
        if fenced := _FENCE.match(body):
            body = fenced.group(1)
        try:
            value: T = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeEncodeError):  # lone surrogates cannot be UTF-8
            return None
        return value

    def gold(self, expected: Any) -> T:
        """The typed form of a gold item's `expected`. Raises ValueError."""
        try:
            value: T = msgspec.convert(expected, self._kind)
        except msgspec.ValidationError as e:
            raise ValueError(_without_value(str(e))) from None
        return value


_KIND = re.compile(
    r"Expected `[^`]*`(, got `[^`]*`)?|Object missing required field `[^`]*`"
    r"|Object contains unknown field|Invalid enum value"
)
_PLACE = re.compile(r" - at `\$[\w.\[\]]*`\Z")


def _without_value(message: str) -> str:
    """What msgspec says about a gold value, without the texts that it repeats: values of Literal types, unknown fields."""
    kind, place = _KIND.match(message), _PLACE.search(message)
    return (kind[0] if kind else "a value not allowed there") + (place[0] if place else "")


def parse_json(kind: type[T] | Any) -> Callable[[str], T | None]:
    """A parser of JSON of exactly this type, alone or in one Markdown code fence; unknown keys are refused.

    `parse_json(list[Entity])("[]") == []`
    """
    return _JsonParser[T](kind)


class _LabelParser:
    def __init__(self, labels: Sequence[str]) -> None:
        if len({x.casefold() for x in labels}) != len(labels) or not labels:
            raise ValueError(
                f"found labels {list(labels)}, expected at least one and no two alike."
            )
        self.labels = tuple(labels)
        self._by_fold = {label.casefold(): label for label in labels}
        self.id = "label:" + "|".join(labels)

    def __call__(self, text: str) -> str | None:
        return self._by_fold.get(text.strip().strip("\"'`*.").strip().casefold())

    def gold(self, expected: Any) -> str:
        if not isinstance(expected, str) or expected not in self.labels:
            raise ValueError(
                f"found {_described(expected, self.labels)}, expected one of {', '.join(self.labels)}"
            )
        return expected


def _described(expected: Any, labels: Sequence[str]) -> str:
    """A gold value that is no label, never quoted: it may be a sentence, a name or a number of somebody."""
    if not isinstance(expected, str):
        return type(expected).__name__
    near = nearest_name(expected, labels) if len(expected) <= _LONGEST_NEAR else None
    return f"a text of {len(expected)} characters" + (f" much like {near}" if near else "")


def parse_label(labels: Sequence[str]) -> Callable[[str], str | None]:
    """A parser of exactly one of `labels`: case, surrounding quotes, asterisks and a full stop are forgiven.

    `parse_label(["YES", "NO"])("yes.") == "YES"`; a sentence around the label is not forgiven.
    """
    return _LabelParser(labels)


class _TextParser:
    """The answer without surrounding space; None if nothing is left.

    A gold item's `expected` is a text, or an object whose "reference" is one and whose other keys serve the scores.
    """

    id = "parse.parse_text"

    def __call__(self, text: str) -> str | None:
        return text.strip() or None

    def gold(self, expected: Any) -> str | dict[str, Any]:
        reference = expected.get("reference") if isinstance(expected, dict) else expected
        if not isinstance(reference, str) or not reference.strip():
            raise ValueError(
                f'found {type(expected).__name__} without a text, expected a text or an object with a "reference"'
            )
        return expected  # type: ignore[no-any-return]


parse_text = _TextParser()


def parser_id(parse: Callable[[str], Any]) -> str:
    """The name under which a parser enters the run's key."""
    own = getattr(parse, "id", None)
    if isinstance(own, str):
        return own
    module = getattr(parse, "__module__", "").rpartition(".")[2].removeprefix("test_")
    name = getattr(parse, "__qualname__", type(parse).__qualname__)
    return f"{module}.{name}"  # the same under pytest's import of a suite and under our own
