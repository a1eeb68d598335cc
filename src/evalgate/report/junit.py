"""The decision as JUnit XML, for CI servers that show tests: one case per threshold, and one that is the decision.

The file is green exactly if the decision is open. A threshold that is proven to be missed is a failure; what could not
be decided is an error, for it says nothing about the model. Bypasses and broken evidence are cases of their own.
Numbers are properties of their case. Ids and numbers only, no clinical text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from evalgate.records import Decision, Evidence, Finding
from evalgate.report.lock import lock_text, lock_warnings
from evalgate.report.numbers import exact_text, high_text, low_text, present, value_text
from evalgate.report.words import (
    STATUS,
    by_suite,
    headline,
    next_step,
    other_reasons,
    plain,
    threshold_text,
)

_RED = {"closed": "failure", "undecided": "error"}


def render_junit(decision: Decision, evidence: Evidence | None = None) -> str:
    """XML 1.0 as text, to be written as UTF-8. Any string of the decision is shown as text, whatever it holds."""
    root = Element("testsuites", name=plain(f"evalgate {decision.model.get('name', '')}"))
    when = evidence.decided if evidence else ""
    _add_suite(root, "evalgate", _gate_cases(decision), when, _facts(decision, evidence))
    for suite, findings in by_suite(decision.findings).items():
        _add_suite(root, suite, map(_case, findings), when, {})
    for kind in ("tests", "failures", "errors"):
        root.set(kind, str(sum(int(suite.get(kind, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_suite(
    root: Element, name: str, cases: Iterable[Element], when: str, facts: Mapping[str, str]
) -> None:
    suite = SubElement(root, "testsuite", name=plain(name))
    if facts:
        suite.append(_properties(facts))
    suite.extend(cases)
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", "0")
    suite.set("time", "0")
    if when:
        suite.set("timestamp", when.removesuffix("Z"))  # xs:dateTime; readers expect no zone


def _facts(decision: Decision, evidence: Evidence | None) -> dict[str, str]:
    facts = {
        "decision": decision.decision,
        "exit": str(decision.exit),
        "model": decision.model.get("name", ""),
        "model_digest": decision.model.get("digest", ""),
        "plan": decision.plan,
        "certificate": decision.certificate or "",
    }
    if evidence is not None:
        facts |= {"decided": evidence.decided, "evalgate": evidence.evalgate}
        facts |= {"locked_plan": lock_text(evidence), "warning": "; ".join(lock_warnings(evidence))}
    return {name: value for name, value in facts.items() if value}


def _gate_cases(decision: Decision) -> Iterable[Element]:
    """The decision itself, then every reason that no threshold's row tells."""
    case = Element("testcase", classname="evalgate", name="decision", time="0")
    if decision.decision != "open":
        kind = "error" if decision.integrity else _RED[decision.decision]
        text = f"{decision.decision} (exit {decision.exit}). {headline(decision)}"
        _add_verdict(case, kind, decision.decision, text, next_step(decision))
    yield case
    for number, reason in enumerate(other_reasons(decision), start=1):
        case = Element("testcase", classname="evalgate", name=f"reason {number}", time="0")
        kind = "integrity" if reason in decision.integrity else "not tested"
        _add_verdict(case, "error", kind, reason, reason)
        yield case


def _case(f: Finding) -> Element:
    case = Element("testcase", classname=plain(f.suite), name=plain(f.test), time="0")
    case.append(_properties(_numbers(f)))
    if f.status == "pass":
        return case
    kind = "failure" if f.status == "fail" else "error"
    said = f.reason or STATUS[f.status].meaning
    lines = [
        said,
        f"threshold {threshold_text(f.threshold)}",
        f"estimate {value_text(f.estimate)}, interval {low_text(f.low)} to {high_text(f.high)}",
        f"units {f.units}, items {f.items}, without an answer {f.unscored}",
    ]
    if f.needed is not None:
        lines.append(f"about {f.needed} more units would decide")
    if f.worst:
        lines.append(f"worst items: {', '.join(f.worst)}")
    _add_verdict(case, kind, f.status, f"{f.status}: {said}", "\n".join(map(plain, lines)))
    return case


def _add_verdict(case: Element, kind: str, type_: str, message: str, text: str) -> None:
    verdict = SubElement(case, kind, type=type_, message=plain(message))
    verdict.text = "\n".join(map(plain, text.split("\n")))


def _numbers(f: Finding) -> dict[str, str]:
    """Properties of a case: full precision, as in the JSON; what is no number is left out."""
    numbers: dict[str, str] = {"status": f.status, "threshold": threshold_text(f.threshold)}
    for name, x in (("estimate", f.estimate), ("low", f.low), ("high", f.high), ("alpha", f.alpha)):
        if (y := present(x)) is not None:
            numbers[name] = exact_text(y)
    numbers |= {"units": str(f.units), "items": str(f.items), "unscored": str(f.unscored)}
    numbers |= {
        status: str(n)
        for status, n in f.answers.items()
        if status not in numbers and status != "missing"
    }
    if f.needed is not None:
        numbers["needed"] = str(f.needed)
    numbers["method"] = f.method
    return numbers


def _properties(values: Mapping[str, str]) -> Element:
    element = Element("properties")
    for name, value in values.items():
        SubElement(element, "property", name=name, value=plain(value))
    return element
