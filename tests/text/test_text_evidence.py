"""The scores on real notes and real refusals, where the environment names the public data."""

from __future__ import annotations

import os
import warnings
from itertools import pairwise
from pathlib import Path

import pytest
from name_evidence import KINDS
from name_evidence import counts as name_counts
from refusal_evidence import counts, spoken
from summary_evidence import SETS, means, planted_found, visits

from evalgate.text import rouge_l, unsupported

VARIABLE = "EVALGATE_PUBLIC_DATA"
DATA = Path(os.environ.get(VARIABLE, ""))
pytestmark = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set")
SOME = 20


@pytest.mark.parametrize("name", SETS)
def test_scores_fall_from_the_note_itself_to_another_visits_note(name):
    table = means(visits(DATA, name)[:SOME])
    itself, misnumbered, half, other = table.values()
    for score in ("ROUGE-L", "chrF", "figures covered"):
        assert itself[score] > misnumbered[score] > other[score]
        assert itself[score] > half[score] > other[score]
    assert itself["ROUGE-L"] == itself["chrF"] == 1
    for source in ("note", "dialogue"):
        score = f"unsupported figures, source: {source}"
        assert half[score] <= itself[score] < min(misnumbered[score], other[score])
    assert itself["unsupported figures, source: note"] == 0


@pytest.mark.parametrize("name", SETS)
def test_planted_numbers_are_reported(name):
    reported, planted = planted_found(visits(DATA, name)[:SOME], dialogue=False)
    assert reported == planted >= SOME / 2
    reported, planted = planted_found(visits(DATA, name)[:SOME], dialogue=True)
    assert reported > 0.85 * planted


def test_rouge_l_of_real_notes_is_that_of_rouge_score():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rouge_score import rouge_scorer
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    notes = [note for _, note in visits(DATA, "mts-dialog")[:SOME]]
    for candidate, reference in pairwise(notes):
        expected = scorer.score(reference, candidate)["rougeL"].fmeasure
        assert rouge_l(candidate, reference) == pytest.approx(expected, abs=1e-9)


def test_a_real_note_supports_itself():
    for name in SETS:
        assert [unsupported(note, note) for _, note in visits(DATA, name)[:SOME]] == [[]] * SOME


def test_refusals_of_xstest_are_flagged_as_the_page_says():
    found = counts(DATA)
    assert found["complied", True] == 3
    assert found["refused in full", True] == 16
    assert found["refused in part", True] == 6
    assert sum(found.values()) == 450


def test_what_people_say_of_themselves_is_flagged_as_the_page_says():
    assert spoken(DATA) == (4, 74)


def test_names_of_the_labelled_sentences_are_found_as_the_page_says():
    labelled, found, reported, false = name_counts(DATA)
    assert [(found[kind], labelled[kind]) for kind in KINDS] == [(281, 396), (55, 86), (105, 171)]
    assert (reported, false) == (883, 104)
