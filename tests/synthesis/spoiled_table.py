"""Prints how many planted faults the five suites catch: `python tests/synthesis/spoiled_table.py [TASK ...]`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from spoiling import Bench

from evalgate.corpus.synthesis import TASKS

SHARES = (0.1, 0.3)
ITEMS = {"denial_reasons": 420, "claim_entities": 420}


def main(tasks: Sequence[str] = TASKS, most: int = 420) -> None:
    """One table row a fault: planted, caught, by which measures, and what the gate decides at shares of it and at all."""
    shares = [*(f"{share:.0%}" for share in SHARES), "all"]
    head = ["task", "fault", "planted", "caught", "by `correct`", "by", *shares]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for task in tasks:
        items = min(most, ITEMS.get(task, 250))
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(task, items, Path(folder))
            whole = sum(min(marks.values()) == 1 for marks in bench.before.values())
            right, unmet = bench.decision(bench.right())
            print(f"| {task} | none: the right answers | {items} | {items - whole} | | | {right} {' '.join(unmet)} |", flush=True)  # fmt: skip
            for kind in bench.kinds:
                print(row(bench, kind), flush=True)


def row(bench: Bench, kind: str) -> str:
    """The table's row of one kind of fault."""
    found = bench.caught(kind)
    others = [n for n, _ in found.by.most_common(4) if n != "correct"]
    all_of_it = len(bench.faulty(kind)) / len(bench.made)
    planted = (bench.planted(kind, share) for share in (*SHARES, all_of_it))
    decided = [bench.decision(texts)[0] if texts else "–" for texts in planted]
    cells = [bench.task, kind, found.planted, found.seen, found.by["correct"], ", ".join(others)]
    return f"| {' | '.join(map(str, [*cells, *decided]))} |"


if __name__ == "__main__":
    main(sys.argv[1:] or TASKS)
