"""The plan: drawn again from its own fields, shared among raters, with repeats that nobody can tell."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_rows import Files

from evalgate.authored import Problems
from evalgate.authored.label_file import Labels
from evalgate.gate.review import Place
from evalgate.judge.case import Case
from evalgate.judge.reply import occurs
from evalgate.judge.review import (
    APART,
    Turn,
    assigned,
    capacity_of,
    disputes,
    load_plan,
    make_plan,
    turns_of,
    verify,
    write_plan,
)

GOLD, MODEL = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def places(n: int) -> list[Place]:
    return [
        Place(id=f"L-{i:03d}", unit=f"case-{i}", tags=("spanish",) if i % 4 == 0 else ())
        for i in range(n)
    ]


def plan_of(n: int = 12, *, drawn: int = 12, double: int = 3, **changes):
    fields = {"model": MODEL, "gold": GOLD, "criteria": {"a": "sha256:1"}}
    share = Fraction(double, drawn)
    return make_plan("letters", places(n), n=drawn, double=share, **(fields | changes))


def cases_of(plan, *, without=()) -> dict[str, Case]:
    return {
        name: Case(id=name, unit=name, sources=(("facts", "f"),), output=f"letter {name}")
        for name in plan.items
        if name not in without
    }


def check(plan, n: int = 12, *, review_items: int | None = None, slices=None):
    wanted = review_items or plan.n
    return verify(plan, places(n), suite="letters", gold=GOLD, model=MODEL, n=wanted, slices=slices)


def test_a_plan_as_it_was_drawn_may_decide():
    assert check(plan_of()) is None
    assert check(plan_of(drawn=5, double=2, tag=None)) is None
    assert check(plan_of(40, drawn=6, double=1, tag="spanish"), 40) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"suite": "notes"}, "another suite"),
        ({"gold": "sha256:" + "c" * 64}, "another gold set"),
        ({"model": "sha256:" + "c" * 64}, "another model"),
        ({"seed": "sha256:" + "c" * 64}, "edited"),
        ({"n": 7}, "edited"),
        ({"tag": "spanish"}, "of which there are 10"),
        ({"criteria": {}}, None),  # what was asked then; the draw does not follow from it
        ({"double": ()}, None),
    ],
)
def test_an_edited_plan_is_refused(changes, says):
    found = check(msgspec.structs.replace(plan_of(40, drawn=12), **changes), 40)
    assert (found is None) if says is None else says in found


def test_an_exchanged_item_or_order_is_refused():
    plan = plan_of(40, drawn=12)
    outside = next(p.id for p in places(40) if p.id not in plan.items)
    exchanged = (outside, *plan.items[1:])
    assert "edited" in check(msgspec.structs.replace(plan, items=exchanged), 40)
    turned = tuple(reversed(plan.items))
    assert "edited" in check(msgspec.structs.replace(plan, items=turned), 40)
    assert "edited" in check(msgspec.structs.replace(plan, items=plan.items[:-1]), 40)


def test_another_model_is_another_draw_and_a_larger_number_the_same_one_and_more():
    plans = [plan_of(40, drawn=12), plan_of(40, drawn=12, model="sha256:" + "c" * 64)]
    assert len({plan.items for plan in plans}) == 2
    assert set(plan_of(40, drawn=12).items) < set(plan_of(40, drawn=13).items)


def test_no_wording_of_a_criterion_changes_the_draw():
    """Or it could be worded until the draw pleases."""
    again = plan_of(40, drawn=12, criteria={"a": "sha256:2"})
    assert again.items == plan_of(40, drawn=12).items


def test_a_slice_is_drawn_from_its_own_items():
    plan = plan_of(40, drawn=6, tag="spanish")
    assert {int(name[2:]) % 4 for name in plan.items} == {0}
    assert set(plan.double) < set(plan.items)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "letters.review.json"
    assert load_plan(path, tmp_path, Problems()) is None
    write_plan(path, plan_of())
    assert load_plan(path, tmp_path, Problems()) == plan_of()


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "evalgate.review/2"}', "{", '{"seed": 1}'])
def test_a_plan_that_cannot_be_read_is_a_problem(tmp_path, text):
    path = tmp_path / "letters.review.json"
    path.write_text(text)
    problems = Problems()
    assert load_plan(path, tmp_path, problems) is None
    assert [p.code for p in problems] == ["EG641"]


def label_of(files, cases, name, rater, **changes):
    return files.label(item=name, rater=rater, output=cases[name].digest, **changes)


def all_of(files, cases, name, rater, **changes):
    """A label for every criterion."""
    every = [c.id for c in files.rubric.read_by_people]
    return [label_of(files, cases, name, rater, criterion=c, **changes) for c in every]


def shares(files, plan, cases, *labels, rater, simulated=False):
    given = Labels(usable=tuple(labels))
    return assigned(rater, plan, files.rubric, given, cases, simulated=simulated)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("plan"))


def test_each_output_is_offered_to_one_rater_and_double_ones_to_two(files):
    plan = plan_of()
    cases = cases_of(plan)
    assert shares(files, plan, cases, rater="A") == list(plan.items)
    by_a = [x for name in plan.items for x in all_of(files, cases, name, "A")]
    assert shares(files, plan, cases, *by_a, rater="A") == list(plan.items)
    assert set(shares(files, plan, cases, *by_a, rater="B")) == set(plan.double)
    by_b = [x for name in plan.double for x in all_of(files, cases, name, "B")]
    assert shares(files, plan, cases, *by_a, *by_b, rater="C") == []


def test_an_output_that_somebody_began_and_left_is_offered_to_the_next(files):
    plan = plan_of(double=0)
    cases = cases_of(plan)
    begun = label_of(files, cases, plan.items[0], "A")
    assert shares(files, plan, cases, begun, rater="B") == list(plan.items)


def test_a_simulated_label_keeps_no_clinician_from_an_output(files):
    plan = plan_of()
    cases = cases_of(plan)
    played = [x for n in plan.items for x in all_of(files, cases, n, "demo", simulated=True)]
    assert shares(files, plan, cases, *played, rater="A") == list(plan.items)
    assert set(shares(files, plan, cases, *played, rater="A", simulated=True)) == set(plan.double)


def test_labels_about_another_output_occupy_nothing(files):
    plan = plan_of()
    cases = cases_of(plan)
    other = cases_of(plan)[plan.items[0]]
    elsewhere = {name: msgspec.structs.replace(other, output="another") for name in cases}
    old = [x for name in plan.items for x in all_of(files, elsewhere, name, "A")]
    assert shares(files, plan, cases, *old, rater="B") == list(plan.items)


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 11)))
def test_where_answers_are_no_answers_others_take_the_place_of_double_ones(files, gone):
    plan = plan_of()
    cases = cases_of(plan, without={f"L-{i:03d}" for i in gone})
    by_a = [x for name in cases for x in all_of(files, cases, name, "A")]
    left = shares(files, plan, cases, *by_a, rater="B")
    assert len(left) >= len(cases) * len(plan.double) / len(plan.items)
    assert set(left) <= set(cases)
    assert set(plan.double) & set(cases) <= set(left)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.text("ABCDEF", min_size=1, max_size=3))
def test_one_in_ten_comes_twice_and_never_soon(n, rater):
    plan = plan_of(n, drawn=n, double=0)
    turns = turns_of(rater, plan, plan.items)
    assert [t.item for t in turns if not t.repeat] == list(plan.items)
    repeats = [t for t in turns if t.repeat]
    assert len(repeats) == min(-(-n // 10), max(0, n - APART))
    for turn in repeats:
        assert turns.index(turn) - turns.index(Turn(item=turn.item)) > APART
    assert turns == turns_of(rater, plan, plan.items)


def test_raters_have_different_repeats():
    plan = plan_of(60, drawn=60, double=0)
    seen = {
        frozenset(t.item for t in turns_of(rater, plan, plan.items) if t.repeat)
        for rater in "ABCDEF"
    }
    assert len(seen) > 1


def test_disputes_are_what_raters_differ_on_until_somebody_settles_it(files):
    plan = plan_of()
    cases = cases_of(plan)
    one, two = plan.items[:2]
    labels = [
        label_of(files, cases, one, "A"),
        label_of(files, cases, one, "B", answer="met"),
        label_of(files, cases, two, "A"),
        label_of(files, cases, two, "B"),
        label_of(files, cases, two, "A", answer="met", repeat=True),
    ]
    found = disputes(Labels(usable=tuple(labels)), cases, simulated=False)
    assert list(found) == [(one, "invented-fact")]
    labels.append(label_of(files, cases, one, "C", answer="met", adjudicates=True))
    assert disputes(Labels(usable=tuple(labels)), cases, simulated=False) == {}


def test_a_rater_is_a_clinician_or_not(files):
    labels = [files.label(0), files.label(0, rater="C", simulated=True)]
    assert [capacity_of(rater, labels) for rater in "ABC"] == [False, None, True]


def test_a_quote_is_copied_white_space_aside():
    case = Case(
        id="x", unit="x", sources=(("facts", "no trial\n of therapy"),), output="It was  denied."
    )
    assert occurs("was denied", case)
    assert occurs(" no trial of ", case)
    assert not occurs("was Denied", case)
    assert not occurs("denied. no trial", case)
    assert not occurs("  ", case)
