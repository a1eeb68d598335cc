"""Runs written without a server: the store's own writer, answers that a test decides."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harness import LABELS, Project

from evalgate.records import Reply
from evalgate.store import RunWriter, run_directory
from evalgate.suite import identify_model, load_project
from evalgate.suite.asking import manifest_of

NOWHERE = "http://127.0.0.1:9/v1"


def project_of(root: Path, *models: str, n: int = 120) -> Project:
    """The harness's project with a few endpoints that nobody asks."""
    project = Project(root, NOWHERE, n=n)
    project.models(**{name: f"{NOWHERE}/{name}" for name in models or ("old", "new")})
    return project


def answered(
    project: Project,
    model: str,
    wrong: Collection[int] = (),
    *,
    only: int | None = None,
    fresh: bool = False,
    text: str = "",
) -> Path:
    """A run of `model` that is wrong about the items `wrong`; `only` so many answers; `text` as every wrong answer."""
    loaded = load_project(project.root)
    identity = identify_model(loaded, model)
    ((_, suite),) = loaded.suites.items()
    manifest = manifest_of(suite, identity)
    path = run_directory(loaded.reports, manifest)
    with RunWriter(path, manifest, fresh=fresh) as writer:
        for n, item in suite.gold.items():
            if only is None or n < only:
                said = (text or LABELS[(n + 1) % 3]) if n in wrong else LABELS[n % 3]
                reply = Reply(text=said, finish="stop", completion_tokens=1, seconds=0.1 + n / 1000)
                writer.land(n, item.id, reply)
    return path


def edited(path: Path) -> None:
    """One answer of the run, changed by hand."""
    answers = path / "answers.jsonl"
    answers.write_text(answers.read_text().replace("APPROVE", "REVIEW", 1))
