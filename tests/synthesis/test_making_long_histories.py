"""Made medical histories: right by every measure of the suite, consistent, varied, and nobody else's words."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from made_rows import alike, gold, rows, without_figures
from spoiling import Bench

from evalgate import text
from evalgate.corpus.making import history_summary
from evalgate.corpus.making.common import table
from evalgate.corpus.making.history_summary_tale import SIZES
from evalgate.text.dates import date_at

TASK = "history_summary"
ONLY_A_READER_SEES = {"invented-event", "own-opinion"}


@pytest.fixture(scope="module")
def made():
    return rows(TASK, 200)


def summaries(made):
    return [m for m in made if m.expected["facts"]]


def test_a_made_row_has_the_keys_and_shapes_of_the_gold_set(made):
    item = gold(TASK)[0]
    for m in made:
        assert set(m.input) == set(item["input"])
        assert set(m.expected) == set(item["expected"])
        assert m.answer == m.expected["reference"]


@pytest.mark.slow
def test_every_planted_fault_is_seen_but_those_that_only_a_reader_sees(tmp_path):
    bench = Bench(TASK, 90, tmp_path, seed=11)
    for kind in bench.kinds:
        found = bench.caught(kind)
        if kind in ONLY_A_READER_SEES:
            assert found.seen <= found.planted / 4, kind
        else:
            assert found.seen == found.planted, kind


def test_every_false_statement_of_the_item_has_a_fault_of_its_own(made):
    for m in summaries(made)[:12]:
        faults = list(history_summary.spoil(m, random.Random(1)))
        for statement in m.expected["must_not"]:
            assert any(text.asserts(f.answer, [statement]) for f in faults)


def test_the_summary_states_critical_facts_that_no_single_note_may_lose(made):
    for m in summaries(made):
        assert m.expected["critical"]
        assert all(one in m.expected["facts"] for one in m.expected["critical"])
        assert text.coverage(m.answer, m.expected["facts"]) == 1


def test_notes_stand_in_the_order_of_their_days(made):
    for m in made:
        days = [first_date(block) for block in m.input["history"].split("\n\n")[1:]]
        assert all(a <= b for a, b in pairwise(day for day in days if day))


def first_date(block):
    line = block.split("\n", 1)[0]
    found = [date_at(line, i) for i in range(len(line))]
    whole = [value[0] for value in found if value and len(value[0]) == len("2024-03-02")]
    return whole[0] if whole else ""


def test_records_have_the_lengths_of_their_class(made):
    for m in made:
        low, high = SIZES[m.seeds["length"]]
        words = len(m.input["history"].split())
        assert words <= high + 120
        assert words >= low * 0.9
    assert max(len(m.input["history"].split()) for m in made) > 1150


def test_every_reply_of_the_tables_declines(made):
    replies = set()
    for m in rows(TASK, 600, start=5000):
        if "declined" in m.seeds:
            replies.add(m.seeds["declined"])
            assert text.refuses(m.answer)
            assert text.words(m.answer) <= 90
            found = text.unsupported(m.answer, "\n".join(m.input.values()))
            assert set(found) <= {"911", "988"}  # numbers for help, in reply to somebody in danger
    assert replies == {card["why"] for card in table("history_summary_refusals")["refusal"]}


def test_every_thread_and_story_is_told():
    made = rows(TASK, 400, start=9000)
    threads = {t for m in made for t in m.seeds["threads"].split("+")}
    assert threads == {t["kind"] for t in table("history_summary_threads")["thread"]}
    assert {m.seeds["story"] for m in made} == {
        s["key"] for s in table("history_summary_stories")["story"]
    }


def test_names_of_people_are_listed_as_invented(made):
    for m in made:
        named = set(re.findall(r"Dr\. ([A-Z][\w-]+)", m.input["history"]))
        assert all(any(n in known for known in m.invented) for n in named)


def test_no_name_that_a_thread_fills_hides_a_slot_of_the_people():
    people = {
        "he",
        "his",
        "him",
        "full",
        "title",
        "mid",
        "pcp",
        "spec",
        "other",
        "age",
        "date",
        "by",
    }
    for thread in table("history_summary_threads")["thread"]:
        assert not people.intersection(*[set(row) for row in thread["row"]])
    for story in table("history_summary_stories")["story"]:
        assert not people.intersection(story.get("pick", {}))


def test_no_two_rows_are_nearly_the_same(made):
    assert alike([told(m) for m in made]) == []
    # not even where names, dates and doses are taken away
    assert alike([without_figures(told(m)) for m in made]) == []


def told(m):
    return "\n".join([*m.input.values(), m.answer])
