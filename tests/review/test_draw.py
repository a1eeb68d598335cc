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
    """Units by combination of the tags that 10 to 90 % of the items bear."""
    counts = Counter(tag for x in items for tag in x.tags)
    told = {t for t, k in counts.items() if len(items) <= 10 * k <= 9 * len(items)}
    tags: dict[str, set[str]] = {}
    for x in items:
        tags.setdefault(x.unit, set()).update(told.intersection(x.tags))
    found: dict[tuple[str, ...], list[str]] = {}
    for unit, own in tags.items():
        found.setdefault(tuple(sorted(own)), []).append(unit)
    return found


def units_of(items, names) -> set[str]:
    return {x.unit for x in items if x.id in set(names)}


@calm
@given(populations, st.integers(0, 70), st.text(max_size=5))
def test_units_are_drawn_whole_and_as_many_as_hold_so_many_items_on_average(items, n, seed):
    drawn = draw(items, n, seed)
    units = units_of(items, drawn)
    assert sorted(drawn) == sorted(x.id for x in items if x.unit in units)
    total = len({x.unit for x in items})
    assert len(units) == min(total, -(-n * total // len(items)))


@calm
@given(populations, st.integers(0, 60), st.text(max_size=5))
def test_a_larger_number_is_the_same_draw_and_more(items, n, seed):
    assert set(draw(items, n, seed)) <= set(draw(items, n + 1, seed))


@calm
@given(populations, st.integers(0, 60), st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(items, n, shuffle):
    mixed = list(items)
    shuffle.shuffle(mixed)
    for x in mixed:
        x.tags = tuple(shuffle.sample(x.tags, len(x.tags)))
    assert draw(mixed, n, "seed") == draw(items, n, "seed")


def test_every_stratum_gives_its_share_within_two_units():
    """Four combinations of tags of 60, 30, 20 and 10 units: chance alone would miss a share by five units and more."""
    tags = [["a"]] * 60 + [["a", "b"]] * 30 + [["b"]] * 20 + [[]] * 10
    items = [item(i, i, t) for i, t in enumerate(tags)]
    assert sorted(map(len, strata(items).values())) == [10, 20, 30, 60]
    for seed in range(50):
        for n in (12, 45, 77):
            drawn = units_of(items, draw(items, n, str(seed)))
            for members in strata(items).values():
                assert abs(len(drawn.intersection(members)) - n * len(members) / 120) < 2


def test_every_unit_has_the_same_chance_whatever_its_stratum_and_its_size():
    """Strata of 20, 15 and 5 units, of one to five items each; a seventh of the units is drawn."""
    sizes = [1 + i % 5 for i in range(40)]
    tags = [["common"] if i < 20 else ["rare"] if i < 25 else [] for i in range(40)]
    items = [item(10 * i + k, i, tags[i]) for i in range(40) for k in range(sizes[i])]
    n, tries = 21, 2000
    counts = Counter(u for seed in range(tries) for u in units_of(items, draw(items, n, str(seed))))
    chance = 7 / 40
    sd = (tries * chance * (1 - chance)) ** 0.5
    assert sum(counts.values()) == 7 * tries
    assert all(abs(counts[f"u-{i}"] - tries * chance) < 5 * sd for i in range(40))


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
