"""Reports of real checks: real processes, a real server, real files."""

from __future__ import annotations

import json
import sys

import pytest
from harness import Project, right_but
from junitparser import JUnitXml
from report_decisions import decision
from scripted import ScriptedServer

from evalgate.gate.evidence import gather
from evalgate.records import ModelIdentity
from evalgate.store import RunWriter, run_directory
from evalgate.suite import load_project
from evalgate.suite.asking import manifest_of

ODD = {40: "I'm sorry, but I can't help with that.", 41: "who knows", 42: {"text": "AP", "finish_reason": "length"}}  # fmt: skip


def reply(messages, payload):
    number = int(messages[-1]["content"].split("<")[1][:4])
    return ODD[number] if number in ODD else right_but(set(range(6, 9)))(messages, payload)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A project with a baseline, checked by the gate, then once more by plain pytest with two workers."""
    with (
        ScriptedServer(reply=reply) as candidate,
        ScriptedServer(reply=right_but({6, 7})) as released,
    ):
        project = Project(tmp_path_factory.mktemp("p"), candidate.url)
        project.models(rc=candidate.url, released=released.url)
        project.edit("gate.toml", "first_release = true", 'baseline = "released"')
        project.edit("gate.toml", "{ min = -0.05 }", "{ min = -0.20 }")
        project.done = (project.evalgate("gate", "check"), project.pytest("suites/", "-n", "2", "-v"))  # fmt: skip
        yield project


def stored(project, suffix):
    return sorted(project.root.glob(f"reports/decisions/*{suffix}"))


def test_the_gate_and_plain_pytest_keep_the_same_evidence(checked):
    gate, plain = (json.loads(p.read_text()) for p in stored(checked, ".evidence.json"))
    assert gate["claims"] == plain["claims"]
    assert gate["evidence"]["suites"] == plain["evidence"]["suites"]
    assert gate["evidence"]["files"] == plain["evidence"]["files"]
    assert (gate["evidence"]["asked"], gate["evidence"]["kept"]) == (240, 0)
    assert (plain["evidence"]["asked"], plain["evidence"]["kept"]) == (0, 240)


def test_evidence_counts_answers_and_names_runs_that_are_there(checked):
    evidence = json.loads(stored(checked, ".evidence.json")[0].read_text())["evidence"]
    (suite,) = evidence["suites"]
    assert suite["answers"] == {"ok": 117, "refused": 1, "truncated": 1, "unparseable": 1}
    assert (suite["items"], suite["units"], suite["gold_version"]) == (120, 120, "1")
    for which in ("", "baseline_"):
        manifest = checked.root / suite[f"{which}run"] / "run.json"
        assert json.loads(manifest.read_text())["suite"] == "triage"
        assert suite[f"{which}run"].endswith(suite[f"{which}key"][:16])
    assert suite["asked"][0] <= suite["asked"][1] <= evidence["decided"]


def test_the_worst_items_are_those_that_went_wrong(checked):
    claims = json.loads(stored(checked, ".evidence.json")[0].read_text())["claims"]
    worst = {c["test"]: c["worst"] for c in claims}
    assert worst == {
        "accuracy": ["t-0006", "t-0007", "t-0008", "t-0040", "t-0041"],
        "failed_rate": ["t-0040", "t-0041", "t-0042"],
        "slice_accuracy[spanish]": ["t-0006", "t-0042"],
        "accuracy_vs_baseline": ["t-0008", "t-0040", "t-0041", "t-0042"],
        "must_pass": [],
    }


def test_the_files_to_verify_are_the_ones_of_the_project(checked):
    done = checked.evalgate("report", "--format", "html")
    page = done.stdout.replace("&gt;", ">").replace("&lt;", "<").replace("&#x27;", "'")
    command = page[page.index("sha256sum --check") :].partition("</code>")[0]
    verified = checked.run("sh", "-c", command)
    assert verified.returncode == 0, verified.stderr
    assert "suites/test_triage.py: OK" in verified.stdout
    assert "goldsets/triage.jsonl: OK" in verified.stdout


def test_every_format_renders_again_as_it_was_written(checked):
    latest = stored(checked, ".html")[-1]
    for name, format_, suffix in (
        ("rc", "html", ".html"),
        (latest.stem, "junit", ".xml"),
        (str(latest), "md", ".md"),
        (latest.stem[:-3], "json", ".json"),
    ):
        done = checked.evalgate("report", name, "--format", format_)
        assert done.returncode == 0, done.stderr
        assert done.stdout == latest.with_suffix(suffix).read_text()


def test_a_report_can_go_into_a_file(checked, tmp_path):
    target = tmp_path / "summary.md"
    done = checked.evalgate("report", "--format", "md", "--out", str(target))
    assert (done.returncode, done.stdout) == (0, "")
    assert target.read_text().startswith("## ✓ OPEN")
    assert target.stat().st_mode & 0o777 == 0o600
    missing = checked.evalgate("report", "--out", str(tmp_path / "no/where.md"))
    assert missing.returncode == 2
    assert "EG514" in missing.stderr


def test_terminals_name_odd_answers_and_with_v_the_worst_items(checked):
    gate, plain = checked.done
    assert gate.returncode == plain.returncode == 0, gate.stdout + plain.stdout
    assert "answers: 117 ok, 1 unparseable, 1 refused, 1 truncated" in gate.stdout
    assert "worst items" not in gate.stdout
    assert "triage failed_rate: t-0040, t-0041, t-0042" in plain.stdout
    assert gate.stdout.splitlines()[-1] == plain.stdout.strip().splitlines()[-1]
    assert str(stored(checked, ".html")[0]) in gate.stdout


def test_junit_of_an_open_decision_is_green_and_counts_every_threshold(checked):
    xml = JUnitXml.fromfile(str(stored(checked, ".xml")[0]))
    assert (xml.tests, xml.failures, xml.errors) == (6, 0, 0)


def test_no_report_holds_a_word_of_a_question_or_an_answer(checked):
    told = "".join(p.read_text() for p in checked.root.glob("reports/decisions/*"))
    for word in ("request", "of member", "who knows", "sorry"):
        assert word not in told


def test_an_edited_decision_is_refused_with_exit_5(checked, tmp_path):
    source = stored(checked, ".evidence.json")[0]
    for path in checked.root.glob(f"reports/decisions/{source.name.split('.')[0]}*.json"):
        (tmp_path / path.name).write_text(path.read_text().replace("t-0040", "t-0043"))
    done = checked.evalgate("report", str(tmp_path / source.name))
    assert done.returncode == 5
    assert "EG513" in done.stderr
    assert done.stdout == ""


def test_an_edited_decision_stays_refused_when_its_evidence_is_removed(tmp_path):
    with ScriptedServer(reply=right_but(set(range(90)))) as server:
        project = Project(tmp_path, server.url)
        assert project.evalgate("gate", "check").returncode == 1
    (beside,) = stored(project, ".evidence.json")
    path = beside.with_name(beside.name.replace(".evidence", ""))
    told = json.loads(path.read_text()) | {"decision": "open", "exit": 0, "reasons": []}
    path.write_text(json.dumps(told | {"findings": [f | {"status": "pass"} for f in told["findings"]]}))  # fmt: skip
    beside.unlink()
    for format_ in ("md", "html", "junit", "json"):
        done = project.evalgate("report", "--format", format_)
        assert (done.returncode, done.stdout) == (5, "")
        assert "EG513" in done.stderr


def test_a_decision_that_cannot_be_written_or_told_whole_is_not_kept_at_all(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        assert project.evalgate("gate", "check").returncode == 0
        before = stored(project, "")
        gate = f"{sys.executable} -m evalgate gate check"
        for command in (f"{gate} --json > /dev/full", f"{gate} > /dev/full", f"ulimit -f 24; {gate} --copy out"):  # fmt: skip
            done = project.run("bash", "-c", command)
            assert done.returncode == 4, command + done.stderr
            assert "EG501" in done.stderr
            assert stored(project, "") == before
        assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_reader_that_goes_away_changes_no_verdict(tmp_path, option):
    with ScriptedServer(reply=right_but(set(range(90)))) as server:
        project = Project(tmp_path, server.url)
        command = (
            f"{sys.executable} -m evalgate gate check {option} | true; exit ${{PIPESTATUS[0]}}"
        )
        done = project.run("bash", "-c", command)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "internal" not in done.stderr
    assert len(stored(project, "")) == 5


def test_decisions_about_nothing_that_was_asked_are_kept_too(tmp_path):
    """A bypass is found before anything is asked."""
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    project.edit("suites/test_triage.py", "def test_must_pass", "def test_other")
    done = project.evalgate("gate", "check")
    assert done.returncode == 1, done.stdout + done.stderr
    xml = JUnitXml.fromfile(str(stored(project, ".xml")[0]))
    assert xml.errors >= 1
    assert project.evalgate("report", "--format", "md").stdout.startswith("## ✗ CLOSED (exit 1)")


def test_the_artifact_is_among_the_files_to_verify_where_it_is_one_file(tmp_path):
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    project.write("models/a.gguf", "weights")
    (tmp_path / "models/tree").mkdir()
    for name in ("a.gguf", "tree"):
        project.write(
            "evalgate.toml", f'[models.m]\nserver = "llamacpp"\nartifact = "models/{name}"\n'
        )
        loaded = load_project(tmp_path)
        identity = ModelIdentity(name="m", digest="sha256:x", server="llamacpp", version="1")
        evidence = gather(
            loaded,
            decision(),
            candidate=identity,
            runs={"triage": str(run_of(loaded, identity))},
            baseline=None,
            baseline_runs={},
            asked=0,
        )
        assert (f"models/{name}" in evidence.files) == (name == "a.gguf")
        assert evidence.suites[0].asked is None  # nothing landed


def run_of(project, identity):
    """An empty run of the project's suite on disk."""
    manifest = manifest_of(project.suites["triage"], identity)
    with RunWriter(run_directory(project.reports, manifest), manifest) as writer:
        writer.run.answers.touch()
    return run_directory(project.reports, manifest)
