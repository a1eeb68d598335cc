"""Labels on disk: rubrics/TASK.labels.jsonl, read strictly, added to one line at a time.

Labels are people's work and cannot be made again. So a label is on the disk before the next question is asked, and a last
line that was torn off is reported, never dropped. Labels about answers to a sealed set lie encrypted, in a file that is
written whole each time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from evalgate.authored.gold import GoldSet
from evalgate.authored.gold_lines import LineProblems
from evalgate.authored.labels import Label
from evalgate.authored.problems import Problems, listing, nearest, read_bytes, relative
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.authored.sealed_labels import open_labels, seal_labels
from evalgate.errors import InfrastructureError, IntegrityError
from evalgate.files import write_whole
from evalgate.records import Record

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey

PSEUDONYM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
"""What a rater is called: no name, no address."""
NO_PSEUDONYM: Final = (
    "rater: found no pseudonym, expected up to 32 letters, digits, - and _. Give every rater one; names and addresses do "
    "not belong here."
)

_READABLE = 0o644  # as the rest of what stands in git
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_UNKNOWN_FIELD = re.compile(r"^Object contains unknown field `(.*)`", re.DOTALL)
_PLAIN = re.compile(r"[\w.:-]{1,40}")

_decode = msgspec.json.Decoder(Label).decode
_encode = msgspec.json.Encoder().encode

_TORN = (
    "found a last line that was torn off, expected a whole label. Remove the line: its question will be asked again; or "
    "complete it."
)
Fault = tuple[str, str]
"""Code and message of what is wrong with one label."""


class Labels(Record, kw_only=True):
    """The labels of one rubric, in the order of the file.

    `usable` are about criteria as they stand now. `stale` were given to another wording: they are kept and counted, and
    nothing else.
    """

    usable: tuple[Label, ...] = ()
    stale: tuple[Label, ...] = ()

    def __len__(self) -> int:
        return len(self.usable) + len(self.stale)

    def __repr__(self) -> str:
        return f"<Labels usable={len(self.usable)} stale={len(self.stale)}>"


def labels_path(rubric: Path) -> Path:
    """Where the labels of rubrics/NAME.toml are kept: rubrics/NAME.labels.jsonl beside it."""
    return rubric.with_name(f"{rubric.name.removesuffix('.toml')}.labels.jsonl")


def load_labels(
    path: Path, root: Path, problems: Problems, *, rubric: Rubric, gold: GoldSet
) -> Labels | None:
    """The labels, or None after noting every problem with its line (EG101, EG630 to EG638). No file: no labels.

    A rater who answers a hidden repeat differently has made no mistake of form: `evalgate review agreement` reports it.
    """
    name = relative(path, root)
    if not path.exists():
        return Labels()
    data = read_bytes(path, name, problems)
    return None if data is None else read_labels(data, name, problems, rubric=rubric, gold=gold)


def read_labels(
    data: bytes, name: str, problems: Problems, *, rubric: Rubric, gold: GoldSet
) -> Labels | None:
    """The labels in the bytes of a file called `name`, or None after noting every problem (EG630 to EG638)."""
    found = LineProblems(name, problems)
    items = {item.id for _, item in gold.items()} if data else set()
    lines = data.split(b"\n")
    if lines.pop():
        found.add("EG638", _TORN, len(lines) + 1)
    first_line: dict[tuple[object, ...], int] = {}
    usable: list[Label] = []
    stale: list[Label] = []
    for number, line in enumerate(lines, start=1):
        label = _read(line, number, found)
        if label is None:
            continue
        for code, message in faults(label, rubric, items):
            found.add(code, message, number)
        first = first_line.setdefault(key(label), number)
        if first != number:
            message = f"found a second label of one rater on one question (first on line {first}), expected one. Keep the one that is meant."
            found.add("EG635", message, number)
        (usable if is_current(label, rubric) else stale).append(label)
    found.close()
    if found.count:
        return None
    return Labels(usable=tuple(usable), stale=tuple(stale))


def key(label: Label) -> tuple[object, ...]:
    """What a rater answers at most once: a criterion as worded, about one output, in one of three roles."""
    role = label.repeat, label.adjudicates
    return label.who, label.item, label.output, label.criterion, label.criterion_digest, role


def is_current(label: Label, rubric: Rubric) -> bool:
    """Whether the criterion still reads as it did to the rater."""
    criterion = rubric.criterion(label.criterion)
    return criterion is not None and criterion.digest == label.criterion_digest


def faults(
    label: Label, rubric: Rubric, items: Collection[str], *, of: str = "the gold set"
) -> Iterator[Fault]:
    """Everything that is wrong with one label by itself; `items` are those `of` what the message names.

    Messages name ids and kinds, never a quote or a comment.
    """
    if not PSEUDONYM.fullmatch(label.rater):
        yield "EG634", NO_PSEUDONYM
    if label.item not in items:
        message = (
            f"item: found {_shown(label.item)}, expected an item of {of}.{_near(label.item, items)}"
        )
        yield "EG631", f"{message} Correct it, or take the label out."
    digests = {
        "rubric": label.rubric,
        "criterion_digest": label.criterion_digest,
        "output": label.output,
    }
    for field, value in digests.items():
        if not _DIGEST.fullmatch(value):
            message = "found no digest, expected sha256: and 64 hex digits. Restore it."
            yield "EG637", f"{field}: {message}"
    criterion = rubric.criterion(label.criterion)
    if criterion is None:
        known = [c.id for c in rubric.criteria]
        message = f"criterion: found {_shown(label.criterion)}, expected one of {listing(known)}."
        hint = _near(label.criterion, known)
        yield "EG632", f"{message}{hint} Correct it, or take the labels of a removed criterion out."
    elif is_current(label, rubric):  # what was asked in other words may have had other answers
        yield from _faults_of_answer(label, criterion)


def _faults_of_answer(label: Label, criterion: Criterion) -> Iterator[Fault]:
    name = criterion.id
    if criterion.by_code:
        yield "EG632", f"criterion: found {name}, expected one that people answer. Take it out."
    if label.answer not in criterion.answers:
        expected = ", ".join(criterion.answers)
        message = f"answer: found {_shown(label.answer)}, expected {expected} for {name}."
        yield "EG633", f"{message} Correct it."
    if criterion.evidence == "quote" and label.answer == "met" and not label.quote.strip():
        message = f"found none, expected the words that show it: {name} asks for them with met."
        yield "EG636", f"quote: {message} Add them."


def append(path: Path, label: Label, *, seal: SealKey | None = None) -> None:
    """Adds one label, on disk when this returns; written whole or not at all. `seal`: the key of a sealed file.

    Raises IntegrityError (EG638) if the last line is torn, what opening a sealed file raises, InfrastructureError (EG639) if
    the disk refuses.
    """
    extend(path, (label,), seal=seal)


def extend(path: Path, labels: Iterable[Label], *, seal: SealKey | None = None) -> None:
    """Adds labels in one write: all of them or none. Raises as `append`."""
    data = b"".join(_encode(label) + b"\n" for label in labels)
    with _locked(path) as fd:
        if seal is not None:
            write_whole(path, seal_labels(_whole(fd, path, seal) + data, path, seal))
            return
        size = _whole_lines(fd, path)
        try:
            _write(fd, data)
        except OSError:
            os.ftruncate(fd, size)
            raise


def replace(path: Path, old: Label, new: Label, *, seal: SealKey | None = None) -> None:
    """Puts `new` in the place of `old`: a rater went back and thought again. Raises as `append`; ValueError if `old` is not there."""
    with _locked(path) as fd:
        lines = _whole(fd, path, seal).splitlines()
        lines[[_decode(line) for line in lines].index(old)] = _encode(new)
        data = b"".join(line + b"\n" for line in lines)
        if seal is not None:
            write_whole(path, seal_labels(data, path, seal))
        else:
            write_whole(path, data, mode=_READABLE)


def _whole(fd: int, path: Path, seal: SealKey | None) -> bytes:
    """The lines that are in the open file."""
    if seal is None:
        return os.pread(fd, _whole_lines(fd, path), 0)
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    return open_labels(data, path, seal, where=path.name)


def _write(fd: int, data: bytes) -> None:
    """All of `data`, on disk when this returns."""
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(fd)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """A file descriptor for appending, held by this process alone."""
    try:
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _READABLE)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if path.exists() and os.path.samestat(os.fstat(fd), path.stat()):
                    yield fd
                    return  # else somebody replaced the file while we waited for it
            finally:
                os.close(fd)
    except OSError as error:
        raise InfrastructureError(
            f"found that the label cannot be written ({error.strerror or type(error).__name__}), expected a writable "
            "file. Make room or mend the permissions, then go on: every label before it is kept.",
            where=str(path),
            code="EG639",
        ) from error


def _whole_lines(fd: int, path: Path) -> int:
    """Size of the file, whose last line is whole."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        raise IntegrityError(
            _TORN,
            where=str(path),
            code="EG638",
        )
    return size


def _read(line: bytes, number: int, found: LineProblems) -> Label | None:
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = _reason(error)
    message = f"found no label ({reason}), expected one JSON object with the fields of a label. Correct the line."
    found.add("EG630", message, number)
    return None


def _reason(error: Exception) -> str:
    """Why a line is no label. A text that slipped into a key is not repeated."""
    unknown = _UNKNOWN_FIELD.match(str(error))
    if unknown and _PLAIN.fullmatch(unknown[1]):
        return f"an unknown key `{unknown[1]}`"
    return "an unknown key" if unknown else str(error).partition(" - at ")[0].lower()


def _shown(name: str) -> str:
    """A name, if it looks like one: a text that slipped into its place is not repeated."""
    return repr(name) if _PLAIN.fullmatch(name) else f"{len(name)} characters"


def _near(name: str, known: Collection[str]) -> str:
    return nearest(name, known) if len(known) <= 1000 else ""
