"""Whether what is promoted was decided by the last locked plan, and what is to be said of that plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalgate.authored import GateSettings
from evalgate.errors import EvalgateError, Exit
from evalgate.gate.locked import differences
from evalgate.gate.plan import Locked, locks, weakened
from evalgate.records import Lock
from evalgate.release.admission import Check, Found, caught, fails, holds

_WHAT = "the locked plan"


def check_locked(
    root: Path, settings: GateSettings, now: Lock | None, found: Found, *, rollback: bool
) -> Check:
    """Whether the certificate is of the last locked plan, and the project still is that plan; names what is another.

    `now`: how the project as it stands compares with it. Where none was ever locked it holds, and `lock_notes` says so, unless gate.toml has `require_locked = true`.
    """
    known = locks(root)
    if not known:
        if settings.require_locked:
            missing = "none, and gate.toml says require_locked = true; run 'evalgate plan --lock', then check again"
            return fails(_WHAT, missing, Exit.CLOSED)
        return holds(_WHAT, "none was ever locked")
    if rollback:
        return holds(_WHAT, "rolled back to: it was promoted before")
    try:
        why, changed = _another(now, found, known)
    except EvalgateError as e:
        return caught(_WHAT, e)
    last = known[-1]
    if not why:
        return holds(_WHAT, f"{last.digest[:19]} of {last.at[:10]}")
    more = [f"and {len(changed) - 5} more"] if len(changed) > 5 else []
    named = f": changed: {', '.join([*changed[:5], *more])}" if changed else ""
    return fails(
        _WHAT, f"{why}{named}; lock the plan that is meant, then check again", Exit.INTEGRITY
    )


def _another(now: Lock | None, found: Found, known: list[Locked]) -> tuple[str, list[str]]:
    """How the certificate's plan is not the last locked one, with the differences; ("", []) if it is."""
    predicate, last = found.certificate.predicate, known[-1]
    if not predicate.locked:
        lock = predicate.evidence.lock
        if lock is None:
            return f"it was checked before {last.at[:10]}, when a plan was locked first", []
        return "it was not checked by the locked plan", list(lock.changed)
    if predicate.locked != last.digest:
        then = [each for each in known if each.digest == predicate.locked]
        changed = [str(c) for c in differences(then[-1].plan, last.plan)] if then else []
        return f"another one was locked on {last.at[:10]}", changed
    if now is None or now.digest != last.digest:
        return "another one was locked meanwhile", []
    return ("the project is not as it was locked", list(now.changed)) if now.changed else ("", [])


def lock_notes(root: Path) -> Iterator[str]:
    """What stands in red beside a promotion, and in its ledger entry: no locked plan, or one that was weakened."""
    known = locks(root)
    if not known:
        yield "no locked plan: development grade; nothing shows that the thresholds stood before results were seen"
    for line in weakened(known):
        yield f"WEAKENED: {line}"
