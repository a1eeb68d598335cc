"""A judge verifies what a model wrote for a corpus, after code, and only where clinicians' labels have shown what it is worth."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from judged_synthesis import SUITE, Judged, faulty, telling
from scripted import ScriptedServer

from evalgate.corpus.example import Example
from evalgate.corpus.files import Writer, load_manifest, rows
from evalgate.corpus.rewriting import Rewritten
from evalgate.corpus.synthesis_corpus import figures_of

FAULT = ("--judge", "assessor", "--criterion", f"{SUITE}:invented-fact")


@pytest.fixture(scope="module")
def answered(tmp_path_factory) -> Path:
    """Answers and verdicts, and the draw; nobody has labelled anything."""
    project = Judged(tmp_path_factory.mktemp("answered") / "project")
    project.set_up()
    assert project.evalgate("gate", "check", "writer").returncode == 3
    project.done("review", "plan", "writer")
    return project.root


@pytest.fixture(scope="module")
def calibrated(answered, tmp_path_factory) -> Path:
    """Clinicians' labels, by which the judge decides invented-fact and nothing else."""
    project = Judged(tmp_path_factory.mktemp("calibrated") / "project")
    shutil.copytree(answered, project.root)
    project.label()
    table = json.loads(project.done("judge", "calibrate", "writer", "--json"))["suites"][0]
    standings = {c["criterion"]: c["standing"] for c in table["criteria"]}
    assert standings["invented-fact"] == "decides"
    assert standings["states-reason"] == "clinician only"
    return project.root


@pytest.fixture
def project(calibrated, tmp_path) -> Judged:
    shutil.copytree(calibrated, tmp_path / "project")
    return Judged(tmp_path / "project")


def told(project: Judged) -> Rewritten:
    found = figures_of(load_manifest(project.root / "data/x"))[SUITE].rewritten
    assert found is not None
    return found


def retold_rows(project: Judged) -> Iterator[Example]:
    return (e for e in rows(project.root / "data/x", strict=True) if e.made_by.model)


def test_a_kept_row_says_which_judge_passed_it_by_which_criterion(project):
    with telling(project):
        done = project.synthesize()
    assert done.returncode == 0, done.stderr
    found, manifest = list(retold_rows(project)), load_manifest(project.root / "data/x")
    assert len(found) == told(project).kept == told(project).chosen > 5
    arguments = manifest.made_with.arguments
    labels = (project.root / f"rubrics/{SUITE}.labels.jsonl").read_text().splitlines()
    label = next(
        found for found in map(json.loads, labels) if found["criterion"] == "invented-fact"
    )
    for row in found:
        assert row.checks == {
            "facts": row.checks["facts"],
            "judge:invented-fact": arguments["judge"],
            "criterion:invented-fact": label["criterion_digest"],
        }
    assert list(arguments["criteria"]) == [f"{SUITE}:invented-fact"]
    assert arguments["labels"].keys() == {SUITE}
    assert arguments["judge"] != arguments["model"]


@pytest.mark.parametrize("said", ["met", "void", "cannot_tell"])
def test_what_the_judge_does_not_find_in_order_is_dropped_and_counted_by_what_it_said(
    project, said
):
    (project.root / "judge-says").write_text(said)
    with telling(project):
        done = project.synthesize()
    assert done.returncode == 0, done.stderr
    found = told(project)
    assert found.kept == 0
    assert found.dropped == {f"judge: invented-fact {said}": found.chosen}
    assert f"{found.chosen} judge: invented-fact {said}" in done.stdout
    every = list(rows(project.root / "data/x", strict=True))
    assert len(every) == 12, "the rows that were to be told anew stay as templates made them"
    assert not any(e.made_by.model or e.checks for e in every)


def test_each_row_is_kept_or_dropped_by_the_verdict_about_it_of_which_nothing_is_left(project):
    (project.root / "judge-says").write_text("by-row")
    before = sorted(project.root.glob("reports/verdicts/**/*"))
    temporary = project.write("temporary/.keep", "").parent
    with telling(project):
        assert project.synthesize(TMPDIR=str(temporary)).returncode == 0
    found = told(project)
    assert found.dropped.keys() == {"judge: invented-fact met"}
    assert 0 < found.kept == len(list(retold_rows(project))) < found.chosen
    assert found.kept + sum(found.dropped.values()) == found.chosen
    assert [path.name for path in temporary.iterdir()] == [".keep"]
    assert sorted(project.root.glob("reports/verdicts/**/*")) == before


def test_a_judge_that_dies_lets_nothing_in(project):
    (project.root / "judge-says").write_text("dies")
    with telling(project):
        done = project.synthesize()
    assert done.returncode == 4, done.stderr
    assert project.left() == []


def refused(project: Judged, *args: str, code: int, error: str, family: str = "scripted") -> str:
    """What stderr says of a call that asks the generator nothing and leaves nothing."""
    with telling(project, family) as server:
        done = project.synthesize(*(args or FAULT))
    assert (done.returncode, error in done.stderr) == (code, True), done.stderr
    assert server.count == 0
    assert project.left() == []
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_a_judge_that_does_not_decide_the_criterion_is_refused_with_the_reason(project):
    args = (*FAULT, "--criterion", f"{SUITE}:states-reason")
    said = refused(project, *args, code=3, error="EG997")
    assert f"{SUITE}:states-reason" in said
    assert "nothing shows that it finds a fault" in said


def test_a_calibration_that_was_edited_convinces_nobody(project):
    path = project.root / f"reports/calibration/{SUITE}.json"
    table = json.loads(path.read_text())
    for criterion in table["criteria"]:
        criterion["standing"] = "decides"
    path.write_text(json.dumps(table))
    args = ("--judge", "assessor", "--criterion", f"{SUITE}:states-reason")
    refused(project, *args, code=3, error="EG997")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (f"rubrics/{SUITE}.toml", "At least one.", "One or more.", "the rubric changed since"),
        ("models/assessor/config.json", "8192", "8191", "the judge's weights"),
    ],
)
def test_a_stale_calibration_is_refused(project, file, old, new, said):
    project.edit(file, old, new)
    assert said in refused(project, code=3, error="EG997")


def test_verdicts_that_are_gone_qualify_nobody(project):
    shutil.rmtree(project.root / "reports/verdicts")
    refused(project, code=3, error="EG997")


@pytest.fixture
def unlabelled(answered, tmp_path) -> Judged:
    shutil.copytree(answered, tmp_path / "project")
    return Judged(tmp_path / "project")


def test_without_a_calibration_there_is_no_judge(unlabelled):
    refused(unlabelled, code=2, error="EG668")


def test_without_labels_the_judge_is_refused(unlabelled):
    unlabelled.done("judge", "calibrate", "writer", "--no-repeat")
    assert "Nobody has labelled anything" in refused(unlabelled, code=3, error="EG997")


def test_simulated_labels_qualify_no_verifier(unlabelled):
    unlabelled.label(simulated=True)
    unlabelled.done("judge", "calibrate", "writer")
    assert "simulated" in refused(unlabelled, code=3, error="EG997")


def elsewhere(messages: list[dict], payload: dict) -> str:
    """A judge behind an endpoint that sees what people see."""
    del payload
    text = messages[-1]["content"]
    number = re.search(r"Letter .(\d+)", text)
    assert number
    fault = "a fact that is not in the file" in text.split("# The statement")[-1]
    answer = "met" if not fault or faulty(int(number[1])) else "not_met"
    return json.dumps({"quote": "", "reason": "It is so.", "answer": answer})


def test_a_judge_behind_an_endpoint_is_refused_however_well_it_agrees(unlabelled):
    unlabelled.label()
    with ScriptedServer(elsewhere) as judge:
        unlabelled.judge_elsewhere(judge.url)
        table = json.loads(unlabelled.done("judge", "calibrate", "writer", "--json"))["suites"][0]
        assert "decides" in [c["standing"] for c in table["criteria"]]
        asked = judge.count
        done = unlabelled.synthesize(*FAULT)
        assert judge.count == asked
    assert (done.returncode, "EG997" in done.stderr) == (3, True), done.stderr
    assert "it is an endpoint" in done.stderr


def test_the_judge_is_neither_the_generator_nor_of_its_family(project):
    refused(project, code=2, error="EG663", family="other-7b")
    done = project.synthesize(*FAULT, "--model", "assessor")
    assert (done.returncode, "EG662" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("--judge", "writer", "--criterion", f"{SUITE}:invented-fact"),
        ("--judge", "assessor", "--criterion", f"{SUITE}:placeholder"),
        ("--judge", "assessor", "--criterion", "invented-fact"),
        (*FAULT, "--task", "policy_qa", "--criterion", "policy_qa:supported"),
    ],
)
def test_another_judge_or_an_unfit_criterion_is_a_usage_error(project, args):
    refused(project, *args, code=2, error="EG998")


def test_judge_criterion_and_model_belong_together(project):
    for args in (FAULT[:2], FAULT[2:]):
        assert project.synthesize(*args).returncode == 2
    done = project.evalgate("data", "synthesize", "--out", "data/x", "--rows", "9", *FAULT)
    assert (done.returncode, "--model" in done.stderr) == (2, True)


def parents(project: Judged) -> None:
    """A corpus of four letters: two as they should be, one without its notice, one too long for the judge."""
    case = "The member has gout. Therapy was tried. The clinic says that it did not help."
    given = {"denial": "The plan denied it.", "case": case, "request": "Write a letter."}
    bare = {name: text for name, text in given.items() if name != "denial"}
    others = (f"It was a long day at the clinic, and sentence {n} says so." for n in range(900))
    long = {**given, "denial": " ".join(others)}
    added = {name: f"{case} {said}" for name, said in (("two", "He is at home."), ("long", "She is at work."), ("bare", "They wait."))}  # fmt: skip
    inputs = {"one": given, "two": given, "bare": bare, "long": long}
    with Writer(project.root / "data", "letters", command="data import") as writer:
        for name, texts in inputs.items():
            one = {**texts, "case": added.get(name, case)}
            messages = (
                {"role": "user", "content": f"FILE\n{one['case']}"},
                {"role": "assistant", "content": "Therapy was tried for gout."},
            )
            writer.add(
                Example(
                    id=name, task=SUITE, messages=messages, unit=name, terms="project", input=one,
                    expected={"facts": [[["gout"]]], "must_not": []},
                )
            )  # fmt: skip


def test_derived_rows_are_verified_too_and_what_the_judge_cannot_read_is_out(project):
    parents(project)
    with telling(project):
        done = project.evalgate(
            "data", "synthesize", "--out", "data/x", "--rows", "4", "--from", "data/letters", "--model", "teller", *FAULT
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = list(rows(project.root / "data/x", strict=True))
    assert [row.parents for row in found] == [("one",), ("two",)]
    assert all("judge:invented-fact" in row.checks for row in found)
    assert told(project).dropped == {"judge: no-room": 1, "judge: no-sources": 1}
