"""A project whose gold set is made of real case reports by `evalgate gold import brat`, asked of the embedded model."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from harness import Project

ROOT = Path(__file__).parents[2]
WEIGHTS = "models/smollm2-135m-instruct.gguf"
LABELS = ("Age", "Sex", "Medication", "Dosage", "Disease_disorder")
REPORTS = 24

SUITE = '''\
"""Entities in real case reports: can the whole way be gone with text that nobody here wrote?"""
from evalgate import Entity, Suite, f1, parse_json, precision, rate, recall

SUITE = Suite(
    "case_reports",
    gold="goldsets/case_reports.jsonl",
    prompt="suites/prompts/case_reports.md",
    parse=parse_json(list[Entity]),
    max_tokens=200,
)

def test_recall(answers, threshold):
    assert threshold.met_by(recall(answers, match="relaxed"))

def test_exact_recall(answers, threshold):
    assert threshold.met_by(recall(answers))

def test_precision(answers, threshold):
    assert threshold.met_by(precision(answers))

def test_f1(answers, threshold):
    assert threshold.met_by(f1(answers))

def test_unparseable_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))
'''
GATE = """\
[gate]
alpha = 0.05
first_release = true

[case_reports]
recall = { min = 0.50 }
exact_recall = { min = 0.50 }
precision = { min = 0.50 }
f1 = { min = 0.50 }
unparseable_rate = { max = 0.15 }
"""
PROMPT = """\
## system
Extract entities from a case report. Reply with a bare JSON list of {"label", "text"} objects, nothing else; [] if there are none. Copy each text exactly, once. Labels: Age, Sex, Medication, Dosage, Disease_disorder.

## user
An 81-year-old lady with gout took colchicine 0.5 mg.

## assistant
[{"label":"Age","text":"81-year-old"},{"label":"Sex","text":"lady"},{"label":"Disease_disorder","text":"gout"},{"label":"Medication","text":"colchicine"},{"label":"Dosage","text":"0.5 mg"}]

## user
{{text}}
"""
MODELS = f"""\
[models.smollm2]
artifact = "{WEIGHTS}"
server = "llamacpp"
licence = "Apache-2.0"
timeout_s = 1800   # a busy machine is slow, and no answer is lost to that
args = ["--ctx-size", "8192", "--parallel", "2"]   # each slot: prompt, report (up to 900 words) and answer

[default]
candidate = "smollm2"
"""


def public_data(folder: str) -> Path:
    """A folder of the public data, or a skip that says why."""
    root = os.environ.get("EVALGATE_PUBLIC_DATA")
    if not root:
        pytest.skip("EVALGATE_PUBLIC_DATA is not set: real public data is not at hand")
    path = Path(root) / folder
    if not path.is_dir():
        pytest.skip(f"{folder} is not among the public data")
    return path


def fill_in(card: Path) -> None:
    """What a person does to an imported card: the commented lines get answers."""
    text = card.read_text(encoding="utf-8")
    for key in ("licence", "labelled_by", "sampling_frame"):
        text = re.sub(rf"^# {key} = .*$", f'{key} = "told by the test"', text, flags=re.MULTILINE)
    text = re.sub(r"^# synthetic = .*$", "synthetic = false", text, flags=re.MULTILINE)
    card.write_text(text, encoding="utf-8")


def case_report_project(root: Path, url: str | None = None) -> Project:
    """The project at `root`, its gold set imported and its card filled in. Skips without data.

    url: of the model to ask; None: the embedded one, and a skip without its weights.
    """
    reports = public_data("maccrobat2020")
    if url is None and not (ROOT / WEIGHTS).is_file():
        pytest.skip(f"{WEIGHTS} is not there: run 'evalgate models import smollm2'")
    project = Project(root, url or "")
    for stale in ("suites/test_triage.py", "goldsets/triage.jsonl", "goldsets/triage.toml"):
        (root / stale).unlink()
    if url is None:
        (root / "models").mkdir()
        # a copy: a hard link made to the file meanwhile changes its times, and the gate sees a touched model
        shutil.copyfile(ROOT / WEIGHTS, root / WEIGHTS)
        project.write("evalgate.toml", MODELS)
    project.write("suites/test_case_reports.py", SUITE)
    project.write("suites/prompts/case_reports.md", PROMPT)
    project.write("gate.toml", GATE)
    out = "goldsets/case_reports.jsonl"
    labels = ("--labels", ",".join(LABELS), "--limit", str(REPORTS))
    done = project.evalgate("gold", "import", "brat", str(reports), "--out", out, *labels)
    assert done.returncode == 0, done.stderr
    fill_in(root / "goldsets/case_reports.toml")
    return project
