import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_decisions import decision, decisions, finding, mixed

from evalgate.metrics import estimate as samples
from evalgate.report.words import (
    METHODS,
    STATUS,
    VERDICT,
    answered,
    by_suite,
    headline,
    is_difference,
    next_step,
    other_reasons,
    plain,
    short_digest,
    short_method,
    tally,
    threshold_text,
)


@given(st.text())
def test_plain_text_is_one_printable_line(text):
    line = plain(text)
    assert line.isprintable()
    assert plain(line) == line
    line.encode("utf-8")


def test_what_could_rewrite_a_terminal_or_mislead_a_reader_is_replaced():
    assert (
        plain("a\x1b[2Jb\nc\u202ed\ud800")
        == "a\N{REPLACEMENT CHARACTER}[2Jb c\N{REPLACEMENT CHARACTER}d\N{REPLACEMENT CHARACTER}"
    )


def test_every_bound_of_the_metrics_has_a_short_name_and_a_note():
    classes = [
        c for c in vars(samples).values() if isinstance(c, type) and c is not samples.Estimate
    ]
    methods = {c.method for c in classes if isinstance(getattr(c, "method", None), str)}
    assert len(methods) >= 7
    assert methods <= set(METHODS)


def test_short_methods_differ_and_are_short():
    names = [m.short for m in METHODS.values()]
    assert len(set(names)) == len(names)
    assert all(len(n) <= 20 for n in names)
    assert len(short_method("a method nobody has written down yet")) == 20


def test_differences_are_told_from_levels():
    assert is_difference(finding(test="recall_vs_baseline"))
    assert is_difference(finding(test="recall_vs_baseline[spanish]"))
    assert is_difference(finding(method="Tango score"))
    assert is_difference(finding(threshold={"min": -0.05}))
    assert not is_difference(finding())
    assert not is_difference(finding(threshold={"all": True}, estimate=None, low=None, high=None))


def test_thresholds_read_like_gate_toml():
    assert threshold_text({"min": 0.85}) == ">= 0.85"
    assert threshold_text({"max": 0.05}) == "<= 0.05"
    assert threshold_text({"all": True}) == "all"


def test_a_short_digest_keeps_its_algorithm():
    assert short_digest("sha256:" + "ab" * 32) == "sha256:abababababab"
    assert short_digest("") == ""


def test_findings_keep_their_order_within_their_suite():
    a, b, c = (
        finding(suite="x", test="1"),
        finding(suite="y", test="2"),
        finding(suite="x", test="3"),
    )
    assert by_suite([a, b, c]) == {"x": [a, c], "y": [b]}
    assert tally([a, b, finding(status="fail")]) == [("pass", 2), ("fail", 1)]


def test_symbols_of_statuses_differ_in_unicode_and_in_ascii():
    for marks in (STATUS.values(), VERDICT.values()):
        assert len({m.symbol for m in marks}) == len({m.ascii for m in marks}) == len(list(marks))
        assert all(m.ascii.isascii() for m in marks)


@pytest.mark.parametrize(
    ("given_decision", "sentence"),
    [
        (decision(findings=(finding(),)), "The one threshold is met with statistical confidence."),
        (
            decision(findings=(finding(), finding())),
            "All 2 thresholds are met with statistical confidence.",
        ),
        (mixed(), "2 of 6 thresholds are proven to be missed."),
        (
            decision(decision="undecided", exit=3, findings=(finding(status="inconclusive"),)),
            "1 of 1 threshold is not decided: the evidence so far cannot tell.",
        ),
        (
            decision(decision="undecided", exit=3, findings=(finding(),)),
            "Evidence is missing that only people can supply.",
        ),
        (
            decision(decision="undecided", exit=4, retry=True),
            "A server or a disk failed before the evidence was complete.",
        ),
        (
            decision(decision="closed", exit=1, findings=(finding(),)),
            "Something was bypassed, left out or lost: not every threshold was tested.",
        ),
        (
            decision(
                decision="closed", exit=5, integrity=("x",), findings=(finding(status="fail"),)
            ),
            "The evidence is not what was recorded.",
        ),
    ],
)
def test_the_headline_says_why(given_decision, sentence):
    assert headline(given_decision) == sentence


def test_the_next_step_differs_with_the_cause():
    steps = [
        next_step(d)
        for d in (
            decision(),
            decision(certificate="c.json"),
            decision(decision="closed", exit=1),
            decision(decision="closed", exit=5, integrity=("x",)),
            decision(decision="undecided", exit=3),
            decision(decision="undecided", exit=4, retry=True),
        )
    ]
    assert len(set(steps)) == len(steps)


def test_answers_are_listed_with_what_is_good_first():
    assert (
        answered({"missing": 1, "timeout": 0, "ok": 5, "refused": 2})
        == "5 ok, 2 refused, 1 missing"
    )
    assert answered({}) == ""


def test_reasons_that_rows_tell_are_told_apart_from_others():
    assert other_reasons(mixed()) == ["denial_reasons accuracy: its test was skipped"]


@given(decisions())
def test_every_reason_is_told_by_a_row_or_is_another(d):
    """As many are another's as there are reasons beyond those of the findings, and they keep their order."""
    others = other_reasons(d)
    rest = iter(d.reasons)
    assert all(reason in rest for reason in others)
    assert len(others) >= len(d.reasons) - sum(f.status != "pass" for f in d.findings)
