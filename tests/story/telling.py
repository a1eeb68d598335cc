"""How a story is told: every step is the command that a user types, printed with its output, and must end as it should."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path

EVALGATE = Path(sys.executable).with_name("evalgate")
PEOPLE = {"alice": "release_manager", "bob": "clinical_lead"}
SHOWN = 12  # lines of a command's output, at most


class Stopped(Exception):  # noqa: N818 (the story's end, told to whoever listens)
    """A step that did not end as it should."""


class Told:
    """One command, as it was run: who ran it, in which project, and what came of it."""

    def __init__(self, who: str, argv: tuple[str, ...], code: int, out: str) -> None:
        self.who, self.argv, self.code, self.out = who, argv, code, out

    @property
    def last(self) -> str:
        """The last line."""
        return self.out.strip().splitlines()[-1] if self.out.strip() else ""


class Teller:
    """Runs commands in projects below a folder. `aloud`: printed as they go. `told` keeps every command."""

    def __init__(self, folder: Path, *, aloud: bool = False) -> None:
        self.keys = folder / "keys"
        self.told: list[Told] = []
        self._aloud = aloud

    def new_keys(self, root: Path, *names: str) -> None:
        """Keys of the gate and of people. Private halves lie outside of the project, as with their holders."""
        for name in names:
            role, key = PEOPLE.get(name, name), self.keys / root.name / f"{name}.key"
            self.evalgate(name, root, f"keys init {name} --role {role} --holder {name} --out {key}")

    def signed(self, root: Path, model: str) -> None:
        """Both people sign."""
        for name, role in PEOPLE.items():
            key = self.keys / root.name / f"{name}.key"
            self.evalgate(name, root, f"gate approve {model} --role {role}", key=key)

    def gate(
        self, root: Path, words: str, *, expect: int | tuple[int, ...] = 0, shown: int = SHOWN
    ) -> Told:
        """A command of the gate's account, which has the gate's key."""
        key = self.keys / root.name / "gate.key"
        return self.evalgate("gate", root, words, key=key, expect=expect, shown=shown)

    def evalgate(
        self,
        who: str,
        where: Path,
        words: str,
        *,
        key: Path | None = None,
        expect: int | tuple[int, ...] = 0,
        shown: int = SHOWN,
    ) -> Told:
        """Runs `evalgate WORDS` in a directory with a person's key; `shown`: at most so many lines of it are shown.

        Raises Stopped unless it ends with `expect`.
        """
        began = time.monotonic()
        argv = tuple(shlex.split(words))
        self._print(f"\n[{who}] {where.name}$ evalgate {self._short(words)}")
        done = subprocess.run(
            [EVALGATE, *argv],
            cwd=where,
            env=environment(key),
            stdout=subprocess.PIPE,
            stderr=None if self._aloud and sys.stderr.isatty() else subprocess.STDOUT,
            text=True,
            check=False,
        )
        told = Told(who, argv, done.returncode, done.stdout)
        self.told.append(told)
        lines = told.out.rstrip().splitlines()
        left = len(lines) - shown
        for line in lines if left <= 1 else [f"... {left} lines ...", *lines[left:]]:
            self._print(f"  {self._short(line)}")
        self._print(f"  -> exit {told.code}, {time.monotonic() - began:.1f} s")
        if told.code not in (expect if isinstance(expect, tuple) else (expect,)):
            raise Stopped(f"evalgate {words} ended with {told.code}, not with {expect}\n{told.out}")
        return told

    def say(self, heading: str) -> None:
        self._print(f"\n\n{heading}")

    def note(self, text: str) -> None:
        self._print(f"\n  ({text})")

    def _short(self, words: str) -> str:
        return words.replace(f"{self.keys.parent}/", "../")

    def _print(self, text: str) -> None:
        if self._aloud:
            for line in text.split("\n"):
                print(textwrap.fill(line, 100, subsequent_indent=" " * 8, break_on_hyphens=False))
            sys.stdout.flush()


def environment(key: Path | None) -> dict[str, str]:
    """The caller's, with no key but this one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("EVALGATE", "PYTEST", "COV_"))}
    return {**kept, "COLUMNS": "92"} | ({"EVALGATE_KEY_FILE": str(key)} if key else {})
