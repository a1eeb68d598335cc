"""Interruptions: a second start asks only what is missing, and finds the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from harness import Project, right_but
from scripted import ScriptedServer

WRONG = set(range(10, 30))


def slow(seconds: float):
    answer = right_but(WRONG)

    def reply(messages, payload):
        time.sleep(seconds)
        return answer(messages, payload)

    return reply


def wait_for(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def findings(done) -> list[dict]:
    return json.loads(done.stdout)["findings"]


@pytest.mark.parametrize("asked_before", [1, 30, 90])
def test_after_a_kill_only_missing_questions_are_asked_and_findings_are_identical(
    tmp_path, asked_before
):
    with ScriptedServer(reply=slow(0.04)) as server:
        whole = Project(tmp_path / "whole", server.url)
        reference = whole.evalgate("gate", "check", "--json")
        asked = server.count
        assert asked == 120

        killed = Project(tmp_path / "killed", server.url)
        process = killed.start("evalgate", "gate", "check", "--json")
        wait_for(lambda: server.count >= asked + asked_before)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
        time.sleep(
            0.5
        )  # the test process dies with its gate; its last requests may still reach the server
        before = server.count
        landed = len(killed.rows())

        resumed = killed.evalgate("gate", "check", "--json")
        assert server.count - before == 120 - landed
        assert findings(resumed) == findings(reference)
        assert resumed.returncode == reference.returncode


def test_killing_again_and_again_ends_with_the_same_findings(tmp_path):
    with ScriptedServer(reply=slow(0.05)) as server:
        project = Project(tmp_path, server.url)
        for _ in range(3):
            seen = server.count
            process = project.start("pytest", "suites/", "-q")
            wait_for(lambda seen=seen: server.count >= seen + 20)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        done = project.evalgate("gate", "check", "--json")
        accuracy = findings(done)[0]
        assert accuracy["estimate"] == 1 - len(WRONG) / 120
        assert sorted(r["n"] for r in project.rows()) == list(range(120))


def test_ctrl_c_keeps_what_landed_and_ends_with_130(tmp_path):
    with ScriptedServer(reply=slow(0.05)) as server:
        project = Project(tmp_path, server.url)
        for command in (("evalgate", "gate", "check"), ("pytest", "suites/")):
            seen = server.count
            process = project.start(*command)
            wait_for(lambda seen=seen: server.count >= seen + 20)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            assert process.returncode == 130, out + err
            assert "decision:" not in out
        landed = len(project.rows())
        assert 20 <= landed < 120
        time.sleep(0.5)  # requests that were cancelled in flight may still be counted
        before = server.count
        done = project.evalgate("gate", "check")
        assert done.returncode in (1, 3), done.stdout + done.stderr
        assert server.count - before == 120 - landed


def test_a_gate_that_a_script_started_deaf_to_ctrl_c_still_ends_on_sigterm(tmp_path):
    with ScriptedServer(reply=slow(0.1)) as server:
        project = Project(tmp_path, server.url)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for its background jobs
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "evalgate", "gate", "check"],
                cwd=project.root,
                env=project.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        wait_for(lambda: server.count >= 10)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 130
        assert server.count < 110


def test_two_gates_at_once_on_one_run_do_not_ask_twice(tmp_path):
    with ScriptedServer(reply=slow(0.1)) as server:
        project = Project(tmp_path, server.url)
        first = project.start("evalgate", "gate", "check", "--json")
        wait_for(lambda: server.count >= 5)
        second = project.evalgate("gate", "check", "--json")
        assert second.returncode == 4, second.stdout + second.stderr
        told = json.loads(second.stdout)
        assert told["decision"] == "undecided"
        assert told["retry"] is True
        assert "EG403" in told["reasons"][0]
        first.communicate(timeout=60)
        assert server.count == 120


def test_a_server_that_goes_away_is_infrastructure_and_the_next_start_goes_on(tmp_path):
    gone = threading.Event()
    answer = right_but(set())

    def reply(messages, payload):
        if server.count > 60 and not gone.is_set():
            return {"status": 500}
        return answer(messages, payload)

    with ScriptedServer(reply=reply) as server:
        project = Project(tmp_path, server.url)
        done = project.evalgate("gate", "check", "--json")
        assert done.returncode == 4, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert told["decision"] == "undecided"
        assert told["findings"] == []
        gone.set()
        landed = len(project.rows())
        assert landed > 40
        before = server.count
        assert project.evalgate("gate", "check").returncode == 0
        assert server.count - before == 120 - landed


def test_an_unreachable_endpoint_is_infrastructure(tmp_path):
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    done = project.evalgate("gate", "check", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["retry"] is True
    assert project.pytest().returncode == 4


def test_a_disk_that_cannot_be_written_is_infrastructure(tmp_path):
    if os.geteuid() == 0:  # root writes anywhere: a file in the directory's place stops it too
        with ScriptedServer(reply=right_but(set())) as server:
            project = Project(tmp_path, server.url)
            project.write("reports/runs", "not a directory")
            done = project.pytest()
            assert done.returncode == 4, done.stdout + done.stderr
            assert "EG404" in done.stdout


@pytest.mark.slow
def test_429_storms_half_json_and_resets_leave_the_findings_as_they_are(tmp_path):
    answer = right_but(WRONG)

    def stormy(messages, payload):
        n = server.count
        if n % 3 == 0:
            return {"status": 429, "headers": {"Retry-After": "0"}}
        if n % 7 == 0:
            return {"half": True, "text": "DENY"}
        if n % 11 == 0:
            return {"reset": True}
        if n % 13 == 0:
            return {"body": b'{"error": {"message": "busy"}}'}
        return answer(messages, payload)

    with ScriptedServer(reply=answer) as server:
        calm = Project(tmp_path / "calm", server.url)
        reference = calm.evalgate("gate", "check", "--json")
    with ScriptedServer(reply=stormy) as server:
        project = Project(tmp_path / "storm", server.url)
        project.edit("evalgate.toml", "patience_s = 2", "patience_s = 20")
        done = project.evalgate("gate", "check", "--json")
        assert findings(done) == findings(reference)
        assert any(r.get("tries") for r in project.rows())


def test_an_open_decision_whose_evidence_is_gone_is_none(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.write(
            "conftest.py",
            "import shutil\n\ndef pytest_sessionfinish(session):\n    shutil.rmtree('reports/runs')\n",
        )
        done = project.evalgate("gate", "check")
        assert done.returncode == 4, done.stdout + done.stderr
        assert not list(tmp_path.glob("reports/decisions/*.html"))
