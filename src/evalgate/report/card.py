"""The decision as a model card in Hugging Face form: README.md with YAML front matter.

`model-index` as in the hub's specification (huggingface_hub `ModelCard`, `EvalResult`): an estimate for each metric, its interval
and threshold in the name, since the form has no place for them. It says what was tested, never that a model is safe.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator

from evalgate.records import Decision, Evidence, Finding, Record
from evalgate.report.markdown import code_span, table_cell
from evalgate.report.numbers import NONE, high_text, low_text, present, value_text
from evalgate.report.signatures import Signatures, signed_lines, waived_lines
from evalgate.report.words import (
    STATUS,
    VERDICT,
    by_suite,
    headline,
    next_step,
    plain,
    threshold_text,
)

# The hub's names of licences that models come under often; anything else is "other" with its name.
_LICENCES = frozenset({
    "afl-3.0", "apache-2.0", "bigscience-bloom-rail-1.0", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0", "cc0-1.0",
    "gemma", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "mit", "openrail",
})  # fmt: skip
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


class SuiteFacts(Record, kw_only=True):
    """What a suite tested, from the card of its gold set. `changed`: the gold set here is another one than was asked."""

    suite: str
    gold: str
    digest: str
    items: int
    units: int
    title: str = ""
    frame: str = ""
    reviewed: str = ""
    split: str = ""
    synthetic: bool | None = None
    changed: bool = False


class CardFacts(Record, kw_only=True):
    """What the files of the project say about the model: licence, its place, the base of an adapter; and of its suites."""

    licence: str = ""
    base: str = ""
    artifact: str = ""
    suites: tuple[SuiteFacts, ...] = ()


def render_card(
    decision: Decision, evidence: Evidence, facts: CardFacts, signed: Signatures | None
) -> str:
    """README.md for the model that `decision` is about: front matter, then what was tested and found, and how to verify it."""
    parts = (
        _front(decision, facts),
        _head(decision, signed),
        _section("Intended use", _use(facts)),
        _section("What was tested", _tested(facts)),
        _section("Results", _results(decision)),
        _section("Limitations", _limits(decision, evidence, facts, signed)),
        _section("How to verify", _verify(decision, facts, signed)),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _front(decision: Decision, facts: CardFacts) -> Iterator[str]:
    """YAML in which every value is JSON: YAML reads it so."""
    licence = plain(facts.licence)
    yield "---"
    if licence.lower() in _LICENCES:
        yield f"license: {licence.lower()}"
    elif licence:
        yield "license: other"
        yield f"license_name: {_json(licence)}"
    if facts.base:
        yield f"base_model: {_json(plain(facts.base.rstrip('/').rpartition('/')[2]))}"
        yield "base_model_relation: adapter"
    yield "pipeline_tag: text-generation"
    tags = ["evalgate", f"evalgate-{decision.decision}", *(s.suite for s in facts.suites)]
    yield f"tags: {_json(list(dict.fromkeys(map(plain, tags))))}"
    results = _index(decision, facts)
    if results:
        name = plain(decision.model.get("name", "")) or "model"
        yield f"model-index: {_json([{'name': name, 'results': results}])}"
    yield "---"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _index(decision: Decision, facts: CardFacts) -> list[dict[str, object]]:
    """One result for each suite, with a metric for each finding that has an estimate."""
    known = {s.suite: s for s in facts.suites}
    results: list[dict[str, object]] = []
    for suite, findings in by_suite(decision.findings).items():
        told = known.get(suite)
        metrics = [_metric(f) for f in findings if present(f.estimate) is not None]
        dataset: dict[str, object] = {"type": plain(suite), "name": plain(suite)}
        if told is not None:
            dataset |= {"type": plain(told.gold), "name": plain(told.title) or plain(suite)}
            dataset |= {"revision": told.digest} if told.digest else {}
            dataset |= {"split": told.split} if told.split else {}
        task = {"type": "text-generation", "name": plain(suite)}
        if metrics:
            results.append({"task": task, "dataset": dataset, "metrics": metrics})
    return results


def _metric(f: Finding) -> dict[str, object]:
    said = f"{plain(f.test)}: {f.status}, {_interval(f)}, threshold {threshold_text(f.threshold)}"
    return {"type": plain(f.test).partition("[")[0], "value": f.estimate, "name": said}


def _interval(f: Finding) -> str:
    if present(f.low) is None and present(f.high) is None:
        return "no interval" if f.method != "census" else "every item examined"
    return f"interval {low_text(f.low)} to {high_text(f.high)} at alpha {f.alpha:g} each end"


def _head(decision: Decision, signed: Signatures | None) -> Iterator[str]:
    mark = VERDICT[decision.decision]
    yield f"# {_prose(decision.model.get('name', ''))}"
    yield ""
    yield f"**{mark.symbol} {decision.decision.upper()}: {mark.meaning}** {_prose(headline(decision))} {_prose(next_step(decision))}"
    yield ""
    yield f"Model {code_span(decision.model.get('digest', ''))}, plan {code_span(decision.plan)}."
    for line in waived_lines(signed) if signed else ():
        yield f"\n**{_prose(line)}**"
    for line in signed.notes if signed else ():
        yield f"\n**{_prose(line)}**"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield from ("", f"## {title}", "", *body)


def _use(facts: CardFacts) -> Iterator[str]:
    yield "For these tasks, with the prompts that were tested, on cases like those of the gold sets, and for nothing else:"
    yield ""
    for s in facts.suites:
        title = f": {_prose(s.title)}" if s.title else ""
        frame = f". Cases: {_prose(s.frame)}" if s.frame else ""
        yield f"- {code_span(s.suite)}{title}{frame}"
    yield ""
    yield "A person who is qualified for the decision reads what the model writes before anything follows from it."


def _tested(facts: CardFacts) -> Iterator[str]:
    yield "| suite | gold set | items | independent units | origin | reviewed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    origin = {None: NONE, True: "synthetic", False: "not generated"}
    for s in facts.suites:
        yield (
            f"| {table_cell(s.suite)} | {table_cell(f'{s.gold} {s.digest[:19]}')} | {s.items} | {s.units} | {origin[s.synthetic]} "
            f"| {_prose(s.reviewed) or NONE} |"
        )


def _results(decision: Decision) -> Iterator[str]:
    yield "| | suite | test | estimate | interval | threshold | units | method |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for f in decision.findings:
        bare = present(f.low) is None and present(f.high) is None
        interval = NONE if bare else f"{low_text(f.low)} to {high_text(f.high)}"
        yield (
            f"| {STATUS[f.status].symbol} {f.status} | {table_cell(f.suite)} | {table_cell(f.test)} | {value_text(f.estimate)} | "
            f"{interval} | `{threshold_text(f.threshold)}` | {f.units} | {_prose(f.method)} |"
        )
    yield ""
    yield (
        "A threshold is met only if the whole interval is on its side. Lower ends are rounded down and upper ends up. Each end errs "
        "with the probability alpha at most."
    )


def _limits(
    decision: Decision, evidence: Evidence, facts: CardFacts, signed: Signatures | None
) -> Iterator[str]:
    yield "- These numbers speak for the gold sets named above. A model that meets them has been shown to meet them, not to be safe."
    for reason in decision.reasons:
        yield f"- not met: {_prose(reason)}"
    for s in facts.suites:
        if s.changed:
            yield f"- the gold set of {code_span(s.suite)} is another one now: what this card says of its cases is left out"
    if evidence.judge is None:
        yield "- no judge model had a part in these numbers"
    else:
        verified = (
            "" if evidence.judge.verified else "; nobody verified which model answered as the judge"
        )
        yield f"- a judge model, {code_span(evidence.judge.name)}, had a part in rows with judge{verified}"
    if signed is None:
        yield "- not certified: no bytes of a model were identified, so nothing binds these numbers to any weights"
    for note in evidence.notes:
        yield f"- {_prose(note)}"


def _verify(decision: Decision, facts: CardFacts, signed: Signatures | None) -> Iterator[str]:
    if signed is None:
        yield "Not possible: there is no certificate."
        return
    artifact = f" --artifact {_shell(facts.artifact)}" if facts.artifact else ""
    yield "With the certificate, the `keys.toml` of who signed it (from a place that you trust) and the model's files, offline:"
    yield ""
    yield "```text"
    yield f"evalgate verify {_shell(signed.certificate)} --keys keys.toml{artifact}"
    yield f"sha256 of the certificate: {plain(signed.digest).removeprefix('sha256:')}"
    yield "```"
    yield ""
    for line in signed_lines(signed):
        yield f"- {_prose(line)}"
    if decision.plan:
        yield f"- plan {code_span(decision.plan)}: digest of thresholds, gold sets, suites, prompts, judge and versions"


def _shell(path: str) -> str:
    """A path in a block of text: what could end the block is replaced."""
    return shlex.quote(plain(path).replace("`", "?"))


def _prose(value: str) -> str:
    """Words from elsewhere as text: nothing in them becomes markup."""
    return _SPECIAL.sub(r"\\\1", plain(value))
