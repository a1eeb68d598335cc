"""`gate promote`: a signed alias moves to a model whose certificate, bytes, plan and signatures all hold at this moment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from evalgate.authored.keyring import Keyring
from evalgate.errors import EvalgateError, Exit, UsageError
from evalgate.gate.check import Survey, survey
from evalgate.gate.sealed import decides, sealed_sets
from evalgate.gate.signed import grade_notes
from evalgate.records import Record
from evalgate.release.admission import (
    Check,
    Found,
    caught,
    check_bytes,
    check_expiry,
    check_verdict,
    code_of,
    fails,
    find_certificate,
    holds,
    settings_of,
    skipped,
)
from evalgate.release.base_change import check_base
from evalgate.release.locked import check_locked, lock_notes
from evalgate.release.people import check_signoffs, check_waived, waivers
from evalgate.release.trained import check_trained
from evalgate.store.aliases import (
    Alias,
    alias_fault,
    alias_path,
    check_beyond,
    read_alias,
    seal_alias,
)
from evalgate.store.certificate import keep, read
from evalgate.store.ledger import Entry, Ledger
from evalgate.store.released import DEFAULT_ALIAS, Released, released
from evalgate.store.sealed_certificate import read_sealed
from evalgate.store.signer import gate_signer, keyring_of
from evalgate.store.turns import in_turn
from evalgate.suite.project import load_header

How = Literal["promoted", "promoted again", "rolled back"]
_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Promotion(Record, kw_only=True):
    """What came of it: every check, and the entry's number in the ledger where all hold. `notes` stand beside it."""

    model: str
    alias: str
    checks: tuple[Check, ...]
    exit: int
    seq: int | None = None
    how: How = "promoted"
    notes: tuple[str, ...] = ()


def promote(root: Path, model: str, alias: str = DEFAULT_ALIAS) -> Promotion:
    """Moves `alias` to `model`, or says everything that forbids it. One promotion of a project at a time.

    A model whose certificate has been promoted to this alias before is rolled back to: its plan may be an older one then. What
    the alias stands for already is promoted again: only the certificate and the bytes are looked at, since the promotion
    itself has changed the plan (the model is the baseline now).
    Raises UsageError (no such model or alias name), Undecided (EG725: no certificate), IntegrityError (ledger, certificate),
    InfrastructureError (EG735: cannot be written).
    """
    if not _ALIAS.fullmatch(alias):
        raise UsageError(
            f"found the alias {alias!r}, expected lower-case letters, digits, `.`, `_` and `-`. Rename it.",
            code="EG734",
        )
    if model not in settings_of(root).models:
        raise UsageError(
            f"found no [models.{model}], expected one: what is promoted is the next candidates' baseline. Add its table.",
            where="evalgate.toml",
            code="EG732",
        )
    keyring = keyring_of(root)
    ledger = Ledger(root, keyring)
    with in_turn(root, "promotion", code="EG735"):
        ledger.check_clock()
        check_beyond(root, ledger)
        found = find_certificate(root, keyring, model)
        history = [e.body for e in ledger.of_kind("promotion") if e.body["alias"] == alias]
        how = _how([body["certificate"] for body in history], found.certificate.digest)
        checks, notes, sealed = _checks(root, found, ledger, keyring, how=how, alias=alias)
        code = code_of(checks)
        seq = None
        if code == Exit.OPEN:
            seq = _move(root, found, ledger, alias, notes, sealed)
    return Promotion(
        model=model,
        alias=alias,
        checks=tuple(checks),
        exit=int(code),
        seq=seq,
        how=how,
        notes=tuple(notes),
    )


def _how(history: list[str], certificate: str) -> How:
    """What a promotion of `certificate` is, after those of `history`."""
    if certificate not in history:
        return "promoted"
    return "promoted again" if history[-1] == certificate else "rolled back"


def _checks(
    root: Path, found: Found, ledger: Ledger, keyring: Keyring, *, how: How, alias: str
) -> tuple[list[Check], list[str], Entry | None]:
    """What holds and what does not, what to note beside it, and the sealed check that it rests on, if on one."""
    sealed = None
    certificate = found.certificate
    given = waivers(ledger, certificate, keyring)
    checks = [
        holds("the certificate", f"{found.path}, signed by {certificate.key.name}"),
        check_waived(found, given) if given else check_verdict(certificate),
        check_expiry(certificate),
        files := check_bytes(certificate, root),
    ]
    checks += check_trained(root, certificate, ledger)
    if files.outcome == "fails":
        checks.append(skipped("the plan", "the model's files come first"))
    elif how != "promoted again":
        more, sealed = _check_project(
            root, found, ledger, keyring, rollback=how == "rolled back", alias=alias
        )
        checks += more
    notes = [f"WAIVED: {w.suite} {w.test} until {w.until}: {w.reason}" for w in given]
    return checks, [*notes, *lock_notes(root), *grade_notes(certificate)], sealed


def _check_project(
    root: Path, found: Found, ledger: Ledger, keyring: Keyring, *, rollback: bool, alias: str
) -> tuple[list[Check], Entry | None]:
    """What gate.toml and its project ask for as they stand now: the plan, sealed gold sets, signatures."""
    try:
        project = load_header(root)
        now = survey(project, found.certificate.model["name"])
    except EvalgateError as e:
        return [caught("the plan", e)], None
    then = "rolled back to: it was current when this was promoted"
    settings = project.gate.settings
    checks = [
        holds("the plan", then) if rollback else _check_plan(now, found),
        check_locked(root, settings, now.lock, found, rollback=rollback),
    ]
    if not rollback and (
        base := check_base(root, project.settings, settings, ledger, found, alias)
    ):
        checks.append(base)
    sealed = None
    if settings.require_sealed:
        check, sealed = _check_sealed(root, ledger, found, rollback=rollback)
        checks.append(check)
    signed = check_signoffs(ledger, found.certificate, settings.sign_off, keyring)
    return checks + signed, sealed


def _check_plan(now: Survey, found: Found) -> Check:
    """Whether the project decides today as it did when this was certified; names what is another now."""
    certificate = found.certificate
    what, name = "the plan", certificate.model["name"]
    evidence = certificate.predicate.evidence
    if now.model["digest"] != certificate.model["digest"]:
        where = f"evalgate.toml: [models.{name}] names other files ({now.model['digest'][:19]})"
        return fails(what, f"{where} than were certified", Exit.INTEGRITY)
    if now.plan == certificate.predicate.decision["plan"]:
        return holds(what, now.plan[:19])
    names = sorted({*now.files, *evidence.files})
    changed = [n for n in names if now.files.get(n) != evidence.files.get(n)]
    if now.baseline != (evidence.baseline.digest if evidence.baseline else None):
        changed.append("the baseline")
    changed = changed or ["evalgate's version, the judge, or the server's arguments"]
    more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
    return fails(
        what,
        f"changed since the certificate: {', '.join(changed[:5])}{more}; check the model again",
        Exit.INTEGRITY,
    )


def _check_sealed(
    root: Path, ledger: Ledger, found: Found, *, rollback: bool
) -> tuple[Check, Entry | None]:
    """Whether the same model has opened the gate on the sealed gold sets as they are now, by all that decides now; the entry.

    What is rolled back to did so then: the sets were rotated since.
    """
    what, certificate = "sealed gold sets", found.certificate
    name = certificate.model["name"]
    try:
        sets = {suite: one.digest for suite, one in sealed_sets(root).items()}
    except EvalgateError as e:
        return caught(what, e), None
    by = decides(certificate.predicate.evidence)
    seen = ""
    for entry in reversed(ledger.of_kind("decision")):
        body = entry.body
        if "sealed" not in body or body["model"].get("digest") != certificate.model["digest"]:
            continue
        asked = {suite: one["digest"] for suite, one in body["sealed"].items()}
        current = body["decides"] == by and asked.items() <= sets.items()
        if not asked or not (current or rollback):
            seen = seen or f"checked at {entry.at}, by other files or on other sets than now; "
            continue
        if body["decision"] != "open":
            return fails(what, "not open", Exit.CLOSED), None
        return _check_sealed_certificate(root, ledger.keyring, entry), entry
    never = fails(
        what,
        f"{seen or 'never checked; '}run 'evalgate gate check {name} --sealed' as the gate's identity "
        "(or require_sealed = false in gate.toml: promotion at development grade)",
        Exit.UNDECIDED,
    )
    return never, None


def _check_sealed_certificate(root: Path, keyring: Keyring, entry: Entry) -> Check:
    """Whether the certificate of an open sealed check is the one that the ledger knows. Entries of before have none."""
    what, path = "sealed gold sets", entry.body.get("certificate")
    if path is None:
        return holds(what, f"open at {entry.at}")
    try:
        told = read_sealed(root / path, keyring, where=path)
    except EvalgateError as e:
        return caught(what, e)
    if told.digest != entry.body["digest"]:
        return fails(what, f"{path} is another certificate than the ledger knows", Exit.INTEGRITY)
    return holds(what, f"open at {entry.at}, {path}")


def _move(  # noqa: PLR0917 (what moves, and what the entry says of it)
    root: Path, found: Found, ledger: Ledger, alias: str, notes: list[str], sealed: Entry | None
) -> int:
    certificate = found.certificate
    key = gate_signer(root, ledger.keyring).private
    before = released(root, alias)
    body = {
        "alias": alias,
        "model": certificate.model["name"],
        "digest": certificate.model["digest"],
        "certificate": certificate.digest,
        "path": found.path,
        "plan": certificate.predicate.decision["plan"],
        "before": before.certificate if before else None,
        "sealed": sealed.body.get("digest") if sealed else None,
        "notes": notes,
    }
    entry = ledger.append("promotion", body, key)
    told = Alias(
        alias=alias,
        model=certificate.model["name"],
        digest=certificate.model["digest"],
        certificate=certificate.digest,
        seq=entry.seq,
    )
    keep(alias_path(root, alias), seal_alias(told, key))
    return entry.seq


def resolve(root: Path, alias: str) -> tuple[Released, Found]:
    """What an alias stands for, by the ledger, the alias's file and the certificate, which must say the same.

    Raises UsageError (EG736: never promoted), IntegrityError (EG737: they differ; and what reading them raises).
    """
    keyring = keyring_of(root)
    now = released(root, alias)
    path = alias_path(root, alias)
    where = path.relative_to(root).as_posix()
    if now is None and not path.exists():
        raise UsageError(
            f"found no alias {alias!r}, expected one that was promoted. Promote first: evalgate gate promote MODEL --to {alias}",
            where=where,
            code="EG736",
        )
    told = read_alias(root, alias, keyring)
    if now is None or (told.seq, told.certificate, told.digest, told.model, told.alias) != (
        now.seq,
        now.certificate,
        now.digest,
        now.model,
        alias,
    ):
        raise alias_fault(
            where,
            f"an alias that the ledger's last promotion ({now.seq if now else 'none'}) does not bear out",
        )
    certificate = read(root / now.path, keyring, where=now.path)
    if certificate.digest != now.certificate:
        raise alias_fault(now.path, "another certificate than was promoted")
    return now, Found(path=now.path, certificate=certificate)
