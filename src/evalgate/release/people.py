"""Signatures of people: sign-offs of a certificate, and waivers for single findings. Nobody signs for their own work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evalgate.authored.keyring import GATE, WAIVER, Keyring, is_time
from evalgate.errors import Exit, Refused, UsageError
from evalgate.records import Record
from evalgate.release.admission import Check, Found, fails, find_certificate, holds
from evalgate.store.certificate import Certificate
from evalgate.store.ledger import Entry, Ledger, seconds_of, stamp
from evalgate.store.signer import keyring_of, signer


class Waiver(Record, kw_only=True):
    """One finding that need not pass, for one model under one plan. `seq` is the request's number in the ledger."""

    seq: int
    suite: str
    test: str
    reason: str
    until: str
    requested_by: str
    granted_by: str


def approve(root: Path, model: str, role: str, *, name: str | None, comment: str) -> Entry:
    """Signs off the latest certificate of `model` in `role`, with the key at hand for it (`name`: that key).

    Raises UsageError (no such role in gate.toml: EG731; no key: EG708, EG709), Refused (EG730: the key's holder is the
    gate's own or has signed in another role), and what finding the certificate raises.
    """
    from evalgate.suite.project import load_header

    roles = load_header(root).gate.settings.sign_off
    if role not in roles:
        raise UsageError(
            f"found the role {role!r}, expected one that gate.toml asks for ({', '.join(roles) or 'none'}). "
            "Name one, or add it to sign_off.",
            where="gate.toml: [gate] sign_off",
            code="EG731",
        )
    keyring = keyring_of(root)
    found = find_certificate(root, keyring, model)
    who = signer(root, keyring, role, name=name)
    ledger = Ledger(root, keyring)
    others = signoffs(ledger, found.certificate)
    if fault := _own_work(found.certificate, keyring, role, who.key.name, others):
        raise Refused(
            f"found that {fault}, expected another person. Let somebody else sign.", code="EG730"
        )
    body = {
        "certificate": found.certificate.digest,
        "model": found.certificate.model,
        "role": role,
        "holder": who.key.holder,
        "comment": comment,
    }
    return ledger.append("signoff", body, who.private)


def signoffs(ledger: Ledger, certificate: Certificate) -> dict[str, Entry]:
    """The latest sign-off of this certificate in each role."""
    return {
        str(e.body.get("role")): e
        for e in ledger.of_kind("signoff")
        if e.body.get("certificate") == certificate.digest
    }


def check_signoffs(
    ledger: Ledger, certificate: Certificate, roles: Iterable[str], keyring: Keyring
) -> list[Check]:
    """One check for each role that must sign."""
    given = signoffs(ledger, certificate)
    checks = []
    for role in roles:
        entry = given.get(role)
        what = f"sign-off {role}"
        if entry is None:
            name = certificate.model["name"]
            detail = f"missing; who holds the key runs: evalgate gate approve {name} --role {role}"
            checks.append(fails(what, detail, Exit.UNDECIDED))
        elif fault := _own_work(certificate, keyring, role, entry.by, given):
            checks.append(fails(what, fault, Exit.CLOSED))
        else:
            checks.append(holds(what, f"{entry.by} at {entry.at}"))
    return checks


def _own_work(
    certificate: Certificate, keyring: Keyring, role: str, name: str, others: Mapping[str, Entry]
) -> str:
    """Why this key may not sign in this role, "" if it may."""
    key = keyring.keys[name]
    if GATE in key.roles or key.person == certificate.key.person:
        return f"{name!r} is held by whoever runs the gate ({certificate.key.holder})"
    for other, entry in others.items():
        held = keyring.keys.get(entry.by)
        if other != role and held is not None and held.person == key.person:
            return f"{key.holder} has signed as {other} already"
    return ""


def request_waiver(
    root: Path, model: str, suite: str, test: str, *, reason: str, until: str, name: str | None
) -> Entry:
    """Asks that one finding of the latest certificate of `model` be waived until a time. Any key of keys.toml may ask.

    Raises UsageError: no such finding, or one that is never waived (EG740), no reason or no time ahead (EG741).
    """
    keyring = keyring_of(root)
    found = find_certificate(root, keyring, model)
    rows = {(f["suite"], f["test"]): f for f in found.certificate.predicate.decision["findings"]}
    row = rows.get((suite, test))
    if row is None or row["status"] == "pass" or not waivable(row):
        what = (
            "no such finding"
            if row is None
            else "a must-pass row"
            if "all" in row["threshold"]
            else "one that passes"
        )
        raise UsageError(
            f"found {what} for {suite} {test}, expected a finding that does not pass. A census and a bypass are never waived.",
            where=found.path,
            code="EG740",
        )
    if not reason.strip() or not is_time(until) or seconds_of(until) <= seconds_of(stamp()):
        raise UsageError(
            f"found the reason {reason.strip()!r} and the time {until!r}, expected words and a time ahead in UTC such as "
            "2027-01-31T00:00:00Z. Say why, and until when.",
            code="EG741",
        )
    who = signer(root, keyring, None, name=name)
    body = {
        "stage": "request",
        "certificate": found.certificate.digest,
        "model": found.certificate.model,
        "suite": suite,
        "test": test,
        "reason": reason.strip(),
        "until": until,
        "holder": who.key.holder,
    }
    return Ledger(root, keyring).append("waiver", body, who.private)


def grant_waiver(root: Path, seq: int, *, name: str | None) -> Entry:
    """Grants the request with number `seq`, with a key of the role `waiver` whose holder neither made it nor runs the gate.

    Raises UsageError (EG742: no such request), Refused (EG743: the same person asked, or runs the gate).
    """
    keyring = keyring_of(root)
    ledger = Ledger(root, keyring)
    asked = next(
        (e for e in ledger.of_kind("waiver") if e.seq == seq and e.body.get("stage") == "request"),
        None,
    )
    if asked is None:
        raise UsageError(
            f"found no request {seq}, expected the number that 'evalgate gate waive' printed.",
            where="reports/ledger.jsonl",
            code="EG742",
        )
    who = signer(root, keyring, WAIVER, name=name)
    if fault := _own_waiver(keyring, asked, who.key.name):
        raise Refused(
            f"found that {fault}, expected another person. Let somebody else grant it.",
            code="EG743",
        )
    body = {k: v for k, v in asked.body.items() if k != "holder"} | {
        "stage": "grant",
        "request": seq,
        "holder": who.key.holder,
    }
    return ledger.append("waiver", body, who.private)


def _own_waiver(keyring: Keyring, asked: Entry, name: str) -> str:
    """Why this key may not grant the request, "" if it may."""
    asker, granter = keyring.keys.get(asked.by), keyring.keys[name]
    if asked.by == name or (asker is not None and asker.person == granter.person):
        return f"{granter.holder} asked for this waiver"
    if any(GATE in key.roles and key.person == granter.person for key in keyring.keys.values()):
        return f"{name!r} is held by whoever runs the gate ({granter.holder})"
    return ""


def waivers(ledger: Ledger, certificate: Certificate, keyring: Keyring) -> list[Waiver]:
    """What is waived now for this certificate: granted by another person than asked, not run out, of a finding that may be."""
    entries = ledger.of_kind("waiver")
    asked = {e.seq: e for e in entries if e.body.get("stage") == "request"}
    now = seconds_of(stamp())
    found = []
    for entry in entries:
        body = entry.body
        if body.get("stage") != "grant" or body.get("certificate") != certificate.digest:
            continue
        request, until = asked.get(body["request"]), body["until"]
        if request is None or not is_time(until) or now >= seconds_of(until):
            continue
        same = ("certificate", "suite", "test", "reason", "until")
        if any(body.get(k) != request.body.get(k) for k in same):
            continue
        if _own_waiver(keyring, request, entry.by):
            continue
        found.append(
            Waiver(
                seq=request.seq,
                suite=body["suite"],
                test=body["test"],
                reason=body["reason"],
                until=body["until"],
                requested_by=request.by,
                granted_by=entry.by,
            )
        )
    return found


def waivable(finding: Mapping[str, Any]) -> bool:
    """Whether a finding may be waived: never a census."""
    return "all" not in finding["threshold"]


def check_waived(found: Found, given: Iterable[Waiver]) -> Check:
    """Whether waivers explain all that keeps the decision from being open."""
    decision = found.certificate.predicate.decision
    open_ = {(w.suite, w.test): w for w in given}
    left = [
        f
        for f in decision["findings"]
        if f["status"] != "pass" and not (waivable(f) and (f["suite"], f["test"]) in open_)
    ]
    # What is no finding (a bypass, an outage, a breach) is a reason of its own, and no waiver speaks of it.
    others = len(decision["reasons"]) - sum(f["status"] != "pass" for f in decision["findings"])
    if left or others or decision.get("integrity") or not open_:
        verdict, reasons = decision["decision"], decision["reasons"] or ["no reason given"]
        more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        return fails(
            "the decision",
            f"{verdict}: {reasons[0]}{more}",
            Exit(int(decision["exit"])) or Exit.CLOSED,
        )
    names = ", ".join(f"{w.suite} {w.test} until {w.until} ({w.reason})" for w in open_.values())
    return holds("the decision", f"{decision['decision']}, WAIVED: {names}")
