"""Two answers compared in both orders: what a judge keeps to is its choice, the rest is a tie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from evalgate.judge.calibration_table import ALPHA, Positions, Rate
from evalgate.judge.qualification import position_consistency, settle_order
from evalgate.records import Record
from evalgate.stats import cp_lower, cp_upper

from .asked import Judged

_OTHER = {"a": "b", "b": "a"}


class Pairs(Record, kw_only=True):
    """`right`: pairs of which the judge chose the better answer in both orders; `wrong`: the worse in both.

    `tied`: it changed its choice with the order. `undecided`: in some order it made none. `traps`: `right` among the
    pairs whose worse answer is the longer one.
    """

    positions: Positions
    right: Rate
    wrong: int
    tied: int
    undecided: int
    traps: Rate


def of_pairs(judged: Iterable[Judged]) -> Pairs:
    """From verdicts on whether a text is better than the other answer, which stands before it in the question."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(one.item.group, []).append(one)
    orders: list[tuple[str, str]] = []
    outcomes: Counter[str] = Counter()
    traps: list[bool] = []
    for pair in groups.values():
        a, b = sorted(pair, key=lambda one: one.item.case.id)
        order = (_choice(b, "b"), _choice(a, "a"))  # where b is the text to check, a is shown first
        outcome = _outcome(order, "a" if a.item.answer == "met" else "b")
        orders.append(order)
        outcomes[outcome] += 1
        better, worse = (a, b) if a.item.answer == "met" else (b, a)
        if len(worse.item.case.output) > len(better.item.case.output):
            traps.append(outcome == "right")
    return Pairs(
        positions=position_consistency(orders),
        right=_rate(outcomes["right"], len(orders)),
        wrong=outcomes["wrong"],
        tied=outcomes["tied"],
        undecided=outcomes["undecided"],
        traps=_rate(sum(traps), len(traps)),
    )


def _choice(judged: Judged, text: str) -> str:
    """Which answer was chosen, where `text` was the one to check; "void" if none."""
    return {"met": text, "not_met": _OTHER[text]}.get(judged.verdict.answer, "void")


def _outcome(order: tuple[str, str], better: str) -> str:
    if "void" in order:
        return "undecided"
    chosen = settle_order(*order)
    if chosen == "tie":
        return "tied"
    return "right" if chosen == better else "wrong"


def _rate(hits: int, of: int) -> Rate:
    return Rate(hits=hits, of=of, low=cp_lower(hits, of, ALPHA), high=cp_upper(hits, of, ALPHA))
