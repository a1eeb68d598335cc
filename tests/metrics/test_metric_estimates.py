"""Estimates and their samples."""

import subprocess
import sys

import pytest
from metric_rows import answer, binary, entities

from evalgate import metrics as m
from evalgate import stats


def test_importing_metrics_and_scoring_loads_neither_numpy_nor_rapidfuzz():
    code = (
        "import sys, evalgate.metrics as m\n"
        "from evalgate.records import Answer\n"
        "a = Answer(id='1', unit='u', tags=(), input='', expected='A', text='', parsed='A', status='ok', correct=True)\n"
        "m.accuracy([a]); m.macro_f1([a])\n"
        "heavy = {'numpy', 'scipy', 'rapidfuzz'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_text_and_no_list_of_ids_shows_in_any_repr():
    rows = binary(3, 1)
    entity_rows = [answer(1, expected=entities("asthma gout"), parsed=entities("gout"))]
    estimates = [
        m.accuracy(rows),
        m.macro_f1(rows),
        m.mean(rows, lambda _: 0.5),
        m.recall(entity_rows),
        m.recall(entity_rows, average="micro", unit_weight_max=5),
        m.must_pass([answer(7, correct=False, tags=("must_pass",))]),
        m.paired_difference(m.accuracy, rows, rows),
        m.paired_difference(m.recall, entity_rows, entity_rows),
        m.paired_difference(m.accuracy, rows, m.FirstRelease()),
    ]
    for estimate in estimates:
        shown = repr(estimate) + repr(estimate.sample)
        assert "SECRET" not in shown
        assert "asthma" not in shown
        assert "unit-" not in shown
        assert len(shown) < 200


def test_binary_bounds_are_clopper_pearson_at_both_ends():
    estimate = m.accuracy(binary(97, 3))
    assert estimate.bounds(0.05, 1) == (
        stats.cp_lower(k=97, n=100, alpha=0.05),
        stats.cp_upper(k=97, n=100, alpha=0.05),
    )
    assert estimate.value == 0.97
    assert estimate.method == "Clopper-Pearson"
    assert not estimate.difference
    assert not estimate.census


def test_unit_mean_bounds_are_the_worst_atom_bounds_of_the_unit_scores():
    rows = [answer(i, unit=str(i // 2), parsed="A" if i % 4 else "B") for i in range(120)]
    estimate = m.accuracy(rows)
    scores = [0.5, 1.0] * 30
    assert estimate.bounds(0.05, 3, draws=5000) == (
        stats.worst_atom_lower(x=scores, alpha=0.05, lo=0, hi=1, draws=5000, seed=3),
        stats.worst_atom_upper(x=scores, alpha=0.05, lo=0, hi=1, draws=5000, seed=3),
    )
    assert estimate.value == 0.75
    assert estimate.method == "worst-atom mean over units"


def test_the_unit_mean_of_binary_scores_agrees_with_clopper_pearson():
    exact = m.accuracy(binary(57, 3)).bounds(0.05, 0)
    worst_atom = m.mean(binary(57, 3), lambda a: a.correct).bounds(0.05, 0)
    assert worst_atom == pytest.approx(exact, abs=2e-3)


def test_ratio_bounds_need_a_declared_largest_unit():
    rows = [
        answer(i, expected=entities("a b c"), parsed=entities("a b" if i % 5 else "a b c"))
        for i in range(60)
    ]
    open_ended = m.recall(rows, average="micro")
    assert open_ended.bounds(0.05, 0) == (None, None)
    assert "unit_weight_max" in open_ended.insufficient
    declared = m.recall(rows, average="micro", unit_weight_max=6)
    low, high = declared.bounds(0.05, 0, draws=5000)
    assert declared.insufficient == ""
    assert low < declared.value < high
    tighter, _ = m.recall(rows, average="micro", unit_weight_max=3).bounds(0.05, 0, draws=5000)
    assert low < tighter


def test_macro_f1_bounds_enclose_the_value_and_fall_with_alpha():
    rows = [
        answer(i, expected="ABC"[i % 3], parsed="ABC"[(i + (i % 10 == 0)) % 3]) for i in range(180)
    ]
    estimate = m.macro_f1(rows)
    low, high = estimate.bounds(0.05, 0, draws=2000)
    assert low < estimate.value < high
    assert estimate.bounds(0.005, 0, draws=2000)[0] < low


def test_the_same_seed_gives_the_same_bits():
    estimate = m.mean(binary(30, 30), lambda a: 0.3 if a.correct else 0.9)
    assert estimate.bounds(0.05, 9, draws=2000) == estimate.bounds(0.05, 9, draws=2000)
    assert estimate.bounds(0.05, 9, draws=2000) != estimate.bounds(0.05, 8, draws=2000)


@pytest.mark.parametrize(
    "estimate",
    [
        m.accuracy([]),
        m.recall([]),
        m.recall([], average="micro", unit_weight_max=3),
        m.precision([]),
        m.f1([]),
        m.macro_f1([]),
        m.class_recall([], label="A"),
        m.mean([], lambda _: 1.0),
        m.rate([], "failed"),
        m.must_pass([]),
        m.paired_difference(m.accuracy, [], []),
        m.paired_difference(m.recall, [], []),
    ],
    ids=lambda e: e.metric,
)
def test_nothing_is_insufficient_and_has_no_value_and_no_bounds(estimate):
    assert estimate.value is None
    assert estimate.bounds(0.05, 0) == (None, None)
    assert estimate.insufficient
    assert (estimate.units, estimate.items, estimate.coverage) == (0, 0, 0)


def test_fingerprints_do_not_depend_on_order_and_change_with_any_id():
    ids = [f"ce-{i:04d}" for i in range(200)]
    whole = m.fingerprint(ids)
    assert whole == m.fingerprint(reversed(ids))
    assert 0 <= whole < 2**64
    assert m.fingerprint([]) == 0
    assert whole != m.fingerprint(ids[1:])
    assert whole != m.fingerprint([*ids[1:], ids[1]])
    assert m.fingerprint(["ce-0001"]) == m.fingerprint(iter(["ce-0001"]))


def test_a_fingerprint_is_the_same_in_another_process():
    code = "from evalgate.metrics import fingerprint; print(fingerprint(['ce-0001', 'ce-0002']))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{m.fingerprint(['ce-0002', 'ce-0001'])}\n"}


@pytest.mark.parametrize(
    "metric",
    [
        m.accuracy,
        lambda rows, **k: m.recall(rows, label="A", **k),
        m.macro_f1,
        lambda rows, **k: m.rate(rows, "missing", **k),
        lambda rows, **k: m.mean(rows, lambda _: 1.0, **k),
        lambda rows, **k: m.paired_difference(m.accuracy, rows, rows, **k),
    ],
)
def test_every_metric_accounts_for_every_item_of_its_tag(metric):
    rows = [
        answer(
            i,
            expected="AB"[i % 2],
            parsed="A",
            status="missing" if i % 10 == 0 else "ok",
            tags=("spanish",) if i % 3 == 0 else (),
        )
        for i in range(60)
    ]
    everything = metric(rows)
    assert everything.items == 60
    assert everything.unscored == 6
    assert everything.tag is None
    assert everything.coverage == m.fingerprint(a.id for a in rows)
    spanish = metric(rows, tag="spanish")
    assert spanish.items == 20
    assert spanish.unscored == 2
    assert spanish.tag == "spanish"
    assert spanish.coverage == m.fingerprint(a.id for a in rows if "spanish" in a.tags)
    assert metric(rows, tag="french").insufficient == "found no items tagged 'french'"


def test_a_tag_must_match_whole():
    assert m.accuracy([answer(1, tags=("must_pass",))], tag="pass").items == 0


def test_clustered_metrics_need_fifty_units():
    def rows(units):
        return [answer(i, unit=str(i // 2), parsed="A") for i in range(2 * units)]

    assert m.accuracy(rows(50)).insufficient == ""
    assert "found 49 units, expected at least 50" in m.accuracy(rows(49)).insufficient
    assert m.accuracy(binary(5, 0)).insufficient == ""
    paired = m.paired_difference(m.accuracy, rows(49), rows(49))
    assert "found 49 units" in paired.insufficient


def test_one_pass_is_enough_for_every_metric():
    def stream():
        yield from binary(60, 3)

    for metric in (m.accuracy, m.macro_f1):
        assert metric(stream()) == metric(binary(60, 3))
    assert m.recall(stream(), label="A") == m.recall(binary(60, 3), label="A")
    assert m.paired_difference(m.recall, stream(), stream(), label="A").value == 0
