"""A project for the packaged models: two small suites that a model of 135M can partly do. Runs by hand, too:

python tests/shortlist/real_shortlist.py DIRECTORY && cd DIRECTORY && evalgate models shortlist
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import CARD

ROOT = Path(__file__).parents[2]
SMOLLM2, GEMMA = "models/smollm2-135m-instruct.gguf", "models/gemma3-270m.gguf"
DRUGS = ("aspirin", "ibuprofen", "amoxicillin", "metformin", "insulin", "morphine", "penicillin", "warfarin", "codeine",
         "paracetamol", "prednisone", "omeprazole", "lisinopril", "atorvastatin", "naproxen", "diazepam", "heparin", "digoxin")  # fmt: skip
BODY = ("knee", "shoulder", "liver", "kidney", "elbow", "heart", "stomach", "ankle", "wrist", "lung", "spine", "hip", "skin",
        "throat", "finger", "brain", "thumb", "bladder")  # fmt: skip

GATE = """\
[gate]
alpha = 0.05
first_release = true

[kind]
accuracy = { min = 0.60 }
failed_rate = { max = 0.40 }

[member]
accuracy = { min = 0.60 }
failed_rate = { max = 0.40 }
"""
MODELS = f"""\
[models.smollm2]
artifact = "{SMOLLM2}"
server = "llamacpp"
args = ["--ctx-size", "1024", "--parallel", "2"]
licence = "Apache-2.0"

[models.smollm2-cached]
artifact = "{SMOLLM2}"
server = "llamacpp"
args = ["--ctx-size", "1024", "--parallel", "2", "--cache-prompt"]
licence = "Apache-2.0"

[models.smollm2-damaged]
artifact = "models/damaged.gguf"
server = "llamacpp"
args = ["--ctx-size", "1024", "--parallel", "2"]
licence = "Apache-2.0"

[models.gemma3-270m]
artifact = "{GEMMA}"
server = "llamacpp"
licence = "Gemma Terms of Use"
"""
SUITE = """\
from evalgate import Suite, accuracy, parse_json, parse_label, rate

SUITE = Suite(
    "{name}", gold="goldsets/{name}.jsonl", prompt="suites/prompts/{name}.md", parse={parse}, max_tokens={most}
)

def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))

def test_failed_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))
"""
KIND = """\
## system
Is it a drug or a part of the body? Answer with one word: DRUG or BODY.

## user
aspirin

## assistant
DRUG

## user
foot

## assistant
BODY

## user
eye

## assistant
BODY

## user
vaccine

## assistant
DRUG

## user
{{what}}
"""
MEMBER = """\
## user
Member 11842 asks about a bill.

## assistant
{"member": "11842"}

## user
Member 40917 asks about an x-ray.

## assistant
{"member": "40917"}

## user
{{note}}
"""
ABOUT = (
    "a knee brace",
    "a denied claim",
    "a new card",
    "physical therapy",
    "a refill",
    "an appeal",
)


def make(root: Path, weights: Sequence[str] = (SMOLLM2, GEMMA)) -> None:
    """The project at `root`: `weights` are copied, those of SmolLM2, and once more with some of their bytes set to zero."""
    for name, text in {
        "gate.toml": GATE,
        "evalgate.toml": MODELS,
        "suites/test_kind.py": _suite("kind", 'parse_label(["DRUG", "BODY"])', 6),
        "suites/test_member.py": _suite("member", "parse_json(dict[str, str])", 24),
        "suites/prompts/kind.md": KIND,
        "suites/prompts/member.md": MEMBER,
        "goldsets/kind.toml": CARD.replace("triage", "kind"),
        "goldsets/member.toml": CARD.replace("triage", "member"),
        "goldsets/kind.jsonl": _lines("k", [({"what": w}, label) for pair in zip(DRUGS, BODY, strict=True)
                                            for w, label in zip(pair, ("DRUG", "BODY"), strict=True)]),
        "goldsets/member.jsonl": _lines("m", [({"note": f"Member {20417 + 931 * i} asks about {ABOUT[i % 6]}."},
                                               {"member": str(20417 + 931 * i)}) for i in range(36)]),
    }.items():  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "models").mkdir()
    for name in weights:
        shutil.copyfile(ROOT / name, root / name)
    data = (root / SMOLLM2).read_bytes()
    begin, end = len(data) * 60 // 100, len(data) * 66 // 100
    (root / "models/damaged.gguf").write_bytes(data[:begin] + bytes(end - begin) + data[end:])


def _suite(name: str, parse: str, most: int) -> str:
    return SUITE.format(name=name, parse=parse, most=most)


def _lines(kind: str, items: list) -> str:
    return "".join(
        json.dumps({"id": f"{kind}-{i}", "input": given, "expected": right, "unit": f"{kind}-{i}"})
        + "\n"
        for i, (given, right) in enumerate(items)
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
