"""Promotion with `require_sealed = true`, the default: an open dev check is not enough, and not every sealed one is."""

from __future__ import annotations

import pytest
from sealed_project import SealedProject, sealed_items

SEALED = "sealed gold sets"


@pytest.fixture
def project(tmp_path):
    """`good` has opened the gate on the dev set; a sealed set lies beside it."""
    project = SealedProject(tmp_path, models=("good",))
    project.seal()
    assert project.evalgate("gate", "check", "good").returncode == 0
    return project


def promoted(project) -> tuple[int, str]:
    """Exit code of `gate promote good`, and what its line about sealed sets says."""
    done = project.evalgate("gate", "promote", "good")
    lines = [line for line in done.stdout.splitlines() if SEALED in line]
    return done.returncode, " ".join(lines)


def test_a_model_that_was_never_asked_about_them_is_not_promoted(project):
    code, said = promoted(project)
    assert code == 3
    assert "never checked" in said


def test_a_model_that_opened_them_is_promoted(project):
    assert project.check("good").returncode == 0
    assert promoted(project)[0] == 0


def test_a_model_that_did_not_open_them_is_not_promoted(tmp_path):
    items = sealed_items(160)
    for item in items[:60]:
        item["expected"] = {"APPROVE": "DENY", "DENY": "REVIEW", "REVIEW": "APPROVE"}[
            item["expected"]
        ]
    project = SealedProject(tmp_path, models=("good",), items=items)
    project.seal()
    assert project.evalgate("gate", "check", "good").returncode == 0
    assert project.check("good").returncode == 1
    code, said = promoted(project)
    assert code == 1
    assert "not open" in said


@pytest.mark.parametrize("change", ["arguments", "thresholds"])
def test_an_opening_under_other_conditions_counts_for_nothing(project, change):
    assert project.check("good").returncode == 0
    if change == "arguments":
        project.edit(
            "evalgate.toml", 'server = "vllm"', 'server = "vllm"\nargs = ["--dtype", "float32"]'
        )
    else:
        project.edit("gate.toml", "accuracy = { min = 0.80 }", "accuracy = { min = 0.81 }")
    project.lock()
    assert project.evalgate("gate", "check", "good").returncode == 0
    code, said = promoted(project)
    assert code == 3
    assert "by other files" in said


def test_an_opening_on_a_set_that_was_replaced_counts_for_nothing(project):
    assert project.check("good").returncode == 0
    project.plain(sealed_items(160, first=7000), version="2")
    assert project.seal().returncode == 0
    project.lock()
    assert project.evalgate("gate", "check", "good").returncode == 0
    code, said = promoted(project)
    assert code == 3
    assert "on other sets" in said
