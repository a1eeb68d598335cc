"""Criteria as a table, a row for each, in CSV or XLSX: for authors who start in a spreadsheet.

A cell is always text. A text that a spreadsheet would take for a formula bears an apostrophe in front, which reading takes
off again, so that what was written comes back as it was.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalgate import digest
from evalgate.authored.cells import guarded, unguarded
from evalgate.authored.problems import Problems, decode_text, nearest, read_bytes, relative
from evalgate.authored.rubric import SCALE, Criterion
from evalgate.authored.toml_file import TomlFile
from evalgate.authored.toml_places import Path as KeyPath
from evalgate.authored.toml_places import Places
from evalgate.errors import UsageError

FEWEST_EXAMPLES = 2
"""Columns for so many examples are there even if no criterion has any."""
LARGEST = 16 << 20
"""Bytes of a table that is read."""

_PLAIN = ("id", "axis", "ask", "kind", "points", "critical", "applies_when", "evidence", "met", "not_met")  # fmt: skip
_LAST = ("judged_by", "check")
_ANCHORS = tuple(f"anchor {step}" for step in SCALE)
_EXAMPLE_PARTS = ("answer", "text", "why")
_EXAMPLE = re.compile(r"example ([1-9]\d?) (answer|text|why)")
_REQUIRED = ("id", "ask", "points")
_WORDS = ("axis", "ask", "applies_when", "met", "not_met")
_NAMES = ("id", "kind", "evidence", "check")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_FLAGS = {"yes": True, "true": True, "no": False, "false": False}

Cells = list[str | None]
"""One row; None where a cell holds what is no text: a formula, a date, an error."""
Rows = Iterable[tuple[int, Cells]]
"""The rows that are not blank, with their numbers from 1."""


def columns_for(criteria: Iterable[Criterion]) -> tuple[str, ...]:
    """The header of a table that holds all of `criteria`."""
    most = max((len(criterion.examples) for criterion in criteria), default=0)
    examples = (
        f"example {number} {part}"
        for number in range(1, max(FEWEST_EXAMPLES, most) + 1)
        for part in _EXAMPLE_PARTS
    )
    return (*_PLAIN, *_ANCHORS, *_LAST, *examples)


def to_csv(criteria: Sequence[Criterion]) -> bytes:
    """The table as CSV: UTF-8 with a byte order mark, without which Excel misreads accents."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows(_rows(criteria))
    return text.getvalue().encode("utf-8-sig")


def to_xlsx(criteria: Sequence[Criterion]) -> bytes:
    """The table as an Excel workbook. Raises UsageError (EG614) where openpyxl is not installed."""
    openpyxl = _openpyxl()
    from openpyxl.styles import Alignment, Font

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "criteria"
    for row in _rows(criteria):
        sheet.append([cell or None for cell in row])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
        wide = cell.value in ("ask", "met", "not_met", "applies_when") or " " in cell.value
        sheet.column_dimensions[cell.column_letter].width = 40 if wide else 14
    for cells in sheet.iter_rows():
        for cell in cells:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            cell.number_format = "@"  # text, so that typing 3/4 makes no date
    sheet.freeze_panes = "B2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _rows(criteria: Sequence[Criterion]) -> Iterator[list[str]]:
    header = columns_for(criteria)
    yield list(header)
    for criterion in criteria:
        cells = _cells(criterion)
        yield [
            cells.get(column, "") if column == "points" else guarded(cells.get(column, ""))
            for column in header
        ]


def _cells(criterion: Criterion) -> dict[str, str]:
    """The texts of a criterion by column. Only what differs from a default is written, save for the required ones."""
    cells = {
        name: getattr(criterion, name) or ""
        for name in ("id", "axis", "ask", "applies_when", "met", "not_met", "check")
    }
    cells["points"] = _number(criterion.points)
    cells["kind"] = criterion.kind
    cells["critical"] = "yes" if criterion.critical else ""
    cells["evidence"] = criterion.evidence if criterion.evidence != "none" else ""
    cells["judged_by"] = ", ".join(criterion.judged_by)
    cells |= zip(_ANCHORS, criterion.anchors, strict=False)
    for number, example in enumerate(criterion.examples, 1):
        for part in _EXAMPLE_PARTS:
            cells[f"example {number} {part}"] = getattr(example, part)
    return cells


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def read_table(path: Path, root: Path, problems: Problems) -> TomlFile | None:
    """The criteria of a table in the form that a TOML file would give them, with rows and columns for places.

    None after noting why the file cannot be read (EG101, EG102, EG614) or which columns cannot be used (EG615). Cells that
    cannot are noted too (EG615); what the criteria say is for `rubric_of` to check. Raises UsageError (EG614) where
    openpyxl is needed and not there.
    """
    name = relative(path, root)
    data = read_bytes(path, name, problems)
    if data is None:
        return None
    if len(data) > LARGEST:
        message = f"found {len(data) >> 20} MiB, expected a table of criteria of at most {LARGEST >> 20} MiB. Correct the path."
        problems.add(name, "EG614", message)
        return None
    if path.suffix.lower() == ".xlsx":
        rows = _xlsx_rows(data, name, problems)
    else:
        rows = _csv_rows(data, name, problems)
    if rows is None:
        return None
    reader = _Reader(name, problems)
    criteria = reader.criteria(rows)
    if criteria is None:
        return None
    return TomlFile(
        name=name,
        data={"criterion": criteria} if criteria else {},
        digest=digest.of_bytes(data),
        places=reader.places,
        problems=problems,
    )


def _csv_rows(data: bytes, name: str, problems: Problems) -> Rows | None:
    text = decode_text(data.removeprefix(b"\xef\xbb\xbf"), name, problems)
    if text is None:
        return None
    # Excel separates by semicolons where the comma is the decimal sign.
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return _numbered(list(reader))
    except csv.Error:
        message = "found a quotation mark out of place, expected CSV. Save the table again as CSV (UTF-8)."
        problems.add(name, "EG614", message, line=reader.line_num)
        return None


def _xlsx_rows(data: bytes, name: str, problems: Problems) -> Rows | None:
    openpyxl = _openpyxl()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which are not needed
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write wrong ones, and rows would be missing
            return _numbered([[_xlsx_cell(cell) for cell in row] for row in sheet.iter_rows()])
    except Exception:  # a broken workbook ends in KeyError, BadZipFile, ParseError or another
        message = "found no workbook that can be read, expected .xlsx. Save the table again as .xlsx or as CSV (UTF-8)."
        problems.add(name, "EG614", message)
        return None


def _numbered(rows: Iterable[Sequence[str | None]]) -> Rows:
    return [
        (number, list(cells))
        for number, cells in enumerate(rows, 1)
        if any(cell is None or cell.strip() for cell in cells)
    ]


def _xlsx_cell(cell: Any) -> str | None:
    """The text of a cell; a number or a yes as it is read aloud; None for a formula, a date or an error."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type in ("f", "e", "d"):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value)
    return value.replace("\r\n", "\n") if isinstance(value, str) else None


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError:
        raise UsageError(
            "found no openpyxl, expected it for .xlsx. Install evalgate's extra `review`, or use .csv.",
            where="openpyxl",
            code="EG614",
        ) from None
    return openpyxl


class _Reader:
    """Turns rows of cells into tables of criteria and remembers where each value stands."""

    def __init__(self, name: str, problems: Problems) -> None:
        self.name = name
        self.problems = problems
        self.places = Places()
        self._columns: dict[str, int] = {}

    def criteria(self, rows: Rows) -> list[dict[str, Any]] | None:
        """The table [[criterion]] of every row; None where the header cannot be used."""
        rows = iter(rows)
        first = next(rows, (1, []))
        if not self._read_header(*first):
            return None
        return [
            self._criterion(self._texts(row, cells), row, index)
            for index, (row, cells) in enumerate(rows)
        ]

    def _note(self, message: str, row: int, column: int) -> None:
        self.problems.add(self.name, "EG615", message, line=row, column=column)

    def _read_header(self, row: int, cells: Cells) -> bool:
        """Whether the columns can be used."""
        before = len(self.problems)
        shown = (*_PLAIN, *_ANCHORS, *_LAST, *(f"example 1 {part}" for part in _EXAMPLE_PARTS))
        for column, cell in enumerate(cells, 1):
            name = " ".join((cell or "").lower().split())
            if not name:
                continue
            if name not in shown and not _EXAMPLE.fullmatch(name):
                hint = nearest(name, shown) or f" Known are {', '.join(shown)}."
                message = (
                    f"found an unknown column, expected a known one.{hint} Rename or remove it."
                )
                self._note(message, row, column)
            elif name in self._columns:
                message = f"found the column `{name}` a second time, expected it once. Remove one."
                self._note(message, row, column)
            self._columns.setdefault(name, column)
        for name in _REQUIRED:
            if name not in self._columns:
                message = f"found no column `{name}`, expected a header with it. Add it."
                self._note(message, row, 1)
        return len(self.problems) == before

    def _texts(self, row: int, cells: Cells) -> dict[str, str]:
        """The texts of a row by column; blank cells are left out."""
        names = {column: name for name, column in self._columns.items()}
        found = {}
        for column, cell in enumerate(cells, 1):
            if cell is None:
                message = "found a formula, a date or an error, expected text. Format the cell as text and write it again."
                self._note(message, row, column)
            elif cell.strip() and column not in names:
                message = "found a cell without a column, expected none. Give its column a name or empty it."
                self._note(message, row, column)
            elif cell.strip():
                found[names[column]] = unguarded(cell)
        return found

    def _criterion(self, texts: dict[str, str], row: int, index: int) -> dict[str, Any]:
        path: KeyPath = ("criterion", index)
        found: dict[str, Any] = {name: texts[name] for name in _WORDS if name in texts}
        found |= {name: texts[name].strip() for name in _NAMES if name in texts}
        if "points" in texts:
            found["points"] = self._points(texts["points"], row)
        if "critical" in texts:
            found["critical"] = self._critical(texts["critical"], row)
        if "judged_by" in texts:
            found["judged_by"] = [part.strip() for part in texts["judged_by"].split(",")]
        self.places.keys[path] = (row, 1)
        self.places.keys |= {(*path, name): (row, self._columns[name]) for name in found}
        anchors = [name for name in _ANCHORS if name in texts]
        if anchors:
            found["anchors"] = [texts[name] for name in anchors]
            self.places.keys[(*path, "anchors")] = (row, self._columns[anchors[0]])
        examples: dict[int, dict[str, str]] = {}
        for name, text in texts.items():
            part = _EXAMPLE.fullmatch(name)
            if part:
                examples.setdefault(int(part[1]), {})[part[2]] = text
        if examples:
            found["examples"] = [examples[number] for number in sorted(examples)]
        for position, number in enumerate(sorted(examples)):
            inside: KeyPath = (*path, "examples", position)
            columns = {part: self._columns[f"example {number} {part}"] for part in examples[number]}
            self.places.keys[inside] = (row, min(columns.values()))
            self.places.keys |= {(*inside, part): (row, column) for part, column in columns.items()}
        return found

    def _points(self, text: str, row: int) -> float:
        plain = text.strip().replace("−", "-")
        if _NUMBER.fullmatch(plain):
            return float(plain)
        message = "points: found no number, expected one such as 8, -10 or 2.5. Write it with a decimal point."
        self._note(message, row, self._columns["points"])
        return 1.0

    def _critical(self, text: str, row: int) -> bool:
        flag = _FLAGS.get(text.strip().lower())
        if flag is None:
            message = "critical: found neither yes nor no, expected one of them. Write yes, or leave it empty."
            self._note(message, row, self._columns["critical"])
        return bool(flag)
