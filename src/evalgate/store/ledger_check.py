"""Checking a ledger from end to end: integrity (nothing in it was changed) and completeness (nothing was cut off), apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from evalgate.authored.keyring import Keyring
from evalgate.crypto.keys import PublicKey
from evalgate.errors import IntegrityError, UsageError
from evalgate.records import Record
from evalgate.store.aliases import beyond
from evalgate.store.ledger import Ledger, Line, SignedHead, fault_of

_SHARE = 500  # lines that a thread checks at a time


class LedgerReport(Record, kw_only=True):
    """What was found. `integrity` and `completeness` say what is wrong, "" if nothing; `line` is the first bad line, or 0.

    `anchored`: whether a copy of the head from elsewhere was looked at too. Without one, completeness means only that the
    ledger reaches as far as the head beside it.
    """

    entries: int
    integrity: str = ""
    line: int = 0
    completeness: str = ""
    anchored: bool = False
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether both hold."""
        return not self.integrity and not self.completeness


def check_ledger(root: Path, keyring: Keyring, anchor: SignedHead | None = None) -> LedgerReport:
    """Every line, link and signature, the head, and `anchor`: a head that was kept elsewhere.

    Raises InfrastructureError (EG715) if it cannot be read. No ledger at all is sound, with a note, unless a head or an anchor
    knows of one.
    """
    ledger = Ledger(root, keyring)
    read, fault = ledger.read()
    # a line whose signature does not count stands before one that breaks the chain, where reading ended
    number, integrity = _first_fault([line for line, _ in read.lines], keyring) or fault or (0, "")
    try:
        head = ledger.head()
        completeness = "" if fault else ledger.lag(read.lines, head)
    except IntegrityError as e:
        head, completeness = None, e.message.partition(", expected")[0].removeprefix("found ")
    if fault:
        completeness = f"unknown: nothing after line {number - 1} can be believed"
    elif anchor is not None and not completeness:
        completeness = _held_against(anchor, read.lines, keyring)
    if not fault and not completeness:
        completeness = beyond(root, keyring, [line.entry for line, _ in read.lines])
    notes = []
    if read.torn:
        notes.append(f"an append was cut short: {read.torn} bytes at the end count for nothing")
    if head is not None and not completeness and head.head.seq + 1 < len(read.lines):
        notes.append("an append ended before it moved the head; the next one mends that")
    if not read.lines and not fault:
        notes.append("the ledger is empty")
    return LedgerReport(
        entries=len(read.lines),
        integrity=integrity,
        line=number,
        completeness=completeness,
        anchored=anchor is not None,
        notes=tuple(notes),
    )


def _first_fault(lines: Sequence[Line], keyring: Keyring) -> tuple[int, str] | None:
    """The number of the first line whose signature does not count, and why; None if all do."""

    def look(begin: int) -> tuple[int, str] | None:
        share = enumerate(lines[begin : begin + _SHARE], begin + 1)
        return next(((n, fault) for n, line in share if (fault := fault_of(line, keyring))), None)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # checking a signature lets go of the GIL
        return next(filter(None, pool.map(look, range(0, len(lines), _SHARE))), None)


def _held_against(anchor: SignedHead, lines: list[tuple[Line, str]], keyring: Keyring) -> str:
    signer = keyring.by_id(anchor.key)
    if signer is None or not anchor.signed_by(PublicKey.from_text(signer.public)):
        return "the anchor has no signature that counts"
    seq = anchor.head.seq
    if seq >= len(lines):
        return (
            f"the anchor knows {seq + 1} entries, the ledger has {len(lines)}: entries were cut off"
        )
    if lines[seq][1] != anchor.head.hash:
        return f"the anchor knows another entry {seq}: the ledger was rewritten"
    return ""


def read_anchor(path: Path) -> SignedHead:
    """The head that `evalgate ledger anchor` copied. Raises UsageError (EG716)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=SignedHead)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as e:
        kind = e.strerror if isinstance(e, OSError) else "no such object"
        raise UsageError(
            f"found a file that cannot be read ({kind}), expected what 'evalgate ledger anchor' wrote. Name that file.",
            where=path.as_posix(),
            code="EG716",
        ) from None
