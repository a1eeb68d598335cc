"""Rows of a synthetic corpus: independent of each other, of their number and of the number of processes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import toy_maker
from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored import Problems, load_prompt
from evalgate.corpus import synthesis
from evalgate.corpus.synthesis import (
    TASKS,
    Maker,
    make,
    makers,
    number_of,
    rows_of,
    sameness,
    shared_out,
    template_of,
)
from evalgate.errors import FileProblems, InfrastructureError, UsageError

ROOT = Path(__file__).parents[2]


def toy(module: str = "toy_maker") -> Maker:
    prompt = load_prompt(ROOT / "suites/prompts/claim_entities.md", ROOT, Problems())
    assert prompt is not None
    return Maker(task="claim_entities", module=module, template="sha256:toy", prompt=prompt)


def made(count: int, *, seed: int = 1, processes: int = 1) -> list:
    return list(rows_of(toy(), count, seed=seed, processes=processes, redrawn=Counter()))


def test_the_first_rows_are_the_same_however_many_are_made():
    assert made(300)[:40] == made(40)


def test_two_processes_make_the_rows_that_one_makes(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(toy_maker.__file__).parent))
    monkeypatch.setattr(synthesis, "_FEW", 10)
    alone = made(500)
    assert made(500, processes=2) == alone
    assert made(500, processes=3) == alone


def test_another_seed_makes_other_rows_with_other_ids():
    one, two = made(50, seed=1), made(50, seed=2)
    assert not {e.id for e in one} & {e.id for e in two}
    assert [e.input for e in one] != [e.input for e in two]


def test_a_row_can_be_made_again_from_what_it_says_of_itself():
    for example in made(60):
        again = toy_maker.make(random.Random(example.made_by.seed), 0)
        assert again.input == example.input


def test_no_two_rows_say_the_same_and_repeats_are_counted():
    redrawn: Counter[str] = Counter()
    rows = list(rows_of(toy(), 3000, seed=1, processes=1, redrawn=redrawn))
    assert len({sameness(e.input) for e in rows}) == 3000
    first = [make("toy_maker", "claim_entities", 1, i, 0) for i in range(3000)]
    repeats = 3000 - len({sameness(m.input) for m in first})
    assert redrawn["claim_entities"] >= repeats > 0


def test_a_grid_that_is_used_up_is_told(monkeypatch):
    monkeypatch.setattr(toy_maker, "NAMES", ("Ana",))
    monkeypatch.setattr(toy_maker, "ILLS", ("gout",))
    monkeypatch.setattr(random.Random, "randrange", lambda self, *_: 500)
    with pytest.raises(UsageError) as caught:
        made(2)
    assert caught.value.code == "EG893"


def test_the_text_is_the_one_that_the_suite_serves():
    example = made(1)[0]
    served = toy().prompt.render(example.input)
    assert list(example.messages[:-1]) == served
    assert example.messages[-1]["role"] == "assistant"
    assert example.terms == "project"
    assert example.made_by.template == "plain@sha256:toy"


def test_a_prompt_that_asks_for_something_else_is_told_before_anything_is_written():
    prompt = load_prompt(ROOT / "suites/prompts/denial_reasons.md", ROOT, Problems())
    other = Maker(task="claim_entities", module="toy_maker", template="", prompt=prompt)
    with pytest.raises(UsageError) as caught:
        next(rows_of(other, 1, seed=1, processes=1, redrawn=Counter()))
    assert caught.value.code == "EG892"


def test_a_worker_that_dies_is_an_outage_and_no_shorter_corpus(monkeypatch, tmp_path):
    (tmp_path / "dying_maker.py").write_text(
        "import os\nfrom toy_maker import make as toy\n"
        "def make(rng, index):\n    if index == 13: os._exit(9)\n    return toy(rng, index)\n"
    )
    folder = Path(toy_maker.__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{folder}")
    monkeypatch.setattr(synthesis, "_FEW", 10)
    rows = rows_of(toy("dying_maker"), 200, seed=1, processes=2, redrawn=Counter())
    with pytest.raises(InfrastructureError) as caught:
        list(rows)
    assert caught.value.code == "EG894"


def test_workers_end_with_the_process_that_started_them(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(toy_maker.__file__).parent))
    monkeypatch.setattr(synthesis, "_FEW", 10)
    started = []
    popen = subprocess.Popen

    def noted(*args, **kwargs):
        started.append(popen(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(synthesis.subprocess, "Popen", noted)
    rows = rows_of(toy(), 10_000, seed=1, processes=2, redrawn=Counter())
    next(rows)
    rows.close()  # as an interrupt does
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_a_worker_whose_reader_was_killed_ends_by_itself():
    argv = ["toy_maker", "claim_entities", "1", "0", "1", "1000000"]
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "evalgate.corpus.synthesis_worker", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(toy_maker.__file__).parent)},
    )
    assert worker.stdout.readline()
    worker.stdout.close()  # what the kernel does for a process that is gone
    assert worker.wait(20) == 0
    assert worker.stderr.read() == b""
    worker.stderr.close()


@given(
    rows=st.integers(5, 100_000),
    weights=st.dictionaries(st.sampled_from(TASKS), st.floats(0.01, 100)),
)
def test_all_rows_are_shared_out_and_every_task_gets_some(rows, weights):
    counts = shared_out(rows, TASKS, weights)
    assert sum(counts.values()) == rows
    assert min(counts.values()) >= 1
    total = sum(weights.get(t, 1.0) for t in TASKS)
    for task, count in counts.items():
        assert abs(count - rows * weights.get(task, 1.0) / total) <= len(TASKS) + 1


@pytest.mark.parametrize(
    ("rows", "weights"),
    [(4, {}), (10, {"policy_qa": 0.0}), (10, {"policy_qa": float("nan")}), (10, {"other": 1.0})],
)
def test_shares_that_do_not_come_out_are_refused(rows, weights):
    with pytest.raises(UsageError) as caught:
        shared_out(rows, TASKS, weights)
    assert caught.value.code == "EG891"


def test_a_task_that_nobody_makes_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="policy_qa") as caught:
        makers(ROOT, ["policy_q"])
    assert caught.value.code == "EG890"


def test_a_project_without_the_prompt_is_told_so(tmp_path):
    with pytest.raises(FileProblems, match=r"claim_entities\.md"):
        makers(tmp_path, ["claim_entities"])


def test_numbers_of_rows_differ_by_seed_task_place_and_draw():
    numbers = {
        number_of(s, t, i, d) for s in (0, 1) for t in TASKS for i in range(50) for d in (0, 1)
    }
    assert len(numbers) == 2 * len(TASKS) * 50 * 2
    assert max(numbers) < 2**48


def test_templates_of_two_tasks_have_two_digests():
    assert len({template_of(task) for task in TASKS}) == len(TASKS)


@given(st.text(max_size=60))
def test_case_and_punctuation_make_no_other_row(text):
    assert sameness({"a": text}) == sameness({"a": f"  {text}\n."})
    if text.upper().casefold() == text.casefold():  # not of every letter
        assert sameness(text) == sameness(text.upper())
