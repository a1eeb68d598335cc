"""goldsets/NAME.toml: the card of a gold set, which says where it comes from and who has, and has not, looked at it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Literal

import msgspec

from evalgate.authored.problems import Problems, describe, relative
from evalgate.authored.toml_file import Section, read_toml
from evalgate.records import Record

Split = Literal["dev", "sealed"]

SEALED = ".sealed"
"""Suffix of a sealed gold set: goldsets/NAME.sealed."""

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Contents(Record, kw_only=True):
    """The table [sealed]: what may be known of a sealed set without its key. `evalgate gold seal` writes it.

    key: id of the seal key. plain, cipher: digests of the gold set's text and of the sealed file. largest_unit: items of
    the largest unit. tags: units by tag.
    """

    key: str
    plain: str
    cipher: str
    items: int
    units: int
    largest_unit: int
    tags: dict[str, int]


class Card(Record, kw_only=True):
    """A gold set's card.

    reviewed: plain words on who has and who has not looked at the items. agreement: between labellers, if measured.
    sampling_frame: the population that the numbers speak for. unit_weight_max: largest weight a unit can have (above 0),
    declared where micro metrics are gated. date: ISO 8601. split: "dev" may be looked at, "sealed" only the gate reads.
    generator and seed: of a synthetic set. sealed: of a set that has been sealed.
    """

    title: str
    task: str
    source: str
    licence: str
    labelled_by: str
    reviewed: str
    sampling_frame: str
    date: str
    split: Split
    version: str
    synthetic: bool
    agreement: str | None = None
    unit_weight_max: float | None = None
    generator: str | None = None
    seed: int | None = None
    description: str | None = None
    sealed: Contents | None = None


def card_path(gold: Path) -> Path:
    """Where the card of a gold set lies: goldsets/NAME.jsonl -> goldsets/NAME.toml, NAME.sealed -> NAME.sealed.toml."""
    if gold.suffix == SEALED:
        return gold.with_name(f"{gold.name}.toml")
    return gold.with_suffix(".toml")


def load_card(path: Path, root: Path, problems: Problems) -> Card | None:
    """The card at `path` or beside the gold set at `path`, or None after noting every problem (EG101 to EG109, EG160, EG161)."""
    before = len(problems)
    path = card_path(path)
    if not path.exists():
        _note_missing(path, root, problems)
        return None
    file = read_toml(path, root, problems)
    if file is None:
        return None
    top = file.top()
    top.only(Card.__struct_fields__)
    required = {
        name: top.text(name, "", required=True)
        for name in (
            "title",
            "task",
            "source",
            "licence",
            "labelled_by",
            "reviewed",
            "sampling_frame",
            "version",
        )
    }
    card = Card(
        **required,
        date=_date(top),
        split=_split(top),
        synthetic=top.flag("synthetic", default=False, required=True),
        agreement=top.text("agreement"),
        unit_weight_max=top.number("unit_weight_max", None),
        generator=top.text("generator"),
        seed=top.whole("seed", None, low=0),
        description=top.text("description"),
        sealed=_contents(top),
    )
    if card.unit_weight_max is not None and card.unit_weight_max <= 0:
        top.range("unit_weight_max", "a number above 0")
    for name in ("generator", "seed") if card.synthetic else ():
        if name not in top.table:
            message = (
                f"found no key `{name}`, which a synthetic gold set needs to be made again. Add it."
            )
            file.add("EG106", message, (1, 1))
    return card if len(problems) == before else None


def _contents(top: Section) -> Contents | None:
    table = top.section("sealed")
    if table is None:
        return None
    try:
        return msgspec.convert(table.table, Contents)
    except msgspec.ValidationError as error:
        message = f"found {error}, expected what `evalgate gold seal` wrote. Restore it, or seal the set again."
        table.problem("EG762", message)
        return None


def _note_missing(path: Path, root: Path, problems: Problems) -> None:
    message = "found no card, expected one beside the gold set. Write down source, licence, who labelled it and who has not looked at it (docs/files.md)."
    problems.add(relative(path, root), "EG160", message)


def _date(top: Section) -> str:
    if not top.has("date", required=True):
        return ""
    value = top.table["date"]
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        try:
            return dt.date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    message = f"found {describe(value)}, expected a date such as 2026-11-30. Correct it."
    top.problem("EG161", message, "date", value=True)
    return ""


def _split(top: Section) -> Split:
    split = top.text("split", required=True)
    if split == "dev":
        return "dev"
    if split == "sealed":
        return "sealed"
    if split is not None:
        message = f'found {describe(split)}, expected "dev" (may be looked at) or "sealed" (only the gate reads it). Write one of them.'
        top.problem("EG161", message, "split", value=True)
    return "dev"
