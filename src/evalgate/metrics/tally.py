"""The one streaming pass that all unit metrics share: rows -> numbers per unit -> Estimate.

A scorer says of one answer what it adds to its unit: `(num, den, due)`. The unit's score is num / den. All three are
integers, so that sums are exact and the order of rows changes no bit. `due` is what the gold answer alone demands
(entities to find, 1 for an answer that can be right or wrong): a unit with something due and no `den` scores 0, a unit
with neither has no denominator and is counted in `items` only.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, NoReturn

import msgspec

from evalgate.metrics.estimate import (
    MIN_UNITS,
    Binary,
    Difference,
    Estimate,
    FirstRelease,
    PairedBinary,
    Ratio,
    Sample,
    UnitMean,
)
from evalgate.records import Answer, Record, Status

Cell = tuple[int, int, int]
"""(num, den, due) of one answer, all >= 0."""

WORST = 5
"""How many of the worst items an estimate names."""

_MASK = (1 << 64) - 1


_blake = blake2b(digest_size=8)


def hash64(text: str) -> int:
    """64 bits of BLAKE2b of `text`: the same in every process, unlike `hash`."""
    state = _blake.copy()  # half the price of a new one
    state.update(text.encode())
    return int.from_bytes(state.digest(), "little")


def fingerprint(ids: Iterable[str]) -> int:
    """Sum of the 64-bit hashes of `ids`, mod 2**64: equal for equal multisets of ids in whatever order."""
    return sum(map(hash64, ids)) & _MASK


class Plan(Record, kw_only=True):
    """How one metric scores: its scorer, and what its unit scores mean."""

    name: str
    score: Callable[[Answer], Cell]
    tag: str | None = None
    binary: bool = False
    """Every counted item is 0 or 1: with one item per unit the exact methods apply."""
    micro: bool = False
    den_max: int | None = None
    """micro only: largest `den` of a unit that the gold set's card declares."""
    ungated: str = ""
    """Why this metric can only be reported, whatever the data."""
    floor: bool = False
    """At least MIN_UNITS units even if every unit has one item."""
    worst: float = 0.0
    """The worst score of a unit: 0, or 1 for a rate of errors."""
    nothing: str = "no item"
    """What is missing when no unit has a denominator, and when nothing was due."""


class Account:
    """Counts every row that a metric is responsible for, as the rows stream by."""

    __slots__ = ("_answers", "_kinds", "_total", "items")

    def __init__(self) -> None:
        self.items = 0
        self._answers: dict[Status, int] = {}
        self._kinds: set[type] = set()
        self._total = 0

    @property
    def answers(self) -> dict[Status, int]:
        """How many of the rows seen have each status, in alphabetical order."""
        return dict(sorted(self._answers.items()))

    @property
    def unscored(self) -> int:
        """Rows that were never answered, or whose answer no judge could score."""
        return self._answers.get("missing", 0) + self._answers.get("unscored", 0)

    @property
    def coverage(self) -> int:
        """`fingerprint` of the ids seen."""
        return self._total & _MASK

    @property
    def judged(self) -> bool:
        """Whether a row is a judge's verdict, in whatever it was handed over."""
        return any(getattr(kind, "judged", False) for kind in self._kinds)

    def of(self, rows: Iterable[Answer], tag: str | None) -> Iterator[tuple[Answer, int]]:
        """The rows that carry `tag` (all if None), each with the hash of its id."""
        counts, kinds = self._answers, self._kinds
        for answer in rows:
            kinds.add(type(answer))
            if tag is not None and tag not in answer.tags:
                continue
            self.items += 1
            counts[answer.status] = counts.get(answer.status, 0) + 1
            mark = hash64(answer.id)
            self._total += mark
            yield answer, mark


class Worst:
    """The ids of the few worst rows in whatever order they come: lowest score first, among equals by id."""

    __slots__ = ("_few",)

    def __init__(self) -> None:
        self._few: list[tuple[float, str]] = []

    def add(self, entry: tuple[float, str]) -> None:
        """Keeps (score, id) if it is among the worst so far. To be called for what is not perfect only."""
        few = self._few
        if len(few) < WORST or entry < few[-1]:
            insort(few, entry)
            del few[WORST:]

    @property
    def ids(self) -> tuple[str, ...]:
        """At most `WORST` ids, worst first."""
        return tuple(item for _, item in self._few)


_FLAWLESS = (math.inf, "")


class _Unit(msgspec.Struct, gc=False):
    """Sums of one unit. Not frozen, and cheap to make: there is one per unit, and 50 000 of them are ordinary."""

    num: int
    den: int
    due: int
    n: int
    """Items that bear on the score: what makes a unit a cluster."""
    coverage: int
    worst: tuple[float, str]
    """Score and id of its worst item, `_FLAWLESS` if all are perfect."""

    @property
    def counts(self) -> bool:
        return bool(self.den or self.due)

    @property
    def score(self) -> float:
        """In [0, 1]; 0 where something was due and nothing came; 1 for silence where nothing was due."""
        if self.den:
            return self.num / self.den
        return 0.0 if self.due else 1.0


class _Tally(Record, kw_only=True):
    units: dict[str, _Unit]
    account: Account
    worst: Worst


class Pair:
    """Candidate rows with baseline rows, handed to a metric in place of rows; it then measures the difference."""

    __slots__ = ("baseline", "rows")

    def __init__(self, rows: Iterable[Answer], baseline: Any) -> None:
        self.rows = rows
        self.baseline = baseline

    def __iter__(self) -> Iterator[Answer]:
        unpaired("a metric that goes through the rows itself")

    def __repr__(self) -> str:
        return "<Pair>"


class NotPairedError(TypeError):
    """A metric that has no unit means was handed a `Pair`."""


def unpaired(what: str) -> NoReturn:
    """Refuse to pair `what`. Raises NotPairedError."""
    raise NotPairedError(
        f"paired_difference: found {what}, expected a metric of unit means (recall, precision, f1, "
        "accuracy, class_recall, rate, mean, or a function that returns one of them). "
        "Compare one of those with the baseline."
    )


def is_right(answer: Answer) -> bool:
    """Whether the item was answered right; a failed answer never is. Raises ValueError if `correct` is no bool."""
    if answer.correct is True:
        return answer.status == "ok"
    if answer.correct is False:
        return False
    raise ValueError(
        f"item {answer.id}: found correct of type {type(answer.correct).__name__}, expected True or False. "
        "Return a bool from the suite's correct=."
    )


def no_items(tag: str | None) -> str:
    """The reason of an estimate without any item."""
    return "found no items" if tag is None else f"found no items tagged {tag!r}"


def _tally(rows: Iterable[Answer], plan: Plan) -> _Tally:
    """One pass over `rows`; memory grows with the units, not with the items."""
    account, worst = Account(), Worst()
    units: dict[str, _Unit] = {}
    score, find = plan.score, units.get
    errors = plan.worst == 1.0  # then the highest scores are the worst
    for answer, mark in account.of(rows, plan.tag):
        num, den, due = score(answer)
        n = 1 if den or due else 0
        low = _FLAWLESS
        if num if errors else num < den or due > den == 0:
            own = num / den if den else 0.0
            low = (-own if errors else own, answer.id)
            worst.add(low)
        unit = find(answer.unit)
        if unit is None:
            units[answer.unit] = _Unit(num, den, due, n, mark, low)
        else:
            unit.worst = min(unit.worst, low)
            unit.num += num
            unit.den += den
            unit.due += due
            unit.n += n
            unit.coverage += mark
    return _Tally(units=units, account=account, worst=worst)


def measure(rows: Iterable[Answer] | Pair, plan: Plan) -> Estimate:
    """The estimate of `plan` on `rows`, or on a `Pair` the difference of its two sides.

    What is measured of verdicts is a judge's word, whoever counts: `judge` is then "screen". Raises ValueError where the two
    sides do not hold the same items, and TypeError for a difference of micro averages.
    """
    if not isinstance(rows, Pair):
        return _level(_tally(rows, plan), plan)
    if plan.micro:
        unpaired('average="micro"')
    candidate = _tally(rows.rows, plan)
    if getattr(rows.baseline, "first_release", False):
        counting = sum(unit.counts for unit in candidate.units.values())
        return _estimate(candidate, plan, None, FirstRelease(), units=counting)
    return _difference(candidate, _tally(rows.baseline, plan), plan)


def _estimate(
    tally: _Tally,
    plan: Plan,
    value: float | None,
    sample: Sample,
    *,
    units: int,
    insufficient: str = "",
    worst: Worst | None = None,
) -> Estimate:
    return Estimate(
        metric=plan.name if sample.kind == "level" else f"difference of {plan.name}",
        value=value,
        units=units,
        items=tally.account.items,
        unscored=tally.account.unscored,
        coverage=tally.account.coverage,
        tag=plan.tag,
        sample=sample,
        insufficient=insufficient,
        lower_is_better=plan.worst == 1.0,
        worst=worst.ids if worst else (),
        answers=tally.account.answers,
        judge="screen" if tally.account.judged else None,
    )


def _level(tally: _Tally, plan: Plan) -> Estimate:
    units = [unit for unit in tally.units.values() if unit.counts]
    value: float | None
    sample: Sample
    if plan.micro:
        value, sample = _micro(units, plan)
    elif plan.binary and all(unit.n == 1 for unit in units):
        k, n = sum(unit.num for unit in units), len(units)
        value, sample = (k / n if n else None), Binary(k=k, n=n)
    else:
        scores = [unit.score for unit in units]
        value, sample = _mean(scores), UnitMean(x_counts=_counted(scores))
    lacking = _shortage(tally, units, plan)
    return _estimate(
        tally, plan, value, sample, units=len(units), insufficient=lacking, worst=tally.worst
    )


def _micro(units: list[_Unit], plan: Plan) -> tuple[float | None, Ratio]:
    pairs = sorted((unit.num, unit.den) for unit in units if unit.den)
    num, den = tuple(n for n, _ in pairs), tuple(d for _, d in pairs)
    top = max(den, default=0)
    if plan.den_max is not None and top > plan.den_max:
        raise ValueError(
            f"{plan.name}: found a unit of weight {top}, expected at most unit_weight_max = {plan.den_max}. "
            "Split the unit or correct the gold set's card."
        )
    value = sum(num) / sum(den) if den else None
    return value, Ratio(num=num, den=den, den_max=plan.den_max)


def _difference(candidate: _Tally, baseline: _Tally, plan: Plan) -> Estimate:
    _same_items(candidate, baseline, plan)
    pairs = [(unit, baseline.units[name]) for name, unit in candidate.units.items()]
    pairs = [(a, b) for a, b in pairs if a.counts or b.counts]
    value: float | None
    sample: Sample
    if plan.binary and all(a.n == 1 and b.n == 1 for a, b in pairs):
        gained = sum(a.num > b.num for a, b in pairs)
        lost = sum(a.num < b.num for a, b in pairs)
        value = (gained - lost) / len(pairs) if pairs else None
        sample = PairedBinary(b=gained, c=lost, n=len(pairs))
    else:
        scores = [a.score - b.score for a, b in pairs]
        value, sample = _mean(scores), Difference(x_counts=_counted(scores))
    larger = [a if a.n >= b.n else b for a, b in pairs]
    lacking = _shortage(candidate, larger, plan)
    if not lacking and all(a.score == b.score == plan.worst for a, b in pairs):
        lacking = (
            "found candidate and baseline at the worst score in every unit, "
            "expected a baseline that gets something right"
        )
    worst = _lost(pairs, plan)
    return _estimate(
        candidate, plan, value, sample, units=len(pairs), insufficient=lacking, worst=worst
    )


def _lost(pairs: list[tuple[_Unit, _Unit]], plan: Plan) -> Worst:
    """The candidate's worst item of each unit that lost most against the baseline."""
    sign = -1.0 if plan.worst else 1.0
    worst = Worst()
    for ours, theirs in pairs:
        lost = sign * (ours.score - theirs.score)
        if lost < 0:
            worst.add((lost, ours.worst[1]))
    return worst


def _same_items(candidate: _Tally, baseline: _Tally, plan: Plan) -> None:
    """Both sides hold the same ids in the same units and the same gold; anything else is an error, never a subset."""
    ours, theirs = candidate.units, baseline.units
    only_ours = len(ours.keys() - theirs.keys())
    only_theirs = len(theirs.keys() - ours.keys())
    other = sum(unit.coverage != theirs[u].coverage for u, unit in ours.items() if u in theirs)
    if only_ours or only_theirs or other:
        raise ValueError(
            f"paired_difference({plan.name}): found {candidate.account.items} items of the candidate and {baseline.account.items} of the "
            f"baseline ({only_ours} units only of the candidate, {only_theirs} only of the baseline, {other} with other "
            "items), expected the same items in the same units. Ask both models the same gold set."
        )
    changed = sum(unit.due != theirs[u].due for u, unit in ours.items())
    if changed:
        raise ValueError(
            f"paired_difference({plan.name}): found {changed} units whose gold answers differ between candidate and "
            "baseline, expected the same gold set. Ask both models again about the same version of it."
        )


def _shortage(tally: _Tally, units: list[_Unit], plan: Plan) -> str:
    """Why `units` cannot carry a verdict, "" if they can."""
    if not tally.account.items:
        return no_items(plan.tag)
    if not units or not any(unit.due for unit in units):
        return f"found {plan.nothing} in {tally.account.items} items"
    reasons = [plan.ungated] if plan.ungated else []
    if plan.micro and plan.den_max is None and not plan.ungated:
        reasons.append(
            "found no declared largest unit, expected unit_weight_max on the gold set's card "
            "(a micro average is only reported without it)"
        )
    clustered = plan.micro or any(unit.n > 1 for unit in units)
    if len(units) < MIN_UNITS and (clustered or plan.floor):
        why = "a metric per class" if plan.floor else "a clustered metric"
        reasons.append(f"found {len(units)} units, expected at least {MIN_UNITS} for {why}")
    return "; ".join(reasons)


def _mean(scores: list[float]) -> float | None:
    """Exactly rounded (fsum), so that the order of units changes no bit."""
    return math.fsum(scores) / len(scores) if scores else None


def _counted(scores: list[float]) -> tuple[tuple[float, int], ...]:
    return tuple(sorted(Counter(scores).items()))
