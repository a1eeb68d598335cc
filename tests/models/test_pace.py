"""The pace alone, without a network: what a share of throttled attempts does to it."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.models.pace import Pace


def run(pace: Pace, attempts: int, throttled) -> list[int]:
    """Full batches of `pace.limit` attempts; returns the limit after each batch."""
    limits = []

    async def batches() -> None:
        done = 0
        while done < attempts:
            tickets = [await pace.enter() for _ in range(pace.limit)]
            for ticket in tickets:
                pace.leave(ticket, throttled=throttled(done))
                done += 1
            limits.append(pace.limit)

    asyncio.run(batches())
    return limits


@pytest.mark.parametrize("most", [1, 4, 16, 64, 256])
def test_every_twentieth_attempt_throttled_never_lowers_the_limit(most: int):
    assert min(run(Pace(most), 20_000, lambda i: i % 20 == 0)) == most


@pytest.mark.parametrize("most", [16, 64, 256])
def test_one_in_twenty_by_chance_hardly_ever_lowers_the_limit(most: int):
    draw = random.Random(1)
    limits = run(Pace(most), 100_000, lambda i: draw.random() < 0.05)
    assert sum(limits) / len(limits) > 0.99 * most


def test_a_storm_halves_the_limit_again_and_again_down_to_one():
    assert run(Pace(64), 300, lambda i: True)[-1] == 1


def test_the_limit_recovers_after_a_storm():
    limits = run(Pace(64), 3000, lambda i: i < 400)
    assert min(limits) == 1
    assert limits[-1] == 64


@given(st.integers(1, 100), st.lists(st.booleans(), max_size=600))
def test_the_limit_stays_between_one_and_most(most: int, outcomes: list[bool]):
    limits = run(Pace(most), len(outcomes), lambda i: i < len(outcomes) and outcomes[i])
    assert all(1 <= limit <= most for limit in limits)


def test_attempts_begun_before_the_limit_moved_are_not_held_against_the_new_one():
    pace = Pace(64)

    async def one_burst() -> None:
        tickets = [await pace.enter() for _ in range(64)]
        for ticket in tickets:
            pace.leave(ticket, throttled=True)

    asyncio.run(one_burst())
    assert pace.limit == 32  # one burst, one step


def test_who_waits_is_let_in_when_another_leaves():
    pace = Pace(1)
    order = []

    async def visit(name: str) -> None:
        ticket = await pace.enter()
        order.append(name)
        await asyncio.sleep(0)
        assert pace.active == 1
        pace.leave(ticket, throttled=False)

    async def all_of_them() -> None:
        await asyncio.gather(*(visit(n) for n in "abc"))

    asyncio.run(all_of_them())
    assert order == ["a", "b", "c"]


def test_a_visitor_who_gave_up_does_not_block_the_next():
    pace = Pace(1)

    async def story() -> None:
        ticket = await pace.enter()
        gone = asyncio.ensure_future(pace.enter())
        stays = asyncio.ensure_future(pace.enter())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        pace.leave(ticket, throttled=False)
        await asyncio.wait_for(stays, 1)

    asyncio.run(story())
