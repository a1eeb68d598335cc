"""Writing files so that a kill, a full disk or another process leaves them whole: replaced, made once, or held by one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE = 0o600


def write_whole(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Writes a file as a whole, over one that is there, or not at all; it is on the disk then. Raises OSError.

    `mode` is less the umask; by default its owner alone may read it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _written(temporary, data, os.O_TRUNC, mode)
        temporary.replace(path)
    except BaseException:  # a job that is cancelled right now, too
        temporary.unlink(missing_ok=True)
        raise


def write_new(path: Path, data: bytes) -> None:
    """Writes a new file that its owner alone may read. Raises FileExistsError if one is there, OSError; nothing is left then."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    try:
        _written(path, data, 0, PRIVATE)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _written(path: Path, data: bytes, flags: int, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, mode)
    with os.fdopen(fd, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the lock file at `path`, which is made with its directory; waits while another process does. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
