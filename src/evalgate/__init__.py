"""evalgate: the release gate for fine-tuned language models. This is the manual in one page.

A project is a directory with `evalgate.toml` (which models there are and where), `gate.toml` (what decides),
`goldsets/` (questions with right answers), `suites/` (pytest modules), `rubrics/` and `reports/`.

A suite declares what is asked and states claims about the answers. No test holds a number: `threshold` is the row of
gate.toml that bears the suite's and the test's name, and a test without a row, or a row without a test, keeps the
gate shut.

    SUITE = Suite("claim_entities", gold="goldsets/claim_entities.jsonl",
                  prompt="suites/prompts/claim_entities.md", parse=parse_json(list[Entity]))

    def test_recall(answers, threshold):
        assert threshold.met_by(recall(answers, match="relaxed"))

Asking happens once, before any test, into a run on disk that is keyed by everything that can change an answer; tests
only read it. A killed run goes on where it stopped; the twentieth claim about yesterday's run is free.

    evalgate init DIR          a small complete project to start from
    evalgate plan              is every threshold reachable, and with what power?
    evalgate gate check MODEL  ask, score, decide; exit 0 only if the decision is open
    pytest suites/             the same decision, for development
    evalgate explain CODE      what an error means and what to do about it

A finding passes when the whole interval lies on the right side of the threshold (for must_pass: when every item is
right), never when the estimate does. The
decision is open if every finding passes; closed if one is proven to fail or anything was bypassed; else undecided.
Exit codes: 0 open, 1 closed, 2 usage, 3 undecided, 4 infrastructure, 5 integrity, 70 internal error, 130 interrupted.

What suites may import is in `__all__`: a model has `ask(messages)`, a metric is `rows -> Estimate`, a parser is
`str -> T | None`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalgate import text, training
    from evalgate.judge import agreement, criterion_rate, rubric_pass_rate, rubric_score
    from evalgate.metrics import (
        Estimate,
        accuracy,
        f1,
        macro_f1,
        mean,
        must_pass,
        paired_difference,
        precision,
        rate,
        recall,
    )
    from evalgate.records import Answer, Entity
    from evalgate.suite import Suite, parse_json, parse_label, parse_text

__all__ = [
    "Answer",
    "Entity",
    "Estimate",
    "Suite",
    "accuracy",
    "agreement",
    "criterion_rate",
    "f1",
    "macro_f1",
    "mean",
    "must_pass",
    "paired_difference",
    "parse_json",
    "parse_label",
    "parse_text",
    "precision",
    "rate",
    "recall",
    "rubric_pass_rate",
    "rubric_score",
    "text",
    "training",
]

_ROOMS = {
    "Answer": "records",
    "Entity": "records",
    "Suite": "suite",
    "parse_json": "suite",
    "parse_label": "suite",
    "parse_text": "suite",
    "agreement": "judge",
    "criterion_rate": "judge",
    "rubric_pass_rate": "judge",
    "rubric_score": "judge",
}


def __getattr__(name: str) -> Any:
    """Names are loaded when first used: the pytest plugin must cost nothing in projects without a suite."""
    if name not in __all__:
        raise AttributeError(f"module 'evalgate' has no attribute {name!r}")
    from importlib import import_module

    if name in ("text", "training"):  # rooms of functions, not names of one
        return import_module(f"evalgate.{name}")
    value = getattr(import_module(f"evalgate.{_ROOMS.get(name, 'metrics')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
