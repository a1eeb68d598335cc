"""Accuracy, class recall and macro-F1."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_rows import answer, binary, entities
from sklearn.metrics import f1_score

from evalgate import metrics as m
from evalgate import stats

CLASSES = st.sampled_from(["A", "B", "C"])
PAIRS = st.lists(
    st.tuples(CLASSES, st.sampled_from(["A", "B", "C", "D", None])), min_size=1, max_size=40
)


def rows_of(pairs):
    return [answer(i, expected=gold, parsed=guess) for i, (gold, guess) in enumerate(pairs)]


def test_accuracy_counts_what_the_suite_calls_correct():
    rows = [answer(1, parsed="a", correct=True), answer(2, parsed="A", correct=False)]
    estimate = m.accuracy(rows)
    assert estimate.value == 0.5
    assert estimate.sample == m.Binary(k=1, n=2)


def test_a_failed_answer_is_wrong_even_if_it_is_called_correct():
    rows = [answer(1, status="timeout", correct=True)]
    assert m.accuracy(rows).value == 0.0
    assert m.rate(rows, "wrong").value == 1.0


@pytest.mark.parametrize("correct", [float("nan"), 1, 0.7, "yes"])
def test_a_correct_that_is_no_bool_is_an_error(correct):
    with pytest.raises(ValueError, match="item 1: found correct of type"):
        m.accuracy([answer(1, correct=correct)])


def test_several_items_in_a_unit_make_it_a_mean_of_units():
    rows = [answer(1, unit="u", parsed="A"), answer(2, unit="u"), answer(3, unit="v", parsed="A")]
    estimate = m.accuracy(rows)
    assert estimate.value == 0.75
    assert estimate.sample == m.UnitMean(x_counts=((0.5, 1), (1.0, 1)))
    assert (estimate.units, estimate.items) == (2, 3)


def test_recall_of_a_class_counts_its_gold_items_only_and_accounts_for_all():
    rows = rows_of([("A", "A"), ("A", "B"), ("B", "A"), ("A", None)])
    estimate = m.recall(rows, label="A")
    assert estimate == m.class_recall(rows, label="A")
    assert estimate.value == 1 / 3
    assert estimate.sample == m.Binary(k=1, n=3)
    assert (estimate.units, estimate.items) == (3, 4)


def test_recall_of_a_class_needs_fifty_units_of_it():
    rows = rows_of([("A", "A")] * 50 + [("B", "B")] * 49)
    assert m.recall(rows, label="A").insufficient == ""
    assert "found 49 units" in m.recall(rows, label="B").insufficient
    assert m.recall(rows, label="C").insufficient == "found no item of class 'C' in 99 items"


def test_recall_of_classes_asks_for_a_label_and_refuses_entity_arguments():
    with pytest.raises(ValueError, match="no label"):
        m.recall(binary(1, 0))
    for kwargs in ({"match": "relaxed"}, {"average": "micro"}, {"unit_weight_max": 3}):
        with pytest.raises(ValueError, match="entity arguments"):
            m.recall(binary(1, 0), label="A", **kwargs)


def test_mixed_kinds_of_gold_are_an_error_whichever_comes_first():
    mixed = [answer(1, parsed="A"), answer(2, expected=entities("gout"), parsed=[])]
    with pytest.raises(ValueError, match="item 2: found a gold answer of type list"):
        m.recall(mixed, label="A")
    with pytest.raises(ValueError, match="item 1: expected: found str"):
        m.recall(mixed[::-1])
    with pytest.raises(ValueError, match="item 1: expected: found str"):
        m.precision(mixed)
    with pytest.raises(ValueError, match="item 2: found a gold answer of type list"):
        m.macro_f1(mixed)


@given(PAIRS)
@settings(max_examples=150, deadline=None)
def test_macro_f1_equals_scikit_learns_over_the_gold_classes(pairs):
    y = [gold for gold, _ in pairs]
    yhat = [guess or "none" for _, guess in pairs]
    expected = f1_score(y, yhat, average="macro", labels=sorted(set(y)), zero_division=0)
    assert m.macro_f1(rows_of(pairs)).value == pytest.approx(expected)


@given(PAIRS)
@settings(max_examples=50, deadline=None)
def test_a_declared_class_that_never_occurs_counts_zero_and_is_insufficient(pairs):
    estimate = m.macro_f1(rows_of(pairs), classes=["A", "B", "C", "Z"])
    y = [gold for gold, _ in pairs]
    yhat = [guess or "none" for _, guess in pairs]
    labels = ["A", "B", "C", "Z"]
    expected = f1_score(y, yhat, average="macro", labels=labels, zero_division=0)
    assert estimate.value == pytest.approx(expected)
    assert "0 units of class 'Z'" in estimate.insufficient


def test_a_gold_class_that_was_not_declared_is_an_error():
    with pytest.raises(
        ValueError, match=r"item 0: found a gold class that is not declared.*1 are given"
    ):
        m.macro_f1(binary(1, 0), classes=["B"])


def test_macro_f1_needs_fifty_units_in_each_class():
    enough = rows_of([("A", "A")] * 50 + [("B", "B")] * 50)
    assert m.macro_f1(enough).insufficient == ""
    few = rows_of([("A", "A")] * 50 + [("B", "B")] * 49)
    assert m.macro_f1(few, classes=["A", "B"]).insufficient == (
        "found 49 units of class 'B', expected at least 50 units of each class"
    )
    one_member = [answer(i, unit="u", parsed="A") for i in range(80)]
    assert "units with several items" in m.macro_f1(one_member, classes="A").insufficient


def test_classes_that_the_suite_did_not_declare_are_not_named():
    rows = rows_of([("A", "A")] * 50 + [("SECRET TEXT", None)] * 3 + [("SECRET TOO", None)] * 4)
    assert m.macro_f1(rows).insufficient == (
        "found 2 of 3 classes with too few units (the smallest has 3), expected at least 50 units of each class"
    )


def test_macro_f1_hands_units_to_the_bound_only_where_they_cluster():
    assert m.macro_f1(rows_of([("A", "A"), ("B", "D")])).sample == m.MacroF1(
        y=("A", "B"), yhat=("A", None), units=None, classes=("A", "B")
    )
    rows = [
        answer(1, unit="z", expected="B", parsed="A"),
        answer(2, unit="a", expected="A", parsed="A"),
        answer(3, unit="z", expected="A", parsed=None),
    ]
    assert m.macro_f1(rows).sample == m.MacroF1(
        y=("A", "B", "A"), yhat=(None, "A", "A"), units=(0, 0, 1), classes=("A", "B")
    )


def test_a_prediction_that_is_no_string_or_came_with_a_failure_is_of_no_class():
    rows = [
        answer(1, parsed=["A"]),
        answer(2, parsed={"class": "A"}),
        answer(3, status="refused"),
        answer(4, parsed="A"),
    ]
    assert m.macro_f1(rows).sample.yhat == (None, None, None, "A")
    assert m.recall(rows, label="A").sample == m.Binary(k=1, n=4)


def test_the_empty_string_is_a_class_like_any_other():
    rows = [answer(i, expected="", parsed="") for i in range(3)]
    assert m.macro_f1(rows).value == 1.0
    assert m.recall(rows, label="").value == 1.0


def test_the_value_is_the_one_the_statistics_compute():
    pairs = [("A", "A"), ("A", "B"), ("B", "B"), ("B", "A"), ("C", "C")] * 3
    y, yhat = zip(*pairs, strict=True)
    expected = stats.macro_f1(y=list(y), yhat=list(yhat))
    assert m.macro_f1(rows_of(pairs)).value == pytest.approx(expected, abs=1e-12)


def test_what_was_parsed_from_a_failed_answer_does_not_count():
    rows = [
        msgspec.structs.replace(answer(i, parsed="A"), status="truncated", correct=True)
        for i in range(60)
    ]
    assert m.accuracy(rows).value == 0.0
    assert m.recall(rows, label="A").value == 0.0
    assert m.macro_f1(rows).value == 0.0
    gold = entities("gout")
    row = msgspec.structs.replace(answer(1, expected=gold, parsed=gold), status="truncated")
    assert m.recall([row]).value == m.precision([row]).value == m.f1([row]).value == 0.0
