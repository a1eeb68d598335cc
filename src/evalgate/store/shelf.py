"""Which runs there are: those in use, and under each the earlier ones that `--fresh` set aside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalgate.errors import IntegrityError
from evalgate.records import Record
from evalgate.store.run import EARLIER, Run, read_manifest


class KeptRun(Record, kw_only=True):
    """A run's place on disk. `key`: 16 hex digits; `repeat`: 0 for the one in use, 1 for the one before it, and so on."""

    suite: str
    key: str
    repeat: int
    path: Path

    @property
    def name(self) -> str:
        """What people type for it: the key, `~N` behind it for an earlier repeat."""
        return f"{self.key}~{self.repeat}" if self.repeat else self.key


def kept_runs(reports: Path) -> Iterator[KeptRun]:
    """Every run under `reports`, by suite and key, each followed by its earlier repeats, the latest first."""
    for path in sorted((reports / "runs").glob("*/*")):
        yield from repeats(KeptRun(suite=path.parent.name, key=path.name, repeat=0, path=path))


def repeats(run: KeptRun) -> Iterator[KeptRun]:
    """The run in use, if it has a manifest, then the earlier ones, the latest first."""
    if (run.path / "run.json").exists():
        yield run
    earlier = sorted((run.path / EARLIER).glob("*/run.json"), reverse=True)
    for n, manifest in enumerate(earlier, 1):
        yield KeptRun(suite=run.suite, key=run.key, repeat=n, path=manifest.parent)


def open_run(kept: KeptRun) -> Run:
    """The run with every row verified. Raises IntegrityError (EG401, EG402) for anything that is not what was written."""
    manifest = read_manifest(kept.path)
    if manifest is None or manifest.key[:16] != kept.key or manifest.suite != kept.suite:
        raise IntegrityError(
            "found a manifest that does not belong to this directory, expected the one whose key names it. "
            "Find out who edited it, then run again with --fresh.",
            where=str(kept.path / "run.json"),
            code="EG401",
        )
    return Run(kept.path, manifest)
