"""The decision as one JSON object, schema evalgate.decision/1. Other people's programs read it: keys never change."""

from __future__ import annotations

import json
from typing import Any

from evalgate.records import Decision, Finding
from evalgate.report.numbers import present

SCHEMA = "evalgate.decision/1"


def to_json(decision: Decision) -> dict[str, Any]:
    """The decision as plain values that any JSON encoder takes: full precision, null for what is no finite number.

    `retry` and `integrity` appear only where they say something; every other key is always there.
    """
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "decision": decision.decision,
        "exit": decision.exit,
        "reasons": list(decision.reasons),
        "model": {key: decision.model.get(key, "") for key in ("name", "digest")},
        "plan": decision.plan,
        "findings": [_finding(f) for f in decision.findings],
        "attempt": decision.attempt,
        "certificate": decision.certificate,
    }
    if decision.retry:
        value["retry"] = True
    if decision.integrity:
        value["integrity"] = list(decision.integrity)
    return value


def json_text(decision: Decision) -> str:
    """The decision as it is kept in a file: the same text for the same decision."""
    return json.dumps(to_json(decision), indent=1) + "\n"


def _finding(f: Finding) -> dict[str, Any]:
    return {
        "suite": f.suite,
        "test": f.test,
        "status": f.status,
        "estimate": present(f.estimate),
        "low": present(f.low),
        "high": present(f.high),
        "units": f.units,
        "items": f.items,
        "unscored": f.unscored,
        "threshold": {
            key: x if isinstance(x, bool) else present(x) for key, x in f.threshold.items()
        },
        "method": f.method,
        "alpha": present(f.alpha),
        "needed": f.needed,
    }
