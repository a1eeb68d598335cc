"""What a reader yields: one `Row` for every row it found, with the item or with the reason why there is none.

A reader is a function `(source, options) -> Iterator[Row]`. It never drops a row: what cannot be taken is yielded too, so that
taken + left = found by construction. Faults name places, ids and kinds; never a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from evalgate.records import GoldItem, Record


class Kind(Record, kw_only=True):
    """One kind of fault.

    name: in the report. of: "row" (the row is left out), "span" (only this entity is) or "note" (nothing is lost by it).
    counted: empty where each has a line of its own on the terminal; else what is counted there ("row"), followed by the
    message, and the places stand in the report only.
    """

    name: str
    code: str
    of: Literal["row", "span", "note"]
    message: str
    counted: str = ""


class Fault(Record, kw_only=True):
    """One thing that could not be taken as it stands. `place`: `file:line` or an item's id, and a name within it."""

    kind: Kind
    place: str


class Row(Record, kw_only=True):
    """One row of the source. No item: it was left out, and one of the faults is of a row. Only notes: not a row at all.

    place: where an item stood, for faults that show only later (an id given twice).
    """

    item: GoldItem | None = None
    place: str = ""
    faults: tuple[Fault, ...] = ()


Rows = Iterator[Row]


class Columns(Record, kw_only=True):
    """Where rows of a table keep what. `text`: column -> key of the item's input. None: the usual name, where it is there."""

    text: dict[str, str]
    expected: str = "expected"
    id: str | None = None
    unit: str | None = None
    tags: str | None = None

    def required(self) -> tuple[str, ...]:
        """Columns that must be there."""
        named = (self.id, self.unit, self.tags)
        return (*self.text, self.expected, *(name for name in named if name is not None))


class Options(Record, kw_only=True):
    """How to read. labels: keep these only (empty: all), after `renames` (old -> new). None: the format's own default."""

    columns: Columns
    labels: tuple[str, ...] = ()
    renames: dict[str, str] = {}  # noqa: RUF012 (msgspec copies defaults)
    unit: str | None = None
    split: str | None = None
    encoding: str = "utf-8"
    limit: int | None = None


def _row(name: str, code: str, message: str) -> Kind:
    return Kind(name=name, code=code, of="row", message=message + " Left out.")


def _span(name: str, code: str, message: str) -> Kind:
    return Kind(name=name, code=code, of="span", message=message + " Left out.")


def _note(name: str, code: str, counted: str, message: str) -> Kind:
    return Kind(name=name, code=code, of="note", message=message, counted=counted)


# fmt: off
NOT_TEXT: Final = _row("encoding", "EG179", "found bytes that are not text in this encoding, expected UTF-8 or what --encoding names.")
MALFORMED: Final = _row("malformed", "EG180", "found a row that cannot be read, expected the form of its format.")
CELLS: Final = _row("cells", "EG180", "found another number of cells than the header has, expected the same.")
QUOTE: Final = _row("quotes", "EG180", "found a quote that does not end where its cell ends, expected closed quotes (doubled inside).")
TOKEN: Final = _row("token", "EG180", "found a sentence with a line that is no token with a tag, expected both on every line.")
EMPTY: Final = _row("empty", "EG181", "found an empty row, expected text and answer.")
NO_TEXT: Final = _row("no_text", "EG181", "found no text, expected what the model is asked.")
NO_ANSWER: Final = _row("no_answer", "EG181", "found no answer, expected one.")
NO_ANNOTATIONS: Final = _row("no_annotations", "EG181", "found a text without its .ann file, expected both (an empty one if there is nothing to find).")
NO_DOCUMENT: Final = _row("no_document", "EG181", "found annotations without their .txt file, expected both.")
UNUSABLE: Final = _row("unusable", "EG182", "found an id, unit or tag that is no plain name, expected one without control characters.")
ID_TWICE: Final = _row("id_twice", "EG182", "found an id that an earlier row has, expected each id once.")
TOO_LONG: Final = _row("too_long", "EG182", "found a row of more than 16 MiB, expected less.")
SCHEME: Final = _row("scheme", "EG183", "found a sentence with a tag outside the scheme, expected O, B-, I-, E-, S-, L- or U- with a label.")
OTHER_LABEL: Final = Kind(name="other_label", code="EG189", of="row", message="with an answer that is none of --labels: left out as asked.", counted="row")

DISCONTINUOUS: Final = _span("discontinuous", "EG184", "found a span in several pieces, expected one piece of text.")
OFFSETS: Final = _span("offsets", "EG185", "found offsets that do not match the text, expected the same characters at that place.")
SPAN_TWICE: Final = _span("span_twice", "EG186", "found a span that the item already has with the same label, expected it once.")
BAD_SPAN: Final = _span("bad_span", "EG180", "found an annotation that cannot be read, expected a label, offsets and the text.")
OTHER_SPAN_LABEL: Final = Kind(name="other_span_label", code="EG189", of="span", message="with a label that is none of --labels: left out as asked.", counted="span")

OVERLAP: Final = _note("overlap", "EG187", "span", "overlapping another or inside one: kept, each is an entity of its own.")
INSIDE_FIRST: Final = _note("inside_first", "EG188", "tag", "I-, E- or L- with nothing of that label before: taken as the beginning of an entity.")
OTHER_READING: Final = _note("line_ends", "EG188", "document", "with offsets that fit only with other line ends or with the byte order mark counted: moved to fit.")
JOINED: Final = _note("joined", "EG188", "span", "in pieces with nothing but white space between: joined.")
OTHER_ANNOTATION: Final = _note("no_span", "EG189", "annotation", "of another kind than a span (events, relations, attributes, notes): not imported.")
OTHER_FILE: Final = _note("other_file", "EG189", "file", "of another kind in the directory: not read.")
UNIT_ASSUMED: Final = _note("unit_assumed", "EG189", "row", "without a column of units, taken as a unit of its own: name one with --unit-column if rows share a member, case or document.")
ONE_UNIT: Final = _note("one_unit", "EG189", "file", "without -DOCSTART- lines: all sentences of a file are one unit; --unit sentence if they are independent.")
NEVER_FOUND: Final = _note("never_found", "EG189", "", "found this label nowhere, expected it at least once. Correct --labels or --map.")
STOPPED: Final = _note("limit", "EG189", "", "stopped at --limit: this row and what follows were not taken.")
# fmt: on

KINDS: Final = tuple(kind for kind in list(globals().values()) if isinstance(kind, Kind))
"""All kinds in this order: rows, spans, notes."""


def left(kind: Kind, place: str) -> Row:
    """A row that is left out."""
    return Row(faults=(Fault(kind=kind, place=place),))


def is_text(text: str) -> bool:
    """False for text with bytes that could not be decoded: `surrogateescape` left a lone surrogate in their place."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_TAG: Final = re.compile(r"O|([BIESLU])-(\S.*)")


def entities_of_tags(
    tokens: list[str], tags: list[str]
) -> tuple[str, list[dict[str, object]], list[int]] | None:
    """Text (tokens joined by one space), its entities, and the tokens whose I-, E- or L- begins an entity; None for a bad tag.

    IOB2, BIOES and BILOU. An entity ends before O, B-, S-, U- and any other label, as in conlleval and seqeval's default
    mode; so IOB1 is read rightly too, except that two neighbours of one label are told apart by B- only.
    """
    text = " ".join(tokens)
    entities: list[dict[str, object]] = []
    repaired: list[int] = []
    label: str | None = None
    start = end = at = 0

    def close() -> None:
        if label is not None:
            found = {"label": label, "text": text[start:end], "start": start, "end": end}
            entities.append(found)

    for number, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        match = _TAG.fullmatch(tag)
        if match is None:
            return None
        prefix, named = match.groups()
        inside = prefix in ("I", "E", "L")
        if not (inside and named == label):
            close()
            label, start = named, at
            if inside:
                repaired.append(number)
        end = at + len(token)
        if prefix in ("E", "L", "S", "U"):
            close()
            label = None
        at = end + 1
    close()
    return text, entities, repaired
