"""Rates, the mean of any score, and the census."""

import pickle

import pytest
from metric_rows import answer, binary

from evalgate import metrics as m
from evalgate.metrics.rates import ItemError

STATUSES = ["unparseable", "refused", "truncated", "timeout", "missing"]


def every_status():
    return [answer(0, parsed="A"), answer(1, parsed="B")] + [
        answer(i + 2, status=status) for i, status in enumerate(STATUSES)
    ]


@pytest.mark.parametrize("status", STATUSES)
def test_the_rate_of_a_status_counts_that_status(status):
    estimate = m.rate(every_status(), status)
    assert estimate.sample == m.Binary(k=1, n=7)
    assert estimate.value == 1 / 7


def test_failed_is_everything_but_ok_and_wrong_is_everything_but_right():
    assert m.rate(every_status(), "failed").sample.k == 5
    assert m.rate(every_status(), "wrong").sample.k == 6


def test_an_unknown_rate_is_an_error_with_the_nearest_name():
    with pytest.raises(
        ValueError, match=r"found 'refusal', expected one of .* Did you mean 'refused'"
    ):
        m.rate([], "refusal")
    with pytest.raises(ValueError, match=r"found 'xyz', expected one of [^?]*$"):
        m.rate([], "xyz")


def test_a_rate_can_count_what_a_function_finds_and_failed_answers_always_went_wrong():
    seen = []

    def invents(answer):
        seen.append(answer.id)
        return answer.parsed == "B"

    estimate = m.rate(every_status(), invents)
    assert estimate.metric == "rate[invents]"
    assert estimate.sample == m.Binary(k=6, n=7)
    assert estimate.lower_is_better
    assert seen == ["0", "1"]
    assert m.rate(every_status(), invents, name="invented").metric == "rate[invented]"


def test_a_rate_by_function_is_sliced_and_paired_as_others_are():
    rows = [answer(i, parsed="B" if i else "A", tags=("x",) if i < 2 else ()) for i in range(4)]

    def wrong(answer):
        return answer.parsed == "B"

    assert m.rate(rows, wrong, tag="x").sample == m.Binary(k=1, n=2)
    right = [answer(i, parsed="A", tags=row.tags) for i, row in enumerate(rows)]
    assert m.paired_difference(m.rate, rows, right, what=wrong).sample == m.PairedBinary(
        b=3, c=0, n=4
    )


@pytest.mark.parametrize("bad", [None, 1, 0.0, ["SECRET"], "SECRET", float("nan")])
def test_a_function_of_a_rate_must_return_a_bool(bad):
    with pytest.raises(ValueError, match=r"item 17: found \w+ from odd, expected True") as caught:
        m.rate([answer(17, parsed="A")], lambda _: bad, name="odd")
    assert "SECRET" not in str(caught.value)


def test_a_function_of_a_rate_that_fails_is_an_error_that_names_the_item_and_no_text():
    def broken(answer):
        raise RuntimeError(answer.text)

    with pytest.raises(ValueError, match="item 17: found RuntimeError in broken") as caught:
        m.rate([answer(17, parsed="A")], broken)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("metric", "score"), [(m.rate, lambda _: 1 / 0), (m.rate, lambda _: 1), (m.mean, lambda _: 2)]
)
def test_an_error_about_one_item_survives_the_way_from_a_worker(metric, score):
    with pytest.raises(ItemError) as caught:
        metric([answer(17, parsed="A")], score)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.item, str(copy)) == ("17", str(caught.value))


def test_a_rate_of_clustered_items_is_a_mean_of_units():
    rows = [answer(i, unit=str(i // 2), status="timeout" if i == 0 else "ok") for i in range(4)]
    assert m.rate(rows, "timeout").sample == m.UnitMean(x_counts=((0.0, 1), (0.5, 1)))


def test_mean_averages_units_and_is_named_after_its_score():
    def brevity(answer):
        return {"1": 0.2, "2": 0.4, "3": 1.0}[answer.id]

    rows = [answer(1, unit="u"), answer(2, unit="u"), answer(3, unit="v")]
    estimate = m.mean(rows, brevity)
    assert estimate.value == pytest.approx((0.3 + 1.0) / 2)
    assert estimate.metric == "mean[brevity]"
    assert m.mean(rows, brevity, name="short").metric == "mean[short]"


def test_a_score_of_a_single_item_unit_is_kept_exactly():
    rows = [answer(i) for i in range(3)]
    scores = {"0": 0.1, "1": 1 / 3, "2": 0.7}
    estimate = m.mean(rows, lambda a: scores[a.id])
    assert [x for x, _ in estimate.sample.x_counts] == sorted(scores.values())


def test_failing_answers_score_zero_and_are_not_shown_to_the_score():
    rows = [answer(1, parsed="A"), answer(2, status="refused")]
    seen = []

    def score(answer):
        seen.append(answer.id)
        return 1.0

    assert m.mean(rows, score).value == 0.5
    assert seen == ["1"]
    assert m.mean(rows, score, failed=True).value == 1.0
    assert seen == ["1", "1", "2"]


def test_scores_may_be_bools_ints_and_numpys_numbers():
    import numpy as np

    for one in (True, 1, 1.0, np.float32(1), np.bool_(True)):
        assert m.mean([answer(1)], lambda _, one=one: one).value == 1.0


@pytest.mark.parametrize(
    "bad", [float("nan"), 1.0000001, -0.1, float("inf"), None, "SECRET", "0.5", [1], 10**400]
)
def test_scores_that_are_no_number_in_range_are_an_error_naming_the_item(bad):
    with pytest.raises(ValueError, match="item 17: found a score of odd") as caught:
        m.mean([answer(17)], lambda _: bad, name="odd")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


def test_must_pass_is_a_census_of_the_tagged_items():
    tagged = [
        answer("a", parsed="A", tags=("must_pass", "spanish")),
        answer("c", parsed="B", tags=("must_pass",)),
        answer("b", status="missing", correct=True, tags=("must_pass",)),
    ]
    estimate = m.must_pass([*tagged, *binary(3, 3)])
    assert estimate.census
    assert not estimate.difference
    assert estimate.sample == m.Census(wrong=("b", "c"), n=3)
    assert estimate.value == 1 / 3
    assert estimate.tag == "must_pass"
    assert (estimate.items, estimate.units, estimate.unscored) == (3, 3, 1)
    assert estimate.coverage == m.fingerprint("abc")
    assert estimate.bounds(0.05, 0) == (None, None)
    assert estimate.insufficient == ""


def test_a_census_of_nothing_is_insufficient():
    estimate = m.must_pass(binary(3, 0))
    assert estimate.value is None
    assert estimate.insufficient == "found no items tagged 'must_pass'"
