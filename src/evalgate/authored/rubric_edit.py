"""Changing the criteria of a rubric file and nothing else of it: comments, layout and unchanged criteria survive.

The text is cut at its headings. The block of an unchanged criterion is kept byte for byte, that of a changed one is edited
with tomlkit, so that its comments stay beside their keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import tomlkit
from tomlkit.items import Array, Table

from evalgate.authored.rubric import Criterion
from evalgate.authored.rubric_file import composed
from evalgate.authored.toml_places import scan

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_REQUIRED = ("id", "ask", "points")


def with_criteria(text: str, criteria: Sequence[Criterion]) -> str:
    """`text`, a rubric file that TOML can read, with exactly these criteria, told apart by their ids.

    Criteria that are there keep their places, new ones come last in the given order. The comments above the heading of a
    criterion that is gone stay, those inside it go.
    """
    wanted = {criterion.id: criterion for criterion in criteria}
    pieces = []
    for block, criterion_id in _blocks(text):
        if criterion_id is None:
            pieces.append(block)
            continue
        body, tail = _without_tail(block)
        criterion = wanted.pop(criterion_id, None)
        pieces.append(tail.lstrip("\n") if criterion is None else _edited(body, criterion) + tail)
    new = "".join(pieces)
    for criterion in wanted.values():
        new = new.rstrip("\n") + "\n\n" + _fresh(criterion)
    return new


def _blocks(text: str) -> list[tuple[str, str | None]]:
    """The text cut before the headings of [rubric] and of every criterion, each with the criterion's id ("" if it has none)."""
    keys = scan(text).keys
    starts = {
        keys[path][0] - 1: path
        for path in sorted(keys, key=len)
        if len(path) == 1
        or (len(path) == 2 and path[0] == "criterion" and isinstance(path[1], int))
    }
    lines = _LINE.findall(text)
    cuts = [0, *sorted(starts), len(lines)]
    blocks: list[tuple[str, str | None]] = []
    for start, end in pairwise(cuts):
        block = "".join(lines[start:end])
        inside = starts.get(start, ())[:1] == ("criterion",)
        if block:
            blocks.append((block, _id_of(block) if inside else None))
    return blocks


def _id_of(block: str) -> str:
    name = tomllib.loads(block)["criterion"][0].get("id")
    return name if isinstance(name, str) else ""


def _without_tail(block: str) -> tuple[str, str]:
    """A criterion's block without the blank lines and comments at its end, and these: they belong to what follows."""
    lines = _LINE.findall(block)
    cut = len(lines)
    while cut and not lines[cut - 1].split("#")[0].strip():
        cut -= 1
    while not _is_toml("".join(lines[:cut])):
        cut += 1  # what looked like a comment was the end of a text of several lines
    return "".join(lines[:cut]), "".join(lines[cut:])


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _edited(block: str, criterion: Criterion) -> str:
    """The block with the keys that say something else than `criterion` set anew, and those that it lacks taken out."""
    there = tomllib.loads(block)["criterion"][0]
    if _read(there) == criterion:
        return block
    wanted = _values(criterion)
    document = tomlkit.parse(block)
    table = document["criterion"][0]
    assert isinstance(table, Table)
    for name in there.keys() - wanted.keys():
        del table[name]
    for name, value in wanted.items():
        if name not in there or there[name] != value:
            table[name] = _item(name, value)
    new = tomlkit.dumps(document)
    if _read(tomllib.loads(new)["criterion"][0]) != criterion:
        return _fresh(
            criterion
        )  # a layout that tomlkit cannot edit: the words come before the comments
    return new


def _read(table: dict[str, Any]) -> Criterion | None:
    """The criterion of a table as TOML has it, None if it is none."""
    try:
        return msgspec.convert(composed(table), Criterion)
    except msgspec.ValidationError:
        return None


def _values(criterion: Criterion) -> dict[str, Any]:
    """The keys of a criterion that differ from their defaults, as TOML writes them."""
    defaults = Criterion(id="", ask="", points=0)
    return {
        name: _plain(name, getattr(criterion, name))
        for name in Criterion.__struct_fields__
        if name in _REQUIRED or getattr(criterion, name) != getattr(defaults, name)
    }


def _plain(name: str, value: Any) -> Any:
    if name == "points":
        return int(value) if value == int(value) else value
    if name == "examples":
        return [
            {"answer": e.answer, "text": e.text} | ({"why": e.why} if e.why else {}) for e in value
        ]
    return list(value) if isinstance(value, tuple) else value


def _item(name: str, value: Any) -> Any:
    """`value` as tomlkit writes it: lists of long texts and of examples with a line for each."""
    if name not in ("examples", "anchors"):
        return value
    array: Array = tomlkit.array()
    for element in value:
        if isinstance(element, dict):
            inline = tomlkit.inline_table()
            inline.update(element)
            array.append(inline)
        else:
            array.append(element)
    return array.multiline(True)


def _fresh(criterion: Criterion) -> str:
    """A new block."""
    table = tomlkit.table()
    for name, value in _values(criterion).items():
        table[name] = _item(name, value)
    several = tomlkit.aot()
    several.append(table)
    document = tomlkit.document()
    document["criterion"] = several
    return tomlkit.dumps(document)
