from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from evalgate import stats

A = [1, 2, 3, 4, 5, 3, 4, 2, 5, 4, 3, 1, 1, 5]
B = [1, 2, 4, 4, 5, 2, 4, 3, 5, 5, 3, 2, 1, 4]
N = None
RATINGS = [
    [1, 2, 3, 4, 5, 3, 4, 2, 5, 4, 3, 1],
    [1, 2, 4, 4, 5, 2, 4, 3, 5, 5, 3, 2],
    [1, 2, 3, N, 5, 3, 4, 2, 5, 4, N, 1],
    [N, N, 1.5, N, N, 2.5, N, N, N, 4.5, N, N],
]


def test_kappas_agree_with_scikit_learn():
    assert stats.cohen_kappa(a=A, b=B) == pytest.approx(cohen_kappa_score(A, B), abs=1e-14)
    for weights in ("linear", "quadratic"):
        expected = cohen_kappa_score(A, B, weights=weights)
        assert stats.weighted_kappa(a=A, b=B, weights=weights) == pytest.approx(expected, abs=1e-14)


def test_a_declared_scale_counts_steps_nobody_used():
    a, b = [1, 1, 5, 5, 5], [1, 5, 5, 5, 1]
    a3, b3 = [1, 1, 5, 5, 3], [1, 5, 5, 5, 1]
    assert stats.weighted_kappa(a, b, "linear") == stats.weighted_kappa(
        a, b, "linear", scale=[1, 2, 3, 4, 5]
    )
    expected = cohen_kappa_score(a3, b3, weights="quadratic", labels=[1, 2, 3, 5])
    assert stats.weighted_kappa(a3, b3, scale=[1, 2, 3, 5]) == pytest.approx(expected, abs=1e-14)
    with pytest.raises(ValueError, match="found the rating 5"):
        stats.weighted_kappa(a, b, scale=[1, 2, 3])


# krippendorff.alpha 0.9.0 (not a dependency) on RATINGS with NaN for None
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("nominal", 0.5539823008849558),
        ("ordinal", 0.8810797568759352),
        ("interval", 0.8829680273476775),
        ("ratio", 0.8305862630943377),
    ],
)
def test_krippendorff_agrees_with_the_published_package(level, expected):
    assert stats.krippendorff_alpha(ratings=RATINGS, level=level) == pytest.approx(
        expected, abs=1e-12
    )


def test_krippendorff_of_a_worked_example_by_hand():
    # two raters, items (a,a) (a,a) (b,b) (a,b): o_ab = 1 of 8 values each way, n_a = 5, n_b = 3;
    # alpha = 1 - 7 * 2 / (2 * 15) = 1 - 14/30
    assert stats.krippendorff_alpha([["a", "a", "b", "a"], ["a", "a", "b", "b"]]) == pytest.approx(
        16 / 30
    )


def test_krippendorff_takes_arrays_and_does_not_mind_items_rated_once():
    a, b = np.array([1, 2, 3, 4]), np.array([1, 2, 4, 4])
    expected = stats.krippendorff_alpha([a.tolist(), b.tolist()], "interval")
    assert stats.krippendorff_alpha(np.array([a, b]), "interval") == expected
    assert stats.krippendorff_alpha([[1, 2, 3, 4, 5], [1, 2, 4, 4, N]], "interval") == expected


def test_ac1_of_a_worked_example_by_hand():
    # 2 raters, 10 items: 7 both yes, 1 both no, 2 split: p_o = 0.8, share of yes = 0.8, p_e = 2 * 0.8 * 0.2 = 0.32
    a, b = [1] * 7 + [0] + [1, 0], [1] * 7 + [0] + [0, 1]
    assert stats.gwet_ac1(a=a, b=b) == pytest.approx((0.8 - 0.32) / 0.68)
    # 3 categories, 4 items: 3 agree; shares 0.5, 0.375, 0.125
    a, b = ["x", "x", "y", "y"], ["x", "x", "y", "z"]
    chance = (0.25 + 0.375 * 0.625 + 0.125 * 0.875) / 2
    assert stats.gwet_ac1(a, b) == pytest.approx((0.75 - chance) / (1 - chance))


def test_where_everyone_always_says_the_same_kappa_is_undefined_and_ac1_is_one():
    assert math.isnan(stats.cohen_kappa([1, 1], [1, 1]))
    assert math.isnan(stats.weighted_kappa([1, 1], [1, 1]))
    assert math.isnan(stats.krippendorff_alpha([[1, 1], [1, 1]], "ordinal"))
    assert stats.gwet_ac1([1, 1], [1, 1]) == 1.0


@pytest.mark.parametrize(
    ("y", "yhat"),
    [
        ([1, 1, 0, 1, 0], [1, 0, 0, 1, 1]),
        (["a", "b", "c", "a"], ["a", "a", "c", "d"]),
        ([3, 3], [1, 2]),
    ],
)
def test_macro_f1_agrees_with_scikit_learn(y, yhat):
    expected = f1_score(y, yhat, average="macro", zero_division=0)
    assert stats.macro_f1(y=y, yhat=yhat) == pytest.approx(expected, abs=1e-14)
    assert stats.macro_f1(np.array(y), np.array(yhat)) == pytest.approx(expected, abs=1e-14)


def test_macro_f1_over_declared_classes_agrees_with_scikit_learn():
    y, yhat, classes = ["a", "b", "c", "a"], ["a", "a", "c", "d"], ["a", "b", "c", "e"]
    expected = f1_score(y, yhat, average="macro", labels=classes, zero_division=0)
    assert stats.macro_f1(y, yhat, classes=classes) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: stats.cohen_kappa([], []), "0 items"),
        (lambda: stats.cohen_kappa([1], [1, 2]), "a has 1, b has 2"),
        (lambda: stats.cohen_kappa([1, None], [1, 2]), "None"),
        (lambda: stats.gwet_ac1([1, math.nan], [1, 2]), "nan"),
        (lambda: stats.weighted_kappa([1], [1], "cubic"), "cubic"),
        (lambda: stats.macro_f1([], []), "0 items"),
        (lambda: stats.macro_f1([1], [None]), "None"),
        (lambda: stats.krippendorff_alpha([[1, N], [N, 2]]), "no item"),
        (lambda: stats.krippendorff_alpha([]), "no item"),
        (lambda: stats.krippendorff_alpha([["a", "b"], ["a", "b"]], "ordinal"), "'a'"),
        (lambda: stats.krippendorff_alpha([[1, 2], [1]]), "rater 1 has 1"),
        (lambda: stats.krippendorff_alpha([[1], [1]], "cardinal"), "cardinal"),
    ],
)
def test_ratings_that_are_no_data_are_refused(call, found):
    with pytest.raises(ValueError, match=found):
        call()


def test_nan_is_a_missing_rating_as_none_is():
    given = [[1, 2, 3, math.nan], [1, 2, 2, 4], [1, None, 3, 4]]
    missing = [[None if v != v else v for v in row] for row in given]
    assert stats.krippendorff_alpha(given, "ordinal") == stats.krippendorff_alpha(
        missing, "ordinal"
    )


def test_weighted_kappa_without_weights_is_plain_kappa():
    a, b = [1, 2, 3, 1, 2], [1, 2, 2, 1, 3]
    assert stats.weighted_kappa(a, b, weights=None) == pytest.approx(stats.cohen_kappa(a, b))
