from __future__ import annotations

import numpy as np
import pytest

from evalgate import stats
from evalgate.stats.classification import macro_f1

Y = ["a"] * 60 + ["b"] * 30 + ["c"] * 12
YHAT = ["a"] * 55 + ["b"] * 5 + ["b"] * 28 + ["a", "c"] + ["c"] * 10 + ["a", None]
UNITS = [i // 3 for i in range(len(Y))]


def plain_draws(y, yhat, units, classes, atom, draws, seed):
    """The definition, written down naively: Dirichlet weights of units and one atom on full confusion matrices."""
    names = sorted(set(units))
    tables = np.zeros((len(names) + 1, len(classes), len(classes) + 1))
    for truth, guess, unit in zip(y, yhat, units, strict=True):
        column = classes.index(guess) if guess in classes else len(classes)
        tables[names.index(unit), classes.index(truth), column] += 1
    gold, predicted = atom
    tables[-1, classes.index(gold), classes.index(predicted)] = len(y) / len(names)
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(names) + 1), draws)
    total = np.einsum("du,ugp->dgp", weights, tables)
    right = np.einsum("dkk->dk", total[:, :, : len(classes)])
    seen = total.sum(axis=2) + total.sum(axis=1)[:, : len(classes)]
    return (2 * right / seen).mean(axis=1)


@pytest.mark.parametrize("units", [None, UNITS])
def test_the_bounds_agree_with_the_definition_written_naively(units):
    names = list(range(len(Y))) if units is None else units
    low, high = stats.worst_atom_macro_f1_bounds(Y, YHAT, units, ["a", "b", "c"])
    worst = plain_draws(Y, YHAT, names, ["a", "b", "c"], ("c", "b"), 20_000, 1)
    best = plain_draws(Y, YHAT, names, ["a", "b", "c"], ("c", "c"), 20_000, 2)
    assert low == pytest.approx(np.quantile(worst, 0.05), abs=3e-3)
    assert high == pytest.approx(np.quantile(best, 0.95), abs=3e-3)


def test_the_bounds_enclose_the_estimate():
    low, high = stats.worst_atom_macro_f1_bounds(Y, YHAT, UNITS)
    assert low < macro_f1(Y, [guess or "?" for guess in YHAT], classes=["a", "b", "c"]) < high


def test_unknown_and_unreadable_predictions_are_misses_and_nobodys_claim():
    one = stats.worst_atom_macro_f1_bounds(Y, YHAT)
    for stand_in in ("unheard of", ["a"], {"label": "a"}):
        other = [stand_in if guess is None else guess for guess in YHAT]
        assert stats.worst_atom_macro_f1_bounds(Y, other) == one


def test_the_order_of_items_and_the_names_of_units_change_no_bit():
    order = np.random.default_rng(0).permutation(len(Y)).tolist()
    one = stats.worst_atom_macro_f1_bounds(Y, YHAT, UNITS, ["a", "b", "c"])
    other = stats.worst_atom_macro_f1_bounds(
        [Y[i] for i in order],
        [YHAT[i] for i in order],
        [f"case-{UNITS[i]}" for i in order],
        ["a", "b", "c"],
    )
    assert one == other


def test_a_class_without_gold_items_scores_nothing_and_leaves_the_upper_end_open():
    low, high = stats.worst_atom_macro_f1_bounds(Y, YHAT, classes=["a", "b", "c", "d"])
    without, _ = stats.worst_atom_macro_f1_bounds(Y, YHAT)
    assert low < 0.75 < without + 0.75
    assert high == 1.0


def test_without_items_nothing_is_known():
    assert stats.worst_atom_macro_f1_bounds([], []) == (0.0, 1.0)
    assert stats.worst_atom_macro_f1_bounds([], [], classes=["a"]) == (0.0, 1.0)


def test_an_errorless_single_class_is_nearly_clopper_pearson():
    # F1 of one class with a missed atom: 2g/(2g + e), g ~ Gamma(n): a transform of Beta(n, 1)
    q = 0.05 ** (1 / 40)
    low, high = stats.worst_atom_macro_f1_bounds(["a"] * 40, ["a"] * 40)
    assert low == pytest.approx(2 * q / (1 + q), abs=1e-3)
    assert high == 1.0


def test_more_classes_than_a_block_holds_still_work():
    y = [i % 300 for i in range(900)]
    low, high = stats.worst_atom_macro_f1_bounds(y, y, draws=500)
    assert 0.9 < low < high == 1.0


def test_a_gold_label_outside_the_declared_classes_is_refused():
    with pytest.raises(ValueError, match="'c'"):
        stats.worst_atom_macro_f1_bounds(Y, YHAT, classes=["a", "b"])
    with pytest.raises(ValueError, match="y has 102, units has 1"):
        stats.worst_atom_macro_f1_bounds(Y, YHAT, units=[1])
    with pytest.raises(ValueError, match="None"):
        stats.worst_atom_macro_f1_bounds([None], ["a"])
