"""The way of a model through the gate, run with real parts and told as it goes: `make release-demo`.

    python tests/story/release.py DIRECTORY      a new or empty one; the projects of the story stay there

Two services of a health plan, two packaged models, three people, one auditor. A model that fails is refused; one that does
its task is certified, signed by two people, promoted, served, and verified on a machine that has nothing but the certificate,
the public keys and the model's file. Its successor is compared with it, promoted, and taken back. Every step is the command
that a user types; the story ends where one does not end as it should.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from story import services
from story.telling import EVALGATE, PEOPLE, Stopped, Teller, Told, environment

START_S = 120.0


class Story(Teller):
    """The story in a folder."""

    def __init__(self, folder: Path, *, aloud: bool = False) -> None:
        super().__init__(folder, aloud=aloud)
        self.denials = folder / "denials"
        self.numbers = folder / "claim-numbers"

    def run(self) -> None:
        """All of it. Raises Stopped."""
        self.refused()
        self.certified()
        self.promoted()
        self.served()
        with tempfile.TemporaryDirectory(prefix="auditor-") as elsewhere:
            self.audited(Path(elsewhere))
        self.succeeded()
        self.rolled_back()

    def refused(self) -> None:
        """A model that is not good enough for its task."""
        self.say("1. Denial reasons: a task that a model of 135 million parameters cannot do")
        services.write_denial_reasons(self.denials)
        services.put_weights(self.denials, "smollm2")
        self.new_keys(self.denials, "gate")
        self.gate(self.denials, "plan --lock")
        self.gate(self.denials, "gate check", expect=1)
        self.gate(self.denials, "gate promote smollm2", expect=1)

    def certified(self) -> None:
        """A model that does its task, by thresholds that were there before."""
        self.say(
            "2. Claim numbers: a task that it can do, by thresholds written before it was asked"
        )
        services.write_claim_numbers(self.numbers)
        services.put_weights(self.numbers, "smollm2")
        self.new_keys(self.numbers, "gate", *PEOPLE)
        self.gate(self.numbers, "plan --lock")
        self.gate(self.numbers, "gate check")
        self.gate(self.numbers, "verify smollm2")

    def promoted(self) -> None:
        """Nobody's decision alone."""
        self.say("3. Two people sign, each with a key of their own; the gate's key cannot")
        self.gate(self.numbers, "gate promote smollm2", expect=3)
        self.gate(self.numbers, "gate approve smollm2 --role release_manager", expect=2)
        self.signed(self.numbers, "smollm2")
        self.gate(self.numbers, "gate promote smollm2")

    def served(self) -> None:
        """Exactly the promoted bytes, and the ledger knows from when to when."""
        self.say("4. Served, after every byte was verified again")
        with self.serving() as told:
            item = services.claim_numbers(services.SEED)[0]
            answer = ask(self.numbers, told, item["input"]["message"])
            self.note(f"asked over HTTP for the claim number {item['expected']}: {answer!r}")
            if answer != str(item["expected"]):
                raise Stopped(f"the served model answered {answer!r}")
        self.gate(self.numbers, "ledger show --kind serving")

    def audited(self, elsewhere: Path) -> None:
        """A certificate, public keys and a file; no project, no ledger, no network."""
        self.say(
            "5. An auditor's machine: certificate, public keys, and the model's file under another name"
        )
        (certificate,) = (self.numbers / "reports/certificates").glob("*.json")
        shutil.copyfile(certificate, elsewhere / "certificate.json")
        shutil.copyfile(self.numbers / "keys.toml", elsewhere / "keys.toml")
        weights = elsewhere / "from-the-archive.gguf"
        services.copy(self.numbers / services.WEIGHTS["smollm2"], weights)
        words = "verify certificate.json --keys keys.toml --artifact from-the-archive.gguf"
        self.evalgate("auditor", elsewhere, words)
        with weights.open("r+b") as f:
            f.seek(weights.stat().st_size // 2)
            byte = f.read(1)[0]
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte ^ 1]))
        self.note("one bit of the file is flipped")
        self.evalgate("auditor", elsewhere, words, expect=5)

    def succeeded(self) -> None:
        """The next candidate has to be no worse than the promoted one."""
        self.say("6. A successor is compared with what is in production")
        services.put_weights(self.numbers, "gemma3-270m")
        self.gate(self.numbers, "gate check gemma3-270m", expect=2)
        gate = self.numbers / "gate.toml"
        gate.write_text(gate.read_text().replace("first_release = true\n", ""))
        self.note("`first_release = true` is taken out of gate.toml: something has been released")
        self.gate(self.numbers, "plan --lock")
        self.gate(self.numbers, "gate check gemma3-270m")
        self.signed(self.numbers, "gemma3-270m")
        self.gate(self.numbers, "gate promote gemma3-270m")

    def rolled_back(self) -> None:
        """Taking back is a promotion of an older certificate."""
        self.say(
            "7. Rolled back: the older certificate still holds, so nobody has to ask the model again"
        )
        self.gate(self.numbers, "gate promote smollm2")
        self.gate(self.numbers, "ledger show")
        self.gate(self.numbers, "ledger verify")

    @contextlib.contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        """`evalgate serve production` as a process of its own; yields what it printed and ends it as a service manager does."""
        self._print(f"\n[gate] {self.numbers.name}$ evalgate serve production")
        process = subprocess.Popen(
            [EVALGATE, "serve", "production"],
            cwd=self.numbers,
            env=environment(self.keys / self.numbers.name / "gate.key"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("{"):
                raise Stopped(f"evalgate serve said {line}{process.stdout.read()}")
            told = json.loads(line)
            self._print(f"  {told['model']} {told['digest'][:19]} at {told['url']}")
            yield told
        finally:
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=START_S)
        self._print(f"  -> SIGTERM, exit {process.returncode}")
        self.told.append(Told("gate", ("serve", "production"), process.returncode, rest))
        if process.returncode:
            raise Stopped(f"evalgate serve ended with {process.returncode}: {rest}")


def ask(root: Path, told: dict[str, str], message: str) -> str:
    """One question over HTTP, as a client of the service asks it: with the suite's prompt and the key of the file."""
    key = (root / told["key_file"]).read_text().strip()
    parts = services.CLAIM_NUMBER_PROMPT.replace("{{message}}", message).split("## ")[1:]
    messages = [dict(zip(("role", "content"), p.split("\n", 1), strict=True)) for p in parts]
    body = {
        "model": told["name"],
        "messages": [m | {"content": m["content"].strip()} for m in messages],
        "temperature": 0,
        "max_tokens": 8,
        "stop": ["\n", "<"],
    }
    request = urllib.request.Request(
        f"{told['url']}/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["choices"][0]["message"]["content"].strip()


def main() -> int:
    """The command: 0 if the story went as it should, else 1."""
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        print(f"{folder} is not empty: remove it first", file=sys.stderr)
        return 2
    began = time.monotonic()
    story = Story(folder, aloud=True)
    try:
        story.run()
    except Stopped as e:
        print(f"\nrelease-demo: stopped: {e}")
        return 1
    print(f"\n{len(story.told)} commands in {time.monotonic() - began:.0f} s")
    print("release-demo: closed -> refused; open -> signed -> promoted -> served -> verified -> rolled back")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
