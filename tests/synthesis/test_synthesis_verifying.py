"""What code sees of a text that was told in other words: each kind of fault is dropped, an honest retelling is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.corpus.verifying import (
    REASONS,
    Facts,
    at_word,
    is_spanish,
    moved,
    terms_in,
    terms_of,
    why_not,
    why_not_add,
)

NOTE = (
    "Member TQ-114-22 was seen on March 3, 2026 by Dr. Imre Vasko at Otterstow Clinic. He has gout and takes allopurinol "
    "100 mg once a day. Asthma was ruled out. The visit was charged at $90."
)
TOLD = (
    "On March 3, 2026 Dr. Imre Vasko saw member TQ-114-22 at Otterstow Clinic. The charge for the visit was $90. There is "
    "gout, for which allopurinol 100 mg is taken once a day; asthma was ruled out."
)
ENTITIES = [
    {"label": "MEMBER_ID", "text": "TQ-114-22", "start": 7, "end": 16},
    {"label": "DIAGNOSIS", "text": "gout", "start": 90, "end": 94},
    {"label": "MEDICATION", "text": "allopurinol", "start": 105, "end": 116},
    {"label": "DOSE", "text": "100 mg", "start": 117, "end": 123},
    {"label": "AMOUNT", "text": "$90", "start": 180, "end": 183},
]
TERMS = frozenset({"gout", "asthma", "allopurinol", "diabetes", "colonoscopy"})
FACTS = Facts(source=NOTE, others="", answer="gout, allopurinol 100 mg, $90", expected=ENTITIES, terms=TERMS)  # fmt: skip


def test_an_honest_retelling_is_kept():
    assert why_not(TOLD, FACTS) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I can't help with that request.", "declined"),
        (f"{TOLD} Let me know if it should be shorter.", "speaks-of-the-task"),
        ("Member TQ-114-22 has gout.", "length"),
        (f"{TOLD} {TOLD} {TOLD}", "length"),
        (TOLD.replace("$90", "$95"), "new-figure-or-date"),
        (TOLD.replace("March 3", "March 4"), "new-figure-or-date"),
        (TOLD.replace("Dr. Imre Vasko", "Dr. Bo Lindqvist"), "new-name"),
        (TOLD.replace("There is", "There is diabetes and"), "new-term"),
        (TOLD.replace("asthma was ruled out", "asthma is known, too"), "turned-round"),
        (TOLD.replace("There is gout, for which", "Gout was ruled out, yet"), "turned-round"),
        (TOLD.replace("allopurinol", "a tablet of"), "lost-entity"),
        (TOLD.replace("gout", "podagra"), "lost-entity"),
        (TOLD.replace("On March 3, 2026", "In spring"), "lost-figure-or-date"),
        (NOTE, "unchanged"),
        (NOTE.replace("has gout", "has the gout"), "unchanged"),
    ],
)
def test_what_changes_or_loses_a_fact_is_dropped(text, reason):
    assert why_not(text, FACTS) == reason


def test_words_about_something_else_are_dropped_even_where_no_fact_is_asked_for():
    question = (
        "After the deductible, what share of covered care do members pay outside the network?"
    )
    facts = Facts(source=question, others="", answer="40 percent [2.1].", expected={"facts": [[["40 percent"]]], "must_not": []}, terms=TERMS)  # fmt: skip
    other = "A reality of persistent kinds, which is a matter for tomorrow morning then."
    assert why_not(other, facts) == "off-topic"
    asked = "Once the deductible is met, members pay which share of care that is covered outside the network?"
    assert why_not(asked, facts) is None


def test_another_language_is_dropped():
    assert why_not("La miembro TQ-114-22 fue vista el 3 de marzo de 2026 por la Dra. Vasko en la clínica, con gota y con alopurinol.", FACTS) == "language"  # fmt: skip


def test_facts_of_a_written_task_must_be_stated_as_before():
    source = "2026-01-18 Knee gave way. MRI of the right knee was asked for. Allergy: penicillin. No aspirin is taken."
    expected = {
        "facts": [[["MRI"], ["right knee"]]],
        "critical": [[["penicillin"]]],
        "must_not": [[["aspirin"]]],
        "reference": "",
    }
    facts = Facts(source=source, others="", answer="", expected=expected, terms=frozenset())
    told = "The knee gave way on 2026-01-18, and an MRI of the right knee was asked for. {} There is an allergy to {}."
    assert why_not(told.format("No aspirin is taken.", "penicillin"), facts) is None
    assert why_not(told.format("No aspirin is taken.", "latex gloves"), facts) == "lost-fact"
    assert why_not(told.format("Aspirin is taken daily.", "penicillin"), facts) == "new-false-fact"


def test_what_the_answer_says_must_still_be_held():
    source = "Mrs. Ruth Adebayo called about her scan and about the bill that came with it."
    facts = Facts(source=source, others="", answer="Ruth Adebayo called.", expected={"facts": [[["scan"]]]}, terms=frozenset())  # fmt: skip
    told = "There was a call about the scan and the bill that came along with it, by a {}."
    assert why_not(told.format("Mrs. Ruth Adebayo"), facts) is None
    assert why_not(told.format("member of ours"), facts) == "lost-fact"


LABEL = Facts(source="The notes never came, so the claim was closed.", others="", answer="DOCUMENTATION_MISSING", expected="DOCUMENTATION_MISSING", terms=TERMS)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("This came by mail and was put on file by the front desk.", None),
        ("The member called and was upset about the whole matter.", None),
        ("The clinic is out of the network of this plan.", "other-reason"),
        ("This came by mail, and the request was denied for another cause.", "other-reason"),
        ("It came by mail on March 3, 2026 and was put on file.", "new-figure-or-date"),
        ("It was taken down by somebody called Mildred Oakes at the desk.", "new-name"),
        ("It is about a colonoscopy that somebody had in the spring.", "new-term"),
        ("It came in.", "length"),
        ("Esto llegó por correo y lo tomó la persona de la entrada.", "language"),
        ("Here is the sentence: it came by mail to the desk.", "speaks-of-the-task"),
    ],
)
def test_nothing_that_decides_is_put_before_a_label(text, reason):
    assert why_not_add(text, LABEL) == reason


def test_entities_get_the_offsets_of_the_new_text_in_its_order():
    new = moved(ENTITIES, TOLD)
    assert [TOLD[e["start"] : e["end"]] for e in new] == [e["text"] for e in new]
    assert [e["start"] for e in new] == sorted(e["start"] for e in new)
    assert {(e["label"], e["text"]) for e in new} == {(e["label"], e["text"]) for e in ENTITIES}


@given(st.text(min_size=1, max_size=8), st.text(max_size=20), st.text(max_size=20))
def test_a_piece_is_found_only_as_a_whole_word(piece, before, after):
    text = f"{before} {piece} {after}"
    start = at_word(text, piece)
    assert start is not None
    assert text[start : start + len(piece)] == piece
    assert at_word(f"x{piece}x", piece) is None or not (piece[0].isalnum() or piece[0] == "_")


def test_a_longer_number_does_not_hold_a_shorter_one():
    assert at_word("charged $1900", "$190") is None
    assert terms_in("Goutweed and GOUT", {"gout", "weed"}) == {"gout"}


def test_terms_are_of_diagnoses_procedures_and_medicines():
    assert terms_of([ENTITIES, "LABEL"]) == {"gout", "allopurinol"}


def test_small_words_tell_spanish_from_english():
    assert is_spanish("La decisión de la clínica fue que no se paga por el estudio.")
    assert not is_spanish(NOTE)


def test_reasons_have_one_name_each():
    assert len(set(REASONS)) == len(REASONS)
