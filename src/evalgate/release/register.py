"""What people signed about a decision, as the ledger has it now: the report's section "Signatures"."""

from __future__ import annotations

from pathlib import Path

import msgspec

from evalgate.authored.keyring import Keyring
from evalgate.errors import EvalgateError
from evalgate.gate.signed import certificate_of, signed
from evalgate.records import Decision
from evalgate.release.people import check_signoffs, signoffs, waivers
from evalgate.report.signatures import Signatures, SignOff, State, WaiverRow
from evalgate.store.certificate import Certificate
from evalgate.store.ledger import Entry, Ledger, seconds_of, stamp
from evalgate.store.signer import keyring_of


def register(root: Path, decision: Decision) -> Signatures | None:
    """The certificate of a decision with every sign-off and waiver of it, None without a certificate.

    A ledger that cannot be believed is a note, not an error: a report decides nothing.
    """
    found = signed(root, decision)
    if found is None or not found.key_id:
        return found
    keyring = keyring_of(root)
    ledger = Ledger(root, keyring)
    certificate = certificate_of(root, decision, keyring)
    assert certificate is not None
    try:
        given, waived = (
            _signoffs(ledger, certificate, keyring),
            _waivers(ledger, certificate, keyring),
        )
    except EvalgateError as e:
        note = f"THE LEDGER CANNOT BE BELIEVED: {e}"
        return msgspec.structs.replace(found, notes=(note, *found.notes))
    return msgspec.structs.replace(found, signoffs=given, waivers=waived)


def _signoffs(ledger: Ledger, certificate: Certificate, keyring: Keyring) -> tuple[SignOff, ...]:
    given = signoffs(ledger, certificate)
    roles = tuple(dict.fromkeys((*certificate.predicate.sign_off, *given)))
    checks = check_signoffs(ledger, certificate, roles, keyring)
    return tuple(
        _signoff(role, given[role], keyring, check.detail if check.outcome == "fails" else "")
        if role in given
        else SignOff(role=role, fault="missing")
        for role, check in zip(roles, checks, strict=True)
    )


def _signoff(role: str, entry: Entry, keyring: Keyring, fault: str) -> SignOff:
    return SignOff(
        role=role,
        fault=f"does not count: {fault}" if fault else "",
        by=entry.by,
        holder=entry.body["holder"],
        key=keyring.keys[entry.by].id,
        at=entry.at,
        entry=entry.seq,
        comment=entry.body["comment"],
    )


def _waivers(ledger: Ledger, certificate: Certificate, keyring: Keyring) -> tuple[WaiverRow, ...]:
    ours = [e for e in ledger.of_kind("waiver") if e.body.get("certificate") == certificate.digest]
    granted = {e.body["request"]: e for e in ours if e.body.get("stage") == "grant"}
    in_force = {w.seq for w in waivers(ledger, certificate, keyring)}
    return tuple(
        WaiverRow(
            suite=e.body["suite"],
            test=e.body["test"],
            state=_state(e, granted.get(e.seq), in_force),
            reason=e.body["reason"],
            until=e.body["until"],
            requested_by=e.by,
            granted_by=granted[e.seq].by if e.seq in granted else "",
            entry=e.seq,
        )
        for e in ours
        if e.body.get("stage") == "request"
    )


def _state(request: Entry, grant: Entry | None, in_force: set[int]) -> State:
    if grant is None:
        return "asked for, not granted"
    if request.seq in in_force:
        return "in force"
    return "run out" if seconds_of(stamp()) >= seconds_of(request.body["until"]) else "not valid"
