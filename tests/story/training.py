"""The way of a base model that is not good enough to a promoted candidate, or to an honest no: `make story`.

    python tests/story/training.py DIRECTORY --python PYTHON [--model tiny|smollm2]

Every step is the command that a user types. The last line is `story: closed -> open -> promoted`, or `story: closed -> closed: REASON`
where the candidate did not reach thresholds that were there before it; both are a story that went as it should.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from story.telling import PEOPLE, Stopped, Teller
from story.trained_services import SERVICES, Service

CANDIDATE = "rc1"
ALL = 1000  # lines


class TrainingStory(Teller):
    """The story of one service in a folder. `end`: how it ended."""

    def __init__(self, folder: Path, service: Service, python: str, *, aloud: bool = False) -> None:
        super().__init__(folder, aloud=aloud)
        self.root = folder / service.name
        self.end = ""
        self._service = service
        self._python = python

    def run(self) -> None:
        """All of it. Raises Stopped."""
        self.prepared()
        self.closed()
        self.admitted()
        why = self.trained()
        self.compared()
        if why:
            self.say("6. Refused: nobody can promote what is not open")
            self.gate(self.root, f"gate promote {CANDIDATE}", expect=(1, 3))
            self.end = f"closed -> closed: {why}"
            return
        self.say("6. Open: two people sign, and the alias moves")
        self.signed(self.root, CANDIDATE)
        self.gate(self.root, f"gate promote {CANDIDATE}")
        self.gate(self.root, f"verify {CANDIDATE}")
        self.gate(self.root, "ledger verify")
        self.end = "closed -> open -> promoted"

    def prepared(self) -> None:
        self.say(
            "1. Suites, gold sets, thresholds and the recipe are there before anything is trained"
        )
        self._service.write(self.root, self._python)
        self.new_keys(self.root, "gate", *PEOPLE)
        self.commands(self._service.weights)

    def closed(self) -> None:
        self.say("2. The base model, as it comes")
        self.gate(self.root, f"gate check {self._service.base}", expect=1)

    def admitted(self) -> None:
        self.say(
            "3. Data with terms, without gold and without people; the plan is locked; before that nothing is trained"
        )
        self.commands(self._service.data)
        self.gate(self.root, f"gate train trainers/{CANDIDATE}.toml --admit-only", expect=1)
        self.gate(self.root, "plan --lock")

    def trained(self) -> str:
        """Trains and checks the candidate; why it is not open, "" if it is."""
        self.say("4. Trained, registered and checked; nothing is promoted")
        told = self.gate(self.root, f"gate train trainers/{CANDIDATE}.toml", expect=(0, 1, 3))
        if told.code == 0:
            return ""
        kept = self.gate(self.root, f"report {CANDIDATE} --format json", shown=0)
        short = [
            f"{f['suite']}.{f['test']} {f['estimate']:.3f} [{f['low']:.3f}, {f['high']:.3f}] {f['status']}"
            for f in json.loads(kept.out)["findings"]
            if f["status"] != "pass"
        ]
        return "; ".join(short) or told.last

    def compared(self) -> None:
        self.say("5. Before and after, every claim of every task with its interval")
        self.gate(self.root, f"run diff {self._service.base} {CANDIDATE}", shown=ALL)

    def commands(self, commands: tuple[str, ...]) -> None:
        for command in commands:
            self.gate(self.root, command)


def main() -> int:
    """The command: 0 if the story went as it should, whatever the gate decided of the candidate; else 1."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--model", choices=sorted(SERVICES), default="smollm2")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        print(f"{folder} is not empty: remove it first", file=sys.stderr)
        return 2
    began = time.monotonic()
    python = str(Path(given.python).absolute())
    story = TrainingStory(folder, SERVICES[given.model], python, aloud=True)
    try:
        story.run()
    except Stopped as e:
        print(f"\nstory: stopped: {e}")
        return 1
    print(f"\n{len(story.told)} commands in {time.monotonic() - began:.0f} s")
    print(f"story: {story.end}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
