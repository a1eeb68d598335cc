"""What a judge is worth: numbers against published implementations, and every condition of the rule on its own."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from judge_readings import FAULT, MUST, SCALE, agreed, critical, drawn, reading, word
from sklearn.metrics import cohen_kappa_score, f1_score
from statsmodels.stats.proportion import proportion_confint

from evalgate import stats
from evalgate.authored.labels import Label
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.judge.calibration_table import ITEMS_TO_ASSIST, ITEMS_TO_DECIDE
from evalgate.judge.case import Case, Verdict
from evalgate.judge.qualification import (
    position_consistency,
    qualify,
    qualify_rubric,
    self_preference,
    settle_order,
)
from evalgate.judge.verdicts import Judged

BOTH = pytest.mark.parametrize("criterion", [FAULT, MUST])


def without_repeats(readings):
    return [msgspec.structs.replace(r, repeats=()) for r in readings]


@BOTH
def test_agreement_is_what_published_implementations_compute(criterion):
    readings = drawn(criterion, 150, right=0.95, wrong=0.7, raters=1)
    r = qualify(criterion, readings)
    judge = [x.judge for x in readings]
    truth = [x.clinicians["r0"] for x in readings]
    hits = sum(a == b for a, b in zip(judge, truth, strict=True))
    low, high = proportion_confint(hits, 150, alpha=0.10, method="beta")
    assert (r.agreement.hits, r.agreement.of) == (hits, 150)
    assert (r.agreement.low, r.agreement.high) == pytest.approx((low, high), abs=1e-12)
    assert r.kappa == pytest.approx(cohen_kappa_score(judge, truth), abs=1e-12)
    assert r.ac1 == stats.gwet_ac1(judge, truth)
    assert r.macro_f1 == pytest.approx(f1_score(truth, judge, average="macro"), abs=1e-12)


@BOTH
def test_found_is_about_faulty_outputs_and_recognised_about_those_in_order(criterion):
    good, bad = word(criterion, sound=True), word(criterion, sound=False)
    said = [(bad, bad)] * 14 + [(good, bad)] * 6 + [(good, good)] * 38 + [(bad, good)] * 2
    r = qualify(criterion, [reading(at, *pair) for at, pair in enumerate(said)])
    assert (r.found.hits, r.found.of) == (14, 20)
    assert (r.recognised.hits, r.recognised.of) == (38, 40)
    assert (r.agreement.hits, r.labelled) == (52, 60)
    assert r.found.low == stats.cp_lower(14, 20)
    assert r.recognised.high == pytest.approx(stats.cp_upper(38, 40))


def test_what_does_not_apply_is_in_order_but_not_the_same_answer():
    said = [("not_applicable", "met"), ("met", "met"), ("not_met", "not_applicable")]
    asked = msgspec.structs.replace(MUST, applies_when="Something was denied.")
    r = qualify(asked, [reading(at, *pair) for at, pair in enumerate(said)])
    assert (r.recognised.hits, r.recognised.of, r.found.of) == (2, 3, 0)
    assert r.agreement.hits == 1


@pytest.mark.parametrize("silent", ["void", "cannot_tell"])
@pytest.mark.parametrize("sound", [True, False])
def test_an_answer_that_cannot_be_used_is_disagreement_everywhere(silent, sound):
    readings = agreed(FAULT, 30, 30)
    at = 0 if sound else 59
    worse = [*readings]
    worse[at] = msgspec.structs.replace(readings[at], judge=silent)
    before, after = qualify(FAULT, readings), qualify(FAULT, worse)
    assert after.agreement.hits == before.agreement.hits - 1 == 59
    assert after.labelled == 60
    assert (after.recognised.hits, after.found.hits) == ((29, 30) if sound else (30, 29))
    for name in ("kappa", "ac1", "macro_f1"):
        assert getattr(after, name) < getattr(before, name) == 1.0
    assert after.clinicians.judge < before.clinicians.judge == after.clinicians.human == 1.0
    assert after.unscored == {silent: 1}


def test_voids_never_raise_chance_corrected_agreement():
    # as a category of its own a void would make chance agreement rarer and AC1 higher than for plain mistakes
    readings = drawn(FAULT, 200, right=0.9, wrong=0.9, raters=1)
    wrong = [r for r in readings if r.judge != r.clinicians["r0"]]
    silent = [r if r not in wrong else msgspec.structs.replace(r, judge="void") for r in readings]
    assert len(wrong) > 10
    assert qualify(FAULT, silent).ac1 == qualify(FAULT, readings).ac1
    assert qualify(FAULT, silent).kappa == qualify(FAULT, readings).kappa


def test_clinicians_among_each_other_and_the_judge_against_each_are_counted_alike():
    readings = drawn(MUST, 120, right=0.9, wrong=0.8)
    c = qualify(MUST, readings).clinicians
    judge = [r.judge for r in readings]
    a, b = ([r.clinicians[name] for r in readings] for name in ("r0", "r1"))
    assert c.items == 120
    assert c.human == pytest.approx(f1_score(a + b, b + a, average="macro"), abs=1e-12)
    assert c.judge == pytest.approx(f1_score(a + b, judge + judge, average="macro"), abs=1e-12)
    assert c.human_agreement == pytest.approx(np.mean(np.array(a) == b))
    assert c.judge_agreement == pytest.approx(np.mean(np.array(a + b) == judge + judge))
    assert c.difference.value == pytest.approx(c.judge - c.human)


def test_the_bootstrap_agrees_with_resampling_written_naively():
    readings = drawn(MUST, 120, right=0.9, wrong=0.8)
    codes = np.array([[x == "met" for x in (r.judge, *r.clinicians.values())] for r in readings])

    def difference(rows):
        judge, a, b = rows.T
        f1 = {}
        for name, y, yhat in (("h", (a, b), (b, a)), ("j", (a, b), (judge, judge))):
            gold, said = np.concatenate(y), np.concatenate(yhat)
            tables = [(gold == c, said == c) for c in (False, True)]
            f1[name] = np.mean([2 * (t & p).sum() / (t.sum() + p.sum()) for t, p in tables])
        return f1["j"] - f1["h"]

    rng = np.random.default_rng(5)
    naive = [difference(codes[rng.integers(0, 120, 120)]) for _ in range(4_000)]
    found = qualify(MUST, readings).clinicians.difference
    assert found.low == pytest.approx(np.quantile(naive, 0.05), abs=4e-3)
    assert found.high == pytest.approx(np.quantile(naive, 0.95), abs=4e-3)


def test_three_clinicians_weigh_as_much_as_two():
    two = qualify(MUST, [reading(0, "met", "met", "not_met"), reading(1, "met", "met", "met")])
    more = [reading(0, "met", *["met", "not_met"] * 1), reading(1, "met", "met", "met", "met")]
    three = qualify(MUST, more)
    assert three.clinicians == two.clinicians
    assert (two.raters, three.raters) == (2, 3)


def test_items_of_one_member_are_one_piece_of_evidence():
    alone = drawn(FAULT, 60, right=0.9, wrong=0.8)
    tripled = [
        msgspec.structs.replace(r, item=f"{r.item}-{copy}") for r in alone for copy in range(3)
    ]
    once, thrice = qualify(FAULT, alone), qualify(FAULT, tripled)
    assert thrice.found.of == 3 * once.found.of
    assert thrice.found.low == pytest.approx(once.found.low, abs=1e-12)
    assert thrice.recognised.high == pytest.approx(once.recognised.high, abs=1e-12)
    assert thrice.clinicians.difference.low == pytest.approx(once.clinicians.difference.low)


def test_a_settled_dispute_is_the_reference_and_an_open_one_counts_against_the_output():
    r = qualify(
        FAULT,
        [
            reading(0, "met", "met", "not_met"),
            reading(1, "met", "met", "not_met", adjudicated="not_met"),
        ],
    )
    assert (r.found.hits, r.found.of) == (1, 1)
    assert (r.recognised.hits, r.recognised.of) == (0, 1)


def test_what_clinicians_cannot_tell_is_no_reference():
    said = [
        reading(0, "met", "met", "cannot_tell"),
        reading(1, "met", "cannot_tell"),
        reading(2, "met"),
    ]
    r = qualify(FAULT, said)
    assert (r.judged, r.labelled, r.unsure) == (3, 0, 2)
    assert (r.agreement.low, r.agreement.high, r.kappa, r.macro_f1) == (0.0, 1.0, None, None)
    assert r.clinicians is None


def test_kappa_is_undefined_where_everybody_always_says_the_same_and_ac1_is_not():
    r = qualify(MUST, agreed(MUST, 60, 0))
    assert (r.kappa, r.ac1) == (None, 1.0)
    assert r.standing == "clinician only"
    assert "nothing shows that it finds a fault" in r.reason


def test_scales_are_read_by_their_order():
    steps = [("1", "1"), ("2", "3"), ("5", "5"), ("4", "3"), ("1", "2"), ("5", "4"), ("3", "3")]
    r = qualify(SCALE, [reading(at, *pair) for at, pair in enumerate(steps)])
    judge, truth = ([int(pair[side]) for pair in steps] for side in (0, 1))
    expected = cohen_kappa_score(judge, truth, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert r.weighted_kappa == pytest.approx(expected, abs=1e-12)
    assert r.alpha == stats.krippendorff_alpha([judge, truth], "ordinal")
    assert (r.found.of, r.recognised.of) == (2, 5)  # steps 1 and 2 are faulty
    silent = [*steps[:-1], ("void", "3")]
    worse = qualify(SCALE, [reading(at, *pair) for at, pair in enumerate(silent)])
    assert worse.weighted_kappa < r.weighted_kappa
    assert qualify(MUST, agreed(MUST, 5, 5)).weighted_kappa is None


def test_leniency_with_length_is_a_correlation():
    sizes = [100, 200, 300, 400, 500]
    said = ["met", "met", "met", "not_met", "not_met"]  # a fault is missed where the output is long
    r = qualify(
        FAULT,
        [
            reading(at, a, "met", length=n)
            for at, (a, n) in enumerate(zip(said, sizes, strict=True))
        ],
    )
    assert r.length == pytest.approx(np.corrcoef([0, 0, 0, 1, 1], sizes)[0, 1])
    assert qualify(FAULT, agreed(FAULT, 5, 5)).length is None


def test_flips_are_items_answered_otherwise_when_asked_again():
    said = [
        ("met", ("met", "met")),
        ("met", ("met", "not_met")),
        ("met", ("void",)),
        ("void", ("void",)),
        ("met", ()),
    ]
    r = qualify(FAULT, [reading(at, a, repeats=again) for at, (a, again) in enumerate(said)])
    assert (r.flips.hits, r.flips.of) == (2, 4)
    assert qualify(FAULT, [reading(0, "met", "met")]).flips is None


@BOTH
def test_a_judge_that_is_always_a_clinicians_equal_decides(criterion):
    r = qualify(criterion, agreed(criterion, 180, 20))
    assert r.standing == "decides"
    assert "0.8608" in r.reason  # 20 of 20 prove that much
    assert r.clinicians.difference.low == 0.0


def test_one_item_too_few_and_it_assists():
    r = qualify(FAULT, agreed(FAULT, ITEMS_TO_DECIDE - 21, 20))
    assert r.standing == "assists"
    assert "199 items have answers of two clinicians, 200 are needed" in r.reason


def test_one_clinician_alone_lets_no_judge_decide():
    readings = [
        msgspec.structs.replace(r, clinicians={"a": r.clinicians["r0"]})
        for r in agreed(FAULT, 180, 20)
    ]
    r = qualify(FAULT, readings)
    assert r.standing == "assists"
    assert r.clinicians is None


def test_a_judge_that_was_never_asked_twice_assists_at_most():
    r = qualify(FAULT, without_repeats(agreed(FAULT, 180, 20)))
    assert r.standing == "assists"
    assert r.reason == "It may not decide: whether it repeats itself was not measured."


def test_code_is_not_asked_twice():
    by_code = msgspec.structs.replace(FAULT, judged_by=("code",), check="citations_resolve")
    assert qualify(by_code, without_repeats(agreed(FAULT, 180, 20))).standing == "decides"


def test_a_judge_that_changes_its_mind_assists_at_most():
    readings = agreed(FAULT, 180, 20)
    for at in range(13):
        readings[at] = msgspec.structs.replace(readings[at], repeats=("not_met", "met"))
    assert qualify(FAULT, readings[:12] + agreed(FAULT, 180, 20)[12:]).standing == "decides"
    r = qualify(FAULT, readings)
    assert stats.cp_upper(13, 200) > 0.10 > stats.cp_upper(12, 200)
    assert r.standing == "assists"
    assert "answered otherwise on 13 of 200 items" in r.reason


def test_a_critical_fault_needs_29_found_and_none_missed():
    enough = qualify(critical(FAULT), agreed(FAULT, 180, 29))
    few = qualify(critical(FAULT), agreed(FAULT, 180, 28))
    missed = agreed(FAULT, 180, 29)
    missed[-1] = msgspec.structs.replace(missed[-1], judge="not_met", repeats=("not_met",))
    assert enough.standing == "decides"
    assert few.standing == "assists"
    assert "28 of 28" in few.reason
    assert "must prove 0.90" in few.reason
    assert qualify(critical(FAULT), missed).standing == "assists"
    assert qualify(FAULT, missed).standing == "decides"


def test_a_lenient_judge_does_not_decide_however_well_it_agrees():
    r = qualify(FAULT, drawn(FAULT, 400, right=0.98, wrong=0.5, people=1.0, faulty=0.1))
    assert r.agreement.low > 0.9
    assert r.standing == "assists"
    assert "must prove 0.50" in r.reason


def test_a_judge_below_the_clinicians_does_not_decide():
    r = qualify(FAULT, drawn(FAULT, 400, right=0.85, wrong=0.85, people=0.99))
    assert r.found.low > 0.5
    assert r.standing == "assists"
    assert "macro-F1" in r.reason


def test_the_same_judge_decides_where_clinicians_agree_no_better():
    readings = drawn(FAULT, 400, right=0.85, wrong=0.85, people=0.85, settled=True)
    assert qualify(FAULT, readings).standing == "decides"


def test_open_disputes_count_as_faulty_and_are_told():
    readings = drawn(FAULT, 400, right=0.85, wrong=0.85, people=0.85)
    settled = drawn(FAULT, 400, right=0.85, wrong=0.85, people=0.85, settled=True)
    r, after = qualify(FAULT, readings), qualify(FAULT, settled)
    assert r.disputed == sum(len({*x.clinicians.values()}) > 1 for x in readings) > 80
    assert after.disputed == 0
    assert r.clinicians == after.clinicians
    assert r.found.of > after.found.of
    assert r.standing == "assists"


def test_every_severity_must_hold_up_on_its_own():
    readings = [
        msgspec.structs.replace(r, stratum="high" if at >= 196 else "low")
        for at, r in enumerate(agreed(FAULT, 180, 20))
    ]
    r = qualify(FAULT, readings)
    assert {name: (x.hits, x.of) for name, x in r.strata.items()} == {
        "high": (4, 4),
        "low": (16, 16),
    }
    assert r.weakest == r.strata["high"]
    assert r.standing == "assists"
    assert "4 of 4" in r.reason


@pytest.mark.parametrize("answer", ["met", "not_met", "not_applicable", "void", "cannot_tell"])
@BOTH
def test_a_judge_that_always_says_the_same_is_relied_on_for_nothing(criterion, answer):
    asked = msgspec.structs.replace(criterion, applies_when="Something was denied.")
    readings = [
        msgspec.structs.replace(r, judge=answer, repeats=(answer,)) for r in agreed(asked, 230, 70)
    ]
    assert qualify(asked, readings).standing == "clinician only"


def test_no_judge_assists_on_a_handful_of_labels():
    assert qualify(FAULT, agreed(FAULT, ITEMS_TO_ASSIST - 20, 20)).standing == "assists"
    r = qualify(FAULT, agreed(FAULT, ITEMS_TO_ASSIST - 21, 20))
    assert r.standing == "clinician only"
    assert r.reason.startswith("49 items are labelled")


def test_labels_of_people_who_are_no_clinicians_qualify_nobody():
    readings = agreed(FAULT, 180, 20)
    readings[7] = msgspec.structs.replace(readings[7], simulated=True)
    r = qualify(FAULT, readings)
    assert (r.standing, r.simulated) == ("clinician only", 1)
    assert r.reason.startswith("1 of 200 items")


def test_a_rubric_that_asks_clinicians_only_is_obeyed():
    theirs = msgspec.structs.replace(FAULT, judged_by=("clinician",))
    assert qualify(theirs, agreed(FAULT, 180, 20)).standing == "clinician only"


def test_without_labels_nothing_is_known_and_nothing_breaks():
    for readings in ([], [reading(0, "met"), reading(1, "void")]):
        r = qualify(FAULT, readings)
        assert (r.standing, r.labelled, r.judged) == ("clinician only", 0, len(readings))
        assert "never calibrated" in r.reason


@pytest.mark.parametrize(
    ("readings", "found"),
    [
        ([reading(1, "met"), reading(1, "met")], "'i0001' twice"),
        ([reading(1, "yes", "met")], "'yes'"),
        ([reading(1, "met", "void")], "'void'"),
        ([reading(1, "met", "3")], "'3'"),
        ([reading(1, "met", adjudicated="both")], "'both'"),
        ([reading(1, "met", repeats=("perhaps",))], "'perhaps'"),
    ],
)
def test_readings_that_are_no_data_are_refused(readings, found):
    with pytest.raises(ValueError, match=found):
        qualify(FAULT, readings)


def rubric(*criteria: Criterion) -> Rubric:
    return Rubric(
        path="rubrics/s.toml", digest="sha256:aa", id="s", task="s", version="1.0.0", title="S",
        pass_mark=0.8, criteria=criteria,
    )  # fmt: skip


class Rows(list):
    """Rows as `Verdicts` gives them, with the cases that they are about."""

    def cases(self, items):
        return {r.id: case(r.id) for r in self if r.id in items}


def case(item: str) -> Case:
    return Case(id=item, unit=item, sources=(), output=f"Output {item}.")


def row(item: str, **answers: str) -> Judged:
    said = {
        name.replace("_", "-"): Verdict(item=item, criterion=name.replace("_", "-"), answer=answer)
        for name, answer in answers.items()
    }
    return Judged(
        id=item,
        unit=item,
        tags=(),
        status="ok",
        output=case(item).digest,
        verdicts=said,
        score=None,
    )


def label(item: str, criterion: Criterion, rater: str, answer: str, **more) -> Label:
    given = {
        "item": item, "criterion": criterion.id, "rater": rater, "answer": answer, "rubric": "sha256:aa",
        "criterion_digest": criterion.digest, "output": case(item).digest,
    }  # fmt: skip
    return Label(**{**given, **more})


def test_verdicts_and_labels_meet_by_item_output_and_wording():
    rows = Rows(
        [
            row("a", invented_fact="met", states_reason="met"),
            row("b", invented_fact="not_met"),
            row("c"),
        ]
    )
    labels = [
        label("a", FAULT, "r", "met"),
        label("a", FAULT, "s", "met"),
        label("a", FAULT, "s", "not_met", repeat=True),
        label("b", FAULT, "r", "met"),
        label("b", FAULT, "u", "not_met"),
        label("b", FAULT, "t", "not_met", adjudicates=True, blind=False),
        label("b", FAULT, "s", "met", blind=False),
        label("c", FAULT, "r", "met", criterion_digest="sha256:old"),
        label("c", FAULT, "s", "met", output="sha256:other"),
        label("a", MUST, "r", "met", simulated=True),
        label("a", SCALE, "r", "3"),
    ]
    fault, must = qualify_rubric(
        rubric(FAULT, MUST),
        rows,
        labels,
        lengths={"a": 5, "b": 7},
        repeats={("a", FAULT.id): ("met", "void")},
        strata={"a": "high", "b": "low"},
    )
    assert (fault.judged, fault.labelled, fault.double, fault.raters) == (3, 2, 2, 3)
    assert (fault.agreement.hits, fault.found.of, fault.recognised.of) == (2, 1, 1)
    assert (fault.unused.stale, fault.unused.other_output, fault.unused.not_blind) == (1, 1, 1)
    assert (fault.flips.hits, fault.flips.of) == (1, 1)
    assert fault.unscored == {"void": 1}  # asked about, and nothing came
    assert set(fault.strata) == {"high", "low"}
    assert (must.simulated, must.unused.stale) == (1, 0)


def test_items_beside_the_judged_slices_are_no_silence_of_the_judge():
    inside = msgspec.structs.replace(row("a", states_reason="met"), tags=("appeal",))
    rows = Rows([inside, row("b")])
    (every,) = qualify_rubric(rubric(MUST), rows, [])
    (r,) = qualify_rubric(rubric(MUST), rows, [], slices=frozenset({"appeal"}))
    assert (every.judged, every.unscored) == (2, {"void": 1})
    assert (r.judged, r.unscored) == (1, {})


def test_what_code_answers_is_not_left_to_clinicians():
    coded = msgspec.structs.replace(MUST, judged_by=("code",), check="no_placeholder_left")
    (r,) = qualify_rubric(rubric(coded), Rows([row("a", states_reason="met")]), [])
    assert r.standing == "by code"


def test_what_only_clinicians_are_asked_is_no_silence_of_the_judge():
    theirs = msgspec.structs.replace(FAULT, judged_by=("clinician",))
    (r,) = qualify_rubric(rubric(theirs), Rows([row("a")]), [label("a", theirs, "r", "met")])
    assert (r.judged, r.unscored) == (0, {})


def test_a_judge_that_flatters_its_own_family_is_noticed():
    own, others = [-0.1, -0.2, 0.0] * 40, [0.0, 0.1, -0.1] * 40
    found, alarm = self_preference(own, others)
    assert found.value == pytest.approx(-0.1)
    assert found.low < -0.1 < found.high < -0.03
    assert alarm
    error = math.sqrt((np.var(own) + np.var(others)) / 120)
    assert found.high == pytest.approx(-0.1 + 1.645 * error, abs=2e-3)
    assert self_preference(own, others) == self_preference(own[::-1], others[::-1])
    assert not self_preference(others, others)[1]
    with pytest.raises(ValueError, match="no units"):
        self_preference([], others)
    with pytest.raises(ValueError, match=r"2\.0"):
        self_preference([2.0], others)


def test_of_two_orders_only_the_same_winner_wins():
    assert settle_order("a", "a") == "a"
    assert settle_order("b", "b") == "b"
    assert {
        settle_order(*p)
        for p in [("a", "b"), ("b", "a"), ("tie", "tie"), ("void", "void"), ("a", "tie")]
    } == {"tie"}
    found = position_consistency(
        [("a", "a")] * 5
        + [("tie", "tie")]
        + [("a", "b")] * 3
        + [("b", "a")]
        + [("void", "void")] * 2
    )
    assert (found.consistent.hits, found.consistent.of) == (6, 12)
    assert (found.first, found.last) == (3, 1)
    assert found.consistent.low == stats.cp_lower(6, 12)
    with pytest.raises(ValueError, match="'first'"):
        position_consistency([("first", "a")])
