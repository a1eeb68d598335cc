"""A project with a model in production and challengers whose right and wrong answers a test decides: real keys, ledger and commands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from attacks.world import PEOPLE, Done, World
from harness import CARD, DECLARED, PROMPT, gold_items
from models import stand_in

SUITE = f'''\
"""Triage of short requests."""
import pytest

from evalgate import Suite, accuracy, parse_label, rate

{DECLARED}
def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))

@pytest.mark.parametrize("tag", ["spanish"])
def test_slice_accuracy(answers, threshold, tag):
    assert threshold.met_by(accuracy(answers, tag=tag))

def test_failed_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))
'''
GATE = """\
[gate]
alpha = 0.05
attempts = 2
require_sealed = false
sign_off = ["clinical_lead", "release_manager"]

[gate.switch]
claims = { "triage.accuracy" = 0.02 }
margin = -0.03
margins = { "triage.slice_accuracy[spanish]" = -0.10 }

[triage]
accuracy = { min = 0.75 }
"slice_accuracy[spanish]" = { min = 0.30 }
failed_rate = { max = 0.05 }
"""
MODEL = '\n[models.{name}]\nartifact = "models/{name}"\nserver = "vllm"\nlicence = "{licence}"\n'
ITEMS = 300
SPANISH = range(0, ITEMS, 5)
WRONG = [n for n in range(ITEMS) if n % 7 == 3]  # of the model in production
BETTER = WRONG[:8]


class SwitchWorld(World):
    """`production` answers a seventh wrongly and is promoted; challengers come by `challenger`."""

    @classmethod
    def build(cls, root: Path) -> SwitchWorld:
        world = cls(root)
        world.write("suites/test_triage.py", SUITE)
        world.write("suites/prompts/triage.md", PROMPT)
        world.write("gate.toml", GATE)
        world.write("goldsets/triage.toml", CARD)
        items = [item | {"tags": ["spanish"] * (n in SPANISH)} for n, item in enumerate(gold_items(ITEMS))]  # fmt: skip
        world.write("goldsets/triage.jsonl", "".join(json.dumps(i) + "\n" for i in items))
        world.write("evalgate.toml", '[servers.vllm]\npython = "venv/bin/python"\n\n[default]\ncandidate = "production"\n')  # fmt: skip
        stand_in.environment(root / "venv/bin")
        world.challenger("production", WRONG)
        world.run("keys", "init", "--holder", "the gate's account")
        for name, role, holder in PEOPLE:
            world.run("keys", "init", name, "--role", role, "--holder", holder)
        world.run("plan", "--lock")
        world.run("gate", "check", "production")
        world.promote("production")
        return world

    def challenger(self, name: str, wrong: Iterable[int], *, licence: str = "Apache-2.0") -> None:
        """A model of that name that answers the items `wrong` wrongly."""
        stand_in.model(self.root / "models" / name, wrong=sorted(wrong), made=name)
        with (self.root / "evalgate.toml").open("a") as f:
            f.write(MODEL.format(name=name, licence=licence))

    def run(self, *args: str, expect: int = 0) -> Done:
        done = self.evalgate(*args)
        assert done.exit == expect, (args, done)
        return done

    def promote(self, name: str, *, expect: int = 0) -> Done:
        """Both people sign, then the alias moves."""
        for who, role, _ in PEOPLE:
            self.run("gate", "approve", name, "--role", role, "--key", who)
        return self.run("gate", "promote", name, expect=expect)

    def switches(self) -> list[dict]:
        """The ledger's entries about switches."""
        entries = [json.loads(line)["entry"] for line in self.lines()]
        return [e["body"] for e in entries if e["kind"] == "switch"]

    def record(self) -> dict:
        """The last record of a switch."""
        return json.loads(max((self.root / "reports/switches").glob("*.json")).read_bytes())
