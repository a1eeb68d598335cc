"""What people read about a judge: agreement first, never colour alone, nothing loaded, nothing flattered."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_readings import FAULT, MUST, SCALE, agreed, critical, drawn, reading

from evalgate.judge.calibration_table import Qualification, Rate
from evalgate.judge.people import Unused
from evalgate.judge.qualification import qualify
from evalgate.records import ModelIdentity
from evalgate.report.calibration import (
    print_qualification,
    render_qualification,
    sentences,
    summary,
)

VOID = {"meta", "br", "wbr"}


def identity(name: str = "second") -> ModelIdentity:
    return ModelIdentity(
        name=name, digest="sha256:" + "12" * 32, server="llamacpp", version="llamacpp 1"
    )


def found(*criteria, **more) -> Qualification:
    given_ = {
        "suite": "letters", "rubric": "sha256:" + "ab" * 32, "version": "1.0.0", "judge": identity(),
        "candidate": identity("rc2"), "criteria": criteria, "when": "2001-02-03T04:05:06Z",
    }  # fmt: skip
    return Qualification(**{**given_, **more})


@pytest.fixture(scope="module")
def everything() -> Qualification:
    """One criterion of each standing, and the odd ones."""
    theirs = msgspec.structs.replace(MUST, id="tone", judged_by=("clinician",))
    strata = [
        msgspec.structs.replace(r, stratum="high" if at % 2 else "low")
        for at, r in enumerate(drawn(SCALE, 220, right=0.95, wrong=0.8))
    ]
    return found(
        qualify(FAULT, agreed(FAULT, 180, 20)),
        qualify(critical(MUST), drawn(MUST, 220, right=0.95, wrong=0.8), unused=Unused(stale=3)),
        qualify(SCALE, strata),
        qualify(theirs, []),
        notes=("An invented example.",),
    )


class Page(HTMLParser):
    """Reads a page as a browser would, and complains where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def printed(q: Qualification, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    print_qualification(q, file=file)
    return raw.getvalue().decode(encoding)


def sixty() -> list:
    """52 of 60: 14 of 20 faulty outputs found, 38 of 40 in order recognised."""
    pairs = (
        [("met", "met")] * 14
        + [("not_met", "met")] * 6
        + [("not_met", "not_met")] * 38
        + [("met", "not_met")] * 2
    )
    return [reading(at, *pair) for at, pair in enumerate(pairs)]


def test_how_often_it_agreed_comes_first_and_kappa_never_without_ac1():
    said = sentences(qualify(FAULT, sixty()))
    assert said[0] == "The judge agreed with the clinicians on 52 of 60: kappa 0.68, AC1 0.77."
    assert said[1].startswith("It may not decide: 0 items have answers of two clinicians")
    assert "It found 14 of 20 faulty outputs (at least 0.4921 of all such outputs)" in said[2]


def test_lower_ends_are_rounded_down_and_upper_ends_up():
    r = qualify(FAULT, sixty())
    odd = Rate(hits=14, of=20, low=0.49999999, high=0.900000001)
    text = " ".join(sentences(msgspec.structs.replace(r, found=odd, flips=odd)))
    assert "at least 0.4999 of all" in text
    assert "at most 0.9001 of all" in text


def test_what_was_left_out_is_told():
    r = msgspec.structs.replace(
        qualify(FAULT, [*sixty(), reading(90, "void", "met"), reading(91, "met", "cannot_tell")]),
        unused=Unused(stale=4, not_blind=2),
        simulated=1,
    )
    text = " ".join(sentences(r))
    assert "1 void of 62; they count as disagreement" in text
    assert "Raters could not tell on 1 item, left" in text
    assert "Labels left out: 4 about an earlier wording, 2 not given blind." in text
    assert "Labels by somebody who is no clinician: on 1 item." in text


def test_nobody_is_called_a_clinician_who_is_none():
    invented = [msgspec.structs.replace(r, simulated=True) for r in sixty()]
    said = sentences(qualify(FAULT, invented))
    assert said[0].startswith("The judge agreed with the raters on 52 of 60")
    assert "No item has two raters" in " ".join(said)


def test_nothing_is_said_to_be_found_where_nothing_is_faulty():
    text = " ".join(sentences(qualify(FAULT, agreed(FAULT, 9, 0))))
    assert "It recognised 9 of 9 that are in order" in text
    assert "None of the labelled outputs is faulty" in text
    assert "0 of 0" not in text


def test_without_labels_no_criterion_is_counted():
    assert summary(found()) == "No criterion has been held against labels."


def test_the_summary_counts_every_standing(everything):
    assert (
        summary(everything)
        == "Of 4 criteria the judge decides 1, assists with 2, leaves 1 to clinicians."
    )
    assert everything.deciding == {FAULT.id}


def test_the_text_names_every_criterion_with_a_symbol_and_a_word(everything):
    text = printed(everything)
    assert text.startswith("Judge second sha256:121212121212\nletters: Of 4 criteria")
    assert "An invented example." in text
    assert re.search(r"^✓ invented-fact  decides$", text, re.MULTILINE)
    assert re.search(r"^\? states-reason  assists, critical$", text, re.MULTILINE)
    assert re.search(r"^! tone  clinician only$", text, re.MULTILINE)
    assert "Found by severity: high " in text
    assert "Along the scale: weighted kappa" in text
    assert all(len(line) <= 100 and line == line.rstrip() for line in text.splitlines())
    assert "\x1b" not in text


def test_the_text_can_be_printed_in_ascii(everything):
    text = printed(everything, "ascii")
    assert "+ invented-fact  decides" in text
    assert "\ufffd" not in text
    assert not re.search(r"\S\?\S", text)


def test_the_page_says_the_same_as_the_text(everything):
    page = Page(render_qualification(everything))
    for r in everything.criteria:
        for sentence in sentences(r):
            assert sentence in page.words
    assert summary(everything) in page.words
    assert "partly qualified" in page.words
    assert "An invented example." in page.words


@pytest.mark.parametrize(
    ("criteria", "word"),
    [((FAULT,), "✓ qualified"), ((FAULT, MUST), "? partly qualified"), ((), "? not qualified")],
)
def test_the_verdict_has_a_symbol_and_a_word(criteria, word):
    reports = [qualify(c, agreed(c, 180, 20 if c is FAULT else 0)) for c in criteria]
    assert word in Page(render_qualification(found(*reports))).words


def test_nothing_is_loaded_from_anywhere_and_nothing_runs(everything):
    text = render_qualification(everything)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "image", "use"} & {
        *page.tags
    }
    names = {name for name, _ in page.attributes}
    assert not {"src", "srcset", "style", "action"} & names
    assert not {n for n in names if n.startswith("on")}
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    policy = next(v for n, v in page.attributes if n == "content" and "default-src" in v)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{allowed}'")
    assert not re.search(r"https?://|url\(|@import", text)


def test_ids_are_unique_and_every_reference_has_its_target(everything):
    page = Page(render_qualification(everything))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    wanted = {v for n, value in page.attributes if n == "aria-labelledby" for v in value.split()}
    wanted |= {value[1:] for name, value in page.attributes if name == "href"}
    assert wanted <= set(ids)


def test_every_criterion_has_a_picture_of_the_faults_that_were_found(everything):
    text = render_qualification(everything)
    described = re.findall(r"<desc[^>]*>([^<]*)</desc>", text)
    assert len(described) == 4
    assert described[0].startswith(
        "Threshold &gt;= 0.50. Estimate 1.0000. Interval 0.8608 to 1.0000."
    )
    assert described[1].startswith("Threshold &gt;= 0.90.")
    assert described[3] == "Threshold &gt;= 0.50."


def test_one_row_holds_the_numbers_of_one_criterion():
    text = render_qualification(found(qualify(FAULT, sixty())))
    cells = dict(re.findall(r'data-label="([^"]+)">([^<]*)<', text))
    assert cells == {
        "Agreed": "52 of 60", "Kappa": "0.68", "AC1": "0.77", "Faulty found": "14 of 20",
        "Recognised": "38 of 40", "F1 judge": "0.84", "F1 clinicians": "–", "Changed its answer": "–",
    }  # fmt: skip


NASTY = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "</title></style><b>",
            "\x1b[31m\ud800",
        ]
    ),
)


@given(NASTY, NASTY, NASTY)
@settings(deadline=None, max_examples=15)
def test_no_string_can_become_markup_or_a_terminal_code(name, note, stratum):
    r = qualify(FAULT, sixty())
    odd = msgspec.structs.replace(r, criterion=name, strata={stratum: r.found, "x": r.found})
    q = found(odd, suite=note, notes=(note,), judge=identity(name), version=note, when=stratum)
    text = render_qualification(q, title=note)
    text.encode("utf-8")
    page, harmless = Page(text), Page(render_qualification(found(r, notes=("x",))))
    assert {*page.tags} <= {*harmless.tags, "wbr"}
    assert {n for n, _ in page.attributes} <= {n for n, _ in harmless.attributes}
    assert "\x1b" not in printed(q)


def test_a_page_of_numbers_loads_no_numpy_and_no_rich():
    code = (
        "import sys, evalgate.report.calibration\n"
        "print([m for m in ('numpy', 'scipy', 'httpx', 'aiohttp', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
