"""The files of a SOURCE: one file, or everything of the right suffix below a directory, in the order of their names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from evalgate.authored.imports.rows import OTHER_FILE, Fault, Row
from evalgate.errors import UsageError


def files_of(
    source: Path, suffixes: Collection[str], kind: str
) -> tuple[list[tuple[str, Path]], list[Row]]:
    """(name in messages, path) of every file to read, and notes on those that are not.

    A file named by hand is read whatever its suffix. Names are relative to `source`; hidden files are passed over.
    Raises UsageError (EG175) when there is nothing to read.
    """
    if not source.is_dir():
        if not source.is_file():
            raise no_source(source, "no such file or directory", kind)
        return [(source.name, source)], []
    found, notes = [], []
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        if any(part.startswith(".") for part in inner.parts) or not path.is_file():
            continue
        if path.suffix.lower() in suffixes:
            found.append((inner.as_posix(), path))
        else:
            notes.append(Row(faults=(Fault(kind=OTHER_FILE, place=inner.as_posix()),)))
    if not found:
        raise no_source(source, f"no file ending in {', '.join(sorted(suffixes))}", kind)
    return found, notes


def no_source(
    source: Path, found: str, kind: str, advice: str = "Correct the path or KIND."
) -> UsageError:
    """The error of a SOURCE that is not of its kind."""
    return UsageError(
        f"found {found}, expected a source of kind {kind}. {advice}",
        where=source.name or str(source),
        code="EG175",
    )


def unreadable(name: str, error: OSError) -> UsageError:
    """The error of a file that the operating system does not let us read."""
    reason = error.strerror or type(error).__name__
    return UsageError(
        f"found a file that cannot be read ({reason}), expected a readable one. Check its permissions.",
        where=name,
        code="EG175",
    )
