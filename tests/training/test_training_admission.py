"""What `gate train` refuses before a step is trained: each with its reason and code, all of them at once."""

import re

import pytest
from harness import gold_items
from terms.contracts import LAST_YEAR, contract
from training_project import TrainingProject, example

from evalgate.corpus.example import MadeBy


@pytest.fixture
def project(tmp_path):
    project = TrainingProject(tmp_path)
    project.lock()
    return project


def failing(stdout: str) -> list[str]:
    """The checks that fail, by name."""
    return [
        re.split(r"  +", line[1:].strip())[0]
        for line in stdout.splitlines()
        if line.startswith("✗")
    ]


def refused(project, what: str, code: str) -> str:
    done = project.admit()
    assert done.returncode == 1, done.stdout + done.stderr
    assert failing(done.stdout) == [what]
    assert code in done.stdout
    assert done.stdout.splitlines()[-1] == "refused: trainers/rc1.toml is not trained"
    assert not (project.root / "models/rc1").exists()
    assert not (project.root / ".evalgate/training").exists()
    return done.stdout


def test_clean_rows_under_a_locked_plan_and_an_open_licence_are_admitted(project):
    project.corpus()
    project.mixture()
    done = project.admit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert failing(done.stdout) == []
    assert done.stdout.splitlines()[-1] == "admitted: trainers/rc1.toml may be trained"


def test_without_a_locked_plan_nothing_is_trained(tmp_path):
    project = TrainingProject(tmp_path)
    project.corpus()
    project.mixture()
    assert "never locked" in refused(project, "the plan", "EG802")


def test_a_plan_that_changed_since_it_was_locked_is_no_locked_plan(project):
    project.corpus()
    project.mixture()
    project.edit("gate.toml", "min = 0.85", "min = 0.80")
    assert "changed since" in refused(project, "the plan", "EG802")


@pytest.mark.parametrize(
    ("licence", "said"),
    [("Private-1.0", "Private-1.0"), ("LLAMA-3", "unverified")],
)
def test_an_unknown_licence_blocks(project, licence, said):
    project.corpus()
    project.mixture()
    project.edit("evalgate.toml", 'licence = "Apache-2.0"', f'licence = "{licence}"')
    assert said.casefold() in refused(project, "the licence of base", "EG923").casefold()


def test_a_licence_that_forbids_commercial_use_blocks_and_is_quoted(project):
    project.corpus()
    project.mixture()
    project.edit("evalgate.toml", 'licence = "Apache-2.0"', 'licence = "CC-BY-NC-4.0"')
    assert "commercial is false" in refused(project, "the licence of base", "EG923")


def test_an_expired_contract_blocks(project):
    project.write("terms/northfield.toml", contract(expires=str(LAST_YEAR)))
    project.corpus(
        *(example(n, terms="northfield", source="Northfield Records") for n in range(60))
    )
    project.mixture()
    assert "expired" in refused(project, "the terms of the data", "EG924")


def test_a_contract_that_is_silent_about_training_blocks(project):
    project.write("terms/northfield.toml", contract(may_train=None))
    project.corpus(*(example(n, terms="northfield") for n in range(60)))
    project.mixture()
    refused(project, "the terms of the data", "EG924")


def test_rows_without_terms_block(project):
    project.corpus(*(example(n, terms="" if n == 7 else "project") for n in range(60)))
    project.mixture()
    assert "1 rows name no terms" in refused(project, "the terms of the data", "EG924")


def test_a_row_that_was_derived_from_a_row_under_worse_terms_blocks(project):
    project.write("terms/northfield.toml", contract(may_augment="false"))
    rows = [example(0, terms="northfield"), *(example(n) for n in range(1, 60))]
    rows[5] = example(5, parents=("row-0",))
    project.corpus(*rows)
    project.mixture()
    assert "derived" in refused(project, "the terms of the data", "EG924")


def test_rows_that_an_unknown_model_wrote_block(project):
    made_by = MadeBy(template="notes@1", seed=3, model="sha256:" + "0" * 64)
    project.corpus(*(example(n, **({"made_by": made_by} if n == 3 else {})) for n in range(60)))
    project.mixture()
    refused(project, "models that wrote rows", "EG925")


def test_gold_in_the_data_blocks(project):
    item = gold_items()[3]
    text = item["input"]["text"]
    messages = (
        {"role": "user", "content": f"Classify this, please.\n{text}"},
        {"role": "assistant", "content": item["expected"]},
    )
    project.corpus(*(example(n, **({"messages": messages} if n == 9 else {})) for n in range(60)))
    project.mixture()
    assert "row-9" in refused(project, "gold in the data", "EG926")


def test_a_unit_that_feeds_gold_and_training_blocks(project):
    unit = gold_items()[3]["unit"]
    project.corpus(*(example(n, **({"unit": unit} if n == 9 else {})) for n in range(60)))
    project.mixture()
    assert "row-9: lineage" in refused(project, "gold in the data", "EG926")


def test_people_in_the_data_block_and_are_not_quoted(project):
    messages = (
        {"role": "user", "content": "Patient: Wilhelmina Oakhurst, SSN 219-09-9999. Classify it."},
        {"role": "assistant", "content": "DENY"},
    )
    found = {"messages": messages, "made_by": None}
    project.corpus(*(example(n, **(found if n == 9 else {})) for n in range(60)))
    project.mixture()
    told = refused(project, "people in the data", "EG928")
    assert "row-9" in told
    assert "Oakhurst" not in told
    assert "219-09" not in told


def test_all_reasons_are_told_at_once(tmp_path):
    project = TrainingProject(tmp_path)
    project.edit("evalgate.toml", 'licence = "Apache-2.0"', 'licence = "Private-1.0"')
    project.corpus(*(example(n, terms="nowhere") for n in range(60)))
    project.mixture()
    done = project.admit()
    assert done.returncode == 1
    assert failing(done.stdout) == ["the plan", "the licence of base", "the terms of the data"]


def test_a_corpus_that_was_edited_is_a_breach(project):
    project.corpus()
    project.mixture()
    part = project.root / "data/made/part-00000.jsonl"
    part.write_bytes(part.read_bytes().replace(b"APPROVE", b"APPROVF", 1))
    done = project.admit()
    assert (done.returncode, "EG826" in done.stderr) == (5, True)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('base = "base"', 'base = "bose"', "EG145"),
        ('base = "base"', 'base = "scripted"', "EG921"),
        ('trainer = "trainers/lora.py"', 'trainer = "../lora.py"', "EG920"),
        ('trainer = "trainers/lora.py"', 'trainer = "trainers/none.py"', "EG929"),
        ('mixture = "first"', 'mixture = "second"', "EG820"),
        ('mixture = "first"', 'mixtrue = "first"', "EG105"),
        ('output = "rc1"', 'output = "base"', "EG929"),
        ("seed = 1", "seed = -1", "EG108"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_where(project, old, new, code):
    project.corpus()
    project.mixture()
    project.edit("trainers/rc1.toml", old, new)
    done = project.admit()
    assert done.returncode == 2, done.stdout + done.stderr
    assert code in done.stderr
