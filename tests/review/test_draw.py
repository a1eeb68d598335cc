"""The draw: fixed by its seed, blind to order, fair to every item, proportional to every stratum."""

from __future__ import annotations

import random
from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.judge.draw import draw, hashed

calm = settings(deadline=None, max_examples=60)
TAGS = ["spanish", "handwritten", "long", "trap"]


def item(i: int, unit: int, tags) -> SimpleNamespace:
    return SimpleNamespace(id=f"i-{i}", unit=f"u-{unit}", tags=tuple(tags))


populations = st.lists(
    st.tuples(st.integers(0, 30), st.sets(st.sampled_from(TAGS))), min_size=1, max_size=60
).map(lambda rows: [item(i, unit, tags) for i, (unit, tags) in enumerate(rows)])


def strata(items) -> dict[tuple[str, ...], list[str]]:
    """By combination of the tags that 10 to 90 % of the items bear."""
    counts = Counter(tag for x in items for tag in x.tags)
    told = {t for t, k in counts.items() if len(items) <= 10 * k <= 9 * len(items)}
    found: dict[tuple[str, ...], list[str]] = {}
    for x in items:
        found.setdefault(tuple(sorted(told & set(x.tags))), []).append(x.id)
    return found


@calm
@given(populations, st.integers(0, 70), st.text(max_size=5))
def test_as_many_as_asked_for_each_once_and_all_if_there_are_no_more(items, n, seed):
    drawn = draw(items, n, seed)
    assert len(drawn) == min(n, len(items))
    assert set(drawn) <= {x.id for x in items}
    assert len(set(drawn)) == len(drawn)


@calm
@given(populations, st.integers(0, 60), st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(items, n, shuffle):
    mixed = list(items)
    shuffle.shuffle(mixed)
    for x in mixed:
        x.tags = tuple(shuffle.sample(x.tags, len(x.tags)))
    assert draw(mixed, n, "seed") == draw(items, n, "seed")


@calm
@given(populations, st.integers(1, 60), st.text(max_size=5))
def test_every_stratum_gives_its_share_rounded_up_or_down(items, n, seed):
    drawn = set(draw(items, n, seed))
    n = min(n, len(items))
    for members in strata(items).values():
        share = n * len(members) / len(items)
        assert abs(len(drawn.intersection(members)) - share) < 1


def test_every_item_has_the_same_chance_whatever_its_stratum():
    """Strata of 20, 15 and 5, of which 3.5, 2.6 and 0.9 items would be drawn: largest remainders always take one of the 5."""
    items = [item(i, i, ["common"] if i < 20 else ["rare"] if i < 25 else []) for i in range(40)]
    tries = 2000
    counts = Counter(name for seed in range(tries) for name in draw(items, 7, str(seed)))
    chance = 7 / 40
    sd = (tries * chance * (1 - chance)) ** 0.5
    assert all(abs(counts[x.id] - tries * chance) < 5 * sd for x in items)


def test_items_of_one_unit_are_spread_over():
    """30 units of 4 items, 30 drawn: nearly every unit is seen once, where chance alone would miss a third of them."""
    items = [item(i, i // 4, []) for i in range(120)]
    unit = {x.id: x.unit for x in items}
    for seed in range(20):
        assert len({unit[name] for name in draw(items, 30, str(seed))}) == 30


def test_another_seed_is_another_draw_and_another_order():
    items = [item(i, i, []) for i in range(50)]
    assert set(draw(items, 20, "a")) != set(draw(items, 20, "b"))
    assert draw(items, 50, "a") != draw(items, 50, "b") != [x.id for x in items]


def test_the_order_tells_nothing_about_tags():
    items = [item(i, i, ["spanish"] if i < 50 else []) for i in range(100)]
    places = [draw(items, 100, str(seed)).index("i-0") for seed in range(300)]
    assert 40 < sum(places) / len(places) < 60


def test_fewer_than_none_is_an_error():
    with pytest.raises(ValueError, match="found -1"):
        draw([], -1, "seed")
    assert draw([], 3, "seed") == []


@calm
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_hashes_tell_lists_of_names_apart(a, b):
    assert (hashed("s", *a) == hashed("s", *b)) == (a == b)


def test_rare_and_common_tags_make_no_strata():
    """A tag on one item of forty would be a stratum of its own; as it is, all forty are one line."""
    random.seed(0)
    items = [item(i, i, ["once"] if i == 0 else ["all"]) for i in range(40)]
    assert list(strata(items)) == [()]
    seen = sum("i-0" in draw(items, 10, str(seed)) for seed in range(400))
    assert 60 < seen < 140
