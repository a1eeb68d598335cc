"""Certificates of sealed checks: one bit about which bytes, and what it was asked of, for people who have no ledger at hand.

An in-toto Statement like a release certificate, of another predicate type: nobody can take the one for the other. There are
no findings in it and none of its digests is of a text that could be guessed: what was found lies in the encrypted bundle.
It has no end of its own: the same question is never asked again, so it could not be renewed. What it is good for ends with
the release certificate that it is promoted with.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from evalgate import digest
from evalgate.authored.keyring import Key, Keyring
from evalgate.crypto.envelope import STATEMENT_TYPE, read_envelope, seal_envelope
from evalgate.crypto.keys import SigningKey
from evalgate.records import Egress, ModelIdentity, Record
from evalgate.store.attempts import SealedSet
from evalgate.store.certificate import (
    STATEMENT,
    Subject,
    inside,
    no_certificate,
    refuse_revoked,
    signed_by,
)

SEALED_PREDICATE: Final = "urn:evalgate:sealed-decision:1"
SUFFIX: Final = ".sealed.json"


class Attempt(Record, kw_only=True):
    """One suite's part: the sealed set, which attempt on it this was, the alpha that it spent, and the digest of the labels.

    `labels`: of the encrypted file, "" where people labelled nothing.
    """

    set: SealedSet
    number: int
    alpha: float
    labels: str = ""


class SealedPredicate(Record, kw_only=True):
    """What is certified about the subjects. `issued`: UTC.

    `bundle`: digest of the encrypted bundle with every finding. `decides`: digest of all that decided but gold sets and
    labels; `locked`: of the locked plan that was decided by, "" if it was none. `judge`: who judged. `artifact`, `base`,
    `key_grade` and `keyring` as in a release certificate.
    """

    decision: Literal["open", "not open"]
    model: dict[str, str]
    plan: str
    attempts: dict[str, Attempt]
    bundle: str
    decides: str
    locked: str = ""
    judge: ModelIdentity | None = None
    egress: Egress | None = None
    artifact: str
    base: str = ""
    issued: str
    evalgate: str
    key_grade: str
    keyring: str


class SealedStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An in-toto Statement v1."""

    type_: str = msgspec.field(name="_type", default=STATEMENT)
    subject: tuple[Subject, ...]
    predicate_type: str = msgspec.field(name="predicateType", default=SEALED_PREDICATE)
    predicate: SealedPredicate


class SealedCertificate(Record, kw_only=True):
    """A certificate whose signature counts. `digest`: of the file's bytes; `key`: who signed."""

    digest: str
    key: Key
    statement: Any  # SealedStatement (msgspec.Struct with renamed fields)

    @property
    def predicate(self) -> SealedPredicate:
        """What is certified."""
        predicate: SealedPredicate = self.statement.predicate
        return predicate


def issue_sealed(subjects: Iterable[Subject], predicate: SealedPredicate, key: SigningKey) -> bytes:
    """The certificate's bytes, signed."""
    statement = SealedStatement(subject=tuple(subjects), predicate=predicate)
    return seal_envelope(STATEMENT_TYPE, digest.canonical(statement), key) + b"\n"


def claims_sealed(path: Path) -> bool:
    """Whether the file says of itself that it is a certificate of a sealed check; `read_sealed` tells whether that is so."""

    class Kind(msgspec.Struct):
        predicate_type: str = msgspec.field(name="predicateType", default="")

    try:
        envelope = read_envelope(path.read_bytes())
        return msgspec.json.decode(envelope.payload, type=Kind).predicate_type == SEALED_PREDICATE
    except (OSError, ValueError):  # msgspec's are, too
        return False


def read_sealed(path: Path, keyring: Keyring, *, where: str = "") -> SealedCertificate:
    """The certificate in a file, believed because a key of the keyring with the role `gate` signed exactly this.

    Raises IntegrityError (EG720 to EG722) as `certificate.read`.
    """
    name = where or path.name
    data, envelope, key = signed_by(path, keyring, name)
    try:
        statement = msgspec.json.decode(envelope.payload, type=SealedStatement)
    except msgspec.MsgspecError:
        raise no_certificate("a signed statement of another kind", name, "EG720") from None
    kinds = (envelope.payload_type, statement.type_, statement.predicate_type)
    right = kinds == (STATEMENT_TYPE, STATEMENT, SEALED_PREDICATE) and bool(statement.subject)
    if not right or not all(inside(s.name) for s in statement.subject):
        raise no_certificate("a signed statement of another kind", name, "EG720")
    refuse_revoked(key, statement.predicate.issued, name)
    return SealedCertificate(digest=digest.of_bytes(data), key=key, statement=statement)
