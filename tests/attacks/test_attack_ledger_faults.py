"""Appends that are killed, or that find the disk full, at every step they take."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attacks.ledgers import KEYRING, LEAD, add, ledger, numbers
from evalgate.errors import InfrastructureError
from evalgate.store.ledger import Ledger
from evalgate.store.ledger_check import check_ledger

STEPS = ("open", "write", "fsync", "ftruncate", "replace", "close")
FULL = ("open", "write", "fsync", "replace")  # where a full disk shows
BEFORE = 4
TORN = b'{"entry":{"at":"2026'


class Steps:
    """Stands in for the system calls of an append in a forked child: at step number `at` it does `fault` instead."""

    def __init__(self, at: int, fault: str) -> None:
        self.at = at
        self.fault = fault
        self.count = 0

    def install(self) -> None:
        for name in FULL if self.fault == "full" else STEPS:
            setattr(os, name, self._at_each(getattr(os, name), name))

    def _at_each(self, real, name: str):
        def step(*args, **kwargs):
            self.count += 1
            if self.count == self.at:
                if name == "write":  # half of it reaches the disk
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                if self.fault == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **kwargs)

        return step


def appended(found: Ledger, at: int, fault: str) -> tuple[int, int]:
    """One append in a child, with the fault at step `at`: how the child ended (7: it told of a full disk), steps taken."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        steps = Steps(at, fault)
        code = 70
        try:
            steps.install()
            add(found, 99)
            code = 0
        except InfrastructureError:
            code = 7
        finally:
            steps.at = -1
            os.write(writing, bytes([steps.count]))
            os._exit(code)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told:
        count = told.read()
    return os.waitstatus_to_exitcode(status), count[0] if count else -1


def fresh(root: Path, *, torn: bool) -> Ledger:
    root.mkdir()
    found = ledger(root, BEFORE)
    if torn:
        with found.path.open("ab") as f:
            f.write(TORN)
    return found


def steps_of_an_append(tmp_path: Path, fault: str, *, torn: bool) -> int:
    code, count = appended(fresh(tmp_path / f"whole-{fault}", torn=torn), -1, fault)
    assert code == 0
    assert count > 5
    return count


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
def test_an_append_killed_at_any_step_loses_nothing_and_the_next_one_mends_it(tmp_path, torn):
    seen = set()
    for at in range(1, steps_of_an_append(tmp_path, "kill", torn=torn) + 1):
        found = fresh(tmp_path / str(at), torn=torn)
        code, _ = appended(found, at, "kill")
        assert code == -signal.SIGKILL
        report = check_ledger(found.path.parents[1], KEYRING)
        assert report.sound, (at, report)
        kept = numbers(found)
        assert kept in ([*range(BEFORE)], [*range(BEFORE), 99]), at
        seen.add(len(kept))
        add(found, 100)
        assert numbers(found) == [*kept, 100]
        assert check_ledger(found.path.parents[1], KEYRING).notes == ()
    assert seen == {BEFORE, BEFORE + 1}


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
def test_an_append_that_finds_the_disk_full_at_any_step_says_so_and_leaves_no_entry(tmp_path, torn):
    told = 0
    for at in range(1, steps_of_an_append(tmp_path, "full", torn=torn) + 1):
        found = fresh(tmp_path / str(at), torn=torn)
        code, _ = appended(found, at, "full")
        report = check_ledger(found.path.parents[1], KEYRING)
        assert report.sound, (at, report)
        assert code in (0, 7), at
        assert numbers(found) == [*range(BEFORE), *([] if code == 7 else [99])], at
        told += code == 7
        add(found, 100)
        assert numbers(found)[-1] == 100
        assert check_ledger(found.path.parents[1], KEYRING).notes == ()
    assert (
        told >= 5
    )  # all but what is done to keep the directory, when the entry is on disk already


def test_the_first_append_killed_at_any_step_leaves_an_empty_or_a_sound_ledger(tmp_path):
    code, count = appended(ledger(tmp_path / "whole"), -1, "kill")
    assert code == 0
    for at in range(1, count + 1):
        found = ledger(tmp_path / str(at))
        appended(found, at, "kill")
        assert check_ledger(found.path.parents[1], KEYRING).sound, at
        add(found, 100)
        assert numbers(found) in ([100], [99, 100])
        assert check_ledger(found.path.parents[1], KEYRING).notes == ()


def test_a_file_that_may_grow_no_further_takes_whole_entries_or_none(tmp_path):
    """The kernel's own refusal: a limit on the size of files, at every length of the last line."""
    found = ledger(tmp_path, BEFORE)
    size = found.path.stat().st_size
    for room in range(0, 300, 20):
        child = os.fork()
        if child == 0:
            code = 70
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, size + room))
                add(found, 99)
                code = 0
            except InfrastructureError:
                code = 7
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, room
        assert numbers(found) == [*range(BEFORE)]
        assert check_ledger(tmp_path, KEYRING).notes == ()
    add(found, 100)
    assert numbers(found) == [*range(BEFORE), 100]


APPENDING = """
import sys, pathlib
sys.path[:0] = [sys.argv[3]]
from evalgate.authored.keyring import Key, Keyring
from evalgate.crypto.keys import SigningKey
from evalgate.store.ledger import Ledger
key = SigningKey.read(pathlib.Path(sys.argv[2]))
ring = Keyring(keys={"lead": Key(name="lead", public=key.public.text, roles=("gate",), holder="L.")})
found, number = Ledger(pathlib.Path(sys.argv[1]), ring), 0
while True:
    found.append("decision", {"number": number}, key)
    number += 1
    print(number, flush=True)
"""


@pytest.mark.slow
def test_writers_killed_at_random_moments_lose_nothing_that_they_were_told_is_kept(tmp_path):
    """`kill -9` from outside, at moments that nobody chose: every append that returned is still there."""
    key = tmp_path / "lead.key"
    LEAD.write(key)
    ring_key = KEYRING.keys["lead"]
    import msgspec

    ring = msgspec.structs.replace(
        KEYRING, keys={"lead": msgspec.structs.replace(ring_key, roles=("gate",))}
    )
    rng, promised = random.Random(0), 0
    for _ in range(12):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", APPENDING, tmp_path, key, Path(__file__).parents[1]],
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        for writer in writers:
            assert writer.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.1))
        for writer in writers:
            writer.kill()
            rest = writer.stdout.read().splitlines()
            promised += int(rest[-1]) if rest else 1
            writer.wait()
            writer.stdout.close()
        report = check_ledger(tmp_path, ring)
        assert report.sound, report
        assert report.entries >= promised
        promised = report.entries
    Ledger(tmp_path, ring).append("decision", {"number": -1}, LEAD)
    assert check_ledger(tmp_path, ring).notes == ()
