"""Metrics: rows -> Estimate. One streaming pass over `records.Answer`s; bounds are computed when asked for.

Light to import: numpy, scipy and rapidfuzz are loaded by the first bound or the first relaxed match.
"""

from evalgate.metrics.census import must_pass
from evalgate.metrics.classification import accuracy, class_recall, macro_f1
from evalgate.metrics.entities import f1, precision, recall
from evalgate.metrics.estimate import (
    MIN_UNITS,
    Binary,
    Bounds,
    Census,
    Difference,
    Estimate,
    FirstRelease,
    MacroF1,
    PairedBinary,
    Ratio,
    Sample,
    UnitMean,
)
from evalgate.metrics.paired import paired_difference
from evalgate.metrics.rates import mean, rate
from evalgate.metrics.tally import fingerprint

__all__ = [
    "MIN_UNITS",
    "Binary",
    "Bounds",
    "Census",
    "Difference",
    "Estimate",
    "FirstRelease",
    "MacroF1",
    "PairedBinary",
    "Ratio",
    "Sample",
    "UnitMean",
    "accuracy",
    "class_recall",
    "f1",
    "fingerprint",
    "macro_f1",
    "mean",
    "must_pass",
    "paired_difference",
    "precision",
    "rate",
    "recall",
]
