"""From estimates to findings, from findings to the one decision that every output renders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from evalgate.authored import GateFile
from evalgate.authored.gate_toml import is_difference
from evalgate.errors import EvalgateError, Exit, InfrastructureError, IntegrityError
from evalgate.metrics import Estimate
from evalgate.metrics.estimate import Binary, Census
from evalgate.records import Bar, Decision, Finding, FindingStatus, Record, Verdict
from evalgate.report.numbers import shown

_CLOSE = 5e-4  # a Monte Carlo bound this near to its threshold is computed again with ten times the draws
_DRAWS = 20_000  # Monte Carlo error of a bound about 2e-4
_FINE_DRAWS = 200_000


class Bypass(Record, kw_only=True):
    """A way around a claim: a missing or extra test, a skip, a filtered row. It closes the gate."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def find(
    *,
    suite: str,
    test: str,
    bar: Bar,
    estimate: Estimate,
    alpha: float,
    seed: int,
    unscored_max: float,
) -> Finding:
    """What one threshold finds. PASS needs the whole interval on the right side; a point never decides.

    `alpha` is one-sided for each end. `seed` comes from the plan, so the same evidence gives the same bits.
    """
    low, high = estimate.bounds(alpha, seed, draws=max(_DRAWS, math.ceil(1_000 / alpha)))
    target = bar.min if bar.min is not None else bar.max
    near = target is not None and any(
        b is not None and abs(b - target) < _CLOSE for b in (low, high)
    )
    if near:
        low, high = estimate.bounds(alpha, seed, draws=max(_FINE_DRAWS, math.ceil(10_000 / alpha)))
    status, reason = _judge(bar, estimate, low, high, unscored_max)
    needed = None
    if status == "inconclusive" and target is not None:
        needed = _more_units(estimate, bar, low, high, alpha)
    return Finding(
        suite=suite,
        test=test,
        status=status,
        estimate=estimate.value,
        low=low,
        high=high,
        units=estimate.units,
        items=estimate.items,
        unscored=estimate.unscored,
        threshold=threshold_of(bar),
        method=estimate.method,
        alpha=alpha,
        needed=needed,
        reason=reason,
        worst=estimate.worst,
        answers=estimate.answers,
    )


def threshold_of(bar: Bar) -> dict[str, float | bool]:
    """The bar as it stands in gate.toml: {"min": 0.85}, {"max": 0.05} or {"all": true}."""
    if bar.min is not None:
        return {"min": bar.min}
    if bar.max is not None:
        return {"max": bar.max}
    return {"all": True}


def _more_units(
    estimate: Estimate, bar: Bar, low: float | None, high: float | None, alpha: float
) -> int | None:
    from evalgate.stats import more_units_needed

    return more_units_needed(
        value=estimate.value,
        low=low,
        high=high,
        units=estimate.units,
        minimum=bar.min,
        maximum=bar.max,
        alpha=alpha,
        binary=isinstance(estimate.sample, Binary),
    )


def _judge(
    bar: Bar, estimate: Estimate, low: float | None, high: float | None, unscored_max: float
) -> tuple[FindingStatus, str]:
    if estimate.sample.kind == "first_release":
        return "pass", "first release: there is no baseline to compare with"
    if bar.judge == "screen":
        return (
            "insufficient",
            'judge = "screen" is for development: a judge\'s word alone never promotes',
        )
    if estimate.insufficient:
        return "insufficient", estimate.insufficient
    if estimate.items and estimate.unscored / estimate.items > unscored_max:
        return "insufficient", (
            f"{estimate.unscored} of {estimate.items} items have no {'score' if estimate.judge else 'answer'}, "
            f"at most {unscored_max:.0%} may"
        )
    if bar.all or estimate.census:
        return _judge_census(bar, estimate)
    if (bar.max is None) == estimate.lower_is_better:
        wanted = "max" if estimate.lower_is_better else "min"
        return (
            "insufficient",
            f"the metric is better when it is {'low' if wanted == 'max' else 'high'}; its row needs {wanted}",
        )
    if low is None or high is None or estimate.value is None:
        return "insufficient", "there is no interval to hold against the threshold"
    return _judge_interval(bar, low, high)


def _judge_census(bar: Bar, estimate: Estimate) -> tuple[FindingStatus, str]:
    if not bar.all or not isinstance(estimate.sample, Census):
        return "insufficient", "must_pass(answers) and the threshold { all = true } belong together"
    wrong = estimate.sample.wrong
    if wrong:
        return "fail", f"{len(wrong)} of {estimate.items} must-pass items are wrong: {_some(wrong)}"
    return "pass", ""


def _judge_interval(bar: Bar, low: float, high: float) -> tuple[FindingStatus, str]:
    if bar.min is not None:
        passes, fails, target, side = low >= bar.min, high < bar.min, bar.min, "below"
    else:
        assert bar.max is not None
        passes, fails, target, side = high <= bar.max, low > bar.max, bar.max, "above"
    if passes:
        return "pass", ""
    if fails:
        return "fail", f"proven {side} {target:g}"
    return "inconclusive", f"the interval {shown(low, high)} straddles {target:g}"


def _some(ids: Sequence[str], limit: int = 5) -> str:
    return ", ".join(ids[:limit]) + (f" and {len(ids) - limit} more" if len(ids) > limit else "")


def decide(
    *,
    expected: Iterable[tuple[str, str]],
    findings: Iterable[Finding],
    bypasses: Sequence[Bypass] = (),
    troubles: Sequence[EvalgateError] = (),
    model: Mapping[str, str],
    plan: str,
) -> Decision:
    """The decision. Open only if every expected (suite, test) has a passing finding and nothing else speaks.

    When several hold, integrity (5) goes before closed (1), infrastructure (4) and undecided (3). A missing finding
    counts as a bypass unless an outage explains it.
    """
    wanted = list(expected)
    by_key = {(f.suite, f.test): f for f in findings}
    ordered = [by_key[key] for key in wanted if key in by_key]
    integrity = [str(t) for t in troubles if isinstance(t, IntegrityError)]
    outages = [str(t) for t in troubles if isinstance(t, InfrastructureError)]
    others = [str(t) for t in troubles if not isinstance(t, (IntegrityError, InfrastructureError))]
    around = [str(b) for b in bypasses]
    if not troubles and not bypasses:
        around += [f"{s}: no finding for {t!r}" for s, t in wanted if (s, t) not in by_key]
    if not wanted and not troubles:
        around.append("gate.toml: no threshold at all")
    failed = [_line(f) for f in ordered if f.status == "fail"]
    open_questions = [_line(f) for f in ordered if f.status in ("inconclusive", "insufficient")]

    reasons = [*integrity, *around, *failed, *outages, *others, *open_questions]
    verdict: Verdict
    if integrity:
        verdict, code = "closed", Exit.INTEGRITY
    elif around or failed:
        verdict, code = "closed", Exit.CLOSED
    elif outages:
        verdict, code = "undecided", Exit.INFRASTRUCTURE
    elif others or open_questions:
        verdict, code = "undecided", Exit.UNDECIDED
    else:
        verdict, code = "open", Exit.OPEN
    return Decision(
        decision=verdict,
        exit=int(code),
        reasons=tuple(reasons),
        model=dict(model),
        plan=plan,
        findings=tuple(ordered),
        retry=code is Exit.INFRASTRUCTURE,
        integrity=tuple(integrity),
    )


def disagreements(
    findings: Iterable[Finding], gate: GateFile, alphas: Mapping[str, float] | None = None
) -> list[str]:
    """What speaks against an open decision with these findings under this gate.toml; empty if nothing does.

    `alphas`: by suite, where it is not the file's own (an attempt on a sealed set spends less).
    Statuses are not believed: each finding's own interval must meet the threshold as it stands in the file.
    """
    by_key = {(f.suite, f.test): f for f in findings}
    faults = [
        f"{suite} {key}: a screening row can never pass"
        for suite, rows in gate.suites.items()
        for key, bar in rows.items()
        if bar.judge == "screen"
    ]
    for suite, rows in gate.suites.items():
        for key, bar in rows.items():
            found = by_key.get((suite, key))
            alpha = gate.settings.alpha if alphas is None else alphas.get(suite)
            if found is None:
                faults.append(f"{suite} {key} has no finding")
            elif found.threshold != threshold_of(bar) or found.alpha != alpha:
                faults.append(f"{suite} {key} was held against another threshold or alpha")
            elif found.status != "pass" or not borne_out(
                found, first_release=gate.settings.first_release
            ):
                faults.append(f"{suite} {key} does not pass by its own numbers")
    return faults


def borne_out(found: Finding, *, first_release: bool) -> bool:
    """Whether a finding that says pass passes by its own numbers; the differences of a first release have none."""
    if found.units < 1 or found.items < 1:
        return False
    if first_release and is_difference(found.test):
        return True
    low, high = found.threshold.get("min"), found.threshold.get("max")
    if low is not None:
        return found.low is not None and found.low >= low
    if high is not None:
        return found.high is not None and found.high <= high
    return bool(found.threshold.get("all")) and found.estimate == 1.0


def _line(f: Finding) -> str:
    text = f"{f.suite} {f.test}: {f.reason or f.status}"
    if f.estimate is not None and f.status != "insufficient":
        text += f" (estimate {f.estimate:.4f}, {f.units} units)"
    if f.needed is not None:
        text += f"; about {f.needed} more units would decide at this estimate"
    return text
