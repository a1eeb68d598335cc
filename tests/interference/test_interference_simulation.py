"""How often alarms are false with five tasks of which none got worse, and how often a true drop is missed. Seeded."""

from __future__ import annotations

import numpy as np
import pytest

from evalgate.release.early_alarm import Loss, early_alarm
from evalgate.stats import holm_adjust
from evalgate.stats.harm import detectable_drop, mcnemar_worse_p, sign_flip_p

pytestmark = pytest.mark.slow
TASKS, ALPHA = 5, 0.05


def with_error(alpha, runs):
    """`alpha` and three standard errors of a share of so many runs."""
    return alpha + 3 * (alpha * (1 - alpha) / runs) ** 0.5


def shares(runs, p_values):
    """The share of runs with an alarm after Holm, and with one uncorrected."""
    drawn = [p_values() for _ in range(runs)]
    holm = sum(min(holm_adjust(p)) <= ALPHA for p in drawn) / runs
    return holm, sum(min(p) <= ALPHA for p in drawn) / runs


@pytest.mark.parametrize(("units", "discordance"), [(200, 0.1), (600, 0.3)])
def test_false_alarms_of_right_and_wrong_answers_stay_below_alpha(units, discordance):
    rng, runs = np.random.default_rng(units), 4000

    def p_values():
        differ = rng.binomial(units, discordance, TASKS)
        won = rng.binomial(differ, 0.5)
        return [mcnemar_worse_p(int(b), int(m - b)) for b, m in zip(won, differ, strict=True)]

    holm, plain = shares(runs, p_values)
    print(f"{units} units, {discordance:.0%} differ: Holm {holm:.4f}, uncorrected {plain:.4f}")
    assert holm <= with_error(ALPHA, runs)
    assert plain > 2 * ALPHA


def test_false_alarms_of_graded_answers_stay_below_alpha():
    rng, runs = np.random.default_rng(3), 1000

    def p_values():
        scores = rng.choice([-0.5, -0.25, 0.0, 0.25, 0.5], (TASKS, 80), p=[0.05, 0.1, 0.7, 0.1, 0.05])  # fmt: skip
        return [
            sign_flip_p([(float(x), 1) for x in task], seed=int(rng.integers(1 << 30)), draws=2000)
            for task in scores
        ]

    holm, plain = shares(runs, p_values)
    print(f"80 graded units: Holm {holm:.4f}, uncorrected {plain:.4f}")
    assert holm <= with_error(ALPHA, runs)
    assert plain > 2 * ALPHA


@pytest.mark.parametrize("rows", [20, 200])
def test_false_early_alarms_of_skewed_losses_stay_near_alpha(rows):
    """Differences of gamma losses are symmetric but heavy-tailed: what the normal approximation has to bear."""
    rng, runs = np.random.default_rng(rows), 1000

    def side():
        return {f"{t}-{n}": Loss(task=f"t{t}", unit=f"{t}-{n}", loss=float(loss)) for t in range(TASKS) for n, loss in enumerate(rng.gamma(0.5, 1.0, rows))}  # fmt: skip

    def p_values():
        return [cell.p for cell in early_alarm(side(), side(), model="m", alpha=ALPHA)]

    holm, plain = shares(runs, p_values)
    print(f"{rows} rows: Holm {holm:.4f}, uncorrected {plain:.4f}")
    assert holm <= with_error(ALPHA, runs)
    assert plain > 2 * ALPHA


def test_a_visible_drop_in_one_of_five_tasks_alarms_in_four_of_five_runs():
    rng, runs, units, discordance = np.random.default_rng(5), 2000, 200, 0.1
    drop = detectable_drop(units, discordance, ALPHA / TASKS)
    share = max(discordance, drop)

    def caught():
        differ = rng.binomial(units, share)
        won = [rng.binomial(differ, (1 - drop / share) / 2)]
        lost = [differ - won[0]]
        for _ in range(TASKS - 1):
            m = rng.binomial(units, discordance)
            won.append(rng.binomial(m, 0.5))
            lost.append(m - won[-1])
        p = [mcnemar_worse_p(int(b), int(c)) for b, c in zip(won, lost, strict=True)]
        return holm_adjust(p)[0] <= ALPHA

    found = sum(caught() for _ in range(runs)) / runs
    print(f"a drop of {drop:.4f}: found in {found:.4f}")
    assert 0.77 <= found <= 0.87
