"""The overfit alarm: does a model score better on the dev set, which everybody may look at, than on the sealed one?

Both are samples of the same population, so the two scores differ by chance alone unless somebody has tuned to the items. For
each metric the difference is held against two standard errors; with many metrics one in forty says so by chance.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

from evalgate.records import Decision, Finding, Record

ERRORS: Final = 2.0
"""Standard errors above which a metric is named."""


class Overfit(Record, kw_only=True):
    """A metric that is better on dev than on sealed items by more than chance explains. `errors`: in standard errors."""

    suite: str
    test: str
    dev: float
    sealed: float
    errors: float

    def __str__(self) -> str:
        return (
            f"{self.suite} {self.test}: {self.dev:.4f} on dev, {self.sealed:.4f} on sealed items, "
            f"{self.errors:.1f} standard errors apart"
        )


def overfit(dev: Decision, sealed: Decision) -> tuple[Overfit, ...]:
    """The metrics of both decisions whose dev score is better by more than two standard errors of the difference."""
    known = {(f.suite, f.test): f for f in dev.findings}
    found = []
    for ours in sealed.findings:
        theirs = known.get((ours.suite, ours.test))
        apart = errors_apart(theirs, ours) if theirs else None
        if theirs is not None and apart is not None and apart > ERRORS:
            assert theirs.estimate is not None
            assert ours.estimate is not None
            found.append(
                Overfit(
                    suite=ours.suite,
                    test=ours.test,
                    dev=theirs.estimate,
                    sealed=ours.estimate,
                    errors=apart,
                )
            )
    return tuple(found)


def errors_apart(dev: Finding, sealed: Finding) -> float | None:
    """By how many standard errors dev is the better one; None where a finding has no interval (a census)."""
    ours, theirs = _standard_error(sealed), _standard_error(dev)
    if ours is None or theirs is None or dev.estimate is None or sealed.estimate is None:
        return None
    gain = dev.estimate - sealed.estimate
    if "max" in sealed.threshold:  # of faults, fewer are better
        gain = -gain
    return gain / math.hypot(ours, theirs)


def _standard_error(finding: Finding) -> float | None:
    """Half the interval in units of the normal quantile that its ends stand for: exact intervals are wider, so it is not small."""
    if finding.low is None or finding.high is None or not 0 < finding.alpha < 0.5:
        return None
    width = finding.high - finding.low
    return width / (2 * NormalDist().inv_cdf(1 - finding.alpha)) if width > 0 else None
