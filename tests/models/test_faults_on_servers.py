"""The gate on servers of its own that go wrong: the right exit code, one clear line, nothing lost, nothing asked twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import stand_in
from harness import Project


def project(
    root: Path, server: str = "vllm", lines: str = "", n: int = 120, **behaviour
) -> Project:
    """A project whose candidate `rc` is served by a stand-in."""
    made = Project(root, "http://127.0.0.1:9/v1", n=n)
    if not (root / "m").exists():
        stand_in.model(root / "m")
    stand_in.environment(root / "env", **behaviour)
    made.write(
        "evalgate.toml",
        f'[models.rc]\nserver = "{server}"\nartifact = "m"\npatience_s = 2\n{lines}\n'
        f'[servers.{server}]\npython = "env/python"\n[default]\ncandidate = "rc"\n',
    )
    return made


def check(made: Project) -> tuple[int, dict, str]:
    """Exit code, decision (or {}) and all that was said."""
    done = made.evalgate("gate", "check", "rc", "--json")
    told = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return done.returncode, told, done.stdout + done.stderr


@pytest.mark.parametrize("server", ["transformers", "vllm"])
def test_a_server_killed_in_the_middle_is_an_outage_and_the_next_start_goes_on(tmp_path, server):
    made = project(tmp_path, server, dies=9, dies_at=("<0060>", str(tmp_path / "died")))
    code, told, said = check(made)
    assert code == 4, said
    assert told["decision"] == "undecided"
    assert "EG322" in said
    kept = {row["n"] for row in made.rows()}
    assert kept
    assert 60 not in kept
    code, told, said = check(made)
    assert code == 0, said
    rows = [row["n"] for row in made.rows()]
    assert sorted(rows) == list(range(120))
    assert set(rows[: len(kept)]) == kept


def test_an_item_that_is_too_long_is_refused_before_anything_is_asked(tmp_path):
    made = project(tmp_path, lines='args = ["--max-model-len", "40"]')
    items = [
        json.loads(line) for line in (tmp_path / "goldsets/triage.jsonl").read_text().splitlines()
    ]
    items[17]["input"]["text"] += " and so on" * 20
    made.gold(items)
    code, told, said = check(made)
    assert code == 2, said
    assert told == {}
    assert "goldsets/triage.jsonl:18: EG350 found that item t-0017 needs " in said
    assert 'Set args = ["--max-model-len", "256"] in evalgate.toml: [models.rc].' in said
    assert "request <" not in said
    assert made.rows() == []


def test_a_server_that_cuts_prompts_in_silence_closes_the_gate(tmp_path):
    code, told, said = check(project(tmp_path, read=2))
    assert code == 5, said
    assert told["decision"] == "closed"
    assert "EG351" in said


def test_another_template_than_the_one_trained_with_closes_the_gate(tmp_path):
    code, _, said = check(project(tmp_path, lines=f'template = "sha256:{"0" * 64}"'))
    assert code == 5, said
    assert "EG344 found the chat template sha256:" in said


def test_a_server_that_renders_another_template_closes_the_gate(tmp_path):
    code, told, said = check(project(tmp_path, ids=1))
    assert code == 5, said
    assert told["decision"] == "closed"
    assert "EG349" in said


@pytest.mark.parametrize(
    ("adapter", "behaviour", "exit_code", "named"),
    [
        ({}, {}, 0, ""),
        ({}, {"deaf": True}, 5, "EG348"),
        ({}, {"deaf": True, "cold": 4e-4}, 5, "EG348"),
        ({"columns": 7}, {}, 2, "EG347"),
        ({"value": b"\0"}, {}, 5, "EG348"),
    ],
    ids=["right", "not loaded", "not loaded and cold", "of another base", "zero"],
)  # fmt: skip
def test_the_wrong_adapter_never_opens_the_gate(tmp_path, adapter, behaviour, exit_code, named):
    made = project(tmp_path, lines='base = "m"', **behaviour)
    made.edit("evalgate.toml", 'artifact = "m"', 'artifact = "a"')
    stand_in.adapter(tmp_path / "a", **adapter)
    code, _, said = check(made)
    assert code == exit_code, said
    assert named in said


def test_a_missing_environment_is_a_usage_error(tmp_path):
    made = project(tmp_path)
    (tmp_path / "env" / "python").unlink()
    code, _, said = check(made)
    assert code == 2, said
    assert "EG346" in said
