"""Laws that hold for every metric, tried on rows that hypothesis makes up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_rows import answer, entity

from evalgate import metrics as m

DRAWS = 20_000
NOISE = 0.015  # more than four standard errors of the difference of two bounds at DRAWS draws

STATUS = st.sampled_from(["ok", "ok", "ok", "ok", "refused", "missing"])
TEXT = st.sampled_from(["gout", "Gout", "gouts", "asthma", "asthma x"])
ENTITIES = st.lists(st.builds(entity, st.sampled_from(["DX", "MED"]), TEXT), max_size=4)
UNIT = st.integers(0, 6).map(str)
UNIT_OR_NONE = st.one_of(st.none(), UNIT)


def _rows(expected, parsed):
    """Lists of answers with ids of their own; units are shared or not."""
    item = st.tuples(UNIT_OR_NONE, expected, parsed, STATUS)
    return st.lists(item, min_size=1, max_size=14).map(
        lambda items: [
            answer(i, unit=unit, expected=gold, parsed=guess, status=status)
            for i, (unit, gold, guess, status) in enumerate(items)
        ]
    )


CLASS_ROWS = _rows(st.sampled_from("AB"), st.sampled_from(["A", "B", "C", None]))
ENTITY_ROWS = _rows(ENTITIES, ENTITIES)


def score(a):
    """A score without a pattern, the same whenever the same answer is asked."""
    return int(a.id) * 0.618 % 1.0 if a.parsed is not None else 0.0


CLASS_METRICS = {
    "accuracy": m.accuracy,
    "class_recall": lambda rows: m.recall(rows, label="A"),
    "macro_f1": m.macro_f1,
    "mean": lambda rows: m.mean(rows, score),
    "failed": lambda rows: m.rate(rows, "failed"),
    "wrong": lambda rows: m.rate(rows, "wrong"),
}
ENTITY_METRICS = {
    f"{metric.__name__}-{match}-{average}": lambda rows, metric=metric, match=match, average=average: (
        metric(rows, match=match, average=average)
    )
    for metric in (m.recall, m.precision, m.f1)
    for match in ("exact", "relaxed")
    for average in ("unit", "micro")
}


@pytest.mark.parametrize("metric", CLASS_METRICS.values(), ids=CLASS_METRICS)
@given(rows=CLASS_ROWS, order=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_class_rows_changes_no_bit(metric, rows, order):
    shuffled = order.sample(rows, len(rows))
    assert metric(shuffled) == metric(rows)


@pytest.mark.parametrize("metric", ENTITY_METRICS.values(), ids=ENTITY_METRICS)
@given(rows=ENTITY_ROWS, order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_entity_rows_changes_no_bit(metric, rows, order):
    shuffled = order.sample(rows, len(rows))
    assert metric(shuffled) == metric(rows)


@given(rows=CLASS_ROWS, order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_changes_no_bit_of_a_bound(rows, order):
    shuffled = order.sample(rows, len(rows))
    for metric in (m.accuracy, CLASS_METRICS["mean"]):
        assert metric(shuffled).bounds(0.05, 4, DRAWS) == metric(rows).bounds(0.05, 4, DRAWS)


def low(estimate):
    """The lower end; 0 where there is no evidence."""
    end = estimate.bounds(0.05, 11, DRAWS)[0]
    return 0.0 if end is None else end


@given(
    rows=CLASS_ROWS,
    unit=UNIT_OR_NONE,
    gold=st.sampled_from("AB"),
    status=st.sampled_from(["ok", "timeout"]),
)
@settings(max_examples=40, deadline=None)
def test_a_wrong_item_more_never_raises_a_lower_end(rows, unit, gold, status):
    more = [*rows, answer(99, unit=unit, expected=gold, parsed="C", status=status)]
    assert low(m.accuracy(more)) <= low(m.accuracy(rows)) + NOISE
    assert low(m.recall(more, label="A")) <= low(m.recall(rows, label="A")) + NOISE
    zero = dict.fromkeys(["99"], 0.0)
    assert low(m.mean(more, lambda a: zero.get(a.id, score(a)))) <= low(m.mean(rows, score)) + NOISE
    if any(a.expected == gold for a in rows):
        assert m.macro_f1(more).value <= m.macro_f1(rows).value + 1e-12


@given(rows=CLASS_ROWS, unit=UNIT_OR_NONE)
@settings(max_examples=30, deadline=None)
def test_a_failure_more_never_lowers_the_upper_end_of_a_rate(rows, unit):
    more = [*rows, answer(99, unit=unit, status="refused")]
    high, before = (m.rate(r, "failed").bounds(0.05, 2, DRAWS)[1] for r in (more, rows))
    assert high >= before - NOISE


@given(
    rows=ENTITY_ROWS,
    unit=UNIT_OR_NONE,
    gold=ENTITIES,
    how=st.sampled_from(["silent", "false alarm", "failed"]),
)
@settings(max_examples=60, deadline=None)
def test_a_useless_item_more_never_raises_an_entity_metric(rows, unit, gold, how):
    useless = answer(
        99,
        unit=unit,
        expected=gold,
        parsed=[entity("DX", "nonsense")] if how == "false alarm" else [],
        status="timeout" if how == "failed" else "ok",
    )
    for metric in (m.recall, m.precision, m.f1):
        after, before = metric([*rows, useless]), metric(rows)
        if before.value is not None:
            assert after.value <= before.value + 1e-12
            assert low(after) <= low(before) + NOISE
        else:
            assert after.value in (None, 0.0)


@given(rows=ENTITY_ROWS)
@settings(max_examples=60, deadline=None)
def test_saying_a_thing_twice_never_helps(rows):
    twice = [
        answer(
            a.id,
            unit=a.unit,
            expected=a.expected,
            parsed=a.parsed and [*a.parsed, a.parsed[0]],
            status=a.status,
        )
        for a in rows
    ]
    # A gold entity that occurs twice may be found twice; where all are different, a copy gains nothing.
    names = [[(e.label, e.text.casefold()) for e in a.expected] for a in rows]
    if all(len(set(seen)) == len(seen) for seen in names):
        for match in ("exact", "relaxed"):
            assert m.recall(twice, match=match).value == m.recall(rows, match=match).value
            before = m.precision(rows, match=match).value
            assert before is None or m.precision(twice, match=match).value <= before


@given(rows=ENTITY_ROWS)
@settings(max_examples=60, deadline=None)
def test_failing_is_never_better_than_answering(rows):
    failed = [
        answer(
            a.id,
            unit=a.unit,
            expected=a.expected,
            status="timeout" if i == 0 else a.status,
            parsed=a.parsed,
        )
        for i, a in enumerate(rows)
    ]
    silent = [
        answer(
            a.id,
            unit=a.unit,
            expected=a.expected,
            parsed=[] if i == 0 else a.parsed,
            status="ok" if i == 0 else a.status,
        )
        for i, a in enumerate(rows)
    ]
    for metric in (m.recall, m.precision, m.f1):
        worse, better = metric(failed).value, metric(silent).value
        assert better is None or worse <= better


@given(rows=ENTITY_ROWS)
@settings(max_examples=60, deadline=None)
def test_relaxed_matching_finds_at_least_what_exact_matching_finds(rows):
    for metric in (m.recall, m.precision, m.f1):
        for average in ("unit", "micro"):
            exact = metric(rows, average=average).value
            relaxed = metric(rows, average=average, match="relaxed").value
            assert exact is None if relaxed is None else relaxed >= exact


@given(rows=ENTITY_ROWS, match=st.sampled_from(["exact", "relaxed"]))
@settings(max_examples=40, deadline=None)
def test_perfect_entities_score_one_and_failures_zero(rows, match):
    perfect = [answer(a.id, unit=a.unit, expected=a.expected, parsed=a.expected) for a in rows]
    failed = [answer(a.id, unit=a.unit, expected=a.expected, status="missing") for a in rows]
    for metric in (m.recall, m.precision, m.f1):
        for average in ("unit", "micro"):
            assert metric(perfect, match=match, average=average).value in (None, 1.0)
            assert metric(failed, match=match, average=average).value in (None, 0.0)


@given(rows=CLASS_ROWS)
@settings(max_examples=40, deadline=None)
def test_perfect_classes_score_one_and_failures_zero(rows):
    perfect = [answer(a.id, unit=a.unit, expected=a.expected, parsed=a.expected) for a in rows]
    failed = [answer(a.id, unit=a.unit, expected=a.expected, status="missing") for a in rows]
    for metric in (m.accuracy, CLASS_METRICS["class_recall"], m.macro_f1):
        assert metric(perfect).value in (None, 1.0)
        assert metric(failed).value in (None, 0.0)
    for name in ("failed", "wrong"):
        assert CLASS_METRICS[name](perfect).value == 0.0
        assert CLASS_METRICS[name](failed).value == 1.0


@given(rows=CLASS_ROWS, other=CLASS_ROWS)
@settings(max_examples=40, deadline=None)
def test_a_difference_changes_sign_with_its_sides_and_is_zero_with_itself(rows, other):
    second = [
        answer(a.id, unit=a.unit, expected=a.expected, parsed=b.parsed, status=b.status)
        for a, b in zip(rows, (other * len(rows))[: len(rows)], strict=True)
    ]
    for name in ("accuracy", "class_recall", "mean", "failed", "wrong"):
        metric = CLASS_METRICS[name]
        there = m.paired_difference(metric, rows, second).value
        back = m.paired_difference(metric, second, rows).value
        assert (there is None and back is None) or there == -back
        assert m.paired_difference(metric, rows, rows).value in (None, 0.0)


@given(rows=ENTITY_ROWS)
@settings(max_examples=40, deadline=None)
def test_a_difference_of_recall_is_the_difference_of_the_recalls(rows):
    worse = [answer(a.id, unit=a.unit, expected=a.expected, parsed=[]) for a in rows]
    difference = m.paired_difference(m.recall, rows, worse).value
    value = m.recall(rows).value
    assert difference is None if value is None else difference == pytest.approx(value)


@given(rows=CLASS_ROWS)
@settings(max_examples=30, deadline=None)
def test_bounds_enclose_the_value(rows):
    for name in ("accuracy", "class_recall", "mean", "failed"):
        estimate = CLASS_METRICS[name](rows)
        if estimate.value is not None:
            lower, upper = estimate.bounds(0.05, 5, DRAWS)
            assert 0 <= lower <= estimate.value <= upper <= 1
