"""What the certificate of a kept decision says of its own signature, for reports."""

from __future__ import annotations

from pathlib import Path

from evalgate.authored.keyring import Keyring
from evalgate.errors import EvalgateError
from evalgate.records import Decision
from evalgate.report.signatures import Signatures, SignOff
from evalgate.store.certificate import Certificate, read
from evalgate.store.signer import keyring_of


def certificate_of(root: Path, decision: Decision, keyring: Keyring) -> Certificate | None:
    """The certificate that a decision names, None if it names none. Raises IntegrityError if it cannot be believed."""
    path = decision.certificate
    return read(root / path, keyring, where=path) if path else None


def signed(root: Path, decision: Decision) -> Signatures | None:
    """Certificate, key and grade of a decision, with the roles that have to sign; None without a certificate."""
    if not decision.certificate:
        return None
    try:
        found = certificate_of(root, decision, keyring_of(root))
    except EvalgateError as e:
        note = f"THE CERTIFICATE CANNOT BE BELIEVED: {e}"
        return Signatures(certificate=decision.certificate, notes=(note,))
    assert found is not None
    predicate = found.predicate
    return Signatures(
        certificate=decision.certificate,
        digest=found.digest,
        key=found.key.name,
        key_id=found.key.id,
        issued=predicate.issued,
        expires=predicate.expires,
        notes=tuple(grade_notes(found)),
        signoffs=tuple(SignOff(role=role, fault="missing") for role in predicate.sign_off),
    )


def grade_notes(certificate: Certificate) -> list[str]:
    """What makes a certificate one of development grade, a sentence each."""
    notes = []
    if certificate.predicate.key_grade:
        notes.append(
            f"development grade: the key {certificate.key.name!r} lies where developers can read it"
        )
    if not certificate.predicate.require_sealed:
        notes.append(
            "development grade: gate.toml says require_sealed = false, so developers may have seen the gold sets"
        )
    return notes
