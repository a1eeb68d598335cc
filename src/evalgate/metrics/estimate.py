"""What a metric returns: an `Estimate`, carrying the sample that its interval is computed from.

A sample is the smallest canonical summary of the evidence (counts, or sorted values per unit), so that the order of the
rows cannot change a bit of any bound. numpy and scipy are loaded when a bound is asked for, not before.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

import msgspec

from evalgate.records import Record, Status

Bounds = tuple[float | None, float | None]
"""Lower and upper end, each one-sided at the alpha asked for; None where no honest bound exists."""

Kind = Literal["level", "difference", "census", "first_release"]

MIN_UNITS = 50
"""Fewest units of a clustered or macro metric; below it the worst-atom bounds were not simulated."""


class Sample(Protocol):
    """The evidence of one estimate. Rooms above (the judge) may bring samples of their own."""

    @property
    def kind(self) -> Kind:
        """A level in [0, 1], a difference in [-1, 1], a census, or nothing to compare with."""

    @property
    def method(self) -> str:
        """Name of the bound, as printed in findings and certificates."""

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Both one-sided ends at `alpha` in (0, 1). `draws` is for Monte Carlo bounds only."""


class Binary(Record, kw_only=True):
    """`k` of `n` independent units right (or, for a rate, hit). Both ends are exact (Clopper-Pearson)."""

    kind: ClassVar[Kind] = "level"
    method: ClassVar[str] = "Clopper-Pearson"
    k: int
    n: int

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Exact ends; `seed` and `draws` are not needed."""
        del seed, draws
        from evalgate.stats import cp_lower, cp_upper

        return (
            float(cp_lower(k=self.k, n=self.n, alpha=alpha)),
            float(cp_upper(k=self.k, n=self.n, alpha=alpha)),
        )


class _UnitScores(Record, kw_only=True):
    """Scores per unit as sorted (value, number of units) pairs."""

    x_counts: tuple[tuple[float, int], ...]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} units={sum(n for _, n in self.x_counts)}>"

    def _bounds(self, alpha: float, seed: int, draws: int | None, lo: float, hi: float) -> Bounds:
        from evalgate.stats import worst_atom_lower, worst_atom_upper

        counts = [list(pair) for pair in self.x_counts]
        low = worst_atom_lower(x_counts=counts, alpha=alpha, lo=lo, hi=hi, draws=draws, seed=seed)
        high = worst_atom_upper(x_counts=counts, alpha=alpha, lo=lo, hi=hi, draws=draws, seed=seed)
        return float(low), float(high)


class UnitMean(_UnitScores, kw_only=True):
    """Mean of unit scores declared to lie in [lo, hi] (worst-atom bound; Learned-Miller & Thomas 2019)."""

    kind: ClassVar[Kind] = "level"
    method: ClassVar[str] = "worst-atom mean over units"
    lo: float = 0.0
    hi: float = 1.0

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Monte Carlo; the same seed gives the same bits."""
        return self._bounds(alpha, seed, draws, self.lo, self.hi)


class Difference(_UnitScores, kw_only=True):
    """Mean of candidate minus baseline per unit, each in [-1, 1] (worst-atom bound)."""

    kind: ClassVar[Kind] = "difference"
    method: ClassVar[str] = "worst-atom mean of paired differences"

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Monte Carlo; the same seed gives the same bits."""
        return self._bounds(alpha, seed, draws, -1.0, 1.0)


class PairedBinary(Record, kw_only=True):
    """`n` independent pairs: `b` only the candidate scores, `c` only the baseline scores (Tango 1998)."""

    kind: ClassVar[Kind] = "difference"
    method: ClassVar[str] = "Tango score"
    b: int
    c: int
    n: int

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Closed form up to a root search; `seed` and `draws` are not needed."""
        del seed, draws
        from evalgate.stats import tango_lower, tango_upper

        return (
            float(tango_lower(b=self.b, c=self.c, n=self.n, alpha=alpha)),
            float(tango_upper(b=self.b, c=self.c, n=self.n, alpha=alpha)),
        )


class Ratio(Record, kw_only=True):
    """Sum of `num` over sum of `den` per unit (micro average), worst-atom bound with the declared largest unit.

    `den_max` is the largest `den` that the gold set's card declares. Without it there are no bounds: one unseen large
    and bad unit can then move the ratio as far as it likes.
    """

    kind: ClassVar[Kind] = "level"
    method: ClassVar[str] = "worst-atom ratio"
    num: tuple[int, ...]
    den: tuple[int, ...]
    den_max: int | None = None

    def __repr__(self) -> str:
        return f"<Ratio units={len(self.den)}>"

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Monte Carlo; (None, None) without a declared largest unit."""
        if self.den_max is None:
            return None, None
        from evalgate.stats import worst_atom_ratio_lower, worst_atom_ratio_upper

        num, den, top = list(self.num), list(self.den), float(self.den_max)
        low = worst_atom_ratio_lower(
            num=num, den=den, alpha=alpha, den_max=top, draws=draws, seed=seed
        )
        high = worst_atom_ratio_upper(
            num=num, den=den, alpha=alpha, den_max=top, draws=draws, seed=seed
        )
        return float(low), float(high)


class MacroF1(Record, kw_only=True):
    """Gold and predicted class of every item; `units` numbers the unit of each, None if every item is its own.

    A `yhat` of None is a wrong prediction of no class.
    """

    kind: ClassVar[Kind] = "level"
    method: ClassVar[str] = "worst-atom macro-F1"
    y: tuple[str, ...]
    yhat: tuple[str | None, ...]
    units: tuple[int, ...] | None
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<MacroF1 items={len(self.y)} classes={len(self.classes)}>"

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Monte Carlo; the same seed gives the same bits."""
        from evalgate.stats import worst_atom_macro_f1_bounds

        low, high = worst_atom_macro_f1_bounds(
            y=list(self.y),
            yhat=list(self.yhat),
            units=None if self.units is None else list(self.units),
            classes=list(self.classes),
            alpha=alpha,
            draws=draws,
            seed=seed,
        )
        return float(low), float(high)


class Census(Record, kw_only=True):
    """Every item of a group, so there is nothing to infer: the group is right if no id is listed."""

    kind: ClassVar[Kind] = "census"
    method: ClassVar[str] = "census"
    wrong: tuple[str, ...]
    n: int

    def __repr__(self) -> str:
        return f"<Census n={self.n} wrong={len(self.wrong)}>"

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """(None, None): a census has no sampling error."""
        del alpha, seed, draws
        return None, None


class FirstRelease(Record, kw_only=True):
    """Stands where a baseline is missing because nothing was ever released; the sample of what results, too."""

    kind: ClassVar[Kind] = "first_release"
    method: ClassVar[str] = "first release, no baseline"
    first_release: ClassVar[bool] = True

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """(None, None): there is nothing to compare with."""
        del alpha, seed, draws
        return None, None


class Estimate(Record, kw_only=True):
    """The value of one metric with all that a gate needs to trust it.

    `value` is the point estimate: in [0, 1], for differences in [-1, 1], None without evidence. `units` counts the units
    that have a denominator; `items` every item accounted for, scored or not; `unscored` those never answered (status
    "missing") or never scored ("unscored"). `coverage` is `metrics.fingerprint` of the accounted ids, `tag` the restriction they answer to.
    `lower_is_better` is true of error rates and their differences: their rows need `max`. `insufficient` says why no verdict may rest on this estimate, "" if one may.
    `worst` are the ids of the few worst items, worst first; `answers` counts the items accounted for by their status.
    `judge`: "screen" if a judge's word stands in it uncorrected, "calibrated" if people's labels correct it, else None.
    """

    metric: str
    value: float | None
    units: int
    items: int
    unscored: int
    coverage: int
    sample: Sample
    tag: str | None = None
    insufficient: str = ""
    lower_is_better: bool = False
    worst: tuple[str, ...] = ()
    answers: dict[Status, int] = msgspec.field(default_factory=dict)
    judge: Literal["screen", "calibrated"] | None = None

    @property
    def method(self) -> str:
        """Name of the bound."""
        return self.sample.method

    @property
    def difference(self) -> bool:
        """Whether this is candidate minus baseline: compared with a margin, in [-1, 1]."""
        return self.sample.kind in ("difference", "first_release")

    @property
    def census(self) -> bool:
        """Whether every item of the group was examined: no interval, all must be right."""
        return self.sample.kind == "census"

    def bounds(self, alpha: float, seed: int, draws: int | None = None) -> Bounds:
        """Lower and upper end, each one-sided at `alpha` in (0, 1); the same seed gives the same bits.

        (None, None) without a value. An insufficient estimate still has bounds where they can be computed: they may be
        shown, never tested.
        """
        if self.value is None:
            return None, None
        return self.sample.bounds(alpha, seed, draws)

    def __repr__(
        self,
    ) -> str:  # pytest prints operands of a failed assertion; no clinical text may be among them
        value = "none" if self.value is None else f"{self.value:.4f}"
        return f"<Estimate {self.metric} {value} units={self.units} items={self.items}>"
