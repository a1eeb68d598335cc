"""Clinicians' labels with a judge beside them, simulated: what is promised, and what the shortcuts cost."""

from __future__ import annotations

import math

import pytest
from judge_table import ALPHA, BETTER, JUDGES, LABELS, THRESHOLD, rates

REPETITIONS = 1_500

# What an independent simulation with 400 to 2 000 repetitions found, per judge and number of labels: false promotions by
# the worst-atom bound and by textbook PPI++, then power of labels alone and of the worst-atom bound.
FALSE = {("lenient", 100): (0.047, 0.123), ("good", 100): (0.034, 0.101), ("strong", 100): (0.024, 0.098), ("weak", 100): (0.028, 0.097)}  # fmt: skip
POWER = {
    ("lenient", 100): (0.29, 0.45), ("lenient", 200): (0.57, 0.71), ("good", 100): (0.28, 0.46),
    ("good", 200): (0.59, 0.76), ("strong", 100): (0.26, 0.58), ("weak", 100): (0.28, 0.33),
}  # fmt: skip
FEWEST = 400  # repetitions that the least of those figures may rest on


def near(found: float, expected: float, repetitions: int = REPETITIONS) -> bool:
    """Within three standard errors of two simulations."""
    spread = expected * (1 - expected) * (1 / repetitions + 1 / FEWEST)
    return abs(found - expected) <= 3 * math.sqrt(spread)


def most(repetitions: int) -> float:
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / repetitions)


def test_a_lenient_judge_alone_promotes_nearly_every_model_at_the_threshold_in_a_small_simulation():
    found = rates("lenient", 100, THRESHOLD, 150)
    assert found["judge alone"] > 0.9
    assert found["evalgate"] <= most(150)


@pytest.mark.slow
@pytest.mark.parametrize("n", LABELS)
@pytest.mark.parametrize("judge", JUDGES)
def test_labels_with_any_judge_beside_them_keep_the_promise(judge, n):
    found = rates(judge, n, THRESHOLD, REPETITIONS)
    assert found["evalgate"] <= most(REPETITIONS)
    assert found["labels alone"] <= most(REPETITIONS)
    # whether the judge is used may be decided by the same labels
    assert found["if it qualifies"] <= most(REPETITIONS)
    assert found["either"] <= most(REPETITIONS)
    if (judge, n) in FALSE:
        ours, textbook = FALSE[judge, n]
        assert near(found["evalgate"], ours)
        assert near(found["textbook PPI++"], textbook)


@pytest.mark.slow
@pytest.mark.parametrize("judge", JUDGES)
def test_the_textbook_interval_promises_what_it_does_not_keep(judge):
    assert rates(judge, 100, THRESHOLD, REPETITIONS)["textbook PPI++"] > most(REPETITIONS)


@pytest.mark.slow
@pytest.mark.parametrize("n", LABELS)
@pytest.mark.parametrize("judge", JUDGES)
def test_a_judge_makes_labels_go_further_as_far_as_it_agrees(judge, n):
    found = rates(judge, n, BETTER, REPETITIONS)
    gain = found["evalgate"] - found["labels alone"]
    noise = 3 * math.sqrt(0.5 / REPETITIONS)
    if judge == "useless":
        assert abs(gain) <= noise
    else:
        assert gain >= (0.10 if judge != "weak" else 0.0)
    if (judge, n) in POWER:
        alone, ours = POWER[judge, n]
        assert near(found["labels alone"], alone)
        assert near(found["evalgate"], ours)


@pytest.mark.slow
def test_a_judge_alone_is_wrong_in_both_directions():
    assert rates("lenient", 100, THRESHOLD, REPETITIONS)["judge alone"] > 0.95
    assert (
        rates("good", 100, BETTER, REPETITIONS)["judge alone"] < 0.25
    )  # harsh: it blocks the better model
    assert rates("weak", 100, BETTER, REPETITIONS)["judge alone"] < 0.05


@pytest.mark.slow
def test_a_lenient_judge_keeps_the_promise_at_a_higher_threshold_too():
    found = rates("lenient", 100, 0.95, REPETITIONS, threshold=0.95)
    assert found["evalgate"] <= most(REPETITIONS)
    assert near(found["evalgate"], 0.041)
    assert near(found["textbook PPI++"], 0.161)
