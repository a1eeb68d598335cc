"""Every estimate names its worst items, in whatever order the rows come, and says how its items were answered."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_rows import answer, binary, entities

from evalgate.metrics import (
    accuracy,
    macro_f1,
    mean,
    must_pass,
    paired_difference,
    precision,
    rate,
    recall,
)
from evalgate.metrics.tally import WORST, Worst


def scored(scores, **kwargs):
    """Rows with these scores in their `parsed`, ids in reverse of their place."""
    return [answer(f"{99 - i}", parsed=x, correct=True, **kwargs) for i, x in enumerate(scores)]


def test_the_lowest_scores_come_first_and_perfect_ones_never():
    rows = scored([0.5, 1.0, 0.25, 0.75, 1.0])
    assert mean(rows, lambda a: a.parsed).worst == ("97", "99", "96")


def test_of_equal_scores_the_smaller_ids_are_named_and_no_more_than_a_few():
    assert mean(scored([0.0] * 30), lambda a: a.parsed).worst == ("70", "71", "72", "73", "74")


def test_of_a_rate_of_errors_those_that_hit_are_the_worst():
    rows = [answer("a"), answer("b", status="refused"), answer("c", parsed="A")]
    assert rate(rows, "failed").worst == ("b",)
    assert rate(rows, "wrong").worst == ("a", "b")
    assert rate(rows, "truncated").worst == ()


@pytest.mark.parametrize("metric", [recall, precision])
def test_items_without_anything_due_are_not_among_the_worst(metric):
    rows = [
        answer("silent", expected=[], parsed=[]),
        answer("half", expected=entities("gout asthma"), parsed=entities("gout flu")),
        answer("none", expected=entities("gout"), parsed=[]),
        answer("right", expected=entities("gout"), parsed=entities("gout")),
    ]
    assert metric(rows).worst == ("none", "half")


def test_a_slice_names_only_its_own_items():
    rows = [answer("1", tags=("x",)), answer("2"), answer("3", parsed="A", tags=("x",))]
    assert accuracy(rows, tag="x").worst == ("1",)
    assert accuracy(rows).worst == ("1", "2")


def test_must_pass_and_macro_f1_name_what_is_wrong():
    rows = [answer(str(i), tags=("must_pass",), parsed="A" if i > 6 else "B") for i in range(9)]
    assert must_pass(rows).worst == ("0", "1", "2", "3", "4")
    assert macro_f1(rows).worst == ("0", "1", "2", "3", "4")


def test_a_difference_names_items_of_the_units_that_lost_most():
    def rows(scores):
        return [
            answer(f"{u}-{i}", unit=u, parsed=x, correct=True)
            for u, xs in scores.items()
            for i, x in enumerate(xs)
        ]

    ours = rows({"a": [0.5, 1.0], "b": [1.0, 0.0], "c": [0.2, 0.2], "d": [1.0, 1.0]})
    theirs = rows({"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [0.1, 0.1], "d": [1.0, 1.0]})
    found = paired_difference(lambda r: mean(r, lambda a: a.parsed), ours, theirs)
    assert found.worst == ("b-1", "a-0")  # c was worse before, d is as it was


def test_a_difference_of_error_rates_names_the_new_errors():
    ours = [answer("1", status="refused"), answer("2", parsed="A"), answer("3", status="refused")]
    theirs = [answer("1", parsed="A"), answer("2", status="refused"), answer("3", status="refused")]
    found = paired_difference(lambda r: rate(r, "failed"), ours, theirs)
    assert found.worst == ("1",)


@given(st.lists(st.integers(0, 4), max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_neither_the_worst_nor_the_counts(scores, dice):
    rows = [
        answer(i, unit=f"u{i % 7}", parsed=x / 4, correct=True, status="ok" if x else "timeout")
        for i, x in enumerate(scores)
    ]
    shuffled = random.Random(dice.random()).sample(rows, len(rows))
    first, second = (mean(r, lambda a: a.parsed) for r in (rows, shuffled))
    assert (first.worst, first.answers) == (second.worst, second.answers)
    assert (
        list(first.worst)
        == [
            a.id
            for a in sorted(rows, key=lambda a: (a.parsed or 0, a.id))
            if a.status != "ok" or a.parsed < 1
        ][:WORST]
    )


@given(st.lists(st.tuples(st.floats(-1, 1), st.text(max_size=3))))
def test_the_worst_few_are_the_first_of_all_sorted(entries):
    worst = Worst()
    for entry in entries:
        worst.add(entry)
    assert worst.ids == tuple(item for _, item in sorted(entries)[:WORST])


def test_answers_are_counted_by_status_and_account_for_every_item():
    rows = [*binary(3, 2), answer("x", status="refused"), answer("y", status="missing")]
    found = accuracy(rows)
    assert found.answers == {"missing": 1, "ok": 5, "refused": 1}
    assert sum(found.answers.values()) == found.items
    assert found.unscored == 1
