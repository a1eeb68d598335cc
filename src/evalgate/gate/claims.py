"""What one claim measures, outside pytest: its own test function is called with a threshold that only listens."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from evalgate.authored import GoldSet
from evalgate.authored.gate_toml import is_difference, split_key
from evalgate.errors import EvalgateError, UsageError
from evalgate.metrics import Estimate
from evalgate.metrics.rates import ItemError
from evalgate.metrics.tally import NotPairedError, Pair
from evalgate.records import Bar
from evalgate.suite import Answers, FirstRelease, LoadedSuite

_SPARING = ("skip", "skipif", "xfail")
"""Marks of a test from which the gate takes no finding."""


class _Listener:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def met_by(self, estimate: Any) -> bool:
        self.heard.append(estimate)
        return True


def estimate_of(
    loaded: LoadedSuite,
    key: str,
    answers: Any,
    baseline: Any,
    *,
    what: str,
    judged: Mapping[str, Any] = MappingProxyType({}),
) -> Estimate | None:
    """What the test of `key` measures on `answers`; None if it cannot be called outside pytest.

    A `Pair` in place of answers is for `paired_of`: a metric that cannot pair refuses it (NotPairedError).
    `what` names the answers in the error, `judged` holds `verdicts` and `calibration` where there are any. Raises UsageError (EG503) if the test itself fails or does not give exactly
    one estimate to met_by, IntegrityError if the answers are not what was recorded.
    """
    base, _, parameter = key.partition("[")
    function = loaded.functions.get(base)
    if function is None:
        return None
    listener = _Listener()
    arguments: dict[str, Any] = {
        "answers": answers,
        "baseline": baseline,
        "threshold": listener,
        **judged,
        **_parameters(function, parameter.removesuffix("]")),
    }
    wanted = inspect.signature(function).parameters
    if not set(wanted) <= set(arguments):
        return None
    try:
        function(**{name: arguments[name] for name in wanted})
    except (EvalgateError, KeyboardInterrupt):
        raise
    except ItemError as e:
        found = f"{e.found} at the item {e.item}, in test_{base} on {what}"
        mend = f"the item ({loaded.suite.gold}), the test or its metric"
    except BaseException as e:  # a suite's own code, exits and skips too: its words may quote an item, its kind does not
        if isinstance(e, NotPairedError) and isinstance(answers, Pair):
            raise
        found, mend = f"{type(e).__name__} in test_{base} on {what}", "the test or its metric"
    else:
        heard = listener.heard
        if len(heard) == 1 and isinstance(heard[0], Estimate):
            return heard[0]
        given = " and ".join(type(value).__name__ for value in heard) or "nothing"
        found, mend = f"{given} given to met_by in test_{base} on {what}", "the test"
    raise UsageError(
        f"found {found}, expected a finding. Mend {mend}.",
        where=f"suites/{loaded.path.name}",
        code="EG503",
    )


def paired_of(
    loaded: LoadedSuite, key: str, ours: Answers, theirs: Answers, *, what: str = "a pair"
) -> Estimate | None:
    """Ours minus theirs, unit by unit, by the test of `key`; None where its metric has no unit means, or as for `estimate_of`.

    A row that itself compares with the baseline takes `theirs` for it. Raises as `estimate_of`: a test that fails on these answers is no
    metric without a difference.
    """
    if is_difference(key):
        return estimate_of(loaded, key, ours, theirs, what=what)
    try:  # metrics of unit means take a pair in place of rows
        return estimate_of(loaded, key, Pair(ours, theirs), FirstRelease(), what=what)
    except NotPairedError:
        return None


def _parameters(function: Any, parameter: str) -> dict[str, Any]:
    """Values of a test parametrised over one name, for the case whose id is `parameter`."""
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args[0], mark.args[1]
            matching = [v for v in values if str(v) == parameter]
            if isinstance(names, str) and "," not in names and matching:
                return {names: matching[0]}
    return {}


def refused(loaded: LoadedSuite, key: str, estimate: Estimate, bar: Bar) -> str | None:
    """Why the gate would take no finding from this test with this estimate: its marks, `uncovered` or `misjudged`."""
    for mark in loaded.marks.get(key.partition("[")[0], ()):
        if mark in _SPARING:
            return f"its test is marked {mark}"
    return uncovered(estimate, key, loaded.gold) or misjudged(estimate, bar)


def misjudged(estimate: Estimate, bar: Bar) -> str | None:
    """Why the row and its test do not agree about a judge's part in the number; None if they do."""
    if estimate.judge == bar.judge:
        return None
    found = {
        "screen": "the finding is a judge's word alone",
        "calibrated": "the finding is a judge's word corrected by labels",
        None: "no judge has a part in the finding",
    }[estimate.judge]
    if estimate.judge is None:
        return f'{found}, its row says judge = "{bar.judge}"'
    return f'{found}, expected judge = "{estimate.judge}" in its row'


def uncovered(estimate: Estimate, key: str, gold: GoldSet) -> str | None:
    """Why the estimate is not what its row speaks of, every item of the gold set or of the row's slice; None if it is."""
    if estimate.difference != is_difference(key):
        found = "a difference" if estimate.difference else "a level"
        return f"the finding is {found}, the row's name says otherwise (*_vs_baseline compares with the baseline)"
    parameter = split_key(key)[1]
    tag = parameter if parameter in gold.tags else None
    if estimate.census:
        tag = "must_pass"
    if estimate.tag != tag:
        said = f"the slice {estimate.tag!r}" if estimate.tag else "the whole gold set"
        meant = f"the slice {tag!r}" if tag else "the whole gold set"
        return f"the finding is about {said}, the row about {meant}"
    items = gold.items_with_tag(tag) if tag else len(gold)
    if estimate.items != items or estimate.coverage != gold.fingerprint(tag):
        return f"the finding accounts for {estimate.items} items, expected exactly the {items} of the gold set"
    return None
