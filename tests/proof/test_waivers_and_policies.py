"""What may make up for a finding that does not pass, and what a receiver may ask for besides."""

from __future__ import annotations

import re

import pytest
from attacks.world import GATE, World, build, undecided

UNTIL = "2099-01-31T00:00:00Z"


@pytest.fixture(scope="module")
def stages(tmp_path_factory) -> dict[str, World]:
    return build(tmp_path_factory.mktemp("stages"))


@pytest.fixture
def world(stages, tmp_path) -> World:
    return stages["checked"].copy(tmp_path / "world")


def asked(world: World, **env: str) -> int:
    """The number of a request that one inconclusive finding be waived."""
    world.certify(decision=undecided(world))
    done = world.evalgate(
        "gate", "waive", "rc", "triage", "accuracy", "--reason", "known slice", "--until", UNTIL,
        *(() if env else ("--key", "lead")), **env,
    )  # fmt: skip
    assert done.exit == 0, done.said
    return int(re.search(r"request (\d+)", done.said)[1])


def signed(world: World) -> None:
    for key, role in (("lead", "clinical_lead"), ("manager", "release_manager")):
        assert world.evalgate("gate", "approve", "rc", "--role", role, "--key", key).exit == 0


def test_a_finding_that_two_people_waived_does_not_stop_a_promotion_which_says_so(world):
    number = asked(world)
    assert world.evalgate("gate", "promote", "rc").exit == 3
    granted = world.evalgate("gate", "waive", "--grant", str(number), "--key", "officer")
    assert granted.exit == 0, granted.said
    signed(world)
    done = world.evalgate("gate", "promote", "rc")
    assert done.exit == 0, done.said
    assert f"WAIVED: triage accuracy until {UNTIL}: known slice" in done.said
    (entry,) = world.ledger.of_kind("promotion")
    assert any("known slice" in note for note in entry.body["notes"])


def test_whoever_runs_the_gate_grants_no_waiver(world):
    number = asked(world)
    text = world.path("keys.toml").read_text()
    head, tail = text.split("[keys.officer]")
    world.write(
        "keys.toml",
        f"{head}[keys.officer]{tail.replace('Q. Officer', 'The Gate’s  account'.replace('’', chr(39)))}",
    )
    done = world.evalgate("gate", "waive", "--grant", str(number), "--key", "officer")
    assert done.exit == 1, done.said
    assert "whoever runs the gate" in done.said


def test_any_key_at_hand_may_ask_wherever_it_lies(world, tmp_path):
    elsewhere = tmp_path / "manager.key"
    world.path(".evalgate/manager.key").rename(elsewhere)
    number = asked(world, EVALGATE_KEY_FILE=str(elsewhere))
    (entry,) = (e for e in world.ledger.of_kind("waiver") if e.seq == number)
    assert entry.by == "manager"


ROWS = "accuracy = { min = 0.85 }"


@pytest.mark.parametrize(
    ("was", "now", "exit_code", "says"),
    [
        (ROWS, ROWS, 0, "verified"),
        (ROWS, "accuracy = { min = 0.99 }", 1, "policy triage accuracy"),
        (ROWS, f"{ROWS}\nmacro_f1 = {{ min = 0.5 }}", 1, "was not measured"),
        ("alpha = 0.05", "alpha = 0.01", 1, "was measured at alpha 0.05"),
    ],
    ids=["the same", "stricter", "one row more", "more certain"],
)
def test_a_receiver_holds_the_certificates_numbers_against_bars_of_their_own(
    world, tmp_path, was, now, exit_code, says
):
    policy = tmp_path / "ours.toml"
    assert was in GATE
    policy.write_text(GATE.replace(was, now))
    done = world.evalgate("verify", "rc", "--policy", str(policy))
    assert done.exit == exit_code, done.said
    assert says in done.said


def test_numbers_that_were_not_enough_to_tell_meet_nobodys_bar(world, tmp_path):
    decision = undecided(world)
    decision["findings"] = [
        dict(f, status="insufficient") if f["status"] == "inconclusive" else f
        for f in decision["findings"]
    ]
    world.certify(decision=decision)
    policy = tmp_path / "ours.toml"
    policy.write_text(GATE)
    done = world.evalgate("verify", "rc", "--policy", str(policy))
    assert "was not measured well enough to tell" in done.said


def test_a_certificate_that_a_later_decision_contradicts_is_no_longer_good(world):
    first = world.certificate
    assert world.evalgate("verify", str(first)).exit == 0
    world.certify(decision=undecided(world))
    done = world.evalgate("verify", str(first))
    assert done.exit == 1, done.said
    assert "a later decision about this model: undecided" in done.said
