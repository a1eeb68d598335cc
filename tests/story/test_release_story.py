"""The story of a release, with real models, real servers and the real command line: docs/ci.md tells it for CI."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
from story import services
from story.release import Stopped, Story

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None
        or not all((services.ROOT / path).exists() for path in services.WEIGHTS.values()),
        reason="the embedded extra or the imported weights of both packaged models are missing",
    ),
]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    story = Story(tmp_path_factory.mktemp("story"))
    story.run()  # raises Stopped where a command does not end as it should
    return story


def said(story, *argv: str) -> list:
    return [told for told in story.told if told.argv[: len(argv)] == argv]


def test_a_closed_decision_is_signed_and_never_promoted(story):
    check, promotion = said(story, "gate")[:2]
    assert check.last == "decision: closed (exit 1)"
    assert promotion.last == "refused: production stays where it is (exit 1)"
    (certificate,) = (story.denials / "reports/certificates").glob("*.json")
    assert certificate.stat().st_size > 1000
    assert not (story.denials / "reports/aliases").exists()


def test_an_open_decision_is_promoted_once_two_people_have_signed(story):
    told = [(t.code, t.last) for t in said(story, "gate", "promote") if t.argv[2] == "smollm2"][1:]
    (missing, _), (done, line), *_ = told
    assert (missing, done) == (3, 0)
    assert line.startswith("promoted: production -> smollm2 (ledger entry ")
    assert [t.who for t in said(story, "gate", "approve") if t.code == 0] == ["alice", "bob"] * 2


def test_the_ledger_tells_the_whole_story_in_order(story):
    lines = (story.numbers / "reports/ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line)["entry"] for line in lines]
    kinds = [e["kind"] for e in entries if e["kind"] != "key"]
    release = ["plan", "decision", "signoff", "signoff", "promotion"]
    assert kinds == [*release, "serving", "serving", *release, "promotion"]
    assert [e["body"]["state"] for e in entries if e["kind"] == "serving"] == ["began", "ended"]
    first, second, third = (e["body"] for e in entries if e["kind"] == "promotion")
    assert first["certificate"] == third["certificate"] != second["certificate"]
    assert said(story, "gate", "promote")[-1].last.startswith("rolled back: production -> smollm2")
    assert "integrity:    holds" in said(story, "ledger", "verify")[-1].out


def test_an_auditor_needs_certificate_public_keys_and_file_and_sees_one_flipped_bit(story):
    whole, flipped = (t for t in said(story, "verify") if t.who == "auditor")
    assert (whole.code, whole.last) == (0, "verified")
    assert (flipped.code, flipped.last) == (5, "not verified (exit 5)")
    assert "has other bytes" in flipped.out


def test_nothing_is_a_first_release_twice_and_the_successor_was_compared(story):
    refused, compared = said(story, "gate", "check", "gemma3-270m")
    assert (refused.code, compared.code) == (2, 0)
    assert "first_release" in refused.out
    kept = (story.numbers / "reports/decisions").glob("*-gemma3-270m-*.json")
    (decision,) = (path for path in kept if not path.name.endswith(".evidence.json"))
    findings = {f["test"]: f for f in json.loads(decision.read_text())["findings"]}
    assert findings["accuracy_vs_baseline"]["units"] == services.UNITS


def test_no_private_key_lies_in_a_project(story):
    for root in (story.denials, story.numbers):
        found = [p for p in root.rglob("*") if p.is_file() and p.suffix != ".gguf"]
        assert found
        assert not [p for p in found if b"PRIVATE KEY" in p.read_bytes()]


def test_the_story_stops_where_a_command_ends_otherwise_than_told(tmp_path):
    story = Story(tmp_path)
    services.write_claim_numbers(story.numbers)
    story.new_keys(story.numbers, "gate")
    with pytest.raises(Stopped, match="ended with 2, not with 0"):
        story.gate(story.numbers, "gate check smollm2")  # no weights
