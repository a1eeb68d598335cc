from __future__ import annotations

import numpy as np
import pytest

from evalgate import stats

Y = [1.0 if i % 10 else 0.0 for i in range(120)]
F = [0.9 if (i % 10 and i % 7) else 0.2 for i in range(120)]
REST = [0.9 if (i % 11 and i % 6) else 0.2 for i in range(500)]


def plain_draws(y, f, rest, lam, draws, seed):
    """The definition, written down naively."""
    rng = np.random.default_rng(seed)
    w = rng.dirichlet(np.ones(len(y) + 1), draws)
    v = rng.dirichlet(np.ones(len(rest) + 1), draws)
    first = w @ np.append(np.array(y) - lam * np.array(f), -lam)
    return first + lam * (v @ np.append(rest, 0.0))


@pytest.mark.parametrize("lam", [0.3, 0.8, 1.0])
def test_the_bound_agrees_with_the_definition_written_naively(lam):
    expected = np.quantile(plain_draws(Y, F, REST, lam, 20_000, 4), 0.05)
    assert stats.worst_atom_ppi_lower(Y, F, REST, lam=lam) == pytest.approx(expected, abs=2e-3)


def test_power_tuning_follows_its_formula():
    n, rest = len(Y), len(REST)
    lam = np.cov(Y, F)[0, 1] / ((1 + n / rest) * np.var(F + REST, ddof=1))
    assert stats.ppi_power_tuning(Y, F, REST) == pytest.approx(lam, abs=1e-12)
    tuned = stats.worst_atom_ppi_lower(Y, F, REST)
    assert tuned == pytest.approx(stats.worst_atom_ppi_lower(Y, F, REST, lam=lam), abs=1e-9)


def test_without_weight_on_the_judge_it_is_clopper_pearson():
    assert stats.worst_atom_ppi_lower(Y, F, REST, lam=0) == stats.cp_lower(108, 120)
    assert stats.worst_atom_ppi_lower(Y_counts=[[1, 108], [0, 12]]) == stats.cp_lower(108, 120)
    assert stats.worst_atom_ppi_lower(Y, F) == stats.cp_lower(108, 120)
    assert stats.worst_atom_ppi_lower(Y) == stats.cp_lower(108, 120)


@pytest.mark.parametrize(
    "f", [[0.5] * 120, [1.0 - y for y in Y], [float(i // 10 % 2) for i in range(120)]]
)
def test_a_judge_that_is_constant_contrary_or_noise_gets_no_weight(f):
    assert stats.ppi_power_tuning(Y, f, REST) == 0.0


def test_too_little_to_tune_gives_no_weight():
    assert stats.ppi_power_tuning([1, 0], [1, 0], [1, 0]) == 0.0
    assert stats.ppi_power_tuning(Y, F, []) == 0.0
    assert stats.ppi_power_tuning([1, 1, 1], [1, 0, 1], [1, 0]) == 0.0


def test_a_good_judge_raises_the_lower_end_and_lowers_the_upper_one():
    assert stats.worst_atom_ppi_lower(Y, F, REST) > stats.cp_lower(108, 120)
    assert stats.worst_atom_ppi_upper(Y, F, REST) < stats.cp_upper(108, 120)


def test_the_ends_enclose_the_point_estimate():
    point = stats.ppi_mean_point(Y, F, REST)
    assert stats.worst_atom_ppi_lower(Y, F, REST) < point < stats.worst_atom_ppi_upper(Y, F, REST)
    assert stats.ppi_mean_point(Y, F, REST, lam=0) == pytest.approx(0.9)


def test_the_upper_end_without_a_judge_is_clopper_pearson():
    assert stats.worst_atom_ppi_upper(Y) == pytest.approx(stats.cp_upper(108, 120), abs=1e-12)


def test_bounds_stay_on_the_scale():
    assert stats.worst_atom_ppi_lower([0, 0, 0, 0.1], [1, 1, 0.9, 1], [0, 0, 0.1], lam=1) == 0.0
    assert stats.worst_atom_ppi_lower([], [], [0.5]) == 0.0


def test_the_order_of_items_changes_no_bit():
    order = np.random.default_rng(0).permutation(120).tolist()
    shuffled = stats.worst_atom_ppi_lower([Y[i] for i in order], [F[i] for i in order], REST[::-1])
    assert shuffled == stats.worst_atom_ppi_lower(Y, F, REST)


def test_a_conversation_counts_once_whatever_its_length():
    once = stats.worst_atom_ppi_lower(Y, F, REST)
    thrice = stats.worst_atom_ppi_lower(
        [y for y in Y for _ in range(3)],
        [f for f in F for _ in range(3)],
        [f for f in REST for _ in range(3)],
        units=[i // 3 for i in range(360)],
        units_unlabeled=[i // 3 for i in range(1500)],
    )
    assert thrice == pytest.approx(once, abs=1e-9)
    assert stats.worst_atom_ppi_lower([1, 1, 0, 1], units=["a", "a", "b", "b"]) == pytest.approx(
        stats.worst_atom_lower([1.0, 0.5])
    )


# ppi_py 0.2.3 (not a dependency): ppi_mean_pointestimate and the lower end of ppi_mean_ci at one-sided 0.05
@pytest.mark.parametrize(
    ("lam", "point", "lower"), [(None, 0.8964099, 0.85852108), (1.0, 0.8925333333, 0.84698564)]
)
def test_the_report_only_interval_agrees_with_the_published_package(lam, point, lower):
    found = stats.ppi_mean_lower(Y=Y, Yhat=F, Yhat_unlabeled=REST, lam=lam)
    assert found["point"] == pytest.approx(point, abs=1e-7)
    assert found["lower"] == pytest.approx(lower, abs=1e-7)


def test_counts_of_unlabelled_scores_stand_for_the_scores():
    counts = [[0.9, REST.count(0.9)], [0.2, REST.count(0.2)]]
    assert stats.worst_atom_ppi_lower(
        Y, F, Yhat_unlabeled_counts=counts
    ) == stats.worst_atom_ppi_lower(Y, F, REST)
    assert stats.ppi_mean_lower(Y, F, Yhat_unlabeled_counts=counts) == stats.ppi_mean_lower(
        Y, F, REST
    )


def test_a_constant_judge_gets_no_weight_in_the_report_either():
    assert stats.ppi_mean_lower(Y, [0.5] * 120, [0.5] * 9)["point"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: stats.worst_atom_ppi_lower(Y, lam=0.5), "lam = 0.5"),
        (lambda: stats.worst_atom_ppi_lower(Y, Yhat_unlabeled=REST), "unlabelled scores only"),
        (lambda: stats.worst_atom_ppi_lower(None, F, REST), "without Y"),
        (lambda: stats.worst_atom_ppi_lower(Y, F, [], lam=0.5), "0 scores"),
        (lambda: stats.worst_atom_ppi_lower(Y, F, REST, lam=1.5), "1.5"),
        (lambda: stats.worst_atom_ppi_lower(Y, F[1:], REST), "Y has 120, Yhat has 119"),
        (lambda: stats.worst_atom_ppi_lower([1.2], [1], [1]), "1.2"),
        (lambda: stats.worst_atom_ppi_lower(Y, F, REST, units=[1]), "units has 1"),
        (lambda: stats.ppi_mean_point([], [], [0.1]), "0 labels"),
        (lambda: stats.ppi_mean_lower(Y, F, []), "0 unlabelled"),
    ],
)
def test_labels_and_scores_that_do_not_fit_are_refused(call, found):
    with pytest.raises(ValueError, match=found):
        call()
