"""The laws of a score: what the judge fails to say scores nothing, what speaks for an output never lowers it."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from evalgate.authored.rubric import Criterion, Rubric
from evalgate.judge.scoring import UNSCORED, ItemScore, fulfilled, in_order, score, worse

BINARY = ("met", "not_met", "not_applicable")
STEPS = ("1", "2", "3", "4", "5", "not_applicable")


def criterion(name: str, points: float, *, scale: bool = False, critical: bool = False):
    anchors = ("a", "b", "c", "d", "e") if scale else ()
    kind = "scale" if scale else "binary"
    return Criterion(
        id=name, ask="Is it so?", points=points, kind=kind, anchors=anchors, critical=critical
    )


def rubric(*criteria: Criterion, pass_mark: float = 0.75) -> Rubric:
    return Rubric(
        path="rubrics/t.toml", digest="", id="t", task="t", version="1", title="T",
        pass_mark=pass_mark, criteria=criteria,
    )  # fmt: skip


@st.composite
def criteria(draw, name: str = "c") -> Criterion:
    points = draw(st.integers(1, 20).map(float))
    scale = draw(st.booleans())
    fault = not scale and draw(st.booleans())  # a scale is never a fault
    return criterion(name, -points if fault else points, scale=scale, critical=not scale and draw(st.booleans()))  # fmt: skip


@st.composite
def rubrics(draw) -> Rubric:
    many = draw(st.integers(1, 6))
    return rubric(
        *(draw(criteria(f"c{n}")) for n in range(many)), pass_mark=draw(st.integers(0, 20)) / 20
    )


def scored(of: Criterion) -> tuple[str, ...]:
    return STEPS if of.kind == "scale" else BINARY


@st.composite
def judged(draw) -> tuple[Rubric, dict[str, str]]:
    """A rubric and a scored answer to each of its criteria."""
    found = draw(rubrics())
    return found, {c.id: draw(st.sampled_from(scored(c))) for c in found.criteria}


def by_hand(of: Rubric, answers: dict[str, str]) -> tuple[Fraction, bool]:
    """The score in exact fractions, by the words of docs/rubrics.md: points met over points possible, faults taken off."""
    applies = [(c, answers[c.id]) for c in of.criteria if answers[c.id] != "not_applicable"]
    share = {"met": Fraction(1), "not_met": Fraction(0)} | {
        str(step): Fraction(step - 1, 4) for step in range(1, 6)
    }
    goods = [(Fraction(c.points), share[a]) for c, a in applies if c.points > 0]
    faults = [(Fraction(-c.points), share[a]) for c, a in applies if c.points < 0]
    taken = sum((p * s for p, s in faults), Fraction(0))
    if goods:
        value = (sum(p * s for p, s in goods) - taken) / sum(p for p, _ in goods)
    elif faults:
        value = 1 - taken / sum(p for p, _ in faults)
    else:
        value = Fraction(1)
    worst = [c.critical and a == ("met" if c.points < 0 else "not_met") for c, a in applies]
    return min(Fraction(1), max(Fraction(0), value)), any(worst)


@settings(deadline=None)
@given(judged())
def test_a_score_is_what_the_points_say(given_):
    of, answers = given_
    value, hit = by_hand(of, answers)
    found = score(of, answers)
    assert found.value == pytest.approx(float(value), abs=1e-12)
    assert bool(found.hits) == hit
    assume(abs(float(value) - of.pass_mark) > 1e-9)
    assert found.passed == (value >= of.pass_mark and not hit)


@settings(deadline=None)
@given(judged(), st.data())
@example((rubric(criterion("c0", -10.0, critical=True)), {"c0": "met"}), None)
def test_a_failure_of_the_judge_scores_nothing_whatever_else_is_said(given_, data):
    """In particular on a fault: a judge that breaks down there neither clears the output nor condemns it."""
    of, answers = given_
    silent = of.criteria if data is None else [data.draw(st.sampled_from(of.criteria))]
    for one in silent:
        for failure in UNSCORED:
            assert score(of, answers | {one.id: failure}) is None
        assert score(of, {name: a for name, a in answers.items() if name != one.id}) is None
    assert score(of, answers) is not None


@settings(deadline=None)
@given(judged(), st.data())
def test_a_better_answer_never_lowers_the_score(given_, data):
    of, answers = given_
    one = data.draw(st.sampled_from(of.criteria))
    steps = STEPS[:-1] if one.kind == "scale" else ("not_met", "met")
    worst_first = steps[::-1] if one.fault else steps
    scores = [score(of, answers | {one.id: answer}) for answer in worst_first]
    for low, high in pairwise(scores):
        assert low.value <= high.value
        assert low.passed <= high.passed


@settings(deadline=None)
@given(judged(), st.randoms(use_true_random=False))
def test_the_order_of_criteria_does_not_matter(given_, random):
    of, answers = given_
    mixed = list(of.criteria)
    random.shuffle(mixed)
    other = score(msgspec.structs.replace(of, criteria=tuple(mixed)), answers)
    found = score(of, answers)
    assert (other.value, other.passed, set(other.hits)) == (
        found.value,
        found.passed,
        set(found.hits),
    )


@settings(deadline=None)
@given(judged(), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_points_count_only_against_each_other(given_, factor):
    of, answers = given_
    scaled = tuple(msgspec.structs.replace(c, points=c.points * factor) for c in of.criteria)
    assert score(msgspec.structs.replace(of, criteria=scaled), answers) == score(of, answers)


@settings(deadline=None)
@given(judged(), criteria("extra"))
def test_what_does_not_apply_changes_nothing(given_, extra):
    of, answers = given_
    wider = msgspec.structs.replace(of, criteria=(*of.criteria, extra))
    assert score(wider, answers | {"extra": "not_applicable"}) == score(of, answers)


@settings(deadline=None)
@given(judged())
def test_a_critical_hit_fails_whatever_the_points(given_):
    of, answers = given_
    found = score(msgspec.structs.replace(of, pass_mark=0.0), answers)
    assert found.passed == (not found.hits)
    hits = {c.id for c in of.criteria if c.critical and answers[c.id] == ("met" if c.fault else "not_met")}  # fmt: skip
    assert set(found.hits) == hits


GOOD, FAULT = criterion("good", 4.0), criterion("fault", -4.0)
GRAVE = criterion("grave", -1.0, critical=True)
MUST = criterion("must", 1.0, critical=True)
STEP = criterion("step", 4.0, scale=True)


@pytest.mark.parametrize(
    ("of", "answers", "value", "hits"),
    [
        ((GOOD, FAULT), ("met", "not_met"), 1.0, ()),
        ((GOOD, FAULT), ("met", "met"), 0.0, ()),
        ((GOOD, FAULT), ("not_met", "met"), 0.0, ()),  # never below 0
        ((GOOD, FAULT), ("not_applicable", "met"), 0.0, ()),
        ((GOOD, FAULT), ("not_applicable", "not_met"), 1.0, ()),
        ((GOOD, FAULT), ("not_applicable", "not_applicable"), 1.0, ()),
        ((FAULT, GRAVE), ("met", "not_met"), 0.2, ()),  # no positive points: 4 of 5 are lost
        ((FAULT, GRAVE), ("not_met", "met"), 0.8, ("grave",)),
        ((GOOD, STEP), ("met", "1"), 0.5, ()),
        ((GOOD, STEP), ("met", "3"), 0.75, ()),
        ((GOOD, STEP), ("met", "5"), 1.0, ()),
        ((GOOD, MUST), ("met", "not_met"), 0.8, ("must",)),
        ((GOOD, MUST), ("met", "not_applicable"), 1.0, ()),
    ],
)
def test_scores_by_example(of, answers, value, hits):
    found = score(rubric(*of), dict(zip((c.id for c in of), answers, strict=True)))
    assert found == ItemScore(
        value=pytest.approx(value), passed=value >= 0.75 and not hits, hits=hits
    )


@settings(deadline=None)
@given(criteria(), st.data())
def test_the_worse_of_two_answers_speaks_more_against_the_output(one, data):
    answers = st.sampled_from((*scored(one), "cannot_tell"))
    a, b = data.draw(answers), data.draw(answers)
    found = worse(one, a, b)
    assert found in (a, b)
    assert worse(one, b, a) == found
    if "cannot_tell" in (a, b):
        assert found == "cannot_tell"
    else:
        of = rubric(one, pass_mark=1.0)
        low = score(of, {one.id: found})
        assert all(low.value <= score(of, {one.id: other}).value for other in (a, b))


@settings(deadline=None)
@given(criteria())
def test_in_order_is_what_costs_no_more_than_half(one):
    for answer in scored(one):
        value = score(rubric(one), {one.id: answer}).value
        assert in_order(one, answer) == (value >= 0.5)
    assert all(in_order(one, answer) is None for answer in UNSCORED)


@pytest.mark.parametrize("answer", ["", "yes", "void", "0", "6", "not_applicable"])
def test_an_answer_that_says_nothing_is_refused_and_never_counted(answer):
    for one in (GOOD, FAULT, STEP):
        with pytest.raises(ValueError, match="expected"):
            fulfilled(one, answer)
    with pytest.raises(ValueError, match="expected"):
        fulfilled(STEP, "met")
    with pytest.raises(ValueError, match="expected"):
        fulfilled(GOOD, "5")
