"""Rows that the tests of corpora write and read, and a child process that writes until it is stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.files import Writer

EVALGATE = Path(sys.executable).with_name("evalgate")
TASKS = ("appeal_letters", "claim_entities", "policy_qa")


def row(number: int, **given) -> Example:
    """Row number N of no particular meaning; `given` replaces fields."""
    fields = {
        "id": f"row-{number}",
        "task": TASKS[number % 3],
        "messages": (
            {"role": "user", "content": f"Question {number}: ¿qué cubre el plan? 保険は? ما هي التغطية؟"},
            {"role": "assistant", "content": f"Answer {number}."},
        ),
        "unit": f"member-{number % 10}",
        "made_by": MadeBy(template="plain@1", seed=number, seeds={"drug": "none"}) if number % 2 else None,
        "terms": "project",
        "input": {"question": "?", "numbers": [1, 2.5, None]},
        "expected": ["a", {"b": number}],
    }  # fmt: skip
    return Example(**fields | given)


def outside(**given) -> dict:
    """A row of the outside form, as JSON."""
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    return {"id": "a", "task": "policy_qa", "messages": messages} | given


def write_lines(path: Path, *values) -> Path:
    """A .jsonl file of these values; bytes stand as they are."""
    lines = [v if isinstance(v, bytes) else json.dumps(v).encode() for v in values]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def write_corpus(directory: Path, name: str, rows, **options) -> Path:
    """A corpus of these rows; returns where it is."""
    with Writer(directory, name, command="tests", **options) as writer:
        for each in rows:
            writer.add(each)
    return directory / name


def visible(directory: Path) -> list[str]:
    """What a person sees there."""
    return sorted(p.name for p in directory.iterdir() if not p.name.startswith("."))


def hidden(directory: Path) -> list[str]:
    """What is left over from writing, locks excepted."""
    return sorted(p.name for p in directory.iterdir() if p.name.startswith(".") and p.suffix != ".lock")  # fmt: skip


def child(code: str, *arguments: object, **options) -> subprocess.Popen:
    """A Python process that runs `code` with these arguments and this folder's modules."""
    command = [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n{code}"]  # fmt: skip
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, *map(str, arguments)], **pipes | options)


def evalgate(cwd: Path, *arguments: object) -> subprocess.CompletedProcess:
    """The command, run in `cwd`."""
    return subprocess.run([EVALGATE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)  # fmt: skip
