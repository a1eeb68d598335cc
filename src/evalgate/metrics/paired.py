"""Candidate against baseline on the same items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from evalgate.metrics.estimate import Estimate, FirstRelease
from evalgate.metrics.tally import Pair, unpaired
from evalgate.records import Answer


def paired_difference(
    metric: Callable[..., Estimate],
    rows: Iterable[Answer],
    baseline_rows: Iterable[Answer] | FirstRelease,
    /,
    **kwargs: Any,
) -> Estimate:
    """Candidate minus baseline of `metric`, unit by unit: `paired_difference(recall, answers, baseline, tag="spanish")`.

    metric: a metric of unit means (recall, precision, f1, accuracy, class_recall, rate, mean) or any function of rows
    that returns one of them; `kwargs` are its own. Where every unit holds one item that is right or wrong, the bound is
    Tango's, else the worst-atom bound of the differences in [-1, 1]. With a baseline whose `first_release` is true the
    value is None and nothing is compared.

    Raises ValueError unless both sides hold the same items in the same units with the same gold (never an intersection),
    TypeError for a metric that has no unit means (macro_f1, must_pass, average="micro").
    """
    estimate = metric(Pair(rows, baseline_rows), **kwargs)
    if not isinstance(estimate, Estimate) or not estimate.difference:
        unpaired(f"a metric that returned {type(estimate).__name__}")
    return estimate
