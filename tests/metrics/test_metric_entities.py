"""Recall, precision and F1 of entities; one-to-one matching."""

import math
import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_rows import answer, entities, entity
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import precision_recall_fscore_support

from evalgate import metrics as m
from evalgate.metrics.matching import count_matches, largest_matching

WORDS = st.sampled_from(
    ["asthma", "Asthma", "asthmas", "asthma  ", "gout", "gouty", "ﬁbrosis", "fibrosis", "", "ab cd"]
)
ENTITIES = st.lists(st.builds(entity, st.sampled_from(["DX", "MED"]), WORDS), max_size=5)


def indel_similarity(a, b):
    """2 * longest common subsequence / total length, written without rapidfuzz."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            same = table[i][j] + 1 if x == y else 0
            table[i + 1][j + 1] = max(same, table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b)) if a or b else 1.0


def alike(gold, guess, match):
    if gold.label != guess.label:
        return False
    if match == "exact":
        return gold.text.split() == guess.text.split()
    return indel_similarity(normal(gold), normal(guess)) >= 0.85


def normal(e):
    return " ".join(unicodedata.normalize("NFKC", e.text).casefold().split())


def brute_force(gold, guesses, match):
    """The best of all assignments, by trying them all. A repeated guess counts as often as like gold is repeated."""
    kept = []
    for guess in guesses:
        like = [e for e in gold if alike(e, guess, match)]
        repeats = max((sum(same(e, other) for other in like) for e in like), default=0)
        if sum(same(guess, other) for other in kept) < repeats or match == "exact":
            kept.append(guess)
    return best_assignment(gold, kept, match)


def same(a, b):
    return a.label == b.label and normal(a) == normal(b)


def best_assignment(gold, guesses, match):
    if not gold:
        return 0
    best = best_assignment(gold[1:], guesses, match)
    for i, guess in enumerate(guesses):
        if alike(gold[0], guess, match):
            rest = guesses[:i] + guesses[i + 1 :]
            best = max(best, 1 + best_assignment(gold[1:], rest, match))
    return best


def one(gold, guesses, **kwargs):
    return answer(1, expected=gold, parsed=guesses, **kwargs)


@given(gold=ENTITIES, guesses=ENTITIES, match=st.sampled_from(["exact", "relaxed"]))
@settings(max_examples=150, deadline=None)
def test_matching_finds_the_best_of_all_assignments(gold, guesses, match):
    assert count_matches(gold, guesses, match, 0.85) == brute_force(gold, guesses, match)


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_the_largest_matching_equals_scipys_assignment(seed):
    rng = random.Random(seed)
    left, right, density = rng.randint(0, 12), rng.randint(0, 12), rng.random()
    edges = [[j for j in range(right) if rng.random() < density] for _ in range(left)]
    weights = [[1 if j in row else 0 for j in range(right)] for row in edges]
    expected = 0
    if left and right:
        rows, columns = linear_sum_assignment(weights, maximize=True)
        expected = sum(weights[i][j] for i, j in zip(rows, columns, strict=True))
    assert largest_matching(edges, right) == expected


def test_a_greedy_match_is_given_up_where_another_serves_more():
    # "asthmas" is like both guesses, "asthma" only like the first: greedy in order would find one.
    gold = [entity(text="asthmas"), entity(text="asthma")]
    guesses = [entity(text="asthma"), entity(text="asthmasss")]
    assert count_matches(gold, guesses, "relaxed", 0.85) == 2


def test_a_thousand_entities_in_a_chain_are_matched():
    n = 1500
    edges = [[i - 1, i] if i else [0] for i in reversed(range(n))]
    assert largest_matching(edges, n) == n


def test_a_repeated_guess_scores_once():
    rows = [one(entities("asthma"), entities("asthma asthma asthma"))]
    assert m.recall(rows).value == 1.0
    assert m.precision(rows).value == pytest.approx(1 / 3)
    relaxed = [one(entities("asthma gout"), entities("asthma asthmas"))]
    assert m.recall(relaxed, match="relaxed").value == 0.5


def test_gold_entities_that_occur_twice_must_be_found_twice():
    for match, guess in (("exact", "asthma"), ("relaxed", "asthmas")):
        once = [one(entities("asthma asthma"), entities(guess))]
        assert m.recall(once, match=match).value == 0.5
        assert m.precision(once, match=match).value == 1.0
        twice = [one(entities("asthma asthma"), entities(f"{guess} {guess}"))]
        assert m.recall(twice, match=match).value == 1.0


def test_a_thousand_copies_of_a_guess_are_cheap_and_score_once():
    gold = entities("bronchitis bronchitix bronchitiz gout")
    rows = [one(gold, entities(" ".join(["bronchitis"] * 1000)))]
    for match in ("exact", "relaxed"):
        assert m.recall(rows, match=match).value == 0.25
        assert m.precision(rows, match=match).value == 1 / 1000


@pytest.mark.parametrize(
    ("match", "gold", "guess", "hit"),
    [
        ("exact", "type 2  diabetes", "type 2\ndiabetes ", True),
        ("exact", "Asthma", "asthma", False),
        ("relaxed", "Asthma", "asthma", True),
        ("relaxed", "Straße", "STRASSE", True),
        ("relaxed", "ﬁbrosis", "fibrosis", True),
        ("relaxed", "metformin 500 mg", "metformin 500mg", True),
        ("relaxed", "metformin", "methotrexate", False),
        ("relaxed", "asthma", "", False),
    ],
)
def test_how_texts_match(match, gold, guess, hit):
    rows = [one([entity(text=gold)], [entity(text=guess)])]
    assert m.recall(rows, match=match).value == float(hit)


def test_labels_must_be_the_same_whatever_the_match():
    gold, guess = [entity("DX", "gout", 3, 7)], [entity("MED", "gout", 3, 7)]
    for match in ("exact", "relaxed", "span"):
        assert m.recall([one(gold, guess)], match=match).value == 0.0


def test_spans_match_by_offsets_whatever_the_text():
    gold = [entity("DX", "gout", 3, 7), entity("DX", "gout", 10, 14)]
    guesses = [entity("DX", "Gout", 3, 7), entity("DX", "gout", 3, 7), entity("DX", "gout")]
    rows = [one(gold, guesses)]
    assert m.recall(rows, match="span").value == 0.5
    assert m.precision(rows, match="span").value == pytest.approx(1 / 3)


def test_gold_without_offsets_cannot_be_matched_by_span():
    with pytest.raises(ValueError, match="item 1: found a gold entity without offsets"):
        m.recall([one(entities("gout"), [])], match="span")


def test_similarity_decides_at_the_threshold():
    rows = [one([entity(text="abcdefghij")], [entity(text="abcdefghxx")])]  # ratio 0.8
    assert m.recall(rows, match="relaxed", similarity=0.8).value == 1.0
    assert m.recall(rows, match="relaxed", similarity=0.81).value == 0.0


def test_units_are_pooled_first_and_then_averaged():
    rows = [
        answer(1, unit="u", expected=entities("a b c"), parsed=entities("a b c")),
        answer(2, unit="u", expected=entities("d"), parsed=entities("x")),
        answer(3, unit="v", expected=entities("e"), parsed=entities("x")),
        answer(4, unit="w", expected=[], parsed=[]),
    ]
    estimate = m.recall(rows)
    assert estimate.value == (3 / 4 + 0) / 2
    assert (estimate.units, estimate.items) == (2, 4)
    assert m.recall(rows, average="micro").value == 3 / 5


def test_one_label_is_measured_alone():
    gold = [*entities("gout asthma"), *entities("metformin", "MED")]
    rows = [one(gold, [*entities("gout"), *entities("metformin x", "MED")])]
    assert m.recall(rows, label="MED").value == 1.0
    assert m.precision(rows, label="MED").value == 0.5
    assert m.recall(rows, label="DX").value == 0.5
    none = m.recall(rows, label="PROC")
    assert none.value is None
    assert none.insufficient == "found no gold entity labelled 'PROC' in 1 items"


def test_a_failed_answer_misses_its_gold_and_counts_as_one_wrong_guess():
    for status in ("unparseable", "refused", "truncated", "timeout", "missing"):
        rows = [one(entities("gout asthma"), None, status=status)]
        assert m.recall(rows).value == 0.0
        assert m.precision(rows).value == 0.0
        assert m.f1(rows).value == 0.0
        empty = [one([], None, status=status)]
        assert m.recall(empty).value is None
        assert m.precision(empty).value == 0.0
        assert m.f1(empty).value == 0.0
    with_another = [
        answer(1, unit="u", expected=entities("a b c"), parsed=entities("a b c")),
        answer(2, unit="u", expected=[], status="timeout"),
    ]
    assert m.precision(with_another).value == 3 / 4
    assert m.f1(with_another).value == 6 / 7


def test_an_answer_that_was_parsed_to_none_is_a_failed_one():
    assert m.precision([one([], None)]).value == 0.0


def test_silence_never_helps():
    silent = [one(entities("gout"), [])]
    assert m.recall(silent).value == 0.0
    assert m.precision(silent).value == 0.0
    assert m.f1(silent).value == 0.0
    nothing_to_say = [one([], [])]
    for metric in (m.recall, m.precision, m.f1):
        estimate = metric(nothing_to_say)
        assert estimate.value is None
        assert (estimate.units, estimate.items) == (0, 1)
        assert estimate.insufficient == "found no gold entity in 1 items"


def test_guesses_where_there_is_no_gold_are_wrong():
    rows = [one([], entities("gout")), answer(2, expected=entities("a"), parsed=entities("a"))]
    assert m.precision(rows).value == 0.5
    assert m.f1(rows).value == 0.5
    assert m.recall(rows).value == 1.0


def test_guesses_without_any_gold_in_the_whole_set_are_insufficient():
    estimate = m.precision([one([], entities("gout"))])
    assert estimate.value == 0.0
    assert estimate.insufficient == "found no gold entity in 1 items"


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("abcdef"), unique=True),
            st.lists(st.sampled_from("abcdef"), unique=True),
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=100, deadline=None)
def test_micro_scores_equal_scikit_learns(pairs):
    rows = [
        answer(i, expected=entities(" ".join(gold)), parsed=entities(" ".join(guesses)))
        for i, (gold, guesses) in enumerate(pairs)
    ]
    y = [[c in gold for c in "abcdef"] for gold, _ in pairs]
    yhat = [[c in guesses for c in "abcdef"] for _, guesses in pairs]
    p, r, f, _ = precision_recall_fscore_support(y, yhat, average="micro", zero_division=0)
    for metric, expected in ((m.precision, p), (m.recall, r), (m.f1, f)):
        value = metric(rows, average="micro").value
        assert (value or 0.0) == pytest.approx(expected)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), ENTITIES, ENTITIES, st.booleans()), min_size=1, max_size=8
    ),
    st.sampled_from(["exact", "relaxed"]),
)
@settings(max_examples=100, deadline=None)
def test_unit_and_micro_scores_equal_an_independent_computation(items, match):
    rows = [
        answer(i, unit=str(u), expected=gold, parsed=guesses, status="ok" if ok else "timeout")
        for i, (u, gold, guesses, ok) in enumerate(items)
    ]
    per_unit = {}
    for u, gold, guesses, ok in items:
        tp, n_guesses = (brute_force(gold, guesses, match), len(guesses)) if ok else (0, 1)
        old = per_unit.get(u, (0, 0, 0))
        per_unit[u] = (old[0] + tp, old[1] + n_guesses, old[2] + len(gold))
    scores = {"recall": [], "precision": [], "f1": []}
    for tp, n_guesses, gold in per_unit.values():
        if gold:
            scores["recall"].append(tp / gold)
        if gold or n_guesses:
            scores["precision"].append(tp / n_guesses if n_guesses else 0.0)
            scores["f1"].append(2 * tp / (n_guesses + gold))
    for name, values in scores.items():
        value = getattr(m, name)(rows, match=match).value
        if values:
            assert value == pytest.approx(math.fsum(values) / len(values))
        else:
            assert value is None
    tp, n_guesses, gold = (sum(column) for column in zip(*per_unit.values(), strict=True))
    for name, num, den in (
        ("recall", tp, gold),
        ("precision", tp, n_guesses),
        ("f1", 2 * tp, n_guesses + gold),
    ):
        value = getattr(m, name)(rows, match=match, average="micro").value
        assert value == (pytest.approx(num / den) if den else None)


def test_micro_precision_and_f1_are_never_gated():
    rows = [answer(i, expected=entities("a"), parsed=entities("a")) for i in range(60)]
    for metric in (m.precision, m.f1):
        estimate = metric(rows, average="micro")
        assert estimate.value == 1.0
        assert estimate.bounds(0.05, 0) == (None, None)
        assert "the model controls" in estimate.insufficient
        with pytest.raises(TypeError):
            metric(rows, average="micro", unit_weight_max=9)


def test_micro_recall_takes_the_largest_unit_from_rows_that_know_it():
    class Rows(list):
        unit_weight_max = 4

    rows = Rows(answer(i, expected=entities("a b"), parsed=entities("a")) for i in range(60))
    assert m.recall(rows, average="micro").insufficient == ""
    assert m.recall(rows, average="micro").sample.den_max == 4
    assert m.recall(rows, average="micro", unit_weight_max=3).sample.den_max == 3


def test_a_unit_larger_than_declared_is_an_error():
    rows = [answer(i, expected=entities("a b c"), parsed=[]) for i in range(60)]
    with pytest.raises(ValueError, match=r"found a unit of weight 3, expected at most .* 2"):
        m.recall(rows, average="micro", unit_weight_max=2)


def test_micro_recall_needs_fifty_units():
    rows = [answer(i, expected=entities("a"), parsed=entities("a")) for i in range(49)]
    estimate = m.recall(rows, average="micro", unit_weight_max=2)
    assert "found 49 units, expected at least 50" in estimate.insufficient


def test_entities_may_come_as_json_objects():
    gold = [{"label": "DX", "text": "gout", "start": 1, "end": 5}]
    rows = [one(gold, [{"label": "DX", "text": "gout"}])]
    assert m.recall(rows).value == 1.0


@pytest.mark.parametrize(
    ("expected", "parsed"),
    [
        (entities("gout"), "SECRET TEXT"),
        (entities("gout"), [{"label": "DX", "SECRET TEXT": 1}]),
        (entities("gout"), [1]),
        ({"SECRET TEXT": 1}, []),
    ],
)
def test_answers_that_are_no_entities_are_an_error_that_names_the_item_not_its_text(
    expected, parsed
):
    with pytest.raises(ValueError, match=r"^item 1: ") as caught:
        m.precision([one(expected, parsed)])
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "kwargs",
    [
        {"match": "fuzzy"},
        {"average": "macro"},
        {"similarity": 0},
        {"similarity": 1.1},
        {"similarity": 85},
    ],
)
def test_arguments_out_of_range_are_errors(kwargs):
    for metric in (m.recall, m.precision, m.f1):
        with pytest.raises(ValueError, match=f"{next(iter(kwargs))}: found"):
            metric([one([], [])], **kwargs)
