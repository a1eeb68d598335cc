"""How often is a base model switched to that should not be? `python tests/switching/false_switch_table.py [REPETITIONS]`

Five tasks, right or wrong item by item, models that differ on a tenth of the items. The rule of [gate.switch]: one claim, a margin on
every task. Beside it what many do: take the one with the higher mean, and take the one that is higher on the claimed task.
Worlds say what is true; thresholds of their own, which only make the rule stricter, are left out.
"""

from __future__ import annotations

import functools
import sys
from typing import NamedTuple

import numpy as np

from evalgate import stats

TASKS, DISCORDANCE = 5, 0.10
GAIN, MARGIN = 0.02, -0.03
ALPHA, ATTEMPTS = 0.05, 10
SIZES = (100, 300, 1000)


class World(NamedTuple):
    """True differences: on the claimed task, on the next one, on the other three. `wrong`: whether a switch is one."""

    name: str
    claimed: float
    next: float
    others: float
    wrong: bool


WORLDS = (
    World("equal on all five", 0.0, 0.0, 0.0, wrong=True),
    World("better by exactly the claimed 0.02", 0.02, 0.0, 0.0, wrong=True),
    World("better by 0.06, worse by exactly the margin on one", 0.06, -0.03, 0.0, wrong=True),
    World("better by 0.06, worse by 0.06 on one", 0.06, -0.06, 0.0, wrong=True),
    World("better by 0.04, twice the claim, equal elsewhere", 0.04, 0.0, 0.0, wrong=False),
    World("better by 0.04 on all five", 0.04, 0.04, 0.04, wrong=False),
    World("better by 0.06, equal elsewhere", 0.06, 0.0, 0.0, wrong=False),
    World("better by 0.06 on all five", 0.06, 0.06, 0.06, wrong=False),
)


class Rates(NamedTuple):
    """Shares of repetitions in which each rule switched: ours at the alpha of one attempt and of one of ten, two others."""

    once: float
    one_of_ten: float
    mean: float
    claimed: float


_lower = functools.cache(stats.tango_lower)


def rates(world: World, n: int, repetitions: int, seed: int = 1) -> Rates:
    """Repetitions of one world with `n` items a task."""
    rng = np.random.Generator(np.random.PCG64(seed))
    true = np.array([world.claimed, world.next, *[world.others] * (TASKS - 2)])
    up, down = (DISCORDANCE + true) / 2, (DISCORDANCE - true) / 2
    won = rng.binomial(n, up, (repetitions, TASKS))
    lost = rng.binomial(n - won, down / (1 - up), (repetitions, TASKS))
    differences = (won - lost) / n
    counts = list(zip(won.tolist(), lost.tolist(), strict=True))
    once, one_of_ten = (
        sum(_switches(b, c, n, alpha) for b, c in counts) / repetitions
        for alpha in (ALPHA, ALPHA / ATTEMPTS)
    )
    higher = float((differences.mean(axis=1) > 0).mean())
    return Rates(once, one_of_ten, higher, float((differences[:, 0] > 0).mean()))


def _switches(won: list[int], lost: list[int], n: int, alpha: float) -> bool:
    lows = (_lower(b, c, n, alpha) for b, c in zip(won, lost, strict=True))
    return all(low > (GAIN if i == 0 else MARGIN) for i, low in enumerate(lows))


def main(repetitions: int = 4000) -> None:
    print("| truth | items a task | the rule, one attempt | one of ten | higher mean | higher on the claimed task |\n|---|---|---|---|---|---|")  # fmt: skip
    for world in WORLDS:
        for n in SIZES:
            found = rates(world, n, repetitions)
            print(f"| {world.name} | {n} | {found.once:.3f} | {found.one_of_ten:.3f} | {found.mean:.2f} | {found.claimed:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
