"""Asking through the store: what is asked, what is kept, what is set aside."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from harness import Project, right_but
from scripted import ScriptedServer

import evalgate.models
from evalgate.errors import IntegrityError
from evalgate.suite import ask_model, identify_model, load_project


@pytest.fixture
def server():
    with ScriptedServer(reply=right_but(set())) as running:
        yield running


def test_only_missing_answers_are_asked_and_no_server_is_started_for_none(
    tmp_path, server, monkeypatch
):
    Project(tmp_path, server.url)
    project = load_project(tmp_path)
    identity = identify_model(project, None)
    assert ask_model(project, identity).asked == 120
    monkeypatch.setattr(evalgate.models, "serving", None)  # not even looked at
    assert ask_model(project, identity).asked == 0
    assert server.count == 120


def test_answers_of_weights_that_changed_while_served_are_set_aside(tmp_path, server, monkeypatch):
    written = Project(tmp_path, server.url)
    project = load_project(tmp_path)
    identity = identify_model(project, None)
    serving = evalgate.models.serving

    @contextmanager
    def swapped(*args):
        with serving(*args) as served:
            yield served
        raise IntegrityError("found other weights", code="EG330")

    monkeypatch.setattr(evalgate.models, "serving", swapped)
    with pytest.raises(IntegrityError):
        ask_model(project, identity)
    assert written.rows() == []
    assert len(list(tmp_path.glob("reports/runs/triage/*/suspect/*/answers.jsonl"))) == 1
    monkeypatch.undo()
    assert ask_model(project, identity).asked == 120


def test_progress_tells_done_and_total(tmp_path, server):
    Project(tmp_path, server.url)
    project = load_project(tmp_path)
    told = []
    ask_model(project, identify_model(project, None), progress=lambda *seen: told.append(seen))
    assert told[0] == ("scripted", "triage", 0, 120)
    assert told[-1] == ("scripted", "triage", 120, 120)
    assert [done for _, _, done, _ in told] == list(range(121))
