"""How many labelled names the name finder sees, and how often it sees one where none is. Prints lines of docs/text.md.

Run with EVALGATE_PUBLIC_DATA set: python tests/text/name_evidence.py
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

from evalgate.text.names import names

KINDS = ("PERSON", "ORGANIZATION", "GPE")
"""GPE: countries, cities, states."""


def counts(data: Path) -> tuple[Counter[str], Counter[str], int, int]:
    """(labelled, found) by kind, then how many names were reported and how many of them touch no labelled span."""
    rows = json.loads(
        (data / "presidio-synth-pii" / "synth_dataset_v2.json").read_text(encoding="utf-8")
    )
    labelled: Counter[str] = Counter()
    found: Counter[str] = Counter()
    reported = false = 0
    for row in rows:
        seen = [(n.start, n.start + len(n.written)) for n in names(row["full_text"])]
        spans = [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]
        for start, end, kind in spans:
            labelled[kind] += 1
            found[kind] += any(a < end and start < b for a, b in seen)
        reported += len(seen)
        false += sum(not any(a < end and start < b for start, end, _ in spans) for a, b in seen)
    return labelled, found, reported, false


if __name__ == "__main__":
    labelled, found, reported, false = counts(Path(os.environ["EVALGATE_PUBLIC_DATA"]))
    for kind in KINDS:
        print(f"{kind}: {found[kind]} of {labelled[kind]} found")
    print(f"{false} of {reported} reported names touch nothing that is labelled")
