"""Sealed gold sets: goldsets/NAME.sealed, encrypted, and goldsets/NAME.sealed.toml, its card.

Without the seal key the card tells how many items and units there are, and whether the file is the one that was sealed.
With it the set is a gold set like any other, held in memory: no plain text is written.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import tomlkit

from evalgate import digest
from evalgate.authored.card import SEALED, Card, Contents, card_path, load_card
from evalgate.authored.gold import GoldSet, load_gold_text
from evalgate.authored.gold_lines import LineProblems
from evalgate.authored.problems import Problems, read_bytes, relative
from evalgate.errors import IntegrityError

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey

KIND: Final = "gold set"
"""What a sealed file's header calls a gold set."""


def sealed_path(gold: Path) -> Path:
    """Where the sealed set beside a dev set lies: goldsets/NAME.jsonl -> goldsets/NAME.sealed."""
    return gold.with_name(f"{gold.name.removesuffix('.jsonl')}{SEALED}")


def load_sealed_card(path: Path, root: Path, problems: Problems) -> Card | None:
    """The card of the sealed set at `path`, and the file as its card describes it; no key is needed.

    None after noting problems: no such file (EG101), no card (EG160), a card that is no sealed one (EG762). Raises
    IntegrityError (EG762) if the file is not the one that the card was written for.
    """
    data = read_bytes(path, relative(path, root), problems)
    return _card(path, root, data, problems) if data is not None else None


def load_sealed(
    path: Path, root: Path, key: SealKey, problems: Problems
) -> tuple[GoldSet, Card] | None:
    """The opened set with its card, or None after noting problems as `load_gold` and `load_sealed_card` do.

    Raises IntegrityError: another key, a damaged or exchanged file (EG755 to EG757), or not what the card says (EG762).
    """
    name = relative(path, root)
    data = read_bytes(path, name, problems)
    card = _card(path, root, data, problems) if data is not None else None
    if data is None or card is None:
        return None
    assert card.sealed is not None
    text = key.open(data, kind=KIND, name=path.name.removesuffix(SEALED), where=name)
    gold = load_gold_text(path, root, problems, text)
    if gold is None:
        return None
    if contents_of(gold, key=key.id, cipher=digest.of_bytes(data)) != card.sealed:
        raise _not_as_sealed(name)
    return gold, card


def _card(path: Path, root: Path, data: bytes, problems: Problems) -> Card | None:
    card = load_card(path, root, problems)
    if card is None:
        return None
    if card.sealed is None or card.split != "sealed":
        message = 'found a card without [sealed] or split = "sealed", expected both. Seal the set: evalgate gold seal.'
        problems.add(relative(card_path(path), root), "EG762", message)
        return None
    if digest.of_bytes(data) != card.sealed.cipher:
        raise _not_as_sealed(relative(path, root))
    return card


def _not_as_sealed(where: str) -> IntegrityError:
    return IntegrityError(
        "found another file than its card was written for, expected the two as `evalgate gold seal` left them. Restore both, "
        "or seal the set again.",
        where=where,
        code="EG762",
    )


def contents_of(gold: GoldSet, *, key: str, cipher: str) -> Contents:
    """What the card of a sealed set says of its items."""
    return Contents(
        key=key,
        plain=gold.digest,
        cipher=cipher,
        items=gold.n,
        units=gold.units,
        largest_unit=gold.max_items_per_unit,
        tags={tag: gold.units_with_tag(tag) for tag in gold.tags},
    )


def check_apart(
    gold: GoldSet, other: GoldSet, name: str, problems: Problems, *, called: str = "the dev set"
) -> None:
    """Note every item of `gold` whose unit (EG759) or text (EG760) `other` has, too; `name` is the file of `gold`.

    Lines are told and never ids: who reads the message may be one who must not know a sealed item by its name.
    Texts are the same if they are after case, spaces and Unicode's compatible forms are made one.
    """
    units, texts = set(), set()
    for _, item in other.items():  # noqa: PERF102 (a gold set is no dict)
        units.add(item.unit)
        texts.add(_print(item.input))
    found = LineProblems(name, problems)
    for ordinal, item in gold.items():
        if item.unit in units:
            message = f"found an item of a unit that {called} has, expected units apart. Leave its unit out."
            found.add("EG759", message, ordinal + 1)
        if _print(item.input) in texts:
            message = (
                f"found an item with a text that {called} has, expected new ones. Leave it out."
            )
            found.add("EG760", message, ordinal + 1)
    found.close()


def _print(given: str | dict[str, Any]) -> bytes:
    """A fingerprint of a text that case, spaces and Unicode's forms do not change."""
    text = given if isinstance(given, str) else " ".join(_texts(given))
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return hashlib.blake2b(plain.encode(), digest_size=16).digest()


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in a value, in the order of its keys."""
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _texts(value[name])
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    else:
        yield str(value)


def write_sealed(path: Path, sealed: bytes, card: str, contents: Contents) -> None:
    """Writes a sealed set and its card (`card`: the text of it, without or with an older [sealed]).

    Each file is there as a whole or not at all. Killed between the two, they do not fit each other, which every reader
    notices (EG762); sealing again mends it, for the plain text is nobody's here to delete. Raises OSError.
    """
    document = tomlkit.parse(card)
    document["sealed"] = msgspec.to_builtins(contents)
    files = {path: sealed, card_path(path): tomlkit.dumps(document).encode()}
    temporaries = {p: p.with_name(f".{p.name}.{os.getpid()}") for p in files}
    try:
        for place, data in files.items():
            with temporaries[place].open("wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
        for place, temporary in temporaries.items():
            temporary.replace(place)
    finally:
        for temporary in temporaries.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
