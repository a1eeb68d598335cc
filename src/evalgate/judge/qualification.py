"""May a judge decide a criterion? Its answers held against clinicians', item by item.

The sound side is called positive nowhere here, to spare readers the question which side is meant: `recognised` is the
share of outputs in order that the judge calls in order (sensitivity, where the right output is the positive one), `found`
the share of faulty outputs that it calls faulty (specificity). A lenient judge has 0.98 and 0.50.

The rule is that of the project's statistics page, "Judges and clinicians". Not qualified is the default.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from evalgate import stats
from evalgate.authored.labels import Label
from evalgate.authored.rubric import SCALE, Criterion, Rubric
from evalgate.judge.calibration_table import (
    ALPHA,
    ITEMS_TO_ASSIST,
    ITEMS_TO_DECIDE,
    MARGIN,
    MOST_FLIPS,
    REPEATED,
    Clinicians,
    CriterionReport,
    Difference,
    Positions,
    Rate,
    Standing,
)
from evalgate.judge.people import Unused, settling, usable, worst
from evalgate.judge.scoring import UNSCORED, in_order
from evalgate.judge.verdicts import Verdicts
from evalgate.records import Record

if TYPE_CHECKING:
    from evalgate.stats.inputs import Floats

RESAMPLES = 10_000
SELF_PREFERENCE = 0.03
"""A difference between arms that is proven to exceed this is an alarm."""


class Reading(Record, kw_only=True):
    """One output as the judge and the clinicians read it, by one criterion.

    `judge`: an answer of the criterion, or "void". `clinicians`: each rater's answer. `adjudicated`: what settled their
    dispute, "" if nothing did. `length`: characters of the output. `repeats`: the judge's answers when it was asked the
    same again. `stratum`: a severity, or whatever else must hold up on its own. `simulated`: a rater is no clinician.
    """

    item: str
    unit: str
    judge: str
    clinicians: dict[str, str] = msgspec.field(default_factory=dict)
    adjudicated: str = ""
    length: int = 0
    repeats: tuple[str, ...] = ()
    stratum: str = ""
    simulated: bool = False


class _Labelled(Record, kw_only=True):
    """A reading with its reference, and whether the output is in order by it and by the judge (None: unscored).

    `given`: the clinicians' answers that say something, without their names.
    """

    reading: Reading
    given: tuple[str, ...]
    truth: str
    sound: bool
    called: bool | None


def qualify_rubric(
    rubric: Rubric,
    verdicts: Verdicts,
    labels: Iterable[Label],
    *,
    drawn: Collection[str] | None = None,
    slices: frozenset[str] | None = None,
    lengths: Mapping[str, int] | None = None,
    repeats: Mapping[tuple[str, str], Sequence[str]] | None = None,
    strata: Mapping[str, str] | None = None,
    seed: int = 0,
) -> tuple[CriterionReport, ...]:
    """`qualify` for every criterion of a rubric, from the verdicts and labels about one model's outputs.

    Labels about other outputs, of an earlier wording, not given blind or of items beside `drawn` (None: any will do) are
    counted and left out. `slices`: the tags whose items the judge was asked about, None for every item; of the others it
    is not silent, it was not asked. `lengths` and `strata` by item, `repeats` by (item, criterion).
    """
    rows = (row for row in verdicts if slices is None or slices & {*row.tags})
    judged = {row.id: row for row in rows if row.output}
    by_criterion: dict[str, list[Label]] = {c.id: [] for c in rubric.criteria}
    named = set()
    for label in labels:
        by_criterion.get(label.criterion, []).append(label)
        named.add(label.item)
    cases = verdicts.cases(named)
    reports = []
    for criterion in rubric.criteria:
        kept, unused = usable(
            by_criterion[criterion.id], rubric, cases, drawn=drawn, simulated=True
        )
        told: dict[str, list[Label]] = {}
        for label in kept:
            if not label.repeat:
                told.setdefault(label.item, []).append(label)
        asked = judged.values() if criterion.judged_by != ("clinician",) else ()
        readings = [
            Reading(
                item=row.id,
                unit=row.unit,
                judge=row.answer(criterion.id),
                clinicians={x.who: x.answer for x in told.get(row.id, ()) if not x.adjudicates},
                adjudicated=_settled(criterion, told.get(row.id, ())),
                length=(lengths or {}).get(row.id, 0),
                repeats=tuple((repeats or {}).get((row.id, criterion.id), ())),
                stratum=(strata or {}).get(row.id, ""),
                simulated=any(x.simulated for x in told.get(row.id, ())),
            )
            for row in asked
        ]
        reports.append(qualify(criterion, readings, unused=unused, seed=seed))
    return tuple(reports)


def qualify(
    criterion: Criterion,
    readings: Iterable[Reading],
    *,
    unused: Unused | None = None,
    seed: int = 0,
) -> CriterionReport:
    """What a judge is worth for one criterion, and what it may therefore do.

    It decides with at least 200 items that two clinicians answered, if it is proven to find half of the faulty outputs
    (0.90 of them where the criterion is critical) in every stratum, if its macro-F1 against clinicians is proven to lie
    at most 0.05 below theirs among themselves (bootstrap over units), and if it is proven to answer otherwise on at most 0.10
    of 100 items or more (all, if fewer are labelled) when it is asked again (not asked of code). It assists where it is proven better than chance on 50 items
    or more: it calls faulty outputs faulty more often than sound ones, which is kappa above 0. `judged_by` can only
    narrow that, and labels of people who are no clinicians count for nothing. What code answers is "by code" until then.

    The order of the readings changes no bit, and neither do the raters' names. Raises ValueError for an item given twice
    and for an answer that is none of the criterion's.
    """
    ordered = sorted(readings, key=lambda r: (r.unit, r.item))
    _check(criterion, ordered)
    references = [_reference(criterion, reading) for reading in ordered]
    labelled = [
        _Labelled(
            reading=reading,
            given=tuple(a for a in reading.clinicians.values() if a not in UNSCORED),
            truth=truth,
            sound=in_order(criterion, truth) is True,
            called=in_order(criterion, reading.judge),
        )
        for reading, truth in zip(ordered, references, strict=True)
        if truth and truth not in UNSCORED
    ]
    answers = [x.reading.judge for x in labelled]
    truths = [x.truth for x in labelled]
    # A category of its own would make chance agreement rarer, and so a void would raise AC1.
    said = [
        _opposite(criterion, t) if a in UNSCORED else a
        for a, t in zip(answers, truths, strict=True)
    ]
    weighted, alpha = _on_the_scale(criterion, said, truths)
    strata = sorted({x.reading.stratum for x in labelled})
    repeated = [r for r in ordered if r.repeats]
    report = CriterionReport(
        criterion=criterion.id,
        critical=criterion.critical,
        judged=len(ordered),
        labelled=len(labelled),
        double=sum(len(x.given) > 1 for x in labelled),
        unsure=sum(truth in UNSCORED for truth in references),
        disputed=sum(not x.reading.adjudicated and len(set(x.given)) > 1 for x in labelled),
        raters=len({rater for r in ordered for rater in r.clinicians}),
        agreement=_rate(labelled, lambda x: x.reading.judge == x.truth),
        kappa=_number(stats.cohen_kappa(said, truths)) if labelled else None,
        ac1=_number(stats.gwet_ac1(said, truths)) if labelled else None,
        weighted_kappa=weighted,
        alpha=alpha,
        macro_f1=stats.macro_f1(truths, answers, classes=sorted(set(truths))) if labelled else None,
        found=_found(labelled),
        recognised=_rate([x for x in labelled if x.sound], lambda x: x.called is True),
        strata={
            name: _found([x for x in labelled if x.reading.stratum == name])
            for name in strata
            if len(strata) > 1
        },
        clinicians=_beside_clinicians([x for x in labelled if len(x.given) > 1], seed),
        flips=_flips(repeated) if repeated else None,
        length=_leniency_with_length(labelled),
        unscored=dict(sorted(Counter(r.judge for r in ordered if r.judge in UNSCORED).items())),
        simulated=sum(r.simulated for r in ordered),
        unused=unused or Unused(),
        standing="clinician only",
        reason="",
    )
    standing, reason = _standing(criterion, report)
    if criterion.by_code and standing != "decides":  # no judge is asked, and none is found wanting
        standing = "by code"
    return msgspec.structs.replace(report, standing=standing, reason=reason)


def _settled(criterion: Criterion, labels: Iterable[Label]) -> str:
    final = settling(labels)
    return worst(criterion, final) if final else ""


def _check(criterion: Criterion, readings: Sequence[Reading]) -> None:
    seen: set[str] = set()
    possible = {*criterion.answers, "void"}
    for reading in readings:
        if reading.item in seen:
            raise ValueError(f"readings: found {reading.item!r} twice, expected each item once.")
        seen.add(reading.item)
        of_people = {*reading.clinicians.values(), *filter(None, [reading.adjudicated])}
        wrong = {reading.judge, *reading.repeats} - possible | of_people - set(criterion.answers)
        if wrong:
            raise ValueError(
                f"{reading.item} {criterion.id}: found {min(wrong)!r}, expected one of {', '.join(criterion.answers)}."
            )


def _reference(criterion: Criterion, reading: Reading) -> str:
    """What is taken for true, "cannot_tell" included; "" where no clinician answered."""
    if reading.adjudicated:
        return reading.adjudicated
    given = set(reading.clinicians.values())
    return worst(criterion, given) if given else ""


def _rate(labelled: Sequence[_Labelled], hit: Callable[[_Labelled], bool]) -> Rate:
    return _share([hit(x) for x in labelled], [x.reading.unit for x in labelled])


def _share(hits: Sequence[bool], units: Sequence[str]) -> Rate:
    if not hits:
        return Rate(hits=0, of=0, low=0.0, high=1.0)
    means = stats.unit_means(hits, units)
    share = sum(hits) / len(hits)
    # Of clusters the bound is about the mean over units; it is never shown on the wrong side of the share of items.
    return Rate(
        hits=sum(hits),
        of=len(hits),
        low=min(share, stats.worst_atom_lower(means, alpha=ALPHA)),
        high=max(share, stats.worst_atom_upper(means, alpha=ALPHA)),
    )


def _found(labelled: Iterable[_Labelled]) -> Rate:
    return _rate([x for x in labelled if not x.sound], lambda x: x.called is False)


def _flips(repeated: Sequence[Reading]) -> Rate:
    return _share([{r.judge} != {*r.repeats} for r in repeated], [r.unit for r in repeated])


def _opposite(criterion: Criterion, truth: str) -> str:
    """The answer furthest from the true one."""
    if criterion.kind == "scale":
        return SCALE[0] if truth in SCALE[2:] else SCALE[-1]
    return "not_met" if truth == "met" else "met"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _on_the_scale(
    criterion: Criterion, answers: Sequence[str], truths: Sequence[str]
) -> tuple[float | None, float | None]:
    """(quadratic kappa, Krippendorff's ordinal alpha) over the items to which both gave a step."""
    pairs = [(int(a), int(t)) for a, t in zip(answers, truths, strict=True) if {a, t} <= {*SCALE}]
    if criterion.kind != "scale" or not pairs:
        return None, None
    judge, truth = [a for a, _ in pairs], [t for _, t in pairs]
    steps = [int(step) for step in SCALE]
    return (
        _number(stats.weighted_kappa(judge, truth, "quadratic", scale=steps)),
        _number(stats.krippendorff_alpha([judge, truth], "ordinal")),
    )


def _leniency_with_length(labelled: Sequence[_Labelled]) -> float | None:
    scored = [x for x in labelled if x.called is not None]
    lenient = [float(bool(x.called) - x.sound) for x in scored]
    lengths = [float(x.reading.length) for x in scored]
    if len(set(lenient)) < 2 or len(set(lengths)) < 2:
        return None
    return statistics.correlation(lenient, lengths)


def _beside_clinicians(double: Sequence[_Labelled], seed: int) -> Clinicians | None:
    """Judge against single clinicians, and clinicians against each other, on the same items.

    Per item and answer c with n of k clinicians: they agree on c in n (n-1) of their k (k-1) pairs and name it 2 n / k
    times a pair; the judge agrees with n of k and names it [judge says c] + n / k times. F1 of c is
    2 x agreed / named over all items.
    """
    if not double:
        return None
    import numpy as np

    classes = sorted({answer for x in double for answer in x.given})
    by_unit: dict[str, Floats] = {}
    for x in double:
        given = Counter(x.given)
        k = given.total()
        row = np.zeros((4, len(classes)))
        for at, answer in enumerate(classes):
            n, said = given[answer], x.reading.judge == answer
            row[:, at] = said * n / k, said + n / k, n * (n - 1) / (k * (k - 1)), 2 * n / k
        by_unit[x.reading.unit] = by_unit.get(x.reading.unit, 0.0) + row.ravel()

    def parts(totals: Floats) -> Floats:
        return totals.reshape(4, len(classes), -1)

    def difference(totals: Floats) -> Floats:
        agreed, named, agreed_people, named_people = parts(totals)
        return _f1(agreed, named) - _f1(agreed_people, named_people)

    rows = np.array(list(by_unit.values()))
    total = np.array([[math.fsum(column)] for column in rows.T.tolist()])
    agreed, named, agreed_people, named_people = parts(total)
    return Clinicians(
        items=len(double),
        judge=float(_f1(agreed, named)[0]),
        human=float(_f1(agreed_people, named_people)[0]),
        judge_agreement=float(agreed.sum()) / len(double),
        human_agreement=float(agreed_people.sum()) / len(double),
        difference=_ends(float(difference(total)[0]), difference(_resampled(rows, seed))),
    )


def _f1(agreed: Floats, named: Floats) -> Floats:
    """Macro-F1 of each column of (classes, resamples); a class that nobody names in a resample scores 0 there."""
    import numpy as np

    each = np.divide(2.0 * agreed, named, out=np.zeros(named.shape), where=named > 0.0)
    return np.asarray(each.sum(axis=0) / len(each))


def _resampled(rows: Floats, seed: int) -> Floats:
    """Totals of the columns of `rows` (units x columns) in resamples with replacement: columns x RESAMPLES.

    Units with equal rows are drawn together, in one order: the order of the units changes no bit.
    """
    import numpy as np

    from evalgate.stats.draws import distinct_rows

    kinds, counts = distinct_rows(rows)
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    times = generator.multinomial(len(rows), counts / len(rows), size=RESAMPLES)
    totals = np.zeros((rows.shape[1], RESAMPLES))
    for row, drawn in zip(kinds, times.T, strict=True):
        totals += row[:, None] * drawn
    return totals


def _ends(value: float, resampled: Floats) -> Difference:
    from evalgate.stats.draws import lower_end, rank, upper_end

    place = rank(len(resampled), ALPHA)
    return Difference(
        value=value,
        low=min(value, lower_end(resampled, place)),
        high=max(value, upper_end(resampled, place)),
    )


def _standing(criterion: Criterion, r: CriterionReport) -> tuple[Standing, str]:
    """What the judge may do and why, in one sentence with the numbers."""
    if criterion.judged_by == ("clinician",):
        return "clinician only", "The rubric asks clinicians only."
    if not r.labelled:
        return "clinician only", "No clinician has labelled these outputs: it was never calibrated."
    if r.simulated:
        told = f"{r.simulated} of {r.labelled + r.unsure} items have labels of people who are no clinicians"
        return "clinician only", f"{told}; such labels qualify nobody."
    if r.labelled < ITEMS_TO_ASSIST:
        told = f"{r.labelled} items are labelled, at least {ITEMS_TO_ASSIST} are needed to assist"
        return "clinician only", f"{told} and {ITEMS_TO_DECIDE} to decide."
    if not r.found.of:
        told = f"None of the {r.labelled} labelled outputs is faulty"
        return "clinician only", f"{told}: nothing shows that it finds a fault."
    if r.found.low + r.recognised.low <= 1.0:
        return "clinician only", f"It is not proven better than chance: {_both(r)}."
    if missed := _missed(criterion, r):
        return "assists", f"It may not decide: {'; '.join(missed)}."
    low = r.clinicians.difference.low if r.clinicians else 0.0
    margin = f"lies at most {_ceil(-low)} below" if low < 0.0 else "is proven not to lie below"
    told = f"it is proven to find {_floor(r.weakest.low)} of the faulty outputs"
    return "decides", f"It may decide: {told}, and its macro-F1 {margin} the clinicians'."


def _both(r: CriterionReport) -> str:
    return (
        f"it found {r.found.hits} of {r.found.of} faulty outputs and recognised {r.recognised.hits} of "
        f"{r.recognised.of} that are in order"
    )


def _missed(criterion: Criterion, r: CriterionReport) -> list[str]:
    """The conditions for deciding that are not met."""
    missed = []
    if r.double < ITEMS_TO_DECIDE:
        missed.append(
            f"{r.double} items have answers of two clinicians, {ITEMS_TO_DECIDE} are needed"
        )
    if r.weakest.low < r.must_find:
        missed.append(
            f"it found {r.weakest.hits} of {r.weakest.of} faulty outputs, which proves {_floor(r.weakest.low)} "
            f"and must prove {r.must_find:.2f}"
        )
    if r.clinicians and r.clinicians.difference.low < -MARGIN:
        missed.append(
            f"its macro-F1 of {r.clinicians.judge:.2f} may lie {_ceil(-r.clinicians.difference.low)} below the "
            f"clinicians' {r.clinicians.human:.2f}, at most {MARGIN:.2f} is allowed"
        )
    if r.flips and r.flips.high > MOST_FLIPS:
        missed.append(
            f"it answered otherwise on {r.flips.hits} of {r.flips.of} items when asked again, which may be "
            f"{_ceil(r.flips.high)} of all, at most {MOST_FLIPS:.2f} is allowed"
        )
    again = r.flips.of if r.flips else 0
    if again < min(REPEATED, r.labelled) and not criterion.by_code:
        missed.append(
            f"whether it repeats itself was measured on {again} items, {min(REPEATED, r.labelled)} are needed"
            if again
            else "whether it repeats itself was not measured"
        )
    return missed


def _floor(x: float) -> str:
    return f"{math.floor(x * 1e4) / 1e4:.4f}"


def _ceil(x: float) -> str:
    return f"{math.ceil(x * 1e4) / 1e4:.4f}"


def self_preference(
    own: Sequence[float], others: Sequence[float], *, seed: int = 0
) -> tuple[Difference, bool]:
    """(mean(Y - f) of outputs of the judge's own family, less that of others; whether it is an alarm).

    Y in [0, 1] is the clinicians' result of a unit and f the judge's. Below 0: the judge flatters its family. An alarm:
    either end of the interval (units of each arm resampled) lies beyond 0.03. Raises ValueError without units.
    """
    import numpy as np

    from evalgate.stats.inputs import vector

    arms = [vector("own", own, -1.0, 1.0), vector("others", others, -1.0, 1.0)]
    if not all(map(len, arms)):
        raise ValueError("own, others: found no units in an arm, expected at least one in each.")
    means = [
        _resampled(arm[:, None], at)[0] / len(arm)
        for arm, at in zip(arms, np.random.SeedSequence(seed).generate_state(2), strict=True)
    ]
    value = math.fsum(arms[0]) / len(arms[0]) - math.fsum(arms[1]) / len(arms[1])
    found = _ends(value, means[0] - means[1])
    return found, found.low > SELF_PREFERENCE or found.high < -SELF_PREFERENCE


def settle_order(forward: str, backward: str) -> str:
    """The winner that a judge names in both orders, else "tie". "a" and "b" name the outputs, not their places."""
    return forward if forward == backward and forward in ("a", "b") else "tie"


def position_consistency(pairs: Iterable[tuple[str, str]]) -> Positions:
    """How often a pairwise judge names the same winner in both orders.

    Each pair: what it said with output a first, and with output b first: "a", "b", "tie", or "void" (never consistent).
    """
    found = list(pairs)
    wrong = {said for pair in found for said in pair} - {"a", "b", "tie", "void"}
    if wrong:
        raise ValueError(f"pairs: found {min(wrong)!r}, expected a, b, tie or void.")
    same = [forward == backward != "void" for forward, backward in found]
    return Positions(
        consistent=_share(same, [str(at) for at in range(len(found))]),
        first=found.count(("a", "b")),
        last=found.count(("b", "a")),
    )
