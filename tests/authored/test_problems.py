"""The list of problems and the words they are told in."""

import datetime as dt
from pathlib import Path

import pytest

from evalgate.authored import Problems, relative
from evalgate.authored.problems import count, describe, listing
from evalgate.errors import FileProblems


def test_one_of_a_thing_is_singular():
    assert [count(n, "unit") for n in (0, 1, 2)] == ["0 units", "1 unit", "2 units"]


def test_an_empty_list_raises_nothing_and_is_false():
    problems = Problems()
    problems.raise_if_any()
    assert not problems
    assert repr(problems) == "<Problems n=0>"


def test_all_problems_are_raised_at_once_sorted_by_place():
    problems = Problems()
    problems.add("b", "EG102", "two", line=2)
    problems.add("b", "EG101", "one", line=1, column=3)
    problems.add("a", "EG103", "zero")
    with pytest.raises(FileProblems) as caught:
        problems.raise_if_any()
    assert str(caught.value) == "a: EG103 zero\nb:1:3: EG101 one\nb:2: EG102 two"
    assert caught.value.exit == 2
    assert [p.message for p in problems] == ["two", "one", "zero"]


@pytest.mark.parametrize(
    ("path", "root", "shown"),
    [
        ("/p/gate.toml", "/p", "gate.toml"),
        ("/p/goldsets/a.jsonl", "/p", "goldsets/a.jsonl"),
        ("gate.toml", ".", "gate.toml"),
        ("p/gate.toml", "p", "gate.toml"),
        ("/elsewhere/x", "/p", "/elsewhere/x"),
    ],
)
def test_paths_are_shown_relative_to_the_project(path, root, shown):
    assert relative(Path(path), Path(root)) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0.5, "0.5"),
        (2**128, "an integer of 129 bits"),
        ("a\nb", 'the text "a\\nb"'),
        ("x" * 70, 'the text "' + "x" * 60 + '…"'),
        ({}, "a table"),
        ([], "a list"),
        (dt.date(2026, 1, 1), "a date or time"),
        (dt.time(1), "a date or time"),
    ],
)
def test_values_are_described(value, text):
    assert describe(value) == text


def test_names_are_listed_in_order_and_shortened():
    assert listing([]) == "none"
    assert listing(["b", "a"]) == "a, b"
    assert listing([str(i) for i in range(10, 14)], at_most=2) == "10, 11 and 2 more"
