"""The model's real answers to the real case reports, scored twice: by the gate's own findings, and by nervaluate."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from scorers import as_places, ours, theirs

from evalgate import Entity, parse_json


def gold_and_guesses(root: Path):
    """Entities expected and entities answered, by report; None where the answer is cut off or cannot be parsed."""
    lines = (root / "goldsets/case_reports.jsonl").read_text("utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    parse = parse_json(list[Entity])
    (run,) = root.glob("reports/runs/case_reports/*/answers.jsonl")
    answers = {
        row["id"]: row
        for row in (json.loads(line)["row"] for line in run.read_text("utf-8").splitlines())
    }
    assert answers.keys() == {item["id"] for item in items}
    guesses = []
    for item in items:
        row = answers[item["id"]]
        parsed = parse(row["text"]) if row["finish"] == "stop" else None
        guesses.append(None if parsed is None else msgspec.to_builtins(parsed))
    return items, guesses


def by_text(items, guesses):
    """((precision, recall, F1) of evalgate, of nervaluate), micro, a text being right wherever it stands."""
    gold = [item["expected"] for item in items]
    return ours(gold, guesses, match="exact"), theirs(*as_places(gold, guesses))


def by_place(items, guesses):
    """The same, each guessed text put where it stands first in its report (behind the end, where it does not)."""
    gold = [item["expected"] for item in items]
    placed = []
    for item, guess in zip(items, guesses, strict=True):
        text, taken = item["input"]["text"], set()
        here = None if guess is None else []
        for n, entity in enumerate(guess or ()):
            start = text.find(entity["text"])
            while start >= 0 and (entity["label"], start) in taken:
                start = text.find(entity["text"], start + 1)
            start = len(text) + 1000 * n if start < 0 else start
            taken.add((entity["label"], start))
            here.append({**entity, "start": start, "end": start + len(entity["text"])})
        placed.append(here)
    return ours(gold, placed), theirs(gold, placed)


def unit_means(items, guesses):
    """Means over the reports of what nervaluate says of each: precision, recall, F1. What the gate's findings estimate."""
    gold, places = as_places([item["expected"] for item in items], guesses)
    each = [theirs([g], [p]) for g, p in zip(gold, places, strict=True)]
    return tuple(sum(column) / len(each) for column in zip(*each, strict=True))
