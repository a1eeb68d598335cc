"""How a decision stands to the locked plan, in lines that a reader must not miss."""

from __future__ import annotations

from evalgate.records import Evidence

_MOST = 12  # changes in one line; the evidence has them all


def lock_warnings(evidence: Evidence | None) -> list[str]:
    """Plain text, one line each: what is not as it was locked, and what was locked weaker than before. Often nothing."""
    lock = evidence.lock if evidence else None
    if lock is None:
        return []
    more = [f"and {len(lock.changed) - _MOST} more"] if len(lock.changed) > _MOST else []
    changed = ", ".join([*lock.changed[:_MOST], *more])
    head = [f"not the locked plan: changed: {changed}"] if changed else []
    return [*head, *(f"the locked plan was weakened: {line}" for line in lock.weakened)]


def lock_text(evidence: Evidence | None) -> str:
    """Which plan was locked, and when; "" where none ever was."""
    lock = evidence.lock if evidence else None
    if lock is None:
        return ""
    return f"{lock.digest} of {lock.at[:10]}{', not this one' if lock.changed else ''}"
