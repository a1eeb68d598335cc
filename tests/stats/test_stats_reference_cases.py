"""The shared reference cases, read from beside the public data where the environment names it; never copied here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evalgate import stats

VARIABLE = "EVALGATE_PUBLIC_DATA"


def agrees(found, expected, tolerance):
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(
            agrees(found[name], expected[name], tolerance) for name in expected
        )
    if isinstance(expected, list):
        return len(found) == len(expected) and all(
            agrees(f, e, tolerance) for f, e in zip(found, expected, strict=True)
        )
    return type(found) in (int, float) and abs(found - expected) <= tolerance


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set")
def test_every_shared_reference_case_is_met():
    path = Path(os.environ.get(VARIABLE, "")).parent / "statistics_cases.json"
    cases = json.loads(path.read_text())["cases"]
    wrong = []
    for case in cases:
        found = getattr(stats, case["function"])(**case["inputs"])
        if not agrees(found, case["expected"], case["tolerance"]):
            wrong.append((case["id"], found, case["expected"]))
    assert len(cases) >= 36
    assert wrong == []
