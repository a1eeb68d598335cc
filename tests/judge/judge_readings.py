"""Invented readings: what a judge and clinicians might have said of outputs whose truth is drawn."""

from __future__ import annotations

import random

import msgspec

from evalgate.authored.rubric import Criterion
from evalgate.judge.qualification import Reading

FAULT = Criterion(id="invented-fact", ask="A fact is invented.", points=-10)
MUST = Criterion(id="states-reason", ask="The reason is stated.", points=8)
SCALE = Criterion(id="plain", ask="How plain is it?", points=5, kind="scale", anchors=("a",) * 5)


def critical(criterion: Criterion) -> Criterion:
    return msgspec.structs.replace(criterion, critical=True)


def word(criterion: Criterion, *, sound: bool) -> str:
    """What somebody answers who finds the output sound, or faulty."""
    if criterion.kind == "scale":
        return "5" if sound else "1"
    return "met" if sound != criterion.fault else "not_met"


def reading(at: int, judge: str, *people: str, **more) -> Reading:
    raters = {f"r{n}": answer for n, answer in enumerate(people)}
    given = {"item": f"i{at:04}", "unit": f"u{at:04}", "judge": judge, "clinicians": raters}
    return Reading(**{**given, **more})


def agreed(criterion: Criterion, sound: int, faulty: int, **more) -> list[Reading]:
    """Everybody says the same: so many outputs in order, so many faulty; the judge was asked again and said it again."""
    said = [word(criterion, sound=True)] * sound + [word(criterion, sound=False)] * faulty
    return [
        reading(at, answer, answer, answer, **{"repeats": (answer, answer), **more})
        for at, answer in enumerate(said)
    ]


def drawn(
    criterion: Criterion,
    items: int,
    *,
    right: float,
    wrong: float,
    people: float = 0.95,
    faulty: float = 0.25,
    raters: int = 2,
    settled: bool = False,
    seed: int = 0,
) -> list[Reading]:
    """The judge recognises sound outputs with probability `right`, faulty ones with `wrong`; people both with `people`."""
    rng = random.Random(seed)
    found = []
    for at in range(items):
        sound = rng.random() >= faulty

        def says(probability: float, sound: bool = sound) -> str:
            return word(criterion, sound=sound == (rng.random() < probability))

        judge = says(right if sound else wrong)
        answers = [says(people) for _ in range(raters)]
        length = rng.randrange(100, 3_000)
        truth = word(criterion, sound=sound) if settled and len(set(answers)) > 1 else ""
        found.append(
            reading(at, judge, *answers, repeats=(judge, judge), length=length, adjudicated=truth)
        )
    return found
