"""`evalgate doctor`: what is missing and what is due, in a real project."""

import json
import time

import pytest
from harness import Project
from models import stand_in

from evalgate.corpus.example import Example
from evalgate.corpus.writer import Writer


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path, "http://127.0.0.1:9/v1")


def corpus(project, name, rows):
    with Writer(project.root / "data", name, command="test") as writer:
        for n in range(rows):
            said = ({"role": "user", "content": f"{name} {n}"}, {"role": "assistant", "content": "DENY"})  # fmt: skip
            writer.add(Example(id=f"{name}-{n}", task="triage", messages=said, terms="project"))


def lines(project):
    """What was said, by what it is about: (ok or note, words)."""
    done = project.evalgate("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    *told, count = done.stdout.splitlines()
    found = {
        line[6:].partition(": ")[0]: (line[:4].strip(), line.partition(": ")[2]) for line in told
    }
    assert count.split()[0] == str(sum(mark == "note" for mark, _ in found.values()))
    return found


def test_it_says_what_is_there_and_what_is_not(project):
    stand_in.model(project.root / "models/here")
    stand_in.environment(project.root / "env", version="9.9")
    with (project.root / "evalgate.toml").open("a") as f:
        f.write(
            '\n[models.here]\nartifact = "models/here"\nserver = "transformers"\n'
            '\n[models.gone]\nartifact = "models/gone"\nserver = "vllm"\n'
            '\n[servers.transformers]\npython = "env/python"\n[servers.vllm]\npython = "nowhere/python"\n'
            '\n[training]\npython = "/nowhere/python"\n'
        )
    found = lines(project)
    assert found["here"] == ("ok", "models/here")
    assert found["gone"] == ("note", "missing: models/gone")
    assert found["scripted"][0] == "ok"
    assert "transformers 9.9" in found["server transformers"][1]
    assert found["server vllm"][0] == "note"
    assert found["training"][0] == "note"
    assert found["keys"][0] == "note"
    assert found["retention"] == ("note", "no [retention] runs_days: texts of runs stay for ever")


def test_a_choice_is_due_once_the_data_has_doubled_since_the_last_recorded_one(project):
    assert lines(project)["choice of the base"][0] == "note"
    corpus(project, "first", 60)
    record = {"rows": 60, "decided": "2026-03-01T10:00:00+00:00"}
    project.write("reports/curves/growth.json", json.dumps(record))
    mark, said = lines(project)["choice of the base"]
    assert (mark, said[:31]) == ("ok", "60 rows now, 60 at the last cho")
    corpus(project, "second", 59)
    assert lines(project)["choice of the base"][0] == "ok"
    corpus(project, "third", 1)
    mark, said = lines(project)["choice of the base"]
    assert mark == "note"
    assert said.startswith("due, data doubled: 120 rows now, 60 at the last choice (2026-03-01, reports/curves/growth.json)")  # fmt: skip
    # a later look that found nothing new settles it; one that was never finished does not
    later = {"rows": 120, "made": "2026-03-02T10:00:00+00:00"}
    project.write("reports/curves/open.json", json.dumps({"rows": 120, "decided": ""}))
    assert lines(project)["choice of the base"][0] == "note"
    project.write("reports/switches/no.json", json.dumps(later))
    assert lines(project)["choice of the base"][0] == "ok"


def test_old_keys_and_a_broken_ledger_are_told(project):
    assert project.evalgate("keys", "init", "gate", "--role", "gate").returncode == 0
    assert project.evalgate("keys", "init", "other", "--role", "gate").returncode == 0
    found = lines(project)
    assert found["key gate"][0] == "ok"
    assert found["ledger"][0] == "ok"
    text = (project.root / "keys.toml").read_text()
    project.write("keys.toml", text.replace(f'since = "{time.gmtime().tm_year}', 'since = "2020'))
    assert "rotate it" in lines(project)["key gate"][1]
    ledger = project.root / "reports/ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("other", "else", 1))
    mark, said = lines(project)["ledger"]
    assert (mark, said.startswith("NOT SOUND")) == ("note", True)


def test_a_project_that_cannot_be_loaded_is_a_usage_error(project):
    project.edit("gate.toml", "min", "mni")
    done = project.evalgate("doctor")
    assert (done.returncode, "EG105" in done.stderr) == (2, True)
