"""The promise where units differ in size, and beside a judge that knows which outputs people read."""

from __future__ import annotations

import math

import pytest
from judge_draw import WORLDS, knowing, unequal
from judge_table import ALPHA, THRESHOLD


def most(repetitions: int) -> float:
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / repetitions)


@pytest.mark.parametrize("world", WORLDS)
def test_units_of_unequal_size_keep_the_promise_in_a_small_simulation(world):
    alone, helped, mean = unequal(world, "good", 150)
    assert alone <= most(150)
    assert helped <= most(150)
    assert mean == pytest.approx(THRESHOLD, abs=0.01), "the draw prefers no size"


def test_a_judge_that_praises_all_that_nobody_reads_keeps_it_too_in_a_small_simulation():
    assert knowing(1.0, 150) <= most(150)


@pytest.mark.slow
@pytest.mark.parametrize("judge", ["lenient", "strong"])
@pytest.mark.parametrize("world", WORLDS)
def test_units_of_unequal_size_keep_the_promise(world, judge):
    alone, helped, mean = unequal(world, judge, 1_000)
    assert alone <= most(1_000)
    assert helped <= most(1_000)
    assert mean == pytest.approx(THRESHOLD, abs=0.004)


@pytest.mark.slow
def test_who_praises_more_is_found_out_and_who_praises_less_is_why_endpoints_do_not_count():
    assert knowing(1.0, 1_000) <= most(1_000)
    assert knowing(0.5, 1_000) > 3 * ALPHA, "no test of the answers can tell this judge from luck"
