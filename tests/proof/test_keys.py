"""Keys: made, kept, read, and the only ones whose signatures count."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored.keyring import GATE, Key, load_keyring, read_keyring, with_key
from evalgate.authored.problems import Problems
from evalgate.crypto.keys import PublicKey, SigningKey
from evalgate.errors import FileProblems, UsageError
from evalgate.store.signer import (
    VARIABLE,
    gate_signer,
    keyring_of,
    make_key,
    revoke_key,
    rotate_key,
    signer,
)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_signature_is_of_one_text_and_one_key(data, other):
    key, stranger = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(data)
    assert key.public.verify(signature, data)
    assert not stranger.public.verify(signature, data)
    assert key.public.verify(signature, other) == (other == data)


def test_a_key_is_written_for_its_owner_alone_and_never_over_another(tmp_path):
    path = tmp_path / "keys" / "one.key"
    key = SigningKey.generate()
    key.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.read(path).public.id == key.public.id
    with pytest.raises(UsageError, match="found a key there already"):
        SigningKey.generate().write(path)
    assert SigningKey.read(path).public.id == key.public.id


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "one.key"
    SigningKey.generate().write(path)
    path.chmod(0o640)
    with pytest.raises(UsageError, match="others may read") as e:
        SigningKey.read(path)
    assert e.value.code == "EG702"


@pytest.mark.parametrize(
    "text",
    ["", "no key", "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n".format("PRIVATE" + " KEY")],
)
def test_a_file_that_is_no_key_is_refused_and_not_quoted(tmp_path, text):
    path = tmp_path / "one.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UsageError) as e:
        SigningKey.read(path)
    assert e.value.code == "EG701"
    assert not text or text not in str(e.value)


def test_neither_key_shows_its_secret_when_printed():
    key = SigningKey.generate()
    assert repr(key) == f"<SigningKey {key.public.id}>"


def test_the_id_in_the_keyring_is_the_id_of_the_key(tmp_path):
    key = make_key(tmp_path, "ci", roles=(GATE,), holder="ci")
    assert key.id == PublicKey.from_text(key.public).id
    assert keyring_of(tmp_path).by_id(key.id) == key


def test_a_keyring_keeps_its_comments_and_the_other_keys(tmp_path):
    make_key(tmp_path, "ci", roles=(GATE,), holder="ci")
    path = tmp_path / "keys.toml"
    path.write_text(path.read_text() + "# reviewed twice a year\n")
    make_key(tmp_path, "lead", roles=("clinical_lead",), holder="the clinical lead")
    assert "# reviewed twice a year" in path.read_text()
    assert set(keyring_of(tmp_path).keys) == {"ci", "lead"}


def test_every_fault_of_a_keyring_is_told_with_its_line_at_once():
    good = SigningKey.generate().public.text
    text = f"""\
[keys.one]
public = "short"
roles = []
holder = "somebody"
grade = "excellent"
revoked = "yesterday"
[keys.two]
public = "{good}"
roles = ["gate"]
[keys.three]
public = "{good}"
roles = ["gate"]
holder = "b"
secret = "x"
[keys.four]
public = "{good}"
roles = ["gate"]
holder = "b"
[keys.five]
public = "{good}"
roles = ["gate"]
holder = "b"
"""
    problems = Problems()
    assert read_keyring(text.encode(), "keys.toml", problems) is None
    found = [(p.line, p.code) for p in problems]
    assert {(2, "EG705"), (3, "EG705"), (5, "EG705"), (6, "EG706"), (14, "EG105")} <= set(found)
    assert (7, "EG106") in found  # no holder
    assert (19, "EG707") in found  # the same key under two names


def test_a_project_without_keys_has_an_empty_keyring(tmp_path):
    problems = Problems()
    keyring = load_keyring(tmp_path, problems)
    assert keyring is not None
    assert keyring.keys == {}
    assert len(problems) == 0


@given(st.text("abc\"'\\\n é", max_size=20), st.text("abc", min_size=1, max_size=5))
def test_any_holder_and_reason_survive_the_file(holder, name):
    key = Key(
        name=name,
        public=SigningKey.generate().public.text,
        roles=(GATE, "waiver"),
        holder=holder.strip() or "x",
        reason=holder.strip(),
    )
    problems = Problems()
    keyring = read_keyring(with_key("", key).encode(), "keys.toml", problems)
    problems.raise_if_any()
    assert keyring is not None
    assert keyring.keys == {name: key}


def test_the_first_check_of_a_project_makes_a_development_key_and_the_second_uses_it(tmp_path):
    first = gate_signer(tmp_path, keyring_of(tmp_path))
    second = gate_signer(tmp_path, keyring_of(tmp_path))
    assert first.key == second.key
    assert first.key.grade == "development"


def test_no_key_is_made_where_the_keyring_has_one_whose_private_half_is_elsewhere(tmp_path):
    make_key(tmp_path, "ci", roles=(GATE,), holder="ci", out=tmp_path / "ci.key")
    with pytest.raises(UsageError) as e:
        gate_signer(tmp_path, keyring_of(tmp_path))
    assert e.value.code == "EG708"
    assert "ci" in str(e.value)


def test_no_key_is_made_beside_a_ledger_whose_keyring_is_gone(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "ledger.jsonl").write_text("")
    with pytest.raises(UsageError) as e:
        gate_signer(tmp_path, keyring_of(tmp_path))
    assert e.value.code == "EG708"


def test_the_environment_can_name_a_key_but_not_make_it_count(tmp_path, monkeypatch):
    make_key(tmp_path, "ci", roles=(GATE,), holder="ci", out=tmp_path / "ci.key")
    make_key(tmp_path, "lead", roles=("clinical_lead",), holder="lead", out=tmp_path / "lead.key")
    SigningKey.generate().write(tmp_path / "stranger.key")
    keyring = keyring_of(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "ci.key"))
    assert signer(tmp_path, keyring, GATE).key.name == "ci"
    for name in ("stranger", "lead"):
        monkeypatch.setenv(VARIABLE, str(tmp_path / f"{name}.key"))
        with pytest.raises(UsageError) as e:
            signer(tmp_path, keyring, GATE)
        assert e.value.code == "EG709"


def test_a_private_key_under_another_keys_name_is_refused(tmp_path):
    make_key(tmp_path, "ci", roles=(GATE,), holder="ci")
    path = tmp_path / ".evalgate" / "ci.key"
    path.unlink()
    SigningKey.generate().write(path)
    with pytest.raises(UsageError, match=r"another key than keys\.toml has"):
        signer(tmp_path, keyring_of(tmp_path), GATE)


def test_a_revoked_key_signs_no_more_and_a_rotated_one_is_replaced(tmp_path):
    make_key(tmp_path, "ci", roles=(GATE,), holder="ci")
    old, new = rotate_key(tmp_path, "ci", out=None)
    assert old.revoked
    assert new.roles == old.roles
    assert signer(tmp_path, keyring_of(tmp_path), GATE).key.name == "ci-2"
    revoke_key(tmp_path, "ci-2", "lost")
    with pytest.raises(UsageError):
        signer(tmp_path, keyring_of(tmp_path), GATE)
    with pytest.raises(UsageError, match="was revoked"):
        revoke_key(tmp_path, "ci-2", "again")


def test_a_faulty_keyring_is_told_before_anything_is_signed(tmp_path):
    (tmp_path / "keys.toml").write_text("[keys.ci]\npublic = 3\n")
    with pytest.raises(FileProblems):
        keyring_of(tmp_path)
