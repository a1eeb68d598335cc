"""The whole way on text that nobody here wrote: import, check, ask a model, decide, and score a second time."""

from __future__ import annotations

import json
import random
import sys
from importlib.util import find_spec

import pytest
from answered import by_place, by_text, gold_and_guesses, unit_means
from real_reports import LABELS, REPORTS, case_report_project
from scorers import perturbed
from scripted import ScriptedServer


def decided(project):
    """Exit code and findings by test of `gate check`, after `gold check` accepted the imported set."""
    checked = project.evalgate("gold", "check")
    assert checked.returncode == 0, checked.stderr
    assert f"case_reports: {REPORTS} items, {REPORTS} units" in checked.stdout
    argv = (sys.executable, "-m", "evalgate", "gate", "check", "--json")
    done = project.run(*argv, timeout=3600)
    found = {f["test"]: f for f in json.loads(done.stdout)["findings"]}
    assert {f["units"] for f in found.values()} == {REPORTS}, done.stdout
    assert {f["unscored"] for f in found.values()} == {0}
    return done.returncode, found


def scores_agree(project, found):
    """nervaluate says the same of the same answers: pooled, and report by report as the findings estimate it."""
    items, guesses = gold_and_guesses(project.root)
    for evalgate, nervaluate in (by_text(items, guesses), by_place(items, guesses)):
        assert evalgate == pytest.approx(nervaluate, abs=1e-9)
        assert min(evalgate) > 0  # something was right: the comparison compares something
    precision, recall, f1 = unit_means(items, guesses)
    assert found["precision"]["estimate"] == pytest.approx(precision, abs=1e-9)
    assert found["exact_recall"]["estimate"] == pytest.approx(recall, abs=1e-9)
    assert found["f1"]["estimate"] == pytest.approx(f1, abs=1e-9)
    return guesses


def test_findings_over_real_reports_are_what_nervaluate_says_of_the_same_answers(tmp_path):
    """A scripted model makes every kind of mistake, in one report it writes no list, in one it is cut off."""
    items = {}

    def reply(messages, payload):
        item = items[messages[-1]["content"].strip()]
        text, number = item["input"]["text"], list(items.values()).index(item)
        if number == 3:
            return "I could not find any."
        guess = perturbed(item["expected"], text, list(LABELS), random.Random(number))
        answer = json.dumps([{"label": e["label"], "text": e["text"]} for e in guess])
        return {"text": answer, "finish_reason": "length" if number == 5 else "stop"}

    with ScriptedServer(reply=reply) as server:
        project = case_report_project(tmp_path, server.url)
        lines = (tmp_path / "goldsets/case_reports.jsonl").read_text("utf-8").splitlines()
        items.update((i["input"]["text"].strip(), i) for i in map(json.loads, lines))
        _, found = decided(project)
    guesses = scores_agree(project, found)
    assert [n for n, guess in enumerate(guesses) if guess is None] == [3, 5]


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the extra `embedded` is not installed")
def test_a_suite_over_real_reports_is_decided_by_what_the_embedded_model_answers(tmp_path):
    project = case_report_project(tmp_path)
    code, found = decided(project)
    assert code == 1  # closed: the model mostly copies the prompt's example
    scores_agree(project, found)
