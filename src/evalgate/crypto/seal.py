"""Sealed files: whole files under AES-256-GCM (NIST SP 800-38D), and the rows of sealed runs.

A sealed file is one line of plain header, `evalgate-sealed/1 {"key":..,"kind":..,"name":..,"nonce":..}`, and the cipher text
with its tag. The header is authenticated with the text: a file that is renamed in its header, cut, or changed in one bit
does not open. No key encrypts anything itself: each purpose has its own, derived by HKDF-SHA256 (RFC 5869), and each run its
own, so that random nonces cannot meet (2**32 messages a key are allowed; a run has at most a row an item).
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.files import write_new
from evalgate.records import Record

VARIABLE: Final = "EVALGATE_SEAL_KEY_FILE"
"""Names the file of the seal key. The gate's account has it; the developers' account has neither it nor the file."""
LARGEST: Final = 2**31 - 1 - 64
"""Bytes that one file may hold: AES-GCM here works on a text as a whole."""

_MAGIC: Final = b"evalgate-sealed/1 "
_NONCE: Final = 12
_LONGEST_HEADER: Final = 4096
_ROW: Final = 1024
"""Bytes of the shortest sealed row: the length of what a model said, a label perhaps, must not tell what it was."""


class Header(Record, kw_only=True):
    """What a sealed file says of itself in the clear. `kind`: what it is ("gold set"); `name`: which one."""

    key: str
    kind: str
    name: str
    nonce: str


class SealKey:
    """32 secret bytes. `id` is "seal:" and 16 hex digits derived from them; the bytes themselves are never printed."""

    def __init__(self, raw: bytes) -> None:
        """Raises ValueError unless there are 32 bytes."""
        if len(raw) != 32:
            raise ValueError(f"{len(raw)} bytes")
        self.raw = raw
        self.id = f"seal:{_derive(raw, b'id')[:8].hex()}"
        self._files = AESGCM(_derive(raw, b"files"))

    def __repr__(self) -> str:
        return f"<SealKey {self.id}>"

    @classmethod
    def generate(cls) -> Self:
        """A new key from the system's random numbers."""
        return cls(AESGCM.generate_key(256))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in a file of 64 hex digits or of base64.

        Raises UsageError: unreadable (EG750), no key in it (EG751), readable by others (EG752).
        """
        where = path.as_posix()
        try:
            data = path.read_bytes()
            mode = path.stat().st_mode
        except OSError as e:
            raise UsageError(
                f"found {e.strerror or e}, expected the seal key. Only the gate's account has it: run this there, "
                f"with its file named in {VARIABLE}.",
                where=where,
                code="EG750",
            ) from None
        if mode & 0o077:
            raise UsageError(
                f"found a seal key that others may read (mode {mode & 0o777:03o}), expected 600. Run chmod 600 on it; "
                "rotate the sealed sets if developers had access.",
                where=where,
                code="EG752",
            )
        raw = _decoded(data.strip())
        if raw is None:
            raise UsageError(
                "found no seal key, expected 32 bytes as 64 hex digits or base64. Name the right file, or make a key: "
                "evalgate gold seal NAME --new-key FILE",
                where=where,
                code="EG751",
            )
        return cls(raw)

    @classmethod
    def at_hand(cls) -> Self:
        """The key whose file EVALGATE_SEAL_KEY_FILE names. Raises UsageError as `read`, and EG750 if it names none."""
        path = os.environ.get(VARIABLE)
        if not path:
            raise UsageError(
                "found no seal key, expected the name of its file. Only the gate's account has it: run this there.",
                where=VARIABLE,
                code="EG750",
            )
        return cls.read(Path(path))

    def write(self, path: Path) -> None:
        """Keeps the key in a new file that its owner alone may read.

        Raises UsageError (EG753) if there is a file already: what a lost key sealed is lost; InfrastructureError (EG754).
        """
        try:
            write_new(path, base64.b64encode(self.raw) + b"\n")
        except FileExistsError:
            raise UsageError(
                "found a file there already, expected none: a key that is overwritten is lost with all it sealed. "
                "Choose another name.",
                where=path.as_posix(),
                code="EG753",
            ) from None
        except OSError as e:
            raise unwritable(path, e) from None

    def seal(self, data: bytes, *, kind: str, name: str) -> bytes:
        """The bytes of a sealed file. Equal data give different files: the nonce is random."""
        nonce = os.urandom(_NONCE)
        header = Header(key=self.id, kind=kind, name=name, nonce=base64.b64encode(nonce).decode())
        head = _MAGIC + digest.canonical(header) + b"\n"
        return head + self._files.encrypt(nonce, data, head)

    def open(self, sealed: bytes, *, kind: str, name: str, where: str) -> bytes:
        """What was sealed under this key as `kind` and `name`.

        Raises IntegrityError: sealed under another key (EG755), damaged or no sealed file (EG756), another file than the
        one meant (EG757). `where` is the path that messages name.
        """
        header, head = read_header(sealed, where=where)
        if header.key != self.id:
            raise IntegrityError(
                f"found a file sealed under the key {header.key}, expected {self.id}. Name the file of the right key in "
                f"{VARIABLE}.",
                where=where,
                code="EG755",
            )
        try:
            nonce = base64.b64decode(header.nonce, validate=True)
            data = self._files.decrypt(nonce, sealed[len(head) :], head)
        except (InvalidTag, ValueError):
            raise _damaged(where) from None
        if (header.kind, header.name) != (kind, name):
            raise IntegrityError(
                f"found the {header.kind} {header.name!r}, expected the {kind} {name!r}. Find out who exchanged the files.",
                where=where,
                code="EG757",
            )
        return data

    def rows(self, run: str) -> RowCipher:
        """The cipher of one run's rows. `run`: its key, 64 hex digits."""
        return RowCipher(AESGCM(_derive(self.raw, b"run " + run.encode())))


class RowCipher:
    """Encrypts rows one by one; their order and number are the business of the run's own checksums."""

    def __init__(self, cipher: AESGCM) -> None:
        self._cipher = cipher

    def __repr__(self) -> str:
        return "<RowCipher>"

    def seal(self, row: bytes) -> bytes:
        """The row, a JSON object, as a JSON string: base64 of nonce, padded cipher text and tag in quotes."""
        nonce = os.urandom(_NONCE)
        data = self._cipher.encrypt(nonce, padded(row, _ROW), None)
        return b'"%s"' % base64.b64encode(nonce + data)

    def open(self, row: bytes) -> bytes:
        """What `seal` was given. Raises ValueError if the key is another one or the row was changed."""
        try:
            data = base64.b64decode(row.strip(b'"'), validate=True)
            return self._cipher.decrypt(data[:_NONCE], data[_NONCE:], None).rstrip(b" ")
        except (InvalidTag, binascii.Error) as e:
            raise ValueError("the seal key does not open it") from e


def padded(text: bytes, least: int) -> bytes:
    """A JSON text with spaces behind it: `least` bytes, or twice, four times as many. Its length then tells next to nothing."""
    size = least
    while size < len(text):
        size *= 2
    return text.ljust(size)


def read_header(sealed: bytes, *, where: str) -> tuple[Header, bytes]:
    """The header of a sealed file and its bytes, believed only once the file is opened. Raises IntegrityError (EG756)."""
    end = sealed.find(b"\n", 0, _LONGEST_HEADER)
    if not sealed.startswith(_MAGIC) or end < 0:
        raise _damaged(where)
    try:
        return msgspec.json.decode(sealed[len(_MAGIC) : end], type=Header), sealed[: end + 1]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _damaged(where) from None


def unwritable(path: Path, error: OSError) -> InfrastructureError:
    """For a sealed file or a seal key that cannot be written (EG754)."""
    return InfrastructureError(
        f"found {error.strerror or error}, expected to be able to write. Free space or mend the permissions.",
        where=path.as_posix(),
        code="EG754",
    )


def _damaged(where: str) -> IntegrityError:
    return IntegrityError(
        "found a damaged file, expected a sealed one exactly as it was written. Restore it from version control or a copy.",
        where=where,
        code="EG756",
    )


def _decoded(text: bytes) -> bytes | None:
    """32 bytes from hex or base64; None for anything else."""
    try:
        raw = (
            bytes.fromhex(text.decode())
            if len(text) == 64
            else base64.b64decode(text, validate=True)
        )
    except (ValueError, UnicodeDecodeError):
        return None
    return raw if len(raw) == 32 else None


def _derive(raw: bytes, purpose: bytes) -> bytes:
    return HKDF(
        algorithm=SHA256(), length=32, salt=None, info=b"evalgate seal/1 " + purpose
    ).derive(raw)
