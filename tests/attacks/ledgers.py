"""A bare ledger in a directory of its own: one key of the gate, one of a person, some entries. No project around it."""

from __future__ import annotations

from pathlib import Path

from evalgate.authored.keyring import Key, Keyring
from evalgate.crypto.keys import SigningKey
from evalgate.store.ledger import Ledger

GATE = SigningKey.generate()
LEAD = SigningKey.generate()
KEYRING = Keyring(
    keys={
        "gate": Key(name="gate", public=GATE.public.text, roles=("gate",), holder="G."),
        "lead": Key(name="lead", public=LEAD.public.text, roles=("lead",), holder="L."),
    }
)


def ledger(root: Path, entries: int = 0) -> Ledger:
    """A ledger below `root` with so many entries, every third of them a person's."""
    found = Ledger(root, KEYRING)
    for number in range(entries):
        add(found, number)
    return found


def add(found: Ledger, number: int) -> None:
    if number % 3 == 2:
        found.append("signoff", {"role": "lead", "number": number}, LEAD)
    else:
        found.append("decision", {"number": number, "text": "×" * (number % 5)}, GATE)


def numbers(found: Ledger) -> list[int]:
    """What its entries carry."""
    return [entry.body["number"] for entry in found.entries()]
