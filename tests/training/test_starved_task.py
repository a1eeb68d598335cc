"""A mixture that starves a task is caught: trained, served and asked for real, on a Llama of half a million weights."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import toy
from harness import CARD, Project

from evalgate.gate.plan import lock_plan
from evalgate.suite import load_project

PYTHON = os.environ.get("EVALGATE_TRAIN_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON, reason="EVALGATE_TRAIN_PYTHON names no Python with torch, peft and trl"
    ),
]
ROOT = Path(__file__).parents[2]
SUITE = '''\
"""{title}."""
from evalgate import Suite, accuracy, paired_difference, parse_label

SUITE = Suite(
    "{task}",
    gold="goldsets/{task}.jsonl",
    prompt="suites/prompts/{task}.md",
    parse=parse_label({labels}),
    max_tokens=8,
)

def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))

def test_accuracy_vs_baseline(answers, baseline, threshold):
    assert threshold.met_by(paired_difference(accuracy, answers, baseline))
'''
MODELS = """\
[models.base]
artifact = "models/base"
server = "transformers"
licence = "Apache-2.0"

[default]
candidate = "base"

[training]
python = "{python}"

[servers.transformers]
python = "{python}"
"""
RECIPE = """\
[recipe]
trainer = "trainers/lora.py"
base = "base"
mixture = "{name}"
output = "{name}"
seed = 1

[config]
steps = 60
batch = 16
learning_rate = 2e-2
threads = 1
schedule = "cosine"
max_length = 256
"""
MIXTURES = ("balanced", "starved")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Base, suites, gold sets, and two mixtures of the same rows for one recipe; of the second, one row in fifty is about routing."""
    project = Project.__new__(Project)
    project.root = tmp_path_factory.mktemp("starved") / "project"
    gate = "[gate]\nalpha = 0.05\nfirst_release = true\n"
    for n, (task, labels) in enumerate(toy.LABELS.items()):
        title = toy.SYSTEM[task]
        gate += (
            f"\n[{task}]\naccuracy = {{ min = 0.85 }}\naccuracy_vs_baseline = {{ min = -0.10 }}\n"
        )
        suite = SUITE.format(title=title, task=task, labels=sorted(labels.values()))
        project.write(f"suites/test_{task}.py", suite)
        project.write(f"suites/prompts/{task}.md", f"## system\n{title}\n\n## user\n{{{{text}}}}\n")
        project.write(f"goldsets/{task}.jsonl", toy.gold(task, 60, seed=n))
        project.write(f"goldsets/{task}.toml", CARD.replace('"triage"', f'"{task}"'))
        project.write(f"vendor/{task}.jsonl", toy.rows(task, 400, seed=n))
    project.write("gate.toml", gate)
    project.write("evalgate.toml", MODELS.format(python=PYTHON))
    for name in ("terms/project.toml", "trainers/lora.py"):
        project.write(name, (ROOT / name).read_text())
    for name in MIXTURES:
        project.write(f"trainers/{name}.toml", RECIPE.format(name=name))
    base = Path(__file__).with_name("knowing_base.py")
    subprocess.run([PYTHON, base, project.root / "models/base", "--steps", "250", "--width", "64"], check=True)  # fmt: skip
    for task in toy.LABELS:
        ran(project, f"data import vendor/{task}.jsonl --terms terms/project.toml --task {task} --out data/{task}")  # fmt: skip
    ran(project, "data check data/routing data/urgency --phi --training")
    ran(project, "data mix balanced --from routing --from urgency")
    ran(project, "data mix starved --from routing --from urgency --max-share routing=0.02")
    lock_plan(load_project(project.root), None, "")
    yield project
    shutil.rmtree(project.root)


def ran(project, words, expect=(0,)):
    done = project.run(sys.executable, "-m", "evalgate", *words.split(), timeout=600)
    assert done.returncode in expect, done.stdout + done.stderr
    return done.stdout


def held_out_before(project, name):
    rows = json.loads((project.root / f"models/{name}/held_out.json").read_text())["rows"]
    return {row["id"]: row["before"] for row in rows}


def cell(reference, kind, suite):
    ((found),) = [c for c in reference["cells"] if (c["kind"], c["suite"]) == (kind, suite)]
    return found


def test_the_gate_closes_on_the_starved_task_and_the_table_says_which_and_by_how_much(project):
    ran(project, "gate check base", expect=(0, 1, 3))
    ran(project, "gate train trainers/balanced.toml")
    told = ran(project, "gate train trainers/starved.toml", expect=(1,))
    decision = json.loads(ran(project, "report starved --format json"))
    status = {(f["suite"], f["test"]): f["status"] for f in decision["findings"]}
    assert (status["routing", "accuracy"], status["urgency", "accuracy"]) == ("fail", "pass"), told

    found = json.loads(ran(project, "run interference starved --json"))
    roles = {a["role"]: a for a in found["against"]}
    assert {role: a["model"] for role, a in roles.items()} == {
        "base": "base",
        "previous candidate": "balanced",
    }
    for reference in roles.values():
        routing = cell(reference, "metric", "routing")
        assert routing["state"] == "alarm"
        assert routing["low"] <= routing["difference"] <= routing["high"] < -0.50
        assert cell(reference, "metric", "urgency")["state"] != "alarm"
        early = cell(reference, "loss", "routing")  # of rows that training held out
        assert (early["state"], early["low"] > 0) == ("alarm", True)
    before = [held_out_before(project, name) for name in MIXTURES]
    assert before[0] == before[1] != {}  # the same base and the same rows, whatever was mixed
    print(ran(project, "run interference starved"))  # what a person sees, with pytest -s
    page = ran(project, "run interference starved --format html")
    assert page.count("<svg") == 2
    assert "ALARM: routing is worse than balanced (previous candidate)" in page
