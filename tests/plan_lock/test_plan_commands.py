"""`evalgate plan --lock` and `gate check` beside a locked plan, as their users run them."""

import pytest
from harness import Project, right
from scripted import ScriptedServer


@pytest.fixture
def project(tmp_path):
    with ScriptedServer(reply=lambda messages, payload: right(messages)) as server:
        yield Project(tmp_path, server.url)


def reports(project: Project) -> dict[str, str]:
    """The latest decision's report in every form."""
    latest = max(p.name.partition(".")[0] for p in project.root.glob("reports/decisions/*.html"))
    folder = project.root / "reports" / "decisions"
    return {kind: (folder / f"{latest}.{kind}").read_text() for kind in ("html", "md", "xml")}


def test_the_way_of_a_threshold_that_moves_after_results_were_seen(project):
    """Lock, check, lower, check, lock without and with a reason, check, ask for as much again."""
    unlocked = project.evalgate("plan")
    assert "not locked: no plan was ever locked" in unlocked.stdout
    locked = project.evalgate("plan", "--lock")
    assert locked.returncode == 0, locked.stderr
    assert "locked: sha256:" in locked.stdout
    assert "the locked plan (ledger entry 0" in project.evalgate("plan").stdout

    first = project.evalgate("gate", "check")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "locked plan" not in first.stdout
    found = "".join(reports(project).values())
    assert "not the locked plan" not in found
    assert "weakened" not in found

    project.edit("gate.toml", "accuracy = { min = 0.85 }", "accuracy = { min = 0.80 }")
    told = "not the locked plan: changed: gate.toml [triage] accuracy 0.85 -> 0.80"
    second = project.evalgate("gate", "check")
    assert second.returncode == 0, "development goes on"
    assert told in second.stdout
    for text in reports(project).values():
        assert told.replace("->", "-&gt;") in text or told in text

    seen = project.evalgate("plan")
    assert seen.returncode == 0
    assert "  gate.toml [triage] accuracy 0.85 -> 0.80  asks for less\n" in seen.stdout
    refused = project.evalgate("plan", "--lock")
    assert refused.returncode == 1
    assert "EG800" in refused.stderr
    signed = project.evalgate(
        "plan", "--lock", "--reason", "the pilot showed 0.85 to be out of reach"
    )
    assert signed.returncode == 0, signed.stderr
    assert "after 2 decisions were seen" in signed.stdout

    line = "gate.toml [triage] accuracy 0.85 -> 0.80"
    shown = project.evalgate("ledger", "show", "--kind", "plan").stdout
    assert f"        WEAKENED: {line}\n" in shown
    assert "reason=the pilot showed 0.85 to be out of reach" in shown
    third = project.evalgate("gate", "check")
    assert third.returncode == 0
    flat = " ".join(third.stdout.split())
    assert f"the locked plan was weakened: {line} (locked 20" in flat
    assert "after 2 decisions were seen): the pilot showed 0.85 to be out of reach" in flat
    found = reports(project)
    assert '<li class="s-fail"><b>the locked plan was weakened: ' in found["html"]
    assert "the pilot showed" in found["md"]
    assert "the pilot showed" in found["xml"]

    project.edit("gate.toml", "accuracy = { min = 0.80 }", "accuracy = { min = 0.85 }")
    assert project.evalgate("plan", "--lock").returncode == 0
    assert "weakened" not in project.evalgate("gate", "check").stdout


def test_a_hopeless_plan_is_not_locked(project):
    project.edit("gate.toml", "accuracy = { min = 0.85 }", "accuracy = { min = 0.97 }")
    done = project.evalgate("plan", "--lock", "--true", "triage.accuracy=0.96")
    assert done.returncode == 1
    assert "hopeless" in done.stdout
    assert not (project.root / "reports" / "ledger.jsonl").exists()


def test_a_reason_without_lock_is_a_usage_error(project):
    done = project.evalgate("plan", "--reason", "because")
    assert done.returncode == 2
    assert "--reason without --lock" in done.stderr


def test_two_who_lock_at_once_enter_one_plan(project):
    project.evalgate("keys", "init", "gate")
    both = [project.start("evalgate", "plan", "--lock") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    shown = project.evalgate("ledger", "show", "--kind", "plan", "--json").stdout
    assert len(shown.splitlines()) == 1


def test_plain_pytest_says_it_too(project):
    assert project.evalgate("plan", "--lock").returncode == 0
    project.edit("suites/prompts/triage.md", "Answer", "Reply")
    done = project.pytest()
    assert done.returncode == 0, done.stdout
    assert "not the locked plan: changed: suites/prompts/triage.md" in done.stdout


def test_suite_code_that_hides_the_locked_plan_closes_the_gate(project):
    assert project.evalgate("plan", "--lock").returncode == 0
    project.write(
        "conftest.py", "from evalgate.gate import evidence\nevidence.lock_of = lambda *a: None\n"
    )
    done = project.evalgate("gate", "check")
    assert done.returncode == 1
    assert "what it says of the locked plan is not what the ledger says" in " ".join(
        done.stdout.split()
    )
