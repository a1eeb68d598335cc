"""ROUGE-L and chrF are those of the libraries that the field compares with."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from summary_evidence import truncated

from evalgate.text import chrf, rouge_l

with warnings.catch_warnings():  # the packages' own imports warn
    warnings.simplefilter("ignore")
    from rouge_score import rouge_scorer
    from sacrebleu import sentence_chrf

SCORER = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
WORDS = st.lists(
    st.sampled_from(
        [
            "the",
            "cat",
            "sat",
            "mat:",
            "Metformin",
            "5.0",
            "mg;",
            "niño",
            "don't",
            "X-ray",
            "12,5",
            "\n",
        ]
    )
).map(" ".join)
TEXTS = st.text() | WORDS


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_rouge_l_is_that_of_rouge_score(candidate, reference):
    expected = SCORER.score(reference, candidate)["rougeL"].fmeasure
    assert rouge_l(candidate, reference) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_chrf_is_that_of_sacrebleu(candidate, reference):
    assert chrf(candidate, reference) == pytest.approx(
        sentence_chrf(candidate, [reference]).score / 100, abs=1e-9
    )


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_both_lie_between_0_and_1_and_rouge_l_is_symmetric(a, b):
    assert 0 <= rouge_l(a, b) <= 1
    assert 0 <= chrf(a, b) <= 1
    assert rouge_l(a, b) == pytest.approx(rouge_l(b, a))


@settings(deadline=None)
@given(WORDS.filter(lambda text: any(c.isascii() and c.isalnum() for c in text)))
def test_a_text_is_most_like_itself(text):
    assert rouge_l(text, text) == 1
    assert chrf(text, text) == pytest.approx(1)
    assert rouge_l(truncated(text), text) <= 1


def test_nothing_is_like_nothing():
    assert rouge_l("", "") == rouge_l("a", "") == rouge_l("...", "...") == 0
    assert chrf("", "a") == 0
