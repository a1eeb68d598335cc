"""What the draw is for: units of unequal size, and a judge that knows which outputs people read.

    python tests/simulations/judge_draw.py [REPETITIONS]

prints the figures of docs/statistics.md: shares of models at the threshold that are promoted.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
from judge_table import ALPHA, DRAWS, JUDGES, OUTPUTS, THRESHOLD

from evalgate.judge.draw import draw
from evalgate.judge.metrics import Corrected, _alike

LABELS = 200
UNITS, LARGE, SIZE = 600, 0.2, 5
"""A fifth of the units hold five items, the others one."""
# chance of a right item in (small, large) units; over units the mean is the threshold both times, over items it is not
WORLDS = {"large ones fail": (0.95, 0.70), "large ones pass": (0.875, 1.0)}
SHADES = (0.25, 0.375, 0.5, 0.625, 0.75, 1.0)
"""Of the faulty outputs that nobody reads, the share that a judge who knows the draw praises."""


def promotes(y: np.ndarray, f: np.ndarray, rest: np.ndarray, seed: int) -> bool:
    """What the gate says of labels, the judge's guesses of the same units and of the others, as `judge.metrics` does it."""
    known = _alike(f.tolist(), rest.tolist())
    sample = Corrected(
        y=tuple(y.tolist()),
        f=tuple(f.tolist()) if known else (),
        rest=tuple(rest.tolist()) if known else (),
    )
    low = sample.bounds(ALPHA, seed, DRAWS)[0]
    return low is not None and low >= THRESHOLD


def unequal(world: str, judge: str, repetitions: int) -> tuple[float, float, float]:
    """(promoted by labels alone, promoted with the judge, mean of the labels) where units differ in size and in quality."""
    small, large = WORLDS[world]
    right, wrong = JUDGES[judge]
    rng = np.random.default_rng([4, list(WORLDS).index(world), list(JUDGES).index(judge)])
    sizes = np.where(np.arange(UNITS) < LARGE * UNITS, SIZE, 1)
    items = [
        SimpleNamespace(id=f"{unit}-{k}", unit=str(unit), tags=())
        for unit, size in enumerate(sizes)
        for k in range(size)
    ]
    alone = helped = 0
    means = []
    for at in range(repetitions):
        good = rng.binomial(sizes, np.where(sizes == 1, small, large))
        called = rng.binomial(good, right) + rng.binomial(sizes - good, 1 - wrong)
        y, f = good / sizes, called / sizes
        seen = np.zeros(UNITS, bool)
        seen[[int(name.partition("-")[0]) for name in draw(items, LABELS, f"{world}{at}")]] = True
        none = np.array([])
        alone += promotes(y[seen], none, none, at)
        helped += promotes(y[seen], f[seen], f[~seen], at)
        means.append(y[seen].mean())
    return alone / repetitions, helped / repetitions, float(np.mean(means))


def knowing(shade: float, repetitions: int) -> float:
    """Promoted beside a judge that tells the truth of what people read, and praises a share of the faults elsewhere."""
    rng = np.random.default_rng([5, round(1000 * shade)])
    promoted = 0
    for at in range(repetitions):
        y = (rng.random(LABELS) < THRESHOLD).astype(float)
        elsewhere = (rng.random(OUTPUTS - LABELS) < THRESHOLD) | (
            rng.random(OUTPUTS - LABELS) < shade
        )
        promoted += promotes(y, y, elsewhere.astype(float), at)
    return promoted / repetitions


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    for name in WORLDS:
        for judge in ("lenient", "good", "strong"):
            one, both, mean = unequal(name, judge, times)
            print(
                f"{name}, {judge} judge: labels alone {one:.3f}, with it {both:.3f}; mean {mean:.4f}"
            )
    for shade in SHADES:
        print(f"praises {shade:.3f} of the faults that nobody reads: {knowing(shade, times):.3f}")
