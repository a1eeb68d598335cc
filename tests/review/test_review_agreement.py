"""Agreement between raters: counts that can be checked by hand, coefficients that others compute too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_rows import Files

from evalgate.judge.review_agreement import agreement
from evalgate.stats import cp_lower, cp_upper, krippendorff_alpha


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("agreement"), 60)


def labels(files, rater, answers, criterion="invented-fact", **changes):
    return [
        files.label(i, criterion, rater=rater, answer=answer, **changes)
        for i, answer in enumerate(answers)
        if answer
    ]


def of(found, criterion="invented-fact"):
    return next(c for c in found.criteria if c.criterion == criterion)


def test_the_plain_sentence_counts_what_both_have_read(files):
    a = labels(files, "A", ["met"] * 30 + ["not_met"] * 30)
    b = labels(files, "B", ["met"] * 26 + ["not_met"] * 34)
    found = agreement(files.rubric, [*a, *b])
    (pair,) = of(found).pairs
    assert pair.sentence == "B agreed with A on 56 of 60"
    assert (pair.low, pair.high) == (cp_lower(56, 60, 0.025), cp_upper(56, 60, 0.025))
    assert found.together() == [("A", "B", 56, 60)]


def test_kappa_stands_beside_ac1(files):
    """The case for which kappa alone would mislead: 95 % agreement at 96 % prevalence."""
    from sklearn.metrics import cohen_kappa_score

    one = ["not_met"] * 57 + ["met", "not_met", "met"]
    two = ["not_met"] * 57 + ["not_met", "met", "not_met"]
    found = agreement(files.rubric, [*labels(files, "A", one), *labels(files, "B", two)])
    (pair,) = of(found).pairs
    assert pair.kappa == pytest.approx(cohen_kappa_score(one, two))
    assert pair.kappa < 0 < 0.9 < pair.ac1


def test_where_all_answers_are_one_kappa_is_undefined_and_ac1_is_not(files):
    same = ["not_met"] * 10
    (pair,) = of(
        agreement(files.rubric, [*labels(files, "A", same), *labels(files, "B", same)])
    ).pairs
    assert pair.kappa is None
    assert pair.ac1 == 1.0


def test_alpha_comes_with_the_third_rater_ordinal_on_a_scale(files):
    answers = {"A": list("12345"), "B": list("12344"), "C": [*"1234", "cannot_tell"]}
    two = [x for r in "AB" for x in labels(files, r, answers[r], "plain")]
    assert of(agreement(files.rubric, two), "plain").alpha is None
    three = two + labels(files, "C", answers["C"], "plain")
    table = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 4], [1, 2, 3, 4, None]]
    found = of(agreement(files.rubric, three), "plain")
    assert found.alpha == pytest.approx(krippendorff_alpha(table, "ordinal"))
    assert found.raters == 3


def test_a_rater_is_held_against_themselves_on_repeats_alone(files):
    first = labels(files, "A", ["met", "not_met", "met"])
    again = labels(files, "A", ["met", "met"], repeat=True)
    found = of(agreement(files.rubric, first + again))
    assert found.pairs == ()
    (own,) = found.repeats
    assert own.sentence == "A gave the same answer again on 1 of 2"


def test_repeats_and_settled_disputes_are_no_second_opinion(files):
    a = labels(files, "A", ["met"])
    settled = labels(files, "C", ["met"], adjudicates=True)
    again = labels(files, "B", ["met"], repeat=True)
    found = agreement(files.rubric, a + settled + again)
    assert of(found).pairs == ()
    assert found.labels == 2


def test_labels_about_different_outputs_are_not_compared(files):
    other = "sha256:" + "5" * 64
    found = agreement(
        files.rubric, [*labels(files, "A", ["met"]), *labels(files, "B", ["met"], output=other)]
    )
    assert of(found).pairs == ()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(*[st.sampled_from(["met", "not_met", "cannot_tell", ""])] * 3), max_size=12),
    st.randoms(),
)
def test_the_order_of_labels_changes_nothing(files, rows, shuffle):
    every = [x for n, r in enumerate("ABC") for x in labels(files, r, [row[n] for row in rows])]
    mixed = list(every)
    shuffle.shuffle(mixed)
    assert agreement(files.rubric, mixed) == agreement(files.rubric, every)
    for pair in of(agreement(files.rubric, every)).pairs:
        assert 0 <= pair.low <= pair.agreed / pair.n <= pair.high <= 1
