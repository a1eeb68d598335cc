"""Importing in one line, for tests: what was taken, and the report."""

from __future__ import annotations

import json

import msgspec

from evalgate.authored import Problems, load_gold
from evalgate.authored.imports import Columns, Options, import_gold

TEXT = {"text": "text"}


def options(*, columns=None, **given) -> Options:
    return Options(columns=columns or Columns(text=TEXT), **given)


def imported(kind, source, out=None, **given):
    """(items as dicts, report); the written file loads without a problem, and what was found is accounted for."""
    out = out or source.parent / "imported.jsonl"
    report = import_gold(kind, source, out, options(**given), force=True)
    assert report.rows.found == report.rows.taken + report.rows.left
    assert report.spans.found == report.spans.taken + report.spans.left
    assert not list(out.parent.glob(".*.part"))
    items = []
    if report.rows.taken:
        problems = Problems()
        gold = load_gold(out, out.parent, problems)
        assert [str(p) for p in problems] == []
        assert len(gold) == report.rows.taken
        assert gold.units == report.units
        items = [json.loads(line) for line in out.read_bytes().splitlines()]
        out.unlink()
        out.with_suffix(".toml").unlink()
    assert msgspec.json.decode(msgspec.json.encode(report))["schema"] == "evalgate.import/1"
    return items, report


def faults(report) -> dict[str, list[str]]:
    """Kind of fault -> places."""
    return {fault.kind: list(fault.places) for fault in report.faults}
