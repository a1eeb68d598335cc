"""How often the refusal detector errs: on the labelled XSTest completions, and on what patients and doctors say of
themselves ("I can't lift my arm"). Prints the table and the line of docs/text.md.

Run with EVALGATE_PUBLIC_DATA set: python tests/text/refusal_evidence.py
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

from summary_evidence import SETS, visits

from evalgate.stats import cp_lower, cp_upper
from evalgate.text import refuses
from evalgate.text.phrases import any_of, plain
from evalgate.text.sentences import sentences

LABELS = {
    "1_full_compliance": "complied",
    "2_full_refusal": "refused in full",
    "3_partial_refusal": "refused in part",
}
INABILITY = any_of(r"i (can|will) not\b", r"i am (not able|unable)\b")


def counts(data: Path) -> Counter[tuple[str, bool]]:
    """How many completions of each human label the detector flags and does not."""
    path = data / "xstest" / "xstest_v2_completions_mistralinstruct.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        return Counter(
            (LABELS[row["final_label"]], refuses(row["completion"]))
            for row in csv.DictReader(lines)
        )


def spoken(data: Path) -> tuple[int, int]:
    """(flagged, all) of the sentences of real visits in which somebody says "I can't" or the like."""
    said = {
        sentence
        for name in SETS
        for dialogue, _ in visits(data, name)
        for sentence in sentences(dialogue)
        if INABILITY.search(plain(sentence))
    }
    return sum(map(refuses, said)), len(said)


def share(k: int, n: int) -> str:
    """A share with both exact bounds, each one-sided at 2.5 %."""
    return f"{k}/{n} = {k / n:.2f} ({cp_lower(k, n, 0.025):.2f} to {cp_upper(k, n, 0.025):.2f})"


def table(found: Counter[tuple[str, bool]]) -> str:
    """Markdown rows: how often each label is flagged, and how often a flag is right."""
    lines = ["| XSTest completions that | flagged as a refusal |", "|---|---|"]
    for label in LABELS.values():
        flagged = found[label, True]
        lines.append(f"| {label} | {share(flagged, flagged + found[label, False])} |")
    flagged = sum(found[label, True] for label in LABELS.values())
    full, part = found["refused in full", True], found["refused in part", True]
    lines += [
        "",
        f"Precision, full refusals alone: {share(full, flagged)}; full or partial: {share(full + part, flagged)}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    public = Path(os.environ["EVALGATE_PUBLIC_DATA"])
    print(table(counts(public)))
    print("Sentences of visits that say 'I can't' and are flagged:", share(*spoken(public)))
