"""A small project with contracts of invented vendors: what the tests of this folder write to disk."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

EVALGATE = Path(sys.executable).with_name("evalgate")
PROMPT = "Answer the question.\n\n{{question}}\n"
GOLD_TEXT = "Is a second opinion covered when the surgeon is outside of the network of the plan?"
TODAY = dt.datetime.now().astimezone().date()
NEXT_YEAR = TODAY + dt.timedelta(days=365)
LAST_YEAR = TODAY - dt.timedelta(days=365)


def value(name: str, written: str, clause: str = "As agreed by both parties.") -> str:
    return f'[{name}]\nvalue = {written}\nclause = "{clause}"\nwhere = "section 3"\n'


def contract(vendor: str = "Northfield Records", **values: str | None) -> str:
    """The text of a terms file that allows everything for a year; `values` replace a value, None takes it out."""
    said: dict[str, str | None] = {
        "may_train": "true",
        "may_distil": "true",
        "may_augment": "true",
        "effective": str(LAST_YEAR),
        "expires": str(NEXT_YEAR),
        "retention": '"unlimited"',
        "deletion_on_termination": "true",
        "territory": '["US"]',
    } | values
    head = f'# Kept with the contract.\n[terms]\nvendor = "{vendor}"   # as in its letterhead\ncontract = "Licence of records"\n'
    head += f'read_by = "written by the project"\nread_on = {TODAY}\n\n'
    return head + "\n".join(value(name, text) for name, text in said.items() if text is not None)


def project(root: Path) -> Path:
    """A project with one task, one gold item, the project's own terms and a contract that allows training."""
    for name in ("suites/prompts", "goldsets", "terms", "models"):
        (root / name).mkdir(parents=True)
    (root / "evalgate.toml").write_text("")
    (root / "suites/prompts/policy_qa.md").write_text(PROMPT)
    item = {"id": "pq-0001", "input": {"question": GOLD_TEXT}, "expected": "yes", "unit": "plan-1"}
    (root / "goldsets/policy_qa.jsonl").write_text(json.dumps(item) + "\n")
    (root / "terms/northfield.toml").write_text(contract())
    return root


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as its user types it."""
    return subprocess.run(
        [EVALGATE, *words],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def vendor_rows(count: int, *, task: str = "policy_qa") -> list[dict[str, object]]:
    """Rows in the outside form, with keys that evalgate does not know."""
    return [
        {
            "id": f"r{n}",
            "task": task,
            "unit": f"plan-{n // 2 + 10}",
            "messages": [
                {"role": "user", "content": f"Which copay applies to visit {n}?"},
                {"role": "assistant", "content": f"The copay of visit {n} is {n + 3} dollars."},
            ],
            "vendor_score": 0.5,
        }
        for n in range(count)
    ]
