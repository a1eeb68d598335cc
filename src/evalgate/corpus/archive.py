"""Archives that somebody sent, unpacked without trust: no path leads out, nothing is a link, and nothing grows beyond bounds."""

from __future__ import annotations

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple, cast

from evalgate.errors import UsageError

LARGEST: Final = 16 << 30
"""Bytes that an archive may hold unpacked."""
MOST_RATIO: Final = 200
"""Unpacked to packed. Text packs ten to thirty times, a bomb thousands of times."""
HARMLESS: Final = 16 << 20
"""Bytes below which the ratio says nothing: one repeated row is small and packs well."""
MOST_FILES: Final = 10_000
_CHUNK: Final = 1 << 20

_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".lz4")
_MAGIC = (
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\x28\xb5\x2f\xfd",
)


class Limits(NamedTuple):
    """How large an archive may become: bytes unpacked, ratio to its packed size, files."""

    bytes: int = LARGEST
    ratio: float = MOST_RATIO
    files: int = MOST_FILES


DEFAULT: Final = Limits()


def is_archive(path: Path) -> bool:
    """Whether a file is to be unpacked, by its name: .zip, .tar, .tar.gz, .tgz."""
    return path.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz"))


@contextmanager
def unpacked(path: Path, folder: Path, limits: Limits = DEFAULT) -> Iterator[Path]:
    """Yields `folder`, made for it, with the files of the archive; it is removed at the end, whatever happens.

    What a killed process left there is removed first. Raises UsageError: not readable as an archive (EG850), a path that
    leads out, a link, an archive within, a password, a name twice (EG851), more than the limits (EG852); OSError.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)
    try:
        tally = _Tally(path, limits)
        target = _Target(folder, tally)
        try:
            if path.name.lower().endswith(".zip"):
                _zip(path, target, tally)
            else:
                _tar(path, target, tally, _Tally(path, limits))
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            zlib.error,
            gzip.BadGzipFile,
            EOFError,
            NotImplementedError,  # a compression that zipfile does not know
            ValueError,  # of tarfile, for headers that are no numbers
        ) as error:
            raise UsageError(
                f"found no archive that can be read to its end ({type(error).__name__}), expected .zip, .tar or .tar.gz. "
                "Get it again.",
                where=path.name,
                code="EG850",
            ) from None
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_workbook(path: Path, limits: Limits = DEFAULT) -> None:
    """Returns if an .xlsx file, a zip of XML, stays within the limits when it is read. Raises UsageError (EG850, EG852), OSError."""
    tally = _Tally(path, limits)
    try:
        with zipfile.ZipFile(path) as book:
            for info in book.infolist():
                tally.entry()
                with book.open(info) as file:
                    tally.drain(file)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,  # encrypted, or (NotImplementedError) a compression that zipfile does not know
    ) as error:
        raise UsageError(
            f"found no workbook that can be read ({type(error).__name__}), expected .xlsx. Save it again.",
            where=path.name,
            code="EG850",
        ) from None


class _Tally:
    """How much came out so far. What an archive says about sizes is not believed: bytes are counted as they come."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._packed = max(1, archive.stat().st_size)
        self._bytes = self._entries = 0

    def entry(self) -> int:
        """Counts one more entry and returns its number. Raises UsageError (EG852)."""
        self._entries += 1
        if self._entries > self._limits.files:
            raise self._bomb(f"more than {self._limits.files:,} entries")
        return self._entries

    def grow(self, more: int) -> None:
        """Counts bytes. Raises UsageError (EG852)."""
        self._bytes += more
        if self._bytes > self._limits.bytes:
            raise self._bomb(f"more than {self._limits.bytes / 1e9:.3g} GB unpacked")
        if self._bytes > HARMLESS and self._bytes > self._limits.ratio * self._packed:
            raise self._bomb(f"more than {self._limits.ratio:g} times its size unpacked")

    def drain(self, file: IO[bytes], out: IO[bytes] | None = None) -> None:
        """Counts a file to its end, and copies it. Raises UsageError (EG852)."""
        while chunk := file.read(_CHUNK):
            self.grow(len(chunk))
            if out is not None:
                out.write(chunk)

    def refuse(self, found: str, number: int) -> UsageError:
        """The error of an entry, by its number: its name may hold anything."""
        return UsageError(
            f"found {found} (entry {number}), expected plain files inside. Nothing of it was taken; ask the vendor.",
            where=self._archive.name,
            code="EG851",
        )

    def _bomb(self, found: str) -> UsageError:
        return UsageError(
            f"found {found}, expected rows of text. This is how an archive looks that is made to fill a disk. "
            "Nothing of it was taken; if it is honest, have it sent in parts.",
            where=self._archive.name,
            code="EG852",
        )


class _Counted:
    """A stream that counts what is read from it: a header, too, can be made to unpack to more than memory holds."""

    def __init__(self, file: IO[bytes], tally: _Tally) -> None:
        self._file = file
        self._tally = tally

    def read(self, size: int) -> bytes:
        """At most `size` bytes. Raises UsageError (EG852)."""
        data = self._file.read(size)
        self._tally.grow(len(data))
        return data


class _Target:
    """The folder that files are written to, each name once."""

    def __init__(self, folder: Path, tally: _Tally) -> None:
        self._folder = folder
        self._tally = tally
        self._names: set[str] = set()

    def write(self, name: str, number: int, file: IO[bytes]) -> None:
        """Writes one file below the folder. Raises UsageError (EG851, EG852), OSError."""
        inner = self.inner(name, number)
        if inner.as_posix().casefold() in self._names:
            raise self._tally.refuse("a name that an earlier entry has", number)
        self._names.add(inner.as_posix().casefold())
        if name.lower().endswith(_PACKED):
            raise self._tally.refuse("an archive within", number)
        target = self._folder / inner
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with target.open("xb") as out:
            target.chmod(0o600)
            head = file.read(8)
            if head.startswith(_MAGIC) and target.suffix.lower() != ".xlsx":
                raise self._tally.refuse("an archive within, under another ending", number)
            self._tally.grow(len(head))
            out.write(head)
            self._tally.drain(file, out)

    def inner(self, name: str, number: int) -> PurePosixPath:
        """The path of an entry. Raises UsageError (EG851) if it is none that stays inside on every system."""
        path = PurePosixPath(name)
        odd = "\\" in name or ":" in name or not name.isprintable() or path.is_absolute()
        if odd or not path.parts or any(p == ".." or len(p) > _LONGEST for p in path.parts):
            raise self._tally.refuse("a path that leads out of it or is no plain name", number)
        return path


_LONGEST: Final = 200  # characters of a name; file systems take 255 bytes


def _zip(path: Path, target: _Target, tally: _Tally) -> None:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            number = tally.entry()
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise tally.refuse("a link or a device", number)
            if info.flag_bits & 1:
                raise tally.refuse("a password", number)
            if info.is_dir():
                target.inner(info.filename, number)
                continue
            with archive.open(info) as file:
                target.write(info.filename, number, file)


def _tar(path: Path, target: _Target, tally: _Tally, headers: _Tally) -> None:
    plain = path.name.lower().endswith(".tar")
    with path.open("rb") if plain else gzip.open(path) as stream:
        counted = cast("IO[bytes]", _Counted(cast("IO[bytes]", stream), headers))
        archive = tarfile.open(fileobj=counted, mode="r|")  # noqa: SIM115 (a stream is read to its end)
        for info in archive:
            number = tally.entry()
            name = info.name.removeprefix("./")  # how `tar c .` writes
            if info.isdir():
                if name not in ("", "."):
                    target.inner(name, number)
                continue
            file = archive.extractfile(info) if info.isreg() else None
            if file is None:
                raise tally.refuse("a link or a device", number)
            target.write(name, number, file)
