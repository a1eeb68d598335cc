"""Planted canaries: sentences of made-up people, with what a scanner has to find in them and where.

The words come from planted_open.toml and planted_held.toml beside this file and are shared with no detector. The open
list is for developing detectors; the proof of a scanner counts the held one.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from evalgate import digest
from evalgate.records import Record

List = Literal["open", "second", "third", "held"]
Noise = Literal["plain", "typos", "ocr"]
NOISES: tuple[Noise, ...] = get_args(Noise)

_MISREAD = {
    "0": "O", "O": "0", "1": "l", "l": "1", "I": "l", "5": "S", "S": "5", "8": "B", "B": "8", "2": "Z", "Z": "2",
    "6": "b", "e": "c", "c": "e", "m": "rn", "a": "o", "h": "b", "i": "í", "t": "f", "n": "ri", "-": "–", ":": ";", "@": "©",
}  # fmt: skip
_BESIDE = {
    a: b
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for a, b in zip(row, row[1:] + row[-2], strict=True)
}


class Planted(Record, kw_only=True):
    """One sentence and what was planted in it: `text[start:end]` is of `type`."""

    type: str
    noise: Noise
    text: str
    start: int
    end: int

    def __repr__(self) -> str:
        return f"<Planted {self.type} {self.noise}>"


def types() -> tuple[str, ...]:
    """The types that canaries are planted of, in the order of the lists."""
    return tuple(_words("open")["types"])


def lists_digest() -> str:
    """Digest of the lists: a proof speaks of the canaries that it was made with."""
    return digest.of_value([_words(which) for which in get_args(List)])


def plant(which: List, type_: str, noise: Noise, count: int, *, seed: int = 0) -> Iterator[Planted]:
    """`count` independent draws of one type under one kind of noise. Equal arguments give equal canaries.

    Typos are one or two slips of the hand, and OCR errors one to four misread characters, in the canary and the 25
    characters on either side; at least one changes something.
    """
    rng = random.Random(f"{which} {type_} {noise} {seed}")
    for _ in range(count):
        one = _plain(which, type_, rng)
        yield one if noise == "plain" else _spoiled(one, noise, rng)


@cache
def _words(which: List) -> dict[str, Any]:
    text = files("evalgate.corpus.phi").joinpath(f"planted_{which}.toml").read_text("utf-8")
    return tomllib.loads(text)


def _plain(which: List, type_: str, rng: random.Random) -> Planted:
    words = _words(which)
    spec = words["types"][type_]
    frames = [(frame, "") for frame in spec.get("frames", ())]
    if labels := spec.get("labels"):
        # Half of the draws of a type that needs no label come with one.
        named = [(frame, rng.choice(labels)) for frame in words["frames"]["label"]]
        frames = named if not frames or rng.random() < 0.5 else frames
    frame, label = rng.choice(frames)
    label = rng.choice((label, label, label.upper(), label[:1].upper() + label[1:]))
    value = _value(words, type_, rng.choice(spec["forms"]), rng)
    before, after = frame.replace("{label}", label).split("{x}")
    return Planted(
        type=type_,
        noise="plain",
        text=before + value + after,
        start=len(before),
        end=len(before) + len(value),
    )


def _value(words: dict[str, Any], type_: str, form: str, rng: random.Random) -> str:
    if type_ in ("DATE", "DATE_OF_BIRTH"):
        span = (1928, 2012) if type_ == "DATE_OF_BIRTH" else (2019, 2026)
        day = dt.date(rng.randint(*span), rng.randint(1, 12), rng.randint(1, 28))
        return day.strftime(form)
    given, family = _person(words, rng)
    if type_ != "NAME":
        given, family = _latin(given), _latin(family)
    fill: dict[str, Callable[[], str]] = {
        "given": lambda: given,
        "family": lambda: family,
        "street": lambda: _street(words["streets"], rng),
        "town": lambda: str(rng.choice(words["streets"]["towns"])),
        "state": lambda: str(rng.choice(words["streets"]["states"])),
        "zip": lambda: _figures("^####", rng),
        "npi": lambda: _npi(rng),
        "at": lambda: "@",  # bare, it would be drawn as a letter
        "#": lambda: _figures("#", rng),
        "@": lambda: _figures("@", rng),
    }
    # Figures are drawn outside the braces only: a name has none.
    parts = re.split(r"\{([^}]+)\}", form)
    out = [fill[part]() if i % 2 else _figures(part, rng) for i, part in enumerate(parts)]
    return "".join(out)


def _person(words: dict[str, Any], rng: random.Random) -> tuple[str, str]:
    given, family = words["names"][rng.choice(list(words["names"]))]
    return (
        rng.choice(given.split()).replace("|", " "),
        rng.choice(family.split()).replace("|", " "),
    )


def _street(streets: dict[str, Any], rng: random.Random) -> str:
    number = rng.randint(1, 9999)
    side = rng.choice(("", "", "", "N ", "SW ", "West "))
    name, kind, unit = (rng.choice(streets[key]) for key in ("names", "kinds", "units"))
    return f"{number} {side}{name} {kind}{_figures(unit, rng)}"


def _figures(form: str, rng: random.Random) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    made = {
        "#": lambda: str(rng.randint(0, 9)),
        "^": lambda: str(rng.randint(1, 9)),
        "@": lambda: rng.choice(letters),
        "&": lambda: rng.choice(letters + "0123456789"),
    }
    return "".join(made[c]() if c in made else c for c in form)


def _npi(rng: random.Random) -> str:
    """Nine figures and the check digit of ISO/IEC 7812 over 80840 and them (45 CFR 162.406)."""
    nine = rng.choice("12") + _figures("########", rng)
    total = 24  # what 80840 contributes
    for place, c in enumerate(nine):
        doubled = int(c) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return nine + str(-total % 10)


def _latin(name: str) -> str:
    """A name as an address of the net writes it: plain letters, lower case."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z]", "", plain.lower()) or "member"


def _spoiled(one: Planted, noise: Noise, rng: random.Random) -> Planted:
    """The same canary after slips or misreadings; where it lies is carried along."""
    low, high = max(0, one.start - 25), min(len(one.text), one.end + 25)
    cells = list(one.text)
    edit = _slip if noise == "typos" else _misread
    places = list(range(low, high))
    rng.shuffle(places)
    wanted = rng.randint(1, 2 if noise == "typos" else 4)
    for place in places:
        if wanted and edit(cells, place, rng):
            wanted -= 1
    start, end = len("".join(cells[: one.start])), len("".join(cells[: one.end]))
    return Planted(type=one.type, noise=noise, text="".join(cells), start=start, end=end)


def _slip(cells: list[str], i: int, rng: random.Random) -> bool:
    """Doubles, drops, swaps or mistypes the character at `i`. False where that is no letter or figure."""
    if not cells[i].isalnum():
        return False
    kind = rng.choice(("double", "drop", "swap", "beside"))
    if (
        kind == "swap"
        and i + 1 < len(cells)
        and cells[i + 1].isalnum()
        and cells[i + 1] != cells[i]
    ):
        cells[i], cells[i + 1] = cells[i + 1], cells[i]
    elif kind == "drop":
        cells[i] = ""
    elif kind == "beside" and cells[i].lower() in _BESIDE:
        beside = _BESIDE[cells[i].lower()]
        cells[i] = beside.upper() if cells[i].isupper() else beside
    else:
        cells[i] *= 2
    return True


def _misread(cells: list[str], i: int, rng: random.Random) -> bool:
    """Misreads the character at `i`, or sees a space after it. False where it is read rightly."""
    if cells[i] in _MISREAD:
        cells[i] = _MISREAD[cells[i]]
        return True
    if cells[i].isalpha() and rng.random() < 0.1:
        cells[i] += " "
        return True
    return False
