import re
import subprocess
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_decisions import (
    DIGEST,
    PLAN,
    STATUSES,
    decision,
    evidence,
    finding,
    mixed,
    suite_evidence,
)

from evalgate import digest
from evalgate.report.html import render_html
from evalgate.report.json import json_text
from evalgate.report.numbers import NONE
from evalgate.report.plot import axis_of, interval_plot
from evalgate.report.trend import Earlier, points_of
from evalgate.report.words import plain

GEOMETRY = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"}
VOID = {"meta", "br", "wbr", "hr", "img", "link"}


class Page(HTMLParser):
    """Reads a page as a browser would, and complains where tags do not match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.facts = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)
        if self.open[-1:] == ["dt"]:
            self.facts.append((data, ""))
        elif "dd" in self.open and self.facts:
            name, said = self.facts[-1]
            self.facts[-1] = (name, said + data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def history():
    """Two earlier decisions like `mixed`, with other numbers."""
    older = [finding(estimate=0.8), finding(estimate=0.85)]
    return [
        Earlier(when=f"2001-01-0{i}T00:00:00Z", decision=decision(findings=(f,)))
        for i, f in enumerate(older, 1)
    ]


def svgs(text):
    return [ET.fromstring(x) for x in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def numbers_of(text):
    """The data cells of every row, label -> text."""
    return [
        dict(re.findall(r'data-label="([^"]+)">([^<]*)<', row))
        for row in re.findall(r"<tr .*?</tr>", text, re.DOTALL)
    ][1:]


def test_the_verdict_comes_first_then_reasons_then_tables_then_help_then_provenance():
    text = render_html(mixed())
    order = [
        "<h1>",
        ">Reasons<",
        ">claim_entities<",
        ">denial_reasons<",
        ">How to read",
        ">Provenance<",
    ]
    places = [text.index(x, text.index("<body")) for x in order]
    assert places == sorted(places)
    assert re.search(r"<h1><span[^>]*>✗</span> closed</h1>", text)


@pytest.mark.parametrize(
    ("verdict", "code", "sentence"),
    [
        ("open", 0, "no permission to release"),  # unsigned as it is
        ("closed", 1, "This model must not be released"),
        ("undecided", 3, "This model may not be released"),
    ],
)
def test_every_verdict_has_a_word_a_symbol_and_a_sentence(verdict, code, sentence):
    page = Page(render_html(decision(decision=verdict, exit=code)))
    assert verdict in page.words
    assert sentence in page.words
    assert ("body", "class", verdict) in page.attributes


@pytest.mark.parametrize(("status", "symbol"), list(zip(STATUSES, "✓✗?!", strict=True)))
def test_every_status_has_a_symbol_and_a_word(status, symbol):
    text = render_html(decision(findings=(finding(status=status),)))
    assert f'<span class="badge s-{status}">{symbol} {status}</span>' in text


def test_every_finding_has_its_numbers_rounded_outward():
    rows = [r for r in numbers_of(render_html(mixed())) if r]
    assert len(rows) == 6
    assert rows[0] == {
        "Estimate": "0.9124",
        "Interval": "0.8801 to 0.9390",
        "Threshold": "≥ 0.85",
        "Units": "212",
        "Items": "424",
        "Unscored": "0",
        "Needed": "–",
    }
    assert rows[1] | {"Units": ""} == rows[1] | {
        "Threshold": "≤ 0.05",
        "Interval": "0.0632 to 0.1109",
        "Unscored": "3",
        "Units": "",
    }
    assert rows[2]["Needed"] == "+210"
    assert rows[3]["Interval"] == "−0.0235 to 0.0212"
    assert rows[4]["Interval"] == "–"
    assert rows[4]["Threshold"] == "all"
    assert rows[5]["Estimate"] == "–"


def test_the_lower_end_is_never_shown_at_a_threshold_that_it_does_not_reach():
    low = 0.8499999999
    text = render_html(decision(findings=(finding(low=low, status="inconclusive"),)))
    assert "0.8499 to" in text
    assert "0.8500 to" not in text


def test_reasons_that_are_about_a_finding_link_to_its_row():
    text = render_html(mixed())
    assert '<a href="#f3">claim_entities unparseable_rate</a>: proven above 0.05' in text
    assert '<tr role="row" id="f3">' in text
    assert "<li>denial_reasons accuracy: its test was skipped</li>" in text


def test_census_failures_name_the_items():
    assert "dr-0001, dr-0114, dr-0187" in Page(render_html(mixed())).words


def test_provenance_holds_the_digests_and_what_was_served():
    page = Page(render_html(mixed(), evidence()))
    facts = dict(page.facts)
    assert facts["model digest"] == DIGEST
    assert facts["plan digest"] == PLAN
    assert facts["alpha, one-sided"] == "0.05"
    assert facts["model served by"] == "llamacpp b1"
    assert facts["model arguments"] == "--ctx-size 4096"
    assert facts["baseline digest"] == "sha256:" + "1" * 64
    assert facts["made by"] == "evalgate 9.9.9, Python 3.11.0"
    assert facts["asked"] == "424 questions now, 1000 answers kept from before"
    assert facts["gold set"] == "goldsets/claim_entities.jsonl, version 1.2.0"
    assert facts["gold set digest"] == "sha256:" + "3" * 64
    assert facts["prompt digest"] == "sha256:" + "4" * 64
    assert facts["run key"] == "5" * 64
    assert facts["baseline run key"] == "6" * 64
    assert facts["sampling"] == "temperature 0, at most 256 tokens, seed 7, 1 stop strings"
    assert facts["decided"] == "2001-02-03T04:05:06Z"


def test_broken_integrity_shows_no_count_of_passes():
    shown = render_html(
        decision(decision="closed", exit=5, integrity=("x",), reasons=("x",), findings=(finding(),))
    )
    assert 'class="tally"' not in shown
    assert 'class="tally"' in render_html(mixed())


def test_nothing_is_loaded_from_anywhere_and_nothing_runs():
    noted = evidence(notes=("http://example.invalid/x.js",))
    text = render_html(mixed(), noted, stem="x", earlier=history())
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "image", "use"} & set(
        page.tags
    )
    names = {name for _, name, _ in page.attributes}
    assert not {"src", "srcset", "style", "xlink:href", "action"} & names
    assert not {n for n in names if n.startswith("on")}
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    policy = next(v for _, n, v in page.attributes if n == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    bare = render_html(mixed())
    assert not re.search(r"https?://", bare)
    assert not re.search(r"url\(|@import", bare)


def test_ids_are_unique_and_every_reference_has_its_target():
    page = Page(render_html(mixed()))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    wanted = {v for _, n, value in page.attributes if n == "aria-labelledby" for v in value.split()}
    wanted |= {value[1:] for _, n, value in page.attributes if n == "href"}
    assert wanted <= set(ids)


def test_every_picture_is_well_formed_and_described():
    pictures = svgs(render_html(mixed()))
    assert len(pictures) == 6
    for picture in pictures:
        assert picture.get("role") == "img"
        title, desc = picture.find("title"), picture.find("desc")
        assert picture.get("aria-labelledby").split() == [title.get("id"), desc.get("id")]
        assert desc.text.startswith("Threshold ")
        assert picture.find("line[@class='threshold']") is not None
    assert pictures[0].find("desc").text == (
        "Threshold >= 0.85. Estimate 0.9124. Interval 0.8801 to 0.9390. The whole interval meets the threshold."
    )


def drawn(f):
    return ET.fromstring(interval_plot(f, key="f1"))


def test_the_shaded_side_is_where_the_value_has_to_be():
    at_least = drawn(finding(threshold={"min": 0.85}))
    line = float(at_least.find("line[@class='threshold']").get("x1"))
    assert float(at_least.find("rect[@class='good']").get("x")) == line
    at_most = drawn(finding(threshold={"max": 0.05}, estimate=0.01, low=0.001, high=0.03))
    good = at_most.find("rect[@class='good']")
    line = float(at_most.find("line[@class='threshold']").get("x1"))
    assert float(good.get("x")) + float(good.get("width")) == pytest.approx(line, abs=0.02)
    assert float(good.get("x")) < line


@given(
    st.sampled_from([{"min": 0.85}, {"max": 0.05}, {"min": -0.02}, {"max": 1.0}, {"min": 0.0}]),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_the_picture_keeps_the_order_of_its_numbers(threshold, numbers):
    low, estimate, high = sorted(numbers)
    f = finding(threshold=threshold, low=low, estimate=estimate, high=high)
    axis, target = axis_of(f), next(iter(threshold.values()))
    assert all(axis.low <= x <= axis.high for x in (low, estimate, high, target))
    picture = drawn(f)
    bar, dot = picture.find("rect[@class='bar']"), picture.find("circle")
    start, width = float(bar.get("x")), float(bar.get("width"))
    assert start - 0.02 <= float(dot.get("cx")) <= start + width + 0.02
    line = float(picture.find("line[@class='threshold']").get("x1"))
    assert (start > line) <= (low > target)
    assert (start < line) <= (low < target)


def test_differences_have_zero_in_the_middle_and_levels_end_at_zero_or_one():
    axis = axis_of(finding(threshold={"min": -0.02}, estimate=0.0, low=-0.01, high=0.01))
    assert (axis.low, axis.high) == (-0.05, 0.05)
    assert axis_of(finding()).high == 1.0
    assert axis_of(finding(threshold={"max": 0.05}, estimate=0.0, low=0.0, high=0.01)).low == 0.0


@pytest.mark.parametrize("number", [None, float("nan"), float("inf"), -float("inf"), 1e300])
@pytest.mark.parametrize(
    "threshold", [{"min": 0.85}, {"max": 0.05}, {"all": True}, {"min": float("nan")}]
)
def test_a_missing_number_is_no_picture_and_no_crash(number, threshold):
    for status in STATUSES:
        f = finding(status=status, estimate=number, low=number, high=number, threshold=threshold)
        text = render_html(decision(findings=(f,)))
        Page(text)
        (picture,) = svgs(text)
        places = [v for e in picture.iter() for n, v in e.attrib.items() if n in GEOMETRY]
        assert all(-1 <= float(v) <= 241 for v in places)


NASTY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "' onmouseover='x",
            "</title></style></svg><b>",
            "<!-- ",
            "]]>",
            "&lt;b&gt; &amp;",
            "\ud800\x00\x1b[31m",
            "javascript:alert(1)",
            "{x} %s",
        ]
    ),
)


@given(*[NASTY] * 12)
@settings(deadline=None, max_examples=40)
def test_no_string_can_become_markup(
    suite, test, method, reason, why, name, digest, plan, certificate, title, fact, value
):
    f = finding(suite=suite, test=test, method=method, reason=reason, low=None, high=None)
    d = decision(
        decision="closed",
        exit=5,
        findings=(f,),
        reasons=(why, f"{suite} {test}: {why}"),
        model={"name": name, "digest": digest},
        plan=plan,
        certificate=certificate,
        integrity=(why,),
    )
    text = render_html(
        d,
        evidence(
            notes=(fact,),
            files={fact: value},
            suites=(suite_evidence(suite=value, gold=fact, run=value, key=value),),
        ),
        stem=fact,
        title=title,
        earlier=[Earlier(when=fact, decision=d)],
    )
    text.encode("utf-8")
    page = Page(text)
    harmless = Page(
        render_html(
            msgspec.structs.replace(
                d,
                findings=(
                    finding(
                        suite="a",
                        test="b",
                        method=method and "c",
                        reason=reason and "d",
                        low=None,
                        high=None,
                    ),
                ),
                reasons=("e", "a b: e"),
                model={"name": "f", "digest": digest and plain(digest) and "g"},
                plan=plan and "h",
                certificate=certificate and "i",
            ),
            evidence(
                notes=(plain(fact) and "k",),
                files={"k": value and "l"},
                suites=(
                    suite_evidence(
                        suite="l",
                        gold="k",
                        run=plain(value) and "l",
                        key=plain(value) and "l",
                    ),
                ),
            ),
            stem=fact and "k",
            title="j",
            earlier=history(),
        )
    )
    assert set(page.tags) <= set(harmless.tags) | {"wbr"}
    assert {(t, n) for t, n, _ in page.attributes} <= {(t, n) for t, n, _ in harmless.attributes}
    fixed = {
        "aria-labelledby",
        "class",
        "id",
        "href",
        "role",
        "data-label",
        "content",
        "http-equiv",
        "name",
        "scope",
    }
    known = {(n, v) for _, n, v in harmless.attributes if n in fixed}
    assert {(n, v) for _, n, v in page.attributes if n in fixed} <= known
    for shown in (suite, test, why, name, fact, value):
        assert plain(shown) in page.words
    for picture in svgs(text):
        assert {e.tag for e in picture.iter()} <= {
            "svg",
            "title",
            "desc",
            "rect",
            "line",
            "text",
            "circle",
        }


def test_the_page_is_one_document_with_a_title():
    text = render_html(mixed(), title="Check of March")
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert page.tags.count("h1") == page.tags.count("title") - len(svgs(text)) == 1
    assert "<title>rc2: closed · Check of March</title>" in text
    assert page.tags.count("table") == 3  # two suites, and the worst items of one


def test_slices_and_differences_stand_apart_from_the_whole():
    titles = re.findall(r'class="group"><th[^>]*>([^<]*)<', render_html(mixed(), evidence()))
    assert titles == [
        "Whole gold set",
        "Parts of it: slices, classes, labels",
        "Difference from the baseline rc1",
    ]
    assert 'class="group"' not in render_html(decision(findings=(finding(),)))


def test_the_worst_items_are_listed_by_id():
    page = Page(render_html(mixed()))
    assert "ce-0007" in page.words
    assert "ce-0031" in page.words
    assert "Items to look at first" not in Page(render_html(decision(findings=(finding(),)))).words


def test_a_reason_about_a_nameless_test_is_told_as_everywhere():
    blank = finding(suite="s", test=" ", status="fail", reason="proven")
    text = render_html(decision(decision="closed", exit=1, reasons=("s  : proven",), findings=(blank,)))  # fmt: skip
    assert '<a href="#f1">s </a>: proven' in text


def test_answers_are_counted_by_what_became_of_them():
    text = render_html(mixed(), evidence())
    row = re.search(r'<th scope="row">claim_<wbr>entities</th>(<td class="n">.*?)</tr>', text)
    cells = re.findall(r">([^<]*)</td>", row[1])
    assert cells == ["424", "212", "411", "6", "4", "3"]
    table = text[text.index("Items of each suite") :]
    titles = re.findall(r">([^<]+)</th>", table[: table.index("</thead>")])
    assert titles == ["suite", "items", "units", "ok", "refused", "truncated", "missing"]
    assert text.count(f'<td class="n">{NONE}</td>') == 4  # of the other suite nobody knows


def test_how_to_verify_is_a_list_that_sha256sum_reads(tmp_path):
    files = {"gate.toml": "a\n", "goldsets/x y.jsonl": "b\n", "it's.md": "c"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    kept = tmp_path / "reports/decisions/s.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json_text(mixed()))
    digests = {name: digest.of_file(tmp_path / name) for name in files}
    page = render_html(mixed(), evidence(files=digests), stem="s")
    command = unescape(re.search(r"<code>(sha256sum.*?)</code>", page, re.DOTALL)[1])

    def run():
        return subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=False)

    assert run().returncode == 0
    kept.write_text(json_text(mixed()).replace("closed", "open"))
    assert run().returncode == 1


def test_every_picture_over_time_has_a_table_and_changes_of_the_threshold_are_said():
    before = [
        Earlier(
            when=f"2001-01-0{i}T00:00:00Z",
            decision=decision(
                model={"name": f"m{i}", "digest": ""},
                findings=(finding(estimate=x, low=x - 0.1, high=x + 0.05, threshold=bar),),
            ),
        )
        for i, (x, bar) in enumerate(((0.7, {"min": 0.8}), (0.72, {"min": 0.85})), 1)
    ]
    text = render_html(decision(findings=(finding(),)), evidence(), earlier=before)
    page = Page(text)
    assert "The threshold changed from >= 0.80 to >= 0.85 (2001-01-02)." in page.words
    assert "3 decisions from 2001-01-01 to 2001-02-03." in page.words
    picture = svgs(text)[-1]
    assert len(picture.findall("circle")) == len(picture.findall("line[@class='threshold']")) == 3
    table = text[text.index("<details>") :]
    assert [m in table for m in ("m1", "m2", "rc2")] == [True] * 3
    assert table.index("rc2") < table.index("m2") < table.index("m1")  # the latest first
    assert "Over time" not in Page(render_html(mixed(), evidence())).words


def test_decisions_on_the_same_evidence_are_one_point():
    same = decision(findings=(finding(),))
    points = points_of(finding(), [Earlier(when=f"2001-01-0{i}", decision=same) for i in (1, 2, 3)])
    assert [p.when for p in points] == ["2001-01-03"]


@given(
    st.lists(
        st.tuples(
            *[st.one_of(st.none(), st.floats(), st.floats(-1, 1))] * 3,
            st.sampled_from([{"min": 0.85}, {"max": 0.05}, {"all": True}, {"min": -0.1}]),
            st.sampled_from(STATUSES),
        ),
        min_size=2,
        max_size=15,
    )
)
@settings(deadline=None, max_examples=40)
def test_no_numbers_lead_out_of_the_picture_over_time(rows):
    before = [
        Earlier(
            when=f"2001-01-{i:02}T00:00:00Z",
            decision=decision(
                model={"name": str(i), "digest": str(i)},
                findings=(finding(estimate=e, low=lo, high=h, threshold=bar, status=status),),
            ),
        )
        for i, (e, lo, h, bar, status) in enumerate(rows, 1)
    ]
    text = render_html(before[-1].decision, evidence(decided="now"), earlier=before[:-1])
    Page(text)
    for e in svgs(text)[-1].iter():
        for name, value in e.attrib.items():
            if name in GEOMETRY:
                assert -1 <= float(value) <= 321


def test_pages_of_equal_decisions_are_equal():
    assert render_html(mixed(), evidence()) == render_html(mixed(), evidence())


def test_notes_on_the_evidence_stand_above_every_number():
    page = Page(render_html(decision(findings=(finding(),)), evidence()))
    assert "an endpoint: <nobody> verified it" in page.words
    assert page.words.index("About this evidence") < page.words.index("Interval")
