"""`pytest suites/` and `evalgate gate check` say the same: open, closed, undecided; and resume, repeat, report alike."""

from __future__ import annotations

import json

import pytest
from harness import Project, right_but
from scripted import ScriptedServer

SCHEMA_KEYS = {
    "schema", "decision", "exit", "reasons", "model", "plan", "findings", "attempt", "certificate",
}  # fmt: skip
FINDING_KEYS = {
    "suite", "test", "status", "estimate", "low", "high", "units", "items", "unscored", "threshold", "method",
    "alpha", "needed",
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "decision", "gate_exit", "pytest_exit"),
    [
        (set(), "open", 0, 0),
        (set(range(10, 90)), "closed", 1, 1),
        (set(range(10, 22)), "undecided", 3, 1),
    ],
    ids=["open", "closed", "undecided"],
)
def test_pytest_and_the_gate_agree(tmp_path, wrong, decision, gate_exit, pytest_exit):
    with ScriptedServer(reply=right_but(wrong)) as server:
        project = Project(tmp_path, server.url)
        if decision == "undecided":
            project.edit(
                "gate.toml",
                '"slice_accuracy[spanish]" = { min = 0.70 }',
                '"slice_accuracy[spanish]" = { min = 0.60 }',
            )
        plain = project.pytest()
        assert plain.returncode == pytest_exit, plain.stdout + plain.stderr
        assert plain.stdout.strip().splitlines()[-1] == f"decision: {decision} (exit {pytest_exit})"
        asked = server.count
        checked = project.evalgate("gate", "check", "scripted", "--json")
        assert checked.returncode == gate_exit, checked.stdout + checked.stderr
        assert server.count == asked, "the second check asked again"
        told = json.loads(checked.stdout)
        assert told["decision"] == decision
        assert told["exit"] == gate_exit
        assert set(told) == SCHEMA_KEYS
        assert all(set(f) == FINDING_KEYS for f in told["findings"])
        assert told["schema"] == "evalgate.decision/1"
        assert [f["test"] for f in told["findings"]] == [
            "accuracy", "failed_rate", "slice_accuracy[spanish]", "accuracy_vs_baseline", "must_pass",
        ]  # fmt: skip
        if decision == "undecided":
            accuracy = told["findings"][0]
            assert accuracy["status"] == "inconclusive"
            assert accuracy["needed"] > 0


def test_xdist_gives_the_same_decision(tmp_path):
    with ScriptedServer(reply=right_but(set(range(10, 90)))) as server:
        project = Project(tmp_path, server.url)
        serial = project.pytest("suites/")
        spread = project.pytest("suites/", "-n", "2")
        assert serial.returncode == spread.returncode == 1
        assert serial.stdout.strip().splitlines()[-1] == spread.stdout.strip().splitlines()[-1]
        kept = (tmp_path / "reports" / "decisions").glob("*.json")
        decisions = sorted(p for p in kept if not p.name.endswith(".evidence.json"))
        first, last = (json.loads(p.read_text()) for p in (decisions[0], decisions[-1]))
        assert first["findings"] == last["findings"]


def test_the_gate_writes_a_page_beside_the_decision(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        done = project.evalgate("gate", "check")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip().splitlines()[-1] == "decision: open (exit 0)"
        pages = list((tmp_path / "reports" / "decisions").glob("*.html"))
        assert len(pages) == 1
        assert "request &lt;" not in pages[0].read_text()  # no text of any item


def test_a_worse_candidate_is_refused_by_the_margin_and_an_equal_one_is_not(tmp_path):
    with (
        ScriptedServer(reply=right_but(set(range(6, 9)))) as released,
        ScriptedServer(reply=right_but(set(range(20, 23)))) as equal,
        ScriptedServer(reply=right_but(set(range(20, 60)))) as worse,
    ):
        project = Project(tmp_path, equal.url)
        project.models(equal=equal.url, worse=worse.url, released=released.url)
        project.edit("gate.toml", "first_release = true", 'baseline = "released"')
        project.edit("gate.toml", "{ min = -0.05 }", "{ min = -0.10 }")

        def margin(candidate: str) -> dict:
            done = project.evalgate("gate", "check", candidate, "--json")
            return next(
                f
                for f in json.loads(done.stdout)["findings"]
                if f["test"] == "accuracy_vs_baseline"
            )

        assert margin("equal")["status"] == "pass"
        found = margin("worse")
        assert found["status"] == "fail"
        assert found["estimate"] == pytest.approx(-37 / 120)


def test_a_first_release_says_so(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        done = project.evalgate("gate", "check", "--json")
        found = next(
            f for f in json.loads(done.stdout)["findings"] if f["test"] == "accuracy_vs_baseline"
        )
        assert (found["status"], found["estimate"], found["low"]) == ("pass", None, None)
        assert "first release" in found["method"]


def test_no_baseline_and_no_first_release_is_a_usage_error(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.edit("gate.toml", "first_release = true\n", "")
        done = project.evalgate("gate", "check")
        assert done.returncode == 2
        assert "first_release" in done.stderr
        assert server.count == 0


def test_fresh_asks_everything_again(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.pytest()
        assert server.count == 120
        project.pytest("suites/", "--fresh")
        assert server.count == 240


def test_collect_only_asks_nothing_and_decides_nothing(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        done = project.pytest("suites/", "--collect-only", "-q")
        assert done.returncode == 0
        assert "no decision" in done.stdout
        assert server.count == 0


def test_a_partial_run_says_so_and_leaves_pytests_exit_code(tmp_path):
    with ScriptedServer(reply=right_but(set(range(10, 90)))) as server:
        project = Project(tmp_path, server.url)
        good = project.pytest("suites/", "--partial", "-k", "failed_rate")
        assert good.returncode == 0, good.stdout
        assert good.stdout.strip().splitlines()[-1] == "no decision (partial run)"
        assert project.pytest("suites/", "--partial", "-k", "test_accuracy").returncode == 1
        assert project.pytest("suites/test_triage.py", "-k", "failed_rate").returncode == 1


def test_an_unrelated_project_is_left_alone(tmp_path):
    (tmp_path / "test_x.py").write_text("def test_x():\n    pass\n")
    project = Project(tmp_path / "p", "http://127.0.0.1:9/v1")
    done = project.run("python", "-m", "pytest", str(tmp_path / "test_x.py"), "-q")
    assert done.returncode == 0
    assert "decision" not in done.stdout


def test_a_suite_without_gate_toml_is_a_usage_error(tmp_path):
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    (tmp_path / "gate.toml").unlink()
    assert project.pytest().returncode == 2
    (tmp_path / "evalgate.toml").unlink()
    done = project.pytest()
    assert done.returncode == 2
    assert "EG220" in done.stdout + done.stderr
