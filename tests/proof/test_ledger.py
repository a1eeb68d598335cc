"""The ledger: appended to by many, never taken back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalgate.authored.keyring import GATE
from evalgate.errors import InfrastructureError, IntegrityError
from evalgate.store import ledger as ledger_module
from evalgate.store.ledger import Ledger, seconds_of, stamp
from evalgate.store.ledger_check import check_ledger, read_anchor
from evalgate.store.signer import keyring_of, make_key, revoke_key, signer


@pytest.fixture
def kept(tmp_path):
    """A project's directory with a key of the gate and a ledger of five entries."""
    make_key(tmp_path, "ci", roles=(GATE,), holder="ci")
    for n in range(5):
        add(tmp_path, n)
    return tmp_path


def add(root, n, kind="decision"):
    keyring = keyring_of(root)
    return Ledger(root, keyring).append(kind, {"n": n}, signer(root, keyring, GATE).private)


def of(root):
    return Ledger(root, keyring_of(root))


def lines(root):
    return (root / "reports" / "ledger.jsonl").read_bytes().splitlines(keepends=True)


def write(root, parts):
    (root / "reports" / "ledger.jsonl").write_bytes(b"".join(parts))


def test_what_was_appended_is_read_in_order_and_holds(kept):
    assert [e.body["n"] for e in of(kept).entries()] == list(range(5))
    assert [e.seq for e in of(kept).of_kind("decision")] == list(range(5))
    assert of(kept).of_kind("promotion") == []
    report = check_ledger(kept, keyring_of(kept))
    assert report.sound
    assert report.entries == 5


def test_a_cut_tail_breaks_completeness_and_not_integrity(kept):
    write(kept, lines(kept)[:-1])
    report = check_ledger(kept, keyring_of(kept))
    assert report.integrity == ""
    assert "the end was cut off" in report.completeness
    with pytest.raises(IntegrityError) as e:
        of(kept).entries()
    assert e.value.code == "EG711"
    with pytest.raises(IntegrityError):
        add(kept, 9)


def test_an_edited_line_is_named(kept):
    changed = lines(kept)
    changed[2] = changed[2].replace(b'"n":2', b'"n":7')
    write(kept, changed)
    report = check_ledger(kept, keyring_of(kept))
    # the edit shows where the next line does not follow; the signature says which line it is
    assert (report.line, report.sound) == (3, False)
    assert "signature" in report.integrity


def test_ledger_and_head_cut_together_show_against_an_anchor_alone(kept, tmp_path):
    anchor = tmp_path / "anchor.json"
    head = kept / "reports" / "ledger.head.json"
    earlier = head.read_bytes()
    before = lines(kept)
    add(kept, 5)
    anchor.write_bytes(head.read_bytes())
    write(kept, before)
    head.write_bytes(earlier)
    assert check_ledger(kept, keyring_of(kept)).sound
    report = check_ledger(kept, keyring_of(kept), read_anchor(anchor))
    assert report.integrity == ""
    assert "entries were cut off" in report.completeness


def test_a_ledger_that_was_written_anew_shows_against_an_anchor(kept, tmp_path):
    anchor = tmp_path / "anchor.json"
    anchor.write_bytes((kept / "reports" / "ledger.head.json").read_bytes())
    (kept / "reports" / "ledger.jsonl").unlink()
    (kept / "reports" / "ledger.head.json").unlink()
    for n in range(6):
        add(kept, n)
    report = check_ledger(kept, keyring_of(kept), read_anchor(anchor))
    assert "rewritten" in report.completeness


def test_a_torn_last_line_counts_for_nothing_and_the_next_append_removes_it(kept):
    whole = lines(kept)
    write(kept, [*whole, whole[-1][: len(whole[-1]) // 2]])
    report = check_ledger(kept, keyring_of(kept))
    assert report.sound
    assert "cut short" in report.notes[0]
    assert add(kept, 5).seq == 5
    assert [e.body["n"] for e in of(kept).entries()] == list(range(6))


def test_an_append_that_was_killed_before_the_head_counts_if_its_signature_does(kept):
    head = kept / "reports" / "ledger.head.json"
    before = head.read_bytes()
    add(kept, 5)
    head.write_bytes(before)
    assert check_ledger(kept, keyring_of(kept)).sound
    assert len(of(kept).entries()) == 6
    assert add(kept, 6).seq == 6
    head.write_bytes(before)  # two behind: no kill explains that
    assert not check_ledger(kept, keyring_of(kept)).sound


def test_an_entry_that_the_head_does_not_know_needs_a_signature(kept):
    head = (kept / "reports" / "ledger.head.json").read_bytes()
    add(kept, 5)
    changed = lines(kept)
    line = json.loads(changed[-1])
    line["entry"]["body"]["n"] = 99
    changed[-1] = json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    write(kept, changed)
    (kept / "reports" / "ledger.head.json").write_bytes(head)
    with pytest.raises(IntegrityError):
        of(kept).entries()
    with pytest.raises(IntegrityError):
        add(kept, 6)


def test_a_clock_behind_the_last_entry_is_refused(kept, monkeypatch):
    last = seconds_of(of(kept).entries()[-1].at)
    monkeypatch.setattr(ledger_module.time, "time", lambda: last - 30)
    assert add(kept, 5).at == stamp(last)  # stepped a little: the order stays
    monkeypatch.setattr(ledger_module.time, "time", lambda: last - 3600)
    for attempt in (lambda: add(kept, 6), lambda: of(kept).check_clock()):
        with pytest.raises(IntegrityError, match="clock") as e:
            attempt()
        assert e.value.code == "EG713"


def test_entries_made_before_a_revocation_count_and_later_ones_are_not_taken(kept):
    private = signer(kept, keyring_of(kept), GATE).private
    revoke_key(kept, "ci", "left the company")
    assert check_ledger(kept, keyring_of(kept)).sound
    with pytest.raises(IntegrityError, match="revoked") as e:
        of(kept).append("decision", {}, private)
    assert e.value.code == "EG714"


def test_an_entry_in_a_role_that_its_key_has_not_is_refused(kept):
    make_key(kept, "lead", roles=("clinical_lead",), holder="lead")
    keyring = keyring_of(kept)
    lead = signer(kept, keyring, "clinical_lead").private
    of(kept).append("signoff", {"role": "clinical_lead"}, lead)
    assert check_ledger(kept, keyring).sound
    of(kept).append("promotion", {"alias": "production"}, lead)
    assert "has not the role 'gate'" in check_ledger(kept, keyring).integrity
    with pytest.raises(IntegrityError) as e:
        of(kept).of_kind("promotion")
    assert e.value.code == "EG712"


def test_a_disk_that_is_full_leaves_the_ledger_as_it_was(kept, monkeypatch):
    before = lines(kept)
    real = os.write

    def full(fd, data):
        if b'"kind"' in bytes(data):
            real(fd, bytes(data)[:20])
            raise OSError(28, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(ledger_module.os, "write", full)
    with pytest.raises(InfrastructureError) as e:
        add(kept, 5)
    assert e.value.code == "EG715"
    monkeypatch.undo()
    assert lines(kept) == before
    assert add(kept, 5).seq == 5


def test_appends_of_several_processes_make_one_chain(kept):
    script = (
        "import sys; from pathlib import Path; from tests.proof.test_ledger import add\n"
        "for n in range(10): add(Path(sys.argv[1]), n)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(kept)],
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        for _ in range(3)
    ]
    assert [p.wait() for p in started] == [0, 0, 0]
    assert [e.seq for e in of(kept).entries()] == list(range(35))
    assert check_ledger(kept, keyring_of(kept)).sound


def test_no_ledger_is_sound_and_a_head_without_one_is_not(kept, tmp_path):
    (kept / "reports" / "ledger.jsonl").unlink()
    assert not check_ledger(kept, keyring_of(kept)).sound
    with pytest.raises(IntegrityError):
        add(kept, 0)
    (kept / "reports" / "ledger.head.json").unlink()
    assert check_ledger(kept, keyring_of(kept)).sound
