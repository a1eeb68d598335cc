"""sha256 of bytes, files, directories and canonical JSON. A digest is written `sha256:<64 hex>`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from evalgate.errors import UsageError

_encoder = msgspec.json.Encoder(order="deterministic")


def canonical(value: Any) -> bytes:
    """JSON bytes with sorted keys and no spaces: equal values give equal bytes."""
    return _encoder.encode(value)


def of_bytes(data: bytes) -> str:
    """Digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def of_value(value: Any) -> str:
    """Digest of the canonical JSON of `value`."""
    return of_bytes(canonical(value))


def of_file(path: Path) -> str:
    """Digest of the bytes of one file, read in chunks. Raises OSError."""
    with path.open("rb", buffering=0) as f:
        return "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()


def of_tree(root: Path) -> str:
    """Digest of a directory: canonical JSON of `files_of`. Raises UsageError (EG302)."""
    return of_value(files_of(root))


def files_of(root: Path) -> dict[str, str]:
    """The digest of every file below a directory, by its path below it. Raises UsageError (EG302) as `plain_files`."""
    return {name: of_file(path) for name, path in plain_files(root)}


def changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What differs between two sets of files with digests by name, the first three of it in words; "" if nothing does."""
    found = [
        *(f"{n} has other bytes" for n in sorted(now.keys() & then.keys()) if now[n] != then[n]),
        *(f"{n} is missing" for n in sorted(then.keys() - now.keys())),
        *(f"{n} was added" for n in sorted(now.keys() - then.keys())),
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more


def plain_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a directory with its path below it, by name; no file is opened.

    Links, hidden entries, pipes and devices are refused (UsageError, EG302): what is not hashed could change what is served.
    """
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        text = name.isprintable()  # bytes that are no text have no digest of their name
        if path.is_symlink() or hidden or not text or not (path.is_file() or path.is_dir()):
            raise UsageError(
                f"found {name!r}, a link, a hidden entry or no plain file, expected plain files only. Remove it.",
                where=str(root),
                code="EG302",
            )
        if path.is_file():
            yield name, path


def of_path(path: Path) -> str:
    """Digest of a file or a directory."""
    return of_tree(path) if path.is_dir() else of_file(path)
