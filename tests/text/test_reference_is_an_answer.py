"""`evalgate plan` takes the reference of a written task for the errorless answer."""

from __future__ import annotations

import json

import pytest
from harness import CARD, Project

from evalgate.gate.planning import errorless_estimate
from evalgate.suite import load_project

SUITE = '''\
"""Short summaries."""
from evalgate import Suite, mean, parse_text, rate, text

SUITE = Suite("notes", gold="goldsets/notes.jsonl", prompt="suites/prompts/notes.md", parse=parse_text)

def covered(answer):
    return text.coverage(answer.text, answer.expected["facts"])

def invents_number(answer):
    return bool(text.unsupported(answer.text, answer.input["history"], kinds=("number",)))

def test_key_facts(answers, threshold):
    assert threshold.met_by(mean(answers, covered))

def test_invented_number_rate(answers, threshold):
    assert threshold.met_by(rate(answers, invents_number))

def test_like_reference(answers, threshold):
    assert threshold.met_by(mean(answers, lambda a: text.rouge_l(a.parsed, a.expected["reference"]), name="rouge_l"))
'''
GATE = """\
[gate]
first_release = true

[notes]
key_facts = { min = 0.80 }
invented_number_rate = { max = 0.10 }
like_reference = { min = 0.20 }
"""


def project(root, **changes):
    """A project of one written task with 60 items; `changes` replaces keys of every item's expected object."""
    made = Project(root, "http://127.0.0.1:9/v1")
    (root / "suites/test_triage.py").unlink()
    made.write("suites/test_notes.py", SUITE)
    made.write("suites/prompts/notes.md", "Summarise.\n\n{{history}}\n")
    made.write("gate.toml", GATE)
    made.write("goldsets/notes.toml", CARD.replace('"triage"', '"notes"'))
    items = [
        {
            "id": f"n-{i}",
            "input": {"history": f"Metformin {500 + i} mg was stopped."},
            "expected": {
                "reference": f"Metformin ({500 + i} mg) was stopped.",
                "facts": [[["metformin"], ["stopped"]]],
            }
            | changes,
            "unit": f"member-{i}",
            "tags": [],
        }
        for i in range(60)
    ]
    made.write("goldsets/notes.jsonl", "".join(json.dumps(item) + "\n" for item in items))
    return load_project(root)


@pytest.mark.parametrize(
    ("claim", "value"), [("key_facts", 1), ("invented_number_rate", 0), ("like_reference", 1)]
)
def test_the_reference_is_scored_as_the_errorless_answer(tmp_path, claim, value):
    assert errorless_estimate(project(tmp_path).suites["notes"], claim).value == value


def test_a_reference_with_an_error_shows_in_the_plan(tmp_path):
    loaded = project(tmp_path, reference="Metformin 9000 mg was not stopped.").suites["notes"]
    assert errorless_estimate(loaded, "key_facts").value == 0
    assert errorless_estimate(loaded, "invented_number_rate").value == 1
