"""Laws that hold whatever the data."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate import stats

SCORES = st.lists(st.integers(0, 20).map(lambda v: v / 20), min_size=1, max_size=40)
ALPHAS = st.sampled_from([0.001, 0.005, 0.05, 0.2])
DRAWS = 4_000
NOISE = 0.06  # Monte Carlo, at these few draws and units
few = settings(deadline=None, max_examples=60)
calm = settings(deadline=None)  # the first call imports scipy


@st.composite
def hits(draw):
    n = draw(st.integers(1, 2_000))
    return draw(st.integers(0, n)), n


@st.composite
def pairs(draw):
    n = draw(st.integers(1, 400))
    b = draw(st.integers(0, n))
    return b, draw(st.integers(0, n - b)), n


@st.composite
def ratios(draw):
    den = draw(st.lists(st.integers(0, 9), min_size=1, max_size=30))
    return [draw(st.integers(0, d)) for d in den], den


@calm
@given(hits(), ALPHAS)
def test_the_bounds_of_a_proportion_enclose_it_and_grow_with_successes(kn, alpha):
    k, n = kn
    assert 0 <= stats.cp_lower(k, n, alpha) <= k / n <= stats.cp_upper(k, n, alpha) <= 1
    if k < n:
        assert stats.cp_lower(k, n, alpha) < stats.cp_lower(k + 1, n, alpha)
        assert stats.cp_lower(k, n, alpha) > stats.cp_lower(k, n + 1, alpha) or k == 0


@calm
@given(hits(), ALPHAS, st.floats(0.3, 0.99))
def test_the_gate_and_its_count_of_successes_say_the_same(kn, alpha, threshold):
    k, n = kn
    needed = stats.min_successes_to_pass(n, threshold, alpha)
    assert (stats.cp_lower(k, n, alpha) >= threshold) == (k >= needed)


@few
@given(SCORES, ALPHAS)
def test_the_bounds_of_a_mean_enclose_it_and_stay_in_range(x, alpha):
    low = stats.worst_atom_lower(x, alpha=alpha, draws=DRAWS)
    high = stats.worst_atom_upper(x, alpha=alpha, draws=DRAWS)
    mean = sum(x) / len(x)
    assert -1e-12 <= low <= mean + 1e-12
    assert mean - 1e-12 <= high <= 1 + 1e-12


@few
@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_items_changes_no_bit_of_a_mean(x, shuffler: random.Random):
    y = list(x)
    shuffler.shuffle(y)
    assert stats.worst_atom_lower(x, draws=DRAWS) == stats.worst_atom_lower(y, draws=DRAWS)
    assert stats.worst_atom_upper(x, draws=DRAWS) == stats.worst_atom_upper(y, draws=DRAWS)


@few
@given(SCORES)
def test_a_smaller_alpha_never_raises_the_lower_bound(x):
    bounds = [stats.worst_atom_lower(x, alpha=a, draws=DRAWS) for a in (0.001, 0.005, 0.05, 0.2)]
    assert bounds == sorted(bounds)


@few
@given(SCORES)
def test_one_more_wrong_item_never_raises_the_lower_bound(x):
    more = stats.worst_atom_lower([*x, 0.0], draws=DRAWS)
    assert more <= stats.worst_atom_lower(x, draws=DRAWS) + NOISE


@few
@given(SCORES, st.integers(0, 39))
def test_a_better_score_never_lowers_the_lower_bound(x, at):
    better = list(x)
    better[at % len(x)] = 1.0
    assert (
        stats.worst_atom_lower(better, draws=DRAWS)
        >= stats.worst_atom_lower(x, draws=DRAWS) - NOISE
    )


@few
@given(SCORES)
def test_the_scale_does_not_matter(x):
    stretched = [4 * v - 3 for v in x]
    one = stats.worst_atom_lower(x, draws=DRAWS)
    other = stats.worst_atom_lower(stretched, lo=-3.0, hi=1.0, draws=DRAWS)
    assert abs((other + 3) / 4 - one) < 1e-9


@few
@given(ratios(), st.integers(9, 30), st.randoms(use_true_random=False))
def test_the_bounds_of_a_ratio_enclose_it_in_any_order(pair, den_max, shuffler: random.Random):
    num, den = pair
    low = stats.worst_atom_ratio_lower(num, den, den_max=den_max, draws=DRAWS)
    high = stats.worst_atom_ratio_upper(num, den, den_max=den_max, draws=DRAWS)
    assert 0 <= low <= high <= 1
    if sum(den):
        assert low <= sum(num) / sum(den) + 1e-12
        assert high >= sum(num) / sum(den) - 1e-12
    order = list(range(len(den)))
    shuffler.shuffle(order)
    again = stats.worst_atom_ratio_lower(
        [num[i] for i in order], [den[i] for i in order], den_max=den_max, draws=DRAWS
    )
    assert again == low


@few
@given(ratios())
def test_a_larger_declared_unit_never_raises_the_lower_bound_of_a_ratio(pair):
    bounds = [stats.worst_atom_ratio_lower(*pair, den_max=m, draws=DRAWS) for m in (9, 12, 40)]
    assert bounds == sorted(bounds, reverse=True)


@calm
@given(pairs(), ALPHAS)
def test_tango_encloses_the_difference_and_tightens_with_alpha(bcn, alpha):
    b, c, n = bcn
    low, high = stats.tango_lower(b, c, n, alpha), stats.tango_upper(b, c, n, alpha)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert stats.tango_lower(b, c, n, alpha / 2) <= low


@calm
@given(pairs())
def test_one_more_loss_never_raises_tangos_bound(bcn):
    b, c, n = bcn
    assert stats.tango_lower(b, c + 1, n + 1) <= stats.tango_lower(b, c, n) + 1e-12


@calm
@given(hits())
def test_a_judge_without_weight_changes_nothing(kn):
    k, n = kn
    y = [1.0] * k + [0.0] * (n - k)
    assert stats.worst_atom_ppi_lower(y, y[::-1], [0.5], lam=0.0) == stats.cp_lower(k, n)


@calm
@given(st.floats(0.001, 0.2), st.integers(1, 200), st.sampled_from(["flat", "basel"]))
def test_alpha_spent_never_exceeds_the_total(total, attempts, scheme):
    spent = sum(
        stats.alpha_for_attempt(total, k, scheme, attempts=7) for k in range(1, attempts + 1)
    )
    assert spent <= total * (1 + 1e-12)


@calm
@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusted_p_values_are_never_below_the_raw_ones(p):
    for adjust in (stats.holm_adjust, stats.bh_adjust):
        adjusted = adjust(p)
        assert all(raw <= new + 1e-12 and new <= 1 for raw, new in zip(p, adjusted, strict=True))
    holm, bh = stats.holm_adjust(p), stats.bh_adjust(p)
    assert all(h >= b - 1e-12 for h, b in zip(holm, bh, strict=True))
