"""Two projects whose model is trained in the story: two workflows of a health plan with SmolLM2, and a toy with a toy model.

Their thresholds, gold sets, prompts and recipes were written before any of their candidates was trained, and stay.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from story.services import ROOT, WEIGHTS, copy

sys.path.append(str(ROOT / "tests/training"))

import toy

TRAINING = ROOT / "tests/training"


class Service(NamedTuple):
    """A project and how its story goes. `write(root, python)`: its files, `data`: commands that make a mixture, `weights`: the base."""

    name: str
    write: Callable[[Path, str], None]
    data: tuple[str, ...]
    base: str
    weights: tuple[str, ...] = ()


SUITE = '''\
"""{title}. Every number that decides a release stands in gate.toml [{name}]."""

from evalgate import Suite, {imported}

SUITE = Suite(
    "{name}",
    gold="goldsets/{name}.jsonl",
    prompt="suites/prompts/{name}.md",
    parse={parse},
    max_tokens={tokens},
)


'''
LABELLED = """\
def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))


"""
ENTITIES = """\
def test_recall(answers, threshold):
    assert threshold.met_by(recall(answers, match="relaxed"))


def test_precision(answers, threshold):
    assert threshold.met_by(precision(answers, match="relaxed"))


"""
UNPARSEABLE = """\
def test_unparseable_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))
"""
GATE = """\
# Written before any candidate was trained.
[gate]
alpha = 0.05
first_release = true
require_sealed = false   # development grade: whoever trains can read these gold sets
sign_off = ["release_manager", "clinical_lead"]
"""
MODELS = """\
[models.{base}]
artifact = "models/{artifact}"
server = "transformers"
family = "{family}"
licence = "Apache-2.0"
timeout_s = 600

[default]
candidate = "{base}"

[training]
python = "{python}"

[servers.transformers]
python = "{python}"
"""
CARD = """\
title = "{title}"
task = "{title}"
source = "{source}"
licence = "Apache-2.0"
labelled_by = "The project"
reviewed = "Written by the project; no clinician has reviewed it"
sampling_frame = "No population was sampled"
date = 2026-11-24
split = "dev"
version = "1"
synthetic = true
generator = "{generator}"
seed = 1
unit_weight_max = 40
"""
RECIPE = """\
[recipe]
trainer = "trainers/lora.py"
base = "{base}"
mixture = "first"
output = "rc1"
seed = 1

[config]
"""


# -- the toy

TOY_ITEMS, TOY_ROWS = 60, 400
TOY_CONFIG = """\
steps = 160
threads = 1
batch = 16
learning_rate = 5e-3
schedule = "cosine"
rank = 16
alpha = 32
max_length = 256
eval_every = 40
"""


def write_toy(root: Path, python: str) -> None:
    """Two toy tasks, and a base model of half a million weights that is made here and can do neither."""
    gate, files = GATE, {}
    for n, (task, pairs) in enumerate(toy.LABELS.items()):
        gate += f"\n[{task}]\naccuracy         = {{ min = 0.80 }}\nunparseable_rate = {{ max = 0.20 }}\n"
        title = toy.SYSTEM[task].capitalize()
        files |= {
            f"suites/test_{task}.py": _suite(task, title, "accuracy, parse_label, rate", f"parse_label({sorted(pairs.values())})", 8, LABELLED),
            f"suites/prompts/{task}.md": f"## system\n{toy.SYSTEM[task]}\n\n## user\n{{{{text}}}}\n",
            f"goldsets/{task}.jsonl": toy.gold(task, TOY_ITEMS, seed=n),
            f"goldsets/{task}.toml": CARD.format(title=title, source="Made-up words", generator="tests/training/toy.py"),
            f"vendor/{task}.jsonl": toy.rows(task, TOY_ROWS, seed=n),
        }  # fmt: skip
    files["gate.toml"] = gate
    files["evalgate.toml"] = MODELS.format(base="toy", artifact="toy", family="toy", python=python)
    _write(root, files, "toy", TOY_CONFIG)
    script = TRAINING / "tiny_base.py"
    subprocess.run([python, script, root / "models/toy"], check=True, capture_output=True)


# -- two workflows

CONFIG = """\
dtype = "bfloat16"
steps = 160
batch = 8
learning_rate = 1e-3
warmup = 10
schedule = "cosine"
rank = 16
alpha = 32
max_length = 640
eval_every = 80
save_every = 80
"""
ROWS = 1280  # each is shown once
WORKFLOWS = {
    "denial_reasons": ("Why a claim was denied", 150),
    "claim_entities": ("Entities in claim narratives", 80),
}
PROMPTS = {
    "denial_reasons": """\
## system
Why was it denied? Reply with one label: {labels}

## user
{{{{text}}}}
""",
    "claim_entities": """\
## system
Extract the claimant's entities as a JSON list of {{"label", "text"}}. Labels: {labels}

## user
{{{{narrative}}}}
""",
}


def write_workflows(root: Path, python: str) -> None:
    """Two of the five workflows with short prompts; their gold sets are a part of the full ones, chosen by hash."""
    lines = {task: _part(task, items) for task, (_, items) in WORKFLOWS.items()}
    denials = sorted({json.loads(line)["expected"] for line in lines["denial_reasons"]})
    labels = sorted({e["label"] for line in lines["claim_entities"] for e in json.loads(line)["expected"]})  # fmt: skip
    gate = GATE + (
        "\n[denial_reasons]\naccuracy         = { min = 0.60 }\nunparseable_rate = { max = 0.05 }\n"
        "\n[claim_entities]\nrecall           = { min = 0.50 }\nprecision        = { min = 0.50 }\nunparseable_rate = { max = 0.10 }\n"
    )
    files = {
        "gate.toml": gate,
        "evalgate.toml": MODELS.format(base="smollm2", artifact="smollm2-135m-instruct", family="smollm2", python=python),
        "suites/test_denial_reasons.py": _suite("denial_reasons", WORKFLOWS["denial_reasons"][0], "accuracy, parse_label, rate", f"parse_label({denials})", 16, LABELLED),
        "suites/test_claim_entities.py": _suite("claim_entities", WORKFLOWS["claim_entities"][0], "Entity, parse_json, precision, rate, recall", "parse_json(list[Entity])", 320, ENTITIES),
        "suites/prompts/denial_reasons.md": PROMPTS["denial_reasons"].format(labels=", ".join(denials)),
        "suites/prompts/claim_entities.md": PROMPTS["claim_entities"].format(labels=", ".join(labels)),
    }  # fmt: skip
    for task, (title, _) in WORKFLOWS.items():
        files[f"goldsets/{task}.jsonl"] = "".join(line + "\n" for line in lines[task])
        files[f"goldsets/{task}.toml"] = CARD.format(
            title=title, source="A part of the project's full gold set", generator="goldsets/"
        )
    _write(root, files, "smollm2", CONFIG)
    (root / "models").mkdir()
    copy(ROOT / WEIGHTS["smollm2"], root / WEIGHTS["smollm2"])


def _part(task: str, items: int) -> list[str]:
    """The first `items` of the full gold set in the order of a hash: easy and hard ones as they come; no tags, so no slices."""
    lines = (ROOT / f"goldsets/{task}.jsonl").read_text(encoding="utf-8").splitlines()
    drawn = sorted(lines, key=lambda line: hashlib.sha256(json.loads(line)["id"].encode()).digest())
    return [json.dumps(json.loads(line) | {"tags": []}, ensure_ascii=False) for line in drawn[:items]]  # fmt: skip


def _suite(name: str, title: str, imported: str, parse: str, tokens: int, tests: str) -> str:
    head = SUITE.format(name=name, title=title, imported=imported, parse=parse, tokens=tokens)
    return head + tests + UNPARSEABLE


def _write(root: Path, files: dict[str, str], base: str, config: str) -> None:
    files["terms/project.toml"] = (ROOT / "terms/project.toml").read_text(encoding="utf-8")
    files["trainers/lora.py"] = (ROOT / "trainers/lora.py").read_text(encoding="utf-8")
    files["trainers/rc1.toml"] = RECIPE.format(base=base) + config
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


TOY = Service(
    name="toy",
    write=write_toy,
    base="toy",
    data=(
        *(f"data import vendor/{t}.jsonl --terms terms/project.toml --task {t} --out data/{t}" for t in toy.LABELS),
        "data check data/routing data/urgency --phi --training",
        "data mix first --from routing --from urgency",
    ),
)  # fmt: skip
SMOLLM2 = Service(
    name="workflows",
    write=write_workflows,
    base="smollm2",
    weights=("models import smollm2 --safetensors",),
    data=(
        f"data synthesize --out data/made --rows {ROWS} --task denial_reasons --task claim_entities --seed 1",
        "data check data/made --phi --training",
        f"data mix first --from made --rows {ROWS}",
    ),
)
SERVICES = {"tiny": TOY, "smollm2": SMOLLM2}
