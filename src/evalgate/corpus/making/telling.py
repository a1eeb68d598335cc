"""How the makers of long texts fill phrases: slots that may be dates, whole numbers in a range, capitals, articles; facts."""

from __future__ import annotations

import random
import re
from calendar import month_name
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from evalgate import text
from evalgate.corpus.making.common import (
    MONTHS_ES,
    capital,
    digits,
    expand,
    pick,
    swapped,
    written,
)
from evalgate.corpus.making.made import Made
from evalgate.text.sentences import sentences

Slots = Mapping[str, str | date]
Draw = Callable[[random.Random, dict[str, Any]], Made]
Fact = list[list[str]]

ISO = "%Y-%m-%d"
FORMS = ("long", "%m/%d/%Y", ISO)
"""How a text writes its dates."""
_MONTHS = "|".join((*month_name[1:], *MONTHS_ES))
_DATE = re.compile(
    rf"\d{{4}}-\d\d-\d\d|\d\d/\d\d/\d{{4}}|(?:{_MONTHS}) \d+, \d{{4}}|\d+ de (?:{_MONTHS}) de \d{{4}}",
    re.IGNORECASE,
)
_RANGE = re.compile(r"<(\d+)-(\d+)>")
_START = re.compile(r"(?:^|(?<=[.?!] )|(?<=\n))[a-z]+(?= )")
_AN = re.compile(r"\b([Aa]) (?=(?:[aeio](?!ne[ -]|u[a-z])|u(?:n[^i]|l|p)|8\d?[ -]|1[18][ -]))")


class RedrawError(Exception):
    """What was drawn does not go together."""


def dealt(
    rng: random.Random,
    index: int,
    scenes: Sequence[dict[str, Any]],
    *,
    declined: tuple[float, Draw],
    answered: Draw,
) -> Made:
    """A made item of the scene that is `index`'s turn, drawn until it goes together; a share of them must be declined."""
    share, decline = declined
    scene = scenes[index % len(scenes)]
    draw = decline if rng.random() < share else answered
    while True:
        try:
            return draw(rng, scene)
        except RedrawError:
            continue


def fill(rng: random.Random, phrase: str, slots: Slots, form: str = "long") -> str:
    """`phrase` with choices made, slots filled and `<3-8>` drawn; {Slot} is {slot} with a capital, dates in `form`.

    Raises KeyError for a slot that `slots` lacks.
    """
    said = expand(rng, phrase, _Strings(slots, form))
    said = _RANGE.sub(lambda m: f"{rng.randint(int(m[1]), int(m[2])):0{len(m[1])}}", said)
    return _AN.sub(r"\1n ", said)


def prose(rng: random.Random, phrase: str, slots: Slots, form: str = "long") -> str:
    """`fill`, with a capital at the start of each sentence."""
    return _START.sub(lambda m: capital(m[0]), fill(rng, phrase, slots, form))


class _Strings(dict[str, str]):
    """Slots as strings, made when asked for."""

    def __init__(self, slots: Slots, form: str) -> None:
        super().__init__()
        self._slots, self._form = slots, form

    def __missing__(self, name: str) -> str:
        if name in self._slots:
            found = self._slots[name]
            return written(found, self._form) if isinstance(found, date) else found
        if name[0].islower():
            raise KeyError(name)
        return capital(self[name[0].lower() + name[1:]])


def parts(name: str, value: str) -> dict[str, str]:
    """The slots of "a | b|c | d": {name} a, {name2} b|c, {name1} its first wording, {name3} d."""
    found = value.split(" | ")
    slots = {name: found[0]} | {f"{name}{n}": part for n, part in enumerate(found[1:], 2)}
    if len(found) > 1:
        slots[f"{name}1"] = found[1].split("|")[0]
    return slots


def drawn(rng: random.Random, cards: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """One value of every slot of a table, taken apart by `parts`."""
    slots: dict[str, str] = {}
    for name, values in cards.items():
        slots |= parts(name, pick(rng, values))
    return slots


def fact(written_fact: str) -> Fact:
    """The groups of "a|b & c": [["a", "b"], ["c"]]."""
    return [[w.strip() for w in group.split("|")] for group in written_fact.split(" & ")]


def without(answer: str, facts: Sequence[Fact]) -> str:
    """`answer` without the sentences in which one of `facts`, or a part of it, could be read."""
    kept = answer
    for said in sentences(answer):
        if text.asserts(said, facts):
            kept = kept.replace(said, "", 1)
    return re.sub(r" {2,}", " ", kept).strip()


def figures(answer: str) -> Iterator[re.Match[str]]:
    """The figures of `answer` of two digits or more, or with a decimal, that are no part of a date, phone or id."""
    return re.finditer(r"(?<![\w.,/$-])(?:\d+\.\d+|\d{2,3})(?![\w/,-]|\.\d)", answer)


def other_figure(rng: random.Random, figure: str, source: str) -> str:
    """A figure like `figure` that `source` does not hold."""
    while True:
        new = (
            swapped(rng, figure)
            if rng.random() < 0.3
            else digits(rng, len(figure.split(".", maxsplit=1)[0]))
        )
        if "." in figure and "." not in new:
            new += f".{rng.randrange(1, 10)}"
        if not re.search(rf"(?<![\d.]){re.escape(new)}(?![\d])", source) and new != figure:
            return new


def cut(rng: random.Random, answer: str) -> str:
    """The first half of `answer`, more or less, broken off between two words."""
    ends = [m.start() for m in re.finditer(r"\s", answer)]
    return answer[: ends[int(len(ends) * rng.uniform(0.35, 0.6))]]


def made_up(told: str, names: Iterable[str]) -> tuple[str, ...]:
    """What is made up in `told`, as it is written there: those of `names`, and all dates."""
    known = [form for name in names for form in (name, name.upper())]
    found = [name for name in known if name in told]
    return tuple(dict.fromkeys([*found, *(m[0] for m in _DATE.finditer(told))]))


def given(made: Made) -> str:
    """All texts that the answer of `made` may rest on."""
    return "\n".join(made.input.values()) if isinstance(made.input, dict) else made.input


def changed_figure(rng: random.Random, answer: str, source: str) -> str:
    """`answer` with one of its figures replaced by one that `source` does not hold; "" if it has no figure."""
    found = list(figures(answer))
    if not found:
        return ""
    old = pick(rng, found)
    return answer[: old.start()] + other_figure(rng, old[0], source) + answer[old.end() :]


def other_side(answer: str) -> str:
    """`answer` with left for right or the reverse; "" if it names no side, or both."""
    sides = {side.lower() for side in re.findall(r"\b(left|right)\b", answer, re.IGNORECASE)}
    if len(sides) != 1:
        return ""
    old = sides.pop()
    new = "right" if old == "left" else "left"
    return answer.replace(old, new).replace(capital(old), capital(new))


def inserted(rng: random.Random, answer: str, said: str) -> str:
    """`answer` with one more sentence behind one of its own."""
    before = pick(rng, [said for said in sentences(answer) if said[-1] == "." and said in answer])
    return answer.replace(before, f"{before} {said}", 1)


def unknown_day(rng: random.Random, source: str, form: str = "long") -> str:
    """A day that `source` does not hold, in `form`."""
    while True:
        day = date(2019, 1, 1) + timedelta(days=int(rng.random() * 700))
        if not any(written(day, f) in source for f in FORMS):
            return written(day, form)
