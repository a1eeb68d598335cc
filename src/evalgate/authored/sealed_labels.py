"""Labels of answers to a sealed set, encrypted: rubrics/NAME.RUN.labels.sealed, RUN being the key of the answers' run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey

LABELS: Final = ".labels.sealed"
_KIND: Final = "labels"
_LEAST: Final = 1 << 16


def sealed_labels_path(rubric: Path, run: str) -> Path:
    """Where they lie. `run`: the key of the answers' run, of which 16 digits stand in the name."""
    return rubric.with_name(f"{rubric.name.removesuffix('.toml')}.{run[:16]}{LABELS}")


def open_labels(data: bytes, path: Path, key: SealKey, *, where: str) -> bytes:
    """The lines in the bytes of the file at `path`; of an empty one, none. Raises IntegrityError (EG755 to EG757)."""
    if not data:  # made for the lock, by a command that was killed before it wrote
        return b""
    name = path.name.removesuffix(LABELS)
    return key.open(data, kind=_KIND, name=name, where=where).rstrip(b" ")


def seal_labels(lines: bytes, path: Path, key: SealKey) -> bytes:
    """The bytes of the file at `path`. Padded: how many labels there are tells how many answers there were to read."""
    from evalgate.crypto.seal import padded

    return key.seal(padded(lines, _LEAST), kind=_KIND, name=path.name.removesuffix(LABELS))
