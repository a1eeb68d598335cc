"""A vendor ends its contract while a model that learnt from its rows is in production: real gate, real ledger, real server."""

from __future__ import annotations

import json

import pytest
from ci.ci_machines import served
from harness import Project
from terms.contracts import contract

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """One whose model learnt from a vendor's rows and was promoted. Its server is a stand-in for vLLM."""
    project = Project(tmp_path_factory.mktemp("withdrawn") / "p", NOWHERE)
    served(project)
    project.edit("gate.toml", "first_release = true", "first_release = true\nrequire_sealed = false")  # fmt: skip
    (project.root / "terms").mkdir()
    (project.root / "terms/northfield.toml").write_text(contract())
    record = {
        "schema": "evalgate.training/1",
        "mixture": "sha256:mixture",
        "corpora": {"bought": "sha256:bought"},
        "base": "sha256:base",
        "terms": ["northfield"],
        "sources": ["Northfield Records"],
        "recipe": "of no concern here",
    }
    (project.root / "models/scripted/training.json").write_text(json.dumps(record))
    for words in (("gate", "check"), ("gate", "promote", "scripted")):
        done = project.evalgate(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert " ".join(done.stdout.split()).count("training data allowed by northfield") == 1
    return project


def test_the_drill_leads_to_production_and_the_model_is_neither_promoted_nor_served_again(project):
    drill = json.loads(project.evalgate("data", "withdraw", "northfield", "--json").stdout)
    (release,) = drill["releases"]
    assert (release["alias"], release["model"], release["current"]) == ("production", "scripted", True)  # fmt: skip
    assert drill["models"][0]["through"] == "the terms northfield"
    assert drill["runs"]

    done = project.evalgate("data", "withdraw", "northfield", "--apply", "--why", "ended")
    assert done.returncode == 0, done.stderr
    assert "(ledger entry " in done.stderr
    assert "IN PRODUCTION NOW" in done.stdout

    again = project.evalgate("gate", "promote", "scripted")
    assert again.returncode == 1
    assert "EG858 northfield: withdrawn at" in again.stdout
    serve = project.evalgate("serve", "production")
    assert serve.returncode == 1
    assert "EG738" in serve.stderr
    assert "EG858 northfield: withdrawn at" in serve.stderr

    # whoever takes the line out of the file changes nothing: the ledger knows
    (project.root / "terms/northfield.toml").write_text(contract())
    assert project.evalgate("gate", "promote", "scripted").returncode == 1

    # and whoever takes the record away has other bytes than were certified
    (project.root / "models/scripted/training.json").unlink()
    assert project.evalgate("gate", "promote", "scripted").returncode == 5
    assert project.evalgate("ledger", "verify").returncode == 0
