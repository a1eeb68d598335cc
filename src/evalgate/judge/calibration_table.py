"""What a judge is worth, criterion by criterion: the records of a qualification. Ids, counts and shares, never a text."""

from __future__ import annotations

from typing import Literal

from evalgate.judge.people import Unused
from evalgate.records import ModelIdentity, Record

Standing = Literal["decides", "assists", "by code", "clinician only"]
"""What a judge may do for one criterion: answer alone, help clinicians to sort, or nothing. The last is the default.

"by code": no judge is asked, and people's labels have not yet shown how often the code is wrong.
"""

ITEMS_TO_DECIDE = 200
"""Items that two clinicians or more answered: with fewer the standard error of kappa exceeds 0.07."""
ITEMS_TO_ASSIST = 50
REPEATED = 100
"""Labelled items about which a judge is asked again before it decides; all, where there are fewer."""
MARGIN = 0.05
"""By how much the judge's macro-F1 may lie below the clinicians' among themselves."""
MUST_FIND = 0.50
"""The share of faulty outputs that a judge must be proven to find."""
MUST_FIND_CRITICAL = 0.90
"""The same for a critical criterion: 29 faulty outputs and none missed."""
MOST_FLIPS = 0.10
"""The share of items on which a judge may answer otherwise when it is asked again."""
ALPHA = 0.05
"""Every end of every interval is one-sided at this level."""


class Rate(Record, kw_only=True):
    """`hits` of `of` items; `low` and `high`: a one-sided 95 % bound on either side, 0 and 1 without items.

    Clopper-Pearson where every item is a unit of its own. Else the worst-atom bound of the mean over units.
    """

    hits: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The share, None without items."""
        return self.hits / self.of if self.of else None


class Difference(Record, kw_only=True):
    """A difference with a one-sided 95 % bootstrap bound on either side."""

    value: float
    low: float
    high: float


class Clinicians(Record, kw_only=True):
    """The judge beside the clinicians, on the `items` that two of them or more answered; each item weighs the same.

    `judge` and `human`: macro-F1 of the judge against single clinicians, and of clinicians against each other, over the
    answers that clinicians gave. `judge_agreement` and `human_agreement`: the shares of such pairs with equal answers.
    `difference`: `judge` less `human`.
    """

    items: int
    judge: float
    human: float
    judge_agreement: float
    human_agreement: float
    difference: Difference


class CriterionReport(Record, kw_only=True):
    """One criterion. The reference of an item is its adjudicated answer, else the clinicians' common one, else the worst.

    An output is faulty by a must-have that is not met, a fault that is met, or a step below the middle of a scale.

    judged: items with an answer of the judge, void ones included. labelled: those of them with a reference; the shares
    below are of these. double: those that two clinicians or more answered. unsure: a clinician could not tell, and
    nobody settled it; such an item is no reference. disputed: items whose reference is the worst of several answers.
    raters: how many clinicians there were.
    agreement: the judge's answer is the reference. A void or "cannot_tell" of the judge never agrees, finds or recognises.
    found: faulty outputs that the judge calls faulty. recognised: outputs in order that the judge calls so.
    strata: `found` by severity, where more than one was named.
    kappa, ac1, weighted_kappa (quadratic), alpha (Krippendorff, ordinal): None where undefined; a void stands for the
    opposite of the reference there. The last two are for scales, over the items to which both gave a step. macro_f1: against the reference, over the answers that occur in it.
    clinicians: None where no item has two. flips: items answered otherwise when asked again, None where not measured.
    length: Pearson correlation of the judge's leniency (1 calls a faulty output sound, -1 a sound one faulty) with the
    output's length; None where undefined. unscored: how many of `judged` are void or cannot_tell.
    simulated: items with a label of somebody who is no clinician. unused: labels that are in none of these numbers.
    """

    criterion: str
    critical: bool
    judged: int
    labelled: int
    double: int
    unsure: int
    disputed: int
    raters: int
    agreement: Rate
    kappa: float | None
    ac1: float | None
    weighted_kappa: float | None
    alpha: float | None
    macro_f1: float | None
    found: Rate
    recognised: Rate
    strata: dict[str, Rate]
    clinicians: Clinicians | None
    flips: Rate | None
    length: float | None
    unscored: dict[str, int]
    simulated: int
    unused: Unused
    standing: Standing
    reason: str

    @property
    def must_find(self) -> float:
        """The share of faulty outputs that a deciding judge must be proven to find."""
        return MUST_FIND_CRITICAL if self.critical else MUST_FIND

    @property
    def weakest(self) -> Rate:
        """`found` in the severity where least is proven."""
        return min((self.found, *self.strata.values()), key=lambda rate: rate.low)


class Qualification(Record, kw_only=True):
    """One judge held against the clinicians of one suite. `rubric` and `labels` are digests, `when` UTC in ISO 8601.

    `notes` must stand above every number.
    """

    suite: str
    rubric: str
    version: str
    judge: ModelIdentity
    candidate: ModelIdentity | None
    criteria: tuple[CriterionReport, ...]
    when: str = ""
    labels: str = ""
    notes: tuple[str, ...] = ()

    @property
    def deciding(self) -> frozenset[str]:
        """The criteria that the judge decides."""
        return frozenset(c.criterion for c in self.criteria if c.standing == "decides")


class Positions(Record, kw_only=True):
    """Pairs judged in both orders. Of the inconsistent ones `first` chose whichever came first, `last` the other."""

    consistent: Rate
    first: int
    last: int
