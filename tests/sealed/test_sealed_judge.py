"""Judged rows in a sealed check: nothing is decided before the last label is there, and nobody without the key learns more."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest
from sealed_court import ITEMS, SAID, SECRET, WRITTEN, SealedCourt, fine, strict

BIT = {"schema": "evalgate.decision/1", "decision": "not open", "exit": 1}
TELLING = (SECRET, WRITTEN, SAID, "not_met", "cannot_tell", "insufficient", "unscored", "truncated")
"""What only somebody who holds the key may read."""
CLINICIAN = ("--sealed", "--clinician")


class Story:
    """A candidate is asked, people who are no clinicians label, then clinicians do."""

    def __init__(self, root) -> None:
        self.court = court = SealedCourt(root)
        court.seal()
        self.first = court.check("writer", "--json")
        self.begun = court.ledger()
        self.simulated, _ = court.label("writer", "sim", fine, "--sealed")
        self.pretended = court.check("writer", "--json")
        court.label("writer", "ana", fine, *CLINICIAN)
        self.twice, _ = court.label("writer", "ben", fine, *CLINICIAN)
        self.asked = self.verdicts()
        self.good = court.check("writer")
        self.ended = court.ledger()
        self.again = court.check("writer", "--json")

    def verdicts(self) -> dict[str, bytes]:
        found = self.court.root.glob("reports/sealed/verdicts/letters/*/answers.jsonl")
        return {path.parent.name: path.read_bytes() for path in found}

    @property
    def printed(self) -> str:
        done = (self.first, self.pretended, self.good, self.again)
        return "\n".join(each.stdout + each.stderr for each in done)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    return Story(tmp_path_factory.mktemp("judged"))


def test_without_labels_it_is_not_open_and_the_attempt_waits(story):
    assert (story.first.returncode, json.loads(story.first.stdout)) == (1, BIT)
    assert "attempt 1 of 4 on the sealed sets waits for labels" in story.first.stderr
    assert [e["kind"] for e in story.begun] == ["attempt"]


def test_the_bundle_says_how_many_labels_are_missing_and_how_to_get_them(story):
    told = story.court.opened(story.court.bundles()[0], "--json")
    (reason,) = json.loads(told)["reasons"]
    assert f"people have labelled 0 of the {ITEMS} drawn items, {ITEMS} are missing" in reason
    assert "evalgate review label writer --sealed" in reason
    assert json.loads(told)["findings"] == [], "nothing is decided about any row"


def test_simulated_labels_never_open(story):
    assert len(story.simulated) == 2 * ITEMS
    assert json.loads(story.pretended.stdout) == BIT
    told = story.court.opened(story.court.bundles()[1])
    assert f"{2 * ITEMS} simulated" in " ".join(told.split())


def test_labels_of_clinicians_open_it_in_the_same_attempt(story):
    assert len(story.twice) == 2 * 10, "the second rater reads the items drawn for two"
    assert (story.good.returncode, story.good.stdout) == (0, "decision: open (exit 0)\n")
    assert "attempt 1 of 4 on the sealed sets is over" in story.good.stderr
    assert [e["kind"] for e in story.ended] == ["attempt", "decision"]
    told = story.court.opened(story.court.bundles()[2])
    assert "labels alone" in told
    assert "assessor judges: 0 questions put to it now" in told, "verdicts were kept"


def test_attempt_and_certificate_name_labels_and_judge(story):
    body = story.ended[-1]["body"]
    (path,) = story.court.labels()
    known = json.loads(story.court.evalgate("verify", body["certificate"], "--json").stdout)
    assert known["exit"] == 0
    assert list(body["labels"]) == ["letters"]
    assert path.name.split(".")[1] in {
        p.name for p in story.court.root.glob("reports/sealed/runs/letters/*")
    }
    told = payload(story.court.root / body["certificate"])["predicate"]
    assert told["attempts"]["letters"]["labels"] == body["labels"]["letters"]
    assert told["judge"]["name"] == "assessor"
    assert told["bundle"] == body["bundle"]["digest"]


def test_the_same_again_is_free(story):
    assert json.loads(story.again.stdout)["decision"] == "open"
    assert "was decided before: nothing was asked" in story.again.stderr
    assert story.court.ledger() == story.ended
    assert story.verdicts() == story.asked


def test_without_the_key_one_bit_is_all_there_is(story):
    root = story.court.root
    kept = [p for p in root.rglob("*") if p.is_file() and written_by_the_gate(p.relative_to(root))]
    assert {p.suffix for p in kept} >= {".jsonl", ".json", ".bundle", ".sealed"}
    for path in kept:
        data = path.read_text(encoding="utf-8", errors="replace")
        if "certificates" in path.parts:
            data += json.dumps(payload(path))
        if path.name == "ledger.jsonl":  # a locked plan repeats gate.toml, which everybody reads
            data = "".join(line for line in data.splitlines() if '"kind":"plan"' not in line)
        for word in TELLING:
            assert word not in data, (path, word)
    for word in (*TELLING, "rubric_pass_rate", "s-50"):
        assert word not in story.printed
    for command in (("export", "--format", "jsonl", "--out", "x"), ("agreement",), ("plan",)):
        done = story.court.evalgate("review", command[0], "--sealed", *command[1:])
        assert (done.returncode, done.stdout) == (2, "")
        assert "EG750" in done.stderr


def test_sizes_and_counts_tell_nothing(story):
    """One of these was written before there was a label, one above simulated ones, one with the full decision."""
    assert len({path.stat().st_size for path in story.court.bundles()}) == 1
    rows = {name: data.count(b"\n") for name, data in story.asked.items()}
    assert set(rows.values()) == {2 * ITEMS}, "a row a letter and a try, asked or not"
    assert len({len(line) for data in story.asked.values() for line in data.splitlines()}) == 1
    (path,) = story.court.labels()
    assert path.stat().st_size // (1 << 16) == 2
    assert path.stat().st_mode & 0o077 == 0


def test_the_labelling_loop_keeps_its_labels_sealed(story):
    court = story.court
    (path,) = court.labels()
    before = path.read_bytes()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "evalgate",
            "review",
            "label",
            "writer",
            "--sealed",
            "--rater",
            "ben",
        ],
        cwd=court.root,
        env=court.environment(EVALGATE_SEAL_KEY_FILE=str(court.key)),
        input="n\nb\nm\nx\n",  # a repeat of ben's own: an answer, then another in its place
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SECRET in done.stdout
    after = path.read_bytes()
    assert after != before
    assert WRITTEN.encode() not in after
    told = court.as_gate("review", "agreement", "--sealed", "--model", "writer").stdout
    assert "letters: 213 labels compared" in told
    path.write_bytes(before)


def test_exports_of_sealed_outputs_stay_out_of_the_project(story):
    form = ("--format", "jsonl", "--sealed")
    done = story.court.as_gate("review", "export", "writer", *form, "--out", "letters.jsonl")
    assert (done.returncode, "EG932" in done.stderr) == (2, True)
    done = story.court.as_gate("review", "plan", "writer", "--sealed", "--tag", "spanish")
    assert (done.returncode, "EG931" in done.stderr) == (2, True)
    done = story.court.as_gate("review", "plan", "writer", "--sealed")
    assert f"letters: {ITEMS} of {ITEMS} items drawn of the sealed set" in done.stdout
    assert not list(story.court.root.glob("rubrics/*.review.json")), (
        "a draw that nobody chooses needs no file"
    )


def payload(certificate) -> dict:
    return json.loads(base64.b64decode(json.loads(certificate.read_text())["payload"]))


def written_by_the_gate(path) -> bool:
    return path.parts[0] == "reports" or path.name.endswith(".labels.sealed")


@pytest.fixture
def court(tmp_path):
    made = SealedCourt(tmp_path)
    made.seal()
    return made


def test_a_judge_that_does_not_start_has_cost_an_attempt_that_goes_on(court):
    court.down.touch()
    done = court.check("writer", "--json")
    assert done.returncode == 4, done.stdout + done.stderr
    assert [e["kind"] for e in court.ledger()] == ["attempt"]
    assert not court.bundles()
    court.down.unlink()
    done = court.check("writer")
    assert "attempt 1 of 4 on the sealed sets waits for labels" in done.stderr
    assert [e["kind"] for e in court.ledger()] == ["attempt"]


def test_a_judge_elsewhere_never_sees_sealed_answers(court):
    text = (court.root / "evalgate.toml").read_text()
    table = text[text.index("[models.assessor]") : text.index("[servers.vllm]")]
    elsewhere = '[models.assessor]\nserver = "endpoint"\nurl = "http://127.0.0.1:9/v1"\nname = "a"\nfamily = "other"\n\n'
    court.write("evalgate.toml", text.replace(table, elsewhere))
    done = court.check("writer")
    assert (done.returncode, "EG768 found assessor" in done.stderr) == (2, True), done.stderr
    assert court.ledger() == []


@pytest.mark.slow
def test_other_labels_after_the_verdict_are_another_attempt(court):
    court.check("careless")
    court.label("careless", "ana", strict, *CLINICIAN)
    court.label("careless", "ben", strict, *CLINICIAN)
    done = court.check("careless")
    assert (done.returncode, "attempt 1 of 4 on the sealed sets is over" in done.stderr) == (
        1,
        True,
    )
    (path,) = court.labels()
    first = path.read_bytes()
    court.label("careless", "cleo", fine, *CLINICIAN, whole=True)
    done = court.check("careless")
    assert done.returncode == 1
    assert "attempt 2 of 4 on the sealed sets is over" in done.stderr
    assert [e["kind"] for e in court.ledger()] == ["attempt", "decision"] * 2
    path.write_bytes(first)
    assert "attempt 1 of 4 on the sealed sets was decided before" in court.check("careless").stderr
    assert len({path.stat().st_size for path in court.bundles()}) == 1
    for path in (court.root / "reports/certificates").glob("*.sealed.json"):
        assert payload(path)["predicate"]["decision"] == "not open"
        assert court.evalgate("verify", str(path)).returncode == 1


@pytest.mark.slow
def test_a_judged_model_is_promoted_on_its_sealed_certificate(court):
    """Dev check with labels, sealed check with others, promotion: the labels of the one do not touch the other."""
    court.evalgate("gate", "check", "writer")
    court.evalgate("review", "plan", "writer")
    court.check("writer")
    for rater in ("ana", "ben"):
        court.label("writer", rater, fine, *CLINICIAN)
        court.label("writer", rater, fine, "--clinician")
    done = court.evalgate("gate", "check", "writer")
    assert done.returncode == 0, done.stdout
    assert court.check("writer").returncode == 0
    (path,) = (court.root / "reports/certificates").glob("*.sealed.json")
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"payload":"ey', b'"payload":"eZ'))
    done = court.evalgate("gate", "promote", "writer")
    assert (done.returncode, "EG721" in done.stdout) == (5, True), done.stdout
    path.write_bytes(data)
    done = court.evalgate("gate", "promote", "writer")
    assert done.returncode == 0, done.stdout
    assert path.name in done.stdout
    promotion = next(e["body"] for e in court.ledger() if e["kind"] == "promotion")
    decision = next(e["body"] for e in court.ledger() if "bundle" in e["body"])
    assert promotion["sealed"] == decision["digest"]


@pytest.mark.slow
def test_labels_that_change_while_the_gate_is_at_work_decide_nothing(court):
    court.check("writer")
    court.label("writer", "ana", fine, *CLINICIAN)
    court.label("writer", "ben", fine, *CLINICIAN)
    (path,) = court.labels()
    suite = court.root / "suites/test_letters.py"
    again = "\nimport pathlib\ndef test_truncated_rate(answers, threshold):\n"
    again += f"    pathlib.Path({str(path)!r}).write_bytes(b'')\n"
    text = suite.read_text().replace("\ndef test_truncated_rate(answers, threshold):\n", again)
    suite.write_text(text)
    done = court.check("writer")
    assert (done.returncode, "EG502" in done.stderr) == (5, True), done.stderr
    assert [e["kind"] for e in court.ledger()] == [
        "attempt"
    ] * 2  # the suite's code is another plan


def test_a_text_of_the_rubric_that_the_set_holds_is_told_when_it_is_sealed_and_never_by_a_check(
    court,
):
    """By a check whoever may edit the rubric could find out, text by text, what the set holds."""
    text = f"therapy of {SECRET}: therapy was tried for two weeks"
    example = f'met = "Names the reason."\nexamples = [{{ answer = "met", text = "{text}" }}]\n'
    court.edit(
        "rubrics/letters.toml", 'met = "Names the reason."\n', example.replace("therapy of ", "of ")
    )
    done = court.seal()
    assert (done.returncode, "EG610" in done.stderr) == (2, True), done.stderr
    done = court.check("writer")
    assert (done.returncode, "EG610" in done.stderr) == (1, False), done.stderr


@pytest.mark.slow
def test_which_answers_are_too_long_for_the_judge_is_not_told(court):
    config = court.root / "models/assessor/config.json"
    config.write_text(config.read_text().replace("8192", "400"))
    done = court.check("writer")
    assert (done.returncode, "EG933" in done.stderr) == (2, True), done.stderr
    assert "s-5" not in done.stderr
    assert [e["kind"] for e in court.ledger()] == ["attempt"]


@pytest.mark.slow
def test_a_judge_is_asked_again_where_enough_was_labelled_twice_for_it_to_decide(tmp_path):
    court = SealedCourt(tmp_path, items=205)
    court.seal()
    court.check("writer")
    for rater in ("ana", "ben"):
        court.label("writer", rater, fine, *CLINICIAN, whole=True)
    done = court.check("writer")
    assert done.returncode == 0, done.stderr
    runs = list(court.root.glob("reports/sealed/verdicts/letters/*/answers.jsonl"))
    assert len(runs) == 2 * (1 + 3), "each criterion once, and with three seeds more"
    assert {path.read_bytes().count(b"\n") for path in runs} == {2 * 205}
