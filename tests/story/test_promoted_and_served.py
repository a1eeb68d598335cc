"""A first release, promoted and served while gate.toml still calls it one; promoted again; its server ended in order."""

from __future__ import annotations

import json
import signal
import urllib.request

import pytest
from ci.ci_machines import served
from harness import Project

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """One whose model was promoted as a first release. Its server is a stand-in for vLLM."""
    project = Project(tmp_path_factory.mktemp("served") / "p", NOWHERE)
    served(project)
    project.edit("gate.toml", "first_release = true", "first_release = true\nrequire_sealed = false")  # fmt: skip
    for words in (("gate", "check"), ("gate", "promote", "scripted")):
        done = project.evalgate(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("promoted: production -> scripted")
    return project


def serving(project: Project) -> list[dict]:
    lines = (project.root / "reports/ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line)["entry"] for line in lines]
    return [entry["body"] for entry in entries if entry["kind"] == "serving"]


def test_it_is_served_until_its_manager_says_stop_and_the_ledger_knows_both(project):
    process = project.start("evalgate", "serve", "production")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline() or process.stderr.read())
    key = project.root / told["key_file"]
    assert key.stat().st_mode & 0o077 == 0
    request = urllib.request.Request(f"{told['url']}/models")
    request.add_header("Authorization", f"Bearer {key.read_text().strip()}")
    with urllib.request.urlopen(request, timeout=30) as response:
        assert told["name"] in response.read().decode()
    assert [body["state"] for body in serving(project)] == ["began"]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert not key.exists()
    began, ended = serving(project)
    assert ended["state"] == "ended"
    assert began["certificate"] == ended["certificate"]


def test_what_the_alias_stands_for_is_promoted_again_though_it_is_the_baseline_now(project):
    done = project.evalgate("gate", "promote", "scripted")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("promoted again: production -> scripted")
    checked = project.evalgate("ledger", "verify")
    assert checked.returncode == 0, checked.stdout


def test_bytes_that_changed_are_neither_promoted_again_nor_served(project):
    weights = project.root / "models/scripted/model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        again = project.evalgate("gate", "promote", "scripted")
        serve = project.evalgate("serve", "production")
    finally:
        weights.write_bytes(before)
    assert (again.returncode, serve.returncode) == (5, 5)
    assert again.stdout.splitlines()[-1].startswith("refused: production stays where it is")
    assert "EG738" in serve.stderr
