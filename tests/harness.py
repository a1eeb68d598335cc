"""A small project on disk, run as its user runs it: real processes, a real HTTP server, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

LABELS = ("APPROVE", "DENY", "REVIEW")
DECLARED = """\
SUITE = Suite(
    "triage",
    gold="goldsets/triage.jsonl",
    prompt="suites/prompts/triage.md",
    parse=parse_label(["APPROVE", "DENY", "REVIEW"]),
    max_tokens=8,
)
"""
SUITE = f'''\
"""Triage of short requests."""
import pytest
from evalgate import Suite, accuracy, mean, must_pass, paired_difference, parse_label, rate

{DECLARED}
def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))

def test_failed_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))

@pytest.mark.parametrize("tag", ["spanish"])
def test_slice_accuracy(answers, threshold, tag):
    assert threshold.met_by(accuracy(answers, tag=tag))

def test_accuracy_vs_baseline(answers, baseline, threshold):
    assert threshold.met_by(paired_difference(accuracy, answers, baseline))

def test_must_pass(answers, threshold):
    assert threshold.met_by(must_pass(answers))
'''
GATE = """\
[gate]
alpha = 0.05
first_release = true

[triage]
accuracy = { min = 0.85 }
failed_rate = { max = 0.10 }
"slice_accuracy[spanish]" = { min = 0.70 }
accuracy_vs_baseline = { min = -0.05 }
must_pass = { all = true }
"""
CARD = """\
title = "Triage of short requests"
task = "triage"
source = "written by the project for its own tests"
licence = "Apache-2.0"
labelled_by = "the project"
reviewed = "no clinician has reviewed it"
sampling_frame = "made up"
date = 2026-11-23
split = "dev"
version = "1"
synthetic = true
generator = "tests/harness.py"
seed = 0
"""
PROMPT = "Answer APPROVE, DENY or REVIEW.\n\n{{text}}\n"


def gold_items(n: int = 120) -> list[dict]:
    """n items, one unit each; every third Spanish, the first five must_pass. The text names the item."""
    items = []
    for i in range(n):
        tags = (["spanish"] if i % 3 == 0 else []) + (["must_pass"] if i < 5 else [])
        items.append(
            {
                "id": f"t-{i:04d}",
                "input": {"text": f"request <{i:04d}> of member {i}"},
                "expected": LABELS[i % len(LABELS)],
                "unit": f"member-{i}",
                "tags": tags,
            }
        )
    return items


def right(messages: list[dict]) -> str:
    """The right answer to a rendered prompt: a scripted model without an error."""
    number = int(messages[-1]["content"].split("<")[1][:4])
    return LABELS[number % len(LABELS)]


def right_but(wrong: set[int]):
    """A scripted model that is wrong about these items."""

    def reply(messages: list[dict], payload: dict) -> str:
        del payload
        number = int(messages[-1]["content"].split("<")[1][:4])
        return LABELS[(number + (number in wrong)) % len(LABELS)]

    return reply


class Project:
    """A project directory with helpers to write, run and read."""

    def __init__(self, root: Path, url: str, *, n: int = 120) -> None:
        self.root = root
        self.write("suites/test_triage.py", SUITE)
        self.write("suites/prompts/triage.md", PROMPT)
        self.write("gate.toml", GATE)
        self.write("goldsets/triage.toml", CARD)
        self.gold(gold_items(n))
        self.models(scripted=url)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def gold(self, items: list[dict]) -> None:
        self.write("goldsets/triage.jsonl", "".join(json.dumps(i) + "\n" for i in items))

    def models(self, **urls: str) -> None:
        tables = [
            f'[models.{name}]\nserver = "endpoint"\nurl = "{url}"\nname = "{name}"\nfamily = "scripted"\n'
            "concurrency = 8\ntimeout_s = 10\npatience_s = 2\n"
            for name, url in urls.items()
        ]
        self.write(
            "evalgate.toml", "\n".join(tables) + f'\n[default]\ncandidate = "{next(iter(urls))}"\n'
        )

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_", "EVALGATE"))
        }
        return {**kept, "COLUMNS": "120", **extra}

    def pytest(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "pytest", *(args or ("suites/",)), **env)

    def evalgate(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "evalgate", *args, **env)

    def run(self, *argv: str, timeout: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.root,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *argv: str, **env: str) -> subprocess.Popen[str]:
        # a shell starts background jobs with Ctrl-C ignored, and children inherit that from us
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=self.root,
            env=self.environment(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def rows(self) -> list[dict]:
        """All landed rows of the project's runs."""
        found = []
        for path in sorted(self.root.glob("reports/runs/*/*/answers.jsonl")):
            whole = path.read_text().splitlines(keepends=True)
            found += [json.loads(line)["row"] for line in whole if line.endswith("\n")]
        return found
