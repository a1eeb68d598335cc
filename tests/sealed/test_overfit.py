"""The overfit alarm compares the same claim on dev and sealed items, in the direction that is better."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evalgate import stats
from evalgate.gate.overfit import errors_apart, overfit
from evalgate.records import Decision, Finding


def finding(estimate: float, n: int = 400, *, test: str = "accuracy", alpha: float = 0.05, **bar):
    k = round(estimate * n)
    return Finding(
        suite="triage",
        test=test,
        status="pass",
        estimate=k / n,
        low=stats.cp_lower(k, n, alpha),
        high=stats.cp_upper(k, n, alpha),
        units=n,
        items=n,
        unscored=0,
        threshold=bar or {"min": 0.8},
        method="Clopper-Pearson",
        alpha=alpha,
    )


def decision(*findings: Finding) -> Decision:
    return Decision(
        decision="open",
        exit=0,
        reasons=(),
        model={"name": "a", "digest": "d"},
        plan="p",
        findings=findings,
    )


def test_the_distance_is_that_of_two_shares():
    found = errors_apart(finding(0.95), finding(0.85, alpha=0.005))
    exact = 0.10 / math.hypot(*(math.sqrt(p * (1 - p) / 400) for p in (0.95, 0.85)))
    assert found == pytest.approx(exact, rel=0.12)  # exact intervals are a little wider
    assert found < exact


def test_only_better_on_dev_is_named():
    assert len(overfit(decision(finding(0.95)), decision(finding(0.85)))) == 1
    assert overfit(decision(finding(0.85)), decision(finding(0.95))) == ()
    assert overfit(decision(finding(0.90)), decision(finding(0.89))) == ()


def test_of_faults_fewer_on_dev_is_better():
    few, many = finding(0.02, max=0.1), finding(0.09, max=0.1)
    (named,) = overfit(decision(few), decision(many))
    assert named.errors > 2
    assert "0.0200 on dev, 0.0900 on sealed" in str(named)
    assert overfit(decision(many), decision(few)) == ()


def test_a_census_and_a_claim_of_one_side_only_say_nothing():
    census = Finding(
        suite="triage", test="must_pass", status="pass", estimate=1.0, low=None, high=None, units=5,
        items=5, unscored=0, threshold={"all": True}, method="census", alpha=0.05,
    )  # fmt: skip
    assert overfit(decision(census), decision(census)) == ()
    assert overfit(decision(finding(0.99)), decision(finding(0.5, test="other"))) == ()


def test_without_overfitting_it_rings_in_at_most_one_of_forty():
    rng = np.random.default_rng(7)
    rings = 0
    for dev, sealed in rng.binomial(300, 0.9, (600, 2)) / 300:
        rings += bool(overfit(decision(finding(dev, 300)), decision(finding(sealed, 300))))
    assert rings / 600 < 0.04
