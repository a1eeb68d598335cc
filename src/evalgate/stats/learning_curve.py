"""Learning curves: err(n) = e + b n^-c over nested sizes of training data, with what is known of their future.

Fine-tuning has a flat phase before the power law sets in (Lin et al. 2024, arXiv:2402.02314): the smallest sizes are left out
until the rest fits, by the classical test of lack of fit against pure error, the spread between seeds of one size. The
rectified form of that paper is not built: its four parameters would be fitted to hardly more sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from evalgate.stats.inputs import Floats, Numbers, integer, number, probability, vector

MIN_SIZES = 5
MIN_SEEDS = 3
DRAWS = 200
_EXPONENTS: Floats = np.arange(5, 121, 5) / 100
"""c in [.05, 1.2]: below, no data set would ever be large enough; above, no language model has been seen to learn."""
_LACK_OF_FIT = 0.05


class NotEnoughPoints(ValueError):  # noqa: N818 (a state of the evidence, not a mistake)
    """There are too few sizes or seeds to fit anything."""


class LearningCurve(NamedTuple):
    """A fitted curve with its bootstrap draws.

    `sizes` are those that were fitted, `dropped` the smaller ones before the bend. `misfit`: p-value of lack of fit; below
    0.05 not even the largest sizes follow the form, and the draws are as wide as the misfit. `draws`: (draws, 3) of (e, b, c).
    """

    e: float
    b: float
    c: float
    sizes: tuple[float, ...]
    dropped: tuple[float, ...]
    misfit: float
    draws: Floats

    def at(self, n: float) -> float:
        """The fitted error after training on `n` > 0 rows."""
        return float(_value(np.array([[self.e, self.b, self.c]]), n)[0])

    def drawn(self, n: float) -> Floats:
        """The error at `n` > 0 of every draw."""
        return _value(self.draws, n)

    def interval(self, n: float, alpha: float = 0.05) -> tuple[float, float]:
        """Both one-sided ends at `alpha` of the error at `n`: percentiles of the draws."""
        alpha = probability("alpha", alpha)
        low, high = np.quantile(self.drawn(n), [alpha, 1 - alpha])
        return float(low), float(high)


class _Sizes(NamedTuple):
    """The points of each size: `error` their mean, `scale` the variance of one point as far as it is known beforehand."""

    n: Floats
    error: Floats
    scale: Floats
    seeds: Floats
    spread: float
    """Variance between seeds, in units of `scale`."""
    df: int


def fit_learning_curve(
    sizes: Numbers,
    errors: Numbers,
    ses: Numbers | None = None,
    *,
    seed: int,
    stream: int = 0,
    draws: int = DRAWS,
) -> LearningCurve:
    """The weighted least squares curve through points (size > 0, error >= 0), one per size and seed, e and b >= 0.

    `ses`: standard error of each, from the items it was measured on; without (a loss), the spread between seeds, taken as a
    share of the error, is all that is known. Points of all sizes and of other curves are measured on the same items, so what the
    spread between seeds does not show of `ses` moves them together: curves fitted with the same `seed` and another `stream`
    share these draws. Raises NotEnoughPoints (fewer than 5 sizes, or 3 seeds of one), ValueError.
    """
    n = vector("sizes", sizes, lo=math.ulp(0.0))
    error = vector("errors", errors, lo=0.0)
    se = None if ses is None else vector("ses", ses, lo=math.ulp(0.0))
    if len(error) != len(n) or (se is not None and len(se) != len(n)):
        raise ValueError(
            f"errors: found {len(error)} for {len(n)} sizes, expected as many of each."
        )
    draws, seed, stream = integer("draws", draws, 1), integer("seed", seed), integer("stream", stream)  # fmt: skip
    whole = _by_size(n, error, se)
    part, fitted, misfit = _behind_the_bend(whole)
    noise = _noise(part, seed, stream, draws, shared=se is not None, fitted=fitted)
    drawn = _fit(part, np.maximum(_value(fitted[None, :], part.n) + noise, 0.0))
    e, b, c = fitted.tolist()
    dropped = tuple(whole.n[: len(whole.n) - len(part.n)].tolist())
    return LearningCurve(e, b, c, tuple(part.n.tolist()), dropped, misfit, drawn)


def better_probability(current: LearningCurve, challenger: LearningCurve, n: float) -> float:
    """Pr(the challenger's error at `n` is below the current one's): the share of paired draws, ties for half.

    Both must have been fitted with as many draws, from one seed and two streams.
    """
    number("n", n, lo=math.ulp(0.0))
    ours, theirs = challenger.drawn(n), current.drawn(n)
    if len(ours) != len(theirs):
        raise ValueError(f"draws: found {len(ours)} and {len(theirs)}, expected as many of both.")
    return float(np.mean(ours < theirs) + np.mean(ours == theirs) / 2)


def _by_size(n: Floats, error: Floats, se: Floats | None) -> _Sizes:
    """The points by size, the smallest first. Raises NotEnoughPoints."""
    found = np.unique(n)
    groups = [error[n == size] for size in found]
    fewest = min(map(len, groups), default=0)
    if len(found) < MIN_SIZES or fewest < MIN_SEEDS:
        raise NotEnoughPoints(
            f"not enough points to fit: found {len(found)} sizes with {fewest} seeds at the least, expected {MIN_SIZES} sizes "
            f"with {MIN_SEEDS} seeds each."
        )
    mean = np.array([group.mean() for group in groups])
    if se is None:
        scale = np.maximum(mean, mean.max() / 100) ** 2 if mean.max() > 0 else np.ones(len(mean))
    else:
        scale = np.array([np.mean(se[n == size] ** 2) for size in found])
    df = len(n) - len(found)
    squares = sum(((g - m) ** 2).sum() / s for g, m, s in zip(groups, mean, scale, strict=True))
    seeds = np.array([len(group) for group in groups], dtype=np.float64)
    return _Sizes(found, mean, scale, seeds, float(squares) / df, df)


def _behind_the_bend(points: _Sizes) -> tuple[_Sizes, Floats, float]:
    """The largest sizes that follow the form, at least five of them, with (e, b, c) and the p-value of lack of fit."""
    for first in range(len(points.n) - MIN_SIZES + 1):
        part = points._replace(
            n=points.n[first:],
            error=points.error[first:],
            scale=points.scale[first:],
            seeds=points.seeds[first:],
        )
        fitted = _fit(part, part.error[None, :])[0]
        misfit = _misfit(part, fitted)
        if misfit >= _LACK_OF_FIT:
            break
    return part, fitted, misfit


def _excess(part: _Sizes, fitted: Floats) -> float:
    """Mean square of the residuals, in units of `scale`, by degrees of freedom."""
    residual = part.error - _value(fitted[None, :], part.n)
    return float((residual**2 * part.seeds / part.scale).sum()) / (len(part.n) - 3)


def _misfit(part: _Sizes, fitted: Floats) -> float:
    """p-value of the F test of lack of fit against pure error; 1 where the curve runs through the points."""
    excess = _excess(part, fitted)
    if excess < 1e-12:
        return 1.0
    from scipy.special import fdtrc

    return float(fdtrc(len(part.n) - 3, part.df, excess / max(part.spread, 1e-12)))


def _noise(
    part: _Sizes, seed: int, stream: int, draws: int, *, shared: bool, fitted: Floats
) -> Floats:
    """(draws, sizes): what the errors would differ by if all was done again, in the items, too, if `shared`."""
    own = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, stream)))
    common = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    apart = max(part.spread, _excess(part, fitted))
    noise: Floats = own.standard_normal((draws, len(part.n))) * np.sqrt(
        apart * part.scale / part.seeds
    )
    if shared:
        together = max(0.0, 1.0 - part.spread)
        noise += common.standard_normal((draws, 1)) * np.sqrt(together * part.scale)
    return noise


def _fit(part: _Sizes, errors: Floats) -> Floats:
    """(e, b, c) of each row of `errors`, shape (rows, sizes): over grids of c, each finer than the last, the best e and b."""
    grid = np.broadcast_to(_EXPONENTS, (len(errors), len(_EXPONENTS)))
    for step in (0.005, 0.0005):
        best = _best(part, errors, grid)[:, 2:]
        near = best + step * np.arange(-10, 11)
        grid = np.clip(near, _EXPONENTS[0], _EXPONENTS[-1])
    return _best(part, errors, grid)


def _best(part: _Sizes, errors: Floats, grid: Floats) -> Floats:
    """(e, b, c) with c from each row's `grid`, shape (rows, exponents), and the closed form of non-negative e and b."""
    weight = part.seeds / part.scale
    weight = weight / weight.sum()
    powers = (part.n / part.n[-1]) ** -grid[:, :, None]  # (rows, exponents, sizes)
    mean_x, mean_y = powers @ weight, errors @ weight
    apart = powers - mean_x[:, :, None]
    y = errors[:, None, :]
    b = (y * apart) @ weight / (apart**2 @ weight)
    e = mean_y[:, None] - b * mean_x
    flat = b <= 0  # then the best curve is the mean
    b, e = np.where(flat, 0.0, b), np.where(flat, mean_y[:, None], e)
    sunk = e < 0  # then the best one tends to no error at all
    b, e = np.where(sunk, (y * powers) @ weight / (powers**2 @ weight), b), np.where(sunk, 0.0, e)
    residual = y - e[:, :, None] - b[:, :, None] * powers
    at = np.arange(len(errors)), np.argmin(residual**2 @ weight, axis=1)
    c = grid[at]
    return np.stack([e[at], b[at] * part.n[-1] ** c, c], axis=1)


def _value(curves: Floats, n: float | Iterable[float]) -> Floats:
    """The errors e + b n^-c of curves, shape (curves, 3), at one n, or of each at every n, shape (curves, sizes)."""
    e, b, c = curves.T
    if isinstance(n, np.ndarray):
        return np.asarray(e[:, None] + b[:, None] * n[None, :] ** -c[:, None])
    return np.asarray(e + b * float(n) ** -c)  # type: ignore[arg-type]
