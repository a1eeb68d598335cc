"""Words and reading grade."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.text import reading_grade, words
from evalgate.text.reading import _syllables


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("", 0),
        ("...", 0),
        ("a follow-up, at 1,500.50!", 4),
        ("don't", 1),
        ("a / b - c", 3),
        ("niño", 1),
    ],
)
def test_words_are_counted_as_a_reader_counts_them(text, n):
    assert words(text) == n


@pytest.mark.parametrize(
    ("word", "n"),
    [("cat", 1), ("table", 2), ("male", 1), ("denied", 2), ("wanted", 2), ("asked", 1), ("medication", 4), ("radio", 3),
     ("patient", 2), ("hypertension", 4), ("issuer", 3), ("entitled", 3), ("follow-up", 3), ("boxes", 2), ("takes", 1),
     ("the", 1), ("500", 1)],
)  # fmt: skip
def test_syllables_are_counted_as_spoken(word, n):
    assert _syllables(word) == n


def test_the_grade_is_that_of_the_formula():
    # 6 words, 1 sentence, 6 syllables; and 10 words, 2 sentences, 15 syllables
    assert reading_grade("The cat sat on the mat.") == 0  # -1.45 is below the first grade
    assert reading_grade(
        "The doctor stopped the medication today. Call the plan now."
    ) == pytest.approx(0.39 * 10 / 2 + 11.8 * 15 / 10 - 15.59)


def test_long_words_and_long_sentences_are_harder():
    easy = "You can ask us to look at this again. Call us. We will help you."
    hard = "The determination may be reconsidered upon submission of additional documentation, provided that it is received."
    assert reading_grade(easy) < 4 < 12 < reading_grade(hard)


@settings(deadline=None)
@given(st.text())
def test_the_grade_is_never_negative(text):
    assert reading_grade(text) >= 0
    assert (reading_grade(text) == 0) >= (words(text) == 0)
