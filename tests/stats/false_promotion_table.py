"""How often is a model promoted that stands exactly at its threshold? Point estimate, normal interval, evalgate.

    python tests/stats/false_promotion_table.py [REPETITIONS]

prints the table of docs/statistics.md. Every cell draws data sets whose true value IS the threshold, so each promotion
is a false one and an honest rule at alpha = 0.05 promotes at most 1 in 20. Worlds are declared below, with their truth
in closed form; nothing is fitted.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from evalgate import stats

ALPHA = 0.05
SIZES = (50, 100, 300, 1000)
Z = 1.6448536269514722
DRAWS = 2_000  # enough to place a 5 % quantile once per data set; the rates average over data sets


class Verdicts(NamedTuple):
    """Who promoted in one data set."""

    point: bool
    normal: bool
    evalgate: bool


World = Callable[[np.random.Generator, int, int], Verdicts]
cp_lower = functools.cache(stats.cp_lower)
tango_lower = functools.cache(stats.tango_lower)


def binary(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
    """Independent right/wrong items, true rate 0.95."""
    k = int(rng.binomial(n, 0.95))
    p = k / n
    normal = p - Z * math.sqrt(p * (1 - p) / n)
    return Verdicts(p >= 0.95, normal >= 0.95, cp_lower(k, n, ALPHA) >= 0.95)


def mean_of(values: list[float], shares: list[float]) -> World:
    """Independent scores in [0, 1] from a finite distribution."""
    x, p = np.array(values), np.array(shares)
    truth = float(x @ p)

    def world(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
        counts = rng.multinomial(n, p)
        mean = float(counts @ x) / n
        error = math.sqrt(max(0.0, float(counts @ (x - mean) ** 2)) / (n - 1) / n)
        low = stats.worst_atom_lower(
            x_counts=list(zip(values, counts.tolist(), strict=True)),
            alpha=ALPHA, draws=DRAWS, seed=seed,
        )  # fmt: skip
        return Verdicts(mean >= truth - 1e-12, mean - Z * error >= truth, low >= truth)

    return world


SIZE = np.arange(1, 13)  # entities in a document: 1 + Poisson(5), at most 12 (the declared maximum)
SIZE_SHARE = np.array([math.exp(-5) * 5 ** (d - 1) / math.factorial(d - 1) for d in range(1, 13)])
SIZE_SHARE /= SIZE_SHARE.sum()
RATE = np.where(SIZE <= 6, 0.95, 0.85)  # long documents are worse
SPREAD = 0.3 / 0.7  # intraclass correlation 0.3: beta with a + b = (1 - 0.3) / 0.3


def documents(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(found, expected) entities of n documents, overdispersed within documents."""
    at = rng.choice(len(SIZE), n, p=SIZE_SHARE)
    rate = rng.beta(RATE[at] / SPREAD, (1 - RATE[at]) / SPREAD)
    return rng.binomial(SIZE[at], rate), SIZE[at]


def unit_mean(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
    """Each document's own recall, averaged."""
    truth = float(SIZE_SHARE @ RATE)
    found, expected = documents(rng, n)
    recall = found / expected
    normal = recall.mean() - Z * recall.std(ddof=1) / math.sqrt(n)
    low = stats.worst_atom_lower(recall, alpha=ALPHA, draws=DRAWS, seed=seed)
    return Verdicts(recall.mean() >= truth, normal >= truth, low >= truth)


def micro(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
    """Entities found of entities expected, documents as clusters, largest document declared."""
    truth = float((SIZE_SHARE * SIZE) @ RATE / (SIZE_SHARE @ SIZE))
    found, expected = documents(rng, n)
    ratio = found.sum() / expected.sum()
    residual = found - ratio * expected
    normal = ratio - Z * math.sqrt((residual**2).sum() * n / (n - 1)) / expected.sum()
    low = stats.worst_atom_ratio_lower(found, expected, ALPHA, den_max=12, draws=DRAWS, seed=seed)
    return Verdicts(ratio >= truth, normal >= truth, low >= truth)


def paired(discordance: float) -> World:
    """Paired right/wrong items, candidate truly worse by exactly the margin of 2 points."""
    margin = 0.02
    shares = [(discordance - margin) / 2, (discordance + margin) / 2, 1 - discordance]

    def world(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
        b, c, _ = (int(v) for v in rng.multinomial(n, shares))
        d = (b - c) / n
        normal = d - Z * math.sqrt(max(0.0, (b + c) / n - d * d) / n)
        low = tango_lower(b, c, n, ALPHA)
        return Verdicts(d >= -margin, normal > -margin, low > -margin)

    return world


def paired_units(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
    """Paired documents of three items; the margin is the truth."""
    values = np.array([-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1])
    shares = np.array([0.02, 0.02, 0.05, 0.83, 0.05, 0.02, 0.01])
    margin = -float(values @ shares)
    x = values[rng.choice(7, n, p=shares)]
    normal = x.mean() - Z * x.std(ddof=1) / math.sqrt(n)
    low = stats.worst_atom_lower(x, alpha=ALPHA, lo=-1.0, draws=DRAWS, seed=seed)
    return Verdicts(x.mean() >= -margin, normal > -margin, low > -margin)


PRIOR = np.array([0.5, 0.3, 0.15, 0.05])
JOINT = np.where(np.eye(4, dtype=bool), 0.95, 0.05 / 3) * PRIOR[:, None]


def _macro(table: np.ndarray) -> tuple[float, np.ndarray]:
    """Macro-F1 of a 4 x 4 table of gold x predicted, and its influence on each cell."""
    seen = table.sum(axis=0) + table.sum(axis=1)
    f1 = np.divide(2 * np.diag(table), seen, out=np.zeros(4), where=seen > 0)
    per = np.divide(1.0, seen, out=np.zeros(4), where=seen > 0) * table.sum()
    influence = np.diag(2 * per) - (f1 * per)[:, None] - (f1 * per)[None, :]
    return float(f1.mean()), influence / 4


def macro_f1(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
    """Four classes, the rarest 5 %, each item right with probability 0.95."""
    truth, _ = _macro(JOINT)
    table = rng.multinomial(n, JOINT.ravel()).reshape(4, 4)
    value, influence = _macro(table)
    error = math.sqrt(float((table * influence**2).sum())) / n
    y, yhat = np.repeat(np.indices((4, 4)).reshape(2, 16), table.ravel(), axis=1)
    low, _ = stats.worst_atom_macro_f1_bounds(
        y, yhat, classes=range(4), alpha=ALPHA, draws=DRAWS, seed=seed
    )
    return Verdicts(value >= truth, value - Z * error >= truth, low >= truth)


def judged(rng: np.random.Generator, n: int, seed: int) -> Verdicts:
    """n clinician labels and 4 n judge scores of a lenient judge (sensitivity 0.98, specificity 0.5); true rate 0.9.

    "Point estimate" is the judge's own pass rate, "normal interval" textbook PPI++.
    """
    y = (rng.random(5 * n) < 0.9).astype(float)
    f = (rng.random(5 * n) < np.where(y == 1, 0.98, 0.5)).astype(float)
    normal = stats.ppi_mean_lower(y[:n], f[:n], f[n:], alpha=ALPHA)["lower"]
    low = stats.worst_atom_ppi_lower(y[:n], f[:n], f[n:], alpha=ALPHA, draws=DRAWS, seed=seed)
    return Verdicts(float(f.mean()) >= 0.9, normal >= 0.9, low >= 0.9)


WORLDS: dict[str, World] = {
    "right/wrong, independent": binary,
    "rubric scores, 80 % full marks": mean_of(
        [1, 0, 0.1, 0.2, 0.3, 0.4, 0.5], [0.8, *([0.2 / 6] * 6)]
    ),
    "scores with 3 % catastrophes": mean_of([1, 0.9, 0], [0.57, 0.4, 0.03]),
    "recall, mean over documents": unit_mean,
    "recall, micro, declared maximum": micro,
    "against baseline, 6 % discordant": paired(0.06),
    "against baseline, 15 % discordant": paired(0.15),
    "against baseline, documents": paired_units,
    "macro-F1, rarest class 5 %": macro_f1,
    "judge plus clinician labels": judged,
}


def rates(name: str, n: int, repetitions: int, seed: int = 20260) -> tuple[float, float, float]:
    """Shares of `repetitions` data sets of n units in which point estimate, normal interval, evalgate promote."""
    rng = np.random.default_rng([seed, list(WORLDS).index(name), n])
    verdicts = np.array([WORLDS[name](rng, n, at) for at in range(repetitions)], float)
    point, normal, ours = verdicts.mean(axis=0).tolist()
    return point, normal, ours


def limit(repetitions: int) -> float:
    """alpha plus three Monte Carlo standard errors."""
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / repetitions)


def table(repetitions: int) -> Iterator[str]:
    """The lines of the Markdown table: point estimate / normal interval / **evalgate** for each size."""
    yield "| truth at the threshold | " + " | ".join(f"n = {n}" for n in SIZES) + " |"
    yield "|---|" + "---|" * len(SIZES)
    for name in WORLDS:
        cells = (rates(name, n, repetitions) for n in SIZES)
        shown = (f"{point:.3f} / {normal:.3f} / **{ours:.3f}**" for point, normal, ours in cells)
        yield f"| {name} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    for line in table(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000):
        print(line, flush=True)
