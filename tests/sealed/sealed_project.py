"""The tests' small project with a sealed set beside its dev set, and a seal key outside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness import CARD, LABELS, Project
from models import stand_in

from evalgate.authored.keyring import SUITES
from evalgate.errors import Undecided
from evalgate.gate.approval import require_approved
from evalgate.gate.plan import judge_of, lock_plan
from evalgate.store.signer import gate_signer, keyring_of, make_key
from evalgate.suite import load_project

TESTS = Path(__file__).parents[1]

SECRET = "Mrs Quillfeather"  # in every sealed question; nowhere else


def sealed_items(n: int = 160, first: int = 5000) -> list[dict]:
    """n items, one unit each, apart from the dev set's; the number in the text names the right answer."""
    return [
        {
            "id": f"s-{i:04d}",
            "input": {"text": f"request <{i:04d}> of {SECRET}"},
            "expected": LABELS[i % len(LABELS)],
            "unit": f"sealed-member-{i}",
            "tags": (["spanish"] if i % 3 == 0 else []) + (["must_pass"] if i < first + 5 else []),
        }
        for i in range(first, first + n)
    ]


SERVER = """\
#!{python}
import sys
sys.path[:0] = [{tests!r}, {tests!r} + "/models"]
import harness, stand_in
right = harness.right

def answer(messages):
    # of a model called wrong-NN the first NN of every hundred items come out wrong
    told = " ".join(sys.argv).partition("models/wrong-")[2][:2]
    number = int(messages[-1]["content"].split("<")[1][:4])
    if told and number % 100 < int(told):
        return harness.LABELS[(number + 1) % len(harness.LABELS)]
    return right(messages)

harness.right = answer
sys.exit(stand_in.main({{"slow": 0.02}} if "models/slow" in " ".join(sys.argv) else {{}}))
"""
MODEL = """\
[models.{name}]
artifact = "models/{name}"
server = "vllm"
licence = "Apache-2.0"

"""


class SealedProject(Project):
    """A project whose gate holds the seal key; the developers' commands run without it.

    `models` are directories that a stand-in for vLLM serves: `good` makes no error, `wrong-20` is wrong on a fifth.
    """

    def __init__(
        self,
        root: Path,
        *,
        models: tuple[str, ...] = ("good",),
        items: list[dict] | None = None,
        attempts: int = 3,
    ) -> None:
        super().__init__(root / "project", "http://127.0.0.1:9/v1")
        python = self.write(
            "venv/bin/python", SERVER.format(python=sys.executable, tests=str(TESTS))
        )
        python.chmod(0o755)
        self.serve(*models)
        self.vault = root / "vault"
        self.vault.mkdir()
        self.key = self.vault / "seal.key"
        self.edit(
            "gate.toml", "first_release = true", f"first_release = true\nattempts = {attempts}"
        )
        self.edit("gate.toml", "accuracy = { min = 0.85 }", "accuracy = { min = 0.80 }")
        self.edit("gate.toml", "{ min = 0.70 }", "{ min = 0.60 }")
        self.plain(sealed_items() if items is None else items)

    def serve(self, *models: str) -> None:
        """The models of evalgate.toml, the first one as candidate; each has bytes of its own."""
        for name in models:
            if not (self.root / "models" / name).exists():
                stand_in.model(self.root / "models" / name, called=name)
        tables = "".join(MODEL.format(name=name) for name in models)
        self.write(
            "evalgate.toml",
            f'{tables}[servers.vllm]\npython = "venv/bin/python"\n\n[default]\ncandidate = "{models[0]}"\n',
        )

    def plain(self, items: list[dict], *, version: str = "1", date: str | None = None) -> Path:
        """The plain set and its card in the vault."""
        card = CARD.replace('split = "dev"', 'split = "sealed"').replace(
            'version = "1"', f'version = "{version}"'
        )
        if date:
            card = card.replace("date = 2026-11-23", f"date = {date}")
        (self.vault / "triage.toml").write_text(card, encoding="utf-8")
        path = self.vault / "triage.jsonl"
        path.write_text("".join(json.dumps(i) + "\n" for i in items), encoding="utf-8")
        return path

    def as_gate(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command as the gate's identity runs it."""
        return self.evalgate(*args, EVALGATE_SEAL_KEY_FILE=str(self.key), **env)

    def seal(self, *args: str) -> subprocess.CompletedProcess[str]:
        """`gold seal`, with a new key the first time."""
        source = ("--from", str(self.vault / "triage.jsonl"))
        if self.key.exists():
            return self.as_gate("gold", "seal", "triage", *source, *args)
        new = ("--new-key", str(self.key))
        done = self.evalgate("gold", "seal", "triage", *source, *new, *args)
        if done.returncode == 0:
            self.approve()
        return done

    def check(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`gate check --sealed`, after somebody has approved the suites as they are."""
        self.approve()
        return self.as_gate("gate", "check", "--sealed", *args, **env)

    def approve(self) -> None:
        """Locks the plan and has its suites read and signed, as far as that is not so already."""
        keyring = keyring_of(self.root)
        gate_signer(self.root, keyring)  # as the first check would make its development key
        if "reader" not in keyring_of(self.root).keys:
            make_key(
                self.root,
                "reader",
                roles=(SUITES,),
                holder="Q. Reader",
                out=self.vault / "reader.key",
            )
        try:
            require_approved(self.root)
        except Undecided:
            self.lock()
            done = self.evalgate(
                "plan", "--approve", EVALGATE_KEY_FILE=str(self.vault / "reader.key")
            )
            assert done.returncode == 0, done.stderr

    def lock(self) -> None:
        """Locks the plan as it stands."""
        project = load_project(self.root)
        lock_plan(project, judge_of(project), "a test changed it")

    def bundles(self) -> list[Path]:
        """Of the sealed checks so far, oldest first."""
        return sorted(self.root.glob("reports/sealed/*.bundle"))

    def ledger(self) -> list[dict]:
        """The entries of the ledger, but locked plans and their approvals."""
        path = self.root / "reports/ledger.jsonl"
        if not path.exists():
            return []
        entries = [json.loads(line)["entry"] for line in path.read_text().splitlines()]
        return [entry for entry in entries if entry["kind"] not in ("plan", "approval")]
