"""`gate train` keeps experiments; `run list`, `show` and `diff` tell them. Real trainers, servers and checks, no learning."""

import json
import math
import shutil
import statistics
import time
import xml.etree.ElementTree as ET

import pytest
from experiments.experiment_project import ExperimentProject

WRONG = {"rc1": range(40), "rc2": range(2, 40), "rc3": range(5)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three candidates: a poor one, one that is right about two items more, a good one."""
    project = ExperimentProject(tmp_path_factory.mktemp("log"))
    project.done = {name: project.train(name, wrong) for name, wrong in WRONG.items()}
    return project


@pytest.fixture
def project(trained, tmp_path):
    """A copy that a test may spoil."""
    shutil.copytree(trained.root, tmp_path / "copy", symlinks=True)
    copy = ExperimentProject.__new__(ExperimentProject)
    copy.root = tmp_path / "copy"
    return copy


def rungs(listed):
    return {e["experiment"]["name"]: e["rungs"][0] for e in listed["experiments"]}


def test_an_experiment_says_what_went_in_what_came_out_and_which_decision(trained):
    done, record = trained.done["rc1"], trained.record("rc1")
    assert done.returncode == 1, done.stdout + done.stderr  # the check's own
    assert "experiment: reports/experiments/" in done.stdout
    training = json.loads((trained.root / "models/rc1/training.json").read_text())
    mixture = json.loads((trained.root / "data/mixtures/first.manifest.json").read_text())
    for ours, theirs in {"recipe_digest": "recipe", "trainer": "trainer", "base_digest": "base", "corpora": "corpora",
                         "config": "config", "seed": "seed"}.items():  # fmt: skip
        assert record[ours] == training[theirs], ours
    assert (record["mixture"], record["mixture_digest"]) == ("first", mixture["digest"])
    assert record["data"] == {"triage": {"rows": 7, "trained_tokens": 21}}
    assert record["loss"] == [[1, 2.0], [2, 1.0], [4, 0.5]]  # NaN at step 3
    assert record["held_out"] == {"triage": [[2, 1.5], [4, 0.75]]}
    decision = json.loads((trained.root / f"reports/decisions/{record['decision']}.json").read_text())  # fmt: skip
    assert decision["model"]["digest"] == record["artifact"]
    assert record["why"] == ""


def test_seconds_of_answering_are_those_that_the_runs_have(trained):
    for name in WRONG:
        seconds = trained.record(name)["seconds"]
        assert seconds["training"] > 0
        assert 0 < seconds["answering"] < seconds["check"]
        assert 0 < seconds["opening"] < seconds["check"] - seconds["answering"]
    starts, ends = [], []
    for path in (trained.root / "reports/runs/triage").glob("*/answers.jsonl"):
        rows = [json.loads(line)["row"] for line in path.read_text().splitlines()]
        starts.append(min(r["at"] - r["seconds"] for r in rows))
        ends.append(max(r["at"] for r in rows))
    answering = [trained.record(name)["seconds"]["answering"] for name in WRONG]
    spans = [end - start for start, end in sorted(zip(starts, ends, strict=True))]
    assert all(0 < a <= span + 0.01 for a, span in zip(answering, spans, strict=True))


def test_only_an_improvement_beyond_two_paired_errors_is_a_move(trained):
    found = rungs(trained.listed())
    assert [found[n]["state"] for n in WRONG] == ["first rung", "within noise", "ladder move"]
    assert [found[n]["against"] for n in WRONG] == ["", "rc1", "rc1"]  # not rc2, which was no move
    for name in ("rc2", "rc3"):
        pairs = [(n not in WRONG[name]) - (n not in WRONG["rc1"]) for n in range(120)]
        assert found[name]["difference"] == pytest.approx(statistics.mean(pairs))
        assert found[name]["error"] == pytest.approx(statistics.stdev(pairs) / math.sqrt(120))
    decision = json.loads((trained.root / f"reports/decisions/{trained.record('rc3')['decision']}.json").read_text())  # fmt: skip
    accuracy = next(f for f in decision["findings"] if f["test"] == "accuracy")
    assert all(found["rc3"][key] == accuracy[key] for key in ("estimate", "low", "high", "units"))


def test_answers_that_are_gone_or_of_other_questions_are_never_guessed_about(project):
    (run,) = [
        p.parent
        for p in (project.root / "reports/runs/triage").glob("*/run.json")
        if '"name": "rc1"' in p.read_text()
    ]
    shutil.rmtree(run)
    found = rungs(project.listed())
    assert [found[n]["state"] for n in WRONG] == ["not comparable", "not comparable", "ladder move"]
    assert "not here" in found["rc1"]["reason"]
    assert found["rc2"]["difference"] is None
    assert "starts anew" in found["rc2"]["reason"]
    assert found["rc3"]["against"] == "rc2"
    project.edit("goldsets/triage.jsonl", "of member 7", "of the member 7")
    found = rungs(project.listed())
    assert {found[n]["state"] for n in WRONG} == {"not comparable"}
    assert "EG423" in found["rc3"]["reason"] or "gold set" in found["rc3"]["reason"]


def test_what_was_edited_is_named_and_no_rung(project):
    (path,) = (project.root / "reports/experiments").glob("*-rc1.json")
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    listed = project.listed(code=5)
    assert [e["experiment"]["name"] for e in listed["experiments"]] == ["rc2", "rc3"]
    assert "EG952" in listed["broken"][0]
    assert rungs(listed)["rc2"]["state"] == "not comparable"
    shown = project.evalgate("run", "show", "rc1", "--experiment")
    assert (shown.returncode, "EG952" in shown.stderr) == (5, True)
    assert project.evalgate("run", "diff", "rc1", "rc3").returncode == 5


def test_a_decision_that_was_edited_makes_its_experiment_no_rung(project):
    path = project.root / f"reports/decisions/{project.record('rc3')['decision']}.json"
    path.write_text(path.read_text().replace("0.9583", "0.9999"))
    listed = project.listed(code=5)
    assert [e["experiment"]["name"] for e in listed["experiments"]] == ["rc1", "rc2"]


def test_one_experiment_is_shown_with_its_cost_in_seconds(trained):
    shown = trained.evalgate("run", "show", "rc3", "--experiment")
    assert shown.returncode == 0, shown.stderr
    seconds = trained.record("rc3")["seconds"]
    harness = seconds["check"] - seconds["answering"]
    assert f"{harness:.1f} s of harness, {harness / seconds['training']:.2f} times the training" in shown.stdout  # fmt: skip
    assert "data of triage: 7 rows, 21 trained tokens" in shown.stdout
    told = json.loads(trained.evalgate("run", "show", "rc3", "--experiment", "--json").stdout)
    assert told["experiments"][0]["seconds_of_harness"] == pytest.approx(harness)
    assert "EG954" in trained.evalgate("run", "show", "rc9", "--experiment").stderr


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_a_comparison_of_two_experiments_says_first_what_went_in(trained, form):
    done = trained.evalgate("run", "diff", "rc1", "rc3", "--format", form)
    assert done.returncode == 0, done.stderr
    if form == "json":
        told = json.loads(done.stdout)
        assert [row[0] for row in told["experiments"][0]["rows"]] == ["recipe", "config wrong"]
        assert told["schema"] == "evalgate.rundiff/1"
    else:
        assert done.stdout.index("config wrong") < done.stdout.index("run diff: rc1 against rc3")


def test_the_page_holds_curves_findings_and_interference_and_is_well_formed(trained):
    (path,) = (trained.root / "reports/experiments").glob("*-rc3.html")
    assert path.stat().st_mode & 0o777 == 0o600
    page = path.read_text()
    svgs = ["<svg" + part.split("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]
    assert len([ET.fromstring(svg) for svg in svgs]) == 3  # a loss, and two references' differences
    for said in ("ladder move", "previous candidate: rc2", "0.7500", "times the training"):
        assert said in page
    assert "<script" not in page
    assert "interference: rc3 beside rc2 (previous candidate)" in trained.done["rc3"].stdout
    assert "interference" not in trained.done["rc1"].stdout  # nobody had answered before


def test_a_candidate_that_nobody_checked_is_listed_as_such(project):
    done = project.train("rc4", (), "--no-check")
    assert done.returncode == 0, done.stderr
    record = project.record("rc4")
    assert (record["decision"], record["why"]) == (None, "--no-check")
    assert record["seconds"]["check"] is None
    found = rungs(project.listed())["rc4"]
    assert (found["state"], found["estimate"]) == ("no estimate", None)


def test_an_experiment_outlives_a_kill_between_training_and_decision(tmp_path):
    project = ExperimentProject(tmp_path, slow=2)
    gate = project.start("evalgate", "gate", "train", project.recipe("rc1"))
    until = time.monotonic() + 60
    while not list(project.root.glob("reports/runs/triage/*/run.json")):
        assert time.monotonic() < until
        assert gate.poll() is None
        time.sleep(0.05)
    gate.kill()
    gate.communicate()
    assert project.record("rc1")["why"] == "not checked"
    shown = project.evalgate("run", "list", "--experiments")
    assert shown.returncode == 0, shown.stderr
    assert "-rc1 not checked" in shown.stdout


def test_a_check_that_came_to_no_decision_of_its_own_leaves_why(project):
    table = (project.root / "evalgate.toml").read_text()
    name = table[table.index("[servers.transformers]") :].split('"')[1]
    project.edit("evalgate.toml", name, str(project.root / "nowhere"))
    done = project.train("rc5")
    assert done.returncode not in (0, 1), done.stdout + done.stderr
    assert "trained: models/rc5" in done.stdout
    record = project.record("rc5")
    assert record["seconds"]["answering"] is None
    if record["decision"] is None:
        assert record["why"].startswith(f"no decision, exit {done.returncode}")
    assert rungs(project.listed())["rc5"]["state"] == "no estimate"
