"""A value that somebody read out of a contract or a licence, with the words it was read from: never one without the other.

[may_train]
value = true
clause = "Licensee may use the Records to train models for its own use."
where = "section 3.2"
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, TypeVar

from evalgate.authored.problems import describe
from evalgate.authored.toml_file import Section
from evalgate.records import Record

V = TypeVar("V")

NEVER = dt.date.max
"""The date of what has no end: "never" and "unlimited" in files."""
KEYS = ("value", "clause", "where")
CODE = "EG840"


class Quoted(Record, Generic[V], kw_only=True):
    """A value, the clause it was read from (verbatim) and where that clause stands."""

    value: V
    clause: str
    where: str

    def __str__(self) -> str:
        return f"“{self.clause}” ({self.where})"


def flag(top: Section, name: str) -> Quoted[bool] | None:
    """`[name]` with true or false; None where nobody said, which is neither. EG105 to EG109."""
    table = _table(top, name)
    if table is None:
        return None
    value = table.flag("value", None, required=True)
    return _quoted(table, value)


def texts(top: Section, name: str) -> Quoted[tuple[str, ...]] | None:
    """`[name]` with a list of texts, at least one. EG105 to EG109, EG840."""
    table = _table(top, name)
    if table is None:
        return None
    table.has("value", required=True)
    value = table.texts("value")
    if table.table.get("value") == []:
        table.problem(CODE, "found an empty list, expected a text. Fill it in.", "value")
    return _quoted(table, value or None)


def day(top: Section, name: str, *, endless: str = "") -> Quoted[dt.date] | None:
    """`[name]` with a date such as 2027-03-31 (no time of day), or with the word `endless`, which gives NEVER. EG840."""
    table = _table(top, name)
    return None if table is None else _quoted(table, day_of(table, "value", endless=endless))


def day_of(
    table: Section, name: str, *, endless: str = "", required: bool = True
) -> dt.date | None:
    """The date under a key, None where there is none or after noting why it is none (EG106, EG840)."""
    if not table.has(name, required=required):
        return None
    value = table.table[name]
    if endless and value == endless:
        return NEVER
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    expected = f"a date such as 2027-03-31{f' or {endless!r}' if endless else ''}".replace("'", '"')
    message = (
        f"found {describe(value)}, expected {expected}. Write it without quotes around a date."
    )
    table.problem(CODE, message, name, value=True)
    return None


def _table(top: Section, name: str) -> Section | None:
    table = top.section(name, like=f"Write [{name}] with {', '.join(KEYS)}.")
    if table is not None:
        table.only(KEYS)
    return table


def _quoted(table: Section, value: V | None) -> Quoted[V] | None:
    clause = table.text("clause", required=True)
    where = table.text("where", required=True)
    if value is None or clause is None or where is None:
        return None
    return Quoted(value=value, clause=" ".join(clause.split()), where=where)


def plain(value: Any) -> str:
    """A value as words: `yes`, `2027-03-31`, `no end`, `US, CA`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == NEVER:
        return "no end"
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, value)))
    return "not stated" if value is None else str(value)
