"""Gold sets: goldsets/NAME.jsonl, one item a line, read as a stream.

A gold set of any size costs a few dozen bytes an item: offsets, one hash of the unit, and which items bear a tag, class or
label. Items themselves are read from the file when they are needed, and the file is watched: what was loaded is what is
asked, or IntegrityError.
"""

from __future__ import annotations

import hashlib
import operator
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import msgspec

from evalgate.authored.gold_lines import LineProblems, explain_line, fault_of_item
from evalgate.authored.problems import BOM_FOUND, Problems, relative, unreadable
from evalgate.errors import IntegrityError
from evalgate.metrics.tally import hash64
from evalgate.records import GoldItem

T = TypeVar("T")

CHUNK: Final = 1 << 16
LONGEST_LINE: Final = 16 << 20
MOST_NAMES: Final = 1000
"""Distinct classes or labels above which `expected` is free text and not a class."""
LONGEST_NAME: Final = 200

_decode: Callable[[bytes], GoldItem] = msgspec.json.Decoder(GoldItem).decode


class _OnlyId(msgspec.Struct):
    id: str


_decode_id: Callable[[bytes], _OnlyId] = msgspec.json.Decoder(_OnlyId).decode


class _Groups:
    """Ordinals by name (tag, class or entity label); `closed` once there are more names than a vocabulary has."""

    def __init__(self, most: int | None = None) -> None:
        self.members: dict[str, array[int]] = {}
        self.most = most
        self.closed = False

    def add(self, name: str, ordinal: int) -> None:
        members = self.members.get(name)
        if members is not None:
            members.append(ordinal)
            return
        if self.closed:
            return
        if self.most is not None and (len(self.members) >= self.most or len(name) > LONGEST_NAME):
            self.close()
            return
        self.members[name] = array("I", (ordinal,))

    def close(self) -> None:
        self.closed = True
        self.members = {}


class _Index:
    """What the load pass keeps. `ids` holds Python's own hash of each id, only to find ids given twice."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.ids = array("q")
        self.units = array("q")
        self.tags = _Groups()
        self.classes = _Groups(MOST_NAMES)
        self.labels = _Groups(MOST_NAMES)

    def skip(self, offset: int) -> None:
        """Keep ordinals and lines in step past a line with a problem."""
        self.offsets.append(offset)
        self.ids.append(0)
        self.units.append(0)

    def add(self, offset: int, item: GoldItem) -> None:
        ordinal = len(self.offsets)
        self.offsets.append(offset)
        self.ids.append(hash(item.id))
        self.units.append(hash(item.unit))
        for tag in item.tags:
            self.tags.add(tag, ordinal)
        expected = item.expected
        if isinstance(expected, str):
            if not self.classes.closed:
                self.classes.add(expected, ordinal)
        else:
            self.classes.close()
            if isinstance(expected, list) and not self.labels.closed:
                for label in _labels(expected):
                    self.labels.add(label, ordinal)


def _labels(expected: list[Any]) -> set[str]:
    """The labels of a list of entities, each once; empty where it is no such list."""
    try:
        found = {e["label"] for e in expected}
    except (TypeError, KeyError, IndexError):
        return set()
    return found if all(isinstance(label, str) for label in found) else set()


class GoldSet:
    """A loaded gold set: counts and places, not items. Its repr shows no text of any item.

    path: of the file. name: its stem, the suite's name. digest: of the exact bytes. tags: all tags, sorted. n = len(gold).
    classes: units of each class when every `expected` is a text and there are at most 1000 distinct ones, else None.
    labels: units with each entity label, when `expected` are lists of entities (else empty). clustered_names: the classes
    and labels that some unit has in more than one item. A sealed set's text is in memory, and `path` is the sealed file.
    """

    def __init__(
        self,
        *,
        path: Path,
        digest: str,
        size: int,
        mark: _Mark,
        index: _Index,
        text: bytes | None = None,
    ) -> None:
        self.path = path
        self._text = text
        self.name = path.name.removesuffix(".jsonl")
        self.digest = digest
        self.size = size
        self._mark = mark
        self._offsets = index.offsets
        self._units = index.units
        self._tagged = index.tags.members
        self._hashes: array[int] | None = None
        self._spread: dict[str | None, tuple[int, int]] = {}
        self.tags: tuple[str, ...] = tuple(sorted(self._tagged))
        self.clustered_names: set[str] = set()
        self.classes: dict[str, int] | None = None
        if not index.classes.closed:
            self.classes = self._units_by_name(index.classes)
        self.labels: dict[str, int] = self._units_by_name(index.labels)

    def __len__(self) -> int:
        return len(self._offsets)

    def __repr__(self) -> str:
        return f"<GoldSet {self.name} n={len(self)}>"

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self._offsets)

    @property
    def units(self) -> int:
        """Number of distinct units."""
        return self._spread_of(None)[0]

    @property
    def max_items_per_unit(self) -> int:
        """Items of the largest unit; 1 when items are independent."""
        return self._spread_of(None)[1]

    def items_with_tag(self, tag: str) -> int:
        """Number of items that bear `tag`; 0 for an unknown tag."""
        return len(self._tagged.get(tag, ()))

    def units_with_tag(self, tag: str) -> int:
        """Number of distinct units with at least one item that bears `tag`."""
        return self._spread_of(tag)[0]

    def clustered(self, tag: str | None = None) -> bool:
        """Whether some unit has more than one item (that bears `tag`): then items are not independent."""
        return self._spread_of(tag)[1] > 1

    def items(self) -> Iterator[tuple[int, GoldItem]]:
        """Every (ordinal, item) in the order of the file, read as a stream.

        Raises IntegrityError (EG157) when the file is not the one that was loaded, also when it changes meanwhile.
        """
        with self._open() as file:
            for ordinal, (_, line) in enumerate(_lines(file)):
                if ordinal == len(self._offsets):
                    break  # only blank lines follow: anything else has changed the size
                yield ordinal, self._decoded(line)
            self._check_unchanged(file)

    def item(self, ordinal: int) -> GoldItem:
        """The item at `ordinal` (0 <= ordinal < n). Raises IndexError, IntegrityError (EG157)."""
        if not 0 <= ordinal < len(self._offsets):
            raise IndexError(f"{self!r} has no item {ordinal}")
        start = self._offsets[ordinal]
        last = ordinal + 1 == len(self._offsets)
        end = self.size if last else self._offsets[ordinal + 1]
        with self._open() as file:
            file.seek(start)
            return self._decoded(file.read(end - start).rstrip())

    def fingerprint(self, tag: str | None = None) -> int:
        """Sum of `hash64` of the ids over all items (or those that bear `tag`) modulo 2**64; the order of items does not matter.

        The first call reads the file once. Raises IntegrityError (EG157).
        """
        if self._hashes is None:
            hashes = array("Q")
            with self._open() as file:
                for _, line in islice(_lines(file), len(self._offsets)):
                    hashes.append(hash64(self._decoded_by(_decode_id, line).id))
                self._check_unchanged(file)
            self._hashes = hashes
        if tag is None:
            return sum(self._hashes) % 2**64
        return sum(self._hashes[i] for i in self._tagged.get(tag, ())) % 2**64

    def _units_by_name(self, groups: _Groups) -> dict[str, int]:
        """Units by name; notes in `clustered_names` where a unit has a name in several items."""
        counts = {}
        for name, members in sorted(groups.members.items()):
            counts[name], most = _spread(self._units[i] for i in members)
            if most > 1:
                self.clustered_names.add(name)
        return counts

    def _spread_of(self, tag: str | None) -> tuple[int, int]:
        """Distinct units and items of the largest one, among all items or those that bear a tag; computed once."""
        if tag not in self._spread:
            units = (
                self._units if tag is None else (self._units[i] for i in self._tagged.get(tag, ()))
            )
            self._spread[tag] = _spread(units)
        return self._spread[tag]

    def _open(self) -> BinaryIO:
        """The file, opened for reading and proven to be the one that was loaded."""
        if self._text is not None:
            return BytesIO(self._text)
        try:
            file = self.path.open("rb", buffering=CHUNK)
        except OSError as error:
            raise self._changed("no readable file any more") from error
        try:
            self._check_unchanged(file)
        except BaseException:
            file.close()
            raise
        return file

    def _check_unchanged(self, file: BinaryIO) -> None:
        """Compare size and times with those at loading; where only times differ (a checkout), the bytes decide."""
        mark = _mark(file)
        if mark == self._mark:
            return
        at = file.tell()
        file.seek(0)
        if mark.size != self.size or _digest(file) != self.digest:
            raise self._changed("other bytes than were loaded")
        file.seek(at)
        self._mark = mark

    def _decoded(self, line: bytes | None) -> GoldItem:
        return self._decoded_by(_decode, line)

    def _decoded_by(self, decode: Callable[[bytes], T], line: bytes | None) -> T:
        try:
            if line is not None:
                return decode(line)
        except (ValueError, RecursionError):
            pass
        raise self._changed("a line that no longer is the item that was loaded")

    def _changed(self, found: str) -> IntegrityError:
        return IntegrityError(
            f"found {found}, expected the gold set {self.digest[:19]}… Restore the file, or start again with the new one.",
            where=str(self.path),
            code="EG157",
        )


class _Mark(msgspec.Struct, frozen=True):
    """What the file system says of a file: if it is the same, the bytes are taken to be the same."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def _mark(file: BinaryIO) -> _Mark:
    if isinstance(file, BytesIO):
        return _Mark(0, len(file.getbuffer()), 0, 0)
    stat = os.fstat(file.fileno())
    return _Mark(stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def _digest(file: BinaryIO) -> str:
    state = hashlib.sha256()
    while chunk := file.read(CHUNK):
        state.update(chunk)
    return "sha256:" + state.hexdigest()


def _spread(units: Iterable[int]) -> tuple[int, int]:
    """Number of distinct values and the count of the most frequent one (0, 0 for none)."""
    ordered = sorted(units)
    if not ordered:
        return 0, 0
    distinct = 1 + sum(map(operator.ne, ordered, islice(ordered, 1, None)))
    if distinct == len(ordered):
        return distinct, 1
    most = run = 1
    for here, following in zip(ordered, islice(ordered, 1, None), strict=False):
        run = run + 1 if here == following else 1
        most = max(most, run)
    return distinct, most


def _lines(
    file: BinaryIO, update: Callable[[bytes], None] | None = None
) -> Iterator[tuple[int, bytes | None]]:
    """(offset, line with its newline) of every line; None for a line longer than LONGEST_LINE.

    `update` sees all bytes in order (for a digest).
    """
    offset = 0
    pieces = iter(partial(file.readline, LONGEST_LINE), b"")
    for line in pieces:
        if update is not None:
            update(line)
        size = len(line)
        if size < LONGEST_LINE or line.endswith(b"\n"):
            yield offset, line
        else:
            for piece in pieces:
                size += len(piece)
                if update is not None:
                    update(piece)
                if piece.endswith(b"\n"):
                    break
            yield offset, None
        offset += size


def load_gold(path: Path, root: Path, problems: Problems) -> GoldSet | None:
    """The gold set, or None after noting its problems (EG101, EG102, EG105 to EG107, EG150 to EG159; 50 at most).

    One pass: digest, schema of every line, ids, units, tags. Windows line ends and blank lines at the end are tolerated.
    """
    return load_gold_text(path, root, problems, None)


def load_gold_text(
    path: Path, root: Path, problems: Problems, text: bytes | None
) -> GoldSet | None:
    """The same from `text` in memory, whatever lies at `path`: of a sealed set, which has no text on disk."""
    found = LineProblems(relative(path, root), problems)
    try:
        with BytesIO(text) if text is not None else path.open("rb", buffering=CHUNK) as file:
            return _load(path, file, found, text)
    except (OSError, ValueError) as error:
        problems.add(found.path, "EG101", unreadable(error))
        return None
    finally:
        found.close()


def _load(path: Path, file: BinaryIO, found: LineProblems, text: bytes | None) -> GoldSet | None:
    mark = _mark(file)
    sha = hashlib.sha256()
    index = _Index()
    blank = array("Q")
    for line_number, (offset, line) in enumerate(_lines(file, sha.update), start=1):
        try:
            item = _decode(line)  # type: ignore[arg-type]  # None raises TypeError
            fault = fault_of_item(item)
        except (ValueError, TypeError, RecursionError) as error:
            if line is not None and line.isspace():
                blank.append(line_number)
                continue
            index.skip(offset)
            _explain(line, error, line_number, found)
        else:
            if fault is None:
                index.add(offset, item)
            else:
                index.skip(offset)
                found.add(*fault, line_number)
        if blank:  # blank lines at the end are tolerated
            found.blank_lines(blank)
            del blank[:]
    _check_whole(file, index, mark, found)
    if found.count:
        return None
    digest = "sha256:" + sha.hexdigest()
    index.ids = array("q")
    return GoldSet(path=path, digest=digest, size=mark.size, mark=mark, index=index, text=text)


def _explain(line: bytes | None, error: Exception, line_number: int, found: LineProblems) -> None:
    if line is None:
        message = "found a line of more than 16 MiB, expected one item a line. Split or shorten it."
        found.add("EG155", message, line_number)
    elif line_number == 1 and line.startswith(b"\xef\xbb\xbf"):
        found.add("EG102", BOM_FOUND, 1, 1)
    else:
        explain_line(line, error, line_number, found)


def _check_whole(file: BinaryIO, index: _Index, mark: _Mark, found: LineProblems) -> None:
    """What can only be told at the end of the file."""
    if not index.offsets:
        message = "found no items, expected at least one line. A gold set without items decides nothing: add items or remove the suite."
        found.add("EG154", message)
    _check_repeats(file, index, found)
    if mark != _mark(file):
        message = "found a file that changed while it was read, expected it to rest. Run the command again."
        found.add("EG157", message)


def _check_repeats(file: BinaryIO, index: _Index, found: LineProblems) -> None:
    """Note every id given twice (EG153). Equal hashes only point at lines; the ids themselves decide."""
    ordered = sorted(index.ids)
    twice = {a for a, b in zip(ordered, islice(ordered, 1, None), strict=False) if a == b}
    if not twice:
        return
    first_lines: dict[str, int] = {}
    ordinals = (i for i, h in enumerate(index.ids) if h in twice)
    line_of = found.line_of_ordinal
    for ordinal in ordinals:
        if found.room <= 0:
            return
        file.seek(index.offsets[ordinal])
        try:
            item_id = _decode_id(file.readline(LONGEST_LINE)).id
        except (ValueError, RecursionError):
            continue
        line = line_of(ordinal)
        first = first_lines.setdefault(item_id, line)
        if first != line:
            message = f"found the id {item_id!r} a second time (first on line {first}), expected each id once. Rename or remove one of the items."
            found.add("EG153", message, line)
