"""Two small services of a health plan, as projects with a gate: one that the packaged models fail, and one that they can do."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEIGHTS = {
    "smollm2": "models/smollm2-135m-instruct.gguf",
    "gemma3-270m": "models/gemma3-270m.gguf",
}
UNITS = 80  # joint power 0.8 by `evalgate plan`, for a successor, too
MUST_PASS = 3

SUITE = '''\
"""{title}. Every number that decides a release stands in gate.toml [{name}]."""

from evalgate import Suite, accuracy, must_pass, {imported}

SUITE = Suite(
    "{name}",
    gold="goldsets/{name}.jsonl",
    prompt="suites/prompts/{name}.md",
    parse={parse},
    max_tokens={tokens},
    stop=["\\n", "<"],
)


def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))


def test_unparseable_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))


def test_must_pass(answers, threshold):
    assert threshold.met_by(must_pass(answers))
'''
COMPARED = """

def test_accuracy_vs_baseline(answers, baseline, threshold):
    assert threshold.met_by(paired_difference(accuracy, answers, baseline))
"""

GATE = """\
# Written before the first model was asked.
[gate]
alpha = 0.05
first_release = true
require_sealed = false   # development grade: whoever trains can read these gold sets
sign_off = ["release_manager", "clinical_lead"]

[{name}]
accuracy             = {{ min = {accuracy} }}
unparseable_rate     = {{ max = {unparseable} }}
must_pass            = {{ all = true }}
"""

MODELS = """\
[models.smollm2]
artifact = "models/smollm2-135m-instruct.gguf"
server = "llamacpp"
args = ["--ctx-size", "2048", "--parallel", "1", "--cache-prompt"]   # short prompts that begin alike
family = "smollm2"
licence = "Apache-2.0"

[models.gemma3-270m]
artifact = "models/gemma3-270m.gguf"
server = "llamacpp"
args = ["--ctx-size", "2048", "--parallel", "1", "--cache-prompt"]   # short prompts that begin alike
family = "gemma"
licence = "Gemma Terms of Use"

[default]
candidate = "smollm2"
"""

CLAIM_NUMBER_PROMPT = """\
## system
Copy the claim number from the message. Reply with the number only.

## user
Message: Hello, I am calling about claim 48213. Nobody has written to me since the spring.
The claim number is?

## assistant
48213

## user
Message: My son was seen in the clinic. The claim is 90357, and it says pending.
The claim number is?

## assistant
90357

## user
Message: {{message}}
The claim number is?
"""

CLAIM_NUMBER_CARD = """\
title = "Claim numbers in messages of members"
task = "Copy the one claim number that stands in a message"
source = "Written for this project from a seeded grammar; members, messages and numbers are invented"
licence = "Apache-2.0"
labelled_by = "The grammar: it put the number into the message"
reviewed = "Written by the project; no clinician has reviewed it"
sampling_frame = "No population was sampled. Easy on purpose: a task that a very small model can do"
date = 2026-11-23
split = "dev"
version = "1"
synthetic = true
generator = "tests/story/services.py"
seed = {seed}
"""

DENIAL_PROMPT = """\
## system
Why was it denied? Reply with one of these labels, nothing else: {labels}

## user
{{{{text}}}}
"""

MESSAGES = (
    "Please tell me what happened to claim {number}. I have waited for weeks.",
    "I would like to know whether claim {number} was paid.",
    "Thank you for your letter about claim {number}. I do not understand it.",
    "My doctor says that claim {number} was sent back. Why?",
    "I want to appeal. The claim is {number}, for my knee.",
    "Good morning. Claim {number} is not mine. Please check.",
    "Can you send me a copy of claim {number} by mail?",
    "The hospital billed me although claim {number} was approved.",
)
SEED = 20261123


def claim_numbers(seed: int, units: int = UNITS) -> list[dict]:
    """Gold items, each a member of its own with a claim number of five digits that stands in no other item."""
    draw = random.Random(seed)
    numbers = draw.sample(range(10_000, 100_000), units)
    return [
        {
            "id": f"cn-{n:03d}",
            "input": {"message": draw.choice(MESSAGES).format(number=number)},
            "expected": number,
            "unit": f"member-{n:03d}",
            "tags": ["must_pass"] if n < MUST_PASS else [],
        }
        for n, number in enumerate(numbers)
    ]


def write_claim_numbers(root: Path) -> None:
    """The project whose task is to copy a claim number."""
    items = claim_numbers(SEED)
    _write(
        root,
        {
            "evalgate.toml": MODELS,
            "gate.toml": GATE.format(name="claim_number", accuracy=0.8, unparseable=0.1)
            + "accuracy_vs_baseline = { min = -0.10 }\n",
            "suites/test_claim_number.py": SUITE.format(
                name="claim_number",
                title="The claim number in a message of a member",
                imported="paired_difference, parse_json, rate",
                parse="parse_json(int)",
                tokens=8,
            )
            + COMPARED,
            "suites/prompts/claim_number.md": CLAIM_NUMBER_PROMPT,
            "goldsets/claim_number.jsonl": "".join(json.dumps(item) + "\n" for item in items),
            "goldsets/claim_number.toml": CLAIM_NUMBER_CARD.format(seed=SEED),
        },
    )


def write_denial_reasons(root: Path, units: int = 30) -> None:
    """The project whose task is to say why a claim was denied: the first items of the full task, with a short prompt."""
    lines = (ROOT / "goldsets/denial_reasons.jsonl").read_text(encoding="utf-8").splitlines()
    labels = sorted({json.loads(line)["expected"] for line in lines})
    _write(
        root,
        {
            "evalgate.toml": MODELS,
            "gate.toml": GATE.format(name="denial_reasons", accuracy=0.6, unparseable=0.25),
            "suites/test_denial_reasons.py": SUITE.format(
                name="denial_reasons",
                title="Why a claim was denied",
                imported="parse_label, rate",
                parse=f"parse_label({labels})",
                tokens=16,
            ),
            "suites/prompts/denial_reasons.md": DENIAL_PROMPT.format(labels=", ".join(labels)),
            "goldsets/denial_reasons.jsonl": "".join(f"{line}\n" for line in lines[:units]),
            "goldsets/denial_reasons.toml": _text("goldsets/denial_reasons.toml"),
        },
    )


def put_weights(root: Path, *names: str) -> None:
    """Copies of packaged weights, never links: what is served must be nobody else's to change."""
    for name in names:
        target = root / WEIGHTS[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / WEIGHTS[name], target)


def copy(source: Path, target: Path) -> None:
    """A copy, sharing blocks where the file system can."""
    done = subprocess.run(["cp", "--reflink=auto", source, target], check=False)
    if done.returncode:
        shutil.copyfile(source, target)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
