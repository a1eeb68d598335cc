"""One run: `run.json` (what it is keyed by), `answers.jsonl` (append-only, chained checksums), `lock`.

What `--fresh` replaces is kept as it was under `earlier/TIME/`: a repeat, which shows how far answers of one model differ
by themselves. What may have come from other bytes than the key names goes to `suspect/TIME/` and is read by nobody.

A line of `answers.jsonl` is `{"sum":"<32 hex>","row":{...}}`, where `sum` is blake2b-128 over the previous line's sum
and the bytes of `row`; the chain starts at the run's key. So an edited, removed, reordered or transplanted line is
noticed (IntegrityError), while a last line without its newline is a torn write and is dropped. The checksum is not a
signature: it proves that nothing changed by accident or by hand, not that nobody recomputed it.

A sealed run is the same with every row encrypted under a key of its own: `row` is then a text, and the chain is over what
is on disk, so that it can be checked without the key.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import time
import zlib
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError
from evalgate.files import write_whole
from evalgate.records import ModelIdentity, Record, Reply, Sampling, Try

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey

FORMAT = 1
_PREFIX = b'{"sum":"'
_MIDDLE = b'","row":'
_HEAD = len(_PREFIX) + 32 + len(_MIDDLE)
_FLUSH_SECONDS = 1.0
_FLUSH_BYTES = 1 << 20
EARLIER = "earlier"
PURGED = "purged.json"
"""Lies in a run whose texts were purged on purpose (store/purge.py): no answer of it counts any more."""
_SUSPECT = "suspect"


class Manifest(Record, kw_only=True):
    """Everything that can change an answer. `key` is its digest and the name of the run."""

    format: int = FORMAT
    suite: str
    gold: str
    items: int
    prompt: str
    parser: str
    model: ModelIdentity
    sampling: Sampling

    @property
    def key(self) -> str:
        """64 hex digits. The model's name is left out: the same bytes under another name are the same model."""
        value = msgspec.to_builtins(self)
        del value["model"]["name"]
        return digest.of_value(value).removeprefix("sha256:")


class Row(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One landed answer. `n` is the item's position in the gold set, `at` seconds since the epoch."""

    n: int
    id: str
    text: str
    finish: str
    at: float
    seconds: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    tries: tuple[Try, ...] = ()

    def __repr__(self) -> str:  # its text is what a model wrote about somebody
        return f"<Row {self.id} {self.finish}>"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Row).decode


def _mark(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def run_directory(reports: Path, manifest: Manifest) -> Path:
    """Where the run of `manifest` lives: reports/runs/SUITE/<first 16 digits of the key>."""
    return reports / "runs" / manifest.suite / manifest.key[:16]


def _sum(previous: bytes, row: bytes) -> bytes:
    return hashlib.blake2b(previous + row, digest_size=16).hexdigest().encode()


class Run:
    """A run opened for reading: an index of row offsets, rows read on demand. Memory: 16 bytes an item."""

    def __init__(self, path: Path, manifest: Manifest, seal: SealKey | None = None) -> None:
        """Verifies every row. `seal`: the key of a sealed run. Raises IntegrityError for anything that is not what was written."""
        self._cipher = seal.rows(manifest.key) if seal else None
        self.path = path
        self.manifest = manifest
        self.answers = path / "answers.jsonl"
        self._offset = array("q", [-1]) * manifest.items
        self._length = array("I", [0]) * manifest.items
        self._crc = array("I", [0]) * manifest.items
        self.landed = 0
        self.began: float | None = None  # seconds since the epoch at which the first row landed
        self.ended: float | None = None  # and the last one, when the run was opened
        self.end = 0  # bytes of intact rows; what follows is a torn write
        self.last_sum = manifest.key.encode()
        self._fd: int | None = None
        with _disk(path):
            recorded = read_manifest(path)
        if recorded is not None and recorded.key != manifest.key:
            raise IntegrityError(
                "found a run.json with another key than its directory, expected the run that was asked for. "
                "Run again with --fresh.",
                where=str(path / "run.json"),
                code="EG401",
            )
        with _disk(self.answers):
            if self.answers.exists() and not (path / PURGED).exists():
                self._index()

    def __repr__(self) -> str:
        return f"<Run {self.manifest.suite} {self.landed}/{self.manifest.items}>"

    def __len__(self) -> int:
        return self.manifest.items

    def __contains__(self, ordinal: int) -> bool:
        return self._offset[ordinal] >= 0

    @property
    def complete(self) -> bool:
        """True if every item has its answer."""
        return self.landed == self.manifest.items

    @property
    def unchanged(self) -> bool:
        """True if the file is still the one that was verified, to the file system's knowledge; then nothing need be read again."""
        try:
            return self._mark == _mark(self.answers.stat())
        except OSError:
            return False

    def _index(self) -> None:
        with self.answers.open("rb") as f:
            self._mark = _mark(os.fstat(f.fileno()))
            for number, line in enumerate(f, 1):
                if not line.endswith(b"\n"):
                    break  # torn by a kill or a power cut: never counted as an answer
                row = line[_HEAD:-2]
                found = _sum(self.last_sum, row)
                if line != b"%s%s%s%s}\n" % (_PREFIX, found, _MIDDLE, row):
                    raise self._broken(
                        number, "a row whose checksum does not follow from the rows before it"
                    )
                try:
                    read = self._read(row)
                except ValueError as e:  # msgspec's are, too
                    raise self._broken(number, f"a row that cannot be read ({e})") from None
                n = read.n
                if self.began is None:
                    self.began = read.at
                self.ended = read.at
                if not 0 <= n < self.manifest.items or self._offset[n] >= 0:
                    raise self._broken(number, f"a second or impossible row for item {n}")
                self._note(n, self.end + _HEAD, row)
                self.end += len(line)
                self.last_sum = found

    def _read(self, row: bytes) -> Row:
        return _decode(self._cipher.open(row) if self._cipher else row)

    def _written(self, row: Row) -> bytes:
        """The bytes that stand for `row` in the file."""
        plain = _encode(row)
        return self._cipher.seal(plain) if self._cipher else plain

    def _note(self, n: int, offset: int, row: bytes) -> None:
        self._offset[n] = offset
        self._length[n] = len(row)
        self._crc[n] = zlib.crc32(row)
        self.landed += 1

    def _broken(self, line: int, what: str) -> IntegrityError:
        return IntegrityError(
            f"found {what}, expected the rows exactly as they were appended. "
            "Nothing of an edited run is reused: find out who edited it, then run again with --fresh.",
            where=f"{self.answers}:{line}",
            code="EG402",
        )

    def row(self, ordinal: int) -> Row | None:
        """The row of the item at `ordinal` in the gold set, or None if it never landed."""
        if self._offset[ordinal] < 0:
            return None
        if self._fd is None:
            self._fd = os.open(self.answers, os.O_RDONLY | os.O_CLOEXEC)
        row = os.pread(self._fd, self._length[ordinal], self._offset[ordinal])
        if zlib.crc32(row) != self._crc[ordinal]:
            raise IntegrityError(
                f"found item {ordinal} changed since the run was opened, expected it as it was verified. "
                "Find out who writes there, then run again with --fresh.",
                where=str(self.answers),
                code="EG402",
            )
        return self._read(row)

    def close(self) -> None:
        """Closes the file. Reading again opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __del__(self) -> None:
        self.close()


def last_sum(path: Path) -> str:
    """The chained checksum of the last whole row of the run in `path`, as it stands there; "" if there is none."""
    last = b""
    with contextlib.suppress(FileNotFoundError), (path / "answers.jsonl").open("rb") as f:
        for line in f:
            last = line if line.endswith(b"\n") else last
    return last[len(_PREFIX) : len(_PREFIX) + 32].decode("ascii", "replace")


def read_manifest(path: Path) -> Manifest | None:
    """The manifest in a run directory, None if there is none. Raises IntegrityError if it cannot be read."""
    try:
        return msgspec.json.decode((path / "run.json").read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise IntegrityError(
            f"found a manifest that cannot be read ({e}), expected what evalgate wrote. Run again with --fresh.",
            where=str(path / "run.json"),
            code="EG401",
        ) from None


class RunWriter:
    """The one writer of a run; a context manager that holds the lock. Rows are at most a second behind on disk.

    With `fresh` what is there becomes an earlier repeat and everything is asked again; with `suspect` it is put where no
    reader looks; with `seal` every row is encrypted. Raises InfrastructureError if another process holds the lock or the disk is
    full; IntegrityError as `Run`.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        *,
        fresh: bool = False,
        suspect: bool = False,
        seal: SealKey | None = None,
    ) -> None:
        self._seal = seal
        self._path = path
        self._manifest = manifest
        self._aside = _SUSPECT if suspect else EARLIER if fresh else ""
        self._buffer = bytearray()
        self._broken = False
        self._flushed_at = time.monotonic()
        self._fd = -1
        self._lock = -1

    def __enter__(self) -> Self:
        with _disk(self._path):
            for folder in (self._path.parents[1], self._path.parent, self._path):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # the mode is of the last
            self._lock = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire()
            with _disk(self._path):
                if not self._aside and (self._path / PURGED).exists():
                    self._aside = (
                        EARLIER  # what was purged stays told; the answers to come are a new run
                    )
                if self._aside:
                    self._set_aside()
                self.run = Run(self._path, self._manifest, self._seal)
                self._write_manifest()
                self._fd = os.open(
                    self.run.answers, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
                )
                os.ftruncate(self._fd, self.run.end)
                _sync_directory(self._path)
        except BaseException:
            self._release()
            raise
        self._sum = self.run.last_sum
        self._end = self.run.end
        return self

    def _acquire(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 200, 0).decode(errors="replace").strip() or "unknown"
            raise InfrastructureError(
                f"found the run locked by another process (pid {holder}), expected to be its only writer. "
                "Wait until it ends, then start again: what it has asked is not asked again.",
                where=str(self._path),
                code="EG403",
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _set_aside(self) -> None:
        """Old answers are kept below the new ones, never overwritten. The manifest goes first: answers need it to be read;
        the mark of a purge goes last: nothing counts before it is gone.
        """
        old = [self._path / name for name in ("run.json", "answers.jsonl", PURGED)]
        if not any(path.exists() for path in old):
            return
        aside = self._path / self._aside / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside.parent.mkdir(exist_ok=True, mode=0o700)
        aside.mkdir(mode=0o700)
        for path in old:
            if path.exists():
                path.rename(aside / path.name)

    def _write_manifest(self) -> None:
        target = self._path / "run.json"
        if target.exists():
            return
        value = msgspec.to_builtins(self._manifest)
        write_whole(target, f"{json.dumps(value, indent=1)}\n".encode())

    def land(self, ordinal: int, item_id: str, reply: Reply) -> None:
        """Appends one answer. After a failed write nothing more is taken: it would not follow from what is on disk."""
        if self._broken:
            return
        row = self.run._written(  # noqa: SLF001 (writer and reader are one file's two ends)
            Row(
                n=ordinal,
                id=item_id,
                text=reply.text,
                finish=reply.finish,
                at=round(time.time(), 3),
                seconds=round(reply.seconds, 4),
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                cached_tokens=reply.cached_tokens,
                tries=reply.tries,
            )
        )
        self._sum = _sum(self._sum, row)
        line = b"%s%s%s%s}\n" % (_PREFIX, self._sum, _MIDDLE, row)
        self.run._note(ordinal, self._end + _HEAD, row)  # noqa: SLF001 (likewise)
        self._end += len(line)
        self.run.end = self._end
        self.run.last_sum = self._sum
        self._buffer += line
        if len(self._buffer) >= _FLUSH_BYTES:
            self.flush()

    def tick(self) -> None:
        """Called about once a second while answers are awaited: flushes what landed."""
        if self._buffer and time.monotonic() - self._flushed_at >= _FLUSH_SECONDS * 0.5:
            self.flush()

    def flush(self) -> None:
        """Writes and fsyncs what landed. On a full disk the file is cut back to its last whole row."""
        if not self._buffer:
            return
        durable = self._end - len(self._buffer)
        with _disk(self.run.answers):
            try:
                view = memoryview(self._buffer)
                while view:
                    view = view[os.write(self._fd, view) :]
                os.fsync(self._fd)
            except OSError:
                self._broken = True
                view.release()
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, durable)
                self._buffer.clear()
                raise
            view.release()
        self._buffer.clear()
        self._flushed_at = time.monotonic()

    def _release(self) -> None:
        for fd in (self._fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock = -1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.flush()  # also after Ctrl-C or an outage: what landed is kept
        finally:
            self._release()


@contextlib.contextmanager
def _disk(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        reason = (
            "a full disk" if e.errno in (errno.ENOSPC, errno.EDQUOT) else (e.strerror or str(e))
        )
        raise InfrastructureError(
            f"found {reason}, expected to be able to read and write. Free some space or mend the permissions, then start "
            "again: everything flushed is kept.",
            where=str(where),
            code="EG404",
        ) from None


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
