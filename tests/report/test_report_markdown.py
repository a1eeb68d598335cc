"""Markdown as forges read it: parsed with tables on and HTML allowed, so that whatever slips through shows."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report_decisions import NAMES, decision, decisions, evidence, finding, mixed, suite_evidence

from evalgate.report.markdown import BUDGET, LEAST, render_markdown
from evalgate.report.words import plain

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
ENOUGH = 10_000_000


def pieces(text):
    """Every token of the document, blocks first, then what stands in them."""
    tokens = PARSER.parse(text)
    return tokens + [child for t in tokens for child in t.children or ()]


def codes(text):
    return [t.content for t in pieces(text) if t.type == "code_inline"]


def rows(text):
    """Tables rows and list items below the headings, which is what the budget counts."""
    body = text[text.index("\n### ") :] if "\n### " in text else ""
    kinds = [t.type for t in PARSER.parse(body)]
    return kinds.count("tr_open") - kinds.count("thead_open") + kinds.count("list_item_open")


def left_out(text):
    found = re.search(r"\*\*(\d+) rows? (?:is|are) left out", text)
    return int(found[1]) if found else 0


def test_the_verdict_comes_first_then_what_is_not_met_then_what_is():
    lines = render_markdown(mixed(), evidence()).splitlines()
    assert lines[0] == "## ✗ CLOSED (exit 1)"
    assert lines[2].startswith("**This model must not be released.** 2 of 6 thresholds")
    titles = [x.removeprefix("### ") for x in lines if x.startswith("### ")]
    assert titles == [
        "Reasons that are no threshold's",
        "Not met: 4 of 6",
        "Why",
        "Worst items",
        "Met: 2 of 6",
        "About this evidence",
        "Answers",
    ]


def test_a_row_holds_the_numbers_rounded_outward():
    (row,) = [x for x in render_markdown(mixed()).splitlines() if "unparseable_rate` | 0" in x]
    assert row == (
        "| ✗ fail | `claim_entities` | `unparseable_rate` | 0.0847 | 0.0632 to 0.1109 | `<= 0.05` | 212 | – |"
    )


def test_a_comparison_with_nothing_says_so_where_it_passes():
    alone = finding(
        test="recall_vs_baseline", estimate=None, low=None, high=None, threshold={"min": -0.05},
        method="first release, no baseline",
    )  # fmt: skip
    text = render_markdown(decision(findings=(finding(), alone)))
    assert "| ✓ pass (no baseline) | `claim_entities` | `recall_vs_baseline` |" in text
    assert "| ✓ pass | `claim_entities` | `recall` |" in text


def test_evidence_is_told_and_the_worst_items_are_named():
    text = render_markdown(mixed(), evidence())
    assert "| `claim_entities` | 424 | 212 | 411 ok, 6 refused, 4 truncated, 3 missing |" in text
    assert "| `claim_entities` | `unparseable_rate` | `ce-0007`, `ce-0031` |" in text
    assert "`an endpoint: <nobody> verified it`" in text


@pytest.mark.parametrize("name", ["a|b", "a\\|b", "a\\\\|b", "|", "`|`", "\\"])
def test_no_pipe_ends_a_cell(name):
    text = render_markdown(decision(findings=(finding(test=name),)))
    (body,) = [t for t in PARSER.parse(text) if t.type == "tbody_open"]
    cells = [t for t in PARSER.parse(text) if t.type == "td_open"]
    assert body
    assert len(cells) == 8
    assert re.sub(r"\\*\|", "|", name) in codes(text)


@given(decisions(), NAMES)
@settings(deadline=None, max_examples=40)
def test_no_string_can_become_markup(d, name):
    known = evidence(notes=(name,), suites=(suite_evidence(suite=name),))
    text = render_markdown(d, known, budget=ENOUGH)
    text.encode("utf-8")
    parts = pieces(text)
    assert not {t.type for t in parts} & {
        "html_block", "html_inline", "link_open", "image", "fence", "code_block", "blockquote_open", "hr", "em_open",
    }  # fmt: skip
    # What forges make of text after parsing (mentions, references, bare links) has nothing to work on outside of code.
    said = " ".join(t.content for t in parts if t.type == "text")
    assert not re.search(r"[@#<>&~$%\\]|!\S|://|www\.", said)
    shown = codes(text)
    for f in d.findings:
        for foreign in (f.suite, f.test):
            assert re.sub(r"\\*\|", "|", plain(foreign)) in {*shown, ""}


@given(decisions(), st.integers(1, 40), st.integers(LEAST, 30_000))
@settings(deadline=None, max_examples=25)
def test_it_is_never_above_its_budget_and_counts_what_it_leaves_out(d, times, budget):
    d = msgspec.structs.replace(d, findings=d.findings * times, reasons=d.reasons * times)
    text = render_markdown(d, evidence(), budget=budget)
    assert len(text.encode()) <= budget
    assert text.startswith("## ")
    assert d.decision.upper() in text.splitlines()[0]
    assert rows(text) + left_out(text) == rows(render_markdown(d, evidence(), budget=ENOUGH))


def test_failures_are_kept_before_passes():
    failing = [finding(test=f"f{i}", status="fail", reason="x") for i in range(60)]
    passing = [finding(test=f"p{i}") for i in range(60)]
    d = decision(decision="closed", exit=1, findings=(*passing, *failing))
    for budget in range(LEAST, 16_000, 1_500):
        text = render_markdown(d, budget=budget)
        if "`p0`" in text:
            assert all(f"`f{i}` | 0." in text for i in range(60))
    assert "`p0`" not in render_markdown(d, budget=LEAST)
    assert left_out(render_markdown(d, budget=ENOUGH)) == 0


def test_many_reasons_leave_room_for_the_thresholds():
    d = decision(
        decision="closed",
        exit=1,
        reasons=tuple("suites/test_x.py: its test was skipped " * 9 + str(i) for i in range(900)),
        findings=(finding(status="fail", reason="x"),),
    )
    text = render_markdown(d)
    assert "### Not met: 1 of 1" in text
    assert 0 < left_out(text) < 900


def test_the_default_budget_fits_a_comment_and_a_smaller_one_than_the_least_is_refused():
    assert BUDGET <= 65_536
    with pytest.raises(ValueError, match="4000"):
        render_markdown(mixed(), budget=LEAST - 1)
    huge = decision(
        model={"name": "\U0001f600" * 500, "digest": "\U0001f600" * 500}, plan="é" * 900
    )
    text = render_markdown(huge, budget=LEAST)
    assert text.splitlines()[0] == "## ✓ OPEN (exit 0)"
    assert "All 0 thresholds" in text
