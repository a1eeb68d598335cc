"""A small maker for tests of the framework: a grid of words, and a way to use it up."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evalgate.corpus.making.made import Made, Spoiled

NAMES = ("Ana", "Bo", "Cy", "Dee")
ILLS = ("asthma", "gout", "eczema", "migraine", "anemia")


def make(rng: random.Random, index: int) -> Made:
    name, ill = rng.choice(NAMES), rng.choice(ILLS)
    amount = rng.randrange(100, 10_000)
    text = f"{name} has {ill} and paid ${amount}."
    return Made(
        input={"narrative": text},
        expected=[{"label": "DIAGNOSIS", "text": ill, "start": text.index(ill), "end": text.index(ill) + len(ill)}],
        answer=f'[{{"label":"DIAGNOSIS","text":"{ill}"}}]',
        unit=f"made-toy-{rng.getrandbits(40):010x}",
        template="plain",
        seeds={"name": name, "ill": ill},
        invented=(name,),
    )  # fmt: skip


def spoil(made: Made, rng: random.Random) -> Iterator[Spoiled]:
    yield Spoiled(kind="contradiction", answer='[{"label":"DIAGNOSIS","text":"scurvy"}]')
