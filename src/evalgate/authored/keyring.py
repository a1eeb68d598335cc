"""keys.toml: whose signatures count, and for what. It stands in git beside gate.toml; private keys never do."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import hashlib
import re
from pathlib import Path

import tomlkit

from evalgate.authored.problems import Problems, describe, listing, nearest
from evalgate.authored.toml_file import Section, TomlFile, toml_of
from evalgate.records import Record

FILE_NAME = "keys.toml"
GATE = "gate"
"""The role of whoever decides, promotes and keeps the ledger. The others are those of gate.toml's `sign_off`, WAIVER and SUITES."""
WAIVER = "waiver"
SUITES = "suites"
"""The role of whoever read the suites of a locked plan: their code sees sealed items in plain text."""
DEVELOPMENT = "development"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")
_KEYS = ("public", "roles", "holder", "grade", "since", "revoked", "reason")
_HEAD = """\
# Whose signatures count, and for what. Its history is the history of trust: let code owners guard it like gate.toml.
# `evalgate keys` writes it. Private keys never stand here, nor anywhere else in the repository.
"""


class Key(Record, kw_only=True):
    """One table of keys.toml. `public`: 32 bytes in base64. Times are UTC in ISO 8601 with a Z.

    A signature made at or after `revoked` counts for nothing; one made before still does. `grade`: "development" for a key
    that lies where developers can read it, "" for one that only the gate's account, or its holder, has.
    """

    name: str
    public: str
    roles: tuple[str, ...]
    holder: str
    grade: str = ""
    since: str = ""
    revoked: str = ""
    reason: str = ""

    @property
    def id(self) -> str:
        """What signatures call it: the same as `crypto.keys.PublicKey.id`."""
        return _id_of(self.public)

    @property
    def person(self) -> str:
        """Its holder, however the name is spaced and capitalised: two keys of one person are one person."""
        return " ".join(self.holder.split()).casefold()

    def counts_at(self, when: str) -> bool:
        """Whether a signature made at `when` counts."""
        parsed = dt.datetime.fromisoformat
        return not self.revoked or parsed(when) < parsed(self.revoked)


@functools.cache  # every line of a ledger asks for it
def _id_of(public: str) -> str:
    return f"ed25519:{hashlib.sha256(base64.b64decode(public)).hexdigest()[:16]}"


class Keyring(Record, kw_only=True):
    """A valid keys.toml: keys by name, digest of the exact bytes. Empty where there is no such file."""

    keys: dict[str, Key]
    digest: str = ""

    def by_id(self, key_id: str) -> Key | None:
        """The key that signatures call so."""
        return next((key for key in self.keys.values() if key.id == key_id), None)

    def with_role(self, role: str, *, when: str) -> list[Key]:
        """The keys whose signatures count for `role` at `when`."""
        return [key for key in self.keys.values() if role in key.roles and key.counts_at(when)]


def load_keyring(root: Path, problems: Problems) -> Keyring | None:
    """The keyring of a project, or None after noting every problem (EG101 to EG107, EG114, EG705 to EG707)."""
    path = root / FILE_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Keyring(keys={})
    except OSError as e:
        problems.add(
            FILE_NAME,
            "EG101",
            f"found {e.strerror or e}, expected a readable file. Correct its permissions.",
        )
        return None
    return read_keyring(data, FILE_NAME, problems)


def read_keyring(data: bytes, name: str, problems: Problems) -> Keyring | None:
    """The keyring in the bytes of a file that messages call `name`, or None after noting every problem."""
    before = len(problems)
    file = toml_of(data, name, problems)
    if file is None:
        return None
    top = file.top()
    top.only(("keys",))
    tables = top.section("keys", like="Write a table [keys.NAME] for each key.")
    keys: dict[str, Key] = {}
    for key_name in tables.table if tables else ():
        assert tables is not None
        if not _NAME.fullmatch(key_name):
            message = f"found the name `{key_name}`, expected letters, digits, `.`, `_` and `-`. Rename it."
            tables.problem("EG114", message, key_name)
        table = tables.section(key_name, bracketed=2, like=f"Write [keys.{key_name}].")
        key = None if table is None else _key(table, key_name)
        if key is not None:
            _refuse_twice(file, tables, keys, key)
            keys[key_name] = key
    return None if len(problems) > before else Keyring(keys=keys, digest=file.digest)


def _key(table: Section, name: str) -> Key | None:
    before = len(table.file.problems)
    table.only(_KEYS)
    public = table.text("public", required=True)
    if public is not None and not _is_public(public):
        message = f"found {describe(public)}, expected the 32 bytes of an Ed25519 public key in base64. Copy it again: evalgate keys show"
        table.problem("EG705", message, "public", value=True)
    roles = table.texts("roles")
    if not roles and "roles" not in table.table:
        table.has("roles", required=True)
    elif not roles:
        table.problem("EG705", f'found no role, expected one. Write roles = ["{GATE}"].', "roles")
    grade = table.text("grade", "")
    if grade not in ("", DEVELOPMENT):
        message = f'found {describe(grade)}, expected "{DEVELOPMENT}" or no such line. Correct it.'
        table.problem("EG705", message, "grade", value=True)
    times = {}
    for what in ("since", "revoked"):
        times[what] = table.text(what, "")
        if times[what] and not is_time(times[what]):
            message = f"found {describe(times[what])}, expected a time in UTC such as 2026-01-31T09:00:00Z. Correct it."
            table.problem("EG706", message, what, value=True)
    holder = table.text("holder", required=True)
    reason = table.text("reason", "")
    if len(table.file.problems) > before or public is None or holder is None:
        return None
    return Key(
        name=name,
        public=public,
        roles=roles,
        holder=holder,
        grade=grade,
        since=times["since"],
        revoked=times["revoked"],
        reason=reason,
    )


def _refuse_twice(file: TomlFile, tables: Section, keys: dict[str, Key], key: Key) -> None:
    """One key under two names could sign for two people."""
    for other in keys.values():
        if other.id == key.id:  # base64 spells one key in several ways
            message = f"[keys.{key.name}]: found the key of [keys.{other.name}] again, expected every key once. Keep one."
            file.add("EG707", message, tables.place(key.name))


def _is_public(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def is_time(text: str) -> bool:
    """Whether `text` is a time in UTC as evalgate writes it: 2026-01-31T09:00:00Z, with or without microseconds."""
    if not _TIME.fullmatch(text):  # ISO 8601 has forms that do not sort as times do
        return False
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def unknown_key(keyring: Keyring, name: str) -> str:
    """What a message says about a name that is no key."""
    hint = nearest(name, keyring.keys) or " Make it: evalgate keys init"
    return f"found no key {name!r}, expected one of {listing(keyring.keys)}.{hint}"


def with_key(text: str, key: Key) -> str:
    """The text of keys.toml with the table of `key` added or replaced; comments stay."""
    document = tomlkit.parse(text or _HEAD)
    if "keys" not in document:
        document["keys"] = tomlkit.table(is_super_table=True)
    table = tomlkit.table()
    for name in _KEYS:
        value = getattr(key, name)
        if value:
            table[name] = list(value) if name == "roles" else value
    document["keys"][key.name] = table
    return tomlkit.dumps(document)
