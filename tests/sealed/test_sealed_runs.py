"""Runs about sealed sets: the same run on disk, of which nothing can be read without the key."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import manifest

from evalgate.crypto.seal import SealKey
from evalgate.errors import IntegrityError
from evalgate.records import Reply
from evalgate.store import Run, RunWriter

KEY = SealKey(b"k" * 32)
SECRET = "Mrs Quillfeather is well"


def land(path, ordinals, key=KEY, m=None) -> None:
    with RunWriter(path, m or manifest(6), seal=key) as writer:
        for n in ordinals:
            writer.land(n, f"id-{n}", Reply(text=f"{SECRET} {n}", finish="stop"))


def test_rows_come_back_under_the_key_and_nowhere_else(tmp_path):
    land(tmp_path / "r", [0, 3])
    run = Run(tmp_path / "r", manifest(6), KEY)
    assert run.row(3).text == f"{SECRET} 3"
    assert run.landed == 2
    for path in (tmp_path / "r").iterdir():
        told = path.read_text()
        assert "Quillfeather" not in told
        assert "id-3" not in told
        assert "stop" not in told or path.name == "run.json"  # there as a key of sampling
    for line in (tmp_path / "r/answers.jsonl").read_text().splitlines():
        assert set(json.loads(line)) == {"sum", "row"}


def test_a_killed_run_resumes_after_its_last_whole_row(tmp_path):
    path = tmp_path / "r"
    land(path, [0, 1, 2])
    file = path / "answers.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    assert Run(path, manifest(6), KEY).landed == 2
    land(path, [2, 3, 4, 5])
    run = Run(path, manifest(6), KEY)
    assert run.complete
    assert [run.row(n).id for n in range(6)] == [f"id-{n}" for n in range(6)]


@pytest.mark.parametrize("key", [None, SealKey(b"o" * 32)], ids=["no key", "another key"])
def test_without_its_key_a_run_is_no_run(tmp_path, key):
    land(tmp_path / "r", [0])
    with pytest.raises(IntegrityError) as caught:
        Run(tmp_path / "r", manifest(6), key)
    assert caught.value.code == "EG402"
    assert SECRET not in str(caught.value)


@given(st.integers(0, 100_000), st.integers(1, 255))
@settings(deadline=None, max_examples=60)
def test_one_changed_byte_is_noticed(tmp_path_factory, place, change):
    path = tmp_path_factory.mktemp("one") / "r"
    land(path, [0, 1])
    file = path / "answers.jsonl"
    data = bytearray(file.read_bytes())
    place %= len(data) - 1  # but the last newline: without it the row counts as torn
    data[place] ^= change
    file.write_bytes(bytes(data))
    with pytest.raises(IntegrityError):
        Run(path, manifest(6), KEY)


def test_rows_of_one_run_mean_nothing_in_another(tmp_path):
    land(tmp_path / "a", [0])
    other = manifest(6, gold="sha256:other")
    land(tmp_path / "b", [0], m=other)
    (tmp_path / "b/answers.jsonl").write_bytes((tmp_path / "a/answers.jsonl").read_bytes())
    with pytest.raises(IntegrityError):
        Run(tmp_path / "b", other, KEY)


def test_plain_runs_keep_the_keys_and_the_bytes_they_had(tmp_path):
    """Runs of before must be found again: this key was computed before there were sealed ones."""
    m = manifest(6)
    with RunWriter(tmp_path / "r", m) as writer:
        writer.land(0, "id-0", Reply(text="plain", finish="stop"))
    assert m.key == "305b0461c107e13977aee3a5597c0889763b935c49ba2e12aebe51b8eeff2d8e"
    assert b'"row":{"n":0,"id":"id-0","text":"plain"' in (tmp_path / "r/answers.jsonl").read_bytes()
