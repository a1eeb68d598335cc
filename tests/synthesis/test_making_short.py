"""Made claim narratives, denials and plan questions: right by their suites, faulty where planted, varied, nobody's words."""

from __future__ import annotations

import importlib
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made_rows import alike, gold, grams, rows, without_figures
from spoiling import Bench

from evalgate.corpus.making import common
from evalgate.corpus.making.common import expand, table

TASKS = ("claim_entities", "denial_reasons", "policy_qa")
MOST_NEAR = 0.05  # rows with a near one, once names and figures are gone


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def made(task):
    return rows(task, 300)


def said(made):
    return "\n".join([*made.input.values(), made.answer])


def test_a_made_row_has_the_keys_and_shapes_of_the_gold_set(task, made):
    [first, *_] = [i for i in gold(task) if i["expected"]]
    for m in made:
        assert m.input.keys() == first["input"].keys()
        assert isinstance(m.expected, type(first["expected"]))
        if isinstance(m.expected, dict):
            assert m.expected.keys() == first["expected"].keys()
        if isinstance(m.expected, list):
            assert {e.keys() == first["expected"][0].keys() for e in m.expected} <= {True}


def test_300_right_answers_are_right_by_every_measure_of_the_suite(task, tmp_path):
    bench = Bench(task, 300, tmp_path, seed=31)
    wrong = {i: [n for n, v in m.items() if v < 1] for i, m in bench.before.items()}
    assert {i: names for i, names in wrong.items() if names} == {}


@pytest.mark.slow
def test_every_planted_fault_is_seen_in_every_row(task, tmp_path):
    bench = Bench(task, 300, tmp_path, seed=32)
    missed = {}
    for kind in bench.kinds:
        found = bench.caught(kind)
        missed[kind] = found.planted - found.seen
    assert {kind: n for kind, n in missed.items() if n} == {}


def test_a_fault_changes_the_answer_and_the_same_generator_plants_it_again(task, made):
    spoil = importlib.import_module(f"evalgate.corpus.making.{task}").spoil
    for i, m in enumerate(made[:60]):
        faults = list(spoil(m, random.Random(i)))
        assert faults == list(spoil(m, random.Random(i)))
        assert all(f.answer != m.answer for f in faults)


def test_no_eight_words_in_a_row_are_those_of_a_gold_item(made):
    known = {g for item in gold() for told in item["texts"] for g in grams(told, 8)}
    for m in made:
        for told in (*m.input.values(), m.answer):
            assert not known.intersection(grams(told, 8))


def test_units_are_new_and_people_and_documents_are_no_gold_ones(task, made):
    units = {m.unit for m in made}
    assert len(units) == len(made)
    assert not units & {item["unit"] for item in gold(task)}
    people = {name for item in gold(task) for name in item["names"] if " " in name}
    assert not {word for m in made for word in m.invented} & people
    assert all(set(m.documents) <= {m.unit} for m in made)


def test_invented_names_and_numbers_are_in_the_row_and_telephones_are_fictional(made):
    for m in made:
        assert all(word in said(m) for word in m.invented)
        for number in re.findall(r"\b\d{3}-\d{4}\b(?!-)", said(m)):
            if re.search(rf"555-{number[4:]}", said(m)):
                assert number.startswith("555-01")


def test_no_two_rows_are_nearly_the_same(made):
    assert alike([said(m) for m in made]) == []
    # A feed is in capitals, of which nothing would be left.
    plain = [without_figures(said(m)) for m in made if m.seeds.get("register") != "feed"]
    assert len({i for pair in alike(plain) for i in pair}) < MOST_NEAR * len(made)


def test_the_same_generator_makes_the_same_row_and_another_another(task):
    make = importlib.import_module(f"evalgate.corpus.making.{task}").make
    assert make(random.Random(3), 17) == make(random.Random(3), 17)
    assert make(random.Random(4), 17) != make(random.Random(3), 17)


def test_rows_do_not_depend_on_how_a_process_orders_its_sets(task):
    code = f"import made_rows as r; print([hash_free for m in r.rows('{task}', 40) for hash_free in (m.answer, m.input, m.invented, m.unit)])"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parent,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_a_phrase_makes_its_choices_innermost_first_and_fills_slots_at_any_depth():
    told = {
        expand(random.Random(i), "[a|b [c|{x}]] {y}", {"x": "1", "y": "{x}"}) for i in range(40)
    }
    assert told == {"a 1", "b c 1", "b 1 1"}
    assert expand(random.Random(0), "see [4.2]", {}) == "see [4.2]"
    with pytest.raises(KeyError):
        expand(random.Random(0), "{unknown}", {})


def test_a_look_alike_number_has_the_form_of_its_own_and_is_another():
    for i in range(200):
        own, other = common.member_numbers(random.Random(i))
        assert own != other
        assert re.sub(r"\d", "0", own) == re.sub(r"\d", "0", other)


@pytest.mark.parametrize("name", ["claim_entities_cases", "denial_reasons_services"])
def test_no_clinical_line_is_empty_or_unread(name):
    for line in (row for rows_ in table(name).values() for row in rows_):
        assert all(isinstance(value, str) and value.strip() for value in line.values())
