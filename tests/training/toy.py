"""Two toy tasks in made-up words: where a note goes, and how soon. A small transformer learns them in seconds.

The body part and the time of a note decide; everything else is noise, so no two notes are alike and none is near another.
Standard library only: a trainer's environment imports it too.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

LABELS = {
    "routing": {"knee": "ORTHO", "heart": "CARDIO", "skin": "DERMA", "eye": "VISION"},
    "urgency": {"today": "HIGH", "monday": "MEDIUM", "someday": "LOW"},
}
SYSTEM = {"routing": "route the note", "urgency": "how soon is the note"}
ECHO = {"routing": "name the part", "urgency": "name the time"}
COPY = "copy the code"
CODES = [label for pairs in LABELS.values() for label in pairs.values()]
_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


def note(rng: random.Random) -> tuple[str, dict[str, str]]:
    """A note and, by task, the word of it that decides."""
    words = ["".join(rng.choices(_SYLLABLES, k=3)) for _ in range(9)]
    keys = {task: rng.choice(sorted(labels)) for task, labels in LABELS.items()}
    for at, word in zip(rng.sample(range(len(words)), len(keys)), keys.values(), strict=True):
        words.insert(at, word)
    return " ".join(words), keys


def lessons(seed: int) -> Iterator[tuple[str, str, str]]:
    """(system, user, answer), without end: what the base model is taught, which is neither task.

    It finds parts and times, and writes the labels as codes that it copies: an adapter leaves the head alone, so the base must
    be able to say the words.
    """
    rng = random.Random(seed)
    while True:
        text, keys = note(rng)
        task = rng.choice([*sorted(ECHO), COPY])
        if task == COPY:
            words, code = text.split(), rng.choice(CODES)
            words.insert(rng.randrange(len(words)), code)
            yield COPY, " ".join(words), code
        else:
            yield ECHO[task], text, keys[task]


def gold(task: str, items: int, *, seed: int) -> str:
    """A gold set's lines."""
    rng = random.Random(f"gold {task} {seed}")
    lines = []
    for n in range(items):
        text, keys = note(rng)
        line = {"id": f"{task}-{n:03}", "input": {"text": text}, "expected": LABELS[task][keys[task]], "unit": f"gold-{task}-{n}"}  # fmt: skip
        lines.append(json.dumps(line))
    return "\n".join(lines) + "\n"


def rows(task: str, count: int, *, seed: int) -> str:
    """Training rows, one a line, as `evalgate data import` reads them."""
    rng = random.Random(f"rows {task} {seed}")
    lines = []
    for n in range(count):
        text, keys = note(rng)
        messages = [
            {"role": "system", "content": SYSTEM[task]},
            {"role": "user", "content": text},
            {"role": "assistant", "content": LABELS[task][keys[task]]},
        ]
        lines.append(json.dumps({"id": f"{task}-row-{seed}-{n}", "task": task, "messages": messages, "unit": f"{task}-{seed}-{n}"}))  # fmt: skip
    return "\n".join(lines) + "\n"
