"""The shipped CI scripts, run: promotion only after 0, another start only after 4, results whatever happens."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ci_machines import bash, equip, github, gitlab, served
from harness import Project, right_but
from scripted import Response, ScriptedServer

from evalgate.store import kept_runs

NOWHERE = "http://127.0.0.1:9/v1"
PROMOTE = 'printf "%s %s" "$EVALGATE_MODEL" "$EVALGATE_MODEL_DIGEST" > promoted'
VARIABLES = {"EVALGATE_MODEL": "scripted", "PROMOTE_COMMAND": PROMOTE}
SYSTEMS = {"github": github, "gitlab": gitlab}


def wrong_about(*wrong: int):
    return right_but(set(wrong))


def first_down(starts: int, server: list[ScriptedServer]):
    """A server that is overloaded during the first `starts` starts of the gate, then well."""
    answer = wrong_about()

    def reply(messages, payload):
        if server[0].probes <= starts:
            return Response(status=503)
        return answer(messages, payload)

    return reply


def checked(project: Project, system: str, exit_code: int, *, verified: bool = False, **variables: str):  # fmt: skip
    """The pipeline and its gate.env, once it was seen that promotion follows 0 alone, and of a verified model alone."""
    if verified:
        served(project)
    skip = () if exit_code == 0 else ("files",)  # another test is about that job
    result = SYSTEMS[system](project, variables={**VARIABLES, **variables}, skip=skip)
    kept = dict(line.split("=", 1) for line in (result.artifacts / "gate.env").read_text().splitlines())  # fmt: skip
    assert kept["EVALGATE_EXIT"] == str(exit_code), result.log
    promoted = (project.root / "promoted").exists()
    assert promoted == (exit_code == 0 and verified)
    assert ("promote" in result.ran) == (exit_code == 0)
    return result, kept


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("wrong", "exit_code", "verdict"),
    [((), 0, "OPEN"), (range(90), 1, "CLOSED"), (range(20, 34), 3, "UNDECIDED")],
    ids=["open", "closed", "undecided"],
)
def test_a_verdict_is_kept_shown_and_never_asked_for_twice(tmp_path, system, wrong, exit_code, verdict):  # fmt: skip
    with ScriptedServer(reply=wrong_about(*wrong)) as server:
        project = Project(tmp_path / "p", server.url)
        equip(project)
        result, kept = checked(project, system, exit_code, verified=exit_code == 0)
        assert server.count == (0 if exit_code == 0 else 120)
    assert kept["EVALGATE_TRIED"] == "1"
    assert verdict in result.summary.splitlines()[0]
    decision = (result.artifacts / "decision.json").read_bytes()
    assert json.loads(decision)["exit"] == exit_code
    evidence = (result.artifacts / "decision.evidence.json").read_bytes()
    assert kept["EVALGATE_EVIDENCE_SHA256"] == hashlib.sha256(evidence).hexdigest()
    assert json.loads(evidence)["decision"] == "sha256:" + hashlib.sha256(decision).hexdigest()
    suite = ET.parse(result.artifacts / "decision.xml").getroot()
    assert len(list(suite.iter("testcase"))) >= 5
    assert (verdict == "OPEN") == (not list(suite.iter("failure")) and not list(suite.iter("error")))  # fmt: skip
    assert (result.artifacts / "decision.html").stat().st_size > 1000
    for path in result.artifacts.iterdir():
        assert "request <" not in path.read_text()
    if exit_code == 0:
        digest = json.loads(decision)["model"]["digest"]
        assert (project.root / "promoted").read_text() == f"scripted {digest}"


@pytest.mark.parametrize("system", SYSTEMS)
def test_after_an_outage_the_gate_starts_again_and_goes_on_and_an_endpoint_is_never_promoted(
    tmp_path, system
):
    held: list[ScriptedServer] = []
    with ScriptedServer(reply=first_down(1, held)) as server:
        held.append(server)
        project = Project(tmp_path / "p", server.url)
        equip(project)
        result, kept = checked(project, system, 0, EVALGATE_PAUSE="0")
    assert kept["EVALGATE_TRIED"] == "2"
    assert "infrastructure failed (exit 4)" in result.log
    assert json.loads((result.artifacts / "decision.json").read_text())["decision"] == "open"
    assert "nobody examined the bytes" in result.log


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_edited_run_is_a_breach_that_no_second_start_mends(tmp_path, system):
    with ScriptedServer(reply=wrong_about()) as server:
        project = Project(tmp_path / "p", server.url)
        equip(project)
        assert project.evalgate("gate", "check").returncode == 0
        (run,) = kept_runs(project.root / "reports")
        answers = run.path / "answers.jsonl"
        answers.write_text(answers.read_text().replace("REVIEW", "APPROVE", 1))
        result, kept = checked(project, system, 5)
    assert kept["EVALGATE_TRIED"] == "1"
    assert "EG402" in result.summary


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_model_that_does_not_exist_leaves_a_summary_and_no_decision(tmp_path, system):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    result, kept = checked(project, system, 2, EVALGATE_MODEL="scriptd")
    assert kept == {"EVALGATE_EXIT": "2", "EVALGATE_TRIED": "1", "EVALGATE_EVIDENCE_SHA256": ""}
    assert "No decision (exit 2)" in result.summary
    assert not (result.artifacts / "decision.json").exists()


@pytest.mark.parametrize("system", SYSTEMS)
def test_faulty_files_end_the_pipeline_before_any_model_is_asked(tmp_path, system):
    with ScriptedServer(reply=wrong_about()) as server:
        project = Project(tmp_path / "p", server.url)
        equip(project)
        project.edit("gate.toml", "max = 0.10", "mxa = 0.10")
        result = SYSTEMS[system](project, variables=VARIABLES)
        assert server.count == 0
    assert result.ran == ["files"]
    assert "gate.toml:7" in result.log


def test_a_pull_request_only_checks_files(tmp_path):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    result = github(project, event="pull_request", ref="refs/pull/7/merge", variables=VARIABLES)
    assert (result.ran, result.passed) == (["files"], {"files": True})
    other = github(
        project, event="workflow_dispatch", ref="refs/heads/feature", variables=VARIABLES
    )
    assert other.ran == ["files"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_without_a_promotion_command_the_protected_job_refuses(tmp_path, system):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    served(project)
    result = SYSTEMS[system](project, variables={"EVALGATE_MODEL": "scripted"})
    assert result.passed["gate"] is True
    assert result.passed["promote"] is False
    assert "PROMOTE_COMMAND is not set" in result.log


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_install_steps_run_as_written(tmp_path, system):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    served(project)
    result = SYSTEMS[system](project, variables=VARIABLES, install=True)
    assert result.passed == {"files": True, "gate": True, "promote": True}, result.log
    assert (project.root / ".gate-venv/bin/python").exists()


# -- the scripts by themselves


def gate(project: Project, *arguments: str, **env: str):
    return bash(project, "sh ci/gate.sh " + " ".join(arguments), {"EVALGATE_PAUSE": "0", **env})


def test_outages_that_do_not_end_are_given_up_after_the_agreed_number_of_starts(tmp_path):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    done = gate(project, "scripted", EVALGATE_TRIES="3")
    assert done.returncode == 4
    assert done.stderr.count("infrastructure failed") == 2
    assert "EVALGATE_TRIED=3" in (project.root / "gate-results/gate.env").read_text()
    assert json.loads((project.root / "gate-results/decision.json").read_text())["retry"] is True


def test_runs_and_decisions_outlive_a_checkout_in_the_state_directory(tmp_path):
    with ScriptedServer(reply=wrong_about()) as server:
        for name in ("first", "second"):
            project = Project(tmp_path / name, server.url)
            equip(project)
            done = gate(project, "scripted", EVALGATE_STATE=str(tmp_path / "state"))
            assert done.returncode == 0, done.stdout + done.stderr
            assert server.count == 120
    assert len(list((tmp_path / "state/decisions").glob("*.html"))) == 2
    assert (tmp_path / "state/runs").stat().st_mode & 0o077 == 0


def test_results_of_an_earlier_job_never_pass_for_those_of_this_one(tmp_path):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    project.write("gate-results/decision.json", '{"decision": "open"}')
    done = gate(project, "nobody")
    assert done.returncode == 2
    assert not (project.root / "gate-results/decision.json").exists()


@pytest.mark.parametrize(
    ("arguments", "env"), [((), {}), (("scripted",), {"EVALGATE_TRIES": "many"}), (("scripted",), {"EVALGATE_PAUSE": "08"}), (("scripted",), {"EVALGATE_STATE": "state"})]
)  # fmt: skip
def test_gate_script_refuses_what_it_cannot_use(tmp_path, arguments, env):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    done = gate(project, *arguments, **env)
    assert done.returncode == 2
    assert "expected" in done.stderr


@pytest.mark.parametrize(
    "out", [".", "..", "reports", "reports/", "reports/runs", "./goldsets", "suites", "gate.toml", "link", "$PWD"]
)  # fmt: skip
def test_a_directory_with_anything_else_in_it_is_never_emptied(tmp_path, out):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    project.write("reports/runs/one/answers.jsonl", "{}")
    (project.root / "link").symlink_to("goldsets")
    before = sorted(tmp_path.rglob("*"))
    done = gate(project, "scripted", f'"{out}"')
    assert done.returncode == 2
    assert "expected one that may be emptied" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def decision(**changes) -> dict:
    return {
        "schema": "evalgate.decision/1",
        "decision": "open",
        "exit": 0,
        "reasons": [],
        "model": {"name": "scripted", "digest": "sha256:" + "ab" * 32},
        "findings": [{"status": "pass"}],
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "exit_code", "swapped", "refused"),
    [
        ({}, "0", False, False),
        ({}, "0", True, True),
        ({}, "1", False, True),
        ({}, "", False, True),
        ({"decision": "undecided"}, "0", False, True),
        ({"exit": 3}, "0", False, True),
        ({"findings": []}, "0", False, True),
        ({"findings": [{"status": "pass"}, {"status": "fail"}]}, "0", False, True),
        ({"reasons": ["something"]}, "0", False, True),
        ({"model": {"name": "other", "digest": "sha256:" + "ab" * 32}}, "0", False, True),
        ({"model": {"name": "scripted", "digest": ""}}, "0", False, True),
        ({"schema": "evalgate.decision/2"}, "0", False, True),
    ],
)
def test_only_the_open_decision_that_the_gate_wrote_is_handed_over(tmp_path, changes, exit_code, swapped, refused):  # fmt: skip
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    text = json.dumps(decision(**changes))
    project.write("gate-results/decision.json", text + (" " if swapped else ""))
    done = promote(project, evidence(text), exit_code=exit_code)
    assert (project.root / "promoted").exists() != refused
    assert done.returncode == (1 if refused else 7)


def evidence(text: str, **changes) -> dict:
    candidate = {"name": "scripted", "digest": "sha256:" + "ab" * 32, "verified": True}
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    return {"decision": digest, "evidence": {"candidate": {**candidate, **changes}}}


def promote(project: Project, stored: dict, *, exit_code: str = "0", edited: str = ""):
    text = json.dumps(stored)
    project.write("gate-results/decision.evidence.json", text + edited)
    digest = hashlib.sha256(text.encode()).hexdigest()
    script = f"sh ci/promote.sh scripted '{exit_code}' '{digest}' gate-results"
    return bash(project, script, {"PROMOTE_COMMAND": f"{PROMOTE}; exit 7"})


@pytest.mark.parametrize(
    ("change", "edited"),
    [
        ({"verified": False}, ""),
        ({"verified": "yes"}, ""),
        ({"digest": "sha256:" + "cd" * 32}, ""),
        ({}, " "),
        (None, ""),
    ],
    ids=["endpoint", "no boolean", "another model", "edited evidence", "nothing asked"],
)
def test_no_model_is_promoted_whose_bytes_the_evidence_does_not_vouch_for(tmp_path, change, edited):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    text = json.dumps(decision())
    project.write("gate-results/decision.json", text)
    stored = evidence(text, **(change or {}))
    if change is None:
        stored["evidence"]["candidate"] = None
    done = promote(project, stored, edited=edited)
    assert done.returncode == 1
    assert not (project.root / "promoted").exists()
    (project.root / "gate-results/decision.evidence.json").unlink()
    done = bash(project, f"sh ci/promote.sh scripted 0 {hashlib.sha256(text.encode()).hexdigest()}", {"PROMOTE_COMMAND": PROMOTE})  # fmt: skip
    assert done.returncode == 1


def test_a_decision_of_another_job_or_of_a_clock_ahead_is_never_published_as_this_ones(tmp_path):
    state = {"EVALGATE_STATE": str(tmp_path / "state")}
    decisions = tmp_path / "state/decisions"

    def reply(messages, payload):
        """While this job is at work, the open decision of another lands in the directory that they share."""
        for path in list(decisions.glob("20[0-8]*-good-*")):
            shutil.copy(path, path.with_name(f"2099{path.name[4:]}"))
        return wrong_about(*range(90))(messages, payload)

    with ScriptedServer(reply=wrong_about()) as good, ScriptedServer(reply=reply) as bad:
        for name, url, exit_code in (("good", good.url, 0), ("bad", bad.url, 1), ("bad", bad.url, 1)):  # fmt: skip
            project = Project(tmp_path / f"{name}{exit_code}", url)
            project.models(**{name: url})
            equip(project)
            done = gate(project, name, **state)
            assert done.returncode == exit_code, done.stdout + done.stderr
            told = json.loads((project.root / "gate-results/decision.json").read_text())
            assert (told["model"]["name"], told["exit"]) == (name, exit_code)
    assert len(list(decisions.glob("2099*.json"))) == 2


def test_a_disk_that_fills_up_leaves_a_red_summary_and_nothing_green(tmp_path):
    with ScriptedServer(reply=wrong_about()) as server:
        project = Project(tmp_path / "p", server.url)
        equip(project)
        assert gate(project, "scripted").returncode == 0
        before = sorted(project.root.glob("reports/decisions/*"))
        done = bash(project, "ulimit -f 24; sh ci/gate.sh scripted", {"EVALGATE_TRIES": "1"})
    assert done.returncode == 4, done.stdout + done.stderr
    results = project.root / "gate-results"
    assert sorted(p.name for p in results.iterdir()) == ["gate.env", "summary.md"]
    assert (results / "summary.md").read_text().startswith("## ✗ No decision (exit 4)")
    assert "EVALGATE_EVIDENCE_SHA256=\n" in (results / "gate.env").read_text()
    assert sorted(project.root.glob("reports/decisions/*")) == before


def test_a_gate_that_is_killed_after_it_wrote_its_decision_publishes_none(tmp_path):
    with ScriptedServer(reply=wrong_about()) as server:
        project = Project(tmp_path / "p", server.url)
        equip(project)
        tools = Path(sys.executable).parent
        wrapper = project.write("bin/evalgate", f'#!/bin/sh\n"{tools}/evalgate" "$@"\nexit 137\n')
        wrapper.chmod(0o755)
        done = gate(project, "scripted", PATH_FIRST=str(wrapper.parent))
    assert done.returncode == 137
    assert not list((project.root / "gate-results").glob("decision.*"))
    assert "No decision (exit 137)" in done.stdout
