"""The smallest pieces of the page. Nothing else writes what did not come from this package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from evalgate.report.numbers import NONE
from evalgate.report.words import plain


def text(value: object) -> str:
    """`value` as one line of text, whatever it holds."""
    return escape(plain(value))


def code(value: object) -> str:
    """An id, a digest or a path: one click selects all of it. A dash for nothing."""
    return f"<code>{text(value)}</code>" if plain(value) else NONE


def name(value: str) -> str:
    """A test's name, with places where a line may break."""
    return text(value).replace("_", "_<wbr>").replace("[", "<wbr>[")


def number(value: str) -> str:
    """A ready number with the sign that people read."""
    return escape(value.replace("-", "−"))


def section(key: str, title: str, *body: str, kind: str = "") -> str:
    """A landmark named by its heading; "" without a body. `title` is text, `body` markup, `key` unique in the page."""
    inside = "\n".join(filter(None, body))
    if not inside:
        return ""
    class_ = f' class="{kind}"' if kind else ""
    return f'<section{class_} aria-labelledby="{key}">\n<h2 id="{key}">{text(title)}</h2>\n{inside}\n</section>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of (name, markup) pairs; pairs without markup are left out."""
    listed = "\n".join(
        f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in rows if value
    )
    return f'<dl class="facts">\n{listed}\n</dl>' if listed else ""


def small_table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0
) -> str:
    """A table that stays one on narrow screens: its own box scrolls. Cells are markup; the last `numbers` columns are numbers.

    "" without rows.
    """
    first = len(columns) - numbers
    kinds = ["" if i < first else ' class="n"' for i in range(len(columns))]
    head = "".join(
        f'<th scope="col"{kind}>{text(title)}</th>'
        for kind, title in zip(kinds, columns, strict=True)
    )
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], row[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{text(caption)}"><table class="small"><caption>{text(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )
