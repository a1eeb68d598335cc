"""Figures and their bounds, and what becomes of pairs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.authored.rubric import Criterion
from evalgate.judge.case import Case, Verdict
from evalgate.judge.qualification import Reading, qualify
from evidence.asked import Judged
from evidence.intervals import bootstrap, figures
from evidence.labelled import Labelled
from evidence.pairs import of_pairs
from evidence.sources import BETTER

DUTY = Criterion(id="duty", ask="It is there.", points=5)
FAULT = Criterion(id="fault", ask="It is there.", points=-5)

people = st.sampled_from(["met", "not_met"])
readings = st.lists(
    st.tuples(st.sampled_from(["met", "not_met", "cannot_tell", "void"]), people, people, st.integers(1, 90)),
    min_size=1, max_size=12,
).map(
    lambda rows: [
        Reading(
            item=f"i{n}", unit=f"u{n // 2}", judge=judge, clinicians={"a": a, "b": b}, adjudicated=a, length=length
        )
        for n, (judge, a, b, length) in enumerate(rows)
    ]
)  # fmt: skip


@settings(max_examples=15, deadline=None)  # each resamples five figures
@given(readings, st.sampled_from([DUTY, FAULT]))
def test_the_figures_are_those_of_the_qualification(found, criterion):
    report = qualify(criterion, found)
    ours = {name: figure.value for name, figure in figures(criterion, found, seed=0).items()}
    theirs = {
        "kappa": report.kappa,
        "AC1": report.ac1,
        "macro-F1": report.macro_f1,
        "people": report.clinicians and report.clinicians.human,
        "length": report.length,
    }
    assert ours == pytest.approx({name: x for name, x in theirs.items() if x is not None})


@settings(max_examples=15, deadline=None)
@given(readings)
def test_every_figure_lies_within_its_bounds(found):
    for figure in figures(DUTY, found, seed=0).values():
        assert figure.low <= figure.value <= figure.high


def test_items_of_one_unit_are_drawn_together():
    """Ten answers of one unit are one piece of evidence, however many they are."""

    def share(readings):
        return sum(r.judge == "met" for r in readings) / len(readings)

    def found(units):
        return [
            Reading(item=f"i{n}", unit=f"u{n % units}", judge="met" if n % 2 else "not_met")
            for n in range(40)
        ]

    few, many = (bootstrap(found(units), share, seed=1) for units in (2, 40))
    assert (few.low, few.high) == (0, 1)
    assert 0.3 < many.low < 0.5 < many.high < 0.7


def judged(pair: str, better: str, first: str, second: str, lengths=(5, 9)) -> list[Judged]:
    """A pair of which `better` ("1" or "2") is the better answer, and what the judge says where 1 and where 2 is the text."""
    return [
        Judged(
            item=Labelled(
                case=Case(id=f"{pair}-{n}", unit=pair, sources=(), output="x" * length),
                criterion=BETTER,
                answer="met" if n == better else "not_met",
                people=("met",),
                group=pair,
                stratum="",
            ),
            verdict=Verdict(item=f"{pair}-{n}", criterion="better", answer=said),
        )
        for n, said, length in zip("12", (first, second), lengths, strict=True)
    ]


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("met", "not_met", "right"),
        ("not_met", "met", "wrong"),
        ("met", "met", "tied"),
        ("not_met", "not_met", "tied"),
        ("met", "void", "undecided"),
        ("cannot_tell", "met", "undecided"),
    ],
)
def test_a_pair_is_right_only_if_the_better_answer_is_chosen_in_both_orders(first, second, outcome):
    found = of_pairs(judged("p", "1", first, second))
    outcomes = {"right": found.right.hits, "wrong": found.wrong, "tied": found.tied, "undecided": found.undecided}  # fmt: skip
    assert outcomes == {"right": 0, "wrong": 0, "tied": 0, "undecided": 0} | {outcome: 1}


def test_who_always_prefers_what_stands_last_keeps_to_nothing():
    found = of_pairs(judged("p", "1", "met", "met") + judged("q", "2", "met", "met"))
    assert (found.positions.consistent.hits, found.positions.last, found.positions.first) == (0, 2, 0)  # fmt: skip
    found = of_pairs(judged("p", "1", "not_met", "not_met"))
    assert (found.positions.last, found.positions.first) == (0, 1)


def test_only_pairs_whose_worse_answer_is_longer_are_traps():
    found = of_pairs(
        judged("p", "1", "met", "not_met", lengths=(5, 9))
        + judged("q", "1", "met", "not_met", lengths=(9, 5))
        + judged("r", "2", "met", "not_met", lengths=(9, 5))
    )
    assert (found.traps.hits, found.traps.of) == (1, 2)
    assert (found.right.hits, found.wrong) == (2, 1)
