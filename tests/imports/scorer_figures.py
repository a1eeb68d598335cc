"""The table of docs/import.md: evalgate's entity scores beside those of independent scorers.

    EVALGATE_PUBLIC_DATA=... python tests/imports/scorer_figures.py [PROJECT]

PROJECT: a directory in which `gate check` has asked a model about real reports (see real_reports.py).
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from answered import by_place, by_text, gold_and_guesses
from real_reports import public_data
from scorers import as_places, brat_predictions, iob_scores, ours, theirs


def row(what: str, scorer: str, found: tuple[float, ...], independent: tuple[float, ...]) -> None:
    """One line of the table."""
    apart = max(abs(a - b) for a, b in zip(found, independent, strict=True))
    print(f"| {what} | {scorer} | " + " | ".join(f"{x:.4f}" for x in found) + f" | {apart:.0e} |")


def main() -> None:
    print(
        "| predictions | against | precision | recall | F1 | largest difference |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = public_data("maccrobat2020")
        gold, guesses = brat_predictions(source, folder, random.Random(0), slice(None))
        row(
            "case reports, perturbed, by place",
            "nervaluate",
            ours(gold, guesses),
            theirs(gold, guesses),
        )
        texts = ours(gold, guesses, match="exact"), theirs(*as_places(gold, guesses))
        row("case reports, perturbed, by text", "nervaluate", *texts)
        for corpus in ("BC5CDR-IOB", "NCBI-disease-IOB"):
            path = public_data("bc5cdr-ncbi") / corpus / "devel.tsv"
            row(f"{corpus}, perturbed tags", "seqeval", *iob_scores(path, folder, random.Random(7)))
        order = theirs(gold, guesses, exact_first=False)
    for project in map(Path, sys.argv[1:]):
        items, guesses = gold_and_guesses(project)
        row("case reports, answers of the model, by text", "nervaluate", *by_text(items, guesses))
        row("case reports, answers of the model, by place", "nervaluate", *by_place(items, guesses))
    print(
        "\nnervaluate on the first line's guesses as they came:",
        " ".join(f"{x:.4f}" for x in order),
    )


if __name__ == "__main__":
    main()
