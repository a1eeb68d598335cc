import io
import itertools
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_decisions import STATUSES, decision, evidence, finding, mixed
from rich.cells import cell_len

from evalgate.report.numbers import high_text, low_text, value_text
from evalgate.report.terminal import print_decision

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def printed(d, *, file=None, **options):
    file = file or io.StringIO()
    print_decision(d, file=file, **options)
    return file.getvalue()


def test_verdict_and_model_come_first():
    first, why = printed(mixed()).strip().splitlines()[:2]
    assert first == "✗ CLOSED  rc2  sha256:9f2c41d07ab3"
    assert why.startswith("  2 of 6 thresholds are proven to be missed.")


@pytest.mark.parametrize(("status", "symbol"), list(zip(STATUSES, "✓✗?!", strict=True)))
def test_every_status_has_a_symbol_and_a_word(status, symbol):
    text = printed(decision(findings=(finding(status=status),)))
    assert re.search(rf"^{re.escape(symbol)}  recall +{status} ", text, re.MULTILINE)


@pytest.mark.parametrize("width", [80, 120])
def test_a_row_holds_the_numbers_rounded_outward(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    row = next(x for x in printed(mixed()).splitlines() if x.startswith("✓  recall_vs_baseline"))
    assert row.split()[2:8] == ["pass", "-0.0012", "-0.0235", "0.0212", ">=", "-0.05"]
    assert row.split()[8] == "212"


def test_findings_stand_under_their_suite():
    lines = printed(mixed()).splitlines()
    at = {
        name: next(i for i, x in enumerate(lines) if x.startswith(name))
        for name in ("claim_entities", "denial_reasons")
    }
    assert lines[at["claim_entities"]] == "claim_entities  2 pass, 1 fail, 1 inconclusive"
    must_pass = next(i for i, x in enumerate(lines) if x.startswith("✗  must_pass"))
    assert at["claim_entities"] < at["denial_reasons"] < must_pass


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = printed(mixed(), report="reports/decisions/x.html").splitlines()
    assert max(map(cell_len, lines)) <= width


def test_without_a_terminal_it_is_100_columns_wide():
    reason = "word " * 100
    lines = printed(decision(decision="closed", exit=1, reasons=(reason,))).splitlines()
    assert 95 <= max(map(cell_len, lines)) <= 100


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_comparison_with_nothing_says_so_at_any_width(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    alone = finding(
        test="recall_vs_baseline", estimate=None, low=None, high=None, threshold={"min": -0.05},
        method="first release, no baseline",
    )  # fmt: skip
    text = printed(decision(findings=(finding(), alone)))
    rows = text[text.index("recall_vs_") :].splitlines()
    assert "no baseline" in " ".join(rows[:2])
    assert "no baseline" not in text[: text.index("recall_vs_")].splitlines()[-2]


def test_at_80_columns_methods_and_needed_units_are_kept(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = printed(mixed())
    assert "needs +210" in text
    assert "intervals: worst-atom mean · Clopper-Pearson · worst-atom pairs · census" in text
    monkeypatch.setenv("COLUMNS", "120")
    text = printed(mixed())
    assert re.search(
        r"^\?  slice_recall\[spanish\] .* 61 +\+210  worst-atom mean$", text, re.MULTILINE
    )
    assert "intervals:" not in text


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(STATUSES),
            *[st.one_of(st.none(), st.floats(-1, 1), st.just(float("nan")))] * 3,
            st.integers(0, 10**7),
            st.one_of(st.none(), st.integers(1, 10**7)),
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
        ),
        min_size=1,
        max_size=4,
    ),
    width=st.integers(20, 200),
)
@settings(deadline=None, max_examples=50)
def test_no_number_is_ever_wrapped_or_cut(rows, width):
    findings = tuple(
        finding(test=name, status=status, estimate=e, low=low, high=high, units=n, needed=needed)
        for status, e, low, high, n, needed, name in rows
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        text = printed(decision(findings=findings))
    for f in findings:
        cells = [value_text(f.estimate), low_text(f.low), high_text(f.high), ">= 0.85"]
        if width >= 80:
            cells.append(str(f.units))
            assert f.needed is None or f"+{f.needed}" in text
        assert re.search(r" {2,}".join(map(re.escape, cells)) + r"( |$)", text, re.MULTILINE)


def test_a_long_test_name_is_folded_at_its_joints(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    d = decision(
        findings=(
            finding(
                test="medication_recall_of_the_elderly[spanish]", status="inconclusive", needed=9
            ),
        )
    )
    folded = [
        line[3:].split("  ")[0].strip()
        for line in printed(d).splitlines()
        if re.match(r"[?✓ ]  \S", line)
    ]
    name = "".join(
        itertools.takewhile(lambda x: not x.startswith("intervals"), (x for x in folded if x))
    )
    assert name == "medication_recall_of_the_elderly[spanish]"
    assert "[spanish]" in folded


def test_twenty_reasons_are_shown_and_the_rest_counted():
    reasons = tuple(f"suites/test_x.py test_{i}: its test was skipped" for i in range(27))
    text = printed(decision(decision="closed", exit=1, reasons=reasons))
    assert "test_19: " in text
    assert "test_20: " not in text
    assert "and 7 more in the report" in text
    assert "more in the report" not in printed(
        decision(decision="closed", exit=1, reasons=reasons[:20])
    )


def test_plan_and_report_close_and_the_last_line_is_left_to_the_caller():
    path = "/a/" + "long/" * 40 + "page.html"
    text = printed(mixed(), report=path)
    assert text.splitlines()[-2:] == ["plan    sha256:4be1c0ffee12", f"report  {path}"]
    assert "decision:" not in text
    assert "report " not in printed(decision())


def test_suites_with_odd_answers_say_so_and_others_do_not():
    lines = printed(mixed(), evidence=evidence()).splitlines()
    said = [x for x in lines if "answers:" in x]
    assert said == ["   answers: 411 ok, 6 refused, 4 truncated, 3 missing"]
    assert "answers:" not in printed(mixed())


def test_notes_close_what_is_printed():
    assert printed(mixed(), evidence=evidence()).splitlines()[-2:] == [
        "note    424 questions asked now",
        "note    an endpoint: <nobody> verified it",
    ]


def test_worst_items_are_named_where_more_is_asked_for():
    assert "claim_entities unparseable_rate: ce-0007, ce-0031" in printed(mixed(), verbose=True)
    assert "ce-0007" not in printed(mixed())
    assert "worst items" not in printed(decision(findings=(finding(),)), verbose=True)


def test_no_colour_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in printed(mixed())


def test_colour_on_a_terminal_says_nothing_that_words_do_not():
    coloured = printed(mixed(), file=Terminal())
    assert "\x1b[" in coloured
    assert ESCAPE.sub("", coloured) == printed(mixed())


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(mixed(), file=Terminal())
    codes = set(";".join(x[2:-1] for x in ESCAPE.findall(text)).split(";"))
    assert codes <= {"0", "1", "2"}  # reset, bold, dim


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_an_encoding_without_the_symbols_gets_ascii(encoding):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    print_decision(mixed(), file=file, report="reports/é→.html")
    text = raw.getvalue().decode(encoding)
    assert "x CLOSED  rc2" in text
    assert re.search(r"^!  macro_f1 +insufficient +- +- +-", text, re.MULTILINE)


def test_names_and_reasons_cannot_write_to_the_terminal():
    evil = "[bold red]x[/] \x1b[2J :smile: \n\r fake"
    d = mixed()
    d = decision(
        findings=(finding(test=evil),), reasons=(evil,), model={"name": evil, "digest": evil}
    )
    text = printed(d)
    assert "\x1b" not in text
    assert "[bold red]x[/]" in text
    assert ":smile:" in text
    assert "\nfake" not in text


def test_a_decision_without_findings_or_reasons_can_be_printed():
    text = printed(
        decision(
            decision="undecided", exit=4, retry=True, model={"name": "x", "digest": ""}, plan=""
        )
    )
    assert text.splitlines()[1] == "? UNDECIDED  x"
    assert "units" not in text


def test_rich_is_loaded_only_when_something_is_printed():
    code = "import sys, evalgate.report.terminal, evalgate.report.html, evalgate.report.json; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=os.environ).returncode == 0
