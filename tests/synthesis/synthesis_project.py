"""A small project whose commands are run as its user runs them, and a scripted model that tells texts anew."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripted import ScriptedServer

ROOT = Path(__file__).parents[2]


class Project:
    """A directory with evalgate.toml, the five prompts and the project's own terms."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "suites" / "prompts", root / "suites" / "prompts")
        (root / "terms").mkdir()
        shutil.copy(ROOT / "terms" / "project.toml", root / "terms")
        (root / "evalgate.toml").write_text("")

    def model(self, url: str) -> None:
        """The model "teller" at `url`."""
        (self.root / "evalgate.toml").write_text(
            f'[models.teller]\nserver = "endpoint"\nurl = "{url}"\nname = "teller"\nfamily = "scripted"\n'
            "concurrency = 8\ntimeout_s = 10\npatience_s = 2\n"
        )

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "evalgate", "data", "synthesize", *args]

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_"))}
        return {**kept, "COLUMNS": "120"}

    def synthesize(self, *args: str, before: str = "") -> subprocess.CompletedProcess[str]:
        """`evalgate data synthesize ARGS`; `before` is Python that runs first in its process."""
        argv = self.argv(*args)
        if before:
            code = f"{before}\nimport sys\nfrom evalgate.cli import main\nsys.argv[0] = 'evalgate'\nmain()"
            argv = [sys.executable, "-c", code, *argv[3:]]
        return subprocess.run(
            argv,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def left(self) -> list[str]:
        """What lies in data/ but the locks."""
        folder = self.root / "data"
        return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock") if folder.is_dir() else []  # fmt: skip


def retold(text: str) -> str:
    """The sentences of a text in another order: as honest as a retelling can be."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    return " ".join(sentences[len(sentences) // 2 :] + sentences[: len(sentences) // 2])


def asked(messages: list[dict]) -> str:
    """The text that a rewriting prompt holds."""
    return messages[-1]["content"].split("\nTEXT\n", 1)[1]


@contextmanager
def telling(project: Project, reply) -> Iterator[ScriptedServer]:
    """The model "teller", which answers `reply(text)` to a text."""
    with ScriptedServer(lambda messages, payload: reply(asked(messages))) as server:
        project.model(server.url)
        yield server
