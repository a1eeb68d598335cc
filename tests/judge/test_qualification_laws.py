"""Laws of the qualification that hold whatever was said."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_readings import FAULT, MUST, SCALE, agreed, critical

from evalgate.judge.qualification import Reading, qualify

CRITERIA = st.sampled_from([FAULT, MUST, SCALE, critical(FAULT)])
few = settings(deadline=None, max_examples=25)


@st.composite
def judged(draw, most=40):
    """A criterion with readings of all kinds, several of a unit, by up to four raters."""
    criterion = draw(CRITERIA)
    answers = st.sampled_from(criterion.answers)
    items = draw(st.integers(0, most))
    return criterion, [
        Reading(
            item=f"i{at}",
            unit=f"u{draw(st.integers(0, most))}",
            judge=draw(st.sampled_from([*criterion.answers, "void"])),
            clinicians=draw(st.dictionaries(st.sampled_from("abcd"), answers)),
            adjudicated=draw(st.one_of(st.just(""), answers)),
            length=draw(st.integers(0, 99)),
            repeats=tuple(draw(st.lists(answers, max_size=2))),
            stratum=draw(st.sampled_from(["", "high"])),
        )
        for at in range(items)
    ]


@few
@given(judged(), st.randoms())
def test_the_order_of_items_changes_no_bit(given_, rng: random.Random):
    criterion, readings = given_
    shuffled = rng.sample(readings, len(readings))
    assert qualify(criterion, shuffled) == qualify(criterion, readings)


@few
@given(judged())
def test_the_names_of_raters_change_no_bit(given_):
    criterion, readings = given_
    names = dict(zip("abcd", ("z", "d", "y", "a"), strict=True))
    renamed = [
        msgspec.structs.replace(
            r, clinicians={names[k]: v for k, v in reversed(r.clinicians.items())}
        )
        for r in readings
    ]
    assert qualify(criterion, renamed) == qualify(criterion, readings)


@few
@given(judged())
def test_every_interval_encloses_its_share_and_every_count_adds_up(given_):
    criterion, readings = given_
    r = qualify(criterion, readings)
    rates = [r.agreement, r.found, r.recognised, *r.strata.values(), *filter(None, [r.flips])]
    for rate in rates:
        assert 0.0 <= rate.low <= rate.high <= 1.0
        assert rate.value is None or rate.low <= rate.value <= rate.high
    assert r.found.of + r.recognised.of == r.labelled == r.agreement.of <= r.judged
    assert not r.strata or sum(x.of for x in r.strata.values()) == r.found.of
    if r.clinicians:
        found = r.clinicians.difference
        assert found.low <= found.value <= found.high
    assert msgspec.json.decode(msgspec.json.encode(r), type=type(r)) == r
    assert r.reason.endswith(".")


@few
@given(judged(), st.data())
def test_a_void_in_place_of_an_answer_never_helps(given_, data):
    criterion, readings = given_
    if not readings:
        return
    at = data.draw(st.integers(0, len(readings) - 1))
    silent = [*readings]
    silent[at] = msgspec.structs.replace(readings[at], judge="void")
    before, after = qualify(criterion, readings), qualify(criterion, silent)
    for name in ("agreement", "found", "recognised"):
        assert getattr(after, name).hits <= getattr(before, name).hits
        assert getattr(after, name).of == getattr(before, name).of
    if before.clinicians:
        assert after.clinicians.judge_agreement <= before.clinicians.judge_agreement + 1e-12


@few
@given(st.sampled_from([FAULT, MUST, SCALE]), st.integers(5, 60), st.integers(195, 300))
def test_a_judge_equal_to_all_clinicians_decides_with_enough_labels(criterion, faulty, sound):
    assert qualify(criterion, agreed(criterion, sound, faulty)).standing == "decides"


@few
@given(CRITERIA, st.integers(0, 120), st.integers(0, 300), st.data())
def test_a_judge_that_always_says_the_same_never_decides(criterion, faulty, sound, data):
    answer = data.draw(st.sampled_from([*criterion.answers, "void"]))
    readings = [
        msgspec.structs.replace(r, judge=answer, repeats=(answer,))
        for r in agreed(criterion, sound, faulty)
    ]
    assert qualify(criterion, readings).standing == "clinician only"
