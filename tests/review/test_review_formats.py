"""Questions go out in four formats and come back as the same labels; whatever is wrong is told with its row."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET

import msgspec
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_rows import Files

from evalgate.authored import Problems
from evalgate.authored.cells import guarded, read_table, unguarded, write_table
from evalgate.authored.label_file import Labels
from evalgate.judge.case import Case
from evalgate.judge.review_formats import (
    ENDINGS,
    FORMATS,
    labels_of,
    read_rows,
    rows_of,
    write_rows,
)

SAID = "=SUM(1) the scan was denied\r\nbecause -no trial"
texts = st.text(
    st.characters(exclude_categories=["Cs"], include_characters="=+-@'\t\r\n,;\"_x000D_"),
    max_size=30,
)


@pytest.fixture
def files(tmp_path):
    pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    return Files(tmp_path)


def cases_of(files, output: str = SAID) -> dict[str, Case]:
    return {
        f"L-{i:03d}": Case(
            id=f"L-{i:03d}", unit=f"u-{i}", sources=(("facts", "@fact $1"),), output=f"{output} {i}"
        )
        for i in range(4)
    }


def given_labels(files, cases, *, simulated=False):
    def label(i, criterion, **changes):
        output = cases[f"L-{i:03d}"].digest
        return files.label(i, criterion, output=output, simulated=simulated, **changes)

    return (
        label(0, "states-reason", answer="met", quote="=SUM(1) the scan", comment="-1+1"),
        label(0, "invented-fact", answer="not_applicable", at="2026-11-23T11:00:00Z"),
        label(0, "plain", answer="5", comment="'quoted' \"twice\", and; more"),
        label(1, "plain", answer="cannot_tell"),
    )


def brought_back(files, path, format_, cases, *, labels=(), rater="A", clinician=True):
    problems = Problems()
    rows = read_rows(path, format_, problems)
    known = Labels(usable=tuple(labels))
    found = labels_of(
        rows,
        path.name,
        problems,
        rubric=files.rubric,
        cases=cases,
        labels=known,
        rater=rater,
        clinician=clinician,
    )
    return found, [str(p) for p in problems]


@pytest.mark.parametrize("format_", FORMATS)
def test_labels_come_back_as_they_went_and_twice_changes_nothing(files, format_):
    cases = cases_of(files)
    labels = given_labels(files, cases)
    path = files.root / f"out{ENDINGS[format_]}"
    write_rows(path, format_, rows_of(files.rubric, list(cases), cases, labels, "A"))
    found, told = brought_back(files, path, format_, cases)
    assert told == []
    assert set(found.new) == set(labels)
    assert len(found.new) == len(labels)
    again, told = brought_back(files, path, format_, cases, labels=found.new)
    assert (told, again.new, again.known) == ([], (), len(labels))


@pytest.mark.parametrize("format_", ["csv", "xlsx", "jsonl"])
def test_repeats_and_settled_disputes_come_back_too(files, format_):
    cases = cases_of(files)
    labels = [
        files.label(0, output=cases["L-000"].digest),
        files.label(0, output=cases["L-000"].digest, answer="met", repeat=True),
        files.label(1, output=cases["L-001"].digest, adjudicates=True, blind=False),
        files.label(2, output=cases["L-002"].digest, criterion_digest="sha256:" + "9" * 64),
    ]
    path = files.root / f"out{ENDINGS[format_]}"
    write_rows(path, format_, rows_of(files.rubric, [], cases, labels, "A"))
    found, told = brought_back(files, path, format_, cases)
    assert told == []
    assert list(found.new) == labels
    assert found.stale == 1


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([f for f in FORMATS if f != "labelstudio"]), texts, texts)
def test_no_text_is_changed_on_the_way(files, format_, comment, output):
    cases = {"L-000": Case(id="L-000", unit="u", sources=(), output=f"x {output}")}
    label = files.label(0, output=cases["L-000"].digest, comment=comment)
    path = files.root / f"out{ENDINGS[format_]}"
    write_rows(path, format_, rows_of(files.rubric, [], cases, [label], "A"))
    found, told = brought_back(files, path, format_, cases)
    assert told == []
    assert found.new == (label,)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from([".csv", ".xlsx"]),
    st.lists(st.lists(texts, min_size=2, max_size=2), min_size=1, max_size=3),
)
def test_a_table_is_read_as_it_was_written(files, ending, rows):
    path = files.root / f"table{ending}"
    write_table(path, [["head", "er"], *rows])
    assert read_table(path, "table", Problems()) == [["head", "er"], *rows]


def test_formulas_in_a_workbook_are_told_by_their_cells_and_nothing_is_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["answer", "quote"])
    book.active.append(["met", '=CONCATENATE("a", "b")'])
    book.active.append(["=B1", "none"])
    book.save(tmp_path / "table.xlsx")
    problems = Problems()
    assert read_table(tmp_path / "table.xlsx", "table.xlsx", problems) is None
    assert [str(p).partition(", expected")[0] for p in problems] == [
        "table.xlsx: EG648 B2: found a formula",
        "table.xlsx: EG648 A3: found a formula",
    ]


def test_a_workbook_keeps_its_head_in_sight_and_wraps_long_texts(tmp_path):
    write_table(tmp_path / "table.xlsx", [["id", "output"], ["a", "word " * 400]])
    sheet = openpyxl.load_workbook(tmp_path / "table.xlsx").active
    assert sheet.freeze_panes == "A2"
    assert sheet["B2"].alignment.wrap_text
    assert sheet.column_dimensions["B"].width == 80


@given(texts)
def test_no_cell_begins_like_a_formula(text):
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unguarded(guarded(text)) == text


def test_a_spreadsheet_finds_no_formula_in_a_workbook(files):
    import openpyxl

    cases = cases_of(files, output="=HYPERLINK(0)")
    path = files.root / "out.xlsx"
    write_rows(path, "xlsx", rows_of(files.rubric, list(cases), cases, (), "A"))
    kinds = {cell.data_type for row in openpyxl.load_workbook(path).active for cell in row}
    assert "f" not in kinds


def test_a_text_too_long_for_a_cell_is_said_so(files):
    from evalgate.errors import UsageError

    cases = cases_of(files, output="x" * 33_000)
    with pytest.raises(UsageError, match=r"32767 characters"):
        write_rows(
            files.root / "out.xlsx", "xlsx", rows_of(files.rubric, list(cases), cases, (), "A")
        )
    assert list(files.root.glob("*out.xlsx")) == []


def test_what_goes_out_is_blind(files):
    cases = cases_of(files)
    other = [
        msgspec.structs.replace(x, rater="B", comment="by B") for x in given_labels(files, cases)
    ]
    rows = rows_of(files.rubric, list(cases), cases, other, "A")
    assert len(rows) == 4 * 3
    assert all(row["answer"] == row["comment"] == "" and row["rater"] == "A" for row in rows)
    assert "by B" not in json.dumps(rows)


def test_a_spreadsheet_saved_with_semicolons_and_numbers_is_read(files):
    cases = cases_of(files)
    rows = [
        r for r in rows_of(files.rubric, list(cases), cases, (), "") if r["criterion"] == "plain"
    ]
    rows = [{**r, "answer": "4", "blind": "TRUE"} for r in rows]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    path = files.root / "saved.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    found, told = brought_back(files, path, "csv", cases)
    assert told == []
    assert [x.answer for x in found.new] == ["4"] * 4


def test_labels_are_simulated_unless_a_clinician_is_vouched_for(files):
    cases = cases_of(files)
    path = files.root / "out.jsonl"
    write_rows(path, "jsonl", rows_of(files.rubric, [], cases, given_labels(files, cases), "A"))
    assert all(
        x.simulated for x in brought_back(files, path, "jsonl", cases, clinician=False)[0].new
    )
    assert not any(x.simulated for x in brought_back(files, path, "jsonl", cases)[0].new)
    played = given_labels(files, cases, simulated=True)
    write_rows(path, "jsonl", rows_of(files.rubric, [], cases, played, "A"))
    assert all(x.simulated for x in brought_back(files, path, "jsonl", cases)[0].new)


@pytest.mark.parametrize("format_", ["csv", "xlsx", "jsonl"])
def test_all_wrong_rows_are_told_at_once_with_their_numbers(files, format_):
    cases = cases_of(files)
    rows = rows_of(files.rubric, list(cases), cases, (), "A")
    wrong = [
        {"item": "L-999"},
        {"criterion": "no-such"},
        {"answer": "maybe"},
        {"rater": "B"},
        {"output_digest": "sha256:" + "7" * 64},
        {"quote": "words that stand nowhere"},
        {"blind": "perhaps"},
        {"criterion_digest": "short"},
        {"criterion": "states-reason", "criterion_digest": files.rubric.criterion("states-reason").digest,
         "answer": "met", "quote": ""},
    ]  # fmt: skip
    base = next(r for r in rows if r["criterion"] == "invented-fact") | {"answer": "not_met"}
    path = files.root / f"out{ENDINGS[format_]}"
    write_rows(path, format_, [base | change for change in wrong])
    found, told = brought_back(files, path, format_, cases)
    first = 1 if format_ == "jsonl" else 2
    codes = ["EG631", "EG632", "EG633", "EG652", "EG650", "EG653", "EG630", "EG637", "EG636"]
    assert found.new == ()
    places = [(int(t.split(":")[1]), t.split(" ")[1]) for t in told]
    assert places == [(first + at, code) for at, code in enumerate(codes)]
    assert not any("stand nowhere" in t for t in told)


def test_a_row_that_contradicts_a_label_is_told(files):
    cases = cases_of(files)
    labels = given_labels(files, cases)
    path = files.root / "out.jsonl"
    rows = rows_of(files.rubric, [], cases, labels, "A")
    write_rows(path, "jsonl", [rows[3] | {"answer": "2"}, rows[3] | {"answer": "3"}])
    _, told = brought_back(files, path, "jsonl", cases, labels=labels)
    assert [t.split(" ")[1] for t in told] == ["EG651", "EG651"]
    _, told = brought_back(files, path, "jsonl", cases)
    assert [t.split(" ")[1] for t in told] == ["EG651"]


@pytest.mark.parametrize(
    ("name", "format_", "data"),
    [
        ("a.csv", "csv", b""),
        ("a.csv", "csv", b"item,answer\nL-000,met\n"),
        ("a.csv", "csv", b'item,"answer\n'),
        ("a.csv", "csv", b"\xff\xfe"),
        ("a.txt", "csv", b"item\n"),
        ("a.xlsx", "xlsx", b"no workbook"),
        ("a.jsonl", "jsonl", b"{}\n"),
        ("a.jsonl", "jsonl", b"prose\n"),
        ("a.json", "labelstudio", b"prose"),
        ("a.json", "labelstudio", b"{}"),
        ("a.json", "labelstudio", b'[{"data": {}}]'),
        ("a.json", "labelstudio", b"[3]"),
    ],
)
def test_what_is_not_of_the_format_is_told(files, name, format_, data):
    path = files.root / name
    path.write_bytes(data)
    found, told = brought_back(files, path, format_, cases_of(files))
    assert len(told) == 1
    assert "EG648" in told[0] or "EG102" in told[0]
    assert found.new == ()


def test_label_studios_interface_is_xml_that_names_every_criterion(files):
    cases = cases_of(files)
    path = files.root / "tasks.json"
    written = write_rows(path, "labelstudio", rows_of(files.rubric, list(cases), cases, (), "A"))
    tasks, view = json.loads(path.read_text()), ET.parse(written[1]).getroot()
    names = {x.get("name"): x for x in view.iter() if x.get("name")}
    for criterion in files.rubric.criteria:
        choices = names[f"answer__{criterion.id}"]
        wanted = [a for a in criterion.answers if a != "not_applicable" or criterion.applies_when]
        assert [c.get("value") for c in choices] == wanted
        assert {f"quote__{criterion.id}", f"comment__{criterion.id}"} <= set(names)
    assert len(names) == len({n.lower() for n in names})
    for task in tasks:
        used = {x.get("value")[1:] for x in view.iter() if (x.get("value") or "").startswith("$")}
        assert used <= set(task["data"])
        assert task["data"]["source_1"] == "@fact $1"
        assert 'Example of met: "You wrote' in task["data"]["answers__states_reason"]


def exported(task, results, **changes):
    """A task as Label Studio exports it."""
    annotation = {
        "id": 7, "completed_by": 3, "was_cancelled": False, "ground_truth": False, "lead_time": 4.2,
        "created_at": "2026-11-23T12:00:00.000000Z",
        "result": [
            {"id": f"r{n}", "from_name": name, "to_name": "output", "type": kind, "origin": "manual", "value": value}
            for n, (name, kind, value) in enumerate(results)
        ],
    }  # fmt: skip
    return {
        "id": 12,
        "project": 1,
        "predictions": [],
        **task,
        "annotations": [annotation | changes],
    }


def test_what_people_did_in_label_studio_is_read(files):
    cases = cases_of(files)
    path = files.root / "tasks.json"
    write_rows(path, "labelstudio", rows_of(files.rubric, list(cases), cases, (), ""))
    tasks = json.loads(path.read_text())
    done = [
        exported(tasks[0], [
            ("answer__states-reason", "choices", {"choices": ["met"]}),
            ("quote__states-reason", "textarea", {"text": ["the scan was"]}),
            ("answer__plain", "choices", {"choices": ["4"]}),
            ("comment__plain", "textarea", {"text": ["long"]}),
        ]),
        exported(tasks[1], [("answer__plain", "choices", {"choices": ["2"]})], was_cancelled=True),
        tasks[2],
    ]  # fmt: skip
    path.write_text(json.dumps(done))
    found, told = brought_back(files, path, "labelstudio", cases)
    assert told == []
    assert [(x.item, x.criterion, x.answer, x.quote, x.comment) for x in found.new] == [
        ("L-000", "states-reason", "met", "the scan was", ""),
        ("L-000", "plain", "4", "", "long"),
    ]
    assert {x.at for x in found.new} == {"2026-11-23T12:00:00.000000Z"}


def test_annotations_of_several_people_are_not_mixed(files):
    cases = cases_of(files)
    path = files.root / "tasks.json"
    write_rows(path, "labelstudio", rows_of(files.rubric, list(cases), cases, (), ""))
    task = exported(
        json.loads(path.read_text())[0], [("answer__plain", "choices", {"choices": ["2"]})]
    )
    task["annotations"] *= 2
    path.write_text(json.dumps([task]))
    assert "several people" in brought_back(files, path, "labelstudio", cases)[1][0]
