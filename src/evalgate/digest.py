"""sha256 of bytes, files, directories and canonical JSON. A digest is written `sha256:<64 hex>`."""

from __future__ import annotations

import hashlib
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
    """Digest of a directory: canonical JSON of {relative path: file digest}.

    Links and hidden entries are refused (UsageError): what is not hashed could change what is served.
    """
    files: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink() or any(part.startswith(".") for part in path.relative_to(root).parts):
            raise UsageError(
                f"found the link or hidden entry {name!r}, expected plain files only. Remove it.",
                where=str(root),
                code="EG302",
            )
        if path.is_file():
            files[name] = of_file(path)
    return of_value(files)


def of_path(path: Path) -> str:
    """Digest of a file or a directory."""
    return of_tree(path) if path.is_dir() else of_file(path)
