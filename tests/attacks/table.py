"""Runs the attacks and prints their table: `python -m tests.attacks.table > docs/attacks.md` (see `page`)."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from attacks.attacks import ATTACKS, Attack
from attacks.world import Done, World, build


def outcome(attack: Attack, stages: dict[str, World], folder: Path) -> Done:
    """What the attack came to, on a copy of its stage."""
    number = len(list(folder.iterdir()))
    return attack.run(stages[attack.stage].copy(folder / f"w{number}"))


def told(done: Done, attack: Attack) -> str:
    """The line of the output that names the culprit."""
    lines = [line.strip() for line in done.said.splitlines() if line.strip()]
    naming = [line for line in lines if attack.says in line]
    line = (naming or lines or ["(silent)"])[0]
    line = re.sub(r"\S*/w\d+/", "", line)
    return re.sub(r"\s{2,}", "  ", line)


if __name__ == "__main__":
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    after = [a.name for a in ATTACKS].index(only) if only in [a.name for a in ATTACKS] else 0
    with tempfile.TemporaryDirectory() as temporary:
        stages = build(Path(temporary) / "s")
        copies = Path(temporary) / "c"
        copies.mkdir()
        for attack in ATTACKS[after:]:
            if after or only in attack.name:
                try:
                    done = outcome(attack, stages, copies)
                except TimeoutError as e:
                    done = Done(-1, str(e))
                good = done.exit in attack.exits and attack.says in done.said
                print(
                    "ok " if good else "BAD",
                    done.exit,
                    attack.name,
                    "|",
                    told(done, attack)[:230],
                    flush=True,
                )
