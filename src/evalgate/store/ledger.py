"""The ledger: what was locked, attempted, decided, signed and promoted, in order, so that nothing can be taken back.

A line of reports/ledger.jsonl is {"entry":{at, body, by, kind, previous, seq},"key":ID,"sig":BASE64} in canonical JSON.
`previous` is the digest of the whole line before, so it and `seq` stand inside what is signed. Beside it
reports/ledger.head.json holds the last line's number and digest, signed: a tail that is cut off is noticed. Ledger and
head cut together are noticed only against a copy of the head kept elsewhere (`evalgate ledger anchor`).

Appends are serialised by a lock. A line without its end is a torn write and counts for nothing; a whole line that the
head does not know yet is an append that was killed before its last step, and counts if its signature does.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from evalgate import digest
from evalgate.authored.keyring import GATE, SUITES, WAIVER, Keyring, is_time
from evalgate.crypto.keys import PublicKey, SigningKey
from evalgate.errors import InfrastructureError, IntegrityError
from evalgate.files import held
from evalgate.records import Record

Kind = Literal[
    "key",
    "plan",
    "approval",
    "attempt",
    "decision",
    "signoff",
    "waiver",
    "promotion",
    "serving",
    "purge",
    "withdrawal",
    "switch",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

START = f"sha256:{'0' * 64}"
"""`previous` of the first entry."""
SLACK_S = 60.0
"""Seconds that a clock may be behind the last entry: machines' clocks are stepped that far."""
_DOMAIN = b"evalgate.ledger/1\n"
_LONGEST = 1 << 24  # bytes of a line


class Entry(Record, kw_only=True):
    """What a line says. `at`: UTC, ISO 8601; `by`: the signing key's name in keys.toml."""

    at: str
    body: dict[str, Any]
    by: str
    kind: Kind
    previous: str
    seq: int


class Line(Record, kw_only=True):
    """One line of the ledger: an entry, the id of the key that signed it, and the signature in base64."""

    entry: Entry
    key: str
    sig: str

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` signed the entry."""
        return _signed(self.sig, digest.canonical(self.entry), key)


class Head(Record, kw_only=True):
    """The last entry's number and the digest of its line."""

    at: str
    hash: str
    seq: int


class SignedHead(Record, kw_only=True):
    """A head with who signed it: the file beside the ledger, and what an anchor keeps a copy of."""

    head: Head
    key: str
    sig: str

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` signed the head."""
        return _signed(self.sig, digest.canonical(self.head), key)


class Read(NamedTuple):
    """A ledger as read: its whole lines with their digests, how many bytes they take, and how many follow, torn."""

    lines: list[tuple[Line, str]]
    end: int
    torn: int


class Ledger:
    """The ledger of one project. `keyring`: whose signatures count."""

    def __init__(self, root: Path, keyring: Keyring) -> None:
        self.keyring = keyring
        self.path = root / "reports" / "ledger.jsonl"
        self.head_path = self.path.with_name("ledger.head.json")
        self._root = root

    def __repr__(self) -> str:
        return f"<Ledger {self.path.name}>"

    def append(self, kind: Kind, body: dict[str, Any], key: SigningKey) -> Entry:
        """Adds one signed entry and moves the head; waits while another process does.

        Raises IntegrityError: what is there is not what was written (EG710, EG711), a clock behind the last entry
        (EG713), a key that does not count (EG714); InfrastructureError (EG715).
        """
        with self._locked():
            last = self._tail()
            now = stamp()
            if last is not None:
                _check_clock(now, last[0].at)
                now = max(now, last[0].at)
            known = self.keyring.by_id(key.public.id)
            if known is None or not known.counts_at(now):
                why = "is not in keys.toml" if known is None else "was revoked"
                raise self._fault(
                    f"the key {key.public.id}, which {why}", "EG714", "one whose signature counts"
                )
            entry = Entry(
                at=now,
                body=body,
                by=known.name,
                kind=kind,
                previous=last[1] if last else START,
                seq=last[0].seq + 1 if last else 0,
            )
            line = digest.canonical(
                Line(entry=entry, key=key.public.id, sig=_sign(digest.canonical(entry), key))
            )
            with self._disk():
                if (
                    last is not None and last[2]
                ):  # one entry behind is a killed append; two would be a fault
                    head = Head(at=now, hash=last[1], seq=last[0].seq)
                    with self._head_aside(head, key) as aside:
                        aside.replace(self.head_path)
                head = Head(at=now, hash=digest.of_bytes(line), seq=entry.seq)
                with self._head_aside(head, key) as aside:
                    self._add(line, aside)
                self._sync_directory()
        return entry

    def entries(self) -> list[Entry]:
        """Every entry, oldest first: numbers, links and the signed head hold. Raises IntegrityError (EG710, EG711).

        Signatures of single entries are not looked at here, which would take a minute for a million of them.
        """
        return [line.entry for line, _ in self._checked()]

    def of_kind(self, *kinds: Kind) -> list[Entry]:
        """The entries of these kinds, oldest first, each with a signature that counts. Raises IntegrityError (EG710 to EG712)."""
        found = []
        for number, (line, _) in enumerate(self._checked(), 1):
            if line.entry.kind in kinds:
                if fault := fault_of(line, self.keyring):
                    raise self._fault(fault, "EG712", where=f"{self._name}:{number}")
                found.append(line.entry)
        return found

    def latest(self, kind: Kind, wanted: Callable[[Entry], bool]) -> Entry | None:
        """The latest entry of a kind that is wanted, with a signature that counts. Raises IntegrityError (EG710 to EG712).

        Of the others of its kind the signatures are not looked at: with years of them that would take seconds.
        """
        for number, (line, _) in reversed(list(enumerate(self._checked(), 1))):
            if line.entry.kind == kind and wanted(line.entry):
                if fault := fault_of(line, self.keyring):
                    raise self._fault(fault, "EG712", where=f"{self._name}:{number}")
                return line.entry
        return None

    def check_clock(self) -> None:
        """The whole chain holds, and the clock is not behind it. Raises IntegrityError (EG710, EG711, EG713)."""
        if lines := self._checked():
            _check_clock(stamp(), lines[-1][0].entry.at)

    def head(self) -> SignedHead | None:
        """The head as it lies beside the ledger, its signature not looked at. Raises IntegrityError (EG711)."""
        try:
            return msgspec.json.decode(self.head_path.read_bytes(), type=SignedHead)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as e:
            kind = e.strerror if isinstance(e, OSError) else "damaged"
            raise self._fault(
                f"a head that cannot be read ({kind})", "EG711", where=str(self.head_path.name)
            ) from None

    @property
    def _name(self) -> str:
        return self.path.relative_to(self._root).as_posix()

    def _fault(
        self, found: str, code: str, expected: str = "the ledger as it was written", where: str = ""
    ) -> IntegrityError:
        return IntegrityError(
            f"found {found}, expected {expected}. Find out who changed it; restore the ledger from its last good copy.",
            where=where or self._name,
            code=code,
        )

    def _checked(self) -> list[tuple[Line, str]]:
        read, fault = self.read()
        if fault:
            raise self._fault(fault[1], "EG710", where=f"{self._name}:{fault[0]}")
        if found := self.lag(read.lines, self.head()):
            raise self._fault(found, "EG711")
        return read.lines

    def read(self) -> tuple[Read, tuple[int, str] | None]:
        """The whole lines up to the first that does not follow from the one before, and that one's number and fault."""
        lines: list[tuple[Line, str]] = []
        previous, at, end = START, "", 0
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as e:
            raise self._unusable(e) from None
        for number, raw in enumerate(_whole(data), 1):
            own = digest.of_bytes(raw[:-1])
            try:
                line = msgspec.json.decode(raw, type=Line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return Read(lines, end, 0), (number, "a line that is no entry")
            entry = line.entry
            if entry.seq != number - 1 or entry.previous != previous:
                what = f"entry {entry.seq} here, which does not follow from the line before"
                return Read(lines, end, 0), (number, what)
            if digest.canonical(line) != raw[:-1]:
                return Read(lines, end, 0), (
                    number,
                    "an entry in another form than evalgate writes",
                )
            if entry.at < at or not is_time(entry.at):
                why = "an entry without a time, or older than the one before it"
                return Read(lines, end, 0), (number, why)
            lines.append((line, own))
            previous, at, end = own, entry.at, end + len(raw)
        return Read(lines, end, len(data) - end), None

    def lag(self, lines: Sequence[tuple[Line, str]], head: SignedHead | None) -> str:
        """How ledger and head disagree, "" if they agree or one killed append explains it."""
        if head is None:
            if len(lines) <= 1:
                return fault_of(lines[0][0], self.keyring) if lines else ""
            return f"{len(lines)} entries and no head beside them"
        if fault := self._unsigned(head):
            return fault
        seq = head.head.seq
        if seq >= len(lines):
            return f"{len(lines)} entries where the head knows {seq + 1}: the end was cut off"
        if lines[seq][1] != head.head.hash:
            return f"another entry {seq} than the head knows"
        ahead = len(lines) - 1 - seq
        if ahead > 1:
            return f"a head that is {ahead} entries behind"
        # an entry that the head does not know may only be one whose writer was killed before moving the head
        return fault_of(lines[-1][0], self.keyring) if ahead else ""

    def _tail(self) -> tuple[Entry, str, bool] | None:
        """The last entry, its line's digest and whether the head is behind it, after cutting off what a killed append tore.

        The lock is held.
        """
        head = self.head()
        data = self._last_lines()
        if not data and head is None:
            return None
        whole = _whole(data)
        if not whole:
            if head is None:  # the very first append was killed
                self._cut(len(data))
                return None
            raise self._fault("no entries, and a head that knows some", "EG711")
        try:
            line = msgspec.json.decode(whole[-1], type=Line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self._fault("a last line that is no entry", "EG710") from None
        own = digest.of_bytes(whole[-1][:-1])
        behind = self._behind(line, own, head)
        self._cut(len(data) - sum(map(len, whole)))
        return line.entry, own, behind

    def _behind(self, line: Line, own: str, head: SignedHead | None) -> bool:
        """Whether the last line's writer was killed before it moved the head. Raises IntegrityError for anything else."""
        if head is not None and (fault := self._unsigned(head)):
            raise self._fault(fault, "EG711")
        if head is not None and head.head.hash == own:
            return False
        follows = (head is None and line.entry.seq == 0) or (
            head is not None and line.entry.previous == head.head.hash
        )
        if not follows:
            raise self._fault("a last entry that the head does not know", "EG711")
        if fault := fault_of(line, self.keyring):
            raise self._fault(fault, "EG712")
        return True

    def _unsigned(self, head: SignedHead) -> str:
        """Why the head's signature does not count, "" if it does."""
        signer = self.keyring.by_id(head.key)
        if signer is None:
            return f"a head signed by the key {head.key}, which is not in keys.toml"
        if not head.signed_by(PublicKey.from_text(signer.public)):
            return "a head without a signature that counts"
        if not signer.counts_at(head.head.at):
            return f"a head signed by {signer.name} after that key was revoked"
        return ""

    def _last_lines(self) -> bytes:
        """The file's end, from the start of a line on, with its last whole line."""
        with self._disk():
            try:
                f = self.path.open("rb")
            except FileNotFoundError:
                return b""
            with f:
                size = f.seek(0, os.SEEK_END)
                span = 1 << 16
                while True:
                    begin = max(0, size - span)
                    f.seek(begin)
                    data = f.read()
                    if begin == 0:
                        return data
                    if data.count(b"\n") >= 3 or span > _LONGEST:
                        return data[data.index(b"\n") + 1 :]
                    span *= 2

    def _cut(self, torn: int) -> None:
        if torn:
            with self._disk(), self.path.open("r+b") as f:
                f.truncate(f.seek(0, os.SEEK_END) - torn)

    def _add(self, line: bytes, head: Path) -> None:
        """Writes the line, then moves `head`, which knows it, into its place. If either fails, the line is taken back."""
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            view = memoryview(line + b"\n")
            try:
                while view:
                    view = view[os.write(fd, view) :]
                os.fsync(fd)
                head.replace(self.head_path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _head_aside(self, head: Head, key: SigningKey) -> Iterator[Path]:
        """A file with the signed head, on disk before the line is: a full disk is noticed while nothing has happened."""
        signed = SignedHead(head=head, key=key.public.id, sig=_sign(digest.canonical(head), key))
        temporary = self.head_path.with_name(f".ledger.head.{os.getpid()}")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as f:
                f.write(digest.canonical(signed) + b"\n")
                f.flush()
                os.fsync(f.fileno())
            yield temporary
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _sync_directory(self) -> None:
        """Line and head are written; should the head be lost again, it is one entry behind, which is no harm."""
        with contextlib.suppress(OSError):
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with self._disk():
                stack.enter_context(held(self.path.with_name("ledger.lock")))
            yield

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise self._unusable(e) from None

    def _unusable(self, error: OSError) -> InfrastructureError:
        return InfrastructureError(
            f"found {error.strerror or error}, expected to be able to read and write the ledger. Free some space or mend the "
            "permissions, then start again.",
            where=self._name,
            code="EG715",
        )


def _whole(data: bytes) -> list[bytes]:
    """The lines that have their end."""
    return [raw + b"\n" for raw in data.split(b"\n")[:-1]]


def fault_of(line: Line, keyring: Keyring) -> str:
    """Why the signature of an entry does not count, "" if it does."""
    key = keyring.by_id(line.key)
    entry = line.entry
    if key is None:
        return f"entry {entry.seq} signed by the key {line.key}, which is not in keys.toml"
    if key.name != entry.by:
        return f"entry {entry.seq} in the name of {entry.by!r}, signed by {key.name!r}"
    if not line.signed_by(_public(key.public)):
        return f"entry {entry.seq} with a signature that is not of its content"
    if not key.counts_at(entry.at):
        return f"entry {entry.seq} signed by {key.name!r} after that key was revoked"
    needed = role_of(entry)
    if needed and needed not in key.roles:
        return f"entry {entry.seq} ({entry.kind}) signed by {key.name!r}, whose key has not the role {needed!r}"
    return ""


_public = functools.cache(PublicKey.from_text)


def role_of(entry: Entry) -> str:
    """The role whose signature an entry needs, "" if any key of the keyring will do: everybody may ask for a waiver."""
    if entry.kind == "signoff":
        return str(entry.body.get("role", ""))
    if entry.kind == "waiver":
        return WAIVER if entry.body.get("stage") == "grant" else ""
    return SUITES if entry.kind == "approval" else GATE


def stamp(seconds: float | None = None) -> str:
    """A time as the ledger writes it: UTC, ISO 8601, microseconds, so that texts sort as times do."""
    when = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(text: str) -> float:
    """The time of `stamp`, in seconds since the epoch. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


def _check_clock(now: str, last: str) -> None:
    behind = seconds_of(last) - seconds_of(now)
    if behind > SLACK_S:
        raise IntegrityError(
            f"found the clock at {now}, {behind:.0f} s behind the last entry of the ledger ({last}), expected it to go on. "
            "Set the clock right: expiry and order depend on it.",
            where="reports/ledger.jsonl",
            code="EG713",
        )


def _sign(data: bytes, key: SigningKey) -> str:
    return base64.b64encode(key.sign(_DOMAIN + data)).decode()


def _signed(signature: str, data: bytes, key: PublicKey) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    if base64.b64encode(raw).decode() != signature:  # another spelling of it is another byte
        return False
    return key.verify(raw, _DOMAIN + data)
