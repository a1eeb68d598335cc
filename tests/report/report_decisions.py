"""Decisions of every kind, made by hand: what the renderers are shown."""

from hypothesis import strategies as st

from evalgate.errors import InfrastructureError, IntegrityError, Undecided
from evalgate.gate.decide import Bypass, decide
from evalgate.records import Decision, Evidence, Finding, ModelIdentity, Sampling, SuiteEvidence

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


def evidence(**changes):
    """Evidence of a check of two suites with a baseline, changed as told."""
    values = {
        "decided": "2001-02-03T04:05:06Z",
        "evalgate": "9.9.9",
        "python": "3.11.0",
        "candidate": ModelIdentity(
            name="rc2", digest=DIGEST, server="llamacpp", version="b1", args=("--ctx-size", "4096")
        ),
        "baseline": ModelIdentity(
            name="rc1", digest="sha256:" + "1" * 64, server="vllm", version="2"
        ),
        "asked": 424,
        "kept": 1000,
        "files": {
            "gate.toml": "sha256:" + "2" * 64,
            "goldsets/claim_entities.jsonl": "sha256:" + "3" * 64,
            "suites/prompts/claim_entities.md": "sha256:" + "4" * 64,
        },
        "suites": (suite_evidence(), suite_evidence(suite="denial_reasons", answers={})),
        "notes": ("424 questions asked now", "an endpoint: <nobody> verified it"),
    }
    return Evidence(**(values | changes))


def suite_evidence(**changes):
    """What `claim_entities` rests on, changed as told."""
    values = {
        "suite": "claim_entities",
        "items": 424,
        "units": 212,
        "answers": {"ok": 411, "refused": 6, "truncated": 4, "missing": 3},
        "gold": "goldsets/claim_entities.jsonl",
        "gold_version": "1.2.0",
        "prompt": "suites/prompts/claim_entities.md",
        "sampling": Sampling(max_tokens=256, seed=7, stop=("###",)),
        "run": "reports/runs/claim_entities/" + "5" * 16,
        "key": "5" * 64,
        "asked": ("2001-02-03T04:00:00Z", "2001-02-03T04:05:00Z"),
        "baseline_run": "reports/runs/claim_entities/" + "6" * 16,
        "baseline_key": "6" * 64,
    }
    return SuiteEvidence(**(values | changes))


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
            worst=("ce-0007", "ce-0031"),
            answers={"ok": 411, "refused": 6, "truncated": 4, "missing": 3},
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


NAMES = st.one_of(
    st.text(min_size=1, max_size=30),
    st.sampled_from(
        [
            "recall",
            "slice_recall[a|b]",
            "`x` ``y``",
            "<b>bold</b>",
            "<img src=x onerror=alert(1)>",
            "@everyone #12 !7 ~label %1 $2",
            "https://example.invalid www.example.invalid a@example.invalid",
            "[link](https://example.invalid) ![image](x.png)",
            "\\| \\\\| |",
            "]]> &amp; <!-- x -->",
            "\ud800\x00\x1b[31m\n# heading\r\n| --- |",
            "```",
        ]
    ),
)


@st.composite
def findings(draw):
    """A finding as `find` makes them: its status may be any, its numbers fit a level."""
    numbers = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
    bare = draw(st.booleans())
    low, estimate, high = (None, numbers[1], None) if bare else numbers
    status = draw(st.sampled_from(STATUSES))
    thresholds = [{"min": 0.85}, {"max": 0.05}, {"all": True}]
    if status == "pass":
        thresholds = [{"all": True}] if bare else [{"min": low}, {"max": high}]
        estimate = 1.0 if bare else estimate
    return finding(
        suite=draw(NAMES),
        test=draw(NAMES),
        status=status,
        estimate=estimate,
        low=low,
        high=high,
        threshold=draw(st.sampled_from(thresholds)),
        needed=draw(st.one_of(st.none(), st.integers(1, 10**6))),
        reason="" if status == "pass" else draw(NAMES),
        worst=tuple(draw(st.lists(NAMES, max_size=5))),
    )


@st.composite
def decisions(draw):
    """A decision as `decide` makes them, of every kind."""
    found = draw(st.lists(findings(), max_size=6, unique_by=lambda f: (f.suite, f.test)))
    lost = draw(st.lists(st.tuples(NAMES, NAMES), max_size=1))
    troubles = [
        kind(draw(NAMES), where=draw(NAMES))
        for kind in draw(
            st.lists(st.sampled_from([InfrastructureError, IntegrityError, Undecided]), max_size=1)
        )
    ]
    around = st.builds(Bypass, where=NAMES, what=NAMES)
    if found:  # about a test that has a finding, too
        f = draw(st.sampled_from(found))
        around = st.one_of(around, st.just(Bypass(where=f"{f.suite} {f.test}", what="skipped")))
    return decide(
        expected=[(f.suite, f.test) for f in found] + lost,
        findings=found,
        bypasses=draw(st.lists(around, max_size=2)),
        troubles=troubles,
        model={"name": draw(NAMES), "digest": DIGEST},
        plan=PLAN,
    )
