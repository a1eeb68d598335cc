"""Small projects for the tests of the perimeter: one whose model's server evalgate runs itself, one with an endpoint."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from harness import SUITE, Project
from models import stand_in

HERE = Path(__file__).parent
SERVED = """\
[servers.vllm]
python = "env/python"

[models.rc]
server = "vllm"
artifact = "m"

[default]
candidate = "rc"
"""
ENTER = """\
import os, sys
from evalgate.gate.perimeter_namespace import enter
try:
    enter(sys.argv[1:])
except OSError as e:
    sys.exit(f"{e.filename}: {e.strerror}")
"""


@cache
def why_no_namespace() -> str:
    """Why this machine gives no network namespace, "" if it does."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    done = subprocess.run(
        [sys.executable, "-c", ENTER], capture_output=True, text=True, check=False
    )
    return done.stderr.strip()


needs_namespace = pytest.mark.skipif(
    bool(why_no_namespace()), reason=f"no network namespace here: {why_no_namespace()}"
)


def served(root: Path, **behaviour) -> Project:
    """A project whose candidate is played by a stand-in for vLLM, a real process on loopback."""
    project = Project(root, "http://127.0.0.1:9/v1")
    stand_in.model(root / "m")
    stand_in.environment(root / "env", **behaviour)
    project.write("evalgate.toml", SERVED)
    return project


def attacking(project: Project, *, first: str = "", last: str = "") -> None:
    """Lets the first test of the suite run the lines `first` before its claim, the last one `last`."""
    lines = SUITE.splitlines(keepends=True)
    lines[2:2] = [f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport json, os, ways_out\n"]
    text = "".join(lines)
    for name, code in (("accuracy", first), ("must_pass", last)):
        head = f"def test_{name}(answers, threshold):\n"
        assert head in text
        text = text.replace(head, head + "".join(f"    {line}\n" for line in code.splitlines()))
    project.write("suites/test_triage.py", text)


def evidence(project: Project) -> dict:
    """The newest evidence of the project."""
    newest = max(project.root.glob("reports/decisions/*.evidence.json"))
    return json.loads(newest.read_text())["evidence"]


def page(project: Project, suffix: str) -> str:
    return max(project.root.glob(f"reports/decisions/*{suffix}")).read_text()


def as_seen(project: Project) -> str:
    log = project.root / "reports" / "logs" / "check.log"
    return log.read_text() if log.exists() else ""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children_of(pid: int) -> list[int]:
    """Every living descendant of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found += [int(path.parent.name), *children_of(int(path.parent.name))]
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
