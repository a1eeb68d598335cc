"""Which runs there are: those in use, under each the earlier ones that `--fresh` set aside, and which were purged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from evalgate.errors import IntegrityError
from evalgate.records import Record
from evalgate.store.run import EARLIER, PURGED, Run, read_manifest

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey


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


def open_run(kept: KeptRun, seal: SealKey | None = None) -> Run:
    """The run with every row verified. `seal`: the key of a sealed run. Raises IntegrityError (EG401, EG402) for anything that is not what was written."""
    manifest = read_manifest(kept.path)
    if manifest is None or manifest.key[:16] != kept.key or manifest.suite != kept.suite:
        raise IntegrityError(
            "found a manifest that does not belong to this directory, expected the one whose key names it. "
            "Find out who edited it, then run again with --fresh.",
            where=str(kept.path / "run.json"),
            code="EG401",
        )
    return Run(kept.path, manifest, seal)


class Mark(Record, kw_only=True):
    """purged.json: when (UTC), and by which entry of the ledger."""

    at: str
    entry: int


def read_mark(path: Path) -> Mark | None:
    """The mark in a run's directory, None if it was not purged. Raises IntegrityError (EG813)."""
    try:
        return msgspec.json.decode((path / PURGED).read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise no_mark(path, f"a mark that cannot be read ({type(e).__name__})") from None


def earlier_marks(path: Path) -> list[Mark]:
    """The purges that a run's directory has seen and was asked again after, oldest first. Raises IntegrityError (EG813)."""
    found = (read_mark(mark.parent) for mark in sorted(path.glob(f"*/*/{PURGED}")))
    return [mark for mark in found if mark is not None]


def no_mark(path: Path, found: str) -> IntegrityError:
    """The error of a mark that nothing bears out (EG813)."""
    return IntegrityError(
        f"found {found}, expected the mark that 'evalgate run purge' leaves. Find out who put it there, or removed the answers.",
        where=(path / PURGED).as_posix(),
        code="EG813",
    )
