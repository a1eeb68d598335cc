"""What a fitted curve is, whatever the points: laws first, then coverage by simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalgate.stats import cp_lower, cp_upper
from evalgate.stats.learning_curve import (
    NotEnoughPoints,
    better_probability,
    fit_learning_curve,
)

SIZES = (500, 1000, 2000, 4000, 8000)
EXPONENTS = st.integers(100, 2400).map(lambda n: n / 2000)


def points(curve, sizes=SIZES, seeds=3, noise=0.0, seed=0):
    """(sizes, errors) of a curve, `seeds` points each."""
    rng = np.random.default_rng(seed)
    n = np.repeat(np.array(sizes, dtype=float), seeds)
    return n, np.maximum(curve(n) + noise * rng.standard_normal(len(n)), 0.0)


@settings(deadline=None, max_examples=60)
@given(e=st.floats(0, 0.5), b=st.floats(0.1, 20), c=EXPONENTS)
def test_without_noise_the_curve_itself_comes_back(e, b, c):
    n, error = points(lambda n: e + b * n**-c)
    found = fit_learning_curve(n, error, seed=1, draws=1)
    assert found.e == pytest.approx(e, abs=1e-6 + 1e-6 * b)
    assert found.b == pytest.approx(b, rel=1e-4)
    assert found.c == pytest.approx(c)
    assert found.dropped == ()
    assert found.misfit == 1.0


RAGGED = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=4), min_size=5, max_size=7)


@settings(deadline=None, max_examples=60)
@given(errors=RAGGED, seed=st.integers(0, 2**32), with_se=st.booleans())
def test_whatever_the_points_curves_fall_and_stay_at_or_above_nothing(errors, seed, with_se):
    n = [500.0 * 2**i for i, group in enumerate(errors) for _ in group]
    flat = [x for group in errors for x in group]
    found = fit_learning_curve(n, flat, [0.02] * len(n) if with_se else None, seed=seed, draws=20)
    curves = np.vstack([[[found.e, found.b, found.c]], found.draws])
    assert (curves[:, :2] >= 0).all()
    assert ((curves[:, 2] >= 0.05) & (curves[:, 2] <= 1.2)).all()
    at = [found.drawn(x) for x in (500, 4000, 32_000, 1e9)]
    for before, after in itertools.pairwise(at):
        assert (after <= before + 1e-9).all()
    low, high = found.interval(32_000)
    assert 0 <= low <= high


@settings(deadline=None, max_examples=30)
@given(errors=RAGGED, seed=st.integers(0, 1000))
def test_the_order_of_the_points_and_a_second_fit_change_no_bit_of_the_curve(errors, seed):
    n = np.array([500.0 * 2**i for i, group in enumerate(errors) for _ in group])
    flat = np.array([x for group in errors for x in group])
    assume(len(flat) > 5)
    first = fit_learning_curve(n, flat, seed=seed)
    again = fit_learning_curve(n, flat, seed=seed)
    turned = fit_learning_curve(n[::-1], flat[::-1], seed=seed)
    assert (first.draws == again.draws).all()
    assert turned.at(32_000) == pytest.approx(first.at(32_000), rel=1e-9, abs=1e-12)


def test_more_noise_makes_a_wider_interval():
    def width(noise):
        n, error = points(lambda n: 0.1 + 2 * n**-0.4, noise=noise)
        low, high = fit_learning_curve(n, error, [noise] * len(n), seed=1).interval(32_000)
        return high - low

    assert width(0.001) < width(0.01) < width(0.05)


@pytest.mark.parametrize(
    ("sizes", "seeds", "found"),
    [(SIZES[:4], 3, "4 sizes with 3 seeds"), (SIZES, 2, "5 sizes with 2 seeds")],
)
def test_too_few_points_are_never_a_curve(sizes, seeds, found):
    n, error = points(lambda n: n**-0.5, sizes=sizes, seeds=seeds)
    with pytest.raises(NotEnoughPoints, match=f"not enough points to fit: found {found}"):
        fit_learning_curve(n, error, seed=0)


def test_no_points_are_not_enough():
    with pytest.raises(NotEnoughPoints):
        fit_learning_curve([], [], seed=0)


@pytest.mark.parametrize(
    ("n", "error", "se"),
    [
        ([0.0] * 15, [0.1] * 15, None),
        ([1.0] * 15, [-0.1] * 15, None),
        ([1.0] * 15, [float("nan")] * 15, None),
        ([1.0] * 15, [0.1] * 14, None),
        ([1.0] * 15, [0.1] * 15, [0.0] * 15),
    ],
)
def test_what_is_no_data_is_refused(n, error, se):
    with pytest.raises(ValueError, match="found"):
        fit_learning_curve(n, error, se, seed=0)


def test_the_flat_phase_before_the_bend_is_left_out():
    """Sizes at which nothing is learnt yet, then a power law: fitted through all, the future would look too good or too bad."""
    law = lambda n: 0.05 + 40 * n**-0.8  # noqa: E731
    sizes = (125, 250, 500, 1000, 2000, 4000, 8000)
    n, error = points(lambda n: np.minimum(law(n), law(900)), sizes=sizes, noise=0.001, seed=1)
    found = fit_learning_curve(n, error, [0.0015] * len(n), seed=3)
    assert found.dropped == (125, 250)
    assert found.sizes == sizes[2:]
    n, error = points(law, sizes=sizes, noise=0.001, seed=1)
    assert fit_learning_curve(n, error, [0.0015] * len(n), seed=3).dropped == ()


def test_points_that_are_no_curve_at_all_are_told_and_widen_the_band():
    rng = np.random.default_rng(0)
    n = np.repeat(np.array(SIZES, dtype=float), 3)
    bump = np.repeat([0.3, 0.5, 0.2, 0.5, 0.1], 3) + 0.001 * rng.standard_normal(15)
    wild = fit_learning_curve(n, bump, [0.002] * 15, seed=1)
    assert wild.misfit < 0.05
    low, high = wild.interval(16_000)
    assert high - low > 0.1


def test_equal_curves_are_each_better_half_of_the_time_and_a_far_better_one_always():
    n, error = points(lambda n: 0.1 + 2 * n**-0.4, noise=0.004)
    _, other = points(lambda n: 0.05 + 1 * n**-0.4, noise=0.004, seed=1)
    ses = [0.01] * len(n)
    here = fit_learning_curve(n, error, ses, seed=1, stream=0)
    same = fit_learning_curve(n, error, ses, seed=1, stream=1)
    better = fit_learning_curve(n, other, ses, seed=1, stream=1)
    assert better_probability(here, here, 32_000) == 0.5
    assert 0.35 < better_probability(here, same, 32_000) < 0.65
    assert better_probability(here, better, 32_000) > 0.99
    assert better_probability(better, here, 32_000) < 0.01


def test_what_moves_all_points_of_both_bases_together_does_not_blur_their_difference():
    """The same hard items: errors of seeds differ by far less than their standard errors say."""
    n, error = points(lambda n: 0.1 + 2 * n**-0.4, noise=0.001)
    ours = fit_learning_curve(n, error, [0.012] * len(n), seed=1, stream=0)
    theirs = fit_learning_curve(n, error - 0.01, [0.012] * len(n), seed=1, stream=1)
    width = np.diff(ours.interval(16_000))[0]
    assert width > 0.02
    assert better_probability(ours, theirs, 16_000) > 0.8


def small_family(n):
    return 0.08 + 1.2 * n**-0.40


def large_family(n):
    return 0.03 + 1.3692 * n**-0.30  # crosses the other near 16 000


def measured(law, rng, *, hard, items=600, spread=0.1):
    """Three seeds at each size, each measured on the same `items` of which some are harder than others."""
    from scipy.special import ndtri

    n, error, se = [], [], []
    for size in SIZES:
        for _ in range(3):
            p = law(size) * np.exp(spread * rng.standard_normal())
            own = np.sqrt(0.7) * hard + np.sqrt(0.3) * rng.standard_normal(items)
            wrong = int((own < ndtri(p)).sum())
            width = cp_upper(k=wrong, n=items) - cp_lower(k=wrong, n=items)
            n.append(size)
            error.append(wrong / items)
            se.append(width / (2 * 1.6448536))
    return n, error, se


@pytest.mark.slow
def test_simulated_intervals_cover_and_picking_by_the_point_is_hardly_better_than_a_coin(capsys):
    """Two bases that cross near 16 000, data up to 8 000, 600 shared items, 3 seeds whose errors vary by a tenth."""
    rng = np.random.default_rng(20)
    runs = 400
    covered = {16_000: 0, 32_000: 0}
    right = wrong = undecided = nominated = 0
    for run in range(runs):
        hard = rng.standard_normal(600)
        laws = (small_family, large_family)
        curves = [
            fit_learning_curve(*measured(law, rng, hard=hard), seed=run, stream=i)
            for i, law in enumerate(laws)
        ]
        for n in covered:
            for law, curve in zip(laws, curves, strict=True):
                low, high = curve.interval(n)
                covered[n] += low <= law(n) <= high
        right += curves[1].at(32_000) < curves[0].at(32_000)
        chance = better_probability(*curves, 32_000)
        undecided += 0.1 <= chance <= 0.9
        wrong += chance < 0.1
        nominated += chance > 0.25
    shares = {n: count / (2 * runs) for n, count in covered.items()}
    with capsys.disabled():
        print(
            f"\ncoverage {shares}, point right {right / runs:.3f}, undecided {undecided / runs:.3f}, "
            f"wrong below .1 {wrong / runs:.3f}, nominated {nominated / runs:.3f}"
        )
    assert all(0.85 <= share <= 0.97 for share in shares.values())
    assert 0.4 < right / runs < 0.75  # no way to choose a base by
    assert undecided / runs > 0.6
    assert wrong / runs < 0.1
    assert nominated / runs > 0.75  # the truly better one is looked at
