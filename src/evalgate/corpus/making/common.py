"""What the makers of all tasks share: phrases with choices, and invented people, places, numbers, dates and money.

All randomness comes from the `random.Random` that the caller seeds. Nothing drawn here names anybody: telephone numbers
are 555-01xx, provider identifiers begin with 9, member and claim numbers follow forms of no insurer.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from evalgate.records import Record

T = TypeVar("T")

MONTHS_ES = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto"),
    *("septiembre", "octubre", "noviembre", "diciembre"),
)
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = re.compile(r"(?:an?|the|el|la|los|las|un|una) ")


class Person(Record, kw_only=True):
    """An invented person; `sex` is "f" or "m"."""

    first: str
    last: str
    sex: str

    @property
    def name(self) -> str:
        """First and family name."""
        return f"{self.first} {self.last}"


@cache
def table(name: str) -> dict[str, Any]:
    """The phrases in data/NAME.toml beside this file. The caller must not change them."""
    path = Path(__file__).with_name("data") / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def pick(rng: random.Random, cards: Sequence[T]) -> T:
    """One of `cards`, each as likely. Raises IndexError if there is none."""
    return cards[int(rng.random() * len(cards))]


def weighted(rng: random.Random, cards: Mapping[str, int]) -> str:
    """One of the names, each as likely as its number says."""
    return rng.choices(list(cards), weights=list(cards.values()))[0]


def expand(rng: random.Random, phrase: str, slots: Mapping[str, str]) -> str:
    """`phrase` with its choices `[a|b|]` made, innermost first, and its `{slots}` filled, at any depth.

    Raises KeyError for a slot that `slots` lacks. A bracket without "|" stays, so "[4.2]" is a citation.
    """
    while "{" in phrase or "|" in phrase:
        chosen = _CHOICE.sub(lambda found: pick(rng, found[1].split("|")), phrase)
        if chosen == phrase:
            chosen = _SLOT.sub(lambda found: slots[found[1]], phrase)
        if chosen == phrase:
            break
        phrase = chosen
    return phrase


def slots_of(phrase: str) -> set[str]:
    """The names of the slots of a phrase, those of every choice included."""
    return set(_SLOT.findall(phrase))


def capital(text: str) -> str:
    """`text` with its first character, and no other, in upper case."""
    return text[:1].upper() + text[1:]


def bare(phrase: str) -> str:
    """`phrase` without the article that it begins with."""
    return _ARTICLE.sub("", phrase, count=1) if _ARTICLE.match(phrase) else phrase


def person(rng: random.Random, language: str = "en", sex: str = "") -> Person:
    """Somebody who does not exist; both names of one origin. `language` is "en" or "es", `sex` "f", "m" or drawn."""
    women, men, families = pick(rng, table("common")["people"][language])
    sex = sex or pick(rng, "fm")
    split = ";" if ";" in families else None
    return Person(
        first=pick(rng, (women if sex == "f" else men).split()),
        last=pick(rng, families.split(split)),
        sex=sex,
    )


def place_name(rng: random.Random, language: str = "en") -> str:
    """The name of a place on no map: "Otterstow", in Spanish "Loma Umbría"."""
    places = table("common")["places"]
    if language == "es":
        heads, tails = pick(rng, places["es"])
        return f"{pick(rng, heads.split())} {pick(rng, tails.split())}"
    head = pick(rng, places["head"].split())
    tail = pick(rng, [t for t in places["tail"].split() if t != head.lower()])
    return head + tail if head[-1] != tail[0] else f"{head} {tail.title()}"


def facility(rng: random.Random, kind: str, language: str = "en") -> str:
    """An invented place of care of a `kind` of data/common.toml; a Spanish one begins with its article."""
    places = table("common")["places"]
    name = place_name(rng, language)
    if language == "es":
        return f"{pick(rng, places['kind_es'][kind])} {name}"
    return f"{name} {pick(rng, places['kind'][kind])}"


def digits(rng: random.Random, count: int) -> str:
    """`count` random digits, the first not 0."""
    return str(rng.randrange(10 ** (count - 1), 10**count))


def member_numbers(rng: random.Random) -> tuple[str, str]:
    """A member number in one of six invented forms, and another of the same form that is easily taken for it."""
    a = digits(rng, 9)
    b = swapped(rng, a)
    if rng.random() < 0.4:  # a family's numbers differ in their last figure
        b = a[:-1] + str((int(a[-1]) + 1) % 10)
    form = pick(rng, ("TQ-{0}-{1}-{2}", "{0} {1} {2}", "RVN{0}{1}{2}", "P{0}-{1}{2}-D", "{0}-L-{1}{2}", "WK{0}/{1}{2}"))  # fmt: skip
    own, other = (form.format(n[:3], n[3:6], n[6:]) for n in (a, b))
    return own, other


def swapped(rng: random.Random, number: str) -> str:
    """`number` with two neighbouring digits exchanged, or its last digit changed where all are alike."""
    spots = [i for i, (x, y) in enumerate(pairwise(number)) if x != y and (x + y).isdigit()]
    spots = [i for i in spots if i or number[1] != "0"]
    if not spots:
        last = max(i for i, c in enumerate(number) if c.isdigit())
        return number[:last] + str((int(number[last]) + 3) % 10) + number[last + 1 :]
    i = pick(rng, spots)
    return number[:i] + number[i + 1] + number[i] + number[i + 2 :]


def claim_number(rng: random.Random) -> str:
    """A claim number in one of three invented forms."""
    return pick(rng, ("{0}{1}-{2}", "CN {0}-{1}{2}", "{0}/{2}{1}")).format(
        digits(rng, 2), digits(rng, 4), digits(rng, 3)
    )


def phone(rng: random.Random) -> str:
    """A telephone number of the block that is kept for fiction."""
    return f"{pick(rng, ('', '', '(312) ', '614-', '800-'))}555-01{rng.randrange(100):02}"


def provider_number(rng: random.Random) -> str:
    """Ten digits that begin with 9: no National Provider Identifier does."""
    return "9" + digits(rng, 9)


def money(rng: random.Random, low: float, high: float) -> str:
    """A sum in dollars from `low` to `high`, with cents or round."""
    amount = rng.uniform(low, high)
    form = rng.random()
    if form < 0.45 or amount < 40:
        return f"${amount:,.2f}"
    return f"${round(amount):,}" + (".00" if form < 0.75 else "")


def day_between(rng: random.Random, first: date, last: date) -> date:
    """A day from `first` to `last`, both possible."""
    return first + timedelta(days=rng.randrange((last - first).days + 1))


def workday(day: date) -> date:
    """`day`, or the Monday after it at a weekend."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def written(day: date, style: str) -> str:
    """The day as "long" (March 4, 2026), "short" (3/4/26), "es" (4 de marzo de 2026) or by a strftime format."""
    match style:
        case "long":
            return f"{day:%B} {day.day}, {day.year}"
        case "short":
            return f"{day.month}/{day.day}/{day:%y}"
        case "es":
            return f"{day.day} de {MONTHS_ES[day.month - 1]} de {day.year}"
    return day.strftime(style)


def new_unit(rng: random.Random, kind: str) -> str:
    """An id for a scene's member, case or document, of a form that no gold set uses."""
    return f"made-{kind}-{rng.getrandbits(48):012x}"
