"""Judged numbers: what counts against the model, what is unscored, and how labels correct what a judge says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from courtroom import RUBRIC
from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored.labels import Label
from evalgate.authored.problems import Problems
from evalgate.authored.rubric_file import load_rubric
from evalgate.errors import UsageError
from evalgate.judge import (
    Calibration,
    Drawn,
    Verdict,
    Verdicts,
    agreement,
    criterion_rate,
    rubric_pass_rate,
    rubric_score,
)
from evalgate.judge.metrics import Corrected
from evalgate.records import Answer
from evalgate.stats import cp_lower, worst_atom_ppi_lower


@pytest.fixture(scope="module")
def rubric(tmp_path_factory):
    root = tmp_path_factory.mktemp("rubric")
    (root / "rubrics").mkdir()
    path = root / "rubrics/letters.toml"
    path.write_text(RUBRIC)
    problems = Problems()
    found = load_rubric(path, root, problems)
    problems.raise_if_any()
    return found


def answers(n, *, failed=()):
    return [
        Answer(
            id=f"l-{i}",
            unit=f"u-{i}",
            tags=("spanish",) if i % 2 else (),
            input={"facts": "f"},
            expected={},
            text=f"Letter {i}",
            parsed=f"Letter {i}",
            status="truncated" if i in failed else "ok",
            correct=True,
        )
        for i in range(n)
    ]


def court(rubric, n=20, *, states=lambda i: "met", invents=lambda i: "not_met", failed=()):
    """Verdicts of a judge that says these words."""
    said = {"states-reason": states, "invented-fact": invents}

    def verdict(ordinal, case, criterion):
        answer = said[criterion.id](ordinal)
        void = "an empty reply" if answer == "void" else ""
        return Verdict(item=case.id, criterion=criterion.id, answer=answer, void=void)

    bench = SimpleNamespace(runs=dict.fromkeys(said), verdict=verdict)
    return Verdicts(answers(n, failed=failed), rubric, bench, size=n)


def labels(
    verdicts, items, said=lambda i, c: "not_met" if c.fault else "met", raters=("a", "b"), **more
):
    return [
        Label(
            item=row.id,
            criterion=c.id,
            rater=rater,
            answer=said(int(row.id[2:]), c),
            quote="Letter",
            rubric=verdicts.rubric.digest,
            criterion_digest=c.digest,
            output=row.output,
            **more,
        )
        for row in verdicts
        if row.id in items
        for c in verdicts.rubric.read_by_people
        for rater in raters
    ]


def test_a_judges_word_alone_is_marked_as_screening(rubric):
    found = rubric_pass_rate(court(rubric))
    assert (found.value, found.items, found.judge) == (1.0, 20, "screen")


@pytest.mark.parametrize("silence", ["void", "cannot_tell"])
@pytest.mark.parametrize("criterion", ["states", "invents"])
def test_silence_is_unscored_and_helps_neither_side(rubric, silence, criterion):
    """Also on the criterion with negative points, where a careless reading of silence would raise the score."""
    verdicts = court(
        rubric,
        **{
            criterion: lambda i: (
                silence if i < 5 else {"states": "met", "invents": "not_met"}[criterion]
            )
        },
    )
    for metric in (rubric_pass_rate, rubric_score):
        found = metric(verdicts)
        assert found.unscored == 5
        assert found.value == pytest.approx(0.75), "counted as the worst there is"
    name = "states-reason" if criterion == "states" else "invented-fact"
    rate = criterion_rate(verdicts, name)
    assert rate.unscored == 5
    assert rate.value == pytest.approx(0.75 if criterion == "states" else 0.25)


def test_one_criterions_silence_is_not_anothers(rubric):
    verdicts = court(rubric, states=lambda i: "void")
    assert criterion_rate(verdicts, "invented-fact").unscored == 0
    assert criterion_rate(verdicts, "states-reason").unscored == 20


def test_an_answer_that_failed_is_not_judged_and_not_right(rubric):
    verdicts = court(rubric, failed=range(4))
    assert rubric_pass_rate(verdicts).value == pytest.approx(0.8)
    assert rubric_pass_rate(verdicts).unscored == 0
    assert criterion_rate(verdicts, "invented-fact").value == pytest.approx(0.2)


def test_a_fault_is_better_low_and_a_must_have_better_high(rubric):
    verdicts = court(rubric, invents=lambda i: "met" if i < 3 else "not_met")
    assert criterion_rate(verdicts, "invented-fact").lower_is_better
    assert criterion_rate(verdicts, "invented-fact").value == pytest.approx(0.15)
    assert not criterion_rate(verdicts, "states-reason").lower_is_better


def test_what_code_answers_needs_no_judge(rubric):
    found = criterion_rate(court(rubric), "placeholder")
    assert (found.judge, found.value) == (None, 0.0)


def test_an_unknown_criterion_is_told_with_the_known_ones(rubric):
    with pytest.raises(UsageError, match=r"states-reason, invented-fact, placeholder") as told:
        criterion_rate(court(rubric), "states-resaon")
    assert told.value.code == "EG660"


def test_labels_alone_give_the_exact_interval(rubric):
    verdicts = court(rubric, n=150)
    drawn = tuple(f"l-{i}" for i in range(120))
    calibration = Calibration(verdicts, labels(verdicts, drawn), Drawn(items=drawn))
    found = rubric_pass_rate(verdicts, calibration)
    assert (found.judge, found.insufficient, found.units) == ("calibrated", "", 120)
    assert found.bounds(0.05, 1)[0] == pytest.approx(cp_lower(k=120, n=120, alpha=0.05))


def test_a_deciding_judges_word_on_the_rest_narrows_the_interval_as_the_statistics_say(rubric):
    verdicts = court(rubric, n=400, invents=lambda i: "met" if i % 10 == 0 else "not_met")
    drawn = tuple(f"l-{i}" for i in range(120))
    said = lambda i, c: ("met" if i % 10 == 0 else "not_met") if c.fault else "met"  # noqa: E731
    calibration = Calibration(
        verdicts, labels(verdicts, drawn, said), Drawn(items=drawn),
        deciding=frozenset({"states-reason", "invented-fact"}),
    )  # fmt: skip
    found = rubric_pass_rate(verdicts, calibration)
    y = [float(i % 10 != 0) for i in range(120)]
    rest = [float(i % 10 != 0) for i in range(120, 400)]
    assert found.method == "worst-atom PPI"
    assert found.bounds(0.05, 7, 20_000)[0] == worst_atom_ppi_lower(
        y, y, rest, alpha=0.05, draws=20_000, seed=7
    )
    assert found.units == 400


def test_agreement_counts_silence_as_disagreement(rubric):
    verdicts = court(rubric, n=120, invents=lambda i: "void" if i < 12 else "not_met")
    drawn = tuple(f"l-{i}" for i in range(120))
    calibration = Calibration(verdicts, labels(verdicts, drawn), Drawn(items=drawn))
    assert agreement(verdicts, calibration, "invented-fact").value == pytest.approx(0.9)
    assert agreement(verdicts, calibration, "states-reason").value == 1.0
    assert agreement(verdicts, calibration).value == pytest.approx(0.9)
    assert agreement(verdicts, calibration).judge == "calibrated"


def test_what_clinicians_could_not_tell_counts_against_the_output(rubric):
    verdicts = court(rubric, n=120)
    drawn = tuple(f"l-{i}" for i in range(120))
    said = lambda i, c: "cannot_tell" if i < 30 else ("not_met" if c.fault else "met")  # noqa: E731
    calibration = Calibration(verdicts, labels(verdicts, drawn, said), Drawn(items=drawn))
    assert rubric_pass_rate(verdicts, calibration).value == pytest.approx(0.75)
    assert criterion_rate(verdicts, "invented-fact", calibration).value == pytest.approx(0.25)


def test_an_adjudicated_answer_settles_a_dispute(rubric):
    verdicts = court(rubric, n=120)
    drawn = tuple(f"l-{i}" for i in range(120))
    good = labels(verdicts, drawn, raters=("a",))
    bad = labels(verdicts, drawn, said=lambda i, c: "met", raters=("b",))
    disputed = Calibration(verdicts, good + bad, Drawn(items=drawn))
    assert rubric_pass_rate(verdicts, disputed).value == 0.0, "the worse reading stands"
    final = labels(verdicts, drawn, raters=("c",), adjudicates=True, blind=False)
    settled = Calibration(verdicts, good + bad + final, Drawn(items=drawn))
    assert rubric_pass_rate(verdicts, settled).value == 1.0


def test_an_adjudicator_settles_disputes_of_others_and_labels_nothing(rubric):
    """Who adjudicates has seen what others said: alone, or about their own answer, their word is no label."""
    verdicts = court(rubric, n=120)
    drawn = tuple(f"l-{i}" for i in range(120))
    final = labels(verdicts, drawn, raters=("c",), adjudicates=True, blind=False)
    alone = Calibration(verdicts, final, Drawn(items=drawn))
    assert "labelled 0 of the 120" in rubric_pass_rate(verdicts, alone).insufficient
    agreed = labels(verdicts, drawn, said=lambda i, c: "met")
    overruled = Calibration(verdicts, agreed + final, Drawn(items=drawn))
    assert rubric_pass_rate(verdicts, overruled).value == 0.0, "both found the fault"
    good = labels(verdicts, drawn, raters=("a",))
    bad = labels(verdicts, drawn, said=lambda i, c: "met", raters=("b",))
    own = labels(verdicts, drawn, raters=("a",), adjudicates=True, blind=False)
    assert (
        rubric_pass_rate(
            verdicts, Calibration(verdicts, good + bad + own, Drawn(items=drawn))
        ).value
        == 0.0
    )


def test_points_add_up_as_they_are_written(rubric):
    import msgspec

    from evalgate.authored.rubric import Criterion
    from evalgate.judge import score

    tenths = tuple(Criterion(id=f"c{i}", ask="It is so.", points=0.1) for i in range(10))
    exact = msgspec.structs.replace(rubric, criteria=tenths, pass_mark=0.7)
    said = {f"c{i}": "met" if i < 7 else "not_met" for i in range(10)}
    assert score(exact, said).passed
    assert not score(exact, said | {"c6": "not_met"}).passed


def test_what_does_not_apply_stands_between_the_best_and_the_rest(rubric):
    from evalgate.judge.scoring import worse

    must, fault = rubric.criteria[:2]
    assert worse(must, "met", "not_applicable") == "not_applicable"
    assert worse(must, "not_met", "not_applicable") == "not_met"
    assert worse(fault, "not_met", "not_applicable") == "not_applicable"
    assert worse(fault, "met", "not_applicable") == "met"


def test_labels_from_a_slice_say_nothing_about_a_wider_one(rubric):
    verdicts = court(rubric, n=240)
    drawn = tuple(f"l-{i}" for i in range(240) if i % 2)
    calibration = Calibration(verdicts, labels(verdicts, drawn), Drawn(items=drawn, tag="spanish"))
    assert rubric_pass_rate(verdicts, calibration, tag="spanish").insufficient == ""
    assert "drawn from the slice" in rubric_pass_rate(verdicts, calibration).insufficient


def test_every_item_of_a_small_slice_must_be_labelled(rubric):
    verdicts = court(rubric, n=5)
    every = tuple(f"l-{i}" for i in range(5))
    four = Calibration(verdicts, labels(verdicts, every[:4]), Drawn(items=every[:4]))
    assert "draws 4 of the 5 items, at least 5" in rubric_pass_rate(verdicts, four).insufficient
    five = Calibration(verdicts, labels(verdicts, every), Drawn(items=every))
    assert rubric_pass_rate(verdicts, five).insufficient == ""


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=3, max_size=40
    ),
    st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40),
)
def test_the_bounds_of_a_corrected_share_hold_its_point(pairs, rest):
    found = Corrected(y=tuple(y for y, _ in pairs), f=tuple(f for _, f in pairs), rest=tuple(rest))
    low, high = found.bounds(0.05, 3, 2_000)
    assert 0.0 <= low <= found.point <= high <= 1.0
