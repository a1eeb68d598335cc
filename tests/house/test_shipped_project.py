"""What ships is sound: gate.toml, suites and gold sets fit together, and the plan is not hopeless."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evalgate.gate.claims import uncovered
from evalgate.gate.planning import HOPELESS, errorless_estimate, joint_power, plan_rows
from evalgate.starter import LONGEST_ANSWER, SHORTER, UNITS, write_project
from evalgate.suite import load_project
from evalgate.text import words

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project():
    return load_project(ROOT)


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    root = tmp_path_factory.mktemp("starter") / "project"
    write_project(root)
    return load_project(root)


def test_the_shipped_plan_is_feasible_and_not_hopeless(project):
    rows = plan_rows(project)
    assert [r for r in rows if r.power == 0.0] == []
    assert joint_power(rows) >= HOPELESS


def test_gold_sets_are_as_large_as_promised(project):
    assert project.suites["claim_entities"].gold.units >= 300
    denials = project.suites["denial_reasons"].gold
    assert denials.units >= 400
    assert len(denials.classes) == 6
    assert min(denials.classes.values()) >= 60
    for name in ("claim_entities", "denial_reasons"):
        assert project.suites[name].gold.units_with_tag("spanish") >= 60
        assert project.suites[name].gold.items_with_tag("must_pass") >= 20
    for name, least in (("history_summary", 150), ("appeal_letters", 150), ("policy_qa", 200)):
        gold = project.suites[name].gold
        assert gold.units_with_tag("legitimate") >= least
        assert gold.units_with_tag("must_refuse") >= 20
        assert gold.items_with_tag("must_pass") >= 10
    assert project.suites["policy_qa"].gold.units_with_tag("unanswerable") >= 60


def test_what_has_a_most_is_called_a_rate(project, starter):
    for gate in (project.gate, starter.gate):
        for suite, rows in gate.suites.items():
            for key, bar in rows.items():
                name = key.split("[")[0]
                faults = name.endswith("_rate") and name != "rubric_pass_rate"
                assert (bar.max is not None) == faults, (suite, key)


def test_the_expected_answer_is_itself_a_fully_right_answer(project):
    for loaded in project.suites.values():
        suite = loaded.suite
        for _, item in loaded.gold.items():
            text = item.expected if isinstance(item.expected, str) else json.dumps(item.expected)
            if isinstance(item.expected, dict):
                text = item.expected["reference"]
            parsed = suite.parse(text)
            assert parsed is not None, item.id
            assert suite.correct(parsed, suite.expected(item.expected)) is True, item.id


def test_an_errorless_model_passes_every_threshold(project):
    for name, loaded in project.suites.items():
        for key, bar in project.gate.suites[name].items():
            estimate = errorless_estimate(loaded, key, first_release=True)
            assert estimate is not None, key
            assert not estimate.insufficient, key
            assert uncovered(estimate, key, loaded.gold) is None, key
            low, high = estimate.bounds(project.gate.settings.alpha, 1, draws=20_000)
            if bar.min is not None and low is not None:
                assert low >= bar.min, key
            if bar.max is not None and high is not None:
                assert high <= bar.max, key


def test_the_starter_is_complete_and_feasible(starter):
    assert {name: loaded.gold.units for name, loaded in starter.suites.items()} == UNITS
    for loaded in starter.suites.values():
        assert loaded.gold.items_with_tag("must_pass") > 0
        for _, item in loaded.gold.items():
            assert len(" ".join(map(str, item.input.values())).split()) < 300
        if loaded.gold.units < 60:
            assert loaded.suite.sampling.max_tokens == LONGEST_ANSWER
    rows = plan_rows(starter)
    assert [r.test for r in rows if r.power == 0.0] == []
    assert joint_power(rows) >= HOPELESS


def test_the_starter_asks_for_no_more_than_its_answers_may_take_and_no_less_than_its_references(
    starter,
):
    for name in ("history_summary", "appeal_letters"):
        prompt = (starter.root / f"suites/prompts/{name}.md").read_text()
        (most,) = re.findall(r"(?:at most|under) (\d+) words", prompt)
        longest = max(
            words(item.expected["reference"]) for _, item in starter.suites[name].gold.items()
        )
        assert longest < int(most) <= LONGEST_ANSWER * 0.75, name  # a word takes 1.3 tokens or more


def test_the_starter_points_at_no_page_that_it_lacks(starter):
    for path in starter.root.rglob("*"):
        for line in path.read_text().splitlines() if path.suffix in (".md", ".toml", ".py") else ():
            assert "docs/" not in line or "evalgate's repository" in line, path.name


def test_a_prompt_that_does_not_say_how_long_stops_the_starter(tmp_path, monkeypatch):
    monkeypatch.setitem(SHORTER, "policy_qa", ("at most a thousand words", "at most ten words"))
    with pytest.raises(ValueError, match="0 times in the prompt policy_qa"):
        write_project(tmp_path / "starter")


def test_the_starters_suites_are_cut_cleanly(starter):
    ruff = Path(sys.executable).parent / "ruff"
    for command in (["check", "--select", "F,I"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *command, "--config", ROOT / "pyproject.toml", starter.root / "suites"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for path in (starter.root / "suites").glob("*.py"):
        tree = ast.parse(path.read_text())
        named = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
        read = {n.id for n in named if isinstance(n.ctx, ast.Load)}
        assert {n.id for n in named if isinstance(n.ctx, ast.Store)} - read <= {"SUITE"}, path.name


def test_the_starter_overwrites_nothing(tmp_path):
    from evalgate.errors import UsageError

    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_project(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
