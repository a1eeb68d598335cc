"""reports/access.jsonl: who read clinical text, when, and with which command. For honest use; it protects nothing.

Commands that show texts of runs, gold sets or label files add a line before they show any. A script or an editor that opens the
files leaves none, and whoever may write to the project may edit the log.
"""

from __future__ import annotations

import os
import pwd
import stat
import time
from pathlib import Path

import msgspec

from evalgate.errors import InfrastructureError
from evalgate.records import Record


class Access(Record, kw_only=True):
    """One reading. `at`: UTC, ISO 8601; `account`: of the operating system; `what`: runs, gold sets and files, no texts."""

    at: str
    account: str
    command: str
    what: tuple[str, ...]


def account() -> str:
    """The name of the account that this process runs under, its number if it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def note_access(root: Path, command: str, *what: str) -> None:
    """Adds a line to the log of the project at `root`. Raises InfrastructureError (EG815): what cannot be logged is not shown."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = Access(at=at, account=account(), command=command, what=what)
    path = _path(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(
                fd, msgspec.json.encode(line) + b"\n"
            )  # one write: lines of two processes never mix
        finally:
            os.close(fd)
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the access log: texts are shown only to who is noted there. "
            "Free some space or mend the permissions.",
            where=path.relative_to(root).as_posix(),
            code="EG815",
        ) from None


def accesses(root: Path) -> tuple[list[Access], int]:
    """The readings noted, oldest first, and how many lines cannot be read. Raises InfrastructureError (EG815)."""
    try:
        lines = _path(root).read_bytes().splitlines()
    except FileNotFoundError:
        lines = []
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to read the access log. Mend the permissions.",
            where=_path(root).relative_to(root).as_posix(),
            code="EG815",
        ) from None
    found, damaged = [], 0
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Access))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            damaged += 1
    return found, damaged


def open_to_others(root: Path) -> list[Path]:
    """Files and folders below reports/ that others than their owner may read or enter, in order of their names."""
    reports = root / "reports"
    found = []
    for path in sorted(reports.rglob("*")):
        told = path.lstat()
        ours = path != reports / "README.md" and not stat.S_ISLNK(
            told.st_mode
        )  # a link's own mode says nothing
        if ours and told.st_mode & 0o077:
            found.append(path)
    return found


def _path(root: Path) -> Path:
    return root / "reports" / "access.jsonl"
