"""Several terms together: the laws of `meet`, which a training on any mixture of contracts rests on."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored.terms import EVERYWHERE, FREE, Bounds, meet, refusals

maybe = st.sampled_from([True, False, None])
days = st.none() | st.dates(dt.date(2025, 1, 1), dt.date(2028, 1, 1)) | st.just(dt.date.max)
places = st.none() | st.just(EVERYWHERE) | st.frozensets(st.sampled_from(["US", "CA", "DE"]))
bounds = st.builds(
    Bounds,
    may_train=maybe,
    may_distil=maybe,
    may_augment=maybe,
    effective=days,
    expires=days,
    keep_until=days,
    delete_at_end=maybe,
    territory=places,
)
uses = st.sampled_from(["train", "distil", "augment"])
whens = st.dates(dt.date(2024, 12, 1), dt.date(2028, 3, 1))
somewhere = st.sampled_from(["", "US", "DE", "FR"])


@given(bounds, bounds)
def test_the_order_of_two_terms_does_not_matter(one, other):
    assert meet(one, other) == meet(other, one)


@given(bounds, bounds, bounds)
def test_how_three_terms_are_put_together_does_not_matter(a, b, c):
    assert meet(meet(a, b), c) == meet(a, meet(b, c))


@given(bounds)
def test_the_same_terms_twice_are_the_same_terms(one):
    assert meet(one, one) == one
    assert meet(one, FREE) == one


@given(bounds, bounds, uses, whens, somewhere)
def test_together_they_never_allow_what_one_of_them_refuses(one, other, use, on, place):
    if not refusals(meet(one, other), use, on, place=place):
        assert not refusals(one, use, on, place=place)
        assert not refusals(other, use, on, place=place)


@given(bounds, bounds, uses, whens, st.sampled_from(["US", "DE", "FR"]))
def test_what_both_allow_in_one_country_on_one_day_they_allow_together(one, other, use, on, place):
    if not refusals(one, use, on, place=place) and not refusals(other, use, on, place=place):
        assert not refusals(meet(one, other), use, on, place=place)


@given(bounds, uses, whens)
def test_a_single_unknown_value_refuses_every_use(one, use, on):
    needed = (f"may_{use}", "effective", "expires", "keep_until", "delete_at_end", "territory")
    if any(getattr(one, name) is None for name in needed):
        assert refusals(one, use, on)


def test_without_limits_everything_is_allowed_and_two_countries_apart_allow_nothing():
    today = dt.date(2026, 11, 23)
    assert refusals(FREE, "train", today, place="US") == []
    apart = [
        meet(FREE, Bounds(**{**_fields(FREE), "territory": frozenset({c})})) for c in ("US", "DE")
    ]
    assert refusals(apart[0], "train", today, place="US") == []
    assert refusals(meet(*apart), "train", today) == ["no country in which all of them allow it"]


def _fields(one: Bounds) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}
