"""One row of a table, wherever it was kept (CSV, JSON lines, `datasets`), as a gold item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalgate.authored.imports.rows import (
    EMPTY,
    INSIDE_FIRST,
    MALFORMED,
    NO_ANSWER,
    NO_TEXT,
    OFFSETS,
    SCHEME,
    UNIT_ASSUMED,
    UNUSABLE,
    Columns,
    Fault,
    Kind,
    Row,
    entities_of_tags,
    left,
)
from evalgate.records import GoldItem, Record


def row_of(values: Mapping[str, Any], columns: Columns, place: str, number_id: str) -> Row:
    """The item of one row, or why there is none. `number_id`: its id where the table has no column of ids.

    Values keep their type: an object or a list stays one. A list of tokens with a list of as many IOB tags becomes text
    with entities; entities with offsets are compared with the text, where the input is one text.
    """
    if all(_is_blank(value) for value in values.values()):
        return left(EMPTY, place)
    inputs = {key: values.get(column) for column, key in columns.text.items()}
    if any(_is_blank(value) for value in inputs.values()):
        return left(NO_TEXT, place)
    expected = values.get(columns.expected)
    if _is_blank(expected):
        return left(NO_ANSWER, place)
    faults: list[Fault] = []
    item_id = _name(values, columns.id, "id", number_id)
    unit = _name(values, columns.unit, "unit", item_id or "")
    tags = _tags(values.get(columns.tags or "tags"))
    if not item_id or not unit or tags is None:
        return left(UNUSABLE, place)
    if columns.unit is None and "unit" not in values:
        faults.append(Fault(kind=UNIT_ASSUMED, place=place))
    if len(inputs) == 1:
        ((key, text),) = inputs.items()
        read = _with_entities(text, expected, place)
        if isinstance(read, Kind):
            return left(read, place)
        inputs[key], expected = read.text, read.expected
        faults += read.faults
    item = GoldItem(id=item_id, input=inputs, expected=expected, unit=unit, tags=tags)
    return Row(item=item, place=place, faults=tuple(faults))


class _Read(Record, kw_only=True):
    text: Any
    expected: Any
    faults: tuple[Fault, ...] = ()


def _with_entities(text: Any, expected: Any, place: str) -> _Read | Kind:
    """Text and answer with their entities, if that is what they are; the kind of fault that leaves the row out."""
    if not isinstance(expected, list) or not (isinstance(text, str) or _is_texts(text)):
        return _Read(text=text, expected=expected)
    if isinstance(text, str):
        kept, wrong = _checked(expected, text)
        faults = (Fault(kind=OFFSETS, place=f"{place} entity {n + 1}") for n in wrong)
        return _Read(text=text, expected=kept, faults=tuple(faults))
    if not _is_texts(expected) or len(text) != len(expected):
        return MALFORMED
    found = entities_of_tags(text, expected)
    if found is None:
        return SCHEME
    joined, entities, repaired = found
    faults = (Fault(kind=INSIDE_FIRST, place=f"{place} token {n + 1}") for n in repaired)
    return _Read(text=joined, expected=entities, faults=tuple(faults))


def _is_blank(value: Any) -> bool:
    """Nothing there: null, white space, or the number NaN that data frames write for nothing. An empty list is an answer."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value != value  # noqa: PLR0124 (NaN alone differs from itself)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _name(values: Mapping[str, Any], column: str | None, usual: str, otherwise: str) -> str | None:
    """A name from its column; `otherwise` only where no column was named and the usual one is not there."""
    if column is None and usual not in values:
        return otherwise
    value = values.get(column or usual)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else None


def _tags(value: Any) -> tuple[str, ...] | None:
    """Tags of a cell (`must_pass; spanish`) or a list, each once; None for anything else."""
    if _is_blank(value):
        return ()
    if isinstance(value, str):
        value = value.replace(";", ",").split(",")
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        return None
    return tuple(dict.fromkeys(tag.strip() for tag in value if tag.strip()))


def _checked(expected: list[Any], text: str) -> tuple[list[Any], list[int]]:
    """The entities whose offsets, if they have any, name their text (filled in where absent), and the numbers of the others."""
    kept, wrong = [], []
    for number, entity in enumerate(expected):
        if not (isinstance(entity, dict) and {"label", "start", "end"} <= entity.keys()):
            kept.append(entity)
            continue
        start, end = entity["start"], entity["end"]
        if start is None and end is None:
            kept.append(entity)
        elif _fits(entity, text):
            kept.append({**entity, "text": text[start:end]})
        else:
            wrong.append(number)
    return kept, wrong


def _fits(entity: dict[str, Any], text: str) -> bool:
    start, end = entity["start"], entity["end"]
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        return False
    return bool(entity.get("text", text[start:end]) == text[start:end])
