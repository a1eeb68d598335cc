"""A candidate has learnt from rows that touch gold items: its report shows claims with and without them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from harness import Project

sys.path.insert(0, str(Path(__file__).parents[1]))
from ci.ci_machines import served
from terms.trained import base, corpus, row

from evalgate.gate.record import find, read, render
from evalgate.metrics.estimate import Binary
from evalgate.release.contaminated import contaminated

WRONG = list(range(100, 110))
TOUCHED = list(range(3, 43))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A candidate that is wrong about ten items of 120 and has learnt from cases of forty others, two of them must-pass ones."""
    project = Project(tmp_path_factory.mktemp("contaminated") / "p", "http://127.0.0.1:9/v1")
    served(project)
    root = project.root
    config = root / "models/scripted/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"wrong": WRONG}))
    project.edit("gate.toml", "{ min = -0.05 }", "{ min = -0.20 }")
    record = {
        "schema": "evalgate.training/1",
        "mixture": "sha256:mixture",
        "corpora": {"made": corpus(root, "made", [row(f"member-{n}") for n in TOUCHED])},
        "base": base(root, "below", "MIT"),
        "terms": ["project"],
    }
    (root / "models/scripted/training.json").write_text(json.dumps(record))
    done = project.evalgate("gate", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def check(project):
    """The kept check of the candidate's corpus, made after the training."""
    path = project.root / "data/made.checks.json"
    done = project.evalgate("data", "check", "data/made", "--keep")
    assert done.returncode == 1, done.stderr
    assert f"{len(TOUCHED)} gold items are touched" in done.stderr
    return path.read_bytes()


@pytest.fixture
def known(project, check):
    """The project with that check; gone afterwards."""
    path = project.root / "data/made.checks.json"
    path.write_bytes(check)
    yield project
    path.unlink()


def told(project: Project) -> dict:
    kept = read(find(project.root, None))
    return json.loads(render(kept, project.root, "json", None, contaminated(project.root, kept)))


def test_every_claim_stands_with_and_without_them_by_the_same_interval(known):
    report = told(known)
    found = report["contaminated"]
    assert found["items"] == {"triage": [f"t-{n:04d}" for n in TOUCHED]}
    assert found["notes"] == []
    claims = {claim["test"]: claim for claim in found["claims"]}
    assert list(claims) == [f["test"] for f in report["findings"]]
    for finding in report["findings"]:
        whole = claims[finding["test"]]["whole"]
        assert whole == {key: finding[key] for key in whole}
    low, high = Binary(k=70, n=80).bounds(0.05, 0)
    assert claims["accuracy"]["without"] == {
        "status": "inconclusive",
        "estimate": 0.875,
        "low": low,
        "high": high,
        "items": 80,
        "units": 80,
        "method": "Clopper-Pearson",
        "alpha": 0.05,
    }
    assert (claims["must_pass"]["whole"]["items"], claims["must_pass"]["without"]["items"]) == (
        5,
        3,
    )
    assert [test for test, claim in claims.items() if claim["turned"]] == ["accuracy"]


def test_the_gate_is_not_moved_and_the_kept_decision_says_nothing_of_it(known):
    report = told(known)
    assert (report["decision"], report["exit"]) == ("open", 0)
    (stored,) = (p for p in known.root.glob("reports/decisions/*.json") if "evidence" not in p.name)
    assert json.loads(stored.read_text()) == {
        k: v for k, v in report.items() if k != "contaminated"
    }


@pytest.mark.parametrize("form", ["md", "html"])
def test_people_read_both_numbers_and_which_one_decides(known, form):
    done = known.evalgate("report", "--format", form)
    assert done.returncode == 0, done.stderr
    said = done.stdout.replace("<wbr>", "").replace("`", "")
    assert (
        "triage: 40 gold items stand in what the model was trained on; only the claims with all items decide"
        in said
    )
    assert said.count("IS MET ONLY WITH CONTAMINATED ITEMS: without them it is inconclusive") == 1
    assert "0.9167" in said
    assert "0.8750" in said
    assert "120, 120" in said
    assert "80, 80" in said


def test_without_a_kept_check_nothing_is_known(project):
    found = told(project)["contaminated"]
    assert found["claims"] == []
    (note,) = found["notes"]
    assert (
        note
        == "contaminated gold items: not known, made has no kept check (triage): evalgate data check data/made --keep"
    )


def test_a_gold_set_that_changed_since_the_check_makes_it_unknown(known):
    path = known.root / "data/made.checks.json"
    report = json.loads(path.read_text())
    path.write_text(
        json.dumps(report | {"gold": report["gold"] | {"triage": "sha256:" + "0" * 64}})
    )
    found = told(known)["contaminated"]
    assert (found["items"], found["claims"]) == ({}, [])
    assert "not known, made was checked against another gold set" in found["notes"][0]


def test_a_gold_set_that_changed_since_the_decision_leaves_no_number(known):
    gold = known.root / "goldsets/triage.jsonl"
    before = gold.read_text()
    gold.write_text(before.replace("request <0050>", "request <0051>"))
    try:
        found = told(known)["contaminated"]
    finally:
        gold.write_text(before)
    assert found["claims"] == []
    assert "EG423" in found["notes"][0]


def test_a_test_that_measures_otherwise_now_is_not_set_beside_what_was_decided(known):
    suite = "suites/test_triage.py"
    known.edit(
        suite, "threshold.met_by(accuracy(answers))", 'threshold.met_by(rate(answers, "ok"))'
    )
    try:
        claims = told(known)["contaminated"]["claims"]
    finally:
        known.edit(
            suite, 'threshold.met_by(rate(answers, "ok"))', "threshold.met_by(accuracy(answers))"
        )
    assert claims[0]["without"] is None
    assert claims[0]["why"].startswith("not known: ")
    assert claims[2]["without"] is not None


def test_answers_that_are_gone_and_a_model_of_other_bytes_leave_nothing_known(known):
    runs = known.root / "reports/runs"
    shutil.move(runs, known.root / "aside")
    try:
        assert "EG987" in told(known)["contaminated"]["notes"][0]
    finally:
        shutil.move(known.root / "aside", runs)
    weights = known.root / "models/scripted/config.json"
    before = weights.read_bytes()
    weights.write_bytes(before + b" ")
    try:
        notes = told(known)["contaminated"]["notes"]
    finally:
        weights.write_bytes(before)
    assert notes == ["contaminated gold items: not known, the model's files are others now"]
