"""Terminal, JSON, JUnit, page and Markdown are renderings of one object: they say the same of every decision."""

import io
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from report_decisions import decisions, evidence
from test_report_html import Page, numbers_of
from test_report_markdown import PARSER

from evalgate.report.html import render_html
from evalgate.report.json import to_json
from evalgate.report.junit import render_junit
from evalgate.report.markdown import render_markdown
from evalgate.report.numbers import value_text
from evalgate.report.terminal import print_decision
from evalgate.report.words import STATUS, plain, threshold_text


def terminal(d):
    file = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "250")
        print_decision(d, evidence(), file=file, report="r", verbose=True)
    return file.getvalue()


def statuses_of_markdown(text):
    tokens = PARSER.parse(text)
    first = [tokens[i + 2].content for i, t in enumerate(tokens) if t.type == "tr_open"]
    return sorted(x.split()[-1] for x in first if x.startswith(("✓", "✗", "?", "!")))


@given(decisions())
@settings(deadline=None, max_examples=30)
def test_all_renderings_say_the_same(d):
    said = to_json(d)
    shown, page, junit = terminal(d), render_html(d, evidence(), stem="s"), render_junit(d)
    markdown = render_markdown(d, evidence(), budget=10_000_000)
    root = ET.fromstring(junit.encode())
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}

    # the verdict and the exit code
    verdict = d.decision
    assert said["decision"] == verdict
    assert shown.splitlines()[1].split()[1] == verdict.upper()
    assert Page(page).attributes.count(("body", "class", verdict)) == 1
    assert markdown.splitlines()[0].split(maxsplit=2)[2] == f"{verdict.upper()} (exit {d.exit})"
    facts = {p.get("name"): p.get("value") for p in root.findall("testsuite[1]/properties/*")}
    assert (facts["decision"], facts["exit"]) == (verdict, str(d.exit))
    assert dict(Page(page).facts)["exit code"] == str(d.exit) == str(said["exit"])

    # the status of every finding
    statuses = sorted(f.status for f in d.findings)
    assert sorted(f["status"] for f in said["findings"]) == statuses
    assert sorted(re.findall(r'class="badge s-(\w+)"', page)) == statuses
    assert statuses_of_markdown(markdown) == statuses
    for f in d.findings:
        row = rf"^{re.escape(STATUS[f.status].symbol)} .* {f.status} +{value_text(f.estimate)} "
        assert re.search(row, shown, re.MULTILINE)
        case = cases[plain(f.suite), plain(f.test)]
        kinds = {"pass": None, "fail": "failure"}
        assert (case.find("*[@type]") is None) == (f.status == "pass")
        if f.status != "pass":
            assert case.find(kinds.get(f.status, "error")).get("type") == f.status

    # the numbers
    wanted = sorted((value_text(f.estimate), threshold_text(f.threshold)) for f in d.findings)
    rows = [r for r in numbers_of(page) if r]
    on_page = sorted((r["Estimate"], r["Threshold"].replace("≥", ">=").replace("≤", "<=")) for r in rows)  # fmt: skip
    assert on_page == wanted
    for estimate, threshold in wanted:
        assert estimate in shown
        assert threshold in shown
        assert f"| {estimate} |" in markdown
        assert f"`{threshold}`" in markdown

    # the reasons
    assert said["reasons"] == list(d.reasons)
    for reason in d.reasons[:20]:
        assert plain(reason) in " ".join(Page(page).words.split())
