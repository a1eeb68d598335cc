"""Small tables of text, for a terminal and for Markdown. Names are escaped: nothing in them can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from evalgate.records import Record
from evalgate.report.numbers import NONE
from evalgate.report.words import plain


class Table(Record, kw_only=True):
    """Rows of cells; `right` says which columns are numbers. A row that is one text stands above those it is about."""

    head: tuple[str, ...]
    right: tuple[bool, ...]
    rows: list[tuple[str, ...] | str]


Block = tuple[Literal["line", "head", "item", "table"], str | Table]
"""A part of a report: a line, a heading, an item of a list, or a table."""


def blocks_text(blocks: Iterable[Block]) -> str:
    """The parts for a terminal or a log: ASCII but for names, lines as long as their table needs."""
    lines: list[str] = []
    for kind, content in blocks:
        if isinstance(content, Table):
            lines += ["", *_lines(content)] if lines[-1].startswith(" ") else _lines(content)
        elif kind == "head":
            lines += ["", plain(content)]
        else:
            lines += ["  " * (kind != "line") + plain(content)]
    return "\n".join(lines) + "\n"


def blocks_markdown(blocks: Iterable[Block]) -> str:
    """The parts as GitHub and GitLab render them."""
    lines = []
    for kind, content in blocks:
        if isinstance(content, Table):
            columns = len(content.head)
            rows = [_md_row(row, columns) for row in content.rows]
            lines += ["", _md_row(content.head, columns), _md_rule(content), *rows, ""]
        elif kind == "head":
            lines += ["", f"### {markdown_text(content)}", ""]
        else:
            lines += [("- " if kind == "item" else "") + markdown_text(content)]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _lines(table: Table) -> list[str]:
    rows = [
        row if isinstance(row, str) else [_cell(c) for c in row]
        for row in (table.head, *table.rows)
    ]
    cells = [row for row in rows if not isinstance(row, str)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.head))]

    def line(row: Sequence[str]) -> str:
        parts = zip(row, widths, table.right, strict=True)
        return "  ".join(c.rjust(w) if right else c.ljust(w) for c, w, right in parts).rstrip()

    return [f"  {plain(row)}" if isinstance(row, str) else f"    {line(row)}" for row in rows]


def _cell(text: str) -> str:
    return plain(text).replace(NONE, "-")


def _md_row(row: tuple[str, ...] | str, columns: int) -> str:
    if isinstance(row, str):
        return f"| **{markdown_text(row)}** |" + " |" * (columns - 1)
    return "| " + " | ".join(markdown_text(_cell(cell)) for cell in row) + " |"


def _md_rule(table: Table) -> str:
    return "|" + "|".join("---:" if right else "---" for right in table.right) + "|"


def markdown_text(text: str) -> str:
    """`text` on one line, in which Markdown and HTML find nothing to act upon."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#|!~" else c for c in plain(text)).replace(
        "@", "@\N{ZERO WIDTH NON-JOINER}"
    )
