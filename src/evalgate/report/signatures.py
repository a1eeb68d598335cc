"""Who stands behind a decision: its certificate, the sign-offs of people, and what was waived, in red.

The decision itself says none of this: people sign after it was made. Whoever renders a report hands in what the ledger knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from evalgate.records import Record
from evalgate.report.markup import code, facts, section, small_table, text
from evalgate.report.words import plain

State = Literal["in force", "run out", "asked for, not granted", "not valid"]


class SignOff(Record, kw_only=True):
    """One role that signs. `fault`: why it counts for nothing ("missing", nobody's signature; "" for one that counts)."""

    role: str
    fault: str = ""
    by: str = ""
    holder: str = ""
    key: str = ""
    at: str = ""
    entry: int | None = None
    comment: str = ""


class WaiverRow(Record, kw_only=True):
    """One finding that somebody asked to waive. `entry`: the request's number in the ledger."""

    suite: str
    test: str
    state: State
    reason: str
    until: str
    requested_by: str
    granted_by: str = ""
    entry: int


class Signatures(Record, kw_only=True):
    """The certificate of a decision and what was signed about it. Times are UTC.

    `notes`: what keeps it from full grade, and what is wrong with it. `grade`: how far the signature reaches.
    """

    certificate: str
    digest: str = ""
    key: str = ""
    key_id: str = ""
    issued: str = ""
    expires: str = ""
    notes: tuple[str, ...] = ()
    signoffs: tuple[SignOff, ...] = ()
    waivers: tuple[WaiverRow, ...] = ()


def signed_lines(signed: Signatures) -> Iterator[str]:
    """Certificate and sign-offs in one line each, for places without tables."""
    if signed.key_id:
        yield f"certificate signed by {signed.key} {signed.key_id}, valid until {signed.expires}"
    for s in signed.signoffs:
        yield f"{s.role}: {s.fault or f'signed by {s.by} ({s.holder}) at {s.at}'}"


def waived_lines(signed: Signatures) -> Iterator[str]:
    """Every waiver with its reason, until when, who asked and who granted."""
    for w in signed.waivers:
        head = "WAIVED" if w.state == "in force" else f"waiver {w.state}"
        granted = f", granted by {w.granted_by}" if w.granted_by else ""
        yield f"{head}: {w.suite} {w.test} until {w.until}: {w.reason} (asked by {w.requested_by}{granted})"


def signatures_section(signed: Signatures | None) -> str:
    """The section "Signatures" of the page; "" without a certificate."""
    if signed is None:
        return ""
    told = facts(
        (
            ("certificate", code(signed.certificate)),
            ("certificate digest", code(signed.digest)),
            ("signed by", text(signed.key) + " " + code(signed.key_id) if signed.key_id else ""),
            ("issued", text(signed.issued)),
            ("valid until", text(signed.expires)),
        )
    )
    signoffs = small_table(
        "Sign-offs of people",
        ("role", "who", "when", "ledger", "words"),
        (_signoff(s) for s in signed.signoffs),
    )
    waivers = small_table(
        "Waivers: findings that need not pass",
        ("finding", "state", "reason", "until", "asked by", "granted by", "ledger"),
        (_waiver(w) for w in signed.waivers),
    )
    said = (
        "<p>As the ledger stood when this page was made. A signature shows that whoever holds a key signed; the key of a server "
        "shows the server, not a person.</p>"
    )
    return section("signatures", "Signatures", told, signoffs, waivers, said)


def _signoff(s: SignOff) -> list[str]:
    who = f"{text(s.by)} ({text(s.holder)}) {code(s.key)}" if s.by else ""
    fault = f'<b class="s-fail">{text(s.fault)}</b>' if s.fault else ""
    entry = "" if s.entry is None else str(s.entry)
    return [text(s.role), " ".join(filter(None, (who, fault))), text(s.at), entry, text(s.comment)]


def _waiver(w: WaiverRow) -> list[str]:
    cells = (
        f"{plain(w.suite)} {plain(w.test)}",
        "WAIVED" if w.state == "in force" else w.state,
        w.reason,
        w.until,
        w.requested_by,
        w.granted_by,
        str(w.entry),
    )
    return [f'<b class="s-fail">{text(cell)}</b>' if cell else "" for cell in cells]
