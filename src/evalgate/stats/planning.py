"""How many units a gate needs and how likely it is to open: pure functions for `evalgate plan` and for findings.

Everything about 0/1 metrics is exact (binomial tails). Everything about means and differences is an approximation that
the docstring names; tests compare it with simulation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evalgate.stats.classification import worst_atom_macro_f1_bounds
from evalgate.stats.inputs import Floats, Ints, integer, number, probability, same_length
from evalgate.stats.paired import constrained_loss

_MOST = 200_000  # a gold set nobody will label; searches stop here, after about a second


def min_n_feasible(threshold: float, alpha: float = 0.05) -> int:
    """The least number of independent units at which an errorless 0/1 metric meets `threshold`: ceil(ln a / ln T)."""
    threshold = probability("threshold", threshold)
    alpha = probability("alpha", alpha)
    n = max(1, math.floor(math.log(alpha) / math.log(threshold)) - 1)
    while (
        feasible_bound(n, alpha) < threshold
    ):  # decided by the bound itself, not by a rounded quotient
        n += 1
    return n


def feasible_bound(units: int, alpha: float = 0.05) -> float:
    """The best lower bound that `units` units in [0, 1] can reach, without one error: alpha**(1/units); 0 for none."""
    units = integer("units", units)
    return probability("alpha", alpha) ** (1.0 / units) if units else 0.0


def ratio_feasible_bound(
    units: int, alpha: float = 0.05, *, weight_mean: float, weight_max: float
) -> float:
    """The best lower bound of a micro ratio: `units` errorless units of mean weight, an atom of the declared maximum.

    With q = alpha**(1/units) and r = weight_max / weight_mean it is q / (q + r (1 - q)): exact for equal units.
    """
    mean = number("weight_mean", weight_mean)
    largest = number("weight_max", weight_max)
    if not 0.0 < mean <= largest:
        raise ValueError(
            f"weight_mean: found {weight_mean!r} with weight_max {weight_max!r}, expected 0 < mean <= max."
        )
    q = feasible_bound(units, alpha) if units >= 2 else 0.0
    return q / (q + largest / mean * (1.0 - q))


def macro_f1_feasible_bound(
    class_units: Sequence[int], alpha: float = 0.05, *, draws: int | None = None, seed: int = 0
) -> float:
    """The best lower bound of macro-F1: `class_units[c]` one-item units of each class, all predicted right."""
    sizes = [integer("class_units", size) for size in class_units]
    y = [c for c, size in enumerate(sizes) for _ in range(size)]
    classes = range(len(sizes))
    return worst_atom_macro_f1_bounds(y, y, None, classes, alpha, draws=draws, seed=seed)[0]


def noninferiority_feasible_bound(
    units: int, alpha: float = 0.05, *, unit_means: bool = False
) -> float:
    """The lower bound of the difference when candidate and baseline agree on every unit; -1 for no units.

    Tango's bound at b = c = 0, -z^2/(n + z^2), for independent 0/1 units; with `unit_means` the worst-atom bound of n
    differences of 0 on [-1, 1], alpha**(1/n) - 1.
    """
    units = integer("units", units)
    alpha = probability("alpha", alpha)
    if unit_means:
        return feasible_bound(units, alpha) - 1.0
    z = _z(alpha)
    return -z * z / (units + z * z) if units else -1.0


def min_successes_to_pass(n: int, threshold: float, alpha: float = 0.05) -> int:
    """The least k with cp_lower(k, n, alpha) >= threshold; n + 1 where even k = n does not pass."""
    n = integer("n", n)
    threshold, alpha = probability("threshold", threshold), probability("alpha", alpha)
    return int(_least_successes(np.array([n]), threshold, alpha)[0])


def gate_power(n: int, threshold: float, alpha: float = 0.05, *, p_true: float) -> float:
    """P(the gate passes) for n independent 0/1 units that are right with probability `p_true`. Exact."""
    n = integer("n", n)
    threshold, alpha = probability("threshold", threshold), probability("alpha", alpha)
    return float(_powers(np.array([n]), threshold, alpha, number("p_true", p_true, 0.0, 1.0))[0])


def required_n(
    threshold: float,
    p_true: float,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    sawtooth_run: int = 40,
) -> int:
    """The first n of `sawtooth_run` consecutive n at which the gate passes a model of `p_true` with `power`.

    Exact power is a saw: adding one unit can lower it. Raises ValueError where more than 200 000 units are needed.
    """
    threshold, alpha = probability("threshold", threshold), probability("alpha", alpha)
    power = probability("power", power)
    run = integer("sawtooth_run", sawtooth_run, 1)
    p_true = number("p_true", p_true, 0.0, 1.0)
    if p_true <= threshold:
        raise ValueError(
            f"p_true: found {p_true!r}, expected more than the threshold {threshold!r}."
        )
    start, streak = 1, 0
    while start <= _MOST:
        sizes = np.arange(start, start + max(512, start // 4))
        for n, enough in zip(
            sizes.tolist(), _powers(sizes, threshold, alpha, p_true) >= power, strict=True
        ):
            streak = streak + 1 if enough else 0
            if streak == run:
                return int(n) - run + 1
        start = int(sizes[-1]) + 1
    raise ValueError(
        f"p_true: found {p_true!r}, expected further from the threshold {threshold!r}: more than {_MOST} units."
    )


def iut_pass_prob(
    n: int | Sequence[int],
    threshold: float | Sequence[float],
    alpha: float = 0.05,
    *,
    p: float | Sequence[float],
) -> float:
    """P(every one of the independent 0/1 tasks passes), task i with true rate p[i]; n and threshold shared or per task.

    The error of "all must pass" is at most alpha without any correction (intersection-union test, Berger 1982).
    """
    rates = [p] if isinstance(p, (int, float)) else list(p)
    if not rates:
        raise ValueError("p: found no task, expected the true rate of at least one.")
    tasks = len(rates)
    sizes = _per_task(n, tasks)
    bars = _per_task(threshold, tasks)
    same_length(n=sizes, threshold=bars, p=rates)
    return math.prod(
        gate_power(size, bar, alpha, p_true=rate)
        for size, bar, rate in zip(sizes, bars, rates, strict=True)
    )


def _per_task(value: Any, tasks: int) -> list[Any]:
    """`value` for each task: the list itself, or one number for all."""
    return list(value) if np.ndim(value) else [value] * tasks


def joint_power(powers: Sequence[float]) -> float:
    """P(all pass) of independent tests: the product; a lower bound where passing one makes passing others likelier.

    Metrics of one model on one gold set usually help each other, so plan with this. Against any dependence whatever
    only max(0, 1 - sum of (1 - power)) is guaranteed.
    """
    return math.prod(number("powers", power, 0.0, 1.0) for power in powers)


def effective_n(n: float, mean_cluster: float, icc: float) -> float:
    """Independent units worth as much as n clustered items: n / (1 + (mean_cluster - 1) icc) (Kish's design effect).

    With uneven clusters take mean_cluster = sum size^2 / sum size.
    """
    n = number("n", n, 0.0)
    return n / (
        1.0 + (number("mean_cluster", mean_cluster, 1.0) - 1.0) * number("icc", icc, 0.0, 1.0)
    )


def noninferiority_power(
    n: int, margin: float, discordance: float, alpha: float = 0.05, *, difference: float = 0.0
) -> float:
    """P(Tango's lower bound > -margin) for n paired 0/1 units; 0 where even full agreement could not pass.

    A margin of 0 or below asks for superiority. `discordance` is the share of units on which exactly one model is
    right, `difference` the true gain (new - old). Normal approximation with the score test's own variance at -margin:
    within 0.06 of exact enumeration in the cases tried, on the low side (n from 75, margins 0.02 to 0.05). The usual
    formula, (z_alpha + z_beta)^2 discordance / margin^2, uses one variance for both and promises up to 0.2 too much.
    """
    n = integer("n", n)
    alpha = probability("alpha", alpha)
    at_margin, true, gap = _paired(margin, discordance, difference)
    if margin > 0.0 and noninferiority_feasible_bound(n, alpha) <= -margin:
        return 0.0
    from scipy.special import ndtr

    reach = gap * math.sqrt(n) - _z(alpha) * at_margin
    return float(ndtr(reach / true)) if true > 0.0 else float(reach > 0.0)


def noninferiority_required_n(
    margin: float,
    discordance: float,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    difference: float = 0.0,
) -> int:
    """The least n of paired 0/1 units with noninferiority_power >= power; ValueError beyond 200 000."""
    alpha, power = probability("alpha", alpha), probability("power", power)
    at_margin, true, gap = _paired(margin, discordance, difference)
    if gap <= 0.0:
        raise ValueError(
            f"difference: found {difference!r}, expected more than -margin, {-margin!r}."
        )
    z = _z(alpha)
    n = math.ceil((max(0.0, z * at_margin + _z(1.0 - power) * true) / gap) ** 2)
    if margin > 0.0:  # enough units for full agreement to pass: z^2 / (n + z^2) < margin
        n = max(n, math.floor(z * z * (1.0 - margin) / margin) + 1)
    if n > _MOST:
        raise ValueError(f"margin: found {margin!r}, expected a wider one: {n} units are needed.")
    return n


def mean_gate_power(
    n: int,
    threshold: float,
    true_mean: float,
    sd: float,
    alpha: float = 0.05,
    *,
    lo: float = 0.0,
    hi: float = 1.0,
) -> float:
    """P(worst-atom bound of a mean >= threshold) for n units with the given true mean and standard deviation.

    Approximation: given the sample, the Dirichlet-weighted mean is taken as the beta distribution with its own mean
    and variance (exact for 0/1 units), and so is the sample mean; the dispersion sd^2 / (mean (1 - mean)) stays that
    of the truth. Within 0.06 of simulation for n >= 100 and 0.08 for n = 50 in the shapes tried (tests/stats).
    """
    n = integer("n", n, 1)
    alpha = probability("alpha", alpha)
    bar, mean, spread = _on_unit_scale(threshold, true_mean, sd, lo, hi)
    return _mean_power(n, bar, mean, spread, alpha)


def mean_required_n(
    threshold: float,
    true_mean: float,
    sd: float,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    lo: float = 0.0,
    hi: float = 1.0,
) -> int:
    """The least n with mean_gate_power >= power; ValueError where more than 200 000 units are needed."""
    alpha, power = probability("alpha", alpha), probability("power", power)
    bar, mean, spread = _on_unit_scale(threshold, true_mean, sd, lo, hi)
    if mean <= bar:
        raise ValueError(
            f"true_mean: found {true_mean!r}, expected more than the threshold {threshold!r}."
        )
    high = 1
    while _mean_power(high, bar, mean, spread, alpha) < power:
        high *= 2
        if high > _MOST:
            raise ValueError(
                f"true_mean: found {true_mean!r}, expected further from the threshold {threshold!r}: "
                f"more than {_MOST} units."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if _mean_power(middle, bar, mean, spread, alpha) >= power:
            high = middle
        else:
            low = middle
    return high


def more_units_needed(
    *,
    value: float | None,
    low: float | None,
    high: float | None,
    units: int,
    minimum: float | None = None,
    maximum: float | None = None,
    alpha: float = 0.05,
    binary: bool = False,
) -> int | None:
    """How many more units, at the same estimate, would decide an inconclusive finding; 0 if it is decided.

    Decided means: the estimate's side of the threshold is proven, by `low` if it lies above, by `high` if below.
    `binary=True`: `value` is k of `units` independent 0/1 units, and the exact bound is searched. Otherwise the distance
    from estimate to bound is taken to shrink with 1/sqrt(units) (it shrinks faster near the ceiling: the answer is then
    too large, not too small). None without data, where the estimate is the threshold, or beyond 200 000 units.
    """
    units = integer("units", units)
    alpha = probability("alpha", alpha)
    limit = maximum if minimum is None else minimum
    if limit is None or None not in (minimum, maximum):
        raise ValueError(
            f"minimum: found {minimum!r} and maximum {maximum!r}, expected one of them."
        )
    bar = number("threshold", limit)
    if value is None or units == 0:
        return None
    value = number("value", value)
    if value == bar:
        return None
    if binary:
        right = round(number("value", value, 0.0, 1.0) * units)
        if abs(right - value * units) > 1e-6 * units:
            raise ValueError(f"value: found {value!r}, expected a whole number of {units} units.")
        above = value > bar
        hits, share = (right, bar) if above else (units - right, 1.0 - bar)
        return _more_binary(hits, units, min(1.0, max(0.0, share)), alpha)
    end = low if value > bar else high
    if end is None:
        return None
    slack, gap = abs(value - number("bound", end)), abs(value - bar)
    if slack <= gap:
        return 0
    more = math.ceil(units * (slack / gap) ** 2 - 1e-6) - units
    return max(1, more) if more <= _MOST else None


def _more_binary(k: int, n: int, bar: float, alpha: float) -> int | None:
    """The least m with cp_lower(floor(k (n+m) / n), n + m) >= bar."""
    from scipy.special import betainc

    start = n
    while start <= n + _MOST:
        sizes = np.arange(start, start + max(512, start // 4))
        hits = k * sizes // n
        ok = betainc(np.maximum(hits, 1), sizes - hits + 1, bar) <= alpha
        ok &= hits >= 1
        if ok.any():
            return int(sizes[int(np.argmax(ok))]) - n
        start = int(sizes[-1]) + 1
    return None


def _least_successes(n: Ints, threshold: float, alpha: float) -> Ints:
    """For each n the least k with P(X >= k | n, threshold) <= alpha, by bisection; n + 1 where there is none."""
    from scipy.special import betainc

    def passes(k: Ints) -> npt.NDArray[np.bool_]:
        inside = np.clip(k, 1, np.maximum(n, 1))
        tail = betainc(inside, np.maximum(n, 1) - inside + 1, threshold)
        return np.where(k > n, True, np.where(k < 1, False, tail <= alpha))

    # A bracket around the normal approximation saves most of the steps; where it misses, the whole range is searched.
    guess = np.floor(n * threshold + _z(alpha) * np.sqrt(n * threshold * (1.0 - threshold)))
    fails = np.clip(guess.astype(np.int64) - 4, 0, n)
    works = np.clip(guess.astype(np.int64) + 4, 1, n + 1)
    fails = np.where(passes(fails), 0, fails)
    works = np.where(passes(works), works, n + 1)
    while (works - fails > 1).any():
        middle = (fails + works) // 2
        good = passes(middle)
        works = np.where(good, middle, works)
        fails = np.where(good, fails, middle)
    return works


def _powers(n: Ints, threshold: float, alpha: float, p_true: float) -> Floats:
    """P(X >= least successes | n, p_true) for each n."""
    from scipy.special import betainc

    k = _least_successes(n, threshold, alpha)
    inside = np.minimum(k, np.maximum(n, 1))
    return np.where(k > n, 0.0, betainc(inside, np.maximum(n, 1) - inside + 1, p_true))


def _mean_power(n: int, bar: float, mean: float, dispersion: float, alpha: float) -> float:
    """mean_gate_power on [0, 1], with the dispersion sd^2 / (mean (1 - mean)) in (0, 1]."""
    from scipy.optimize import brentq
    from scipy.special import betainc

    def tail(center: float) -> float:
        """P(the weighted mean <= bar) - alpha for a sample mean of `center`: falling in center."""
        middle = n * center / (n + 1)
        square = n * (dispersion * center * (1.0 - center) + center * center) / (n + 1)
        variance = (square - middle * middle) / (n + 2)
        size = middle * (1.0 - middle) / variance - 1.0
        return float(betainc(middle * size, (1.0 - middle) * size, bar)) - alpha

    best = feasible_bound(n, alpha)
    if best < bar:
        return 0.0
    needed = 1.0 if best == bar else float(brentq(tail, bar, 1.0))
    size = n / dispersion - 1.0
    if mean == 1.0 or size <= 0.0:
        return float(mean >= needed)
    return 1.0 - float(betainc(mean * size, (1.0 - mean) * size, needed))


def _on_unit_scale(
    threshold: float, true_mean: float, sd: float, lo: float, hi: float
) -> tuple[float, float, float]:
    """(threshold, mean, dispersion) after mapping [lo, hi] to [0, 1]."""
    lo, hi = number("lo", lo), number("hi", hi)
    if not lo < hi:
        raise ValueError(f"lo, hi: found [{lo!r}, {hi!r}], expected lo < hi.")
    bar = (number("threshold", threshold, lo, hi) - lo) / (hi - lo)
    mean = (number("true_mean", true_mean, lo, hi) - lo) / (hi - lo)
    most = math.sqrt(mean * (1.0 - mean))
    spread = number("sd", sd, 0.0) / (hi - lo)
    if spread > most + 1e-9:
        raise ValueError(
            f"sd: found {sd!r}, expected at most {most * (hi - lo):g}, that of two-valued scores with this mean."
        )
    dispersion = min(1.0, (spread / most) ** 2) if most else 1.0
    return probability("threshold", bar), mean, max(dispersion, 1e-12)


def _paired(margin: float, discordance: float, difference: float) -> tuple[float, float, float]:
    """Standard deviation of one difference if the truth were -margin, as it is, and the distance between the two."""
    margin = number("margin", margin, -1.0, 1.0)
    share = number("discordance", discordance, 0.0, 1.0)
    difference = number("difference", difference, -share, share)
    lost = constrained_loss((share + difference) / 2, (share - difference) / 2, 1, -margin)
    at_margin = math.sqrt(max(0.0, 2.0 * lost - margin * (1.0 + margin)))
    return at_margin, math.sqrt(max(0.0, share - difference**2)), margin + difference


def _z(alpha: float) -> float:
    """The upper alpha-quantile of the standard normal."""
    from scipy.special import ndtri

    return -float(ndtri(alpha))
