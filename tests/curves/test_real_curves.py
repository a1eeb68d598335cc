"""Two sizes of a Llama made on the spot, trained on nested parts of a toy task: whatever is true of them is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path.append(str(TESTS / "training"))

import toy  # noqa: E402
from harness import Project  # noqa: E402
from training.training_project import ROOT  # noqa: E402

from evalgate.gate.plan import lock_plan  # noqa: E402
from evalgate.suite import load_project  # noqa: E402

PYTHON = os.environ.get("EVALGATE_TRAIN_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON, reason="EVALGATE_TRAIN_PYTHON names no Python with torch, peft and trl"
    ),
]
ROWS = 800
WIDTHS = {"narrow": 32, "wide": 64}
RECIPE = """\
[recipe]
trainer = "trainers/lora.py"
base = "narrow"
mixture = "first"
output = "rc1"

[config]
steps = 40
batch = 16
learning_rate = 3e-3
schedule = "cosine"
max_length = 256
eval_every = 40
"""
CURVE = """\
[curve]
recipe = "trainers/rc1.toml"
current = "narrow"
challengers = ["wide"]
measure = "loss"
"""


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    models = f'\n[training]\npython = "{PYTHON}"\n'
    for name, width in WIDTHS.items():
        script = TESTS / "training/tiny_base.py"
        folder = project.root / "models" / name
        subprocess.run(
            [PYTHON, script, folder, "--steps", "150", "--width", str(width)],
            check=True,
            capture_output=True,
        )
        models += f'\n[models.{name}]\nartifact = "models/{name}"\nserver = "transformers"\nlicence = "Apache-2.0"\n'
    with (project.root / "evalgate.toml").open("a") as f:
        f.write(models)
    project.write("terms/project.toml", (ROOT / "terms/project.toml").read_text())
    project.write("trainers/lora.py", (ROOT / "trainers/lora.py").read_text())
    project.write("trainers/rc1.toml", RECIPE)
    project.write("trainers/growth.toml", CURVE)
    project.write(
        "vendor/triage.jsonl",
        toy.rows("routing", ROWS, seed=1).replace('"task": "routing"', '"task": "triage"'),
    )
    for command in (
        "data import vendor/triage.jsonl --terms terms/project.toml --task triage --out data/triage",
        "data mix first --from triage",
    ):
        done = project.evalgate(*command.split())
        assert done.returncode == 0, done.stdout + done.stderr
    lock_plan(load_project(project.root), None, "")
    return project


def test_two_sizes_of_a_small_llama_give_curves_and_a_word_about_either(project):
    done = project.run(
        sys.executable, "-m", "evalgate", "models", "curve", "trainers/growth.toml", timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    record = json.loads((project.root / "reports/curves/growth.json").read_text())
    assert len(record["points"]) == 30
    (task,) = record["tasks"]
    for base in task["curves"]:
        assert base["why"] == ""
        measured = [p["error"]["triage"] for p in record["points"] if p["base"] == base["base"]]
        assert min(measured) > 0
        assert len(set(measured)) > 5  # real trainings differ from seed to seed and size to size
        assert base["planned"]["low"] <= base["planned"]["error"] <= base["planned"]["high"]
        assert base["planned"]["error"] <= base["now"]["error"] + 1e-9
    nominated = task["better"]["wide"] > 0.25
    assert ("wide" in record["nominated"]) == nominated
    assert not (project.root / "models/rc1").exists()
