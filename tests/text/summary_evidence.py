"""Reference notes of public visits scored as answers: as they are, with wrong numbers, truncated, and of another visit.

Prints the tables of docs/text.md. Run with EVALGATE_PUBLIC_DATA set: python tests/text/summary_evidence.py
"""

from __future__ import annotations

import csv
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from evalgate import text
from evalgate.text.sentences import sentences
from evalgate.text.tokens import tokens

PLANTED = 3
"""Numbers changed in a note, or all that it has."""

SETS = {
    "aci-bench": (
        ("train.csv", "valid.csv", "clinicalnlp_taskB_test1.csv"),
        ("dialogue", "note"),
    ),
    "mts-dialog": (
        ("MTS-Dialog-TrainingSet.csv", "MTS-Dialog-ValidationSet.csv", "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv"),
        ("dialogue", "section_text"),
    ),
}  # fmt: skip


def visits(data: Path, name: str, *, least: int = 20) -> list[tuple[str, str]]:
    """(dialogue, note) of every visit whose note has at least `least` words: shorter ones have no half to cut off."""
    files, columns = SETS[name]
    found = []
    for file in files:
        with (data / name / file).open(encoding="utf-8-sig", newline="") as lines:
            found += [(row[columns[0]], row[columns[1]]) for row in csv.DictReader(lines)]
    return [(dialogue, note) for dialogue, note in found if text.words(note) >= least]


def truncated(note: str) -> str:
    """The first half of a note's words."""
    pieces = re.findall(r"\S+\s*", note)
    return "".join(pieces[: len(pieces) // 2])


def misnumbered(note: str, seed: int) -> tuple[str, list[str]]:
    """`note` with PLANTED of its numbers changed to values it does not hold, and those values as written."""
    rng = random.Random(seed)
    found = [  # whole numbers, no list numbers
        t
        for t in tokens(note)
        if t.kind == "number"
        and note[t.start : t.end].isdigit()
        and note[t.end : t.end + 1] not in (".", ")")
    ]
    held = {t.value for t in tokens(note) if t.kind == "number"}
    chosen = sorted(rng.sample(found, min(PLANTED, len(found))), key=lambda t: -t.start)
    planted = []
    for token in chosen:
        value = int(token.value)
        while str(value) in held:
            value = int(token.value) + rng.choice([1, 2, 3, 5, 10, 20, 30]) * (1 + value % 3)
        held.add(str(value))
        planted.append(str(value))
        note = note[: token.start] + str(value) + note[token.end :]
    return note, planted


def figures(note: str) -> list[list[list[str]]]:
    """The note's own facts: each sentence's first figure with the sentence's longest word."""
    facts = []
    for sentence in sentences(note):
        found = tokens(sentence)
        numbers = [t for t in found if t.kind != "word" and not t.spelled]
        named = sorted((t.value for t in found if t.kind == "word"), key=len)
        if numbers and named:
            facts.append([[sentence[numbers[0].start : numbers[0].end]], [named[-1]]])
    return facts


def variants(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The four answers to each visit, in the order in which scores should fall."""
    notes = [note for _, note in pairs]
    return {
        "the note itself": notes,
        "wrong numbers": [misnumbered(note, seed)[0] for seed, note in enumerate(notes)],
        "first half": [truncated(note) for note in notes],
        "another visit's note": notes[1:] + notes[:1],
    }


def unsupported_numbers(answer: str, source: str) -> int:
    """How many figures and dates of `answer` its source does not hold."""
    return len(text.unsupported(answer, source, kinds=("number", "date")))


def means(pairs: list[tuple[str, str]]) -> dict[str, dict[str, float]]:
    """Mean of every score, for every variant."""
    measured: dict[str, Callable[[str, str, str], float]] = {
        "ROUGE-L": lambda answer, _, note: text.rouge_l(answer, note),
        "chrF": lambda answer, _, note: text.chrf(answer, note),
        "figures covered": lambda answer, _, note: text.coverage(answer, figures(note)),
        "unsupported figures, source: note": lambda answer, _, note: unsupported_numbers(
            answer, note
        ),
        "unsupported figures, source: dialogue": lambda answer, talk, _: unsupported_numbers(
            answer, talk
        ),
    }
    return {
        variant: {
            name: fmean(
                score(answer, talk, note)
                for answer, (talk, note) in zip(answers, pairs, strict=True)
            )
            for name, score in measured.items()
        }
        for variant, answers in variants(pairs).items()
    }


def planted_found(pairs: list[tuple[str, str]], *, dialogue: bool) -> tuple[int, int]:
    """(reported, planted) wrong numbers, with the note or with the dialogue as source."""
    reported = total = 0
    for seed, (talk, note) in enumerate(pairs):
        answer, planted = misnumbered(note, seed)
        found = set(text.unsupported(answer, talk if dialogue else note, kinds=("number", "date")))
        values = {t.value for written in found for t in tokens(written)}
        reported += sum(p in values for p in planted)
        total += len(planted)
    return reported, total


def report(data: Path) -> str:
    """Markdown: one table per data set."""
    lines = []
    for name in SETS:
        pairs = visits(data, name)
        table = means(pairs)
        head = list(next(iter(table.values())))
        lines += [
            "",
            f"{name}, {len(pairs)} notes:",
            "",
            f"| answer | {' | '.join(head)} |",
            "|---" * (len(head) + 1) + "|",
        ]
        lines += [
            f"| {variant} | {' | '.join(f'{row[h]:.2f}' for h in head)} |"
            for variant, row in table.items()
        ]
        own, talk = planted_found(pairs, dialogue=False), planted_found(pairs, dialogue=True)
        lines += [
            "",
            f"Planted numbers reported: {own[0]} of {own[1]} with the note as source, {talk[0]} of {talk[1]} with the dialogue.",
        ]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    print(report(Path(os.environ["EVALGATE_PUBLIC_DATA"])))
