"""Labels, rubrics and gold sets for tests that need no project."""

from __future__ import annotations

import json
from pathlib import Path

from review_project import RUBRIC, items

from evalgate.authored import Problems, load_gold
from evalgate.authored.label_file import labels_path, load_labels
from evalgate.authored.labels import Label
from evalgate.authored.rubric_file import load_rubric

OUTPUT = "sha256:" + "0" * 64


class Files:
    """rubrics/letters.toml, its gold set, and labels as written."""

    def __init__(self, root: Path, n: int = 12) -> None:
        self.root = root
        self.rubric_path = root / "rubrics/letters.toml"
        self.path = labels_path(self.rubric_path)
        for path in (root / "rubrics", root / "goldsets"):
            path.mkdir()
        self.rubric_path.write_text(RUBRIC)
        gold = root / "goldsets/letters.jsonl"
        gold.write_text("".join(json.dumps(i) + "\n" for i in items(n)))
        problems = Problems()
        self.gold = load_gold(gold, root, problems)
        self.rubric = load_rubric(self.rubric_path, root, problems)
        problems.raise_if_any()

    def label(self, n: int = 0, criterion: str = "invented-fact", **changes) -> Label:
        found = self.rubric.criterion(criterion)
        answer = {"states-reason": "not_met", "invented-fact": "not_met", "plain": "3"}
        fields = {
            "item": f"L-{n:03d}",
            "criterion": criterion,
            "rater": "A",
            "answer": answer.get(criterion, "met"),
            "rubric": self.rubric.digest,
            "criterion_digest": found.digest if found else OUTPUT,
            "output": OUTPUT,
            "at": "2026-11-23T10:00:00Z",
        }
        return Label(**(fields | changes))

    def write(self, *labels: Label | str) -> None:
        import msgspec

        lines = [
            x if isinstance(x, str) else msgspec.json.encode(x).decode() + "\n" for x in labels
        ]
        self.path.write_text("".join(lines))

    def load(self):
        """(labels or None, the problems as told)."""
        problems = Problems()
        found = load_labels(self.path, self.root, problems, rubric=self.rubric, gold=self.gold)
        return found, [str(p) for p in problems]
