"""`gate check --sealed` as developers and the quality role see it: real processes, a served model, a ledger on disk."""

from __future__ import annotations

import datetime as dt
import json
import signal
import time

import msgspec
import pytest
from sealed_project import SECRET, SealedProject, sealed_items

from evalgate.crypto.seal import SealKey
from evalgate.gate.sealed import decides
from evalgate.records import Evidence
from evalgate.store.attempts import Question, SealedSet, attempts_of, open_attempt
from evalgate.store.signer import gate_signer, keyring_of, ledger_of
from evalgate.suite.project import load_header

BIT = {"schema": "evalgate.decision/1", "decision": "not open", "exit": 1}
TELLING = ("accuracy", "failed_rate", "must_pass", "s-50", "Clopper", "0.8", "units", SECRET)
"""What only somebody who holds the key may read."""


class Story:
    """A project whose developers try a bad model twice, a good one, and another after that."""

    def __init__(self, root) -> None:
        self.project = project = SealedProject(root, models=("wrong-30", "good", "wrong-10"))
        self.sealed = project.seal()
        self.dev = project.evalgate("gate", "check", "wrong-30", "--json")
        self.bad = project.check("wrong-30", "--json")
        self.entries = project.ledger()
        self.answers = self.landed()
        self.again = project.check("wrong-30")
        self.repeated = project.ledger(), self.landed()
        self.good = project.check("good")
        self.worn = project.check("wrong-10", "--json")

    def landed(self) -> dict[str, bytes]:
        found = self.project.root.glob("reports/sealed/runs/*/*/answers.jsonl")
        return {path.parent.name: path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    return Story(tmp_path_factory.mktemp("story"))


def test_developers_learn_one_bit(story):
    assert (story.bad.returncode, json.loads(story.bad.stdout)) == (1, BIT)
    assert story.good.returncode == 0
    assert story.good.stdout == "decision: open (exit 0)\n"


def test_nothing_else_is_told_or_left_in_the_clear(story):
    for done in (story.sealed, story.bad, story.again, story.good, story.worn):
        for word in TELLING[:-3] + TELLING[-1:]:
            assert word not in done.stdout + done.stderr, done
    root = story.project.root
    for path in root.rglob("*"):
        if path.is_file() and "goldsets" not in path.parts:
            assert SECRET.encode() not in path.read_bytes(), path
    for path in (root / "reports/sealed").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(word.encode() in data for word in ("s-50", "accuracy")), path
            assert path.stat().st_mode & 0o077 == 0 or path.name == "lock"
    told = story.project.ledger()
    assert not any(word in json.dumps(told) for word in ("accuracy", "findings", "s-50"))
    assert not list(root.glob("reports/decisions/*good*"))


def test_the_attempt_is_in_the_ledger_before_its_end(story):
    kinds = [e["kind"] for e in story.entries if "sealed" in e["body"]]
    assert kinds == ["attempt", "decision"]
    decision = story.entries[-1]["body"]
    assert (decision["decision"], decision["exit"]) == ("not open", 1)
    (kept,) = (story.project.root / "reports/decisions").glob("*.evidence.json")
    dev = msgspec.convert(json.loads(kept.read_text())["evidence"], Evidence)
    assert decision["decides"] == decides(
        dev
    )  # the dev check of the same project rests on the same files
    assert "attempt 1 of 3" in story.bad.stderr
    assert "attempt 2 of 3" in story.good.stderr


def test_the_same_again_is_free_and_asks_nothing(story):
    assert story.again.returncode == 1
    assert "was decided before" in story.again.stderr
    assert story.repeated == (story.entries, story.answers)


def test_after_a_pass_the_set_is_rotated(story):
    assert (story.worn.returncode, json.loads(story.worn.stdout)) == (1, BIT)
    assert "EG771" in story.worn.stderr
    assert "gold seal" in story.worn.stderr
    assert len(story.landed()) == 2  # nothing of the third was asked


def test_the_quality_role_reads_every_finding_and_the_alarm(story):
    bundle, other = story.project.bundles()
    done = story.project.as_gate("gold", "open", str(bundle))
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert "attempt 1 on version 1" in done.stdout
    assert "overfit: no metric is better on dev items" in done.stdout
    done = story.project.as_gate("gold", "open", str(other), "--json")
    told = json.loads(done.stdout)
    assert told["decision"] == "open"
    assert {f["alpha"] for f in told["findings"]} == {0.05 / 3}
    assert told["attempt"] == 2


def test_without_the_key_nothing_opens(story):
    for command in (
        ("gold", "open", str(story.project.bundles()[0])),
        ("gate", "check", "--sealed"),
    ):
        done = story.project.evalgate(*command)
        assert done.returncode == 2
        assert "EG750" in done.stderr
        assert done.stdout == ""


def test_another_key_and_a_changed_bundle_are_breaches(story, tmp_path):
    bundle = story.project.bundles()[0]
    other = tmp_path / "other.key"
    SealKey.generate().write(other)
    done = story.project.evalgate("gold", "open", str(bundle), EVALGATE_SEAL_KEY_FILE=str(other))
    assert (done.returncode, "EG755" in done.stderr) == (5, True)
    edited = tmp_path / bundle.name
    data = bytearray(bundle.read_bytes())
    data[-5] ^= 1
    edited.write_bytes(bytes(data))
    done = story.project.as_gate("gold", "open", str(edited))
    assert (done.returncode, "EG756" in done.stderr) == (5, True)


def test_options_that_would_tell_or_draw_again_are_refused(story):
    for option in (["--fresh"], ["--copy", "out"]):
        done = story.project.check("good", *option)
        assert (done.returncode, "EG765" in done.stderr) == (2, True)


@pytest.fixture
def project(tmp_path):
    return SealedProject(tmp_path, models=("slow",))


def test_a_killed_check_has_spent_its_attempt_and_is_resumed(project):
    project.seal()
    gate = project.start(
        "evalgate", "gate", "check", "--sealed", EVALGATE_SEAL_KEY_FILE=str(project.key)
    )
    landed = None
    until = time.monotonic() + 90
    while time.monotonic() < until and not (landed and landed.stat().st_size):
        landed = next(project.root.glob("reports/sealed/runs/*/*/answers.jsonl"), None)
        time.sleep(0.05)
    gate.send_signal(signal.SIGKILL)
    gate.communicate()
    assert landed
    assert landed.stat().st_size
    assert [e["kind"] for e in project.ledger()] == ["attempt"]
    done = project.check()
    assert done.returncode == 0, done.stderr
    assert [e["kind"] for e in project.ledger()] == ["attempt", "decision"]
    bundle = project.as_gate("gold", "open", str(project.bundles()[0]))
    assert "answers kept from earlier runs" in bundle.stdout


def test_ten_fishing_attempts_meet_a_closed_gate(project):
    project.seal()
    key = gate_signer(project.root, keyring_of(project.root)).private
    header = load_header(project.root)
    card = (project.root / "goldsets/triage.sealed.toml").read_text()
    plain = card.partition('plain = "')[2].partition('"')[0]
    one = SealedSet(version="1", digest=plain, date="2026-11-23")
    ledger = ledger_of(project.root)
    for n in range(3):
        tried = Question(
            model={"name": f"m{n}", "digest": f"sha256:{n}"}, plan="p", sealed={"triage": one}
        )
        open_attempt(ledger, tried, header.gate.settings, key, dt.date(2026, 12, 1))
    done = project.check("--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, BIT)
    assert "EG770" in done.stderr
    assert not list(project.root.glob("reports/sealed/runs/*"))
    assert attempts_of(ledger).count(plain) == 3


def test_a_sealed_file_that_was_exchanged_is_a_breach(project):
    project.seal()
    path = project.root / "goldsets/triage.sealed"
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(bytes(data))
    done = project.check()
    assert (done.returncode, done.stdout) == (5, "")
    assert "EG762" in done.stderr
    assert project.ledger() == []


@pytest.mark.slow
def test_a_suite_without_a_sealed_set_and_a_judges_row_are_usage_errors(project):
    SealKey.generate().write(project.key)
    done = project.check()
    assert (done.returncode, "EG763" in done.stderr) == (2, True)
    project.seal()
    project.edit("gate.toml", "{ min = 0.80 }", '{ min = 0.80, judge = "screen" }')
    done = project.check()
    assert (done.returncode, "EG764" in done.stderr) == (2, True)
    assert project.ledger() == []


@pytest.mark.slow
def test_a_missing_test_burns_no_attempt(project):
    project.seal()
    project.edit("suites/test_triage.py", "def test_failed_rate", "def helper")
    done = project.check("--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, BIT)
    assert "EG222" in done.stderr
    assert [e["kind"] for e in project.ledger()] == []


def test_an_endpoint_never_sees_sealed_items(tmp_path):
    project = SealedProject(tmp_path)
    project.models(elsewhere="http://127.0.0.1:9/v1")
    SealKey.generate().write(project.key)
    done = project.check()
    assert (done.returncode, "EG768" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_fresh_version_has_fresh_attempts(tmp_path):
    project = SealedProject(tmp_path, models=("good", "wrong-10"))
    project.seal()
    assert project.check("good").returncode == 0
    assert project.check("wrong-10").returncode == 1
    project.plain(sealed_items(160, first=7000), version="2")
    assert project.seal().returncode == 0
    done = project.check("good")
    assert done.returncode == 0, done.stderr
    assert "attempt 1 of 3" in done.stderr
