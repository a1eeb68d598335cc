"""The census of the items that must all be right."""

from __future__ import annotations

from collections.abc import Iterable

from evalgate.metrics.estimate import Census, Estimate
from evalgate.metrics.tally import WORST, Account, Pair, is_right, no_items, unpaired
from evalgate.records import Answer

TAG = "must_pass"


def must_pass(rows: Iterable[Answer]) -> Estimate:
    """The share of items tagged "must_pass" that are right (`correct=` of the suite), with the ids of those that are not.

    A census: no interval, one wrong id fails it. Accounts for the tagged items only (`tag` is "must_pass"), and is
    insufficient if there are none. Raises ValueError where `correct` is neither True nor False.
    """
    if isinstance(rows, Pair):
        unpaired("must_pass")
    account = Account()
    units: set[str] = set()
    wrong: list[str] = []
    for answer, _ in account.of(rows, TAG):
        units.add(answer.unit)
        if not is_right(answer):
            wrong.append(answer.id)
    n, listed = account.items, tuple(sorted(wrong))
    return Estimate(
        metric="must_pass",
        value=(n - len(wrong)) / n if n else None,
        units=len(units),
        items=n,
        unscored=account.unscored,
        coverage=account.coverage,
        tag=TAG,
        sample=Census(wrong=listed, n=n),
        insufficient="" if n else no_items(TAG),
        worst=listed[:WORST],
        answers=account.answers,
    )
