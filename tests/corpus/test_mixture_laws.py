"""The laws of a mixture: caps hold, shares follow the formula, nothing is lost, chance is the seed alone."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalgate.corpus.mix import Blend, order, rows_of_tasks
from evalgate.errors import UsageError

tasks = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 3000), min_size=1)
recipes = st.builds(
    Blend,
    temperature=st.sampled_from([0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 1000.0]),
    cap_repeats=st.integers(1, 6),
    max_share=st.dictionaries(st.sampled_from("abc"), st.sampled_from(["0.05", "0.1", "0.29", "0.333", "0.5", "1"]), max_size=3),
    rows=st.none() | st.integers(1, 20_000),
    seed=st.integers(0, 2**40),
)  # fmt: skip
examples = settings(deadline=None)


def counts_or_none(available, recipe):
    try:
        return rows_of_tasks(available, recipe)
    except UsageError as error:
        assert error.code == "EG831"
        return None


@examples
@given(tasks, recipes)
def test_caps_hold_and_every_task_is_there(available, recipe):
    counts = counts_or_none(available, recipe)
    assume(counts is not None)
    total = sum(counts.values())
    assert counts.keys() == available.keys()
    assert all(n >= 1 for n in counts.values())
    for task, n in counts.items():
        assert n <= available[task] * recipe.cap_repeats
        assert n <= Fraction(recipe.max_share.get(task, "1")) * total
    assert total == (recipe.rows or total) <= max(recipe.rows or 0, sum(available.values()))


@examples
@given(tasks, recipes)
def test_every_task_has_the_share_of_the_formula_or_its_cap_within_a_row(available, recipe):
    """Of the real numbers min(cap, level x weight) that sum to the total; the level is found by bisection here."""
    counts = counts_or_none(available, recipe)
    assume(counts is not None)
    total = sum(counts.values())
    cap = {t: min(n * recipe.cap_repeats, math.floor(Fraction(recipe.max_share.get(t, "1")) * total)) for t, n in available.items()}  # fmt: skip
    weight = {t: (n / max(available.values())) ** (1 / recipe.temperature) for t, n in available.items()}  # fmt: skip
    low, high = 0.0, max(cap[t] / weight[t] for t in available)
    for _ in range(200):
        level = (low + high) / 2
        enough = sum(min(cap[t], level * weight[t]) for t in available) >= total
        low, high = (low, level) if enough else (level, high)
    for task, n in counts.items():
        assert abs(n - min(cap[task], high * weight[task])) < 1 + 1e-6


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 200), min_size=1), recipes)
def test_what_is_refused_cannot_be_had(available, recipe):
    """Without --rows the largest mixture that the caps allow is taken; with it, that many or none."""
    assume(recipe.max_share.keys() <= available.keys() and (recipe.rows or 0) < 3000)
    best = 0
    for total in range(1, (recipe.rows or sum(available.values())) + 1):
        most = (min(n * recipe.cap_repeats, math.floor(Fraction(recipe.max_share.get(t, "1")) * total)) for t, n in available.items())  # fmt: skip
        if sum(most) >= total:
            best = total
    counts = counts_or_none(available, recipe)
    if counts is not None:
        assert sum(counts.values()) == best
    elif recipe.rows is None and best:
        with pytest.raises(UsageError, match="would get no row"):
            rows_of_tasks(available, recipe)


def test_temperature_one_leaves_shares_as_they_are_and_a_high_one_makes_them_equal():
    available = {"a": 1000, "b": 100}
    assert rows_of_tasks(available, Blend(temperature=1.0)) == available
    assert rows_of_tasks(available, Blend(temperature=1000.0, cap_repeats=100, rows=1000)) == {"a": 501, "b": 499}  # fmt: skip
    assert rows_of_tasks({"a": 900, "b": 100}, Blend(rows=400)) == {"a": 300, "b": 100}  # 30 : 10


@pytest.mark.parametrize("temperature", [0.0, -1.0, 0.09, 1001.0, math.nan, math.inf])
def test_a_temperature_that_says_nothing_is_refused(temperature):
    with pytest.raises(UsageError, match="EG831"):
        rows_of_tasks({"a": 1}, Blend(temperature=temperature))


@pytest.mark.parametrize(
    ("available", "recipe", "told"),
    [
        ({"a": 10}, Blend(max_share={"b": "0.5"}), "share for b"),
        ({"a": 10}, Blend(max_share={"a": "0.5"}), "at most 0 rows"),
        ({"a": 10, "b": 10}, Blend(rows=81), "at most 80 rows"),
        ({"a": 1000, "b": 10}, Blend(rows=3, temperature=1.0), "b would get no row"),
        ({"a": 10, "b": 10}, Blend(max_share={"b": "0"}), "b would get no row"),
    ],
)
def test_a_mixture_that_cannot_be_had_is_refused_and_says_why(available, recipe, told):
    with pytest.raises(UsageError, match=told):
        rows_of_tasks(available, recipe)


small = st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(1, 40), st.integers(1, 100)), min_size=1)  # fmt: skip


def numbered(sizes):
    """Rows of each task, numbered on through all of them, and how many are wanted."""
    start, rows = 0, {}
    for task, (n, _) in sizes.items():
        rows[task] = np.arange(start, start + n)
        start += n
    return rows, {task: wanted for task, (_, wanted) in sizes.items()}


@examples
@given(small, st.integers(0, 2**64))
def test_every_row_comes_once_before_one_comes_again(sizes, seed):
    rows, counts = numbered(sizes)
    taken, epochs = order(rows, counts, seed)
    assert len(taken) == sum(counts.values())
    for task, every in rows.items():
        mine = np.isin(taken, every)
        assert mine.sum() == counts[task]
        assert (np.diff(epochs[mine]) >= 0).all()  # in the order of the list
        for epoch in range(counts[task] // every.size + 1):
            once = taken[mine & (epochs == epoch)]
            assert len(set(once.tolist())) == len(once) == min(every.size, counts[task] - epoch * every.size)  # fmt: skip


@examples
@given(small, st.integers(0, 2**64))
def test_every_stretch_of_the_list_has_nearly_the_shares_of_the_whole(sizes, seed):
    rows, counts = numbered(sizes)
    taken, _ = order(rows, counts, seed)
    total = len(taken)
    for task, every in rows.items():
        so_far = np.cumsum(np.isin(taken, every))
        exact = np.arange(1, total + 1) * counts[task] / total
        assert (abs(so_far - exact) <= len(counts) + 1).all()


@examples
@given(small, st.integers(0, 2**64))
def test_equal_seeds_give_equal_lists_whatever_order_the_tasks_come_in(sizes, seed):
    rows, counts = numbered(sizes)
    turned = dict(reversed(rows.items()))
    for one, other in zip(order(rows, counts, seed), order(turned, counts, seed), strict=True):
        assert (one == other).all()


def test_another_seed_and_another_round_give_another_order():
    rows, counts = {"a": np.arange(1000)}, {"a": 2000}
    first, _ = order(rows, counts, 1)
    other, _ = order(rows, counts, 2)
    assert (first != other).mean() > 0.99
    assert (first[:1000] != first[1000:]).mean() > 0.99


def test_the_order_of_a_seed_never_changes():
    """A list that was trained on must be made again in five years: these numbers are part of the format."""
    taken, epochs = order({"a": np.arange(5), "b": np.arange(5, 8)}, {"a": 5, "b": 6}, 7)
    assert list(zip(taken.tolist(), epochs.tolist(), strict=True)) == [(3, 0), (6, 0), (7, 0), (4, 0), (5, 0), (0, 0), (7, 1), (2, 0), (6, 1), (1, 0), (5, 1)]  # fmt: skip


def test_orders_are_fair():
    """Over many seeds each row stands in each place equally often: chi-square over 8 x 8 cells, 49 degrees of freedom."""
    found = np.zeros((8, 8))
    for seed in range(2000):
        found[order({"a": np.arange(8)}, {"a": 8}, seed)[0], np.arange(8)] += 1
    assert ((found - 250) ** 2 / 250).sum() < 85.4  # the 0.999 quantile
