"""Candidate against baseline."""

import pytest
from metric_rows import answer, binary, entities

from evalgate import metrics as m
from evalgate import stats


def flipped(rows, *ids):
    """The rows with the answers of `ids` turned right or wrong."""
    return [
        answer(a.id, unit=a.unit, parsed="B" if a.correct else "A", tags=a.tags)
        if int(a.id) in ids
        else a
        for a in rows
    ]


def test_single_item_units_that_are_right_or_wrong_are_compared_by_tango():
    baseline = binary(90, 10)
    candidate = flipped(baseline, 0, 1, 95, 96, 97)
    estimate = m.paired_difference(m.accuracy, candidate, baseline)
    assert estimate.sample == m.PairedBinary(b=3, c=2, n=100)
    assert estimate.value == pytest.approx(0.01)
    assert estimate.difference
    assert estimate.metric == "difference of accuracy"
    assert estimate.bounds(0.05, 0) == (
        stats.tango_lower(b=3, c=2, n=100, alpha=0.05),
        stats.tango_upper(b=3, c=2, n=100, alpha=0.05),
    )


def test_class_recall_and_rates_are_compared_by_tango_too():
    baseline = binary(55, 5)
    candidate = flipped(baseline, 0, 58)
    recall = m.paired_difference(m.recall, candidate, baseline, label="A")
    assert recall.sample == m.PairedBinary(b=1, c=1, n=60)
    wrong = m.paired_difference(m.rate, candidate, baseline, what="wrong")
    assert wrong.sample == m.PairedBinary(b=1, c=1, n=60)


def test_an_error_rate_that_rises_is_a_positive_difference():
    baseline = binary(60, 0)
    candidate = [answer(a.id, unit=a.unit, status="timeout") for a in baseline[:6]] + baseline[6:]
    assert m.paired_difference(m.rate, candidate, baseline, what="failed").value == 0.1


def test_clustered_or_continuous_scores_are_compared_unit_by_unit():
    def clustered(guess):
        return [answer(i, unit=str(i // 2), parsed=guess if i == 0 else "A") for i in range(120)]

    estimate = m.paired_difference(m.accuracy, clustered("B"), clustered("A"))
    assert estimate.sample == m.Difference(x_counts=((-0.5, 1), (0.0, 59)))
    assert estimate.value == pytest.approx(-0.5 / 60)
    low, high = estimate.bounds(0.05, 0, draws=2000)
    assert -1 < low < estimate.value < high < 1
    scores = [0.0] * 59 + [-0.5]
    assert low == stats.worst_atom_lower(x=scores, alpha=0.05, lo=-1, hi=1, draws=2000, seed=0)


def test_pairs_meet_by_id_whatever_the_order():
    baseline = binary(50, 10)
    candidate = flipped(baseline, 3, 55)
    assert m.paired_difference(m.accuracy, candidate[::-1], baseline) == m.paired_difference(
        m.accuracy, candidate, baseline
    )


def test_keywords_reach_the_metric():
    gold = entities("gout asthma")
    baseline = [answer(i, expected=gold, parsed=entities("gout"), tags=("es",)) for i in range(3)]
    candidate = [
        answer(i, expected=gold, parsed=entities("GOUT Asthma"), tags=("es",)) for i in range(3)
    ]
    relaxed = m.paired_difference(m.recall, candidate, baseline, match="relaxed", tag="es")
    assert relaxed.value == 0.5
    assert relaxed.tag == "es"
    assert m.paired_difference(m.recall, candidate, baseline).value == -0.5


def test_a_metric_of_ones_own_is_paired_as_it_is():
    def helpfulness(rows, tag=None):
        return m.mean(rows, lambda a: 0.75 if a.correct else 0.25, name="helpfulness", tag=tag)

    baseline = binary(50, 10)
    estimate = m.paired_difference(helpfulness, flipped(baseline, 59), baseline)
    assert estimate.value == pytest.approx(0.5 / 60)
    assert estimate.metric == "difference of mean[helpfulness]"


def test_an_item_missing_on_either_side_is_an_error_never_an_intersection():
    rows = binary(55, 5)
    with pytest.raises(ValueError, match="found 59 items of the candidate and 60 of the baseline"):
        m.paired_difference(m.accuracy, rows[1:], rows)
    with pytest.raises(
        ValueError, match=r"\(1 units only of the candidate, 0 only of the baseline"
    ):
        m.paired_difference(m.accuracy, rows, rows[1:])


def test_items_in_other_units_or_under_other_ids_are_an_error():
    rows = [answer(i, unit=str(i // 2), parsed="A") for i in range(120)]
    moved = [answer(0, unit="1", parsed="A"), *rows[1:]]
    with pytest.raises(ValueError, match="2 with other items"):
        m.paired_difference(m.accuracy, moved, rows)
    renamed = [answer("x", unit="0", parsed="A"), *rows[1:]]
    with pytest.raises(ValueError, match="1 with other items"):
        m.paired_difference(m.accuracy, rows, renamed)
    doubled = [*rows, rows[0]]
    with pytest.raises(ValueError, match="1 with other items"):
        m.paired_difference(m.accuracy, doubled, rows)


def test_tags_that_differ_between_the_sides_are_an_error():
    tagged = binary(60, 0, tags=("es",))
    with pytest.raises(ValueError, match="60 units only of the candidate"):
        m.paired_difference(m.accuracy, tagged, binary(60, 0), tag="es")


def test_gold_that_changed_between_the_sides_is_an_error():
    old = [answer(i, expected=entities("a b"), parsed=entities("a")) for i in range(60)]
    new = [answer(0, expected=entities("a"), parsed=entities("a")), *old[1:]]
    with pytest.raises(ValueError, match="found 1 units whose gold answers differ"):
        m.paired_difference(m.recall, new, old)


def test_silence_where_nothing_was_to_be_found_beats_a_false_alarm():
    gold = [answer(i, expected=entities("a"), parsed=entities("a")) for i in range(60)]
    silent = [*gold, answer("x", expected=[], parsed=[])]
    alarmed = [*gold, answer("x", expected=[], parsed=entities("a"))]
    for metric in (m.precision, m.f1):
        assert m.paired_difference(metric, silent, alarmed).value == pytest.approx(1 / 61)
        assert m.paired_difference(metric, alarmed, silent).value == pytest.approx(-1 / 61)
        assert m.paired_difference(metric, silent, silent).units == 60


def test_two_models_that_get_nothing_right_prove_nothing():
    nothing = binary(0, 60)
    assert "worst score" in m.paired_difference(m.accuracy, nothing, nothing).insufficient
    assert (
        "worst score"
        in m.paired_difference(m.mean, nothing, nothing, score=lambda _: 0).insufficient
    )
    assert "worst score" in m.paired_difference(m.rate, nothing, nothing, what="wrong").insufficient
    assert m.paired_difference(m.rate, nothing, nothing, what="failed").insufficient == ""
    assert m.paired_difference(m.accuracy, flipped(nothing, 3), nothing).insufficient == ""


def test_without_a_baseline_nothing_is_compared_but_all_is_accounted_for():
    rows = binary(50, 10)
    estimate = m.paired_difference(m.accuracy, rows, m.FirstRelease())
    assert estimate.value is None
    assert estimate.sample == m.FirstRelease()
    assert estimate.difference
    assert estimate.items == 60
    assert estimate.coverage == m.fingerprint(a.id for a in rows)
    assert estimate.bounds(0.05, 0) == estimate.sample.bounds(0.05, 0) == (None, None)
    assert estimate.insufficient == ""


def test_any_object_may_say_that_it_is_the_first_release():
    class NoBaseline:
        first_release = True

    estimate = m.paired_difference(m.recall, binary(5, 0), NoBaseline(), label="A")
    assert estimate.sample == m.FirstRelease()


@pytest.mark.parametrize("baseline", [binary(60, 0), m.FirstRelease()])
@pytest.mark.parametrize(
    ("metric", "kwargs"),
    [
        (m.macro_f1, {}),
        (m.must_pass, {}),
        (lambda rows: sum(a.correct for a in rows), {}),
        (lambda rows: 0.5, {}),
        (lambda rows: m.accuracy(binary(60, 0)), {}),
    ],
)
def test_what_has_no_unit_means_cannot_be_paired(metric, kwargs, baseline):
    with pytest.raises(TypeError, match="expected a metric of unit means"):
        m.paired_difference(metric, binary(60, 0), baseline, **kwargs)


def test_micro_averages_cannot_be_paired():
    rows = [answer(i, expected=entities("a"), parsed=entities("a")) for i in range(60)]
    for metric in (m.recall, m.precision, m.f1):
        with pytest.raises(TypeError, match="micro"):
            m.paired_difference(metric, rows, rows, average="micro")


def test_a_pair_of_collections_shows_nothing_of_them():
    seen = []

    def curious(pair):
        seen.append(repr(pair))
        return m.accuracy(pair)

    m.paired_difference(curious, binary(60, 0), binary(60, 0))
    assert seen == ["<Pair>"]
