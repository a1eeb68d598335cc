"""Ids that stand twice and parents in a circle are found in any order, and only they are."""

from __future__ import annotations

import pytest
from corpus_rows import row, visible, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.authored.gold_lines import LineProblems
from evalgate.authored.problems import Problems
from evalgate.corpus import writer as writing
from evalgate.corpus.ids import Ids
from evalgate.errors import FileProblems


def told(examples):
    """(line, code) of what is wrong with the ids of these rows."""
    ids, problems = Ids(), Problems()
    for each in examples:
        ids.add(each)
    ids.check(lambda: (("", n, e) for n, e in enumerate(examples, 1)), LineProblems("x", problems))
    return [(p.line, p.code) for p in problems]


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=12))
def test_every_id_is_told_each_time_that_it_comes_again(numbers):
    expected = [(n, "EG824") for n, each in enumerate(numbers, 1) if each in numbers[: n - 1]]
    assert told([row(n) for n in numbers]) == expected


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 7), st.frozensets(st.integers(0, 9), max_size=3)))
def test_exactly_the_rows_that_are_their_own_ancestors_are_told(graph):
    def ancestors(start):
        found, open_ = set(), [start]
        while open_:
            for parent in graph.get(open_.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    open_.append(parent)
        return found

    rows = [row(n, parents=tuple(f"row-{p}" for p in sorted(parents))) for n, parents in graph.items()]  # fmt: skip
    expected = [(line, "EG825") for line, n in enumerate(graph, 1) if n in ancestors(n)]
    assert told(rows) == expected


def test_a_long_chain_is_no_circle_until_its_end_is_its_beginning():
    chain = [row(n, parents=(f"row-{n + 1}",)) for n in range(50_000)]
    assert told(chain) == []
    closed = [*chain, row(50_000, parents=("row-0",))]
    found = told(closed)
    assert len(found) == 50
    assert {code for _, code in found} == {"EG825"}


def test_a_row_with_hundreds_of_children_in_one_circle_is_still_one():
    many = [row(n, parents=("row-0",)) for n in range(1, 600)]
    assert told(many) == []
    assert len(told([row(0, parents=("row-300",)), *many])) == 2


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_corpus_with_one_id_in_two_parts_is_not_written(tmp_path, monkeypatch, form):
    monkeypatch.setattr(writing, "PART_ROWS", 10)
    with pytest.raises(FileProblems, match=r"c:26: EG824 .*'row-3' a second time, first at line 4"):
        write_corpus(tmp_path, "c", [*map(row, range(25)), row(3)], form=form)
    assert visible(tmp_path) == []
