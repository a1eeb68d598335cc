"""Figures of variety and likeness, held against their definitions."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.corpus import diversity
from evalgate.corpus.diversity import Measuring
from evalgate.corpus.example import Example, MadeBy

WORDS = ("claim", "member", "dose", "visit", "plan", "letter", "scan", "knee")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join), min_size=1, max_size=12)  # fmt: skip


def example(number: int, text: str, answer: str = "yes", **seeds: str) -> Example:
    return Example(
        id=f"e{number}",
        task="t",
        messages=(
            {"role": "user", "content": f"Read: {text}"},
            {"role": "assistant", "content": answer},
        ),
        input={"text": text},
        made_by=MadeBy(template="t@d", seed=number, seeds=seeds),
    )


def measured(examples: list[Example]):
    measuring = Measuring()
    for one in examples:
        measuring.add(one)
    for one in examples:
        measuring.compare(one)
    return measuring.result()


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    n = min(n, len(words))
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_likeness_is_the_jaccard_index_of_five_words(texts):
    found = measured([example(i, text) for i, text in enumerate(texts)])
    sets = [grams(f"{text} yes", 5) for text in texts]

    def jaccard(a, b):
        return len(a & b) / len(a | b)

    pairs = [[jaccard(a, b) for j, b in enumerate(sets) if j != i] for i, a in enumerate(sets)]
    flat = [x for row in pairs for x in row]
    assert found.sampled == len(texts)
    if flat:
        assert found.likeness == pytest.approx(sum(flat) / len(flat), abs=1e-4)
        nearest = [max(row) for row in pairs]
        assert found.nearest == pytest.approx(sum(nearest) / len(nearest), abs=1e-4)
        assert found.near_duplicates == sum(x >= diversity.ALIKE for x in nearest)


def test_a_row_with_one_word_changed_among_many_is_a_near_duplicate():
    long = " ".join(f"word{i}" for i in range(200))
    rows = [example(0, long), example(1, long.replace("word100", "other")), example(2, long[::-1])]
    found = measured(rows)
    assert (found.sampled, found.near_duplicates) == (3, 2)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_distinct_n_is_the_share_of_different_n_grams(texts):
    found = measured([example(i, text) for i, text in enumerate(texts)])
    assert all(0 <= x <= 1 for x in found.distinct)
    total = sum(len(text.split()) + 1 for text in texts)
    assert found.tokens == total
    words = {w for text in texts for w in text.split()} | {"yes"}
    assert found.distinct[0] == pytest.approx(len(words) / total, abs=1e-4)


def test_one_sentence_a_thousand_times_is_told_from_a_thousand_sentences(monkeypatch):
    monkeypatch.setattr(diversity, "TOKENS", 3000)
    same = measured([example(i, "the knee was seen on a scan") for i in range(1000)])
    other = measured([example(i, f"w{i} x{i} y{i} z{i} v{i}") for i in range(1000)])
    assert same.near_duplicates == same.sampled
    assert other.near_duplicates == 0
    assert same.distinct[3] < 0.05 < 0.9 < other.distinct[3]
    assert same.type_token < 0.05 < 0.7 < other.type_token


def test_the_moving_ratio_is_the_mean_over_all_windows():
    words = [f"w{(i * i) % 97}" for i in range(1400)]
    windows = [words[i : i + 500] for i in range(901)]
    expected = sum(len(set(w)) / 500 for w in windows) / len(windows)
    assert diversity._moving_ratio(words) == pytest.approx(expected, abs=1e-4)


def test_entropy_counts_cells_and_how_evenly_each_choice_was_used():
    rows = [example(i, str(i), sex="fm"[i % 2], age="old" if i % 4 == 0 else "young") for i in range(40)]  # fmt: skip
    found = measured(rows)
    assert found.cells == 3  # old women; young women; young men
    assert found.bits == pytest.approx(1.5)
    assert found.grid["sex"].evenness == 1
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert found.grid["age"].evenness == pytest.approx(quarter, abs=1e-4)


def test_lengths_are_in_words_of_input_and_answer():
    found = measured([example(i, "w " * (i + 1), "a b c") for i in range(101)])
    assert (found.input_words.fewest, found.input_words.median, found.input_words.most) == (1, 51, 101)  # fmt: skip
    assert found.answer_words.median == 3


def test_the_sample_does_not_depend_on_the_order_of_the_rows():
    rows = [example(i, f"text {i} of {i % 7}") for i in range(900)]
    assert measured(rows) == measured(rows[::-1])


def test_rows_without_input_are_measured_by_their_questions():
    outside = Example(
        id="v",
        task="t",
        messages=({"role": "user", "content": "a b"}, {"role": "assistant", "content": "c"}),
    )
    found = measured([outside])
    assert (found.input_words.median, found.cells) == (2, 1)


def test_no_rows_have_no_figures():
    with pytest.raises(ValueError, match="no row"):
        Measuring().result()
