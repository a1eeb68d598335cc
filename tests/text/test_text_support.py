"""Figures, dates and names that a source does not hold."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalgate.text import citations, unsupported
from evalgate.text.names import names

SOURCE = (
    "Claim CLM-48213 of 03/02/2024 for Maria Lopez, seen by Dr. Ivan Vasko at Lakeview Hospital. "
    "Allowed: $1,500.00. Metformin 500 mg, BP 120/80, A1c 7.4%."
)


@pytest.mark.parametrize(
    "text",
    [
        "On March 2, 2024 the plan allowed 1500 dollars.",
        "In 2024 she took metformin 500mg; her A1c was 7.40.",
        "1. Metformin\n2. Lopez\n(3) Nothing",
        "She waited two weeks, as section [4.2] and [P17, P18] allow.",
        "MARIA LOPEZ was seen in March 2024 by Dr Vasko.",
        "Ms. Lopez's blood pressure was 120 over 80.",
        "The Hospital reviewed Claim 48213.",
        "",
    ],
)
def test_what_the_source_holds_in_other_words_is_supported(text):
    assert unsupported(text, SOURCE) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("She took 850 mg of metformin.", ["850"]),
        ("The claim was allowed on March 3, 2024.", ["March 3, 2024"]),
        ("In 2023 and on 2023-03-02 she came.", ["2023", "2023-03-02"]),
        ("Dr. Chen and Ana Ruiz agree. Then Dr. Chen left.", ["Chen", "Ana Ruiz"]),
        ("It took twenty-five days.", ["twenty-five"]),
        ("A1c 7.5%, BP 130/80, 7.5 again", ["7.5", "130"]),
        ("He was seen on 02/30/2024.", ["02/30/2024"]),
        ("CLM-48214", ["48214"]),
        ("½ tablet, then 1½, 1 1/2 and ¾ tablets", ["½", "1½", "1 1/2", "¾"]),
        ("She took ② tablets, ⁸⁵⁰ mg, ٨٥٠ mg, 8\u200b51 mg", ["②", "⁸⁵⁰", "٨٥٠", "851"]),
        ("half a tablet, a dozen tablets, two pills", ["half", "dozen", "two"]),
        ("two dozen visits", ["two dozen"]),
        ("metformin850mg", ["850"]),
    ],
)
def test_what_the_source_does_not_hold_is_reported_as_written(text, found):
    assert unsupported(text, SOURCE) == found


def test_kinds_limit_what_is_looked_for():
    text = "Dr. Chen, 850 mg, March 3, 2024"
    assert unsupported(text, SOURCE, kinds=("number",)) == ["850"]
    assert unsupported(text, SOURCE, kinds=("date",)) == ["March 3, 2024"]
    assert unsupported(text, SOURCE, kinds=("name",)) == ["Chen"]
    assert unsupported(text, SOURCE, kinds=()) == []
    with pytest.raises(
        ValueError, match="found kind 'numbers', expected some of number, date, name"
    ):
        unsupported(text, SOURCE, kinds=("numbers",))


def test_figures_that_were_read_aloud_support_written_ones():
    talk = "Your pressure is one thirty over eighty, the fever was one oh one, temperature ninety eight point six now, point five milligrams, in twenty nineteen."
    assert unsupported("BP 130/80, 98.6, 0.5 mg, 2019", talk, kinds=("number",)) == []
    assert unsupported("BP 131/80", talk, kinds=("number",)) == ["131"]


def test_fractions_are_held_however_they_are_written():
    source = "Half a tablet, later two and a half tablets, then 1 1/3, and a dozen doses."
    assert unsupported("½, 0.5 or 1/2 tablet; 2½ or 2.5; 1⅓; 12 doses", source) == []


def test_powers_footnotes_and_circled_list_numbers_are_no_figures():
    text = "BMI in kg/m², covered.¹ See the plan²\n① first\n❷ second"
    assert unsupported(text, "", kinds=("number",)) == []


def test_a_date_is_held_by_a_more_exact_one_and_by_a_year_that_stands_apart():
    assert unsupported("in March 2024", "on 2024-03-02", kinds=("date",)) == []
    assert unsupported("on March 2", "on 2024-03-02", kinds=("date",)) == []
    assert unsupported("on 2024-03-02", "In 2024 she came on March 2.", kinds=("date",)) == []
    assert unsupported("on 2024-03-02", "in March 2024", kinds=("date",)) == ["2024-03-02"]
    assert unsupported("on 2023-03-02", "In 2024 she came on March 2.", kinds=("date",)) == [
        "2023-03-02"
    ]


TEXTS = st.lists(
    st.sampled_from(
        ["Dr. Chen", "Ana Ruiz", "850 mg", "on 2024-03-02", "March 3", "the plan", "[4.2]", "two", "fifty", ".", "\n- "]
    )
).map(" ".join)  # fmt: skip


@settings(deadline=None)
@given(TEXTS | st.text())
@example(";Aa'")
@example(";Aa_")
@example("fifty \n- two")
@example(". Warfarin5mg Aa½")
@example("fifty [4.2] two")
def test_a_text_supports_itself(text):
    assert unsupported(text, text) == []


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS)
@example("fifty", "fifty", "two")
def test_a_larger_source_never_supports_less(text, source, more):
    figures = ("number", "date")
    larger = unsupported(text, f"{source}\n\n{more}", kinds=figures)
    assert set(larger) <= set(unsupported(text, source, kinds=figures))


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_what_is_reported_stands_in_the_text_once(text, source):
    found = unsupported(text, source, kinds=("number", "date"))
    assert all(written in text for written in found)
    assert len(found) == len(set(found))


NAMED = [
    ("Dr. Vasko examined Ms. Maria Lopez on March 3.", ["Vasko", "Maria Lopez"]),
    ("The patient was admitted to Lakeview Hospital in Springfield.", ["Lakeview Hospital", "Springfield"]),
    ("He lives with his daughter Ana in Tucson, Arizona.", ["Ana", "Tucson", "Arizona"]),
    ("Ms. O'Brien saw Dr. Smith-Jones at the Mayo Clinic.", ["O'Brien", "Smith-Jones", "Mayo Clinic"]),
    ("Sincerely,\nLaura Finch", ["Laura Finch"]),
    ("La señora Gómez fue atendida por el Dr. Ruiz.", ["Gómez", "Ruiz"]),
    ("The review by Judge Harmon took place in Łódź.", ["Harmon", "Łódź"]),
    ("Dear Appeals Department: please contact Member Services on Monday.", []),
    ("The MRI showed a tear. Physical therapy was tried.", []),
    ("## Northern Lights\nAssessment And Outlook:\nFever.", []),
    ("Diagnosis: Asthma", []),
    ("Admitted December 3. L. Requested: an MRI.", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), NAMED)
def test_names_are_capitalised_sequences_that_are_no_common_words(text, found):
    assert [name.written for name in names(text)] == found


def test_words_that_the_source_writes_small_are_no_names():
    assert [n.written for n in names("They gave Eliquis.", "eliquis 5 mg")] == []


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Covered [4.2], see [P3; 4.3] and [4.2].", ["4.2", "P3", "4.3"]),
        ("[Section 7.1] [§ 8] [passage P4 and P5]", ["7.1", "8", "P4", "P5"]),
        ("[sic] [Your Name] [ ] [see below] 4.2 (4.3)", []),
        ("[4.2](#x) [denial-reasons-12]", ["4.2", "denial-reasons-12"]),
        ("[4.2\n4.3]", []),
    ],
)
def test_citations_are_the_ids_in_square_brackets(text, ids):
    assert citations(text) == ids


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[A-Z]?[0-9]{1,2}(\.[0-9]{1,2})?", fullmatch=True), max_size=5))
def test_cited_ids_come_back_in_order_without_repeats(ids):
    assert citations(f"Yes [{', '.join(ids)}] and [{']['.join(ids)}].") == list(dict.fromkeys(ids))
