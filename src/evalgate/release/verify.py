"""`verify`: what a certificate says, whether it may be believed, and whether it is about these bytes. Needs no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from evalgate.authored import Problems, load_gate
from evalgate.authored.gate_toml import is_difference
from evalgate.authored.keyring import Keyring, read_keyring
from evalgate.errors import EvalgateError, Exit, UsageError
from evalgate.records import Bar, Record
from evalgate.release.admission import (
    Check,
    Found,
    caught,
    check_bytes,
    check_expiry,
    check_runs,
    check_verdict,
    code_of,
    entry_of,
    fails,
    find_certificate,
    holds,
    latest_about,
    latest_sealed,
    skipped,
)
from evalgate.store.certificate import Certificate, read
from evalgate.store.ledger import Entry, Ledger
from evalgate.store.sealed_certificate import SealedCertificate, claims_sealed, read_sealed
from evalgate.store.signer import keyring_of


class Verification(Record, kw_only=True):
    """Every check with what came of it. `found` is None where there was no certificate to speak of, or a `sealed` one."""

    checks: tuple[Check, ...]
    exit: int
    found: Found | None = None
    sealed: SealedCertificate | None = None


def verify(
    target: str,
    *,
    root: Path | None,
    keys: Path | None = None,
    artifact: Path | None = None,
    policy: Path | None = None,
) -> Verification:
    """Verifies a certificate's file, or the latest certificate of a model of the project at `root`. One of a sealed check is a file.

    `keys`: a keys.toml to trust instead of the project's. `artifact`: where the model's files are, if they are not where the
    certificate has them. `policy`: a gate.toml of the receiver, whose thresholds the findings are held against, too.

    A check that fails is an outcome, not an exception. Raises UsageError (EG727: no such file or model; EG728: no keys).
    """
    keyring = keyring_from(root, keys)
    path = Path(target)
    is_file = path.is_file()
    if not is_file and (root is None or path.suffix == ".json"):
        raise UsageError(
            f"found no file {target!r}, expected a certificate, or a model's name inside a project. Correct the path.",
            code="EG727",
        )
    if is_file and claims_sealed(path):
        done = _verify_sealed(path, keyring, root=root, keys=keys, artifact=artifact)
        more = (
            _check_policy(policy, []) if policy is not None else []
        )  # nobody can see what was measured
        every = [*done.checks, *more]
        return msgspec.structs.replace(done, checks=tuple(every), exit=int(code_of(every)))
    try:
        if is_file or root is None:
            found = Found(path=target, certificate=read(path, keyring, where=target))
        else:
            found = find_certificate(root, keyring, target)
    except UsageError:
        raise
    except EvalgateError as e:
        checks = [caught("the certificate", e)]
        return Verification(checks=tuple(checks), exit=int(code_of(checks)))
    certificate = found.certificate
    grade = " (a development key)" if certificate.key.grade else ""
    checks = [
        holds("the signature", f"{certificate.key.name} {certificate.key.id}{grade}"),
        _check_recorded(
            root if keys is None else None,
            keyring,
            lambda ledger: found.entry or entry_of(ledger, certificate.digest),
            lambda ledger: latest_about(ledger, certificate.model["name"]),
        ),
        check_verdict(certificate),
        check_expiry(certificate),
        _check_bytes(certificate, root, artifact),
    ]
    if root is not None and keys is None:
        checks.append(check_runs(certificate, root))
    if policy is not None:
        checks += _check_policy(policy, certificate.predicate.decision["findings"])
    return Verification(checks=tuple(checks), exit=int(code_of(checks)), found=found)


def keyring_from(root: Path | None, keys: Path | None) -> Keyring:
    """The keys to trust: those of the file `keys`, else of the project at `root`. Raises UsageError (EG728), FileProblems."""
    if keys is None and root is not None:
        keyring = keyring_of(root)
    elif keys is not None:
        problems = Problems()
        try:
            read_ = read_keyring(keys.read_bytes(), keys.name, problems)
        except OSError as e:
            raise UsageError(
                f"found {e.strerror}, expected a keys.toml. Correct the path.",
                where=str(keys),
                code="EG728",
            ) from None
        problems.raise_if_any()
        assert read_ is not None
        keyring = read_
    else:
        keyring = Keyring(keys={})
    if not keyring.keys:
        raise UsageError(
            "found no public key to trust, expected the keys.toml of the project whose gate signed. Name it with --keys, "
            "and take it from a place that you trust: not from where the certificate came from.",
            where="keys.toml",
            code="EG728",
        )
    return keyring


def _verify_sealed(
    path: Path, keyring: Keyring, *, root: Path | None, keys: Path | None, artifact: Path | None
) -> Verification:
    """The checks of a sealed check's certificate. It has no findings, and ends with the release certificate that it goes with."""
    try:
        found = read_sealed(path, keyring, where=str(path))
    except EvalgateError as e:
        checks = [caught("the certificate", e)]
        return Verification(checks=tuple(checks), exit=int(code_of(checks)))
    told, grade = found.predicate, " (a development key)" if found.key.grade else ""
    what = "the decision on sealed gold sets"
    spent = ", ".join(
        f"{suite} version {one.set.version}, attempt {one.number} at alpha {one.alpha:.4g}"
        for suite, one in told.attempts.items()
    )
    checks = [
        holds("the signature", f"{found.key.name} {found.key.id}{grade}"),
        _check_recorded(
            root if keys is None else None,
            keyring,
            lambda ledger: entry_of(ledger, found.digest),
            lambda ledger: latest_sealed(ledger, told.model["digest"]),
        ),
        holds(what, f"open: {spent}")
        if told.decision == "open"
        else fails(what, f"{told.decision}: {spent}", Exit.CLOSED),
        _check_bytes(found, root, artifact),
    ]
    return Verification(checks=tuple(checks), exit=int(code_of(checks)), sealed=found)


def _check_recorded(
    root: Path | None,
    keyring: Keyring,
    entry_in: Callable[[Ledger], Entry | None],
    latest_in: Callable[[Ledger], Entry | None],
) -> Check:
    """Whether the ledger, where there is one, knows the certificate, and no later decision about the same that is not open."""
    what = "the ledger"
    if root is None:
        return skipped(
            what, "outside of its project: a signature alone does not tell what came after it"
        )
    ledger = Ledger(root, keyring)
    if not ledger.path.exists() and not ledger.head_path.exists():
        return skipped(what, "there is none here")
    try:
        ledger.check_clock()  # expiry is held against this clock
        entry = entry_in(ledger)
        later = latest_in(ledger)
    except EvalgateError as e:
        return caught(what, e)
    if entry is None:
        return fails(what, "does not know this certificate", Exit.INTEGRITY)
    if later is not None and later.seq > entry.seq and later.body["decision"] != "open":
        said = f"{later.body['decision']} at {later.at} (entry {later.seq})"
        return fails(what, f"knows a later decision about this model: {said}", Exit.CLOSED)
    return holds(what, f"entry {entry.seq} at {entry.at}")


def _check_bytes(
    certificate: Certificate | SealedCertificate, root: Path | None, artifact: Path | None
) -> Check:
    if artifact is None and root is None:
        return skipped("the model's files", "name them with --artifact")
    return check_bytes(certificate, root or Path.cwd(), artifact=artifact)


def _check_policy(policy: Path, findings: list[dict[str, Any]]) -> list[Check]:
    """Every row of the receiver's gate.toml against the certificate's own intervals. A row nobody measured fails."""
    problems = Problems()
    gate = load_gate(policy, policy.parent, problems, promoted=True)
    problems.raise_if_any()
    assert gate is not None
    known = {(f["suite"], f["test"]): f for f in findings}
    checks = []
    for suite, rows in gate.suites.items():
        for key, bar in rows.items():
            what = f"policy {suite} {key}"
            found = known.get((suite, key))
            fault = (
                "was not measured" if found is None else _missed(bar, found, gate.settings.alpha)
            )
            if fault and is_difference(key) and found is not None and found["low"] is None:
                fault = "was measured without a baseline"
            checks.append(fails(what, fault, Exit.CLOSED) if fault else holds(what))
    return checks


def _missed(bar: Bar, found: dict[str, Any], alpha: float) -> str:
    """Why a finding does not meet a bar by its own numbers, "" if it does."""
    if found["alpha"] is None or found["alpha"] > alpha:
        return f"was measured at alpha {found['alpha']}, the policy asks for {alpha:g} or less"
    if found["status"] == "insufficient":  # its numbers, if any, are not to be held against a bar
        return "was not measured well enough to tell"
    if bar.all:
        return "" if found["status"] == "pass" and found["estimate"] == 1.0 else "has wrong items"
    low, high = found["low"], found["high"]
    if bar.min is not None:
        return (
            ""
            if low is not None and low >= bar.min
            else f"has the lower end {low}, the policy asks for {bar.min:g}"
        )
    return (
        ""
        if high is not None and bar.max is not None and high <= bar.max
        else (f"has the upper end {high}, the policy allows {bar.max:g}")
    )
