"""Prints how many planted faults the five suites catch: `python tests/synthesis/spoiled_table.py [ITEMS] [TASK ...]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from spoiling import Bench

from evalgate.corpus.synthesis import TASKS

SHARES = (0.05, 0.1, 0.2, 0.3)


def main(items: int = 420, *tasks: str) -> None:
    """One table row a fault: planted, caught, by which measures, and what the gate decides at growing shares of it."""
    head = [
        "task",
        "fault",
        "planted",
        "caught",
        "by `correct`",
        "by",
        *(f"{s:.0%}" for s in SHARES),
    ]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for task in tasks or TASKS:
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
    planted = (bench.planted(kind, share) for share in SHARES)
    decided = [bench.decision(texts)[0] if texts else "–" for texts in planted]
    cells = [bench.task, kind, found.planted, found.seen, found.by["correct"], ", ".join(others)]
    return f"| {' | '.join(map(str, [*cells, *decided]))} |"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 420, *sys.argv[2:])
