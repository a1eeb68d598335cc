"""The draw: seeded, balanced over what people said, spread over units, pairs kept together."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored.rubric import Criterion
from evalgate.judge.case import Case
from evidence.labelled import Labelled, sample

CRITERION = Criterion(id="any", ask="The text is there.", points=1)


def item(name: str, unit: str, stratum: str, group: str = "") -> Labelled:
    case = Case(id=name, unit=unit, sources=(), output="")
    return Labelled(
        case=case,
        criterion=CRITERION,
        answer="met",
        people=("met",),
        group=group or name,
        stratum=stratum,
    )


items = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from(["met", "not_met"])), max_size=40
).map(lambda rows: [item(f"i{n}", unit, stratum) for n, (unit, stratum) in enumerate(rows)])


@given(items, st.integers(0, 50), st.integers(0, 3), st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(found, most, seed, random):
    shuffled = found.copy()
    random.shuffle(shuffled)
    assert sample(shuffled, most, seed) == sample(found, most, seed)


@given(items, st.integers(0, 50), st.integers(0, 3))
def test_a_sample_is_as_large_as_it_can_be_and_repeats_nothing(found, most, seed):
    drawn = sample(found, most, seed)
    assert len(drawn) == min(most, len(found))
    assert len({i.case.id for i in drawn}) == len(drawn)


@given(items, st.integers(0, 50), st.integers(0, 10), st.integers(0, 3))
def test_a_larger_sample_begins_with_the_smaller_one(found, most, more, seed):
    small = sample(found, most, seed)
    assert sample(found, most + more, seed)[: len(small)] == small


@given(items, st.integers(0, 50), st.integers(0, 3))
def test_no_answer_is_drawn_twice_more_than_another_that_is_left(found, most, seed):
    drawn = Counter(i.stratum for i in sample(found, most, seed))
    for stratum, there in Counter(i.stratum for i in found).items():
        if drawn[stratum] < there:
            assert drawn[stratum] >= max(drawn.values(), default=0) - 1


def test_every_unit_is_drawn_from_before_one_is_drawn_from_twice():
    found = [item(f"{unit}{n}", unit, "met") for unit in "abcdefgh" for n in range(20)]
    assert {i.case.unit for i in sample(found, 8, seed=1)} == set("abcdefgh")


def test_the_two_orders_of_a_pair_are_drawn_together_or_not_at_all():
    found = [item(f"p{n}-{k}", f"p{n}", "set", group=f"p{n}") for n in range(30) for k in "12"]
    drawn = sample(found, 21, seed=5)
    assert len(drawn) == 20
    assert set(Counter(i.group for i in drawn).values()) == {2}


def test_another_seed_draws_others():
    found = [item(f"i{n}", f"u{n}", "met") for n in range(200)]
    assert sample(found, 20, seed=1) != sample(found, 20, seed=2)
