"""Alias files: which model an alias stands for, signed by the gate. The ledger decides; they repeat its word outside of it.

So they also tell of a ledger that was cut or replaced: an alias that knows a promotion which the ledger does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.authored.keyring import GATE, Keyring
from evalgate.crypto.envelope import read_envelope, seal_envelope
from evalgate.crypto.keys import PublicKey, SigningKey
from evalgate.errors import IntegrityError
from evalgate.records import Record
from evalgate.store.ledger import Entry, Ledger

ALIAS_TYPE = "application/vnd.evalgate.alias+json"


class Alias(Record, kw_only=True):
    """What an alias file says: which model it stands for, by which promotion."""

    alias: str
    model: str
    digest: str
    certificate: str
    seq: int


def alias_path(root: Path, alias: str) -> Path:
    """Where the alias's file lies."""
    return root / "reports" / "aliases" / f"{alias}.json"


def seal_alias(alias: Alias, key: SigningKey) -> bytes:
    """The bytes of its file, signed."""
    return seal_envelope(ALIAS_TYPE, digest.canonical(alias), key) + b"\n"


def read_alias(root: Path, alias: str, keyring: Keyring) -> Alias:
    """What an alias's file says, believed because the gate signed it. Raises IntegrityError (EG737)."""
    path = alias_path(root, alias)
    where = path.relative_to(root).as_posix()
    try:
        envelope = read_envelope(path.read_bytes())
        told = msgspec.json.decode(envelope.payload, type=Alias)
    except (OSError, ValueError, RecursionError):
        raise alias_fault(where, "an alias file that cannot be read") from None
    keys = [PublicKey.from_text(k.public) for k in keyring.keys.values() if GATE in k.roles]
    if envelope.payload_type != ALIAS_TYPE or not envelope.signers(keys):
        raise alias_fault(where, "an alias file without a signature that counts")
    return told


def alias_fault(where: str, found: str) -> IntegrityError:
    """That an alias is not what was promoted."""
    return IntegrityError(
        f"found {found}, expected what 'evalgate gate promote' wrote. Find out who changed it, then promote again.",
        where=where,
        code="EG737",
    )


def beyond(root: Path, keyring: Keyring, entries: Sequence[Entry]) -> str:
    """What signed alias files know that the ledger with these entries does not; "" if nothing.

    Alias files that cannot be believed tell nothing here: `serve` refuses them.
    """
    for path in sorted(alias_path(root, "x").parent.glob("*.json")):
        try:
            told = read_alias(root, path.stem, keyring)
        except IntegrityError:
            continue
        entry = entries[told.seq] if told.seq < len(entries) else None
        if entry is None:
            return f"the alias {path.stem} knows entry {told.seq}, the ledger has {len(entries)}: entries were cut off"
        if entry.kind != "promotion" or entry.body.get("certificate") != told.certificate:
            return f"the alias {path.stem} knows another entry {told.seq}: the ledger was rewritten"
    return ""


def check_beyond(root: Path, ledger: Ledger) -> None:
    """Returns if the ledger bears out every alias that the gate signed. Raises IntegrityError (EG711)."""
    if found := beyond(root, ledger.keyring, ledger.entries()):
        raise IntegrityError(
            f"found that {found}, expected the ledger as it was written. Find out who changed it; restore the ledger from its "
            "last good copy.",
            where="reports/ledger.jsonl",
            code="EG711",
        )
