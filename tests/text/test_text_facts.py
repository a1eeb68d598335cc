"""A fact is stated where every group has a wording in one sentence that does not deny it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.text import asserts, coverage, missing

STOPPED = [["metformin"], ["stopped", "discontinued"], ["2024-03-02"]]
NEGATIONS = [
    json.loads(line)
    for line in (Path(__file__).parent / "negations.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(
    "text",
    [
        "Metformin was stopped on 2 March 2024.",
        "On 03/02/2024 the METFORMIN was discontinued.",
        "Stopped:\n- metformin (March 2nd, 2024)\n- aspirin",
        "**Metformin** | stopped | 2024-03-02",
        "Metformin, taken\nsince 2019, was stopped on March 2, 2024.",
    ],
)
def test_a_fact_is_stated_in_any_wording_of_each_group(text):
    assert coverage(text, [STOPPED]) == 1
    assert missing(text, [STOPPED]) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Metformin was stopped. She left on 2024-03-02.",
        "Metformin was stopped on 2024-03-03.",
        "Metformin was not stopped on 2024-03-02.",
        "Metformine was stopped on 2024-03-02.",
        "On 2024-03-02 insulin was stopped.",
    ],
)
def test_a_fact_is_not_stated_by_its_parts(text):
    assert coverage(text, [STOPPED]) == 0
    assert missing(text, [STOPPED]) == [0]


def test_within_text_the_groups_may_stand_apart_but_none_may_be_denied():
    text = "Metformin was stopped. She left on 2024-03-02."
    assert asserts(text, [STOPPED], within="text") == [0]
    assert asserts(text.replace("was", "was not"), [STOPPED], within="text") == []


def test_one_mention_that_is_not_denied_is_enough():
    assert asserts("No asthma in childhood. Asthma since 2019.", [[["asthma"]]]) == [0]


def test_numbers_match_by_value_and_dates_by_what_is_asked():
    facts = [[["1,500"]], [["5.0 mg"]], [["March 2024"]], [["two weeks"]], [["50%"]]]
    text = "She got $1500 for 5mg on 2 March 2024, after 2 weeks at 50 percent."
    assert coverage(text, facts) == 1
    assert asserts("on March 2024", [[["2024-03-02"]]]) == []


@pytest.mark.parametrize(
    "text", ["It costs $60.", "**$60.00**", "US$60", "USD 60", "60 dollars", "Cuesta 60 dólares."]
)
def test_a_dollar_sign_in_a_wording_demands_dollars(text):
    assert asserts(text, [[["$60"]]]) == [0]
    assert asserts("Appeal within 60 days; the limit is $1,060.", [[["$60"]]]) == []
    assert asserts("Appeal within 60 days.", [[["60"]]]) == [0]


def test_a_denial_ends_at_a_finding_of_its_own():
    text = "No suicidal thoughts, liver normal, weekly dispensing."
    assert asserts(text, [[["suicidal"]], [["liver normal"]], [["weekly"]]]) == [1, 2]
    assert asserts("No fever, chills or cough.", [[["cough"]]]) == []


@pytest.mark.parametrize(
    "text",
    [
        "No changes: warfarin 5 mg daily.",
        "No: warfarin is taken.",
        "Never stop warfarin.",
        "Without question warfarin should go on.",
        "No longer hypertensive, on warfarin.",
        "War\u200bfarin and war\u00adfarin",
        "warfarin5mg",
    ],
)
def test_what_only_looks_like_a_denial_or_another_word_states_a_fact(text):
    assert asserts(text, [[["warfarin"]]]) == [0]


@pytest.mark.parametrize(
    "text",
    [
        "Not taking: warfarin",
        "Not taking:\n- aspirin\n- warfarin",
        "Denies: warfarin",
        "No history of: warfarin",
        "Warfarin: negative.",
        "No longer on warfarin.",
    ],
)
def test_a_denial_reaches_over_a_colon_where_it_announces_what_follows(text):
    assert asserts(text, [[["warfarin"]]]) == []


def test_never_stopped_does_not_state_that_it_was_stopped():
    assert asserts("She never stopped metformin.", [[["metformin"], ["stopped"]]]) == []


def test_what_rules_a_finding_out_is_not_denied_with_it():
    facts = [[["stroke"]], [["CT"]]]
    assert asserts("Stroke was ruled out by a normal CT.", facts) == [1]
    assert asserts("The scan ruled out stroke.", facts) == []


def test_wordings_match_without_accents_hyphens_and_line_breaks():
    assert asserts("Seguimiento del NIÑO: follow\nup visit", [[["nino"]], [["follow-up"]]]) == [
        0,
        1,
    ]


def test_a_fact_that_is_itself_negative_is_stated_by_a_negation():
    assert asserts("Acupuncture is not covered.", [[["acupuncture"], ["not covered"]]]) == [0]
    assert asserts("He has no allergies.", [[["no"], ["allergies"]], [["no allergies"]]]) == [0, 1]
    assert asserts("Acupuncture is covered.", [[["acupuncture"], ["not covered"]]]) == []


def test_no_facts_are_covered_and_an_empty_answer_covers_none():
    assert coverage("anything", []) == 1
    assert coverage("", [[["a"]], [["b"]]]) == 0


@pytest.mark.parametrize(
    "fault", [[], [[]], [["a"], []], [[""]], [["..."]], "metformin", ["metformin"]]
)
def test_a_fact_without_words_is_an_error_that_names_its_position(fault):
    with pytest.raises(ValueError, match=r"fault in fact 1, expected a list of groups"):
        coverage("text", [[["fine"]], fault])


def test_an_unknown_scope_is_an_error():
    with pytest.raises(ValueError, match="found within='paragraph'"):
        coverage("text", [], within="paragraph")


WORDS = st.sampled_from(
    [
        "asthma",
        "gout",
        "metformin",
        "stopped",
        "no",
        "not",
        "denies",
        "and",
        "but",
        ",",
        ".",
        "5",
        "mg",
    ]
)
FACTS = st.lists(
    st.lists(st.lists(st.sampled_from(["asthma", "gout", "5", "stopped"]), min_size=1), min_size=1),
    max_size=4,
)


@settings(deadline=None)
@given(st.lists(WORDS).map(" ".join), FACTS)
def test_stated_and_missing_facts_are_all_facts(text, facts):
    stated, absent = asserts(text, facts), missing(text, facts)
    assert sorted(stated + absent) == list(range(len(facts)))
    assert coverage(text, facts) == (len(stated) / len(facts) if facts else 1)
    assert set(stated) <= set(asserts(text, facts, within="text"))


@settings(deadline=None)
@given(st.lists(WORDS).map(" ".join), FACTS)
def test_more_sentences_never_unsay_a_fact(text, facts):
    assert set(asserts(text, facts)) <= set(asserts(f"{text}.\n\nNo asthma, no gout.", facts))


@pytest.mark.parametrize(
    ("part", "sentences", "read_as_stated", "read_as_denied"),
    [("develop", 88, 1, 4), ("held out", 50, 6, 1)],
)
def test_the_errors_of_the_negation_scope_are_those_of_the_page(
    part, sentences, read_as_stated, read_as_denied
):
    """The figures in docs/text.md. Change both together, and never write a sentence of the held-out part into the rules."""
    rows = [row for row in NEGATIONS if row["set"] == part]
    found = [(row["stated"], asserts(row["text"], [[[row["fact"]]]]) == [0]) for row in rows]
    assert len(rows) == sentences
    assert found.count((False, True)) == read_as_stated
    assert found.count((True, False)) == read_as_denied
