"""What a switch of base models was decided on, and how it is shown: text, Markdown, one page. Numbers and ids only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from evalgate.records import FindingStatus, Record
from evalgate.report.markup import code, facts, number, section, small_table, text
from evalgate.report.numbers import NONE, high_text, low_text, value_text
from evalgate.report.page import page
from evalgate.report.tables import Block, Table, blocks_markdown, blocks_text
from evalgate.report.words import STATUS, short_digest

Outcome = Literal["switch", "no switch", "undecided"]


class Compared(Record, kw_only=True):
    """One row, challenger minus incumbent, item by item, turned so that more is better. `bound`: what its lower end must reach.

    `claim`: the switch is claimed to be better here, so that `bound` is a gain, not a margin. `alpha`: one-sided, of the ends.
    """

    suite: str
    row: str
    claim: bool = False
    status: FindingStatus
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float
    units: int = 0
    method: str = ""
    alpha: float = 0.0
    reason: str = ""

    @property
    def name(self) -> str:
        """As gate.toml's claims and margins call it."""
        return f"{self.suite}.{self.row}"


class Side(Record, kw_only=True):
    """A model of a switch, by its name in evalgate.toml and its digest."""

    name: str
    digest: str


class Switch(Record, kw_only=True):
    """A decision about a switch, whatever it is. `made`: UTC, ISO 8601. `question`: digest of what was asked; the same one is asked once.

    `attempt` of `attempts` on these gold sets, each with `alpha`. `rows`: of all governed corpora then. `check`: the report of
    the challenger's own check. `reasons`: why it is not a switch, or [].
    """

    schema: Literal["evalgate.switch/1"] = "evalgate.switch/1"
    decision: Outcome
    exit: int
    made: str
    question: str
    challenger: Side
    incumbent: Side
    plan: str
    locked: str
    gold: dict[str, str]
    attempt: int
    attempts: int
    alpha: float
    rows: int
    check: str = ""
    compared: tuple[Compared, ...] = ()
    unpaired: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


NOTES = (
    "a switch moves nothing: 'evalgate gate promote' does, and asks for this decision where the base is another one",
    "gold sets of the split dev have been seen by whoever chose the challenger; the sealed sets, where there are some, are asked by 'gate check --sealed'",
)

_COLUMNS = ("row", "finding", "bound", "difference", "low", "high", "at least", "units")


def blocks(switch: Switch) -> list[Block]:
    """The decision as parts of a report."""
    found: list[Block] = [
        (
            "line",
            f"switch: {_side(switch.incumbent)} -> {_side(switch.challenger)}",
        ),
        (
            "line",
            f"attempt {switch.attempt} of {switch.attempts} on these gold sets, one-sided alpha {switch.alpha:g}; plan {short_digest(switch.plan)}",
        ),
    ]
    for head, table in _tables(switch):
        found += [("head", head), ("table", table)]
    for head, items in _lists(switch):
        found += [("head", head), *(("item", item) for item in items)]
    return found


def _tables(switch: Switch) -> Iterator[tuple[str, Table]]:
    for claim, head in (
        (True, "claimed to be better: one of these has to be proven (Holm)"),
        (False, "no worse than its margin: all of these have to be proven"),
    ):
        rows = [_cells(one) for one in switch.compared if one.claim == claim]
        if rows:
            right = tuple(i > 2 for i in range(len(_COLUMNS)))
            yield head, Table(head=_COLUMNS, right=right, rows=list(rows))


def _lists(switch: Switch) -> Iterator[tuple[str, tuple[str, ...]]]:
    if switch.unpaired:
        yield "not compared item by item; only the thresholds hold there", switch.unpaired
    if switch.reasons:
        yield "reasons", switch.reasons
    yield "notes", NOTES


def _side(side: Side) -> str:
    return f"{side.name} ({short_digest(side.digest)})"


def switch_text(switch: Switch) -> str:
    """For a terminal."""
    return blocks_text(blocks(switch))


def switch_markdown(switch: Switch) -> str:
    """For a job summary, and beside the record."""
    return f"# {switch.decision}\n\n" + blocks_markdown(blocks(switch))


def switch_html(switch: Switch) -> str:
    """The page: complete HTML5 text, to be written as UTF-8. Any string is shown as text, whatever it holds."""
    known = [("made", text(switch.made)), ("own check", code(switch.check)), ("locked plan", code(switch.locked))]  # fmt: skip
    known += [(side.name, code(side.digest)) for side in (switch.challenger, switch.incumbent)]
    known += [(path, code(gold)) for path, gold in switch.gold.items()]
    told = "".join(f"<p>{text(said)}</p>" for kind, said in blocks(switch) if kind == "line")
    tables = (small_table(head, table.head, map(_markup, table.rows), numbers=5) for head, table in _tables(switch))  # fmt: skip
    body = [
        f"<header>\n<h1>{text(switch.decision)}</h1>\n{told}\n</header>",
        section("rows", "Row by row", *tables),
        *(
            section(f"list-{i}", head, f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>")
            for i, (head, items) in enumerate(_lists(switch))
        ),
        section("provenance", "Provenance", facts(known)),
    ]  # fmt: skip
    title = f"{switch.decision}: {switch.incumbent.name} to {switch.challenger.name}"
    return page(title, body, kind="switch")


def _markup(row: tuple[str, ...] | str) -> list[str]:
    return [text(cell) if i < 3 else number(cell) for i, cell in enumerate(row)]


def _cells(one: Compared) -> tuple[str, ...]:
    ends = (low_text(one.low), high_text(one.high)) if one.low is not None else (NONE, NONE)
    return (
        one.name,
        f"{STATUS[one.status].symbol} {one.status}",
        one.method,
        value_text(one.difference),
        *ends,
        f"{one.bound:+g}",
        str(one.units),
    )
