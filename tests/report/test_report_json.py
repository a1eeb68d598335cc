import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_decisions import DIGEST, PLAN, STATUSES, decision, finding, mixed

from evalgate.report.json import to_json

KEYS = [
    "schema",
    "decision",
    "exit",
    "reasons",
    "model",
    "plan",
    "findings",
    "attempt",
    "certificate",
]
FINDING_KEYS = [
    "suite",
    "test",
    "status",
    "estimate",
    "low",
    "high",
    "units",
    "items",
    "unscored",
    "threshold",
    "method",
    "alpha",
    "needed",
]


def test_the_object_is_the_fixed_schema():
    value = to_json(decision(findings=(finding(),), attempt=3, certificate="reports/c.json"))
    assert value == {
        "schema": "evalgate.decision/1",
        "decision": "open",
        "exit": 0,
        "reasons": [],
        "model": {"name": "rc2", "digest": DIGEST},
        "plan": PLAN,
        "findings": [
            {
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
                "needed": None,
            }
        ],
        "attempt": 3,
        "certificate": "reports/c.json",
    }


def test_keys_are_always_the_same_and_in_order():
    for d in (decision(), mixed()):
        value = to_json(d)
        assert list(value) == KEYS
        assert all(list(f) == FINDING_KEYS for f in value["findings"])


def test_retry_appears_only_where_a_retry_is_sensible():
    assert "retry" not in to_json(decision())
    value = to_json(decision(decision="undecided", exit=4, retry=True, reasons=("server died",)))
    assert list(value) == [*KEYS, "retry"]
    assert value["retry"] is True


def test_integrity_appears_only_where_it_is_broken():
    value = to_json(decision(decision="closed", exit=5, integrity=("row 3 was edited",)))
    assert list(value) == [*KEYS, "integrity"]
    assert value["integrity"] == ["row 3 was edited"]


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_keeps_its_name(status):
    assert to_json(decision(findings=(finding(status=status),)))["findings"][0]["status"] == status


def test_all_is_true_and_no_number():
    f = to_json(decision(findings=(finding(threshold={"all": True}),)))["findings"][0]
    assert f["threshold"] == {"all": True}
    assert f["threshold"]["all"] is True


def test_model_without_a_digest_has_an_empty_one():
    assert to_json(decision(model={"name": "x", "extra": "y"}))["model"] == {
        "name": "x",
        "digest": "",
    }


@given(*[st.one_of(st.none(), st.floats())] * 3)
def test_numbers_keep_full_precision_and_what_is_no_number_is_null(estimate, low, high):
    d = decision(findings=(finding(estimate=estimate, low=low, high=high),))
    text = json.dumps(to_json(d), allow_nan=False)
    back = json.loads(text)["findings"][0]
    for name, x in (("estimate", estimate), ("low", low), ("high", high)):
        assert back[name] == (x if x is not None and math.isfinite(x) else None)


def test_any_encoder_can_write_it():
    value = to_json(mixed())
    assert msgspec.json.decode(msgspec.json.encode(value)) == json.loads(json.dumps(value)) == value
