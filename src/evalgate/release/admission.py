"""What has to hold before a model is trusted: each check by itself, so that all that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from evalgate import digest
from evalgate.authored import Problems, Settings, load_settings
from evalgate.authored.keyring import Keyring
from evalgate.errors import EvalgateError, Exit, IntegrityError, Undecided, UsageError
from evalgate.records import Record
from evalgate.store.certificate import Certificate, read
from evalgate.store.ledger import Entry, Ledger, stamp
from evalgate.store.run import EARLIER, PURGED, Run, last_sum, read_manifest
from evalgate.store.sealed_certificate import SealedCertificate

Outcome = Literal["holds", "fails", "not checked"]
_ORDER = (
    Exit.INTERRUPTED,
    Exit.INTERNAL,
    Exit.USAGE,
    Exit.INTEGRITY,
    Exit.CLOSED,
    Exit.INFRASTRUCTURE,
    Exit.UNDECIDED,
)
"""Which exit code goes first: what ended before it could look, then the charter's order."""


class Check(Record, kw_only=True):
    """One thing looked at. `exit`: what the process ends with if it fails."""

    what: str
    outcome: Outcome
    detail: str = ""
    exit: int = 0


def holds(what: str, detail: str = "") -> Check:
    """A check that holds."""
    return Check(what=what, outcome="holds", detail=detail)


def fails(what: str, detail: str, code: Exit) -> Check:
    """A check that fails."""
    return Check(what=what, outcome="fails", detail=detail, exit=int(code))


def skipped(what: str, why: str) -> Check:
    """A check that could not be made here, which says so and proves nothing."""
    return Check(what=what, outcome="not checked", detail=why)


def code_of(checks: list[Check]) -> Exit:
    """The exit code of all together: that of the failed check which goes first. OPEN only if none fails."""
    codes = {check.exit for check in checks if check.outcome == "fails"}
    if not codes:
        return Exit.OPEN
    return next((code for code in _ORDER if code in codes), Exit.CLOSED)


def settings_of(root: Path) -> Settings:
    """evalgate.toml alone: what has been promoted is served whatever gate.toml asks of the next candidate. Raises FileProblems."""
    problems = Problems()
    settings = load_settings(root / "evalgate.toml", root, problems)
    problems.raise_if_any()
    assert settings is not None
    return settings


class Found(Record, kw_only=True):
    """A certificate with the ledger entry of its decision (None: there is no ledger to ask)."""

    path: str
    certificate: Certificate
    entry: Entry | None = None


def find_certificate(root: Path, keyring: Keyring, model: str) -> Found:
    """The certificate of the latest decision about the model of that name.

    Raises Undecided (EG725: there is none), IntegrityError (the ledger, the certificate, or one is not the other's).
    """
    found = latest_about(Ledger(root, keyring), model)
    if found is None or not found.body.get("certificate"):
        what = (
            "no decision"
            if found is None
            else "a decision without a certificate (an endpoint has no bytes to bind; a check that broke off has none, either)"
        )
        raise Undecided(
            f"found {what} about {model}, expected a certificate. Run 'evalgate gate check {model}' first.",
            where="reports/ledger.jsonl",
            code="EG725",
        )
    path = root / found.body["certificate"]
    certificate = read(path, keyring, where=found.body["certificate"])
    if certificate.digest != found.body["digest"]:
        raise IntegrityError(
            "found another certificate than the ledger knows under this path, expected the one that was written. "
            "Find out who replaced it.",
            where=found.body["certificate"],
            code="EG726",
        )
    return Found(path=found.body["certificate"], certificate=certificate, entry=found)


def latest_about(ledger: Ledger, model: str) -> Entry | None:
    """The latest decision about the model of that name; one about sealed sets is a single bit, and has no certificate."""
    return ledger.latest(
        "decision",
        lambda e: e.body.get("model", {}).get("name") == model and "sealed" not in e.body,
    )


def latest_sealed(ledger: Ledger, model: str) -> Entry | None:
    """The latest decision on sealed sets about the model with this digest."""
    return ledger.latest(
        "decision", lambda e: "sealed" in e.body and e.body["model"].get("digest") == model
    )


def entry_of(ledger: Ledger, certificate: str) -> Entry | None:
    """The ledger's entry of the decision that the certificate with this digest is of."""
    return ledger.latest("decision", lambda entry: entry.body.get("digest") == certificate)


def check_bytes(
    certificate: Certificate | SealedCertificate, root: Path, *, artifact: Path | None = None
) -> Check:
    """Whether the files on disk are the certificate's subjects, no more and no fewer, to the last byte.

    They are looked for below `root`, or, with `artifact`, at that place whatever it is called (of an adapter: its base where
    the certificate has it).
    """
    what = "the model's files"
    predicate = certificate.predicate
    try:
        now: dict[str, str] = {}
        for top in filter(None, (predicate.artifact, predicate.base)):
            path = artifact if artifact is not None and top == predicate.artifact else root / top
            if path.is_symlink():
                return fails(
                    what, f"{top} is a link, expected the files themselves", Exit.INTEGRITY
                )
            if path.exists() and not (path.is_dir() or path.is_file()):  # reading it may never end
                return fails(what, f"{top} is no plain file", Exit.INTEGRITY)
            if path.is_dir():
                now |= {f"{top}/{name}": d for name, d in digest.files_of(path).items()}
            else:
                now[top] = digest.of_file(path)
    except UsageError as e:  # something that no digest covers was put among them
        return fails(what, f"{e.where}: {e.message}", Exit.INTEGRITY)
    except OSError as e:
        return fails(what, f"{e.filename}: {e.strerror}", Exit.INTEGRITY)
    then = {s.name: f"sha256:{s.digest['sha256']}" for s in certificate.statement.subject}
    if changed := digest.changes(then, now):
        return fails(what, changed, Exit.INTEGRITY)
    return holds(what, f"{len(then)} as certified")


def check_runs(certificate: Certificate, root: Path) -> Check:
    """Whether the answers and verdicts on disk are those that were decided on, as far as they are still there."""
    what = "the runs"
    gone = 0
    sums = {p: s for suite in certificate.predicate.evidence.suites for p, s in suite.sums.items()}
    for path, then in sums.items():
        places = [root / path, *(root / path / EARLIER).glob("*")]
        kept = next((p for p in places if last_sum(p) == then), None)
        try:
            if kept is not None:
                manifest = read_manifest(kept)
                if manifest is not None:
                    Run(kept, manifest)
            elif last_sum(root / path) and not any((p / PURGED).exists() for p in places):
                return fails(what, f"{path} has other rows than were decided on", Exit.INTEGRITY)
            else:
                gone += 1
        except EvalgateError as e:
            return caught(what, e)
    if gone or not sums:
        return skipped(what, f"{gone or 'all'} of {len(sums)} are no longer here")
    return holds(what, f"{len(sums)} as decided on")


def check_verdict(certificate: Certificate) -> Check:
    """Whether the decision is open."""
    verdict, code = certificate.verdict, Exit(int(certificate.predicate.decision["exit"]))
    if verdict == "open" and code == Exit.OPEN:
        return holds("the decision", "open")
    reasons = certificate.predicate.decision.get("reasons") or ["no reason given"]
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return fails("the decision", f"{verdict}: {reasons[0]}{more}", code or Exit.CLOSED)


def check_expiry(certificate: Certificate) -> Check:
    """Whether the certificate may still be used."""
    expires, now = certificate.predicate.expires, stamp()
    if now >= expires:
        return fails("validity", f"expired at {expires}; check the model again", Exit.CLOSED)
    if now < certificate.predicate.issued:
        return fails(
            "validity",
            f"issued at {certificate.predicate.issued}, which this clock has not reached; set the clock right",
            Exit.INTEGRITY,
        )
    return holds("validity", f"until {expires}")


def caught(what: str, error: EvalgateError) -> Check:
    """A check that ended with an error."""
    place = f"{error.where}: " if error.where else ""
    return fails(what, f"{place}{error.code} {error.message}", error.exit)


def failures(checks: list[Check]) -> Iterator[str]:
    """One line for each check that fails."""
    for check in checks:
        if check.outcome == "fails":
            yield f"{check.what}: {check.detail}"
