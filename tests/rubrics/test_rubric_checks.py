"""Checks that code makes for a rubric: in order or not, on sentences of the project."""

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.text import reading_grade
from evalgate.text.checks import (
    CHECKS,
    PLAIN_GRADE,
    citations_resolve,
    no_placeholder_left,
    no_unsupported_dates,
    no_unsupported_names,
    no_unsupported_numbers,
    plain_reading,
)

PASSAGES = "[20.2] Your records. The plan answers within 60 days.\n[1.5] Member services. Call 555-0142.\n[1.6] Hours."
CASE = "Dr. Ivan Vasko ordered a brace on 2026-03-02 for Lena Ford. Cost $1,500."
plain = st.text(st.sampled_from("abc XY.,;:-\n12"), max_size=40)
outputs = st.text(st.sampled_from("aZ 1.[](){}<>-X_,\nTBD"), max_size=40)


@pytest.mark.parametrize(
    ("output", "in_order"),
    [
        ("The plan answers within 60 days [20.2].", True),
        ("See [20.2, 1.5] and [section 1.6].", True),
        ("Both ends are shown [1.5-1.6].", True),
        ("Nothing is cited.", True),
        ("It says so [sic].", True),
        ("It is covered [20.3].", False),
        ("One is shown, one is not [20.2; 9.1].", False),
        ("A range beyond what is shown [1.5-1.9].", False),
        ("A number of a passage's text is no passage [60].", False),
    ],
)
def test_citations_resolve(output, in_order):
    assert citations_resolve(output, PASSAGES) is in_order


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (no_unsupported_numbers, "It costs 1500 dollars.", "It costs 1600 dollars."),
        (no_unsupported_dates, "Ordered on March 2, 2026.", "Ordered on March 3, 2026."),
        (no_unsupported_names, "Ms. Ford saw Dr. Vasko.", "Ms. Ford saw Dr. Arkwright."),
    ],
)
def test_each_kind_of_invention_is_seen_by_its_own_check_alone(check, good, bad):
    kinds = (no_unsupported_numbers, no_unsupported_dates, no_unsupported_names)
    assert all(other(good, CASE) for other in kinds)
    assert [other for other in kinds if not other(bad, CASE)] == [check]


@pytest.mark.parametrize(
    "output",
    [
        "Dear [Name],",
        "Sincerely, [Your Signature]",
        "on [insert date] you wrote",
        "[to be completed: member ID]",
        "Dear {{member_name}},",
        "Dear <<NAME>>,",
        "Take <insert dose> daily.",
        "Reference XXX.",
        "The date is TBD.",
        "Lorem ipsum dolor.",
    ],
)
def test_what_waits_to_be_filled_in_is_seen(output):
    assert not no_placeholder_left(output, CASE)


@pytest.mark.parametrize(
    "output",
    [
        "The plan pays [20.2].",
        "He wrote that it were [sic] so.",
        "“[She] was seen twice.”",
        "See [the handbook](https://example.com).",
        "- [ ] enclosed\n- [x] signed",
        "Signature: ______________",
        "The account ends in XXX-XX-1234.",
        "A pressure <120 and a dose >5 mg.",
        "Quoted […] and cut [...].",
        "<b>Bold</b> text",
    ],
)
def test_other_brackets_and_lines_fill_nothing_in(output):
    assert no_placeholder_left(output, CASE)


def test_what_the_record_leaves_open_may_be_left_open():
    assert no_placeholder_left("Biopsy result TBD.", "Biopsy 2026-03-02, result TBD.")
    assert not no_placeholder_left("Dear [Name],", "Template: Dear [Name],")


def test_plain_reading_is_grade_nine():
    assert plain_reading("We will pay for the brace. You do not need to send us more.", CASE)
    hard = "Notwithstanding contraindications, multidisciplinary reconsideration necessitates comprehensive documentation."
    assert reading_grade(hard) > PLAIN_GRADE
    assert not plain_reading(hard, CASE)


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_is_called_as_a_rubric_calls_it(name):
    check = CHECKS[name]
    assert check.__name__ == name
    assert list(inspect.signature(check).parameters) == ["output", "sources"]
    assert inspect.getdoc(check)
    assert check("", "") is True


@settings(deadline=None)
@given(outputs, plain)
def test_every_check_says_yes_or_no_of_any_text(output, sources):
    assert {type(check(output, sources)) for check in CHECKS.values()} == {bool}


@settings(deadline=None)
@given(outputs, plain, plain)
def test_more_sources_never_make_a_citation_or_a_figure_wrong(output, sources, more):
    for check in (citations_resolve, no_unsupported_numbers, no_unsupported_dates):
        if check(output, sources):
            assert check(output, f"{sources}\n\n{more}"), check


@settings(deadline=None)
@given(plain)
def test_what_the_sources_say_is_supported_by_them(text):
    for check in (no_unsupported_numbers, no_unsupported_dates, no_unsupported_names):
        assert check(text, text)


@settings(deadline=None)
@given(outputs, st.sampled_from(["[Your Name]", "{{x}}", "<<x>>", "<insert x>"]), outputs)
def test_a_placeholder_is_seen_wherever_it_stands(before, placeholder, after):
    joined = f"{before}\n{placeholder} {after}"
    assert not no_placeholder_left(joined, "")


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[1-9]\.[1-9]", fullmatch=True), min_size=1, max_size=4), st.data())
def test_a_citation_resolves_just_when_its_passage_is_shown(shown, data):
    sources = "\n".join(f"[{name}] A passage." for name in shown)
    cited = data.draw(st.from_regex(r"[1-9]\.[1-9]", fullmatch=True))
    assert citations_resolve(f"So it is [{cited}].", sources) is (cited in shown)
