"""Canaries of memorisation: unique, findable in any spelling, and an exposure whose chance is known."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.corpus.canaries import BITS, exposure, find, make, plant
from evalgate.corpus.phi import scan_example

NUMBERS = st.floats(min_value=0, max_value=1e6)


def test_canaries_are_all_different_and_the_same_again_with_the_same_seed():
    made = make(2_000, seed=1)
    assert len({c.secret for c in made}) == len({c.shelf for c in made}) == 2_000
    assert made == make(2_000, seed=1)
    assert not {c.secret for c in made} & {c.secret for c in make(2_000, seed=2)}
    assert BITS == 80


def test_a_longer_list_begins_with_the_shorter_one():
    assert make(50, seed=4)[:20] == make(20, seed=4)


def test_a_secret_is_found_whatever_its_case_and_marks_and_no_other():
    first, second, third = make(3, seed=1)
    said = f"it was {first.secret.lower().replace('-', ' ')}, or *{third.secret}*"
    assert find(said, (first, second, third)) == [first.id, third.id]
    assert find(first.secret[:-1], (first,)) == []


def test_planted_rows_teach_each_canary_as_often_as_asked_and_trouble_no_scanner():
    canaries = make(3, seed=1)
    rows = list(plant(canaries, "policy_qa", repeats=4))
    assert len({r.id for r in rows}) == 12
    for canary in canaries:
        assert sum(canary.id in find(r.text, canaries) for r in rows) == 4
    assert not [hit for r in rows for hit in scan_example(r)]
    with pytest.raises(ValueError, match="repeats"):
        list(plant(canaries, "policy_qa", repeats=0))


def test_no_text_of_a_canary_is_shown_by_accident():
    (canary,) = make(1, seed=9)
    assert canary.secret not in repr(canary)


@given(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=50))
def test_exposure_lies_between_nothing_and_its_ceiling_and_falls_with_the_loss(loss, references):
    found = exposure(loss, references)
    assert 0 <= found <= math.log2(len(references) + 1)
    assert exposure(loss + 1, references) <= found


def test_exposure_of_the_likeliest_and_the_least_likely():
    assert exposure(0.5, [1.0] * 1023) == 10
    assert exposure(2.0, [1.0] * 1023) == 0
    assert exposure(1.0, [1.0] * 1023) == 0, "a tie speaks for the model"


def test_an_unseen_canary_reaches_b_bits_no_oftener_than_its_chance():
    rng = random.Random(5)
    trials = 2_000
    for bits in (1, 3, 5):
        met = 0
        for _ in range(trials):
            loss, *references = (rng.random() for _ in range(64))
            met += exposure(loss, references) >= bits
        assert abs(met / trials - 2**-bits) < 4 * math.sqrt(2**-bits / trials), bits


@pytest.mark.parametrize(("loss", "references"), [(1.0, []), (math.nan, [1.0]), (1.0, [math.nan])])
def test_what_is_no_loss_is_refused(loss, references):
    with pytest.raises(ValueError, match="expected"):
        exposure(loss, references)
