"""Judges: a rubric held against an answer gives verdicts; people's labels say how far they can be trusted.

Names are imported on first use: a project without a rubric pays for none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalgate.judge.asking import SAMPLING, Bench, Docket, ask
    from evalgate.judge.calibration import Calibration, Drawn
    from evalgate.judge.case import Case, Verdict
    from evalgate.judge.metrics import agreement, criterion_rate, rubric_pass_rate, rubric_score
    from evalgate.judge.scoring import ItemScore, score
    from evalgate.judge.verdicts import AnswerCases, Judged, Verdicts, judged_criteria

_MODULES = {
    "SAMPLING": "asking",
    "AnswerCases": "verdicts",
    "Bench": "asking",
    "Calibration": "calibration",
    "Case": "case",
    "Docket": "asking",
    "Drawn": "calibration",
    "ItemScore": "scoring",
    "Judged": "verdicts",
    "Verdict": "case",
    "Verdicts": "verdicts",
    "agreement": "metrics",
    "ask": "asking",
    "criterion_rate": "metrics",
    "judged_criteria": "verdicts",
    "rubric_pass_rate": "metrics",
    "rubric_score": "metrics",
    "score": "scoring",
}

__all__ = [
    "SAMPLING",
    "AnswerCases",
    "Bench",
    "Calibration",
    "Case",
    "Docket",
    "Drawn",
    "ItemScore",
    "Judged",
    "Verdict",
    "Verdicts",
    "agreement",
    "ask",
    "criterion_rate",
    "judged_criteria",
    "rubric_pass_rate",
    "rubric_score",
    "score",
]


def __getattr__(name: str) -> Any:
    """The public name, from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'evalgate.judge' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"evalgate.judge.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
