"""Promotion beside locked plans: certificates as `gate check` issues them, for a model of a few bytes."""

import importlib.util

import msgspec
import pytest
from harness import Project

from evalgate.errors import Exit
from evalgate.gate.certify import Sealing, model_digest, subjects_of
from evalgate.gate.evidence import files_of, now
from evalgate.gate.plan import lock_of, lock_plan, plan_digest
from evalgate.records import Decision
from evalgate.release.promote import promote
from evalgate.store.certificate import read
from evalgate.suite import load_project
from evalgate.suite.asking import identify_model

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None,
    reason="identifying a GGUF file needs the embedded extra: pip install 'evalgate-release[embedded]'",
)


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    project.write("models/m.gguf", "GGUF and no more")
    table = '[models.m]\nserver = "llamacpp"\nartifact = "models/m.gguf"\n'
    project.write("evalgate.toml", table)
    project.edit("gate.toml", "[gate]", "[gate]\nrequire_sealed = false")
    return project


def lock(project, reason=""):
    return lock_plan(load_project(project.root), None, reason)


def certify(project, stem):
    """An open decision about the model, certified and entered as `gate check` does it; the predicate."""
    loaded = load_project(project.root)
    identity, spec = identify_model(loaded, "m"), loaded.model("m")[1]
    assert identity.digest == model_digest(spec, subjects_of(spec, project.root))
    decision = Decision(
        decision="open",
        exit=0,
        reasons=(),
        model={"name": "m", "digest": identity.digest},
        plan=plan_digest(loaded, spec, None),
        findings=(),
    )
    evidence = msgspec.structs.replace(
        now(), candidate=identity, files=files_of(loaded, identity), lock=lock_of(loaded, None)
    )
    sealing = Sealing(loaded)
    decision = sealing.certified(decision, evidence, stem)
    sealing.enter(decision)
    return read(project.root / decision.certificate, sealing.keyring).predicate


def locked_check(done):
    (check,) = [check for check in done.checks if check.what == "the locked plan"]
    return check


def test_without_any_lock_a_promotion_says_so_in_red(project):
    assert certify(project, "one").locked == ""
    done = promote(project.root, "m")
    assert done.exit == Exit.OPEN, done.checks
    assert any(note.startswith("no locked plan: development grade") for note in done.notes)


def test_require_locked_refuses_where_none_was_ever_locked(project):
    project.edit("gate.toml", "[gate]", "[gate]\nrequire_locked = true")
    certify(project, "one")
    done = promote(project.root, "m")
    assert done.exit == Exit.CLOSED
    assert "evalgate plan --lock" in locked_check(done).detail


def test_what_the_locked_plan_decided_is_promoted_and_bears_its_digest(project):
    plan = lock(project)
    assert certify(project, "one").locked == plan.digest
    done = promote(project.root, "m")
    assert (done.exit, locked_check(done).outcome) == (Exit.OPEN, "holds")
    assert not any("locked plan" in note for note in done.notes)


def test_a_certificate_of_another_plan_than_the_locked_one_is_refused_and_the_change_named(project):
    lock(project)
    project.edit("gate.toml", "accuracy = { min = 0.85 }", "accuracy = { min = 0.80 }")
    assert certify(project, "one").locked == ""
    done = promote(project.root, "m")
    assert done.exit == Exit.INTEGRITY
    assert "changed: gate.toml [triage] accuracy 0.85 -> 0.80" in locked_check(done).detail


def test_a_certificate_from_before_the_first_lock_is_refused(project):
    certify(project, "one")
    lock(project)
    done = promote(project.root, "m")
    assert done.exit == Exit.INTEGRITY
    assert "checked before" in locked_check(done).detail


def test_a_plan_locked_after_the_check_refuses_its_certificate_and_names_the_change(project):
    lock(project)
    certify(project, "one")
    project.edit("gate.toml", "accuracy = { min = 0.85 }", "accuracy = { min = 0.90 }")
    lock(project)
    done = promote(project.root, "m")
    assert done.exit == Exit.INTEGRITY
    assert "changed: gate.toml [triage] accuracy 0.85 -> 0.90" in locked_check(done).detail


def test_a_project_that_was_edited_after_the_check_is_refused(project):
    lock(project)
    certify(project, "one")
    project.write("conftest.py", "")
    done = promote(project.root, "m")
    assert done.exit == Exit.INTEGRITY
    assert "changed: conftest.py added" in locked_check(done).detail


def test_a_weakening_in_force_stands_in_red_beside_the_promotion_and_in_its_entry(project):
    lock(project)
    project.edit("gate.toml", "accuracy = { min = 0.85 }", "accuracy = { min = 0.80 }")
    lock(project, "two forms changed")
    certify(project, "one")
    done = promote(project.root, "m")
    assert done.exit == Exit.OPEN
    (note,) = [note for note in done.notes if note.startswith("WEAKENED: ")]
    assert "accuracy 0.85 -> 0.80" in note
    assert note.endswith("two forms changed")
