"""Sealed files open under their key as what they are, whole, or not at all."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.crypto.seal import VARIABLE, SealKey, read_header
from evalgate.errors import InfrastructureError, IntegrityError, UsageError

KEY = SealKey(bytes(range(32)))
TEXT = b'{"id": "s-1", "input": "Mrs Quillfeather takes metformin."}\n'


def opened(
    sealed: bytes, key: SealKey = KEY, kind: str = "gold set", name: str = "triage"
) -> bytes:
    return key.open(sealed, kind=kind, name=name, where="goldsets/triage.sealed")


def code(call) -> str:
    with pytest.raises((IntegrityError, UsageError, InfrastructureError)) as caught:
        call()
    return caught.value.code


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=50)
def test_what_was_sealed_is_what_opens(data):
    assert opened(KEY.seal(data, kind="gold set", name="triage")) == data


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(deadline=None, max_examples=150)
def test_one_changed_byte_anywhere_and_nothing_opens(place, change):
    sealed = bytearray(KEY.seal(TEXT, kind="gold set", name="triage"))
    sealed[place % len(sealed)] ^= change
    assert code(lambda: opened(bytes(sealed))) in ("EG755", "EG756", "EG757")


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_a_cut_file_does_not_open(length):
    sealed = KEY.seal(TEXT, kind="gold set", name="triage")
    assert code(lambda: opened(sealed[: length % len(sealed)])) == "EG756"


def test_the_header_is_not_believed_before_the_text_is():
    sealed = KEY.seal(TEXT, kind="gold set", name="triage")
    renamed = sealed.replace(b'"triage"', b'"denial"')
    assert code(lambda: opened(renamed, name="denial")) == "EG756"


def test_another_key_is_told_by_its_id():
    other = SealKey.generate()
    with pytest.raises(IntegrityError, match=KEY.id) as caught:
        opened(KEY.seal(TEXT, kind="gold set", name="triage"), other)
    assert caught.value.code == "EG755"
    assert int(caught.value.exit) == 5
    assert other.id in str(caught.value)


@pytest.mark.parametrize(("kind", "name"), [("evidence bundle", "triage"), ("gold set", "denials")])
def test_a_file_in_the_place_of_another_does_not_open(kind, name):
    assert code(lambda: opened(KEY.seal(TEXT, kind=kind, name=name))) == "EG757"


def test_the_same_text_twice_gives_two_files():
    first, second = (KEY.seal(TEXT, kind="gold set", name="triage") for _ in range(2))
    assert first != second
    assert read_header(first, where="")[0].nonce != read_header(second, where="")[0].nonce


def test_nothing_of_text_or_key_can_be_read_off():
    sealed = KEY.seal(TEXT, kind="gold set", name="triage")
    assert b"Quillfeather" not in sealed
    shown = repr(KEY) + repr(KEY.rows("ab")) + KEY.id
    assert base64.b64encode(KEY.raw).decode() not in shown
    assert KEY.raw.hex()[:16] not in shown


@pytest.mark.parametrize("text", [KEY.raw.hex(), base64.b64encode(KEY.raw).decode()])
def test_a_key_is_read_from_hex_and_from_base64(tmp_path, text):
    path = tmp_path / "seal.key"
    path.write_text(text + "\n")
    path.chmod(0o600)
    assert SealKey.read(path).id == KEY.id


def test_a_key_that_was_written_is_the_owners_alone_and_never_overwritten(tmp_path):
    path = tmp_path / "seal.key"
    key = SealKey.generate()
    key.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SealKey.read(path).raw == key.raw
    assert code(lambda: SealKey.generate().write(path)) == "EG753"
    assert SealKey.read(path).raw == key.raw


@pytest.mark.parametrize("text", ["", "abcd", "0" * 63, "ä" * 40, "-----BEGIN PUBLIC KEY-----"])
def test_what_is_no_key_is_refused_without_repeating_it(tmp_path, text):
    path = tmp_path / "seal.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        SealKey.read(path)
    assert caught.value.code == "EG751"
    assert not text or text not in str(caught.value)


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "seal.key"
    KEY.write(path)
    path.chmod(0o640)
    assert code(lambda: SealKey.read(path)) == "EG752"


def test_without_the_variable_and_without_the_file_there_is_no_key(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UsageError, match=VARIABLE) as caught:
        SealKey.at_hand()
    assert caught.value.code == "EG750"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.key"))
    assert code(SealKey.at_hand) == "EG750"


def test_purposes_and_runs_do_not_share_a_key():
    row = KEY.rows("a" * 64).seal(b"row")
    with pytest.raises(ValueError, match="does not open"):
        KEY.rows("b" * 64).open(row)
    assert KEY.rows("a" * 64).open(row) == b"row"


def test_the_front_door_and_the_help_load_no_cryptography():
    program = (
        "import sys, evalgate, evalgate.pytest_plugin, evalgate.cli, evalgate.store.run, evalgate.suite\n"
        "print([m for m in ('cryptography', 'evalgate.crypto.seal') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert done.stdout.strip() == "[]"
