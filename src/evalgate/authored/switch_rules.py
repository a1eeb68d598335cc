"""[gate.switch] of gate.toml: when another base model may take the place of the one that is in production."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from evalgate.authored.toml_file import Section
from evalgate.records import Bar, Record

_CLAIM = "SUITE.ROW = 0.02"


class SwitchRules(Record, kw_only=True):
    """What a challenger must show against the incumbent, on the same items.

    claims: by "suite.row" by how much better it must be, in [0, 1); one of them has to be proven. Without claims quality is
    not the case for the switch, and nothing may be worse. margin: how much worse any row may be, a difference in (-1, 0];
    margins: the same for single rows.
    """

    claims: dict[str, float] = msgspec.field(default_factory=dict)
    margin: float = -0.02
    margins: dict[str, float] = msgspec.field(default_factory=dict)

    def margin_of(self, row: str) -> float:
        """The margin of "suite.row"."""
        return self.margins.get(row, self.margin)

    def __str__(self) -> str:
        told = [f"margin {self.margin:g}"]
        told += [f"margin of {row} {value:g}" for row, value in sorted(self.margins.items())]
        told += [f"claim {row} by {value:g}" for row, value in sorted(self.claims.items())]
        return ", ".join(told)


def allows_more(old: SwitchRules | None, new: SwitchRules | None) -> bool:
    """Whether a switch may pass by `new` that did not by `old`: a wider margin, a claim that asks for less or is another one."""
    if old is None or new is None:
        return new is None and old is not None
    if any(new.margin_of(row) < old.margin_of(row) for row in {*old.margins, *new.margins, ""}):
        return True
    if bool(old.claims) and set(old.claims) != set(new.claims):
        return True
    return any(new.claims[row] < least for row, least in old.claims.items())


def load_rules(table: Section) -> SwitchRules | None:
    """The rules of [gate], None where it has none or they have problems (EG105 to EG108, EG973), which are noted."""
    if not table.has("switch", required=False):
        return None
    rules = table.section("switch", bracketed=2, like=f"Write [gate.switch] with margin = -0.02 and claims = {{ {_CLAIM} }}.")  # fmt: skip
    if rules is None:
        return None
    rules.only(("claims", "margin", "margins"))
    margin = rules.number("margin", -0.02)
    if margin is not None and not -1.0 < margin <= 0.0:
        rules.range("margin", "a difference above -1 and at most 0", "-0.02 is usual.")
    return SwitchRules(
        margin=-0.02 if margin is None else margin,
        margins=_numbers(rules, "margins", low=-1.0, high=0.0, said="a difference from -1 to 0"),
        claims=_numbers(rules, "claims", low=0.0, high=1.0, said="a difference from 0 to 1"),
    )


def _numbers(rules: Section, name: str, *, low: float, high: float, said: str) -> dict[str, float]:
    if not rules.has(name, required=False):
        return {}
    inner = rules.section(name, like=f"Write {name} = {{ {_CLAIM} }}.")
    found = {}
    for key in inner.table if inner is not None else ():
        assert inner is not None
        value = inner.number(key, None)
        if value is None:
            continue
        if not low <= value <= high or abs(value) == 1.0:
            inner.range(key, said)
        found[key] = value
    return found


def check_rules(
    table: Section, rules: SwitchRules, suites: Mapping[str, Mapping[str, Bar]]
) -> None:
    """Notes rows that gate.toml does not have, that no margin can be about, and margins wider than the room above a threshold."""
    known = {f"{suite}.{key}": bar for suite, rows in suites.items() for key, bar in rows.items()}
    for row in (*rules.claims, *rules.margins):
        name = "claims" if row in rules.claims else "margins"
        bar = known.get(row)
        if bar is None:
            _note(table, name, f"found {name} of `{row}`, expected SUITE.ROW of this file{_nearest(row, known)}. Correct it.")  # fmt: skip
        elif bar.all or row.split("[")[0].endswith("_vs_baseline"):
            _note(table, name, f"found {name} of `{row}`, expected a row with min or max of its own: a census has no margin, and a difference none of a difference. Take it out.")  # fmt: skip
        elif row in rules.margins:
            room = 1.0 - bar.min if bar.min is not None else bar.max
            if room is not None and -rules.margins[row] > room:
                _note(table, name, f"found the margin {rules.margins[row]:g} of `{row}`, expected no more than the {room:g} between its threshold and the best value. Narrow it.")  # fmt: skip


def _note(table: Section, name: str, message: str) -> None:
    table.problem("EG973", f"[gate.switch] {name}: {message}", "switch")


def _nearest(row: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(row, known, 1)
    return f", such as {near[0]}" if near else ""
