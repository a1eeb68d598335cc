"""Claims with and without the gold items that training data touched, side by side. Only those with all items decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalgate.records import Finding, Record
from evalgate.report.markup import name, number, section, small_table, text
from evalgate.report.numbers import NONE, high_text, low_text, present, value_text

COLUMNS = ("claim", "all items", "interval", "n", "finding", "without", "interval", "n", "finding")  # fmt: skip
"""n: items, then units."""
TITLE = "With and without contaminated gold items"
DECIDES = "only the claims with all items decide; leaving out the contaminated ones moves no threshold and no decision"


class Beside(Record, kw_only=True):
    """One claim: `whole` as it was decided, `without` the contaminated items; None where `why` says that it is not known."""

    whole: Finding
    without: Finding | None = None
    why: str = ""

    @property
    def turned(self) -> bool:
        """Whether the claim is met with all items, and would not be without the contaminated ones."""
        return (
            self.whole.status == "pass"
            and self.without is not None
            and self.without.status != "pass"
        )


class Contaminated(Record, kw_only=True):
    """What is known of a trained model's gold. `items`: ids by suite; `notes`: what is not known, and why."""

    items: dict[str, tuple[str, ...]]
    claims: tuple[Beside, ...] = ()
    notes: tuple[str, ...] = ()


def lines(found: Contaminated) -> Iterator[str]:
    """What has to be said in words: how many items, what would change, what is not known."""
    for suite, items in found.items.items():
        yield f"{suite}: {len(items)} gold items stand in what the model was trained on; {DECIDES}"
    for one in found.claims:
        if one.turned and one.without is not None:
            yield (
                f"{one.whole.suite} {one.whole.test} IS MET ONLY WITH CONTAMINATED ITEMS: without them it is {one.without.status}"
            )
    yield from found.notes


def rows(found: Contaminated) -> Iterator[tuple[str, ...]]:
    """A row of `COLUMNS` for each claim."""
    for one in found.claims:
        without = _cells(one.without) if one.without else (one.why, NONE, NONE, NONE)
        yield (f"{one.whole.suite} {one.whole.test}", *_cells(one.whole), *without)


def _cells(f: Finding) -> tuple[str, str, str, str]:
    bare = present(f.low) is None and present(f.high) is None
    interval = NONE if bare else f"{low_text(f.low)} to {high_text(f.high)}"
    return value_text(f.estimate), interval, f"{f.items}, {f.units}", f.status


def contaminated_section(found: Contaminated | None) -> str:
    """The section of the page; "" where there is nothing to say."""
    if found is None:
        return ""
    told = "\n".join(
        f"<li>{f'<b>{text(line)}</b>' if 'IS MET ONLY' in line else text(line)}</li>"
        for line in lines(found)
    )
    table = small_table(
        "n: items, then units. Both sides by the same metric and interval, from the kept answers",
        COLUMNS,
        ([name(row[0]), *map(number, row[1:])] for row in rows(found)),
    )
    return section("contaminated", TITLE, f'<ul class="notes">\n{told}\n</ul>', table)


def contaminated_json(found: Contaminated) -> dict[str, Any]:
    """The same as plain values: full precision, null for what is not known."""
    return {
        "decides": "whole",
        "items": {suite: list(items) for suite, items in found.items.items()},
        "claims": [
            {
                "suite": one.whole.suite,
                "test": one.whole.test,
                "whole": _numbers(one.whole),
                "without": _numbers(one.without) if one.without else None,
                "turned": one.turned,
                "why": one.why,
            }
            for one in found.claims
        ],
        "notes": list(found.notes),
    }


def _numbers(f: Finding) -> dict[str, Any]:
    return {
        "status": f.status,
        "estimate": present(f.estimate),
        "low": present(f.low),
        "high": present(f.high),
        "items": f.items,
        "units": f.units,
        "method": f.method,
        "alpha": present(f.alpha),
    }
