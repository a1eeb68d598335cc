"""A small released project that is attacked: real files, real keys, a real ledger, the real command line.

Its model is an adapter over a base of a few bytes, served by the stand-in of tests/models in place of vLLM. It is built once,
in three stages (`checked`, `approved`, `promoted`); every attack gets a copy of one of them.

Commands run in a forked process (`World.evalgate`): the same `main` as the console script, without paying for its imports
a hundred times. `World.console` runs the installed script itself, where the environment is what is tested.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from harness import CARD, DECLARED, PROMPT, gold_items
from models import stand_in

from evalgate import digest
from evalgate.store.certificate import Predicate, Statement, Subject, issue, keep
from evalgate.store.ledger import Entry, Ledger
from evalgate.store.signer import Signer, keyring_of, signer

DAY = 86_400.0
SUITE = f'''\
"""Triage of short requests."""
from evalgate import Suite, accuracy, must_pass, parse_label

{DECLARED}
def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))

def test_must_pass(answers, threshold):
    assert threshold.met_by(must_pass(answers))
'''
GATE = """\
# What decides.
[gate]
alpha = 0.05
valid_days = 90
require_sealed = false
sign_off = ["clinical_lead", "release_manager"]

[triage]
accuracy = { min = 0.85 }
must_pass = { all = true }
"""
RUBRIC = """\
# Nothing is judged by it here; the plan knows its bytes all the same.
[rubric]
id = "triage"
task = "triage"
version = "1.0.0"
title = "Triage"
pass_mark = 0.80
[[criterion]]
id = "one-word"
ask = "The answer is a single word."
points = 8
evidence = "quote"
met = "One of the three words, and nothing else."
not_met = "A sentence, or another word."
"""
MODEL = """\
[models.{name}]
artifact = "models/{name}"
base = "models/base"
server = "vllm"
licence = "Apache-2.0"
"""
SETTINGS = f"""\
{MODEL.format(name="rc")}
{MODEL.format(name="rc2")}
[servers.vllm]
python = "venv/bin/python"

[default]
candidate = "rc"
"""
PEOPLE = (("lead", "clinical_lead", "C. Lead"), ("manager", "release_manager", "R. Manager"))


class Done(NamedTuple):
    """What a command came to; `said` is all that it printed."""

    exit: int
    said: str


class World:
    """One copy of the project, at one stage."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """The file of that name; "$CERT" is the latest certificate about rc."""
        return self.certificate if name == "$CERT" else self.root / name

    def write(self, name: str, text: str) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new, 1))

    def flip(self, name: str, at: int = -1, bit: int = 1) -> None:
        """One bit of one byte."""
        data = bytearray(self.path(name).read_bytes())
        data[at] ^= bit
        self.path(name).write_bytes(data)

    def copy(self, to: Path) -> World:
        shutil.copytree(self.root, to, symlinks=True)
        return World(to)

    # commands

    def evalgate(self, *args: str, clock: float = 0.0, timeout: float = 300.0, **env: str) -> Done:
        """One command in a process of its own. `clock`: how many seconds its clock is wrong by."""
        from evalgate.cli import main

        def run() -> None:
            if clock:
                right = time.time
                time.time = lambda: right() + clock
            sys.argv = ["evalgate", *args]
            main()

        return self.forked(run, timeout=timeout, **env)

    def forked(self, run: Callable[[], object], *, timeout: float = 300.0, **env: str) -> Done:
        """`run` in a process of its own, in the project; its exit status (negative: a signal) and what it printed."""
        from evalgate.cli import gate, keys, ledger, promote, verify  # noqa: F401 (imported before the fork)
        from evalgate.gate import certify, check  # noqa: F401
        from evalgate.release import people, serve  # noqa: F401
        from evalgate.release import promote as _  # noqa: F401

        out = self.root.with_name(f"{self.root.name}.{time.monotonic_ns()}.out")
        with out.open("w+b") as told:
            child = os.fork()
            if child == 0:
                _become(self.root, told.fileno(), env, run)
            status = _waited(child, timeout)
            told.seek(0)
            said = told.read().decode(errors="replace")
        out.unlink()
        return Done(os.waitstatus_to_exitcode(status), said)

    def console(self, *args: str, **env: str) -> Done:
        """The installed console script, with `env` added to a plain environment."""
        script = Path(sys.executable).with_name("evalgate")
        done = subprocess.run(
            [script, *args],
            cwd=self.root,
            env=_plain() | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"))

    # what the holder of a key can do by hand

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.root, keyring_of(self.root))

    def signer(self, name: str) -> Signer:
        keyring = keyring_of(self.root)
        return signer(self.root, keyring, keyring.keys[name].roles[0], name=name)

    def append(self, by: str, kind: str, body: dict[str, Any]) -> Entry:
        return self.ledger.append(kind, body, self.signer(by).private)

    def lines(self) -> list[bytes]:
        """The lines of the ledger, each with its end."""
        return self.path("reports/ledger.jsonl").read_bytes().splitlines(keepends=True)

    def put_lines(self, lines: list[bytes]) -> None:
        self.path("reports/ledger.jsonl").write_bytes(b"".join(lines))

    @property
    def certificate(self) -> Path:
        """The file of the latest certificate about rc."""
        return max(self.path("reports/certificates").glob("*-rc-*.json"))

    @property
    def statement(self) -> Statement:
        """What that certificate says."""
        from evalgate.crypto.envelope import read_envelope

        payload = read_envelope(self.certificate.read_bytes()).payload
        return msgspec.json.decode(payload, type=Statement)

    def certify(
        self,
        name: str = "99990101T000000000000-rc-crafted.json",
        *,
        by: str = "development",
        subjects: tuple[Subject, ...] | None = None,
        decision: dict[str, Any] | None = None,
        entered: bool = True,
        **predicate: Any,
    ) -> Path:
        """A certificate like the last one but for what is given, signed by `by`; the gate enters it into the ledger."""
        last = self.statement
        changed: Predicate = msgspec.structs.replace(last.predicate, **predicate)
        if decision:
            changed = msgspec.structs.replace(changed, decision=changed.decision | decision)
        path = self.path("reports/certificates") / name
        chosen = last.subject if subjects is None else subjects
        keep(path, issue(chosen, changed, self.signer(by).private))
        if entered:
            self.enter(path, changed.decision)
        return path

    def enter(self, path: Path, decision: dict[str, Any]) -> None:
        """The gate's entry about the certificate at `path`."""
        body = {k: decision[k] for k in ("decision", "exit", "model", "plan")} | {
            "attempt": None,
            "certificate": path.relative_to(self.root).as_posix(),
            "digest": digest.of_file(path),
        }
        self.append("development", "decision", body)


def undecided(world: World, test: str = "accuracy") -> dict[str, Any]:
    """What a decision says in which everything passes but one finding, which is inconclusive."""
    findings = [
        dict(f, status="inconclusive") if f["test"] == test else f
        for f in world.statement.predicate.decision["findings"]
    ]
    reason = f"triage {test}: the interval straddles its threshold"
    return {"decision": "undecided", "exit": 3, "reasons": [reason], "findings": findings}


def build(folder: Path) -> dict[str, World]:
    """The stages by name; `promoted` has been checked, approved by two people and promoted through the command line."""
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "building"
    world = World(root)
    world.write("suites/test_triage.py", SUITE)
    world.write("suites/prompts/triage.md", PROMPT)
    world.write("rubrics/triage.toml", RUBRIC)
    world.write("gate.toml", GATE)
    world.write("evalgate.toml", SETTINGS)
    world.write("goldsets/triage.toml", CARD)
    world.write("goldsets/triage.jsonl", "".join(json.dumps(i) + "\n" for i in gold_items(60)))
    stand_in.model(root / "models/base")
    stand_in.adapter(root / "models/rc")
    stand_in.adapter(root / "models/rc2", value=b"\2")
    stand_in.environment(root / "venv/bin")
    _must(world, "keys", "init", "--holder", "the gate's account")
    for name, role, holder in PEOPLE:
        _must(world, "keys", "init", name, "--role", role, "--holder", holder)
    _must(world, "keys", "init", "officer", "--role", "waiver", "--holder", "Q. Officer")
    _must(world, "gate", "check", "rc")
    stages = {"checked": world.copy(folder / "checked")}
    for name, role, _ in PEOPLE:
        _must(world, "gate", "approve", "rc", "--role", role, "--key", name)
    stages["approved"] = world.copy(folder / "approved")
    _must(world, "gate", "promote", "rc")
    stages["promoted"] = world.copy(folder / "promoted")
    shutil.rmtree(root)
    return stages


def _must(world: World, *args: str) -> None:
    done = world.evalgate(*args)
    assert done.exit == 0, (args, done)


def _plain() -> dict[str, str]:
    cut = ("PYTEST", "PYTHON", "COV_", "EVALGATE")
    return {k: v for k, v in os.environ.items() if not k.startswith(cut)} | {"COLUMNS": "200"}


def _become(root: Path, output: int, env: dict[str, str], run: Callable[[], object]) -> None:
    """The forked child: never returns into the test that forked it."""
    code = 70
    try:
        warnings.simplefilter("default")
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (it lives as long as the process)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(_plain() | env)
        os.chdir(root)
        try:
            run()
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _waited(child: int, timeout: float) -> int:
    until = time.monotonic() + timeout
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise TimeoutError(f"process {child} hangs")
        time.sleep(0.005)
