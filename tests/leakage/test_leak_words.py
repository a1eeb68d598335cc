"""Words that compare: what a text may change without becoming another text, and what hashes keep of it."""

import unicodedata

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.corpus.leak.words import hashed, sequences, words

TEXTS = st.text(max_size=80)


@settings(deadline=None)
@given(TEXTS)
def test_normalising_a_normal_form_changes_nothing(text):
    normal = b" ".join(words(text)).decode()
    assert b" ".join(words(normal)).decode() == normal


@settings(deadline=None)
@given(TEXTS)
def test_case_compatible_forms_and_space_at_the_ends_change_nothing(text):
    assert words(f"\n {unicodedata.normalize('NFKC', text)}\t") == words(text)
    if text.isascii():
        assert words(text.upper()) == words(text.lower()) == words(text)


def test_the_same_words_are_told_in_many_ways():
    plain = [b"la", b"clinica", b"nego", b"5", b"mg", b"el", b"02", b"11", b"2026"]
    assert words("La clínica negó 5 mg el 02/11/2026.") == plain
    assert words("LA CLI\u0301NICA—nego\u0301… 5\u00a0mg, el 02-11-2026") == plain
    assert (
        words("ｌａ cl\u00adínica\nn\u200begó   ５mg el 02.11.2026".replace("mg", " mg")) == plain
    )


def test_digits_are_words_of_their_own_value():
    assert words("12.5 mg") == [b"12", b"5", b"mg"] != words("125 mg")


def test_signs_of_scripts_without_spaces_are_words_so_that_a_line_break_moves_nothing():
    assert words("索赔被\n拒绝") == words("索赔被拒绝")
    assert len(words("索赔被拒绝")) == 5


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_hashed_texts_have_the_words_of_each_text_and_equal_words_have_equal_hashes(texts):
    found = hashed(texts)
    every = [words(text) for text in texts]
    assert [found.said(n, 1)[0] for n in range(len(found.words))] == [
        w for each in every for w in each
    ]
    assert np.diff(found.firsts).tolist() == [len(each) for each in every]
    by_word = {}
    for n, value in enumerate(found.words.tolist()):
        assert by_word.setdefault(found.said(n, 1)[0], value) == value
    assert len(set(by_word.values())) == len(by_word)
    assert [int(t) for t in found.text_of(np.arange(len(found.words)))] == [
        n for n, each in enumerate(every) for _ in each
    ]


@settings(deadline=None)
@given(st.integers(1, 700))
def test_words_of_any_length_differ_by_any_letter_that_is_read(length):
    word = "a" * length
    changed = "a" * (min(length, 200) - 1) + "b" + "a" * (length - min(length, 200))
    assert len(set(hashed([word, changed, word + "a"]).words.tolist())) == 3


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=30), st.integers(1, 13))
def test_sequences_are_equal_where_their_words_are(letters, length):
    found = sequences(hashed([" ".join(letters)]).words, length).tolist()
    tuples = [tuple(letters[n : n + length]) for n in range(len(letters) - length + 1)]
    assert len(found) == len(tuples)
    assert len(set(found)) == len(set(tuples)) == len(set(zip(found, tuples, strict=True)))
