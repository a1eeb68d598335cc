"""`evalgate plan`: what each claim could show, before anything is asked.

Every test is run once by hand on errorless answers (the gold set's own), with a threshold that only listens. So the
plan speaks of the very metric, slice and unit count that will decide, and not of a second description of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalgate.authored import nearest
from evalgate.authored.gate_toml import is_difference, split_key
from evalgate.errors import UsageError
from evalgate.gate.claims import estimate_of, refused
from evalgate.gate.decide import threshold_of
from evalgate.judge.metrics import Corrected
from evalgate.metrics import Estimate
from evalgate.metrics.estimate import Difference, MacroF1, Ratio
from evalgate.records import Answer, Bar, Record
from evalgate.suite import FirstRelease, LoadedSuite, Project

TARGET_POWER = 0.96
"""Power that each claim should have, so that some twenty claims together still have about one half."""
DISCORDANCE = 0.05
"""Assumed share of items on which candidate and baseline differ, for margins."""
HOPELESS = 0.5
_SIMULATIONS = 60
_SIMULATED_DRAWS = 2_000


class PlanRow(Record, kw_only=True):
    """One claim. `needed` are units for TARGET_POWER at the assumed true value; None where that cannot be told."""

    suite: str
    test: str
    threshold: dict[str, float | bool]
    method: str
    units: int
    needed: int | None
    best: float | None
    assumed: float
    power: float
    note: str = ""


class _Errorless:
    """The gold set as if a model had answered it without an error."""

    def __init__(self, loaded: LoadedSuite) -> None:
        self._loaded = loaded

    def __len__(self) -> int:
        return len(self._loaded.gold)

    def __iter__(self) -> Iterator[Answer]:
        for _ordinal, item in self._loaded.gold.items():  # noqa: PERF102 (a gold set is no dict)
            suite = self._loaded.suite
            expected = suite.expected(item.expected)
            text, parsed = "", expected
            if isinstance(item.expected, str):
                text = item.expected
            elif isinstance(item.expected, dict) and isinstance(
                item.expected.get("reference"), str
            ):
                text = item.expected["reference"]  # a written task: the reference is the answer
                parsed = suite.parse(text)
            yield Answer(
                id=item.id,
                unit=item.unit,
                tags=item.tags,
                input=item.input,
                expected=expected,
                text=text,
                parsed=parsed,
                status="ok",
                correct=True,
            )


def plan_rows(project: Project, assumed: Mapping[str, float] | None = None) -> list[PlanRow]:
    """One row per threshold, in the order of gate.toml.

    `assumed` maps "suite.test" to a true value to plan for; by default a quarter of the error that the threshold
    allows, and a true difference of 0. Raises UsageError for a name that is no threshold.
    """
    assumed = dict(assumed or {})
    known = [f"{suite}.{key}" for suite, bars in project.gate.suites.items() for key in bars]
    for name, value in assumed.items():
        if name not in known:
            raise UsageError(
                f"found --true {name!r}, expected SUITE.TEST=VALUE of a threshold.{nearest(name, known)} "
                "'evalgate plan' names them."
            )
        if value < 0 and not is_difference(name.partition(".")[2]):
            raise UsageError(
                f"found --true {name}={value:g}, expected a value in [0, 1]: only comparisons can be negative."
            )
    rows = []
    for suite, loaded in project.suites.items():
        for key, bar in project.gate.suites[suite].items():
            estimate = errorless_estimate(
                loaded,
                key,
                first_release=project.gate.settings.first_release,
                review_items=project.gate.settings.review_items,
            )
            fault = refused(loaded, key, estimate, bar) if estimate else None
            rows.append(
                _row(
                    suite,
                    key,
                    bar,
                    estimate,
                    alpha=project.gate.settings.alpha,
                    true=assumed.get(f"{suite}.{key}"),
                    fault=fault,
                )
            )
    return rows


def joint_power(rows: list[PlanRow]) -> float:
    """Chance that all claims pass at their assumed true values, if they were independent (usually a lower bound)."""
    return math.prod(row.power for row in rows)


def errorless_estimate(
    loaded: LoadedSuite, key: str, *, first_release: bool = False, review_items: int | None = None
) -> Estimate | None:
    """What the test of `key` measures on errorless answers; None if it cannot be called outside pytest.

    `review_items`: how many of the judged answers are labelled, None: all.
    """
    answers = _Errorless(loaded)
    baseline = FirstRelease() if first_release else answers
    judged = _judged(loaded, key, answers, review_items) if loaded.rubric else {}
    return estimate_of(loaded, key, answers, baseline, what="errorless answers", judged=judged)


def _judged(
    loaded: LoadedSuite, key: str, answers: _Errorless, review_items: int | None
) -> dict[str, Any]:
    """Verdicts without a fault, and labels of the items that the review plan names, or of as many as it would."""
    assert loaded.rubric is not None
    from evalgate.judge.flawless import flawless, labelled_items

    if loaded.review is not None:
        labelled: Sequence[str] = loaded.review.items
    else:
        parameter = split_key(key)[1]
        tag = parameter if parameter in loaded.gold.tags else None
        labelled = labelled_items(answers, tag, review_items)
    verdicts, calibration = flawless(
        answers, loaded.rubric, size=len(loaded.gold), labelled=labelled
    )
    return {"verdicts": verdicts, "calibration": calibration}


def _row(  # noqa: C901, PLR0912 (one branch per kind of estimate)
    suite: str,
    key: str,
    bar: Bar,
    estimate: Estimate | None,
    *,
    alpha: float,
    true: float | None,
    fault: str | None,
) -> PlanRow:
    from evalgate import stats

    def row(**values: Any) -> PlanRow:
        return PlanRow(suite=suite, test=key, threshold=threshold_of(bar), **values)

    if estimate is None:
        return row(
            method="unknown", units=0, needed=None, best=None, assumed=math.nan, power=0.0,
            note="this test cannot be called outside pytest, so it cannot be planned",
        )  # fmt: skip
    needed: int | None
    units = len(estimate.sample.y) if isinstance(estimate.sample, Corrected) else estimate.units
    common: dict[str, Any] = {"method": estimate.method, "units": units}
    if lacking := fault or estimate.insufficient:
        return row(**common, needed=None, best=None, assumed=math.nan, power=0.0, note=lacking)
    if bar.judge == "screen":
        screening = 'judge = "screen" never promotes'
        return row(**common, needed=None, best=None, assumed=math.nan, power=0.0, note=screening)
    if estimate.census:
        return row(
            **common,
            needed=None,
            best=None,
            assumed=1.0 if true is None else true,
            power=(1.0 if true is None else true) ** estimate.items,
        )
    if estimate.sample.kind == "first_release":
        return row(
            **common,
            needed=None,
            best=None,
            assumed=0.0,
            power=1.0,
            note="first release: no baseline",
        )
    if estimate.difference:
        return row(**common, **_difference(estimate, bar, alpha, true))
    low, high = estimate.bounds(alpha, 0, draws=20_000)
    # One code path for both directions: a maximum on errors is a minimum on their absence.
    floor = bar.min if bar.min is not None else 1 - (bar.max or 0.0)
    value = 1 - (1 - floor) / 4 if true is None else (true if bar.min is not None else 1 - true)
    best = low if bar.min is not None else (None if high is None else 1 - high)
    note = ""
    if best is None or best < floor:
        note = "out of reach even without an error"
        power = 0.0
    elif isinstance(estimate.sample, MacroF1):
        power, note = _macro_power(estimate.sample, floor, value, alpha), "simulated"
    elif isinstance(estimate.sample, Ratio):
        power, note = _ratio_power(estimate.sample, floor, value, alpha), "simulated"
    else:
        # 0/1 scores have the largest variance of all scores in [0, 1] with this mean: for unit means a lower bound
        power = float(stats.gate_power(n=units, threshold=floor, alpha=alpha, p_true=value))
        if isinstance(estimate.sample, Corrected):
            note = f"by {units} labels alone; a judge that agrees with people adds power"
    try:
        needed = int(
            stats.required_n(
                threshold=floor, p_true=value, alpha=alpha, power=TARGET_POWER, sawtooth_run=40
            )
        )
    except ValueError:  # a true value at or below the threshold: no number of units is enough
        needed = None
    if isinstance(estimate.sample, Ratio):
        needed = None  # units of uneven size have no common count
    shown = value if bar.min is not None else 1 - value
    best_shown = best if best is None or bar.min is not None else 1 - best
    return row(**common, needed=needed, best=best_shown, assumed=shown, power=power, note=note)


def _difference(estimate: Estimate, bar: Bar, alpha: float, true: float | None) -> dict[str, Any]:
    """The planned values of a row that compares with the baseline."""
    from evalgate import stats

    needed: int | None
    # A maximum on the difference of error rates is a minimum on the difference of their absence.
    floor = bar.min if bar.min is not None else -(bar.max or 0.0)
    value = (
        (0.0 if floor < 0 else (floor + 1) / 2)
        if true is None
        else (true if bar.min is not None else -true)
    )
    spread = min(1.0, max(DISCORDANCE, abs(value)))
    power = float(
        stats.noninferiority_power(
            n=estimate.units, margin=-floor, discordance=spread, alpha=alpha, difference=value
        )
    )
    note = ""
    same = stats.noninferiority_feasible_bound(
        estimate.units, alpha, unit_means=isinstance(estimate.sample, Difference)
    )
    if floor < 0 and same < floor:
        power, note = 0.0, "out of reach where both models score alike in every unit"
    try:
        needed = int(
            stats.noninferiority_required_n(
                margin=-floor,
                discordance=spread,
                alpha=alpha,
                power=TARGET_POWER,
                difference=value,
            )
        )
    except (
        ValueError
    ):  # the true difference is at or below the margin: no number of units is enough
        needed = None
    return {"needed": needed, "best": same, "assumed": value, "power": power, "note": note}


def _ratio_power(sample: Ratio, floor: float, true: float, alpha: float) -> float:
    """Share of seeded simulations that pass, each counted thing right with probability `true`, independently."""
    import numpy as np

    rng = np.random.default_rng(0)
    passed = 0
    for i in range(_SIMULATIONS):
        num = tuple(int(n) for n in rng.binomial(np.array(sample.den), true))
        low, _ = Ratio(num=num, den=sample.den, den_max=sample.den_max).bounds(
            alpha, i, _SIMULATED_DRAWS
        )
        passed += low is not None and low >= floor
    return passed / _SIMULATIONS


def _macro_power(sample: MacroF1, floor: float, true: float, alpha: float) -> float:
    """Share of seeded simulations that pass, each item right with probability `true`, else any other class."""
    import numpy as np

    rng = np.random.default_rng(0)
    passed = 0
    for i in range(_SIMULATIONS):
        right = rng.random(len(sample.y)) < true
        guess = rng.integers(0, len(sample.classes) - 1, len(sample.y))
        others = {c: [o for o in sample.classes if o != c] for c in sample.classes}
        yhat = tuple(
            y if ok else others[y][g] for y, ok, g in zip(sample.y, right, guess, strict=True)
        )
        drawn = MacroF1(y=sample.y, yhat=yhat, units=sample.units, classes=sample.classes)
        low, _ = drawn.bounds(alpha, i, _SIMULATED_DRAWS)
        passed += low is not None and low >= floor
    return passed / _SIMULATIONS
