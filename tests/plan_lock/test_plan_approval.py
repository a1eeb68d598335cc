"""The approval of suite code: who may give it, of what, and when it no longer counts."""

import pytest
from click.testing import CliRunner
from harness import Project

from evalgate.cli import cli
from evalgate.errors import IntegrityError, Refused, Undecided
from evalgate.gate.approval import approve_plan, require_approved
from evalgate.gate.plan import lock_plan
from evalgate.store.signer import keyring_of, ledger_of, make_key, signer
from evalgate.suite import load_project


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    make_key(project.root, "gate", roles=("gate",), holder="The pipeline")
    make_key(project.root, "reader", roles=("suites",), holder="Q. Reader")
    return project


def lock(project, reason=""):
    return lock_plan(load_project(project.root), None, reason)


def approve(project, name="reader"):
    return approve_plan(project.root, name=name, comment="read")


def test_an_approval_names_the_code_of_the_locked_plan_and_who_read_it(project):
    locked = lock(project)
    plan, entry = approve(project)
    assert plan == locked
    assert (entry.kind, entry.by, entry.body["plan"]) == ("approval", "reader", locked.digest)
    assert require_approved(project.root) == entry


def test_without_a_lock_there_is_nothing_to_approve(project):
    with pytest.raises(Undecided, match="EG934 found no locked plan"):
        approve(project)
    with pytest.raises(Undecided, match="EG934"):
        require_approved(project.root)


def test_a_locked_plan_that_nobody_approved_is_not_approved(project):
    lock(project)
    with pytest.raises(Undecided, match="EG935"):
        require_approved(project.root)


@pytest.mark.parametrize("path", ["suites/test_triage.py", "suites/prompts/triage.md"])
def test_changed_code_is_neither_approved_nor_approvable_until_it_is_locked(project, path):
    lock(project)
    approve(project)
    with (project.root / path).open("a") as f:
        f.write("\n")
    for ask in (lambda: require_approved(project.root), lambda: approve(project)):
        with pytest.raises(Undecided, match=rf"EG934 found other files .*{path}"):
            ask()
    lock(project)
    with pytest.raises(Undecided, match="EG935"):
        require_approved(project.root)
    approve(project)
    require_approved(project.root)


@pytest.mark.parametrize("path", ["conftest.py", "suites/conftest.py", "suites/helper.py"])
def test_added_code_is_not_approved(project, path):
    lock(project)
    approve(project)
    project.write(path, "LEAK = True\n")
    with pytest.raises(Undecided, match=f"EG934 found other files .*{path}"):
        require_approved(project.root)


def test_an_approval_outlives_a_threshold_but_comes_back_only_with_the_code(project):
    lock(project)
    _, entry = approve(project)
    project.edit("gate.toml", "min = 0.85", "min = 0.90")
    lock(project)
    assert require_approved(project.root) == entry


def test_whoever_runs_the_gate_approves_nothing_under_any_key(project):
    make_key(project.root, "second", roles=("suites",), holder="the  PIPELINE")
    lock(project)
    with pytest.raises(Refused, match="EG936"):
        approve(project, "second")
    last = lock(project)
    key = signer(project.root, keyring_of(project.root), "suites", name="second").private
    from evalgate.gate import approval

    ledger_of(project.root).append("approval", {"code": approval._code(last)}, key)  # by hand
    with pytest.raises(Undecided, match="EG935"):
        require_approved(project.root)


def test_a_key_without_the_role_is_refused_when_signing_and_when_reading(project):
    make_key(project.root, "other", roles=("clinical_lead",), holder="C. Lead")
    last = lock(project)
    from evalgate.gate import approval

    key = signer(project.root, keyring_of(project.root), None, name="other").private
    ledger_of(project.root).append("approval", {"code": approval._code(last)}, key)
    with pytest.raises(IntegrityError, match="has not the role 'suites'"):
        require_approved(project.root)


def test_the_command_lists_what_was_approved_and_runs_no_suite(project, monkeypatch):
    lock(project)
    marker = project.root / "ran"
    monkeypatch.chdir(project.root)
    source = (project.root / "suites/test_triage.py").read_text()
    project.write("suites/test_triage.py", source + f"\nopen({str(marker)!r}, 'w').close()\n")
    lock(project)
    assert marker.exists()
    marker.unlink()
    done = CliRunner().invoke(cli, ["plan", "--approve", "--key", "reader", "--comment", "read it"])
    assert done.exit_code == 0, done.output
    assert "suites/test_triage.py" in done.stdout
    assert "approved by Q. Reader" in done.stdout
    assert not marker.exists()


@pytest.mark.parametrize(
    "arguments", [["--key", "reader"], ["--comment", "x"], ["--approve", "--lock"]]
)
def test_options_that_do_not_go_together_are_refused(project, monkeypatch, arguments):
    monkeypatch.chdir(project.root)
    done = CliRunner().invoke(cli, ["plan", *arguments])
    assert done.exit_code != 0
