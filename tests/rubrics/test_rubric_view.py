"""The print view: everything a rater needs, in plain words, and no markup of a rubric's texts."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from rubric_files import RUBRIC, criteria
from test_rubric_edit import HEAD, rubric

from evalgate.authored.rubric_edit import with_criteria
from evalgate.authored.rubric_view import FORMATS, view

GOOD = rubric(RUBRIC)


class Reader(HTMLParser):
    """Collects tags, attributes and text, as a browser would see them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.text.append(data)


def shown(kind):
    page = view(GOOD, kind)
    return " ".join(("".join(Reader(page).text) if kind == "html" else page).split())


@pytest.mark.parametrize("kind", FORMATS)
def test_every_view_says_what_a_rater_needs(kind):
    text = shown(kind).replace("\\", "")
    for part in (
        "The letter states the reason on file.",
        "Names none, or another.",
        "Fault. Takes 10 points and fails the output.",
        "Gives 8 points.",
        "Scale from 1 to 5. Step 5 gives 5 points, step 1 none.",
        "And every term is explained.",
        "passes with 80 % of the points",
        "Who says met copies the words that show it.",
        "code (citations_resolve)",
        "No reason.",
        "1.2.0",
        GOOD.digest,
    ):
        assert part in text, part
    for word in ("negative", "weight", "kappa", "toml", "TOML", "-10"):
        assert word not in text


def test_boxes_are_for_people_and_does_not_apply_for_conditions_alone():
    text = view(GOOD, "text")
    assert text.count("☐ met") == 2
    assert text.count("☐ 1 ") == 1
    assert "does not apply" not in text
    conditional = RUBRIC.replace(
        "critical = true", 'critical = true\napplies_when = "A date is there."'
    )
    assert view(rubric(conditional), "text").count("☐ does not apply") == 1


def test_nothing_of_the_page_comes_from_elsewhere_or_runs():
    page = Reader(view(GOOD, "html"))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not {"src", "href", "onclick", "style"} & set(page.attributes)
    assert "@media print" in view(GOOD, "html")
    assert "style-src 'sha256-" in view(GOOD, "html").replace("&#x27;", "'")


def test_texts_of_a_rubric_are_text_in_every_view():
    trap = '<script>alert(1)</script> <b onclick=x>& \\"quoted\\" [a](http://example.com) *star* | `tick`'
    trapped = rubric(RUBRIC.replace("The letter states the reason on file.", trap))
    html, md = view(trapped, "html"), view(trapped, "md")
    assert "<script" not in html
    assert "onclick" not in Reader(html).attributes
    assert trap.replace('\\"', '"') in "".join(Reader(html).text)
    assert r"\<script\>" in md
    assert r"\[a\](http" in md
    assert r"\*star\*" in md


@settings(deadline=None, max_examples=40)
@given(criteria)
def test_any_rubric_is_shown_whole(given_criteria):
    whole = rubric(with_criteria(HEAD, given_criteria))
    tags = Reader(view(whole, "html")).tags
    assert tags.count("article") == len(given_criteria)
    assert set(tags) <= {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "small", "dl", "dt", "dd",
                         "article", "ul", "li", "footer"}  # fmt: skip
    text = "".join(Reader(view(whole, "html")).text)
    for criterion in given_criteria:
        assert criterion.ask in text
        assert " ".join(criterion.met.split()) in " ".join(text.split())
    assert view(whole, "text")
    assert view(whole, "md").count("\n## ") == len(given_criteria)
