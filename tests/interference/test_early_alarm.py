"""The early alarm: paired losses of right answers on held-out rows, from files as training writes them."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from evalgate.errors import IntegrityError
from evalgate.release.early_alarm import HeldOut, Loss, early_alarm, held_out, losses


def rows(task, values, *, units=None):
    return {
        f"{task}-{n}": Loss(task=task, unit=f"u{n if units is None else units[n]}", loss=value)
        for n, value in enumerate(values)
    }


def drawn(n, shift, seed=0):
    """Losses of two models on the same rows, the second higher by `shift` on average."""
    rng = random.Random(seed)
    before = [rng.gammavariate(2, 0.5) for _ in range(n)]
    return before, [x + shift + rng.gauss(0, 0.1) for x in before]


def test_a_task_whose_right_answers_cost_more_alarms_and_another_does_not():
    old, worse = drawn(40, 0.1)
    _, same = drawn(40, 0.0, seed=2)
    theirs = rows("a", old) | rows("b", drawn(40, 0.0, seed=2)[0])
    cells = early_alarm(rows("a", worse) | rows("b", same), theirs, model="old", alpha=0.05)
    assert {c.suite: c.state for c in cells} == {"a": "alarm", "b": "not shown"}
    assert cells[0].low < cells[0].difference < cells[0].high
    assert cells[0].low > 0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=30), st.floats(0.01, 0.4))
def test_it_is_scipys_one_sided_paired_test(values, alpha):
    if max(values) - min(values) < 1e-3:
        return
    (cell,) = early_alarm(rows("a", values), rows("a", [0.0] * len(values)), model="m", alpha=alpha)
    assert cell.p == pytest.approx(ttest_1samp(values, 0, alternative="greater").pvalue)
    assert cell.adjusted == cell.p
    assert (cell.low > 0) == (cell.p < alpha) or cell.p == pytest.approx(alpha)


def test_rows_of_one_unit_are_one_piece_of_evidence():
    before, now = drawn(40, 0.1)
    alone = early_alarm(rows("a", now), rows("a", before), model="m", alpha=0.05)
    together = early_alarm(rows("a", now, units=[n // 10 for n in range(40)]), rows("a", before), model="m", alpha=0.05)  # fmt: skip
    assert (alone[0].units, together[0].units) == (40, 4)
    assert together[0].difference == pytest.approx(alone[0].difference)


def test_rows_of_one_side_only_are_dropped_and_counted():
    before, now = drawn(40, 0.1)
    theirs = rows("a", before)
    (cell,) = early_alarm(rows("a", now[:30]), theirs, model="m", alpha=0.05)
    assert (cell.units, cell.dropped) == (30, 10)
    assert "10 rows" in cell.reason


def test_without_rows_in_common_nothing_is_said():
    (cell,) = early_alarm(rows("a", [1.0, 2.0]), rows("b", [1.0, 2.0]), model="m", alpha=0.05)
    assert (cell.state, cell.p) == ("not comparable", None)


def test_losses_that_did_not_move_are_no_alarm_and_those_that_all_rose_alike_are():
    same = early_alarm(rows("a", [1.0, 2.0]), rows("a", [1.0, 2.0]), model="m", alpha=0.05)
    rose = early_alarm(rows("a", [1.5, 2.5]), rows("a", [1.0, 2.0]), model="m", alpha=0.05)
    assert (same[0].state, rose[0].state) == ("not shown", "alarm")


def test_the_file_of_a_training_is_read_and_a_spoilt_one_is_an_integrity_error(tmp_path):
    assert held_out(tmp_path) is None
    row = {"id": "r1", "task": "a", "unit": "u", "tokens": 3, "before": 1.5, "after": None}
    path = tmp_path / "held_out.json"
    path.write_text(json.dumps({"schema": "evalgate.held_out/1", "rows": [row]}))
    assert held_out(tmp_path) == (HeldOut(**row),)
    assert losses(held_out(tmp_path), "before") == {"r1": Loss(task="a", unit="u", loss=1.5)}
    assert losses(held_out(tmp_path), "after") == {}  # a loss that was no number
    path.write_text('{"schema": "evalgate.held_out/2", "rows": []}')
    with pytest.raises(IntegrityError, match="EG956"):
        held_out(tmp_path)
