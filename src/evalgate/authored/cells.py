"""Tables as spreadsheets read and write them: CSV and XLSX, every cell a text, the same text back.

A cell that begins like a formula gets an apostrophe in front: a spreadsheet would otherwise compute what somebody wrote
into a letter. `read_table` takes exactly that apostrophe off again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from evalgate.authored.problems import Problems, not_utf8, read_bytes
from evalgate.errors import UsageError

LONGEST_XLSX: Final = 32_767
"""Characters that a cell of a workbook holds."""
LONGEST_CELL: Final = 16 << 20
_NARROWEST, _WIDEST = 12, 80  # characters that a column of a workbook shows in a line

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
# What XML cannot hold or does not keep, and what would be read as such an escape (ECMA-376 part 1, 22.9.2.19).
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-F]{4}_)")
_ESCAPED = re.compile(r"_x([0-9A-F]{4})_")


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text of a cell that `guarded` made; any other cell as it is."""
    return text[1:] if _GUARDED.match(text) else text


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Writes rows of texts as CSV or XLSX, by the file's ending. Raises OSError, UsageError (EG655: a text too long, no openpyxl)."""
    if path.suffix == ".xlsx":
        _write_xlsx(path, rows)
        return
    text = io.StringIO(newline="")
    csv.writer(text).writerows([guarded(cell) for cell in row] for row in rows)
    path.write_bytes(
        text.getvalue().encode("utf-8-sig")
    )  # the mark tells spreadsheets that it is UTF-8


def read_table(path: Path, name: str, problems: Problems) -> list[list[str]] | None:
    """The rows of a CSV or XLSX file, by its ending; None after noting why not (EG101, EG102, EG648).

    A CSV's delimiter is the one of comma, semicolon and tab that parts its first line most often.
    """
    data = read_bytes(path, name, problems)
    if data is None:
        return None
    if path.suffix == ".xlsx":
        return _read_xlsx(data, name, problems)
    try:
        text = data.decode("utf-8-sig")  # not `decode_text`: a line end within a cell is part of it
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.add(name, "EG102", not_utf8(data[error.start]), line=line)
        return None
    head = text.partition("\n")[0]
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True
        )
        return [[unguarded(cell) for cell in row] for row in reader]
    except csv.Error as error:
        problems.add(
            name, "EG648", f"found no table ({error}), expected CSV. Save it as CSV UTF-8 again."
        )
        return None


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError:
        raise UsageError(
            "found no openpyxl, expected it for workbooks. Install evalgate-release[review], or use CSV.",
            code="EG655",
        ) from None
    return openpyxl


def _write_xlsx(path: Path, rows: Iterable[Sequence[str]]) -> None:
    table = [[_UNSAFE.sub(_escape, guarded(cell)) for cell in row] for row in rows]
    if any(len(cell) > LONGEST_XLSX for row in table for cell in row):
        raise UsageError(
            f"found a text of more than {LONGEST_XLSX} characters, expected cells that a workbook can hold. Use csv, "
            "jsonl or labelstudio.",
            where=str(path),
            code="EG655",
        )
    openpyxl = _openpyxl()
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("labels")
    sheet.freeze_panes = "A2"
    for column in range(max(map(len, table), default=0)):
        longest = max(len(row[column]) for row in table if column < len(row))
        letter = openpyxl.utils.get_column_letter(column + 1)
        sheet.column_dimensions[letter].width = min(max(longest + 2, _NARROWEST), _WIDEST)
    for at, row in enumerate(table):
        sheet.append([_cell(openpyxl, sheet, text, head=at == 0) for text in row])
    book.save(path)


def _cell(openpyxl: Any, sheet: Any, text: str, *, head: bool) -> Any:
    """A cell that shows all of its text, the first row in bold."""
    cell = openpyxl.cell.WriteOnlyCell(sheet, value=text)
    cell.alignment = openpyxl.styles.Alignment(wrap_text=True, vertical="top")
    if head:
        cell.font = openpyxl.styles.Font(bold=True)
    return cell


def _escape(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _read_xlsx(data: bytes, name: str, problems: Problems) -> list[list[str]] | None:
    openpyxl = _openpyxl()
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
        cells = [list(row) for row in book.worksheets[0].iter_rows()]
        book.close()
    except Exception as error:  # whatever a damaged archive makes its libraries raise
        problems.add(
            name,
            "EG648",
            f"found no workbook ({type(error).__name__}), expected XLSX. Save it as XLSX again.",
        )
        return None
    computed = [cell for row in cells for cell in row if cell.data_type == "f"]
    for cell in computed:  # what it shows is not in the file, or is what another program made of it
        problems.add(
            name,
            "EG648",
            f"{cell.coordinate}: found a formula, expected a text. Paste its value in its place.",
        )
    return None if computed else [[_text(cell.value) for cell in row] for row in cells]


def _text(value: Any) -> str:
    """A cell's text. A spreadsheet makes numbers and truth values of what looks so."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unguarded(_ESCAPED.sub(lambda m: chr(int(m[1], 16)), str(value)))
