"""Whom a candidate is held against when nobody is named: real directories, mixtures and records of training."""

from __future__ import annotations

import json

import pytest
from three_tasks import ThreeTasks

from evalgate import digest
from evalgate.corpus.counting import counter
from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.mix import Blend
from evalgate.corpus.mixture import mix
from evalgate.corpus.writer import Writer
from evalgate.errors import IntegrityError
from evalgate.gate.record import record
from evalgate.records import Decision
from evalgate.release.references import references
from evalgate.suite import load_project


@pytest.fixture
def project(tmp_path):
    project = ThreeTasks(tmp_path / "p", n=30)
    project.write("models/base/config.json", "{}")
    project.write("models/other/config.json", '{"another": 1}')
    tables = "".join(
        f'\n[models.{name}]\nartifact = "models/{name}"\nserver = "transformers"\n'
        for name in ("base", "other", "alone", "both", "rc1", "rc2")
    )
    with (project.root / "evalgate.toml").open("a") as file:
        file.write(tables)
    return project


def mixture(project, name, *tasks):
    """The digest of a mixture of these tasks."""
    data = project.root / "data"
    for task in tasks:
        if not (data / task).exists():
            with Writer(data, task, command="test") as writer:
                for n in range(4):
                    messages = (
                        {"role": "user", "content": f"{task} note {n}"},
                        {"role": "assistant", "content": f"answer {n}"},
                    )
                    writer.add(Example(id=f"{task}-{n}", task=task, messages=messages, unit=f"{task}-{n}", terms="project", made_by=MadeBy(template="t@1", seed=n)))  # fmt: skip
    with counter(None, project.root) as words:
        return mix(data, name, [data / t for t in tasks], recipe=Blend(), counter=words).digest


def trained(project, name, mixed, base="base"):
    below = digest.of_tree(project.root / "models" / base)
    project.write(f"models/{name}/training.json", json.dumps({
        "schema": "evalgate.training/1", "mixture": mixed, "corpora": {}, "base": below, "terms": [], "job": name,
    }))  # fmt: skip


def decided(project, name):
    """A kept decision about the model, by which it is known."""
    where = digest.of_value(name)
    model = {"name": name, "digest": where}
    decision = Decision(decision="closed", exit=1, reasons=("closed",), model=model, plan="", findings=())  # fmt: skip
    record(decision, project.root)
    return where


def roles(project, candidate="rc2", known_as=None):
    found, notes = references(load_project(project.root), candidate, known_as)
    return {reference.role: reference.models for reference in found}, notes


def test_base_and_single_task_adapters_come_from_the_records_of_training(project):
    whole = mixture(project, "whole", "triage", "codes")
    trained(project, "rc2", whole)
    trained(project, "alone", mixture(project, "codes-only", "codes"))
    trained(project, "both", whole)
    found, notes = roles(project)
    assert found["base"] == dict.fromkeys(("triage", "codes", "letters"), "base")
    assert found["single-task adapters"] == {"codes": "alone"}
    assert any("previous release" in note for note in notes)
    assert any(note.endswith("triage, letters") for note in notes)


def test_an_adapter_of_one_task_over_another_base_is_no_reference(project):
    trained(project, "rc2", mixture(project, "whole", "triage", "codes"))
    trained(project, "alone", mixture(project, "codes-only", "codes"), base="other")
    assert "single-task adapters" not in roles(project)[0]


def test_the_previous_candidate_is_the_latest_before_the_first_decision_about_this_one(project):
    trained(project, "rc2", mixture(project, "whole", "triage", "codes"))
    decided(project, "base")
    decided(project, "rc1")
    known = decided(project, "rc2")
    decided(project, "both")  # came later
    decided(project, "rc2")
    assert set(roles(project, known_as=known)[0]["previous candidate"].values()) == {"rc1"}
    assert set(roles(project, known_as=None)[0]["previous candidate"].values()) == {"both"}


def test_a_model_with_two_roles_is_compared_once(project):
    project.edit("gate.toml", "first_release = true", 'baseline = "base"')
    trained(project, "rc2", mixture(project, "whole", "triage", "codes"))
    assert list(roles(project)[0]) == ["previous release and base"]


def test_a_decision_that_was_edited_names_nobody(project):
    decided(project, "rc1")
    (path,) = [p for p in project.root.glob("reports/decisions/*.json") if ".evidence." not in p.name]  # fmt: skip
    path.write_text(path.read_text().replace("rc1", "both"))
    found, notes = roles(project)
    assert "previous candidate" not in found
    assert any("previous candidate" in note for note in notes)


def test_a_record_of_training_that_cannot_be_read_is_an_integrity_error(project):
    project.write("models/rc2/training.json", "{}")
    with pytest.raises(IntegrityError, match="EG857"):
        roles(project)
