"""Prediction-powered inference: few clinician labels, many judge scores, an honest bound of the clinicians' mean.

`worst_atom_ppi_lower` decides. `ppi_mean_lower` (Angelopoulos, Duchi and Zrnic 2023, normal quantiles) is for reports:
near a pass rate of 0.9 to 0.95 with 50 to 200 labels it promotes a model at the threshold two to four times as often
as it promises.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from evalgate.stats.draws import Statistic, distinct_rows, lower_end, settings, simulate
from evalgate.stats.inputs import (
    Counts,
    Floats,
    Numbers,
    distinct,
    number,
    probability,
    same_length,
    vector,
)
from evalgate.stats.units import unit_means
from evalgate.stats.worst_atom import worst_atom_lower

Units = Sequence[Hashable]


def worst_atom_ppi_lower(
    Y: Numbers | None = None,
    Yhat: Numbers | None = None,
    Yhat_unlabeled: Numbers | None = None,
    *,
    Y_counts: Counts | None = None,
    Yhat_unlabeled_counts: Counts | None = None,
    lam: float | None = None,
    alpha: float = 0.05,
    units: Units | None = None,
    units_unlabeled: Units | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Lower bound, at least 0, of the mean of Y in [0, 1] from n labelled units and judge scores Yhat in [0, 1] of all.

    The alpha-quantile of sum w_i (Y_i - lam Yhat_i) - w_0 lam + lam sum v_j Yhat_unlabeled_j: one Dirichlet with one
    worst atom for the labelled, one for the unlabelled. The labelled must be a random subset, drawn before scoring.
    `lam=None` tunes it (`ppi_power_tuning`); lam = 0 is the plain worst-atom bound of the labels (Clopper-Pearson for
    0/1). `units` and `units_unlabeled` name the conversation or member of each row; each unit then counts once, with
    its own mean. `Y_counts` ([[value, count], ..]) suffices where lam is 0. Validity rests on simulation.
    """
    alpha = probability("alpha", alpha)
    if Yhat is None:
        _labels_only(Yhat_unlabeled, Yhat_unlabeled_counts, lam)
        if units is not None and Y is not None:
            Y = unit_means(vector("Y", Y, 0.0, 1.0), units)
        return worst_atom_lower(Y, x_counts=Y_counts, alpha=alpha, draws=draws, seed=seed)
    if Y is None:
        raise ValueError("Y: found Yhat without Y, expected the label of each scored item.")
    y, f = _labelled(Y, Yhat, units)
    rest = _unlabelled(Yhat_unlabeled, Yhat_unlabeled_counts, units_unlabeled)
    share = _tuned(y, f, rest) if lam is None else number("lam", lam, 0.0, 1.0)
    if share == 0.0 or len(y) == 0:
        return worst_atom_lower(y, alpha=alpha, draws=draws, seed=seed)
    point = _point(y, f, rest, share)
    alpha, draws, place, seed = settings(len(y) + len(rest), alpha, draws, seed)

    def labelled(totals: Floats, atom: Floats) -> Floats:
        return np.asarray((totals[0] - share * atom) / (totals[1] + atom))

    def unlabelled(totals: Floats, atom: Floats) -> Floats:
        return np.asarray(share * totals[0] / (totals[1] + atom))

    first, second = (int(s) for s in np.random.SeedSequence(seed).generate_state(2, np.uint64))
    rectifier = _draw(y - share * f, labelled, draws, first)
    bound = lower_end(rectifier + _draw(rest, unlabelled, draws, second), place)
    return max(0.0, min(bound, point))


def worst_atom_ppi_upper(
    Y: Numbers,
    Yhat: Numbers | None = None,
    Yhat_unlabeled: Numbers | None = None,
    *,
    lam: float | None = None,
    alpha: float = 0.05,
    units: Units | None = None,
    units_unlabeled: Units | None = None,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Upper bound, at most 1, of the mean of Y: the lower bound of the mean of 1 - Y, with 1 - Yhat as its judge."""
    return 1.0 - worst_atom_ppi_lower(
        1.0 - vector("Y", Y, 0.0, 1.0),
        None if Yhat is None else 1.0 - vector("Yhat", Yhat, 0.0, 1.0),
        None
        if Yhat_unlabeled is None
        else 1.0 - vector("Yhat_unlabeled", Yhat_unlabeled, 0.0, 1.0),
        lam=lam,
        alpha=alpha,
        units=units,
        units_unlabeled=units_unlabeled,
        draws=draws,
        seed=seed,
    )


def ppi_power_tuning(Y: Numbers, Yhat: Numbers, Yhat_unlabeled: Numbers) -> float:
    """The weight lam in [0, 1] given to the judge: clip(cov(Y, Yhat) / ((1 + n/N) var(all Yhat)), 0, 1), ddof 1.

    0 without unlabelled scores, and 0 where the correlation is below 1/sqrt(n-2): such a judge is noise.
    """
    y, f = _labelled(Y, Yhat, None)
    return _tuned(y, f, np.sort(vector("Yhat_unlabeled", Yhat_unlabeled, 0.0, 1.0)))


def ppi_mean_point(
    Y: Numbers, Yhat: Numbers, Yhat_unlabeled: Numbers, *, lam: float | None = None
) -> float:
    """The point estimate mean(Y) + lam (mean(Yhat_unlabeled) - mean(Yhat)); lam tuned as for the worst-atom bound."""
    y, f = _labelled(Y, Yhat, None)
    rest = np.sort(vector("Yhat_unlabeled", Yhat_unlabeled, 0.0, 1.0))
    if not len(y):
        raise ValueError("Y: found 0 labels, expected at least 1.")
    return _point(y, f, rest, _tuned(y, f, rest) if lam is None else number("lam", lam, 0.0, 1.0))


def ppi_mean_lower(
    Y: Numbers,
    Yhat: Numbers,
    Yhat_unlabeled: Numbers | None = None,
    *,
    Yhat_unlabeled_counts: Counts | None = None,
    alpha: float = 0.05,
    lam: float | None = None,
) -> dict[str, float]:
    """{"point", "lower"} of PPI++ with normal quantiles, as ppi_py computes it (population variances). Report only."""
    from scipy.special import ndtri

    alpha = probability("alpha", alpha)
    y, f = _labelled(Y, Yhat, None)
    rest = _unlabelled(Yhat_unlabeled, Yhat_unlabeled_counts, None)
    if not len(y) or not len(rest):
        raise ValueError(
            f"Y: found {len(y)} labels and {len(rest)} unlabelled scores, expected both."
        )
    if lam is None:
        spread = float(np.var(np.concatenate((f, rest)), ddof=1))
        covariance = float(((y - y.mean()) * (f - f.mean())).mean())
        tuned = covariance / ((1.0 + len(y) / len(rest)) * spread) if spread > 0.0 else 0.0
        share = min(1.0, max(0.0, tuned))
    else:
        share = number("lam", lam, 0.0, 1.0)
    point = _point(y, f, rest, share)
    error = math.sqrt(np.var(y - share * f) / len(y) + np.var(share * rest) / len(rest))
    return {"point": point, "lower": point + float(ndtri(alpha)) * error}


def _labels_only(rest: Numbers | None, rest_counts: Counts | None, lam: float | None) -> None:
    if lam is not None and number("lam", lam, 0.0, 1.0) > 0.0:
        raise ValueError(
            f"Yhat: found none with lam = {lam!r}, expected the judge's score of each label."
        )
    if lam is None and (rest is not None or rest_counts is not None):
        raise ValueError(
            "Yhat: found unlabelled scores only, expected the judge's score of each label too."
        )


def _labelled(y: Numbers, f: Numbers, units: Units | None) -> tuple[Floats, Floats]:
    """(Y, Yhat), collapsed to unit means where units are named, in canonical order."""
    labels, scores = vector("Y", y, 0.0, 1.0), vector("Yhat", f, 0.0, 1.0)
    same_length(Y=labels, Yhat=scores)
    if units is not None:
        same_length(Y=labels, units=units)
        where: dict[Hashable, list[int]] = {}
        for at, unit in enumerate(units):
            where.setdefault(unit, []).append(at)
        places = list(where.values())
        labels = np.array([math.fsum(labels[p]) / len(p) for p in places])
        scores = np.array([math.fsum(scores[p]) / len(p) for p in places])
    order = np.lexsort((scores, labels))
    return labels[order], scores[order]


def _unlabelled(rest: Numbers | None, rest_counts: Counts | None, units: Units | None) -> Floats:
    """Judge scores of the unlabelled items (or units), sorted; empty where there are none."""
    if rest_counts is not None:
        return np.repeat(*distinct("Yhat_unlabeled", rest, rest_counts, 0.0, 1.0))
    scores = vector("Yhat_unlabeled", () if rest is None else rest, 0.0, 1.0)
    return np.sort(scores) if units is None else unit_means(scores, units)


def _tuned(y: Floats, f: Floats, rest: Floats) -> float:
    labelled, unlabelled = len(y), len(rest)
    if labelled < 3 or unlabelled == 0:
        return 0.0
    own, spread = float(np.var(f, ddof=1)), float(np.var(np.concatenate((f, rest)), ddof=1))
    truth = float(np.var(y, ddof=1))
    if own <= 0.0 or spread <= 0.0 or truth <= 0.0:
        return 0.0
    covariance = float(((y - y.mean()) * (f - f.mean())).sum()) / (labelled - 1)
    if covariance / math.sqrt(own * truth) < 1.0 / math.sqrt(labelled - 2):
        return 0.0
    return min(1.0, covariance / ((1.0 + labelled / unlabelled) * spread))


def _point(y: Floats, f: Floats, rest: Floats, lam: float) -> float:
    if lam == 0.0:
        return math.fsum(y) / len(y)
    if not len(rest):
        raise ValueError(f"Yhat_unlabeled: found 0 scores with lam = {lam!r}, expected at least 1.")
    return math.fsum(y - lam * f) / len(y) + lam * math.fsum(rest) / len(rest)


def _draw(values: Floats, statistic: Statistic, draws: int, seed: int) -> Floats:
    rows, counts = distinct_rows(np.column_stack((values, np.ones(len(values)))))
    return simulate(rows, counts, statistic, draws, seed)
