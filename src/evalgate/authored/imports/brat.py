"""BRAT standoff: NAME.txt with NAME.ann beside it; one document is one item and one unit.

Only text-bound annotations (T) become entities. Offsets count characters of the text as it stands in the file; some tools
wrote them after changing line ends or with the byte order mark counted, so the reading that most spans fit is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from evalgate.authored.imports.rows import (
    BAD_SPAN,
    DISCONTINUOUS,
    JOINED,
    NO_ANNOTATIONS,
    NO_DOCUMENT,
    NO_TEXT,
    NOT_TEXT,
    OFFSETS,
    OTHER_ANNOTATION,
    OTHER_READING,
    Fault,
    Options,
    Row,
    Rows,
    left,
)
from evalgate.authored.imports.sources import files_of, no_source, unreadable
from evalgate.records import GoldItem, Record

_SPAN: Final = re.compile(r"(T\S*)\t(\S+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)\t(.*)")
_NO_SPAN: Final = re.compile(r"[EMRAN#*][^\t]*\t")
_BOM: Final = "\ufeff"


class _Span(Record, kw_only=True):
    place: str
    label: str
    pieces: tuple[tuple[int, int], ...]
    text: str


def read_brat(source: Path, options: Options) -> Rows:
    """One row per document. Raises UsageError (EG175) where there is no .ann file."""
    root = source if source.is_dir() else source.parent
    if source.is_file():
        source = _annotations_of(source)
    files, notes = files_of(source, (".ann", ".txt"), "brat")
    if not any(path.suffix.lower() == ".ann" for _, path in files):
        raise no_source(source, "no .ann file", "brat")
    yield from notes
    for stem in sorted({path.with_suffix("") for _, path in files}):
        yield _document(stem, stem.relative_to(root).as_posix(), options)


def _annotations_of(source: Path) -> Path:
    """The .ann file that is meant by a file named by hand, which may be the text."""
    if source.suffix.lower() not in (".ann", ".txt"):
        raise no_source(source, "a file that ends neither in .ann nor in .txt", "brat")
    notes_file = _with(source.with_suffix(""), ".ann")
    if notes_file is None:
        advice = "Put it there, or correct the path or KIND."
        raise no_source(source, "no .ann file beside it", "brat", advice)
    return notes_file


def _document(stem: Path, name: str, options: Options) -> Row:
    text_file, notes_file = (_with(stem, suffix) for suffix in (".txt", ".ann"))
    if notes_file is None:
        return left(NO_ANNOTATIONS, f"{name}.txt")
    if text_file is None:
        return left(NO_DOCUMENT, f"{name}.ann")
    try:
        raw = text_file.read_bytes().decode(options.encoding)
        annotations = notes_file.read_bytes().decode(options.encoding)
    except UnicodeError:
        return left(NOT_TEXT, name)
    except OSError as error:
        raise unreadable(name, error) from None
    if not raw.lstrip(_BOM).strip():
        return left(NO_TEXT, f"{name}.txt")
    spans, faults = _annotations(annotations, f"{name}.ann")
    readings = list(_readings(raw))
    text, shift = max(readings, key=lambda r: sum(_place(span, *r) is not None for span in spans))
    if (text, shift) != readings[0]:
        faults.append(Fault(kind=OTHER_READING, place=name))
    expected = list(_entities(spans, text, shift, faults))
    folder = name.rpartition("/")[0] or name
    unit = folder if options.unit == "folder" else name
    item = GoldItem(id=name, input={"text": text}, expected=expected, unit=unit)
    return Row(item=item, place=f"{name}.ann", faults=tuple(faults))


def _with(stem: Path, suffix: str) -> Path | None:
    """The file with this suffix in lower or upper case. The name may hold dots, which `with_suffix` would cut."""
    for ending in (suffix, suffix.upper()):
        path = stem.with_name(stem.name + ending)
        if path.is_file():
            return path
    return None


def _annotations(text: str, name: str) -> tuple[list[_Span], list[Fault]]:
    spans, faults = [], []
    for number, raw in enumerate(text.lstrip(_BOM).split("\n"), start=1):
        line, place = raw.rstrip("\r"), f"{name}:{number}"
        if not line.strip():
            continue
        match = _SPAN.fullmatch(line)
        if match is None:
            kind = OTHER_ANNOTATION if _NO_SPAN.match(line) else BAD_SPAN
            faults.append(Fault(kind=kind, place=place))
            continue
        mark, label, offsets, covered = match.groups()
        pairs = (pair.split(" ") for pair in offsets.split(";"))
        pieces = tuple(sorted((int(start), int(end)) for start, end in pairs))
        place = f"{place} {mark}" if len(mark) <= 12 else place
        spans.append(_Span(place=place, label=label, pieces=pieces, text=covered))
    return spans, faults


def _readings(raw: str) -> Iterator[tuple[str, int]]:
    """(text, characters that offsets count before it), the likeliest first."""
    body = raw.removeprefix(_BOM)
    for text in dict.fromkeys((body, body.replace("\r\n", "\n"))):
        yield text, 0
        if body != raw:
            yield text, 1


def _place(span: _Span, text: str, shift: int) -> tuple[int, int] | None:
    """Start and end in `text` if its pieces make one, and the characters are those that the annotation repeats."""
    if not _is_one(span, text, shift):
        return None
    start, end = span.pieces[0][0] - shift, span.pieces[-1][1] - shift
    if not 0 <= start < end <= len(text):
        return None
    covered = "".join(text[start:end].split())
    return (start, end) if covered and covered == "".join(span.text.split()) else None


def _is_one(span: _Span, text: str, shift: int) -> bool:
    """Whether only white space lies between the pieces: brat splits a span at every line end."""
    gaps = zip(span.pieces, span.pieces[1:], strict=False)
    return all(
        before <= after and not text[before - shift : after - shift].strip()
        for (_, before), (after, _) in gaps
    )


def _entities(
    spans: list[_Span], text: str, shift: int, faults: list[Fault]
) -> Iterator[dict[str, Any]]:
    for span in spans:
        place = _place(span, text, shift)
        if place is not None:
            start, end = place
            if len(span.pieces) > 1:
                faults.append(Fault(kind=JOINED, place=span.place))
            yield {"label": span.label, "text": text[start:end], "start": start, "end": end}
        else:
            kind = OFFSETS if _is_one(span, text, shift) else DISCONTINUOUS
            faults.append(Fault(kind=kind, place=span.place))
