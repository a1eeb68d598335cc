"""From rows to a gold set: renames and keeps labels, refuses ids given twice, writes, and accounts for everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from evalgate.authored.card import card_path
from evalgate.authored.gold_lines import fault_of_item
from evalgate.authored.imports.account import Account, Format, Report, is_entities
from evalgate.authored.imports.brat import read_brat
from evalgate.authored.imports.conll import read_conll
from evalgate.authored.imports.csv_file import read_csv
from evalgate.authored.imports.hf_dataset import read_hf
from evalgate.authored.imports.jsonl_file import LONGEST_LINE, read_jsonl
from evalgate.authored.imports.rows import (
    ID_TWICE,
    NEVER_FOUND,
    OTHER_LABEL,
    OTHER_SPAN_LABEL,
    OVERLAP,
    SPAN_TWICE,
    STOPPED,
    TOO_LONG,
    UNUSABLE,
    Fault,
    Kind,
    Options,
    Row,
    Rows,
    left,
)
from evalgate.authored.imports.writing import check_free, skeleton, write_whole
from evalgate.records import GoldItem

READERS: Final[dict[Format, Callable[[Path, Options], Rows]]] = {
    "brat": read_brat,
    "conll": read_conll,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "hf": read_hf,
}


def import_gold(
    format_: Format,
    source: Path,
    out: Path,
    options: Options,
    *,
    report: Path | None = None,
    licence: str | None = None,
    force: bool = False,
) -> Report:
    """Read `source`, write the gold set `out`, a skeleton of its card, and a `report` (JSON); each appears whole or not at all.

    No gold set is written when `Report.nothing` says why. A card that is there already is people's work and is kept.
    Raises UsageError and FileProblems (EG175, EG176, EG178), InfrastructureError for a disk that refuses.
    """
    check_free(out, ".jsonl", source, force=force)
    if report is not None:
        check_free(report, ".json", source, force=force)
    account = Account()
    name, card = source.resolve().name, card_path(out)

    def with_card() -> bool:
        """The card goes first: a gold set without a card is refused, a card that speaks of other items would not be."""
        found = account.report(format_, name)
        if found.nothing():
            return False
        if not card.exists():
            said = _description(found)
            text = skeleton(out.stem, format_, name, licence=licence, description=said)
            write_whole(card, [text.encode()])
        return True

    rows = _selected(READERS[format_](source, options), options)
    write_whole(out, _lines(rows, account, options.limit), ready=with_card)
    found = account.report(format_, name)
    if report is not None:
        write_whole(report, [msgspec.json.format(msgspec.json.encode(found)), b"\n"])
    return found


def _description(report: Report) -> str:
    lost = [f"{f.count} x {f.kind}" for f in report.faults if f.of != "note"]
    return f"{report.summary()}. Left out: {', '.join(lost) or 'nothing'}."


def _lines(rows: Iterable[Row], account: Account, limit: int | None) -> Iterator[bytes]:
    """Lines of the gold set; every row is accounted for here, and nowhere else."""
    ids: set[str] = set()
    for row in rows:
        line = b""
        if row.item is not None:
            if limit is not None and account.taken >= limit:
                account.add(Fault(kind=STOPPED, place=row.place))
                return
            row, line = _written(row, row.item, ids)  # noqa: PLW2901
        account.row(row)
        if row.item is not None:
            ids.add(row.item.id)
            yield line


def _written(row: Row, item: GoldItem, ids: set[str]) -> tuple[Row, bytes]:
    """The row with its line, or without its item where a gold set may not hold it."""
    kind: Kind | None = None
    line = b""
    if fault_of_item(item) is not None:
        kind = UNUSABLE
    elif item.id in ids:
        kind = ID_TWICE
    else:
        try:
            line = msgspec.json.encode(item) + b"\n"
        except (UnicodeEncodeError, RecursionError, TypeError, ValueError):
            kind = UNUSABLE
        if len(line) > LONGEST_LINE:
            kind = TOO_LONG
    if kind is None:
        return row, line
    named = f" id {item.id}" if item.id.isprintable() else ""
    return left(kind, row.place + named), b""


def _selected(rows: Rows, options: Options) -> Rows:
    """Rows with labels renamed and only the asked-for ones kept; notes names of --labels and --map that never occur."""
    seen: set[str] = set()
    for row in rows:
        yield row if row.item is None else _select(row, row.item, options, seen)
    renamed = {options.renames.get(name, name) for name in seen}
    for option, wanted, there in (
        ("--map", options.renames, seen),
        ("--labels", options.labels, renamed),
    ):
        for name in wanted:
            if name not in there:
                yield Row(faults=(Fault(kind=NEVER_FOUND, place=f"{option} {name}"),))


def _select(row: Row, item: GoldItem, options: Options, seen: set[str]) -> Row:
    expected = item.expected
    faults = list(row.faults)
    if isinstance(expected, str):
        if options.labels or options.renames:
            seen.add(expected)
            expected = options.renames.get(expected, expected)
            if options.labels and expected not in options.labels:
                return left(OTHER_LABEL, row.place)
    elif is_entities(expected):
        expected = list(_kept(expected, item.id, options, seen, faults))
    elif options.labels:
        return left(OTHER_LABEL, row.place)
    item = msgspec.structs.replace(item, expected=expected)
    return msgspec.structs.replace(row, item=item, faults=tuple(faults))


def _kept(
    entities: list[dict[str, Any]],
    item_id: str,
    options: Options,
    seen: set[str],
    faults: list[Fault],
) -> Iterator[dict[str, Any]]:
    """The entities to keep, in the order of the source: of the asked-for labels, and no span twice with one label."""
    spans: dict[tuple[str, int, int], None] = {}
    for number, entity in enumerate(entities, start=1):
        seen.add(entity["label"])
        label = options.renames.get(entity["label"], entity["label"])
        start, end = entity.get("start"), entity.get("end")
        if options.labels and label not in options.labels:
            faults.append(Fault(kind=OTHER_SPAN_LABEL, place=f"{item_id} entity {number}"))
            continue
        if isinstance(start, int) and isinstance(end, int):
            if (label, start, end) in spans:
                faults.append(Fault(kind=SPAN_TWICE, place=f"{item_id} {start}-{end}"))
                continue
            spans[label, start, end] = None
        yield {**entity, "label": label}
    reach = -1
    for start, end in sorted((start, end) for _, start, end in spans):
        if start < reach:
            faults.append(Fault(kind=OVERLAP, place=f"{item_id} {start}-{end}"))
        reach = max(reach, end)
