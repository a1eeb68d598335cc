"""What reads badly is warned of, and what is well written is not."""

import pytest
from hypothesis import given, settings
from rubric_files import RUBRIC, criteria
from test_rubric_edit import HEAD, changed, rubric

from evalgate.authored import explain
from evalgate.authored.rubric_edit import with_criteria
from evalgate.authored.rubric_lint import MOST_CRITERIA, lint

GOOD = rubric(RUBRIC)
REASON, FACT = GOOD.criteria[:2]


def codes(*given):
    return [warning.code for warning in lint(rubric(with_criteria(HEAD, given)))]


def test_a_rubric_that_reads_well_has_no_warnings():
    assert lint(GOOD) == ()


def test_a_warning_names_criterion_and_line_and_is_explained():
    text = RUBRIC.replace("Names the reason.", "Gives an appropriate reason.")
    (warning,) = lint(rubric(text))
    assert str(warning).startswith(
        "rubrics/letters.toml:11: EG622 [[criterion]] states-reason: found the word `appropriate`"
    )
    assert explain("EG622")


@pytest.mark.parametrize(
    "ask",
    [
        "The letter does not state the deadline.",
        "The summary fails to name an allergy.",
        "The letter isn't addressed to the member.",
        "The letter never says who may appeal.",
        "The answer gives a rule that no passage states without a source.",
    ],
)
def test_a_fault_that_asks_for_an_absence_is_warned_of(ask):
    assert codes(REASON, changed(FACT, ask=ask)) == ["EG620"]
    assert (
        codes(
            changed(REASON, ask="The letter states the date."), changed(FACT, ask=ask, points=3.0)
        )
        == []
    )


@pytest.mark.parametrize(
    "ask",
    [
        "The letter states a clinical fact, date or result that is not in the case facts.",
        "A citation points to a passage that was not shown.",
        "The summary omits an allergy on record.",
        "The letter promises a payment, although the plan has not decided.",
    ],
)
def test_a_fault_that_asks_for_a_presence_is_not(ask):
    assert codes(REASON, changed(FACT, ask=ask)) == []


@pytest.mark.parametrize(
    ("ask", "several"),
    [
        ("The letter states the reason and explains the next step.", True),
        ("The letter names the deadline and/or the address.", True),
        ("The letter names the deadline. It also names the address.", True),
        ("Is the reason stated? Is the deadline right?", True),
        ("The letter gives the deadline, and it tells where to write.", True),
        ("The letter gives the next appeal step, its deadline and how to ask for the records used.", False),
        ("The letter is in the language and the voice of the person who signs it.", False),
        ("The summary gives drug and dose of today for each medicine that the record changes.", False),
        ("How easily could its reader act? The reader of a letter is the plan's reviewer.", False),
        ("The letter names Dr. Ruiz of St. Anne and the visit.", False),
    ],
)  # fmt: skip
def test_several_asks_in_one_are_told_from_a_list(ask, several):
    assert codes(changed(REASON, ask=ask)) == (["EG621"] if several else [])


@pytest.mark.parametrize(
    "word", ["appropriate", "adequately", "good", "Insufficient", "high-quality", "reasonable"]
)
def test_vague_words_are_warned_of_but_not_in_quotation_marks_or_terms(word):
    assert codes(changed(REASON, ask=f"The letter gives a {word} reason.")) == ["EG622"]
    assert codes(changed(REASON, not_met=f"It is {word}.")) == ["EG622"]
    assert codes(changed(REASON, not_met=f'It only says "{word}".')) == []
    assert (
        codes(
            changed(
                REASON,
                ask="The letter tells of good cause and of what is reasonable and necessary.",
            )
        )
        == []
    )


def test_a_critical_criterion_without_proof_is_warned_of():
    assert codes(REASON, changed(FACT, evidence="none")) == ["EG623"]


def test_a_border_with_one_side_is_warned_of():
    assert codes(changed(REASON, not_met="")) == ["EG624"]
    assert codes(changed(REASON, met="", not_met="")) == ["EG624"]


def test_too_many_criteria_are_warned_of():
    many = [changed(REASON, id=f"c-{n}") for n in range(MOST_CRITERIA + 1)]
    assert codes(*many[:-1]) == []
    assert codes(*many) == ["EG625"]


def test_a_rubric_without_any_example_is_warned_of():
    assert codes(changed(REASON, examples=())) == ["EG626"]


@settings(deadline=None, max_examples=40)
@given(criteria)
def test_lint_reads_any_rubric(given_criteria):
    assert all(explain(code) for code in codes(*given_criteria))
