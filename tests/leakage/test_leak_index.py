"""The exact index: whatever is shared is found, wherever it stands, and nothing else is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.corpus.leak.gold import Gold, GoldText
from evalgate.corpus.leak.index import LONG, SHORT, Index
from evalgate.corpus.leak.words import hashed, words

LETTERS = st.lists(st.sampled_from("abc"), max_size=40).map(" ".join)


def gold(*questions, boilerplate=(), answers=()):
    answers = answers or [""] * len(questions)
    items = tuple(
        GoldText(gold_set="g", id=f"g{n}", unit=f"u{n}", question=(question,), answer=(answer,))
        for n, (question, answer) in enumerate(zip(questions, answers, strict=True))
    )
    return Gold(items=items, sets={"g": "sha256:0"}, boilerplate=boilerplate)


def own(name, count=40):
    return " ".join(f"{name}{n}" for n in range(count))


def naive(text, question):
    """(8-word sequences of `question` in `text`, the longest common run of 8 words or more), the slow way."""
    a, b = words(text), words(question)
    grams = {tuple(a[i : i + SHORT]) for i in range(len(a) - SHORT + 1)}
    shared = sum(tuple(b[i : i + SHORT]) in grams for i in range(len(b) - SHORT + 1))
    longest = 0
    for i in range(len(a)):
        for j in range(len(b)):
            n = 0
            while i + n < len(a) and j + n < len(b) and a[i + n] == b[j + n]:
                n += 1
            longest = max(longest, n)
    return shared, longest


@settings(deadline=None)
@given(LETTERS, LETTERS, st.text(max_size=40), st.text(max_size=40), st.integers(0, 27))
def test_every_planted_sequence_is_found_whatever_surrounds_it(before, after, odd, even, at):
    planted = own("w").split()[at : at + SHORT]
    text = f"{odd}\n{before} {' '.join(planted).upper()} {after}\n{even}"
    found = [o for o in Index(gold(own("w"))).overlaps(hashed(["other", text])) if o.text == 1]
    assert found
    assert found[0].words >= SHORT
    assert " ".join(planted).encode() in found[0].said


@settings(deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=4), st.lists(LETTERS, min_size=1, max_size=4))
def test_what_is_found_is_what_the_slow_way_finds(questions, texts):
    index = Index(gold(*questions))
    found = {(o.text, o.item): (o.shared, o.words) for o in index.overlaps(hashed(texts))}
    slow = {}
    for t, text in enumerate(texts):
        for q, question in enumerate(questions):
            shared, longest = naive(text, question)
            if shared:
                slow[t, q] = shared, longest
    assert found == slow


@settings(deadline=None)
@given(st.integers(1, 60), LETTERS, LETTERS)
def test_a_verbatim_item_is_contained_whole(count, before, after):
    question = own("w", count + SHORT - 1)
    (found,) = Index(gold(question)).overlaps(hashed([f"{before}\n{question}. {after}"]))
    assert (found.share, found.words) == (1, count + SHORT - 1)
    assert found.at == len(before.split())
    assert found.leaks


@settings(deadline=None)
@given(st.permutations(range(5)), st.permutations(range(6)))
def test_order_of_gold_and_of_rows_changes_nothing(order, rows):
    questions = [own(f"q{n}x") for n in range(5)]
    texts = [questions[n % 5][n : 150 + n] for n in range(6)]

    def found(order, rows):
        index = Index(gold(*(questions[n] for n in order)))
        overlaps = index.overlaps(hashed([texts[n] for n in rows]))
        return {(rows[o.text], order[o.item], o.shared, o.words) for o in overlaps}

    assert found(order, rows) == found(range(5), range(6))
    assert len(found(order, rows)) == 6


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abcdef ", max_size=200), max_size=5))
def test_nothing_is_found_where_no_word_is_shared(texts):
    assert not list(Index(gold(own("w"), own("v"))).overlaps(hashed(texts)))


def test_words_at_the_end_of_one_text_and_the_start_of_the_next_are_no_sequence():
    question = own("w", 12)
    halves = [question[: question.index("w6")], question[question.index("w6") :]]
    assert not list(Index(gold(question)).overlaps(hashed(halves)))
    assert not list(Index(gold(*halves)).overlaps(hashed([question])))


def test_words_of_prompts_are_no_ones_own():
    fixed = own("p", 30)
    index = Index(gold(f"{fixed} {own('w', 20)}", fixed, boilerplate=(fixed,)))
    assert index.own == [20, 0]  # seven sequences begin in the prompt and end outside
    assert not list(index.overlaps(hashed([fixed])))
    (found,) = index.overlaps(hashed([f"{fixed} {own('w', 20)}"]))
    assert (found.item, found.share) == (0, 1)


def test_words_in_every_item_of_a_set_of_ten_are_boilerplate_and_of_a_set_of_nine_are_not():
    head = own("h", 20)
    for count, hit in ((9, True), (10, False)):
        index = Index(gold(*(f"{head} {own(f'q{n}x', 20)}" for n in range(count))))
        assert bool(list(index.overlaps(hashed([head])))) is hit
        assert list(index.overlaps(hashed([own("q3x", 20)])))


def test_thirteen_words_in_a_row_leak_and_scattered_ones_only_from_a_tenth_on():
    question = own("w", 100)
    index = Index(gold(question))

    def leaks(text):
        (found,) = index.overlaps(hashed([text]))
        return found.leaks

    split = question.split()
    assert leaks(" ".join(split[20 : 20 + LONG]))
    assert not leaks(" ".join(split[20 : 20 + LONG - 1]))
    runs = [" ".join(split[n : n + SHORT]) for n in range(0, 96, 10)]
    assert leaks(" other ".join(runs))  # ten of 93
    assert not leaks(" other ".join(runs[:9]))
    short = Index(gold(own("w", 12)))  # five sequences: three of them are enough
    assert [o.leaks for o in short.overlaps(hashed([own("w", 10), own("w", 9)]))] == [True, False]


def test_answers_are_compared_apart_from_questions():
    index = Index(gold(own("q"), answers=[own("a")]))
    assert [(o.part, o.share) for o in index.overlaps(hashed([own("a")]))] == [("answer", 1)]


def test_two_sequences_of_one_hash_are_told_apart_by_their_words():
    """As if all hashes of a run were equal: the runs are cut where words differ, and no equal word is lost."""
    index = Index(gold(own("w", 30)))
    split = own("w", 30).split()
    split[14] = "other"
    runs = index._equal(hashed([" ".join(split)]), 0, 0, 30 - SHORT + 1)
    assert [(run.at, run.place, run.words) for run in runs] == [(0, 0, 14), (15, 15, 15)]


def test_a_document_in_very_many_items_is_found_in_all_of_them():
    """More pairs of places than are compared at once."""
    document = own("d", 600)
    index = Index(gold(*(f"{document} {own(f'q{n}x', 12)}" for n in range(600)), "quite another"))
    texts = [document, own("other", 100), f"{own('o', 17)} {document}"] * 3
    found = list(index.overlaps(hashed(texts)))
    assert {(o.text, o.item) for o in found} == {
        (t, n) for t in (0, 2, 3, 5, 6, 8) for n in range(600)
    }
    assert {(o.words, o.at) for o in found} == {(600, 0), (600, 17)}
