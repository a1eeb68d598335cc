"""Decisions of every kind, made by hand: what the renderers are shown."""

from evalgate.records import Decision, Finding

STATUSES = ("pass", "fail", "inconclusive", "insufficient")
DIGEST = "sha256:" + "9f2c41d07ab3e855" * 4
PLAN = "sha256:" + "4be1c0ffee123456" * 4


def finding(**changes):
    """A passing finding with an interval, changed as told."""
    values = {
        "suite": "claim_entities",
        "test": "recall",
        "status": "pass",
        "estimate": 0.91237,
        "low": 0.88019,
        "high": 0.93891,
        "units": 212,
        "items": 424,
        "unscored": 0,
        "threshold": {"min": 0.85},
        "method": "worst-atom mean over units",
        "alpha": 0.05,
    }
    return Finding(**(values | changes))


def decision(**changes):
    """A decision, open without findings unless told otherwise."""
    values = {
        "decision": "open",
        "exit": 0,
        "reasons": (),
        "model": {"name": "rc2", "digest": DIGEST},
        "plan": PLAN,
        "findings": (),
    }
    return Decision(**(values | changes))


def mixed():
    """Closed, with every status, every kind of threshold, two suites, and a bypass."""
    slice_reason = "the interval 0.6612 to 0.8423 straddles 0.75"
    findings = (
        finding(),
        finding(
            test="slice_recall[spanish]",
            status="inconclusive",
            estimate=0.765,
            low=0.66121,
            high=0.84229,
            units=61,
            threshold={"min": 0.75},
            needed=210,
            reason=slice_reason,
        ),
        finding(
            test="unparseable_rate",
            status="fail",
            estimate=0.0847,
            low=0.06321,
            high=0.11081,
            threshold={"max": 0.05},
            method="Clopper-Pearson",
            unscored=3,
            reason="proven above 0.05",
        ),
        finding(
            test="recall_vs_baseline",
            estimate=-0.0012,
            low=-0.02345,
            high=0.02111,
            threshold={"min": -0.05},
            method="worst-atom mean of paired differences",
        ),
        finding(
            suite="denial_reasons",
            test="must_pass",
            status="fail",
            estimate=0.875,
            low=None,
            high=None,
            units=24,
            items=24,
            threshold={"all": True},
            method="census",
            reason="3 of 24 must-pass items are wrong: dr-0001, dr-0114, dr-0187",
        ),
        finding(
            suite="denial_reasons",
            test="macro_f1",
            status="insufficient",
            estimate=None,
            low=None,
            high=None,
            units=12,
            items=300,
            threshold={"min": 0.8},
            method="worst-atom macro-F1",
            reason="12 units, at least 50 are needed",
        ),
    )
    return decision(
        decision="closed",
        exit=1,
        reasons=(
            "denial_reasons accuracy: its test was skipped",
            "claim_entities unparseable_rate: proven above 0.05 (estimate 0.0847, 212 units)",
            f"claim_entities slice_recall[spanish]: {slice_reason}; about 210 more units would decide",
        ),
        findings=findings,
    )
