"""`gate switch`, with real keys, a real ledger and the real command line; models are directories that a stand-in serves."""

import json

import pytest

from switching.switch_world import BETTER, ITEMS, SPANISH, WRONG


def test_a_challenger_that_is_proven_better_and_nowhere_worse_is_switched_to_and_then_promoted(world):  # fmt: skip
    world.challenger("better", BETTER)
    done = world.run("gate", "switch", "better")
    assert done.said.splitlines()[-1] == "decision: switch (exit 0)"
    (claim,) = [row for row in world.record()["compared"] if row["claim"]]
    assert claim["row"] == "accuracy"
    assert claim["low"] > 0.02
    assert claim["difference"] == pytest.approx((len(WRONG) - len(BETTER)) / ITEMS)
    assert [body["stage"] for body in world.switches()] == ["began", "decided"]
    assert "switched to at" in world.promote("better").said


def test_another_base_is_not_promoted_without_a_switch_although_its_own_gate_is_open(world):
    world.challenger("better", BETTER)
    world.run("gate", "check", "better")
    done = world.promote("better", expect=1)
    assert "the base model" in done.said
    assert "no switch to it was decided for these bytes and this plan" in " ".join(done.said.split())  # fmt: skip


def test_a_switch_to_other_bytes_promotes_nothing(world):
    world.challenger("better", BETTER)
    world.run("gate", "switch", "better")
    config = json.loads((world.root / "models/better/config.json").read_text())
    (world.root / "models/better/config.json").write_text(json.dumps(config | {"made": "again"}))
    world.run("gate", "check", "better")
    world.promote("better", expect=1)


def test_an_equal_challenger_is_not_switched_to_and_that_is_recorded(world):
    world.challenger("equal", WRONG)
    done = world.run("gate", "switch", "equal", expect=1)
    assert "not shown to be better" in done.said
    assert [b.get("decision") for b in world.switches()] == [None, "no switch"]


def test_one_that_is_better_on_the_whole_and_worse_on_a_slice_is_refused_by_the_slice(world):
    world.challenger("sliced", list(SPANISH)[:28])
    done = world.run("gate", "switch", "sliced", expect=1)
    assert "triage.slice_accuracy[spanish]: worse than its margin" in done.said
    assert world.record()["decision"] == "no switch"


def test_one_that_does_not_meet_the_thresholds_by_itself_is_refused_before_any_comparison(world):
    world.challenger("weak", range(120))
    done = world.run("gate", "switch", "weak", expect=1)
    assert "its own check: triage accuracy" in done.said
    assert world.record()["compared"] == []


def test_a_licence_that_is_not_known_to_allow_it_refuses_before_a_question(world):
    world.challenger("barred", BETTER, licence="Nobody Knows Licence 1.0")
    done = world.run("gate", "switch", "barred", expect=1)
    assert "licence:" in done.said
    assert world.record()["decision"] == "no switch"
    assert not [b for b in world.switches() if b["stage"] == "began"]
    assert not list((world.root / "reports/decisions").glob("*-barred-*"))


def test_the_same_question_is_answered_once_and_for_nothing(world):
    world.challenger("better", BETTER)
    first = world.run("gate", "switch", "better", "--json").said
    before = len(world.lines())
    assert world.run("gate", "switch", "better", "--json").said == first
    assert len(world.lines()) == before


def test_attempts_spend_alpha_until_nothing_is_left(world):
    world.challenger("one", WRONG)
    world.challenger("two", [*WRONG[1:], 1])
    world.challenger("three", BETTER)
    world.run("gate", "switch", "one", expect=1)
    assert world.record()["alpha"] == pytest.approx(0.025)
    world.run("gate", "switch", "two", expect=1)
    assert world.record()["attempt"] == 2
    done = world.run("gate", "switch", "three", expect=1)
    assert "nothing of alpha is left on these gold sets" in done.said


def test_an_edited_record_is_an_integrity_fault(world):
    world.challenger("better", BETTER)
    world.run("gate", "switch", "better")
    path = max((world.root / "reports/switches").glob("*.json"))
    path.write_bytes(path.read_bytes().replace(b'"switch"', b'"Switch"', 1))
    assert "EG970" in world.run("gate", "switch", "better", expect=5).said


def test_a_switch_entry_that_the_gate_did_not_sign_counts_for_nothing(world):
    world.challenger("better", BETTER)
    world.run("gate", "check", "better")
    world.append("lead", "switch", {"stage": "decided", "decision": "switch"})
    assert world.run("gate", "promote", "better", expect=5).said


def test_a_changed_plan_refuses_a_switch(world):
    world.challenger("better", BETTER)
    world.edit("gate.toml", "margin = -0.03", "margin = -0.04")
    done = world.run("gate", "switch", "better", expect=1)
    assert "EG802" in done.said
    assert "gate.toml [gate] switch" in done.said


def test_a_weaker_rule_cannot_be_locked_without_a_reason(world):
    world.edit("gate.toml", '"triage.accuracy" = 0.02', '"triage.accuracy" = 0.01')
    assert "expected a reason" in world.run("plan", "--lock", expect=1).said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"triage.accuracy" = 0.02', '"triage.acuracy" = 0.02', "such as triage.accuracy"),
        ("margin = -0.03", "margin = 0.03", "[gate.switch] margin"),
        ('"triage.slice_accuracy[spanish]" = -0.10', '"triage.accuracy" = -0.50', "Narrow it"),
        ("margin = -0.03", "margn = -0.03", "margin"),
    ],
)
def test_rules_that_cannot_be_used_are_refused_by_name(world, old, new, said):
    world.edit("gate.toml", old, new)
    done = world.run("plan", expect=2)
    assert said in done.said


def test_the_incumbent_itself_and_endpoints_are_no_challengers(world):
    assert "EG972" in world.run("gate", "switch", "production", expect=2).said
    with (world.root / "evalgate.toml").open("a") as f:
        f.write('\n[models.far]\nserver = "endpoint"\nurl = "http://127.0.0.1:9/v1"\nname = "far"\nfamily = "x"\n')  # fmt: skip
    assert "EG972" in world.run("gate", "switch", "far", expect=2).said


def test_without_rules_there_is_no_switch(world):
    text = (world.root / "gate.toml").read_text()
    begin, end = text.index("[gate.switch]"), text.index("[triage]")
    world.write("gate.toml", text[:begin] + text[end:])
    world.challenger("better", BETTER)
    assert "EG971" in world.run("gate", "switch", "better", expect=2).said
