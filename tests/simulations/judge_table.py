"""A judge in place of clinicians: how often is a model promoted that stands at its threshold, and one that is better?

    python tests/simulations/judge_table.py [REPETITIONS]

prints the table of docs/statistics.md. 1 000 outputs, n of them with a clinician's label; the truth of each is right or
wrong, the judge calls a right one right with probability `right` and a wrong one wrong with probability `wrong`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from evalgate import stats

ALPHA = 0.05
THRESHOLD, BETTER = 0.90, 0.94
OUTPUTS = 1_000
LABELS = (100, 200)
DRAWS = 2_000  # enough to place a 5 % quantile once per data set; the rates average over data sets


class Judge(NamedTuple):
    """Probabilities to call a right output right, a wrong one wrong."""

    right: float
    wrong: float


JUDGES = {
    "lenient": Judge(0.98, 0.50),
    "good": Judge(0.95, 0.80),
    "strong": Judge(0.98, 0.92),
    "weak": Judge(0.90, 0.30),
    "useless": Judge(0.50, 0.50),
}
RULES = ("judge alone", "labels alone", "textbook PPI++", "evalgate", "if it qualifies", "either")
"""The last two choose by the same labels: the judge's help only where it is proven to find half of what is wrong, and,
as the worst way to choose, whichever of labels alone and labels with a judge promotes."""
cp_lower = functools.cache(stats.cp_lower)


def promoted(labelled: np.ndarray, unlabelled: int, threshold: float, seed: int) -> list[bool]:
    """What each of the RULES says of one data set.

    `labelled`: how many labelled outputs are (right, called right), (right, called wrong), (wrong, called right), (wrong,
    called wrong). `unlabelled`: how many of the others are called right.
    """
    n = int(labelled.sum())
    rest = OUTPUTS - n
    y = np.repeat([1.0, 1.0, 0.0, 0.0], labelled)
    f = np.repeat([1.0, 0.0, 1.0, 0.0], labelled)
    counts = [[1.0, unlabelled], [0.0, rest - unlabelled]]
    called = int(labelled[0] + labelled[2]) + unlabelled
    normal = stats.ppi_mean_lower(y, f, Yhat_unlabeled_counts=counts, alpha=ALPHA)["lower"]
    ours = stats.worst_atom_ppi_lower(
        y, f, Yhat_unlabeled_counts=counts, alpha=ALPHA, draws=DRAWS, seed=seed
    )
    alone = cp_lower(int(y.sum()), n, ALPHA) >= threshold
    helped = ours >= threshold
    qualifies = cp_lower(int(labelled[3]), int(labelled[2] + labelled[3]), ALPHA) >= 0.5
    return [
        cp_lower(called, OUTPUTS, ALPHA) >= threshold,
        alone,
        normal >= threshold,
        helped,
        helped if qualifies else alone,
        helped or alone,
    ]


def rates(
    name: str, n: int, truth: float, repetitions: int, *, threshold: float = THRESHOLD
) -> dict[str, float]:
    """By rule, the share of `repetitions` data sets in which a model that is right with probability `truth` is promoted."""
    judge = JUDGES[name]
    cells = np.array([
        truth * judge.right, truth * (1 - judge.right),
        (1 - truth) * (1 - judge.wrong), (1 - truth) * judge.wrong,
    ])  # fmt: skip
    rng = np.random.default_rng([20260, list(JUDGES).index(name), n, round(1000 * truth)])
    labelled = rng.multinomial(n, cells, size=repetitions)
    unlabelled = rng.binomial(OUTPUTS - n, cells[0] + cells[2], size=repetitions)
    said = [promoted(labelled[at], int(unlabelled[at]), threshold, at) for at in range(repetitions)]
    return dict(zip(RULES, np.mean(said, axis=0).tolist(), strict=True))


def table(repetitions: int) -> Iterator[str]:
    """The lines of the Markdown table: by rule, the share promoted at the threshold, then that of a better model."""
    rules = " / ".join(RULES[:3]) + f" / **{RULES[3]}**"
    yield f"| judge: right, wrong recognised | labels | {THRESHOLD:.2f}: {rules} | {BETTER:.2f}: the same |"
    yield "|---|--:|---|---|"
    for name, judge in JUDGES.items():
        for n in LABELS:
            cells = []
            for truth in (THRESHOLD, BETTER):
                found = rates(name, n, truth, repetitions)
                *others, ours = (f"{found[rule]:.3f}" for rule in RULES[:4])
                cells.append(f"{' / '.join(others)} / **{ours}**")
            yield f"| {name}: {judge.right:.2f}, {judge.wrong:.2f} | {n} | {' | '.join(cells)} |"


if __name__ == "__main__":
    for line in table(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000):
        print(line, flush=True)
