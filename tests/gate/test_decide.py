"""One function turns findings into the decision; its table of exit codes holds whatever comes together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.errors import InfrastructureError, IntegrityError, Undecided
from evalgate.gate.decide import Bypass, decide, find
from evalgate.gate.plan import seed_of
from evalgate.metrics.estimate import Binary, Census, Estimate, FirstRelease, UnitMean
from evalgate.records import Bar, Finding


def finding(status: str, test: str = "t") -> Finding:
    return Finding(
        suite="s", test=test, status=status, estimate=0.9, low=0.8, high=0.95, units=100, items=100, unscored=0,
        threshold={"min": 0.8}, method="m", alpha=0.05,
    )  # fmt: skip


def decision(statuses, *, bypasses=(), troubles=(), missing=0):
    findings = [finding(status, f"t{i}") for i, status in enumerate(statuses)]
    expected = [("s", f"t{i}") for i in range(len(statuses) + missing)]
    return decide(
        expected=expected, findings=findings, bypasses=bypasses, troubles=troubles,
        model={"name": "m", "digest": "d"}, plan="p",
    )  # fmt: skip


BYPASS = Bypass(where="s t", what="skipped")
STATUSES = st.lists(
    st.sampled_from(["pass", "fail", "inconclusive", "insufficient"]), min_size=1, max_size=6
)


@given(
    statuses=STATUSES,
    bypassed=st.booleans(),
    edited=st.booleans(),
    outage=st.booleans(),
    unlabelled=st.booleans(),
    missing=st.integers(0, 2),
)
def test_the_decision_follows_the_table_whatever_comes_together(
    statuses, bypassed, edited, outage, unlabelled, missing
):
    troubles = (
        ([IntegrityError("edited")] if edited else [])
        + ([InfrastructureError("down")] if outage else [])
        + ([Undecided("no labels")] if unlabelled else [])
    )
    found = decision(
        statuses, bypasses=[BYPASS] if bypassed else [], troubles=troubles, missing=missing
    )
    # a finding that is missing without an outage or the like is a bypass; the causes that are told come first
    lost = missing > 0 and not troubles and not bypassed
    if edited:
        assert (found.decision, found.exit) == ("closed", 5)
    elif bypassed or lost or "fail" in statuses:
        assert (found.decision, found.exit) == ("closed", 1)
    elif outage:
        assert (found.decision, found.exit, found.retry) == ("undecided", 4, True)
    elif unlabelled or set(statuses) & {"inconclusive", "insufficient"}:
        assert (found.decision, found.exit) == ("undecided", 3)
    else:
        assert (found.decision, found.exit) == ("open", 0)
    assert (found.exit == 0) == (found.decision == "open")
    assert bool(found.reasons) == (found.decision != "open")
    assert bool(found.integrity) == edited


def test_nothing_expected_is_not_open():
    assert decision([]).decision == "closed"


def test_a_finding_nobody_expected_does_not_count():
    found = decide(
        expected=[("s", "other")],
        findings=[finding("pass")],
        model={"name": "m", "digest": "d"},
        plan="p",
    )
    assert found.decision == "closed"
    assert found.findings == ()


def estimate(k: int, n: int, **changes) -> Estimate:
    values = {
        "metric": "accuracy", "value": k / n, "units": n, "items": n, "unscored": 0, "coverage": 0,
        "sample": Binary(k=k, n=n),
    }  # fmt: skip
    return Estimate(**{**values, **changes})


def status(bar: Bar, est: Estimate) -> str:
    return find(
        suite="s", test="t", bar=bar, estimate=est, alpha=0.05, seed=1, unscored_max=0.02
    ).status


@pytest.mark.parametrize(
    ("k", "expected"),
    [(300, "pass"), (292, "pass"), (291, "inconclusive"), (280, "inconclusive"), (270, "fail")],
)
def test_a_minimum_is_met_by_the_lower_end_only(k, expected):
    assert status(Bar(min=0.95), estimate(k, 300)) == expected


@pytest.mark.parametrize(
    ("k", "expected"), [(0, "pass"), (8, "pass"), (9, "inconclusive"), (30, "fail")]
)
def test_a_maximum_is_met_by_the_upper_end_only(k, expected):
    assert status(Bar(max=0.05), estimate(k, 300, lower_is_better=True)) == expected


def test_a_minimum_on_successes_and_a_maximum_on_errors_agree():
    for k in range(250, 301):
        assert status(Bar(min=0.95), estimate(k, 300)) == status(
            Bar(max=0.05), estimate(300 - k, 300, lower_is_better=True)
        )


def test_inconclusive_says_how_many_more_units_would_decide():
    found = find(
        suite="s",
        test="t",
        bar=Bar(min=0.95),
        estimate=estimate(291, 300),
        alpha=0.05,
        seed=1,
        unscored_max=0.02,
    )
    assert found.needed is not None
    assert 0 < found.needed < 300


def test_unanswered_items_beyond_the_limit_are_insufficient():
    assert status(Bar(min=0.5), estimate(300, 300, unscored=7)) == "insufficient"
    assert status(Bar(min=0.5), estimate(300, 300, unscored=6)) == "pass"


def test_an_insufficient_estimate_never_passes():
    assert status(Bar(min=0.5), estimate(300, 300, insufficient="too few units")) == "insufficient"


def test_a_census_needs_its_own_threshold_and_every_item():
    right = estimate(5, 5, sample=Census(wrong=(), n=5))
    wrong = estimate(4, 5, sample=Census(wrong=("a",), n=5))
    assert status(Bar(all=True), right) == "pass"
    assert status(Bar(all=True), wrong) == "fail"
    assert status(Bar(min=0.5), right) == "insufficient"
    assert status(Bar(all=True), estimate(5, 5)) == "insufficient"


def test_a_first_release_has_no_baseline_and_passes_as_such():
    none = estimate(1, 1, value=None, sample=FirstRelease())
    assert status(Bar(min=-0.05), none) == "pass"


def test_seeds_differ_between_claims_and_repeat_for_the_same_plan():
    assert seed_of("p", "s", "a") == seed_of("p", "s", "a")
    assert (
        len(
            {
                seed_of("p", "s", "a"),
                seed_of("p", "s", "b"),
                seed_of("q", "s", "a"),
                seed_of("p", "t", "a"),
            }
        )
        == 4
    )


def test_a_row_in_the_wrong_direction_decides_nothing():
    assert status(Bar(max=0.99), estimate(10, 300)) == "insufficient"
    assert status(Bar(min=0.01), estimate(290, 300, lower_is_better=True)) == "insufficient"


def test_a_very_small_alpha_gets_the_draws_it_needs():
    sample = UnitMean(x_counts=((0.5, 100), (1.0, 200)))
    found = find(
        suite="s",
        test="t",
        bar=Bar(min=0.5),
        estimate=estimate(250, 300, sample=sample),
        alpha=1e-5,
        seed=1,
        unscored_max=0.02,
    )
    assert found.status == "pass"
