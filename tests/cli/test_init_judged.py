"""The starter's written tasks are judged: a few items, a judge of another family, and a row that waits for people."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest
from harness import Project
from scripted import ScriptedServer

from evalgate.judge.flawless import best
from evalgate.starter import JUDGED, UNITS, write_project
from evalgate.suite import load_project

ROOT = Path(__file__).parents[2]
WRITTEN = ("history_summary", "appeal_letters", "policy_qa")
ROW = "rubric_pass_rate[judged]"
MODELS = """\
[models.writer]
server = "endpoint"
url = "{writer}"
name = "writer"
family = "scripted"

[models.assessor]
server = "endpoint"
url = "{assessor}"
name = "assessor"
family = "another"

[default]
candidate = "writer"

[judge]
model = "assessor"
"""


@pytest.fixture
def starter(tmp_path):
    root = tmp_path / "starter"
    write_project(root)
    return root


def test_the_written_tasks_have_the_repositorys_rubrics_and_a_few_judged_items(starter):
    project = load_project(starter)
    assert set(UNITS) > set(WRITTEN)
    for name, loaded in project.suites.items():
        assert (loaded.rubric is not None) == (name in WRITTEN), name
        assert loaded.gold.items_with_tag("judged") == (JUDGED if name in WRITTEN else 0), name
    repository = load_project(ROOT)
    for name in WRITTEN:
        ours, theirs = project.suites[name].rubric, repository.suites[name].rubric
        assert [c.digest for c in ours.criteria] == [c.digest for c in theirs.criteria]


def test_what_is_judged_was_drawn_and_every_other_byte_is_the_gold_sets(starter):
    def bare(line):
        return re.sub(r',?"judged"(?=\]})', "", line)

    for name in UNITS:
        whole = (ROOT / f"goldsets/{name}.jsonl").read_text().splitlines()
        part = (starter / f"goldsets/{name}.jsonl").read_text().splitlines()
        assert {bare(line) for line in part} <= {bare(line) for line in whole}, name


@pytest.mark.parametrize("root", [ROOT, None], ids=["repository", "starter"])
def test_the_judge_is_a_packaged_model_of_another_family_than_the_candidate(root, starter):
    from evalgate.models import PACKAGED

    settings = tomllib.loads(((root or starter) / "evalgate.toml").read_text())
    candidate = settings["models"][settings["default"]["candidate"]]
    judge = settings["models"][settings["judge"]["model"]]
    assert judge["family"] != candidate["family"]
    packaged = {package.target for package in PACKAGED.values()}
    assert {candidate["artifact"], judge["artifact"]} <= packaged, "'models import' takes both"


def writing(messages, payload):
    return "I have read it all and cannot say more than this."


def disapproving(messages, payload):
    """A judge to whom nothing is met, and everything mediocre."""
    properties = payload["response_format"]["json_schema"]["schema"]["properties"]
    answer = "3" if "3" in properties["answer"]["enum"] else "not_met"
    return json.dumps({"quote": "", "reason": "It is so.", "answer": answer})


def row_of(told, suite):
    return next(f for f in told["findings"] if (f["suite"], f["test"]) == (suite, ROW))


def test_the_judged_rows_wait_for_people_and_no_longer_than_their_labels(starter):
    with ScriptedServer(writing) as writer, ScriptedServer(disapproving) as assessor:
        project = Project.__new__(Project)
        project.root = starter
        project.write("evalgate.toml", MODELS.format(writer=writer.url, assessor=assessor.url))
        done = project.evalgate("gate", "check", "--json")
        assert done.returncode == 1, done.stderr
        told = json.loads(done.stdout)
        loaded = load_project(starter).suites
        for name in WRITTEN:
            assert row_of(told, name)["status"] == "insufficient"
            (said,) = [line for line in told["reasons"] if line.startswith(f"{name} {ROW}: ")]
            assert "evalgate review plan" in said
        asked = sum("judge" in c.judged_by for n in WRITTEN for c in loaded[n].rubric.criteria)
        assert assessor.count == JUDGED * asked, "each criterion of each judged item, once"

        label_all(project, loaded["policy_qa"])
        done = project.evalgate("gate", "check", "--json")
        told = json.loads(done.stdout)
        found = row_of(told, "policy_qa")
        assert (found["status"], found["units"]) == ("pass", JUDGED), "people say so, not the judge"
        assert row_of(told, "appeal_letters")["status"] == "insufficient"
        assert assessor.count == JUDGED * asked


def label_all(project, loaded):
    """A draw, and what two raters export, fill in and bring back: every answer is fine, in the candidate's own words."""
    suite, rubric = loaded.suite.name, loaded.rubric

    def run(*command):
        done = project.evalgate(*command)
        assert done.returncode == 0, done.stdout + done.stderr

    run("review", "plan", "--suite", suite, "--tag", "judged")
    for rater in ("rater-1", "rater-2"):
        sheet = project.root / f"{rater}.csv"
        form = ("--suite", suite, "--format", "csv", "--rater", rater)
        run("review", "export", *form, "--out", str(sheet))
        with sheet.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        assert rows
        for row in rows:
            row["answer"] = best(rubric.criterion(row["criterion"]))
            row["quote"] = "I have read it all" if row["answer"] == "met" else ""
        with sheet.open("w", newline="", encoding="utf-8") as file:
            sheet_writer = csv.DictWriter(file, rows[0])
            sheet_writer.writeheader()
            sheet_writer.writerows(rows)
        run("review", "import", str(sheet), *form, "--clinician")
