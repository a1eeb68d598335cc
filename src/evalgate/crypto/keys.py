"""Ed25519 keys: made, read, written, and known by an id that is short enough to say aloud."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from evalgate.errors import InfrastructureError, UsageError
from evalgate.files import write_new


class PublicKey:
    """The half that everybody may have. `id` is "ed25519:" and 16 hex digits of the SHA-256 of its 32 bytes."""

    def __init__(self, raw: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(raw)
        self.raw = raw
        self.id = f"ed25519:{hashlib.sha256(raw).hexdigest()[:16]}"

    def __repr__(self) -> str:
        return f"<PublicKey {self.id}>"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The key that `text` is of. Raises ValueError if it is not base64 of 32 bytes."""
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error as e:
            raise ValueError(str(e)) from None
        if len(raw) != 32:
            raise ValueError(f"{len(raw)} bytes")
        return cls(raw)

    @property
    def text(self) -> str:
        """The 32 bytes in base64."""
        return base64.b64encode(self.raw).decode()

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether the private half signed exactly `data`."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The half that signs. It is never printed, logged or handed to a process that runs suites."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def __repr__(self) -> str:
        return f"<SigningKey {self.public.id}>"

    @classmethod
    def generate(cls) -> Self:
        """A new key from the system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in a PEM file (PKCS #8, not encrypted).

        Raises UsageError: unreadable (EG700), no such key (EG701), readable by others (EG702).
        """
        where = path.as_posix()
        try:
            data = path.read_bytes()
            mode = path.stat().st_mode
        except OSError as e:
            raise UsageError(
                f"found {e.strerror or e}, expected a private key. Name its file in EVALGATE_KEY_FILE, or make one: "
                "evalgate keys init",
                where=where,
                code="EG700",
            ) from None
        if mode & 0o077:
            raise UsageError(
                f"found a private key that others may read (mode {mode & 0o777:03o}), expected 600. "
                "Run chmod 600 on it; replace it if others had access: evalgate keys rotate",
                where=where,
                code="EG702",
            )
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError):  # cryptography's words may quote the file
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(
                "found no Ed25519 key, expected one in PEM (PKCS #8, without a password). Make one: evalgate keys init",
                where=where,
                code="EG701",
            )
        return cls(key)

    def write(self, path: Path) -> None:
        """Keeps the key in a new file that its owner alone may read.

        Raises UsageError (EG703) if there is a file already: a key that is overwritten is lost; InfrastructureError (EG704).
        """
        text = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_new(path, text)
        except FileExistsError:
            raise UsageError(
                "found a key there already, expected none: it would be lost. Choose another name.",
                where=path.as_posix(),
                code="EG703",
            ) from None
        except OSError as e:
            raise InfrastructureError(
                f"found {e.strerror or e}, expected to be able to write the key. Free space or mend the permissions.",
                where=path.as_posix(),
                code="EG704",
            ) from None

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over `data`."""
        return self._key.sign(data)
