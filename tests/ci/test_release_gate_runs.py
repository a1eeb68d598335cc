"""The shipped CI scripts, run: promotion only after 0, another start only after 4, results whatever happens."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ci_machines import PEOPLE, bash, equip, github, gitlab, secret, served
from harness import Project, right_but
from scripted import Response, ScriptedServer

from evalgate.store import kept_runs

NOWHERE = "http://127.0.0.1:9/v1"
PROMOTE = 'printf "%s %s %s %s" "$EVALGATE_MODEL" "$EVALGATE_MODEL_DIGEST" "$EVALGATE_CERTIFICATE" "${EVALGATE_KEY_FILE-none}" > promoted'
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
    assert ("promote" in result.ran) == promoted
    assert any("sign-off" in name for name in result.ran) == (exit_code == 0)
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
    assert json.loads(evidence)["decision"] == "sha256:" + hashlib.sha256(decision).hexdigest()
    certificate = result.artifacts / "certificate.json"
    assert certificate.exists() == (exit_code == 0), "an endpoint has no bytes to bind"
    digest = hashlib.sha256(certificate.read_bytes()).hexdigest() if exit_code == 0 else ""
    assert kept["EVALGATE_CERTIFICATE_SHA256"] == digest
    anchored = project.evalgate("ledger", "verify", f"--anchor={result.anchors}/ledger.anchor.json") if system == "github" else None  # fmt: skip
    assert anchored is None or anchored.returncode == 0, anchored.stdout
    suite = ET.parse(result.artifacts / "decision.xml").getroot()
    assert len(list(suite.iter("testcase"))) >= 5
    assert (verdict == "OPEN") == (not list(suite.iter("failure")) and not list(suite.iter("error")))  # fmt: skip
    assert (result.artifacts / "decision.html").stat().st_size > 1000
    for path in result.artifacts.iterdir():
        assert "request <" not in path.read_text()
    if exit_code == 0:
        told = json.loads(decision)
        given = f"scripted {told['model']['digest']} {told['certificate']} none"
        assert (project.root / "promoted").read_text() == given
        entries = project.evalgate("ledger", "show").stdout.splitlines()
        kinds = [line.split()[2] for line in entries]
        assert kinds == ["decision", "signoff", "signoff", "promotion"]


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
    assert "Nobody examined the bytes" in result.log


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_edited_run_is_a_breach_that_no_second_start_mends(tmp_path, system):
    with ScriptedServer(reply=wrong_about()) as server:
        project = Project(tmp_path / "p", server.url)
        equip(project)
        assert gate(project, "scripted").returncode == 0
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
    assert kept == {"EVALGATE_EXIT": "2", "EVALGATE_TRIED": "1", "EVALGATE_CERTIFICATE_SHA256": ""}
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
    assert "gate.toml:9" in result.log


def test_a_pull_request_only_checks_files(tmp_path):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    result = github(project, event="pull_request", ref="refs/pull/7/merge", variables=VARIABLES)
    assert (result.ran, result.passed) == (["files"], {"files": True}), result.log
    other = github(
        project, event="workflow_dispatch", ref="refs/heads/feature", variables=VARIABLES
    )
    assert other.ran == ["files"]


@pytest.mark.parametrize("system", ["github", pytest.param("gitlab", marks=pytest.mark.slow)])
def test_the_ledger_and_the_alias_outlive_the_checkout_and_a_failed_deployment_is_done_again(tmp_path, system):  # fmt: skip
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    served(project)
    project.write("reports/README.md", "what lies here")  # as a checkout has it
    state = tmp_path / "state"
    variables = {"EVALGATE_MODEL": "scripted", "EVALGATE_STATE": str(state), "PROMOTE_COMMAND": "exit 9"}  # fmt: skip
    result = SYSTEMS[system](project, variables=variables)
    assert result.passed["gate"] is True, result.log
    assert result.passed["promote"] is False
    again = Project(tmp_path / "again", NOWHERE)
    equip(again, keys_of=project)
    shutil.copytree(project.root / "models", again.root / "models")
    shutil.copy(project.root / "evalgate.toml", again.root)
    sha = hashlib.sha256((result.artifacts / "certificate.json").read_bytes()).hexdigest()
    env = {"EVALGATE_STATE": str(state), "EVALGATE_KEY_FILE": str(secret(project, "gate"))}
    done = bash(again, f"sh ci/promote.sh scripted 0 {sha}", {**env, "PROMOTE_COMMAND": PROMOTE})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "promoted again: production -> scripted" in done.stdout
    assert (again.root / "promoted").exists()
    assert (state / "aliases/production.json").exists()
    assert state.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_install_steps_run_as_written(tmp_path, system):
    project = Project(tmp_path / "p", NOWHERE)
    equip(project)
    served(project)
    result = SYSTEMS[system](project, variables=VARIABLES, install=True)
    assert all(result.passed.values()), result.log
    assert "promote" in result.passed
    assert (project.root / ".gate-venv/bin/python").exists()


# -- the scripts by themselves


def gate(project: Project, *arguments: str, **env: str):
    """The gate's script, with the key of the first project beside this one."""
    given = {"EVALGATE_PAUSE": "0", "EVALGATE_KEY_FILE": str(secret(project, "gate")), **env}
    return bash(project, "sh ci/gate.sh " + " ".join(arguments), given)


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
        first = None
        for name in ("first", "second"):
            project = Project(tmp_path / name, server.url)
            equip(project, keys_of=first)
            first = project
            done = gate(project, "scripted", EVALGATE_STATE=str(tmp_path / "state"))
            assert done.returncode == 0, done.stdout + done.stderr
            assert server.count == 120
    assert len(list((tmp_path / "state/decisions").glob("*.html"))) == 2
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    assert len((tmp_path / "state/ledger.jsonl").read_text().splitlines()) == 2


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


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A project whose model is open by the gate, with the digest of its certificate; tests work on copies."""
    project = Project(tmp_path_factory.mktemp("certified") / "p", NOWHERE)
    equip(project)
    served(project)
    done = gate(project, "scripted")
    assert done.returncode == 0, done.stdout + done.stderr
    certificate = (project.root / "gate-results/certificate.json").read_bytes()
    return project, hashlib.sha256(certificate).hexdigest()


@pytest.fixture(scope="module")
def signed(certified, tmp_path_factory):
    """The same, signed by both."""
    project, sha = copy_of(certified[0], tmp_path_factory.mktemp("signed") / "c"), certified[1]
    for role in PEOPLE:
        done = sign(project, role, sha)
        assert done.returncode == 0, done.stdout + done.stderr
    return project, sha


def copy_of(project: Project, target: Path) -> Project:
    shutil.copytree(project.root.parent, target, symlinks=True)
    copied = Project.__new__(Project)
    copied.root = target / project.root.name
    return copied


def sign(project: Project, role: str, sha: str, *, key: str = "", exit_code: str = "0"):
    env = {"EVALGATE_KEY": secret(project, key or role).read_text()}
    return bash(project, f"sh ci/sign-off.sh scripted {role} '{exit_code}' '{sha}'", env)


def promote(project: Project, sha: str, *, exit_code: str = "0", **env: str):
    given = {"EVALGATE_KEY": secret(project, "gate").read_text(), "PROMOTE_COMMAND": f"{PROMOTE}; exit 7", **env}  # fmt: skip
    return bash(project, f"sh ci/promote.sh scripted '{exit_code}' '{sha}'", given)


def refused(project: Project, done, code: int, why: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert why in done.stdout + done.stderr
    assert not (project.root / "promoted").exists()
    assert not (project.root / "reports/aliases").exists()


def test_a_model_is_promoted_once_all_have_signed_and_not_before(certified, signed, tmp_path):
    project, sha = copy_of(certified[0], tmp_path / "c"), certified[1]
    refused(project, promote(project, sha), 3, "sign-off release_manager")
    project, sha = copy_of(signed[0], tmp_path / "s"), signed[1]
    done = promote(project, sha, PROMOTE_COMMAND="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (project.root / "promoted").exists()
    assert promote(project, sha).returncode == 7
    assert (project.root / "promoted").exists()
    held = project.evalgate("ledger", "verify", "--anchor=gate-results/ledger.anchor.json")
    assert held.returncode == 0, held.stdout


def test_a_signature_by_the_gate_or_in_a_role_of_somebody_else_is_none(certified, tmp_path):
    project, sha = copy_of(certified[0], tmp_path / "c"), certified[1]
    for key in ("gate", "clinical_lead"):
        done = sign(project, "release_manager", sha, key=key)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "EG709" in done.stderr
    refused(project, promote(project, sha), 3, "sign-off release_manager")


@pytest.mark.parametrize("exit_code", ["", "1", "3"])
def test_what_the_gate_did_not_let_through_is_neither_signed_nor_promoted(certified, tmp_path, exit_code):  # fmt: skip
    project, sha = copy_of(certified[0], tmp_path / "c"), certified[1]
    assert sign(project, "release_manager", sha, exit_code=exit_code).returncode == 1
    refused(project, promote(project, sha, exit_code=exit_code), 1, "the gate ended with")


def test_only_the_decision_of_this_pipeline_is_signed_and_promoted(certified, tmp_path):
    project, sha = copy_of(certified[0], tmp_path / "c"), certified[1]
    refused(project, promote(project, hashlib.sha256(b"").hexdigest()), 1, "is not the one of this")
    refused(project, promote(project, ""), 1, "has no certificate")
    assert gate(project, "scripted").returncode == 0  # another pipeline, meanwhile
    assert sign(project, "release_manager", sha).returncode == 1
    refused(project, promote(project, sha), 1, "is not the one of this pipeline")


@pytest.mark.parametrize(
    ("damage", "code", "why"),
    [
        ("printf x >> models/scripted/model.safetensors", 5, "has other bytes"),
        ("sed -i 's/0.85/0.84/' gate.toml", 5, "gate.toml"),
        ('sed -i \'s/"exit":0/"exit":1/\' reports/ledger.jsonl', 5, "BROKEN"),
        ("head -n 1 reports/ledger.jsonl > cut; cp cut reports/ledger.jsonl", 5, "BROKEN"),
        ("printf ' ' >> \"$(ls -d reports/certificates/*)\"", 5, "EG726"),
        ("rm keys.toml", 2, "found no keys.toml"),
    ],
    ids=["model", "thresholds", "ledger edited", "ledger cut", "certificate", "no public keys"],
)
def test_what_changed_between_decision_and_promotion_stops_it(signed, tmp_path, damage, code, why):
    project, sha = copy_of(signed[0], tmp_path / "c"), signed[1]
    assert bash(project, damage, {}).returncode == 0
    refused(project, promote(project, sha), code, why)


def test_a_ledger_that_an_anchor_knows_more_of_is_never_built_upon(certified, tmp_path):
    project, sha = copy_of(certified[0], tmp_path / "c"), certified[1]
    kept = {n: (project.root / f"reports/{n}").read_bytes() for n in ("ledger.jsonl", "ledger.head.json")}  # fmt: skip
    assert sign(project, "release_manager", sha).returncode == 0
    assert project.evalgate("ledger", "anchor", "--out", str(tmp_path / "anchor")).returncode == 0
    for name, data in kept.items():  # ledger and head cut together
        (project.root / f"reports/{name}").write_bytes(data)
    anchor = {"EVALGATE_ANCHOR": str(tmp_path / "anchor")}
    done = gate(project, "scripted", **anchor)
    assert done.returncode == 5
    assert "entries were cut off" in done.stderr
    assert "EVALGATE_TRIED=0" in (project.root / "gate-results/gate.env").read_text()
    refused(project, promote(project, sha, **anchor), 5, "entries were cut off")


@pytest.mark.parametrize("given", ["text", "file"])
def test_the_key_lies_outside_of_the_checkout_for_its_owner_alone_and_goes(certified, tmp_path, given):  # fmt: skip
    project = copy_of(certified[0], tmp_path / "c")
    tools = Path(sys.executable).parent
    look = 'stat -c "%a %n" "$EVALGATE_KEY_FILE" "${EVALGATE_KEY_FILE%/*}" >> seen; env | grep -c "^EVALGATE_KEY=" >> seen'  # fmt: skip
    wrapper = project.write("bin/evalgate", f'#!/bin/sh\n{look}\nexec "{tools}/evalgate" "$@"\n')
    wrapper.chmod(0o755)
    key = secret(project, "gate")
    env = {"PATH_FIRST": str(wrapper.parent), "TMPDIR": str(tmp_path), "EVALGATE_KEY_FILE": ""}
    done = gate(project, "scripted", EVALGATE_KEY=key.read_text() if given == "text" else str(key), **env)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    seen = (project.root / "seen").read_text().split("\n")
    assert seen[0].startswith("600 ")
    assert seen[1].startswith("700 ")
    assert seen[2] == "0"
    path = Path(seen[0].split()[1])
    assert not path.is_relative_to(project.root)
    assert not path.parent.exists()


def test_without_a_key_nothing_is_asked(certified, tmp_path):
    project = copy_of(certified[0], tmp_path / "c")
    done = gate(project, "scripted", EVALGATE_KEY_FILE="")
    assert done.returncode == 2
    assert "found no key" in done.stderr


def test_reports_with_files_of_its_own_are_never_replaced_by_the_state(certified, tmp_path):
    project = copy_of(certified[0], tmp_path / "c")
    done = gate(project, "scripted", EVALGATE_STATE=str(tmp_path / "state"))
    assert done.returncode == 2
    assert "found reports/ with files in it" in done.stderr
    assert (project.root / "reports/ledger.jsonl").exists()


def test_a_decision_of_another_job_or_of_a_clock_ahead_is_never_published_as_this_ones(tmp_path):
    state = {"EVALGATE_STATE": str(tmp_path / "state")}
    decisions = tmp_path / "state/decisions"

    def reply(messages, payload):
        """While this job is at work, the open decision of another lands in the directory that they share."""
        for path in list(decisions.glob("20[0-8]*-good-*")):
            shutil.copy(path, path.with_name(f"2099{path.name[4:]}"))
        return wrong_about(*range(90))(messages, payload)

    with ScriptedServer(reply=wrong_about()) as good, ScriptedServer(reply=reply) as bad:
        first = None
        for n, (name, url, exit_code) in enumerate((("good", good.url, 0), ("bad", bad.url, 1), ("bad", bad.url, 1))):  # fmt: skip
            project = Project(tmp_path / f"{n}", url)
            project.models(**{name: url})
            equip(project, keys_of=first)
            first = project
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
        key = {"EVALGATE_KEY_FILE": str(secret(project, "gate"))}
        done = bash(project, "ulimit -f 24; sh ci/gate.sh scripted", {"EVALGATE_TRIES": "1", **key})
    assert done.returncode == 4, done.stdout + done.stderr
    results = project.root / "gate-results"
    assert sorted(p.name for p in results.iterdir()) == ["gate.env", "ledger.anchor.json", "summary.md"]  # fmt: skip
    assert (results / "summary.md").read_text().startswith("## ✗ No decision (exit 4)")
    assert "EVALGATE_CERTIFICATE_SHA256=\n" in (results / "gate.env").read_text()
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
