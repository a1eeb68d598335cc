"""What one claim measures, outside pytest: its own test function is called with a threshold that only listens."""

from __future__ import annotations

import inspect
from typing import Any

from evalgate.errors import EvalgateError, UsageError
from evalgate.metrics import Estimate
from evalgate.suite import LoadedSuite


class _Listener:
    def __init__(self) -> None:
        self.estimate: Estimate | None = None

    def met_by(self, estimate: Estimate) -> bool:
        self.estimate = estimate
        return True


def estimate_of(
    loaded: LoadedSuite, key: str, answers: Any, baseline: Any, *, what: str
) -> Estimate | None:
    """What the test of `key` measures on `answers`; None if it cannot be called outside pytest.

    `what` names the answers in the error. Raises UsageError (EG503) if the test itself fails, IntegrityError if the
    answers are not what was recorded.
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
        **_parameters(function, parameter.removesuffix("]")),
    }
    wanted = inspect.signature(function).parameters
    if not set(wanted) <= set(arguments):
        return None
    try:
        function(**{name: arguments[name] for name in wanted})
    except EvalgateError:
        raise
    except (
        Exception
    ) as e:  # a suite's own code; its message may quote an item, so only its kind goes on
        kind = type(e).__name__
        raise UsageError(
            f"found {kind} in test_{base} on {what}, expected a finding. Mend the test or its metric.",
            where=f"suites/{loaded.path.name}",
            code="EG503",
        ) from None
    return listener.estimate


def _parameters(function: Any, parameter: str) -> dict[str, Any]:
    """Values of a test parametrised over one name, for the case whose id is `parameter`."""
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args[0], mark.args[1]
            matching = [v for v in values if str(v) == parameter]
            if isinstance(names, str) and "," not in names and matching:
                return {names: matching[0]}
    return {}
