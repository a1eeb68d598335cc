"""JUnit XML as CI servers read it: junitparser and the standard library's parser."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml
from report_decisions import decision, decisions, evidence, finding, mixed

from evalgate.gate.decide import Bypass, decide
from evalgate.report.junit import render_junit
from evalgate.report.words import plain

# What XML 1.0 readers of the common schemas expect: attributes of each element, in whatever order, and its children.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "testcase": {"classname", "name", "time"},
    "properties": set(),
    "property": {"name", "value"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "testcase": ["properties", "failure", "error"],
    "properties": ["property"],
}


def parsed(text):
    return ET.fromstring(text.encode())


def cases(text):
    return {
        (case.get("classname"), case.get("name")): case
        for case in parsed(text).findall("testsuite/testcase")
    }


def test_every_threshold_is_one_case_with_its_numbers():
    found = cases(render_junit(mixed(), evidence()))
    assert [key for key in found if key[0] != "evalgate"] == [
        (f.suite, f.test)
        for f in sorted(mixed().findings, key=lambda f: f.suite != "claim_entities")
    ]
    case = found["claim_entities", "unparseable_rate"]
    properties = {p.get("name"): p.get("value") for p in case.findall("properties/property")}
    assert properties == {
        "status": "fail",
        "threshold": "<= 0.05",
        "estimate": "0.0847",
        "low": "0.06321",
        "high": "0.11081",
        "alpha": "0.05",
        "units": "212",
        "items": "424",
        "unscored": "3",
        "ok": "411",
        "refused": "6",
        "truncated": "4",
        "method": "Clopper-Pearson",
    }
    text = case.find("failure").text
    assert "proven above 0.05" in text
    assert "worst items: ce-0007, ce-0031" in text


def test_an_open_decision_is_green():
    root = parsed(render_junit(decision(findings=(finding(),)), evidence()))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "0", "0")
    assert not list(root.iter("failure"))
    assert not list(root.iter("error"))


def test_a_failure_is_proven_and_everything_else_that_is_no_pass_is_an_error():
    found = cases(render_junit(mixed()))

    def kind(suite, test):
        return [e.tag for e in found[suite, test] if e.tag != "properties"]

    assert kind("claim_entities", "recall") == []
    assert kind("claim_entities", "unparseable_rate") == ["failure"]
    assert kind("claim_entities", "slice_recall[spanish]") == ["error"]
    assert kind("denial_reasons", "macro_f1") == ["error"]
    assert kind("evalgate", "decision") == ["failure"]
    bypass = found["evalgate", "reason 1"].find("error")
    assert bypass.get("message") == "denial_reasons accuracy: its test was skipped"
    assert ("evalgate", "reason 2") not in found


def test_a_bypass_of_a_test_that_has_a_finding_is_a_case_of_its_own():
    """A forgotten assert: its finding fails and is told; that its test passed all the same is told, too."""
    f = finding(status="fail", reason="proven below 0.85")
    d = decide(
        expected=[(f.suite, f.test)],
        findings=[f],
        bypasses=[Bypass(where=f"{f.suite} {f.test}", what="forgotten assert?")],
        model={"name": "m"},
        plan="",
    )
    found = cases(render_junit(d))
    assert "forgotten assert?" in found["evalgate", "reason 1"].find("error").get("message")
    assert found[f.suite, f.test].find("failure") is not None


def test_a_passing_finding_under_a_bypass_does_not_make_the_file_green():
    f = finding()
    d = decide(
        expected=[(f.suite, f.test)],
        findings=[f],
        bypasses=[Bypass(where=f"{f.suite} {f.test}", what="its test failed")],
        model={"name": "m"},
        plan="",
    )
    text = render_junit(d)
    assert cases(text)[f.suite, f.test].find("failure") is None
    assert int(parsed(text).get("errors")) == 1  # the bypass; the decision itself is a failure
    assert int(parsed(text).get("failures")) == 1


@given(decisions())
@settings(deadline=None, max_examples=60)
def test_the_file_is_green_exactly_if_the_decision_is_open(d):
    xml = JUnitXml.fromstring(render_junit(d, evidence()).encode())
    results = [r for suite in xml for case in suite for r in case.result]
    assert (not results) == (d.decision == "open")
    counted = (sum(isinstance(r, Failure) for r in results), sum(isinstance(r, Error) for r in results))  # fmt: skip
    assert counted == (xml.failures, xml.errors)
    assert xml.tests == sum(len(list(suite)) for suite in xml) >= 1 + len(d.findings)
    assert all(suite.tests == len(list(suite)) for suite in xml)


@given(decisions())
@settings(deadline=None, max_examples=30)
def test_whatever_names_hold_the_file_has_the_common_form(d):
    text = render_junit(d, evidence())
    text.encode("utf-8")
    root = parsed(text)
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        order = [CHILDREN[element.tag].index(child.tag) for child in element]
        assert order == sorted(order)
        assert element.tag != "testcase" or sum(c.tag != "properties" for c in element) <= 1
    shown = {(c.get("classname"), c.get("name")) for c in root.findall("testsuite/testcase")}
    assert shown >= {(plain(f.suite), plain(f.test)) for f in d.findings}


@pytest.mark.parametrize("number", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_no_property(number):
    d = decision(findings=(finding(estimate=number, low=number, high=number),))
    names = {p.get("name") for p in parsed(render_junit(d)).iter("property")}
    assert not names & {"estimate", "low", "high"}


@given(st.floats(0, 1))
def test_numbers_keep_full_precision(x):
    text = render_junit(decision(findings=(finding(estimate=x),)))
    (value,) = [
        p.get("value") for p in parsed(text).iter("property") if p.get("name") == "estimate"
    ]
    assert float(value) == x


def test_without_evidence_there_is_no_timestamp_and_with_it_there_is():
    assert "timestamp" not in render_junit(mixed())
    assert 'timestamp="2001-02-03T04:05:06"' in render_junit(mixed(), evidence())


@pytest.mark.parametrize(
    ("verdict", "code", "kind"),
    [("closed", 1, "failure"), ("closed", 5, "error"), ("undecided", 3, "error"), ("undecided", 4, "error")],
)  # fmt: skip
def test_a_decision_that_is_not_open_is_red_by_itself(verdict, code, kind):
    integrity = ("edited",) if code == 5 else ()
    text = render_junit(decision(decision=verdict, exit=code, integrity=integrity))
    assert [e.tag for e in cases(text)["evalgate", "decision"]] == [kind]
