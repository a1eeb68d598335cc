"""A licence changes between a training and the promotion of what came of it: real gate, real ledger, real records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ci.ci_machines import served
from harness import Project
from terms.contracts import LAST_YEAR, contract
from terms.trained import base, corpus, row

RECORDS = Path(__file__).parents[2] / "src/evalgate/licences"
NOWHERE = "http://127.0.0.1:9/v1"
NAMED = "EG985"
PLAIN = "EG986"


def checked(root: Path, *, licence: str = "") -> Project:
    """A project whose candidate passes its check. Its server is a stand-in for vLLM."""
    project = Project(root, NOWHERE)
    served(project)
    project.edit("gate.toml", "first_release = true", "first_release = true\nrequire_sealed = false")  # fmt: skip
    if licence:
        project.edit("evalgate.toml", 'artifact = "models/scripted"\n', f'artifact = "models/scripted"\nlicence = "{licence}"\n')  # fmt: skip
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """One whose candidate was trained over `below`, on a vendor's row and on one that `teacher` wrote, and was checked."""
    project = checked(tmp_path_factory.mktemp("licences") / "p")
    root = project.root
    (root / "terms").mkdir()
    (root / "terms/northfield.toml").write_text(contract())
    shutil.copy(Path(__file__).parents[2] / "terms/project.toml", root / "terms/project.toml")
    below, teacher = base(root, "below", "MIT"), base(root, "teacher", "Apache-2.0")
    record = {
        "schema": "evalgate.training/1",
        "mixture": "sha256:mixture",
        "corpora": {"made": corpus(root, "made", [row("r1", model=teacher)])},
        "base": below,
        "terms": ["northfield", "project"],
    }
    (root / "models/scripted/training.json").write_text(json.dumps(record))
    done = project.evalgate("gate", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def own(project):
    """A function that puts a record of the project's own in the place of a shipped one; undone afterwards."""
    folder = project.root / "licences"

    def put(name: str, old: str, new: str) -> None:
        text = (RECORDS / f"{name}.toml").read_text()
        assert old in text
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.toml").write_text(text.replace(old, new, 1))

    yield put
    shutil.rmtree(folder, ignore_errors=True)


def promote(project: Project) -> tuple[int, str]:
    """(exit code, what was said in one line)."""
    done = project.evalgate("gate", "promote", "scripted")
    return done.returncode, " ".join(done.stdout.split())


def aliases(project: Project) -> list[Path]:
    return sorted(project.root.glob("reports/aliases/*"))


def test_what_forbids_the_training_now_forbids_the_promotion_and_leaves_the_alias_alone(
    project, own
):
    own("MIT", "[may_finetune]\nvalue = true", "[may_finetune]\nvalue = false")
    code, said = promote(project)
    assert code == 1
    assert f"{NAMED} MIT: may_finetune is false: “without restriction" in said
    assert aliases(project) == []


def test_a_record_that_ran_out_forbids_it(project, own):
    expiry = f'[expires]\nvalue = {LAST_YEAR}\nclause = "until then"\nwhere = "1"\n\n[commercial]'
    own("MIT", "[commercial]", expiry)
    code, said = promote(project)
    assert code == 1
    assert f"{NAMED} MIT: expired after {LAST_YEAR}" in said


def test_a_teacher_that_may_no_longer_teach_forbids_it(project, own):
    old = "[outputs_may_train_other_models]\nvalue = true"
    own("Apache-2.0", old, old.replace("true", "false"))
    code, said = promote(project)
    assert code == 1
    assert f"{NAMED} teacher teacher: Apache-2.0: outputs_may_train_other_models is false" in said


def test_a_base_whose_licence_is_no_longer_known_forbids_it(project):
    project.edit("evalgate.toml", 'artifact = "models/below"\nlicence = "MIT"', 'artifact = "models/below"\nlicence = "MIT-2"')  # fmt: skip
    try:
        code, said = promote(project)
    finally:
        project.edit("evalgate.toml", 'licence = "MIT-2"', 'licence = "MIT"')
    assert code == 1
    assert f"{NAMED} below: licence 'MIT-2' is unknown, no record has this name." in said


def test_a_vendor_whose_contract_ran_out_forbids_it(project):
    path = project.root / "terms/northfield.toml"
    before = path.read_text()
    path.write_text(contract(expires=str(LAST_YEAR)))
    try:
        code, said = promote(project)
    finally:
        path.write_text(before)
    assert code == 1
    assert "EG858 northfield: expired after" in said


def test_a_corpus_that_is_gone_forbids_it_since_nobody_knows_who_wrote_it(project):
    data = project.root / "data/made"
    data.rename(aside := project.root / "made")
    try:
        code, said = promote(project)
    finally:
        aside.rename(data)
    assert code == 1
    assert f"{NAMED} scripted: the corpus made is no longer here" in said


def test_what_is_allowed_is_promoted_and_refused_again_when_it_no_longer_is(project, own):
    code, said = promote(project)
    assert code == 0, said
    assert "licences of what it learnt from allowed by MIT" in said
    (alias,) = aliases(project)
    before = alias.read_bytes()
    own("MIT", "[commercial]\nvalue = true", "[commercial]\nvalue = false")
    code, said = promote(project)
    assert code == 1
    assert f"{NAMED} MIT: commercial is false" in said
    assert alias.read_bytes() == before


@pytest.mark.parametrize(
    ("licence", "code", "said"),
    [
        ("MIT", 0, "its licence allowed by MIT"),
        ("CC-BY-NC-4.0", 1, f"{PLAIN} CC-BY-NC-4.0: commercial is false"),
        ("", 0, "its licence not checked: evalgate.toml names none for scripted"),
    ],
)
def test_a_model_that_was_not_trained_here_needs_a_licence_to_serve_if_it_names_one(tmp_path, licence, code, said):  # fmt: skip
    project = checked(tmp_path / "p", licence=licence)
    done = project.evalgate("gate", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    found, told = promote(project)
    assert found == code, told
    assert said in told
