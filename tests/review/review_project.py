"""A project with a rubric and a complete run, as people meet it: real files, real processes, no server needed."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import CARD, Project

from evalgate.records import Reply
from evalgate.store import RunWriter, run_directory
from evalgate.suite import load_project
from evalgate.suite.asking import identify_model, manifest_of

SUITE = '''\
"""Letters that people read."""
from evalgate import Suite, parse_text, rate

SUITE = Suite("letters", gold="goldsets/letters.jsonl", prompt="suites/prompts/letters.md", parse=parse_text)

def test_failed_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))
'''
GATE = """\
[gate]
alpha = 0.05
first_release = true

[letters]
failed_rate = { max = 0.5 }
"""
RUBRIC = """\
[rubric]
id = "letter"
task = "letters"
version = "1.0.0"
title = "Letters"
status = "draft of the project; no clinician has reviewed it"
show = ["facts"]
pass_mark = 0.8

[[criterion]]
id = "states-reason"
ask = "The letter states the reason on file."
points = 8
evidence = "quote"
met = "Names the reason on file."
not_met = "Names none, or another."
examples = [
  { answer = "met", text = "You wrote that six weeks of therapy were missing." },
  { answer = "not_met", text = "The request did not meet the criteria.", why = "No reason." },
]

[[criterion]]
id = "invented-fact"
ask = "The letter states a finding that is not in the facts."
points = -10
critical = true
applies_when = "The facts name a finding."
met = "A finding that the facts do not hold."
not_met = "Every finding is in the facts."

[[criterion]]
id = "plain"
kind = "scale"
ask = "How easily could the member act on this letter?"
points = 5
anchors = ["Could not say what was decided.", "Knows what.", "Knows what and why.", "Knows the next step.", "Can act at once."]
"""
CRITERIA = 3


def items(n: int) -> list[dict]:
    return [
        {
            "id": f"L-{i:03d}",
            "input": {"facts": f"Case {i}. The plan denied the scan: no trial of therapy on file."},
            "expected": {"reference": "A letter."},
            "unit": f"case-{i}",
            "tags": ["spanish"] if i % 4 == 0 else [],
        }
        for i in range(n)
    ]


def output(i: int) -> str:
    return f"Dear reviewer,\n\nletter {i}: the scan was denied because no trial of therapy was on file.\n"


class Letters(Project):
    """`n` letters of the model `scripted`, all of them answered but those in `failed` (cut off)."""

    def __init__(self, root: Path, n: int = 30, *, failed: frozenset[int] = frozenset()) -> None:
        self.root = root
        self.n = n
        self.write("suites/test_letters.py", SUITE)
        self.write("suites/prompts/letters.md", "Write a letter.\n\n{{facts}}\n")
        self.write("gate.toml", GATE)
        self.write("rubrics/letters.toml", RUBRIC)
        self.write("goldsets/letters.toml", CARD.replace("triage", "letters"))
        self.write("goldsets/letters.jsonl", "".join(json.dumps(i) + "\n" for i in items(n)))
        self.models(scripted="http://127.0.0.1:9/v1")
        self.answer(failed=failed)

    def answer(self, *, failed: frozenset[int] = frozenset(), output=output) -> None:
        """Lands an answer to every item, as asking would."""
        project = load_project(self.root)
        manifest = manifest_of(project.suites["letters"], identify_model(project, "scripted"))
        directory = run_directory(self.root / "reports", manifest)
        with RunWriter(directory, manifest, fresh=directory.exists()) as writer:
            for i in range(self.n):
                finish = "length" if i in failed else "stop"
                writer.land(i, f"L-{i:03d}", Reply(text=output(i), finish=finish))

    def review_items(self, n: int | None) -> None:
        """Writes into gate.toml how many items people label; None leaves it to be all."""
        self.write("gate.toml", GATE.replace("first", f"review_items = {n}\nfirst") if n else GATE)

    def review(self, *args: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "evalgate", "review", *args],
            cwd=self.root,
            env=self.environment(),
            input=typed or "",
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    @property
    def labels(self) -> list[dict]:
        path = self.root / "rubrics/letters.labels.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def plan(self) -> dict:
        return json.loads((self.root / "rubrics/letters.review.json").read_text())


class Terminal:
    """A command under a terminal of its own: keys go in, the screen comes out."""

    def __init__(self, project: Letters, *args: str, rows: int = 40) -> None:
        master, slave = pty.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evalgate", *args],
            cwd=project.root,
            env=project.environment(TERM="dumb", COLUMNS="100", LINES=str(rows)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.master = master
        self.screen = ""

    def until(self, text: str, timeout: float = 120) -> str:
        """Waits until `text` is on the screen; returns and forgets everything up to it."""
        deadline = time.monotonic() + timeout
        while text not in self.screen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not appear: {self.screen[-500:]!r}"
            try:
                read = os.read(self.master, 65536)
            except OSError:
                read = b""
            assert read, f"ended before {text!r}: {self.screen[-500:]!r}"
            self.screen += read.decode()
        before, _, self.screen = self.screen.partition(text)
        return before

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        code = self.process.wait(120)
        os.close(self.master)
        return code
