"""A model is as free as the strictest of all that it comes from: base, base's base, teachers, data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from terms.contracts import LAST_YEAR, contract, project, run
from terms.trained import base, corpus, listed, row, trained

from evalgate.errors import IntegrityError, UsageError
from evalgate.release.admission import settings_of
from evalgate.release.licensing import licences_of, teacher_refusals, verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    root = project(tmp_path / "p")
    shutil.copy(ROOT / "terms/project.toml", root / "terms/project.toml")
    return root


def ask(root: Path, model: str, purpose: str = "finetune", **how):
    return verdict(root, model, purpose, settings_of(root), **how)


def test_a_base_with_its_text_beside_it_is_allowed_without_a_remark_about_it(root):
    base(root, "free", "Apache-2.0", ROOT / "LICENSE")
    found = ask(root, "free")
    assert found.allowed
    assert found.licences == ("Apache-2.0",)
    assert not any("word alone" in note for note in found.notes)


def test_a_name_without_a_text_is_taken_and_said_to_be_no_more_than_a_name(root):
    base(root, "free", "apache-2.0")
    found = ask(root, "free")
    assert found.allowed
    assert (
        "free: no licence text lies with it, Apache-2.0 is evalgate.toml's word alone"
        in found.notes
    )


@pytest.mark.parametrize(
    ("licence", "reason"),
    [
        (None, "no licence is named and no text of one lies with it"),
        ("Apache-2.1", "licence 'Apache-2.1' is unknown, no record has this name. Did you mean `Apache-2.0`?"),
        ("CC-BY-NC-4.0", "commercial is false: “reproduce and Share"),
        ("llama3", "unverified"),
    ],
)  # fmt: skip
def test_what_is_not_known_or_not_allowed_is_refused(root, licence, reason):
    base(root, "some", licence)
    found = ask(root, "some", "serve")
    assert not found.allowed
    assert any(reason in one for one in found.reasons), found.reasons


def test_a_text_that_says_otherwise_than_the_name_is_refused(root):
    base(root, "dressed", "MIT", ROOT / "LICENSE")
    assert "evalgate.toml says MIT, the text beside it is that of Apache-2.0" in ask(root, "dressed").reasons[0]  # fmt: skip


def test_a_text_with_one_word_changed_is_unknown_whatever_the_name_says(root):
    base(root, "edited", "Apache-2.0", ROOT / "LICENSE")
    path = root / "models/edited/LICENSE"
    path.write_text(path.read_text().replace("perpetual", "temporary", 1))
    assert ask(root, "edited").reasons == (
        "edited: LICENSE is a text that no licence record knows",
    )


def test_a_text_alone_names_the_licence(root):
    base(root, "unnamed", None, ROOT / "LICENSE")
    assert ask(root, "unnamed").allowed


def test_a_single_file_has_its_text_beside_it_under_its_name(root):
    (root / "models/a.gguf").write_bytes(b"a")
    (root / "models/b.LICENSE").write_text("another model's")
    with (root / "evalgate.toml").open("a") as f:
        f.write('[models.a]\nserver = "llamacpp"\nartifact = "models/a.gguf"\nlicence = "MIT"\n')
    assert ask(root, "a").allowed
    shutil.copy(ROOT / "LICENSE", root / "models/a.LICENSE")
    assert not ask(root, "a").allowed


def test_an_adapter_is_no_freer_than_its_base(root):
    base(root, "below", "gemma")
    base(root, "adapter", "Apache-2.0")
    toml = root / "evalgate.toml"
    toml.write_text(toml.read_text() + 'base = "models/below"\n')
    found = ask(root, "adapter", "serve")
    assert found.licences == ("Apache-2.0", "gemma-2025-03-24")
    assert [r for r in found.reasons if r.startswith("gemma-2025-03-24: DENIES")]


def test_a_line_of_three_is_walked_to_its_end_and_the_notice_has_all_of_it(root):
    first = base(root, "first", "llama3.1")
    second = trained(root, "second", first)
    trained(root, "third", second)
    found = ask(root, "third", "serve")
    assert found.allowed, found.reasons
    assert found.licences == ("llama-3.1",)
    assert [one.id for one in licences_of(root, "third", settings_of(root))] == ["llama-3.1"]
    strict = base(root, "strict", "CC-BY-NC-4.0")
    trained(root, "fourth", strict, "Apache-2.0")
    assert not ask(root, "fourth", "serve").allowed


def test_a_base_that_is_no_model_of_the_project_is_unknown(root):
    trained(root, "orphan", "sha256:" + "0" * 64)
    assert "is no model of evalgate.toml" in ask(root, "orphan").reasons[0]


def test_a_model_that_is_its_own_ancestor_is_refused_and_ends(root):
    for name, other in (("a", "b"), ("b", "a")):
        (root / "models" / name).mkdir()
        (root / "models" / name / "w.safetensors").write_text(name)
        listed(root, name, "Apache-2.0", f'base = "models/{other}"\n')
    assert ask(root, "a").reasons == ("a: is its own ancestor",)


def test_two_ways_to_one_ancestor_are_no_circle(root):
    below = base(root, "below", "Apache-2.0")
    middle = trained(root, "middle", below)
    trained(root, "top", middle)
    toml = root / "evalgate.toml"
    toml.write_text(toml.read_text() + 'base = "models/below"\n')
    assert ask(root, "top").allowed


def test_a_teacher_must_allow_that_its_answers_teach(root):
    student = base(root, "student", "Apache-2.0")
    teacher = base(root, "teacher", "llama2")
    made = corpus(root, "made", [row("r1", model=teacher)])
    trained(root, "pupil", student, corpora={"made": made})
    found = ask(root, "pupil", "serve")
    (reason,) = found.reasons
    assert reason.startswith("teacher teacher: llama-2: outputs_may_train_other_models is false: “You will not use")  # fmt: skip
    trained(root, "kin", teacher, corpora={"made": made})
    assert ask(root, "kin", "serve").allowed
    assert ask(root, "teacher", "distil", student="student").allowed is False
    assert ask(root, "teacher", "distil", student="kin").allowed
    assert [one.id for one in licences_of(root, "pupil", settings_of(root))] == ["Apache-2.0", "llama-2"]  # fmt: skip


def test_teachers_are_asked_before_a_training_too(root):
    base(root, "student", "Apache-2.0")
    teacher = base(root, "teacher", "MIT")
    settings = settings_of(root)
    assert teacher_refusals(root, ["", teacher], "student", settings) == []
    (reason,) = teacher_refusals(root, ["sha256:" + "1" * 64], "student", settings)
    assert "its licence is unknown" in reason
    assert teacher_refusals(root, [], "student", settings) == []


def test_a_corpus_that_is_gone_leaves_its_writers_unknown(root):
    below = base(root, "below", "MIT")
    made = corpus(root, "made", [row("r1")])
    trained(root, "top", below, corpora={"made": made})
    assert ask(root, "top").allowed
    shutil.rmtree(root / "data/made")
    assert "the corpus made is no longer here" in ask(root, "top").reasons[0]


def test_the_terms_of_its_data_count_as_its_licences_do(root):
    below = base(root, "below", "MIT")
    trained(root, "top", below, terms=["northfield"])
    assert ask(root, "top").allowed
    (root / "terms/northfield.toml").write_text(contract(expires=str(LAST_YEAR)))
    (reason,) = ask(root, "top").reasons
    assert reason.startswith("data: northfield: expired after")


def test_a_project_can_demand_that_a_lawyer_has_read_every_record(root):
    base(root, "free", "MIT")
    (reason,) = ask(root, "free", counsel=True).reasons
    assert reason.startswith("MIT: no counsel has reviewed the record")
    text = (ROOT / "src/evalgate/licences/MIT.toml").read_text()
    (root / "licences").mkdir()
    signed = text.replace("reviewed_on", "counsel = true\nreviewed_on")
    (root / "licences/MIT.toml").write_text(signed)
    assert ask(root, "free", counsel=True).allowed


def test_a_record_of_training_that_cannot_be_read_is_no_absent_one(root):
    below = base(root, "below", "MIT")
    trained(root, "top", below)
    (root / "models/top/training.json").write_text('{"schema": "evalgate.training/2"}')
    with pytest.raises(IntegrityError) as caught:
        ask(root, "top")
    assert caught.value.code == "EG857"


def test_an_endpoint_has_its_name_alone_and_an_unknown_model_is_an_error(root):
    with (root / "evalgate.toml").open("a") as f:
        f.write('[models.far]\nserver = "endpoint"\nurl = "http://127.0.0.1:9/v1"\nname = "far"\nlicence = "MIT"\n')  # fmt: skip
    assert ask(root, "far", "serve").allowed
    with pytest.raises(UsageError) as caught:
        ask(root, "fat")
    assert caught.value.code == "EG145"


def test_the_command_tells_every_model_and_ends_with_one_where_something_is_refused(root):
    base(root, "free", "Apache-2.0", ROOT / "LICENSE")
    base(root, "strict", "gemma")
    done = run(root, "models", "licences")
    assert done.returncode == 1
    assert "✓ finetune" in done.stdout
    assert "DENIES DECISIONS ABOUT PEOPLE" in done.stdout
    assert "no lawyer has reviewed it" in done.stdout
    done = run(root, "models", "licences", "free", "--purpose", "finetune", "--json", "--notice", "NOTICE")  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == "evalgate.licences/1"
    assert told["allowed"] is True
    assert [v["purpose"] for v in told["verdicts"]] == ["finetune"]
    assert told["records"]["Apache-2.0"]["counsel"] is False
    assert "Apache License 2.0 (Apache-2.0)" in (root / "NOTICE").read_text()


def test_the_command_names_the_record_of_a_text_and_refuses_loose_options(root):
    done = run(root, "models", "licences", "--text", str(ROOT / "LICENSE"))
    assert done.stdout.strip().endswith("  Apache-2.0")
    (root / "x").write_text("Do as you please.")
    assert run(root, "models", "licences", "--text", "x").stdout.strip().endswith("no record knows this text")  # fmt: skip
    for words in (("--notice", "N"), ("--student", "free"), ("--text", "nowhere")):
        done = run(root, "models", "licences", *words)
        assert (done.returncode, "EG845" in done.stderr) == (2, True)
