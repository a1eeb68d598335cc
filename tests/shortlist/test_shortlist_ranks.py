"""Laws of ranks, of Holm by intervals, and of the reader of GGUF metadata."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shortlist_project import gguf, whole

from evalgate.errors import UsageError
from evalgate.metrics.estimate import Estimate, PairedBinary
from evalgate.models.gguf import metadata
from evalgate.release.ranking import overall, ranks, settled
from evalgate.stats import holm_adjust

names = st.lists(st.sampled_from("abcdef"), min_size=1, unique=True)


def paired(b: int, c: int, n: int) -> Estimate:
    return Estimate(metric="m", value=(b - c) / n, units=n, items=n, unscored=0, coverage=0,
                    sample=PairedBinary(b=b, c=c, n=n))  # fmt: skip


def p_value(b: int, c: int) -> float:
    """Two-sided p of the score test that the Tango interval inverts, at a difference of 0."""
    return math.erfc(abs(b - c) / math.sqrt(b + c) / math.sqrt(2)) if b != c else 1.0


@settings(deadline=None)  # the first bound loads scipy
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8))
def test_settled_rejects_what_holms_adjusted_p_values_reject(pairs):
    adjusted = holm_adjust([p_value(b, c) for b, c in pairs])
    found = settled([paired(b, c, 100) for b, c in pairs], 0.05, [0] * len(pairs))
    for (b, c), p, interval in zip(pairs, adjusted, found, strict=True):
        if abs(p - 0.05) > 1e-6:
            assert bool(interval.sign) == (p < 0.05)
        if interval.sign:
            assert interval.sign == (1 if b > c else -1)
        assert interval.low <= (b - c) / 100 <= interval.high


@settings(deadline=None)  # the first bound loads scipy
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=6), st.randoms())  # fmt: skip
def test_the_order_of_the_pairs_changes_no_interval(pairs, random):
    order = list(range(len(pairs)))
    random.shuffle(order)
    straight = settled([paired(*p, 100) for p in pairs], 0.05, [0] * len(pairs))
    turned = settled([paired(*pairs[i], 100) for i in order], 0.05, [0] * len(pairs))
    assert [straight[i] for i in order] == turned


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3), min_size=1))
def test_where_levels_alone_decide_ranks_are_those_of_a_race(levels):
    ahead = {(a, b) for a in levels for b in levels if levels[a] > levels[b]}
    found = ranks(levels, ahead)
    for name, level in levels.items():
        assert found[name] == 1 + sum(other > level for other in levels.values())
    assert min(found.values()) == 1


@given(st.sets(st.tuples(st.sampled_from("xyz"), st.sampled_from("abcd"), st.sampled_from("abcd"))))
def test_overall_nobody_is_ahead_who_is_behind_somewhere(ahead):
    found = overall(ahead)
    for a, b in combinations("abcd", 2):
        there = any((s, a, b) in ahead for s in "xyz")
        back = any((s, b, a) in ahead for s in "xyz")
        assert ((a, b) in found, (b, a) in found) == (there and not back, back and not there)


@pytest.mark.parametrize("version", [2, 3])
def test_metadata_are_read_as_they_were_written(tmp_path, version):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(whole(**{"general.tags": ["é", ""]}), version=version))
    found = metadata(path, where="m")
    assert found["llama.context_length"] == 8192
    assert found["general.tags"] == 2
    assert found["tokenizer.ggml.scores"] == 3
    assert found["tokenizer.chat_template"] == whole()["tokenizer.chat_template"]


@settings(deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_or_of_other_bytes_is_refused_or_read_and_nothing_else(
    tmp_path_factory, data
):
    path = tmp_path_factory.mktemp("cut") / "m.gguf"
    good = gguf(whole())
    cut = data.draw(st.integers(0, len(good) - 1))
    path.write_bytes(good[:cut])
    with pytest.raises(UsageError) as caught:
        metadata(path, where="m")
    assert caught.value.code == "EG961"
    place = data.draw(st.integers(0, len(good) - 1))
    path.write_bytes(good[:place] + data.draw(st.binary(min_size=1, max_size=8)) + good[place + 1 :])  # fmt: skip
    try:
        metadata(path, where="m")
    except UsageError as e:
        assert e.code == "EG961"


@pytest.mark.parametrize("data", [b"", b"GGUF", b"GGML" + bytes(40), gguf(whole(), version=1), gguf(whole(), count=1 << 62)])  # fmt: skip
def test_what_is_no_whole_gguf_file_is_refused(tmp_path, data):
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        metadata(path, where="m")
    assert caught.value.code == "EG961"


@pytest.mark.slow
def test_among_four_equal_models_somebody_is_ahead_in_one_suite_of_twenty_at_most():
    """120 items, each right with probability 0.8 for every model on its own; seeded. Docs quote the shares."""
    import numpy as np

    rng, suites, somebody, best = np.random.default_rng(7), 2_000, 0, 0
    for _ in range(suites):
        right = rng.random((4, 120)) < 0.8
        pairs = [(a & ~b, b & ~a) for a, b in combinations(right, 2)]
        told = [paired(int(x.sum()), int(y.sum()), 120) for x, y in pairs]
        somebody += any(interval.sign for interval in settled(told, 0.05, [0] * 6))
        totals = np.sort(right.sum(axis=1))
        best += totals[-1] > totals[-2]
    assert somebody / suites <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / suites), somebody
    assert best / suites > 0.7, best  # what the higher point estimate would have crowned
    print(f"ahead in {somebody / suites:.4f}, one best estimate in {best / suites:.4f}")
