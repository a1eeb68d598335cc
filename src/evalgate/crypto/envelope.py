"""DSSE envelopes: a payload, its type, and signatures over both (github.com/secure-systems-lab/dsse, protocol v1).

The payload is signed as bytes, not as JSON: nobody has to agree on how JSON is written before a signature can be checked.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec

from evalgate import digest
from evalgate.crypto.keys import PublicKey, SigningKey
from evalgate.records import Record

STATEMENT_TYPE = "application/vnd.in-toto+json"


class Envelope(Record, kw_only=True):
    """An envelope as read: nothing of it is believed before `signers` has named who signed."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]
    """Key id (a hint) and signature of each."""

    def signers(self, keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Those of `keys` that signed this payload as this type."""
        signed = authenticated(self.payload_type, self.payload)
        return tuple(
            key for key in keys if any(key.verify(found, signed) for _, found in self.signatures)
        )


class _Signature(msgspec.Struct):
    sig: str
    keyid: str = ""


class _Wire(msgspec.Struct, rename={"payload_type": "payloadType"}):
    payload: str
    payload_type: str
    signatures: list[_Signature]


def authenticated(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding of type and payload."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def seal_envelope(payload_type: str, payload: bytes, key: SigningKey) -> bytes:
    """The envelope, as one line of JSON, with the signature of `key`."""
    signature = key.sign(authenticated(payload_type, payload))
    return digest.canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [{"keyid": key.public.id, "sig": base64.b64encode(signature).decode()}],
        }
    )


def read_envelope(data: bytes) -> Envelope:
    """The envelope in `data`. Raises ValueError for anything that is none."""
    try:
        wire = msgspec.json.decode(data, type=_Wire)
        return Envelope(
            payload_type=wire.payload_type,
            payload=base64.b64decode(wire.payload, validate=True),
            signatures=tuple(
                (s.keyid, base64.b64decode(s.sig, validate=True)) for s in wire.signatures
            ),
        )
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(str(e)) from None
