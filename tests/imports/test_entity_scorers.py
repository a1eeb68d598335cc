"""evalgate's precision, recall and F1 of entities against nervaluate and seqeval, on the same predictions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_reports import public_data
from scorers import as_places, brat_predictions, iob_scores, ours, theirs

LABELS = ["A", "B", "C"]
spans = st.lists(
    st.builds(
        lambda label, start, length: {
            "label": label,
            "text": "xyz xyz abc "[start : start + length],
            "start": start,
            "end": start + length,
        },
        st.sampled_from(LABELS),
        st.integers(0, 8),
        st.integers(1, 4),
    ),
    max_size=6,
)
documents = st.lists(st.tuples(spans, spans | st.none()), min_size=1, max_size=4)


def close(a, b):
    return a == pytest.approx(b, abs=1e-9)


@given(documents)
@settings(max_examples=300, deadline=None)
def test_spans_score_as_nervaluate_scores_them(pairs):
    gold, guesses = [g for g, _ in pairs], [p for _, p in pairs]
    if not any(gold) or all(p == [] for p in guesses):
        return  # no denominator: evalgate says None, nervaluate 0
    assert close(ours(gold, guesses), theirs(gold, guesses))


@given(documents)
@settings(max_examples=300, deadline=None)
def test_texts_score_as_nervaluate_scores_them_once_equal_texts_have_equal_places(pairs):
    gold, guesses = [g for g, _ in pairs], [p for _, p in pairs]
    if not any(gold) or all(p == [] for p in guesses):
        return
    assert close(ours(gold, guesses, match="exact"), theirs(*as_places(gold, guesses)))


def test_nervaluate_depends_on_the_order_of_guesses_and_evalgate_does_not():
    """A guess that touches a gold span uses it up, so the exact one behind it finds nothing."""
    gold = [[{"label": "A", "text": "abc", "start": 0, "end": 3}]]
    near, exact = {"label": "A", "text": "bc", "start": 1, "end": 3}, gold[0][0]
    assert theirs(gold, [[near, exact]], exact_first=False)[1] == 0.0
    assert theirs(gold, [[exact, near]], exact_first=False)[1] == 1.0
    assert ours(gold, [[near, exact]]) == ours(gold, [[exact, near]])
    assert ours(gold, [[near, exact]])[1] == 1.0


def test_a_failed_answer_is_one_wrong_guess_here_and_no_guess_there():
    gold = [[{"label": "A", "text": "abc", "start": 0, "end": 3}]] * 2
    assert ours(gold, [gold[0], None])[0] == 0.5
    assert theirs(gold, [gold[0], []])[0] == 1.0


def test_a_text_found_elsewhere_is_right_by_text_and_wrong_by_place():
    gold = [[{"label": "A", "text": "abc", "start": 0, "end": 3}]]
    guess = [[{"label": "A", "text": "abc", "start": 10, "end": 13}]]
    assert ours(gold, guess, match="exact") == (1.0, 1.0, 1.0)
    assert ours(gold, guess) == theirs(gold, guess) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_on_real_reports_perturbed_predictions_score_as_nervaluate_scores_them(tmp_path, seed):
    """A quarter of the reports each. Overlapping and nested gold spans, and guesses given twice, are all there."""
    source = public_data("maccrobat2020")
    wanted, guesses = brat_predictions(source, tmp_path, random.Random(seed), slice(seed, None, 4))
    found = ours(wanted, guesses)
    assert close(found, theirs(wanted, guesses))
    assert all(0.4 < value < 0.8 for value in found)  # neither trivially right nor trivially wrong
    texts = ours(wanted, guesses, match="exact")
    assert close(texts, theirs(*as_places(wanted, guesses)))
    assert texts[1] > found[1]  # a text may be right at another place


@pytest.mark.parametrize("corpus", ["BC5CDR-IOB", "NCBI-disease-IOB"])
def test_imported_iob_predictions_score_as_seqeval_scores_the_tags(tmp_path, corpus):
    """Gold and predictions both go through `gold import conll`; seqeval sees the tags themselves."""
    source = public_data("bc5cdr-ncbi") / corpus / "devel.tsv"
    found, independent = iob_scores(source, tmp_path, random.Random(7))
    assert close(found, independent)
    assert all(0.3 < value < 0.95 for value in found)
