"""A small project that could train: a base directory, a locked plan, a corpus under terms that allow it, a mixture, a recipe."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness import Project

from evalgate.corpus.counting import counter
from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.mix import Blend
from evalgate.corpus.mixture import mix
from evalgate.corpus.writer import Writer
from evalgate.gate.plan import lock_plan
from evalgate.suite import load_project

ROOT = Path(__file__).parents[2]
RECIPE = """\
[recipe]
trainer = "trainers/lora.py"
base = "base"
mixture = "first"
output = "rc1"
seed = 1

[config]
steps = 4
rank = 4
"""


def example(number: int, **more) -> Example:
    question = f"Classify note {number}: {hashlib.sha256(str(number).encode()).hexdigest()}"
    given = {
        "id": f"row-{number}",
        "task": "triage",
        "messages": (
            {"role": "user", "content": question},
            {"role": "assistant", "content": "APPROVE"},
        ),
        "unit": f"made-{number}",
        "terms": "project",
        "made_by": MadeBy(template="notes@1", seed=number),
    }
    return Example(**{**given, **more})


class TrainingProject(Project):
    """`corpus` and `mixture` are made by the test, which may spoil one thing."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "http://127.0.0.1:9/v1")
        with (self.root / "evalgate.toml").open("a", encoding="utf-8") as f:
            f.write(
                '\n[models.base]\nartifact = "models/base"\nserver = "transformers"\nlicence = "Apache-2.0"\n'
            )
        self.write("models/base/config.json", "{}")
        self.write("terms/project.toml", (ROOT / "terms/project.toml").read_text())
        self.write("trainers/lora.py", (ROOT / "trainers/lora.py").read_text())
        self.write("trainers/rc1.toml", RECIPE)

    def lock(self) -> None:
        lock_plan(load_project(self.root), None, "")

    def corpus(self, *rows: Example) -> None:
        with Writer(self.root / "data", "made", command="test") as writer:
            for row in rows or [example(n) for n in range(60)]:
                writer.add(row)

    def mixture(self) -> None:
        data = self.root / "data"
        with counter(None, self.root) as words:
            mix(data, "first", [data / "made"], recipe=Blend(), counter=words)

    def admit(self):
        """`evalgate gate train --admit-only`."""
        return self.evalgate("gate", "train", "trainers/rc1.toml", "--admit-only")
