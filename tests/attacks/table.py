"""Runs every attack and writes what came of it into docs/attacks.md, between its two marks: `python -m tests.attacks.table`.

With words as arguments only the attacks whose name has one of them are run, and printed.
"""

from __future__ import annotations

import re
import sys
import tempfile
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # it is a script, too

from attacks.attacks import ATTACKS, Attack
from attacks.world import Done, build

PAGE = Path(__file__).parents[2] / "docs/attacks.md"
MARKS = ("<!-- written by python -m tests.attacks.table -->\n", "<!-- until here -->\n")
_VOLATILE = (
    (r"\S*/w\d+/", ""),  # the copy's directory
    (r"\d{8}T\d{12}-(\w+)-\w+\.json", r"….json"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"(ed25519|sha256):[0-9a-f]+", r"\1:…"),
    (r"(triage/)[0-9a-f]{16}", r"\1…"),
    (r"86\d{3} s", "a day"),
    (r":?\s{2,}", ": "),
)
_MOST = 200  # characters of a message


def told(done: Done, attack: Attack) -> str:
    """The line of the output that names the culprit, without what differs from run to run."""
    line = next((each.strip() for each in done.said.splitlines() if attack.says in each), "")
    line = line.lstrip("✗✓– ")
    for pattern, plain in _VOLATILE:
        line = re.sub(pattern, plain, line)
    line = line.replace("|", "\\|")
    return line if len(line) <= _MOST else f"{line[:_MOST].rsplit(' ', 1)[0]} …"


def rows(attacks: list[Attack]) -> dict[str, tuple[int, str]]:
    """Exit code and message of each attack, by its name. Raises AssertionError for one that is not refused as it must be."""
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        stages = build(Path(temporary) / "stages")
        for number, attack in enumerate(attacks):
            done = attack.run(stages[attack.stage].copy(Path(temporary) / f"w{number}"))
            assert done.exit in attack.exits, (attack.name, done)
            assert attack.says in done.said, (attack.name, done)
            found[attack.name] = done.exit, told(done, attack)
            print(done.exit, attack.name, file=sys.stderr, flush=True)
    return found


def table(attacks: list[Attack]) -> str:
    """The outcomes as Markdown, a table for each group."""
    found = rows(attacks)
    parts = []
    for group, members in groupby(attacks, key=lambda attack: attack.group):
        parts += [
            f"### {group}\n",
            "| attack | command | exit | what it says |",
            "|---|---|---|---|",
        ]
        for attack in members:
            code, said = found[attack.name]
            command = " ".join(attack.command)
            parts.append(f"| {attack.name} | `{command}` | {code} | {said} |")
        parts.append("")
    return "\n".join(parts)


def main(words: list[str]) -> None:
    chosen = [a for a in ATTACKS if not words or any(word in a.name for word in words)]
    text = table(chosen)
    if words:
        print(text)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n{text}{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
