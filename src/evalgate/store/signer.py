"""Whose private key is at hand. Which keys count stands in keys.toml; where the private half lies is nobody's business but its holder's."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import tomlkit

from evalgate.authored.keyring import (
    DEVELOPMENT,
    FILE_NAME,
    GATE,
    Key,
    Keyring,
    load_keyring,
    unknown_key,
    with_key,
)
from evalgate.authored.problems import Problems
from evalgate.crypto.keys import SigningKey
from evalgate.errors import InfrastructureError, UsageError
from evalgate.files import write_whole
from evalgate.store.ledger import Ledger, seconds_of, stamp

FOLDER = ".evalgate"
"""Where private keys of development lie, in the project and outside git."""
VARIABLE = "EVALGATE_KEY_FILE"
"""Names the private key that signs where it does not lie in FOLDER. It adds no trust: the key must stand in keys.toml."""


class Signer(NamedTuple):
    """A private key with its table in keys.toml."""

    key: Key
    private: SigningKey


def keyring_of(root: Path) -> Keyring:
    """The keyring of the project at `root`. Raises FileProblems."""
    problems = Problems()
    keyring = load_keyring(root, problems)
    problems.raise_if_any()
    assert keyring is not None
    return keyring


def ledger_of(root: Path) -> Ledger:
    """The ledger of the project at `root`, under its keyring. Raises FileProblems."""
    return Ledger(root, keyring_of(root))


def signer(root: Path, keyring: Keyring, role: str | None, *, name: str | None = None) -> Signer:
    """The key at hand for `role` (None: any): that of EVALGATE_KEY_FILE, or the one in FOLDER (`name`: that one).

    Raises UsageError: none at hand (EG708), one that does not count for this (EG709), unreadable (EG700 to EG702).
    """
    now = stamp()
    if path := os.environ.get(VARIABLE):
        private = SigningKey.read(Path(path))
        key = keyring.by_id(private.public.id)
        if key is None:
            raise _unfit(
                f"the key {private.public.id}, which {FILE_NAME} does not know", role, VARIABLE
            )
    else:
        if name is not None and name not in keyring.keys:
            raise UsageError(unknown_key(keyring, name), where=FILE_NAME, code="EG709")
        of = keyring.keys.values() if role is None else keyring.with_role(role, when=now)
        fitting = [keyring.keys[name]] if name else [key for key in of if key.counts_at(now)]
        present = [key for key in fitting if _path(root, key.name).exists()]
        if not present:
            raise UsageError(
                f"found no private key{_for(role)} (keys that would do: "
                f"{', '.join(key.name for key in fitting) or 'none'}), expected one. Name its file in {VARIABLE}, or make a "
                f"key: evalgate keys init NAME{f' --role {role}' if role else ''}",
                where=FOLDER,
                code="EG708",
            )
        key = present[0]
        private = SigningKey.read(_path(root, key.name))
        if private.public.id != key.id:
            raise _unfit(
                f"another key than {FILE_NAME} has for {key.name!r}",
                role,
                f"{FOLDER}/{key.name}.key",
            )
    if (role is not None and role not in key.roles) or not key.counts_at(now):
        why = (
            f"was revoked at {key.revoked}"
            if not key.counts_at(now)
            else f"has the roles {', '.join(key.roles)}"
        )
        raise _unfit(f"the key {key.name!r}, which {why}", role, FILE_NAME)
    return Signer(key, private)


def gate_signer(root: Path, keyring: Keyring) -> Signer:
    """The key that the gate signs with; a new development key where the project has none at all and no ledger."""
    unused = not keyring.keys and not Ledger(root, keyring).path.exists()
    if unused and not os.environ.get(VARIABLE):
        make_key(root, DEVELOPMENT, roles=(GATE,), holder="whoever has this directory")
        keyring = keyring_of(root)
    return signer(root, keyring, GATE)


def make_key(
    root: Path,
    name: str,
    *,
    roles: tuple[str, ...],
    holder: str,
    out: Path | None = None,
) -> Key:
    """A new key in keys.toml, its private half in FOLDER (then it is of development grade) or in the file `out`.

    Raises UsageError: the name is taken (EG709), a file is there (EG703); InfrastructureError (EG704); FileProblems.
    """
    keyring = keyring_of(root)
    if name in keyring.keys:
        raise UsageError(
            f"found a key {name!r} already, expected a new name. Choose one, or replace it: evalgate keys rotate {name}",
            where=FILE_NAME,
            code="EG709",
        )
    private = SigningKey.generate()
    path = out or _path(root, name)
    private.write(path)
    inside = path.resolve().is_relative_to(root.resolve())
    key = Key(
        name=name,
        public=private.public.text,
        roles=roles,
        holder=holder,
        grade=DEVELOPMENT if inside else "",
        since=stamp(),
    )
    try:
        put_key(root, key)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return key


def put_key(root: Path, key: Key) -> None:
    """Writes the table of `key` into keys.toml, which is replaced as a whole or not at all. Raises as `make_key`."""
    path = root / FILE_NAME
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    try:
        changed = with_key(text, key)
    except tomlkit.exceptions.TOMLKitError as e:
        raise UsageError(
            f"found a file that cannot be edited ({type(e).__name__}), expected TOML. Mend it first.",
            where=FILE_NAME,
            code="EG709",
        ) from None
    try:
        write_whole(path, changed.encode(), mode=0o666)  # everybody may read it
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write. Free space or mend the permissions.",
            where=FILE_NAME,
            code="EG704",
        ) from None


def _path(root: Path, name: str) -> Path:
    return root / FOLDER / f"{name}.key"


def _for(role: str | None) -> str:
    return f" for the role {role!r}" if role else ""


def _unfit(found: str, role: str | None, where: str) -> UsageError:
    return UsageError(
        f"found {found}, expected one {f'with the role {role!r}' if role else 'that counts'}. Name another in {VARIABLE}, or make one: evalgate keys init",
        where=where,
        code="EG709",
    )


def at_hand(root: Path, keyring: Keyring) -> set[str]:
    """Names of the keys whose private half lies in FOLDER."""
    return {name for name in keyring.keys if _path(root, name).exists()}


def enter_key(root: Path, action: str, key: Key, reason: str) -> bool:
    """Enters what was done to a key into the ledger; False where no key of the gate is at hand to sign that.

    Raises IntegrityError where the ledger is not what was written.
    """
    keyring = keyring_of(root)
    try:
        gate = signer(root, keyring, GATE)
    except UsageError:
        return False
    body = {
        "action": action,
        "name": key.name,
        "id": key.id,
        "roles": list(key.roles),
        "holder": key.holder,
    }
    Ledger(root, keyring).append("key", body | {"reason": reason}, gate.private)
    return True


def revoke_key(root: Path, name: str, reason: str) -> Key:
    """Marks a key as revoked from now on. Raises UsageError (EG709: unknown or revoked already)."""
    key = _current(root, name)
    last_word = _signs_for_gate(root, name)  # then nobody can sign once it is revoked
    if last_word:
        enter_key(root, "revoked", key, reason)
    revoked = msgspec.structs.replace(key, revoked=_after(root), reason=reason)
    put_key(root, revoked)
    if not last_word:  # an entry at a later time: whoever stole the key can put nothing before it
        enter_key(root, "revoked", key, reason)
    return revoked


def rotate_key(root: Path, name: str, *, out: Path | None) -> tuple[Key, Key]:
    """The old key, which counts no longer, and the new one, called NAME-2 and so on. Raises as `make_key`, `revoke_key`."""
    old = _current(root, name)
    keyring = keyring_of(root)
    number = 2
    while f"{name}-{number}" in keyring.keys:
        number += 1
    new = make_key(root, f"{name}-{number}", roles=old.roles, holder=old.holder, out=out)
    last_word = bool(os.environ.get(VARIABLE)) and _signs_for_gate(root, name)
    if last_word:
        enter_key(root, "rotated", new, f"in place of {name}")
    revoked = msgspec.structs.replace(old, revoked=_after(root), reason=f"rotated to {new.name}")
    put_key(root, revoked)
    if not last_word:
        enter_key(root, "rotated", new, f"in place of {name}")
    return revoked, new


def _signs_for_gate(root: Path, name: str) -> bool:
    """Whether the key at hand that would sign the ledger's entry is this one."""
    try:
        return signer(root, keyring_of(root), GATE).key.name == name
    except UsageError:
        return False


def _current(root: Path, name: str) -> Key:
    keyring = keyring_of(root)
    if name not in keyring.keys:
        raise UsageError(unknown_key(keyring, name), where=FILE_NAME, code="EG709")
    key = keyring.keys[name]
    if key.revoked:
        raise UsageError(
            f"found that {name!r} was revoked at {key.revoked}, expected a key that counts. Nothing is to be done.",
            where=FILE_NAME,
            code="EG709",
        )
    return key


def _after(root: Path) -> str:
    """A moment after every entry of the ledger, so that none of them loses its signature."""
    entries = ledger_of(root).entries()
    last = seconds_of(entries[-1].at) if entries else 0.0
    return stamp(max(time.time(), last) + 1e-6)
