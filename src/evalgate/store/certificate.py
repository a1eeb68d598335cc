"""Certificates: what was decided about which bytes, as an in-toto Statement (v1) in a DSSE envelope.

The statement's subjects are the files of the model with their SHA-256. Its predicate holds the decision object, what it
rests on, and until when it may be used. An auditor needs the file, the public key and the model's files; nothing else,
and no network. Source: github.com/in-toto/attestation, spec/v1.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from evalgate import digest
from evalgate.authored.keyring import GATE, Key, Keyring
from evalgate.crypto.envelope import STATEMENT_TYPE, Envelope, read_envelope, seal_envelope
from evalgate.crypto.keys import PublicKey, SigningKey
from evalgate.errors import InfrastructureError, IntegrityError
from evalgate.files import write_whole
from evalgate.records import Evidence, Record

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:evalgate:release-decision:1"
FOLDER = "certificates"


class Subject(Record, kw_only=True):
    """One file of the model. `name`: its path below the project, or below `base/` and so on; `digest`: {"sha256": hex}."""

    name: str
    digest: dict[str, str]


class Predicate(Record, kw_only=True):
    """What is certified about the subjects.

    `decision`: the object of `gate check --json`, without its certificate. `artifact` and `base`: where the subjects' names
    begin, for a model that is kept elsewhere. `issued` and `expires`: UTC. `key_grade`: "development" if developers can read the key.
    `keyring`: digest of keys.toml then. `locked`: digest of the locked plan that was decided by, "" if it was none.
    `first_release`, `require_sealed`, `sign_off`: as gate.toml had them.
    """

    decision: dict[str, Any]
    evidence: Evidence
    artifact: str
    base: str = ""
    issued: str
    expires: str
    key_grade: str
    keyring: str
    sign_off: tuple[str, ...]
    require_sealed: bool
    first_release: bool
    platform: dict[str, str]
    locked: str = ""


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An in-toto Statement v1."""

    type_: str = msgspec.field(name="_type", default=STATEMENT)
    subject: tuple[Subject, ...]
    predicate_type: str = msgspec.field(name="predicateType", default=PREDICATE)
    predicate: Predicate


class Certificate(Record, kw_only=True):
    """A certificate whose signature counts. `digest`: of the file's bytes; `key`: who signed."""

    digest: str
    key: Key
    statement: Any  # Statement (msgspec.Struct with renamed fields)

    @property
    def predicate(self) -> Predicate:
        """What is certified."""
        predicate: Predicate = self.statement.predicate
        return predicate

    @property
    def model(self) -> dict[str, str]:
        """Name and digest of the model."""
        model: dict[str, str] = self.predicate.decision["model"]
        return model

    @property
    def verdict(self) -> Literal["open", "closed", "undecided"]:
        """What was decided."""
        verdict: Literal["open", "closed", "undecided"] = self.predicate.decision["decision"]
        return verdict


def issue(subjects: Iterable[Subject], predicate: Predicate, key: SigningKey) -> bytes:
    """The certificate's bytes, signed."""
    statement = Statement(subject=tuple(subjects), predicate=predicate)
    return seal_envelope(STATEMENT_TYPE, digest.canonical(statement), key) + b"\n"


def keep(path: Path, data: bytes) -> None:
    """Writes a certificate as a whole or not at all. Raises InfrastructureError (EG723)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, data)
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the certificate. Free some space or mend the permissions.",
            where=str(path),
            code="EG723",
        ) from None


def read(path: Path, keyring: Keyring, *, where: str = "") -> Certificate:
    """The certificate in a file, believed because a key of the keyring with the role `gate` signed exactly this.

    Raises IntegrityError: unreadable or another kind of thing (EG720), no signature that counts (EG721), made after its key
    was revoked (EG722).
    """
    name = where or path.name
    data, envelope, key = signed_by(path, keyring, name)
    statement = _statement(envelope)
    if statement is None:
        raise no_certificate("a signed statement of another kind", name, "EG720")
    refuse_revoked(key, statement.predicate.issued, name)
    return Certificate(digest=digest.of_bytes(data), key=key, statement=statement)


def signed_by(path: Path, keyring: Keyring, name: str) -> tuple[bytes, Envelope, Key]:
    """The bytes of the file at `path`, the envelope in it, and the key with the role `gate` that signed it.

    Raises IntegrityError: unreadable (EG720), no signature that counts (EG721). Messages call it `name`.
    """
    try:
        data = path.read_bytes()
        envelope = read_envelope(data)
    except (OSError, ValueError) as e:
        kind = e.strerror if isinstance(e, OSError) else "no DSSE envelope"
        raise no_certificate(f"a file that cannot be read ({kind})", name, "EG720") from None
    keys = {key.id: key for key in keyring.keys.values() if GATE in key.roles}
    signers = envelope.signers(PublicKey.from_text(key.public) for key in keys.values())
    if not signers:
        named = ", ".join(keyid or "none" for keyid, _ in envelope.signatures) or "none"
        known = any(keyid in keys for keyid, _ in envelope.signatures)
        why = (
            "another content than was signed"
            if known
            else f"a signature of an unknown key ({named})"
        )
        raise no_certificate(why, name, "EG721")
    return data, envelope, keys[signers[0].id]


def refuse_revoked(key: Key, issued: str, name: str) -> None:
    """Raises IntegrityError (EG722) if the key did not count any more when the certificate `name` was issued."""
    if not key.counts_at(issued):
        raise no_certificate(
            f"a signature made after the key {key.name!r} was revoked", name, "EG722"
        )


def _statement(envelope: Envelope) -> Statement | None:
    """The statement in an envelope whose signature has been checked; None if it is about something else."""
    try:
        statement = msgspec.json.decode(envelope.payload, type=Statement)
    except msgspec.MsgspecError:
        return None
    kinds = (envelope.payload_type, statement.type_, statement.predicate_type)
    decision, model = statement.predicate.decision, statement.predicate.decision.get("model")
    whole = {"decision", "exit", "reasons", "findings", "plan"} <= decision.keys()
    named = isinstance(model, dict) and {"name", "digest"} <= model.keys()
    right = kinds == (STATEMENT_TYPE, STATEMENT, PREDICATE) and bool(statement.subject)
    below = all(inside(s.name) for s in statement.subject)
    return statement if right and whole and named and below else None


def inside(name: str) -> bool:
    """Whether a subject's name stays below the directory that it is looked for in."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def no_certificate(found: str, where: str, code: str) -> IntegrityError:
    """The error of a file that is no certificate to be believed."""
    return IntegrityError(
        f"found {found}, expected a certificate of this project's gate. Find out where it comes from; do not use it.",
        where=where,
        code=code,
    )
