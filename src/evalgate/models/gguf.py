"""What a GGUF file says of itself: its metadata, read without loading the model.

The format (version 2 and 3, little endian): "GGUF", version u32, tensors u64, pairs u64, then the pairs: a key (length u64
and UTF-8), a type u32 and a value. An array is its type u32, its length u64 and its values.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from evalgate.errors import UsageError
from evalgate.models.llamacpp import MAGIC

Value = int | float | bool | str

_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_VERSIONS = (2, 3)


def metadata(path: Path, *, where: str) -> dict[str, Value]:
    """The pairs of the file by their keys; of an array only its length. Raises UsageError (EG961): it cannot be read."""
    try:
        with path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).pairs()
    except (OSError, OverflowError, ValueError, KeyError, struct.error) as e:
        raise UsageError(
            f"found metadata that cannot be read ({type(e).__name__}), expected those of a whole GGUF file. Copy the file again.",
            where=where,
            code="EG961",
        ) from None


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def pairs(self) -> dict[str, Value]:
        if self._data[: len(MAGIC)] != MAGIC:
            raise ValueError("no GGUF")
        self._at = len(MAGIC)
        version, _, count = self._number(4), self._number(10), self._number(10)
        if version not in _VERSIONS:
            raise ValueError("unknown version")
        found: dict[str, Value] = {}
        for _ in range(int(count)):
            key = self._text()
            found[key] = self._value(int(self._number(4)))
        return found

    def _number(self, kind: int) -> int | float | bool:
        form = _FORMATS[kind]
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        number: int | float | bool = value
        return number

    def _skip(self, size: int) -> int:
        """Goes on by `size` bytes; where they began."""
        begin, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise ValueError("cut short")
        return begin

    def _text(self) -> str:
        size = int(self._number(10))
        begin = self._skip(size)
        return self._data[begin : self._at].decode()

    def _skip_texts(self, count: int) -> None:
        data, at = self._data, self._at
        for _ in range(count):  # a vocabulary: worth a loop of its own
            at += 8 + _LENGTH.unpack_from(data, at)[0]
        self._at = at
        self._skip(0)

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._number(kind)
        inside, length = int(self._number(4)), int(self._number(10))
        if inside == _STRING:
            self._skip_texts(length)
        elif inside in _FORMATS:
            self._skip(struct.calcsize(_FORMATS[inside]) * length)
        else:  # arrays of arrays stand in no model
            raise ValueError("unknown type")
        return length
