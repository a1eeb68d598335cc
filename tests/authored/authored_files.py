"""Small authored files for the tests of the loaders."""

from __future__ import annotations

import json
from pathlib import Path

from evalgate.authored import Problems

GATE = """\
[gate]
alpha = 0.05

[triage]
accuracy = { min = 0.85 }
"""

CARD = """\
title = "Triage of requests"
task = "triage"
source = "written by the project"
licence = "Apache-2.0"
labelled_by = "the project"
reviewed = "no clinician has reviewed it"
sampling_frame = "made up"
date = 2026-11-30
split = "dev"
version = "1.0.0"
synthetic = false
"""


def write(root: Path, name: str, text: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def item(number: int, **changes) -> dict:
    unit = f"unit-{number:04d}"
    return {"id": f"item-{number:04d}", "input": "ask", "expected": "A", "unit": unit} | changes


def lines(items) -> str:
    return "".join(json.dumps(i) + "\n" for i in items)


def told(problems: Problems) -> list[str]:
    return [str(p) for p in problems]


def only(problems: Problems) -> str:
    assert len(problems) == 1, told(problems)
    return told(problems)[0]
