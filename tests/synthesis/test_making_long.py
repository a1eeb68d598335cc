"""What holds of made histories and made letters alike: right answers, planted faults, and nobody else's words or people."""

from __future__ import annotations

import importlib
import random

import pytest
from made_rows import gold, grams, rows
from spoiling import Bench

TASKS = ("appeal_letters", "history_summary")


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def made(task):
    return rows(task, 200)


@pytest.fixture
def maker(task):
    return importlib.import_module(f"evalgate.corpus.making.{task}")


def test_200_right_answers_are_right_by_every_measure_of_the_suite(task, tmp_path):
    bench = Bench(task, 200, tmp_path)
    wrong = {i: [n for n, v in m.items() if v < 1] for i, m in bench.before.items()}
    assert {i: names for i, names in wrong.items() if names} == {}


def test_a_fault_changes_the_answer_and_the_same_generator_plants_it_again(maker, made):
    for i, m in enumerate(made[:15]):
        faults = list(maker.spoil(m, random.Random(i)))
        assert faults == list(maker.spoil(m, random.Random(i)))
        assert all(f.answer != m.answer for f in faults)


def test_no_eight_words_in_a_row_are_those_of_a_gold_item(made):
    known = {g for item in gold() for told in item["texts"] for g in grams(told, 8)}
    for m in made:
        for told in (*m.input.values(), m.answer):
            assert not known.intersection(grams(told, 8))


def test_units_and_people_are_new_and_not_golds(task, made):
    units = {m.unit for m in made}
    assert len(units) == len(made)
    assert not units & {item["unit"] for item in gold(task)}
    people = {n for item in gold(task) for n in item["names"] if " " in n}
    assert not {name for m in made for name in m.invented} & people


def test_the_same_generator_makes_the_same_row(maker):
    a, b = (maker.make(random.Random(3), 17) for _ in range(2))
    assert a == b
    assert maker.make(random.Random(4), 17) != a
