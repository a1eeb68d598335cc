"""Criteria in a spreadsheet: nothing is lost, nothing becomes a formula, every fault has its row and column."""

import csv
import datetime as dt
import io
import sys

import pytest
from hypothesis import given, settings
from rubric_files import RUBRIC, criteria, only, told, write
from test_rubric_edit import rubric

from evalgate.authored import Problems
from evalgate.authored.rubric_file import rubric_of
from evalgate.authored.rubric_table import columns_for, read_table, to_csv, to_xlsx
from evalgate.authored.toml_file import toml_of
from evalgate.errors import UsageError

HEAD = RUBRIC.split("# What every")[0]
FIVE = rubric(RUBRIC).criteria
WRITERS = {".csv": to_csv, ".xlsx": to_xlsx}


def read(root, data, suffix=".csv"):
    """The criteria of a table, and all problems of the table and of what it says."""
    problems = Problems()
    body = read_table(write(root, f"table{suffix}", data), root, problems)
    head = toml_of(HEAD.encode(), "rubrics/letters.toml", problems)
    found = rubric_of(head, body) if body else None
    return (found.criteria if found and not problems else None), problems


def rows(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def table(changes):
    """The CSV of the test rubric with some cells (row, column name) replaced."""
    cells = rows(to_csv(FIVE))
    for (row, column), text in changes.items():
        cells[row - 1][cells[0].index(column)] = text
    out = io.StringIO(newline="")
    csv.writer(out).writerows(cells)
    return out.getvalue().encode()


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_table_comes_back_as_it_went(tmp_path, suffix):
    assert read(tmp_path, WRITERS[suffix](FIVE), suffix)[0] == FIVE


@settings(deadline=None, max_examples=40)
@given(criteria)
def test_csv_loses_nothing(tmp_path_factory, given_criteria):
    data = to_csv(given_criteria)
    found, problems = read(tmp_path_factory.mktemp("csv"), data)
    assert found == given_criteria, told(problems)
    column = columns_for(given_criteria).index("points")
    for cells in rows(data)[1:]:
        assert not [
            c
            for i, c in enumerate(cells)
            if i != column and c.startswith(("=", "+", "-", "@", "\t", "\n"))
        ]


@settings(deadline=None, max_examples=15)
@given(criteria)
def test_xlsx_loses_nothing_and_holds_no_formula(tmp_path_factory, given_criteria):
    import openpyxl

    data = to_xlsx(given_criteria)
    found, problems = read(tmp_path_factory.mktemp("xlsx"), data, ".xlsx")
    assert found == given_criteria, told(problems)
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert not [
        cell
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "n" and cell.value is not None
    ]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\n", "'", "'=", "''=", "＝", "_x0041_", " "]
)
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_text_that_looks_like_a_formula_comes_back_as_it_was(tmp_path, start, suffix):
    text = f'{start}HYPERLINK("http://example.com")'
    one = (*FIVE[1:], type(FIVE[0])(id="states-reason", ask=text, points=1))
    assert read(tmp_path, WRITERS[suffix](one), suffix)[0] == one


def test_excel_may_have_put_semicolons_a_mark_and_blank_rows(tmp_path):
    cells = rows(to_csv(FIVE))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";").writerows([*cells, [""] * 9, []])
    assert read(tmp_path, out.getvalue().encode("utf-8-sig"))[0] == FIVE


def test_columns_may_stand_in_any_order_and_optional_ones_be_missing(tmp_path):
    found, problems = read(
        tmp_path, b"Points, ASK ,id,critical\n8,It is so.,so,YES\n-2.5,It is not.,not,\n"
    )
    assert told(problems) == []
    assert [(c.id, c.points, c.critical) for c in found] == [
        ("so", 8.0, True),
        ("not", -2.5, False),
    ]


FAULTS = {
    "no number": ({(3, "points"): "ten"}, "table.csv:3:5: EG615 points: found no number"),
    "a comma for a point": ({(3, "points"): "2,5"}, "table.csv:3:5: EG615 points: found no number"),
    "no yes": ({(2, "critical"): "maybe"}, "table.csv:2:6: EG615 critical: found neither yes nor no"),
    "no points": ({(2, "points"): "0"}, "table.csv:2:5: EG602 [[criterion]] states-reason.points: found 0"),
    "an id twice": ({(4, "id"): "states-reason"}, "table.csv:4:1: EG600 [[criterion]] states-reason.id: found the id a second time (first on line 2)"),
    "no ask": ({(3, "ask"): " "}, "table.csv:3:1: EG106 [[criterion]] invented-fact: found no key `ask`"),
    "an anchor too few": ({(5, "anchor 3"): ""}, "table.csv:5:11: EG604 [[criterion]] plain-language.anchors: found 4 anchors"),
    "an unknown answer": ({(2, "example 2 answer"): "unmet"}, "table.csv:2:21: EG609 [[criterion]] states-reason.examples.2.answer:"),
    "half an example": ({(2, "example 2 text"): ""}, "table.csv:2:21: EG106 [[criterion]] states-reason.examples.2: found no key `text`"),
    "an identifier": ({(2, "example 1 text"): "SSN 123-45-6789"}, "table.csv:2:19: EG611 [[criterion]] states-reason.examples.1.text:"),
    "an unknown rater": ({(2, "judged_by"): "judge, nurse"}, "table.csv:2:16: EG607 [[criterion]] states-reason.judged_by:"),
    "an unknown column": ({(1, "axis"): "axes"}, "table.csv:1:2: EG615 found an unknown column, expected a known one. Did you mean `axis`?"),
    "a column twice": ({(1, "axis"): "ask"}, "table.csv:1:3: EG615 found the column `ask` a second time"),
    "a column missing": ({(1, "id"): ""}, "table.csv:1:1: EG615 found no column `id`"),
    "a cell without a column": ({(1, "axis"): ""}, "table.csv:2:2: EG615 found a cell without a column"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_row_and_column(tmp_path, fault):
    changes, expected = FAULTS[fault]
    found, problems = read(tmp_path, table(changes))
    assert found is None
    assert any(line.startswith(expected) for line in told(problems)), told(problems)


def test_all_faults_of_a_table_come_at_once(tmp_path):
    faults = [
        FAULTS[name] for name in ("no number", "no yes", "an unknown answer", "an anchor too few")
    ]
    changes = {cell: text for change, _ in faults for cell, text in change.items()}
    problems = told(read(tmp_path, table(changes))[1])
    assert len(problems) == len(faults)
    assert all(any(line.startswith(start) for line in problems) for _, start in faults)


@pytest.mark.parametrize("value", ["=1+1", dt.date(2026, 3, 4), "#REF!"])
def test_a_cell_that_is_calculated_or_was_made_a_date_is_refused(tmp_path, value):
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(to_xlsx(FIVE)))
    book.active["B3"] = value
    out = io.BytesIO()
    book.save(out)
    problems = told(read(tmp_path, out.getvalue(), ".xlsx")[1])
    assert problems[0].startswith("table.xlsx:3:2: EG615 found a formula, a date or an error")


def test_numbers_and_yes_typed_into_cells_are_read_as_they_look(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (
        ["id", "ask", "points", "critical"],
        [7, "It is so.", 8, True],
        ["b", 12.5, -2.5, None],
    ):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    found, problems = read(tmp_path, out.getvalue(), ".xlsx")
    assert told(problems) == []
    assert [(c.id, c.ask, c.points, c.critical) for c in found] == [
        ("7", "It is so.", 8.0, True),
        ("b", "12.5", -2.5, False),
    ]


@pytest.mark.parametrize(
    ("suffix", "data", "code"),
    [
        (".csv", b'id,ask,points\na,"b,1\n', "EG614"),
        (".csv", b"id,ask,points\na,\xe9,1\n", "EG102"),
        (".csv", b"", "EG615"),
        (".xlsx", b"id,ask,points\n", "EG614"),
        (".xlsx", b"PK\x03\x04 no archive", "EG614"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, suffix, data, code):
    found, problems = read(tmp_path, data, suffix)
    assert found is None
    assert {p.code for p in problems} == {code}


def test_a_missing_file_is_refused(tmp_path):
    problems = Problems()
    assert read_table(tmp_path / "none.csv", tmp_path, problems) is None
    assert "none.csv: EG101" in only(problems)


def test_without_openpyxl_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match="extra `review`"):
        to_xlsx(FIVE)
