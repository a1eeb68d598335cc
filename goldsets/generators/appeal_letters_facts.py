"""The facts of one fictional appeal, and how they are written into notice, file and letter.

A date is one day in four spellings (`Day`); a person word follows who writes ("I", "she", "he"). All randomness comes
from the `random.Random` that the caller seeds.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

from common import Deck

T = TypeVar("T")
PERSON = {  # slot: first person, woman, man
    "S": ("I", "She", "He"),
    "s": ("I", "she", "he"),
    "P": ("My", "Her", "His"),
    "p": ("my", "her", "his"),
    "o": ("me", "her", "him"),
}
NUMBER = {  # the words for a claim's or a request's number
    "en": {"pre": "reference number", "post": "claim number"},
    "es": {"pre": "número de referencia", "post": "número de reclamo"},
}
TODAY = date(2026, 11, 2)  # letters are written in the year before it


def read(name: str) -> dict[str, Any]:
    """The table `appeal_letters_NAME.toml` beside this file."""
    with Path(__file__).with_name(f"appeal_letters_{name}.toml").open("rb") as f:
        return tomllib.load(f)


class Day:
    """One day; the format spec of a slot chooses the spelling: `{stop:l}` long, `:i` ISO, `:u` US numeric."""

    def __init__(self, day: date, style: str = "l") -> None:
        self.day = day
        self.style = style

    def __format__(self, spec: str) -> str:
        match spec or self.style:
            case "i":
                return self.day.isoformat()
            case "u":
                return f"{self.day:%m/%d/%Y}"
            case _:
                return f"{self.day:%B} {self.day.day}, {self.day.year}"


class Cards:
    """Decks by the list's own path, so that every wording is dealt about equally often."""

    def __init__(self, table: dict[str, Any], rng: random.Random) -> None:
        self._table = table
        self._rng = rng
        self._decks: dict[tuple[str, ...], Deck[str]] = {}

    def deal(self, *path: str) -> str:
        if path not in self._decks:
            cards: Any = self._table
            for key in path:
                cards = cards[key]
            self._decks[path] = Deck(cards, self._rng)
        return self._decks[path].deal()


def pick(rng: random.Random, cards: Sequence[T]) -> T:
    return cards[rng.randrange(len(cards))]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def fill(text: Any, slot: dict[str, Any], style: str = "l", person: int = 0) -> Any:
    """`text`, or every text of a nested list, with its slots filled; dates in `style`. Raises KeyError for a slot without value."""
    if isinstance(text, list):
        return [fill(t, slot, style, person) for t in text]
    words = {k: v[person] for k, v in PERSON.items()}
    dated = {k: Day(v.day, style) if isinstance(v, Day) else v for k, v in slot.items()}
    return text.format_map({**dated, **words})


def draw(rng: random.Random, case: dict[str, Any]) -> dict[str, Any]:
    """The values of a case that vary: numbers as given in its table, days counted back from the notice."""
    notice = TODAY - timedelta(days=rng.randrange(12, 340))
    slot: dict[str, Any] = {k: pick(rng, v) for k, v in case.get("draw", {}).items()}
    slot |= pick(rng, case.get("rows", [{}]))
    for name, (low, high) in case["days"].items():
        slot[name] = Day(notice - timedelta(days=rng.randrange(low, high)))
    age = rng.randrange(*case["age"])
    return slot | {
        "notice": Day(notice),
        "asked": Day(notice - timedelta(days=rng.randrange(4, 8))),
        "today": Day(notice + timedelta(days=rng.randrange(3, 12))),
        "age": f"age {age}" if age else "newborn",
        "days": pick(rng, ["60", "120", "180"]),
    }


class World:
    """Names and numbers that no two cases share."""

    def __init__(self, names: dict[str, list[str]], rng: random.Random, used: set[str]) -> None:
        self.rng = rng
        self.used = used
        self.decks = {k: Deck(v, rng) for k, v in names.items()}

    def fresh(self, pattern: str) -> str:
        """A number by `pattern`, `#` standing for a digit, that nothing else has."""
        while True:
            text = re.sub("#", lambda _: str(self.rng.randrange(1, 10)), pattern)
            if text not in self.used:
                self.used.add(text)
                return text

    def name(self, sex: str) -> str:
        """A first and a family name that no other case has."""
        while True:
            first = self.decks["women" if sex == "f" else "men"].deal()
            text = f"{first} {self.decks['family'].deal()}"
            if text not in self.used:
                self.used.add(text)
                return text

    def member_id(self) -> str:
        return self.fresh(pick(self.rng, ["MBR-#####-0#", "ZQ######", "HX#-####", "88-K#####"]))

    def phone(self) -> str:
        return f"555-01{self.rng.randrange(100):02}"


def sentences(facts: list[dict[str, Any]], key: str, slot: dict[str, Any], **how: Any) -> str:
    """The facts' sentences; in first person their own wording where the general one would be ungrammatical."""
    own = {"c": "own", "l": "ownl"}.get(key)
    first = how.get("person") == 0
    texts = (f.get(own, f[key]) if own and first else f[key] for f in facts)
    return " ".join(fill(text.strip(), slot, **how) for text in texts)


def spell_out(text: str) -> str:
    """Tidies what slots leave behind: double spaces, spaces before line ends, empty lines in a row."""
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
