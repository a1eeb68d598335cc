"""Feasibility: thresholds that a gold set is too small to meet, even without an error, are refused before anything is asked.

Only necessary conditions are checked, each in closed form (no numpy, no scipy: this runs at every start), so that nothing
decidable is refused. With n units, one-sided alpha and z the normal quantile of 1 - alpha, the best bound that can be had is

    share, every unit right                  alpha**(1/n)                  Clopper-Pearson; worst-atom mean of ones
    difference, no pair differs              -z²/(n + z²)                  Tango's score bound at b = c = 0
    difference, every pair better            (n - z²)/(n + z²)             the same at b = n (for margins of 0 and more)
    difference, units with several items     -1 + alpha**(1/n)             worst-atom mean of zeros on [-1, 1]
    the same, every unit better              -1 + 2 alpha**(1/n)
    macro-F1 of K classes, all right         (K - 2 + 2r/(2r + e) + 2s/(2s + e))/K, e = -ln alpha; r, s = units of the two
                                             rarest classes (worst-atom bound with the other weights at their means)

`evalgate plan` says what it takes to pass with a real model; that is always more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from evalgate.authored.gate_toml import CENSUS, GateFile, is_difference, split_key
from evalgate.authored.gold import GoldSet
from evalgate.authored.problems import Problems, listing, nearest
from evalgate.records import Bar

_MACRO: Final = "macro_f1"
_MOST_UNITS: Final = 10_000_000
_LONGEST_LISTED: Final = 64


class _Population(NamedTuple):
    """The units a row speaks about: how many, whether some have several items, their name in messages, the class floor."""

    units: int
    clustered: bool
    called: str
    of_class: bool


class _Row(NamedTuple):
    """One row with what its messages and its bound need."""

    suite: str
    key: str
    bar: Bar
    alpha: float

    @property
    def difference(self) -> bool:
        return is_difference(self.key)

    @property
    def threshold(self) -> str:
        name = "min" if self.bar.min is not None else "max"
        return f"{name} = {self.value:g}"

    @property
    def value(self) -> float:
        value = self.bar.min if self.bar.min is not None else self.bar.max
        assert value is not None
        return value


def check(
    gate_file: GateFile,
    gold_by_suite: Mapping[str, GoldSet],
    problems: Problems,
    *,
    alphas: Mapping[str, float] | None = None,
) -> None:
    """Note every row that its gold set cannot decide (EG130 to EG133), with the number of units it needs.

    Suites without an entry in `gold_by_suite` are passed over. `alphas` gives the one-sided alpha of suites that are not
    decided at the file's own: a sealed gold set spends it over its attempts.
    """
    for suite, rows in gate_file.suites.items():
        gold = gold_by_suite.get(suite)
        if gold is None:
            continue
        alpha = (alphas or {}).get(suite, gate_file.settings.alpha)
        for key, bar in rows.items():
            problem = _problem(_Row(suite, key, bar, alpha), gold)
            if problem is not None:
                code, message = problem
                line = gate_file.lines.get((suite, key), 0)
                problems.add(gate_file.path, code, f"[{suite}] {key}: {message}", line=line)


def _problem(row: _Row, gold: GoldSet) -> tuple[str, str] | None:
    """Code and message of the first reason why this row cannot be decided, or None."""
    name, bracket = split_key(row.key)
    population = _population(gold, bracket)
    if population is None:
        assert bracket is not None
        return "EG132", _unknown_slice(gold, bracket)
    if row.bar.all is not None:
        return _empty_census(gold, name)
    needed = _least(partial(_reaches, row, clustered=population.clustered))
    if needed is None:
        message = f"found {row.threshold}, which no number of units can prove. Move the threshold, or call the test must_pass and write {{ all = true }}."
        return "EG130", message
    macro = _MACRO in name
    floor = _fewest_units() if population.clustered or population.of_class or macro else 0
    if population.units < max(needed, floor):
        return _too_few(row, population, needed, floor)
    return _macro_problem(row, gold) if macro else None


def _fewest_units() -> int:
    """Units that a clustered metric needs, and every class of a macro or per-class metric."""
    from evalgate.metrics import MIN_UNITS

    return MIN_UNITS


def _too_few(row: _Row, population: _Population, needed: int, floor: int) -> tuple[str, str]:
    advice = "lower the threshold" if row.bar.min is not None else "raise the threshold"
    if needed < floor:
        add = floor - population.units
        why = (
            "where a unit has several items" if population.clustered else "for a metric by classes"
        )
        message = f"found {population.units} {population.called}, expected at least {floor} {why}. Add {add} units."
        return "EG131", message
    add = needed - population.units
    even = "even without a single error"
    if row.difference:
        even = (
            "even if no answer differs" if _margin(row) < 0 else "even if every answer were better"
        )
    message = f"found {population.units} {population.called} for {row.threshold}, expected at least {needed} {even}. Add {add} units or {advice} before anything is measured."
    return "EG130", message


def _population(gold: GoldSet, bracket: str | None) -> _Population | None:
    """The units that a row's bracket text selects, or None for a text that means nothing in this gold set."""
    if bracket is None:
        return _Population(gold.units, gold.clustered(), "units", of_class=False)
    if bracket in gold.tags:
        units, clustered = gold.units_with_tag(bracket), gold.clustered(bracket)
        return _Population(units, clustered, f"units tagged {bracket}", of_class=False)
    if gold.classes is not None and bracket in gold.classes:
        clustered = bracket in gold.clustered_names
        return _Population(
            gold.classes[bracket], clustered, f"units of class {bracket}", of_class=True
        )
    if bracket in gold.labels:
        clustered = bracket in gold.clustered_names
        return _Population(gold.labels[bracket], clustered, f"units with {bracket}", of_class=False)
    return None


def _unknown_slice(gold: GoldSet, bracket: str) -> str:
    names = _vocabulary(gold)
    known = f"a tag of the gold set ({listing(gold.tags)})"
    if len(names) > len(gold.tags):
        known += f" or a class or label ({listing(names - set(gold.tags))})"
    hint = nearest(bracket, names) or " Correct the key, or tag items so."
    return f"found [{bracket}], expected {known}.{hint}"


def _vocabulary(gold: GoldSet) -> set[str]:
    """Names that may be shown: tags, labels, and classes if they look like classes and not like answers."""
    classes = gold.classes or {}
    few = len(classes) <= gold.units / 2 and all(len(c) <= _LONGEST_LISTED for c in classes)
    return set(gold.tags) | set(gold.labels) | (set(classes) if few else set())


def _empty_census(gold: GoldSet, name: str) -> tuple[str, str] | None:
    if name != CENSUS or gold.items_with_tag(CENSUS):
        return None
    message = f"found no items tagged {CENSUS}, expected at least one: a census of nothing always passes. Tag items, or remove the row and its test."
    return "EG133", message


def _margin(row: _Row) -> float:
    """The threshold of a difference as a lower end: `max` is a margin in the other direction."""
    return row.value if row.bar.min is not None else -row.value


def _reaches(row: _Row, units: int, *, clustered: bool) -> bool:
    """Whether the best bound of `units` units meets the row's threshold."""
    if not row.difference:
        best = math.pow(row.alpha, 1 / units)
        return best >= row.value if row.bar.min is not None else 1 - best <= row.value
    margin = _margin(row)
    if clustered:
        rise = 1 if margin < 0 else 2
        return -1 + rise * math.pow(row.alpha, 1 / units) >= margin
    from statistics import NormalDist

    z2 = NormalDist().inv_cdf(1 - row.alpha) ** 2
    best = -z2 / (units + z2) if margin < 0 else (units - z2) / (units + z2)
    return best >= margin


def _least(reaches: Callable[[int], bool]) -> int | None:
    """The smallest number of units for which `reaches` (monotone) holds, or None above 10 million."""
    high = 1
    while not reaches(high):
        high *= 2
        if high > _MOST_UNITS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _macro_problem(row: _Row, gold: GoldSet) -> tuple[str, str] | None:
    """Too few units in a class, or classes too small for the threshold of a macro-F1."""
    classes = gold.classes or {}
    floor = _fewest_units()
    rare = {name for name, units in classes.items() if units < floor}
    if rare:
        names = f" ({listing(rare)})" if rare <= _vocabulary(gold) else ""
        most = floor - min(classes.values())
        message = f"found {len(rare)} of {len(classes)} classes with fewer than {floor} units{names}, expected at least {floor} in each. Add up to {most} units a class, or gate another metric."
        return "EG131", message
    if row.difference or row.bar.min is None or len(classes) < 2:
        return None
    smallest, second = sorted(classes.values())[:2]

    def reaches(units: int) -> bool:
        spent = -math.log(row.alpha)
        parts = [2 * n / (2 * n + spent) for n in (max(smallest, units), max(second, units))]
        return (len(classes) - 2 + sum(parts)) / len(classes) >= row.value

    needed = _least(reaches)
    if needed is not None and needed > smallest:
        message = f"found {smallest} units in the rarest class for {row.threshold}, expected at least {needed} even without a single error. Add units or lower the threshold before anything is measured."
        return "EG130", message
    return None
