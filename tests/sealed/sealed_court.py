"""A project whose letters are judged, with a sealed set; candidate and judge are served by a stand-in, raters fill in exports."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from harness import CARD
from judge.courtroom import RUBRIC, SUITE
from models import stand_in
from sealed_project import TESTS, SealedProject

SECRET = "Mrs Quillfeather"  # in every sealed file of facts; nowhere else
WRITTEN = "the trial of therapy was too short"  # in every letter
SAID = "So says the letter."  # the judge's reason
ITEMS = 48

GATE = """\
[gate]
alpha = 0.05
attempts = 4
first_release = true
sign_off = []

[letters]
truncated_rate = { max = 0.10 }
rubric_pass_rate = { min = 0.75, judge = "calibrated" }
"""
SERVER = """\
#!{python}
import json, pathlib, sys
sys.path[:0] = [{tests!r}, {tests!r} + "/models"]
import harness, stand_in
argv = " ".join(sys.argv)

def answer(messages):
    text = messages[-1]["content"]
    if "models/assessor" not in argv:
        return f"Letter <{{text.split('<')[1][:4]}}>: the claim was denied because {written}."
    about = "met" if "states why the claim" in text else "not_met"
    return json.dumps({{"quote": "the claim was denied", "reason": {said!r}, "answer": about}})

harness.right = answer
if "models/assessor" in argv and "serve" in argv and pathlib.Path({down!r}).exists():
    sys.exit("the judge does not start")
sys.exit(stand_in.main({{}}))
"""
MODEL = """\
[models.{name}]
artifact = "models/{name}"
server = "vllm"
family = "{family}"
licence = "Apache-2.0"

"""
Rater = Callable[[dict], str]
"""What somebody answers to a row of an export."""


def fine(row: dict) -> str:
    """A rater who finds every letter in order."""
    return "not_met" if row["criterion"] == "invented-fact" else "met"


def strict(row: dict) -> str:
    """A rater who finds an invented fact in every letter."""
    del row
    return "met"


class SealedCourt(SealedProject):
    """Two models that write the same letters from other bytes: `careless`, the first candidate, and `writer`."""

    def __init__(self, root: Path, *, items: int = ITEMS) -> None:
        self.root = root / "project"
        self.vault = root / "vault"
        self.vault.mkdir(parents=True)
        self.key = self.vault / "seal.key"
        self.down = self.vault / "judge-down"
        self.write("suites/test_letters.py", SUITE)
        self.write("suites/prompts/letters.md", "Write a letter.\n\n{{facts}}\n")
        self.write("gate.toml", GATE)
        self.write("rubrics/letters.toml", RUBRIC)
        card = CARD.replace('task = "triage"', 'task = "letters"')
        self.write("goldsets/letters.toml", card)
        self.write("goldsets/letters.jsonl", _lines("d", 0, "a member", items))
        (self.vault / "letters.toml").write_text(card.replace('"dev"', '"sealed"'))
        (self.vault / "letters.jsonl").write_text(_lines("s", 5000, SECRET, items))
        for name in ("careless", "writer", "assessor"):
            stand_in.model(self.root / "models" / name, called=name, max_position_embeddings=8192)
        python = self.write(
            "venv/bin/python",
            SERVER.format(
                python=sys.executable,
                tests=str(TESTS),
                written=WRITTEN,
                said=SAID,
                down=str(self.down),
            ),
        )
        python.chmod(0o755)
        families = {"careless": "scripted", "writer": "scripted", "assessor": "other"}
        tables = "".join(MODEL.format(name=n, family=f) for n, f in families.items())
        self.write(
            "evalgate.toml",
            f'{tables}[servers.vllm]\npython = "venv/bin/python"\n\n[default]\ncandidate = "careless"\n\n'
            '[judge]\nmodel = "assessor"\n',
        )

    def seal(self, *args: str):
        """`gold seal letters`, with a new key the first time."""
        source = ("--from", str(self.vault / "letters.jsonl"))
        if self.key.exists():
            return self.as_gate("gold", "seal", "letters", *source, *args)
        return self.evalgate("gold", "seal", "letters", *source, "--new-key", str(self.key), *args)

    def label(
        self, model: str, rater: str, says: Rater, *options: str, whole: bool = False
    ) -> tuple[list[dict], str]:
        """Exports what is `rater`'s to read (`whole`: everything), fills it in, imports it. Returns the rows and what was said.

        `options`: of the import, and `--sealed` of both.
        """
        sealed = ("--sealed",) if "--sealed" in options else ()
        out = self.vault / f"{model}-{rater}.jsonl"
        mine = () if whole else ("--rater", rater)
        form = ("--format", "jsonl")
        done = self.as_gate(
            "review", "export", model, *form, "--out", str(out), *mine, "--force", *sealed
        )
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        for row in rows:
            row["answer"] = row["answer"] or says(row)
            row["quote"] = "the claim was denied" if row["answer"] == "met" else ""
        out.write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = self.as_gate(
            "review", "import", str(out), "--model", model, *form, "--rater", rater, *options
        )
        assert done.returncode == 0, done.stderr
        return rows, done.stdout

    def labels(self) -> list[Path]:
        """The files of labels of answers to sealed sets."""
        return sorted(self.root.glob("rubrics/*.labels.sealed"))

    def opened(self, bundle: Path, *args: str) -> str:
        """What `gold open` tells the quality role of a bundle."""
        done = self.as_gate("gold", "open", str(bundle), *args)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _lines(letter: str, first: int, whose: str, items: int) -> str:
    rows = [
        {
            "id": f"{letter}-{n:04d}",
            "input": {"facts": f"request <{n:04d}> of {whose}: therapy was tried for two weeks"},
            "expected": {"reference": "A letter."},
            "unit": f"{letter}-member-{n}",
            "tags": [],
        }
        for n in range(first, first + items)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)
