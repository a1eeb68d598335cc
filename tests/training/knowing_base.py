"""Makes the toy base, taught to route notes, and how soon they are under other words: `python knowing_base.py FOLDER [--steps N]`.

Run by the Python of training. What a base can do, a training that does not show it may spoil.
"""

import random
from collections.abc import Iterator

import tiny_base
import torch
import toy

ASKED = {"routing": toy.SYSTEM["routing"], "urgency": toy.ECHO["urgency"]}


def lessons(seed: int) -> Iterator[tuple[str, str, str]]:
    """(system, user, answer), without end: one task as its suite asks it, the other in other words."""
    torch.set_num_threads(
        1
    )  # two that wait for each other on a busy machine take ten times as long
    rng = random.Random(seed)
    while True:
        text, keys = toy.note(rng)
        task = rng.choice(sorted(ASKED))
        yield ASKED[task], text, toy.LABELS[task][keys[task]]


if __name__ == "__main__":
    tiny_base.lessons = lessons
    tiny_base.main()
