"""CSV, JSON lines and datasets on disk as gold items."""

from __future__ import annotations

import csv
import json
import time

import pytest
from imported import TEXT, faults, imported

from evalgate.authored.imports import Columns
from evalgate.errors import UsageError

datasets = pytest.importorskip("datasets", reason="the extra `hf` is not installed")

LABELLED = Columns(text={"message": "message"}, expected="urgency")


def write(root, name, data):
    path = root / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_shows_the_columns(tmp_path, delimiter):
    path = tmp_path / "in.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "unit", "message", "urgency", "tags"])
        writer.writerow(["u-1", "m-1", 'a, "b"; c\td|e\nsecond line', "NOW", "must_pass; spanish"])
        writer.writerow([" u-2 ", "m-1", "later", "LATER", ""])
    items, report = imported("csv", path, columns=LABELLED)
    assert items == [
        {
            "id": "u-1",
            "unit": "m-1",
            "input": {"message": 'a, "b"; c\td|e\nsecond line'},
            "expected": "NOW",
            "tags": ["must_pass", "spanish"],
        },
        {
            "id": "u-2",
            "unit": "m-1",
            "input": {"message": "later"},
            "expected": "LATER",
            "tags": [],
        },
    ]
    assert not report.faults


def test_rows_that_cannot_be_taken_are_listed_with_their_lines(tmp_path):
    data = (
        b"id,message,urgency,tags\n"
        b"a,one,NOW,\n"
        b"\n"
        b"b,,NOW,\n"
        b"c,three,,\n"
        b"d,four\n"
        b"a,five,NOW,\n"
        b"e,six\xff,NOW,\n"
        b'f,"sev"en,NOW,\n'
        b",eight,NOW,\n"
        b"g,nine,NOW,x;y\n"
        b'h,"never closed,NOW,\n'
        b"i,behind it,NOW,\n"
    )
    items, report = imported("csv", write(tmp_path, "in.csv", data), columns=LABELLED)
    assert [(item["id"], item["tags"]) for item in items] == [
        ("a", []),
        ("g", ["x", "y"]),
        ("i", []),
    ]
    told = faults(report)
    assert len(told.pop("unit_assumed")) == 3
    assert told == {
        "empty": ["in.csv:3"],
        "no_text": ["in.csv:4"],
        "no_answer": ["in.csv:5"],
        "cells": ["in.csv:6"],
        "id_twice": ["in.csv:7 id a"],
        "encoding": ["in.csv:8"],
        "quotes": ["in.csv:9", "in.csv:12"],
        "unusable": ["in.csv:10"],
    }


@pytest.mark.parametrize("stray", [1, 500, 1000])
def test_one_stray_quote_does_not_swallow_the_rest_of_the_file(tmp_path, stray):
    lines = [f"r{n},text {n},NOW\n" for n in range(1, 1001)]
    lines[stray - 1] = f'r{stray},"text {stray},NOW\n'
    path = write(tmp_path, "in.csv", "id,text,expected\n" + "".join(lines))
    items, report = imported("csv", path)
    assert len(items) == 999
    assert faults(report)["quotes"] == [f"in.csv:{stray + 1}"]
    assert report.rows.found == 1000


def test_lines_of_a_cell_that_is_never_closed_are_all_counted(tmp_path):
    data = 'id,text,expected\na,"one\ntwo\nthree,NOW\nb,"two\nlines",NOW\n'
    items, report = imported("csv", write(tmp_path, "in.csv", data))
    assert [item["input"]["text"] for item in items] == ["two\nlines"]
    told = faults(report)
    assert (told["quotes"], told["cells"]) == (["in.csv:2"], ["in.csv:3", "in.csv:4"])


def test_a_file_whose_every_line_has_a_faulty_quote_is_read_in_one_go(tmp_path):
    """Beginning every record again at the next line, and reading to the end each time, would take minutes here."""
    path = write(tmp_path, "in.csv", "text,expected\n" + 'a","\n' * 20_000)
    began = time.process_time()
    _, report = imported("csv", path)
    assert time.process_time() - began < 10
    assert report.rows.left == 20_000
    assert faults(report).keys() == {"quotes"}


def test_a_file_with_nothing_in_it_is_called_empty_and_one_with_a_header_without_rows(tmp_path):
    for data in ("", "\ufeff"):
        with pytest.raises(UsageError) as caught:
            imported("csv", write(tmp_path, "in.csv", data))
        (line,) = str(caught.value).splitlines()
        assert line == "in.csv: EG175 found an empty file, expected a header and rows."
    _, report = imported("csv", write(tmp_path, "in.csv", "text,expected\n"))
    with pytest.raises(UsageError, match="EG177 found no rows, expected at least one") as caught:
        report.raise_if_nothing()
    assert "above" not in str(caught.value)


def test_rows_without_ids_are_numbered_and_are_their_own_units(tmp_path):
    (tmp_path / "all").mkdir()
    for name in ("a", "b"):
        write(tmp_path / "all", f"{name}.csv", "\ufefftext,expected\r\nx,1\r\ny,2\r\n")
    items, report = imported("csv", tmp_path / "all")
    assert [item["id"] for item in items] == ["a-1", "a-2", "b-1", "b-2"]
    assert all(item["unit"] == item["id"] for item in items)
    assert len(faults(report)["unit_assumed"]) == 4


def test_every_missing_column_of_every_file_is_told_at_once_without_showing_a_header(tmp_path):
    (tmp_path / "all").mkdir()
    write(tmp_path / "all", "a.csv", "the patient's own words,urgency\nx,y\n")
    write(tmp_path / "all", "b.csv", "messages,urgency,urgency\nx,y,z\n")
    with pytest.raises(UsageError) as caught:
        imported("csv", tmp_path / "all", columns=LABELLED)
    lines = str(caught.value).splitlines()
    assert [line.split(" found ")[0] for line in lines] == [
        "a.csv:1: EG178",
        "b.csv:1: EG178",
        "b.csv:1: EG178",
    ]
    assert "Did you mean `messages`?" in lines[1]
    assert "patient" not in str(caught.value)


def test_a_history_longer_than_the_csv_modules_own_limit_is_taken(tmp_path):
    path = write(tmp_path, "in.csv", "text,expected\n" + "long " * 40_000 + ",x\n")
    assert len(imported("csv", path)[0][0]["input"]["text"]) == 200_000


def test_several_columns_fill_several_placeholders(tmp_path):
    path = write(tmp_path, "in.csv", "Question Text,passages,expected\nwhy,because,so\n")
    columns = Columns(text={"Question Text": "question", "passages": "passages"})
    items, _ = imported("csv", path, columns=columns)
    assert items[0]["input"] == {"question": "why", "passages": "because"}


def test_classes_are_renamed_and_kept(tmp_path):
    path = write(tmp_path, "in.csv", "text,expected\na,yes\nb,no\nc,maybe\n")
    items, report = imported("csv", path, renames={"yes": "Y"}, labels=("Y", "no"))
    assert [item["expected"] for item in items] == ["Y", "no"]
    assert faults(report)["other_label"] == ["in.csv:4"]


def rows_of(*values):
    return "".join(json.dumps(value) + "\n" for value in values)


def test_json_lines_keep_the_type_of_every_value(tmp_path):
    value = {
        "id": 7,
        "unit": "m",
        "text": {"a": [1]},
        "expected": {"quote": "x", "n": 1.5},
        "tags": ["t"],
    }
    items, report = imported("jsonl", write(tmp_path, "in.jsonl", rows_of(value)))
    assert items == [
        {
            "id": "7",
            "unit": "m",
            "input": {"text": {"a": [1]}},
            "expected": value["expected"],
            "tags": ["t"],
        }
    ]
    assert not report.faults


def test_a_json_list_is_read_like_lines(tmp_path):
    values = [{"id": "a", "unit": "a", "text": "x", "expected": False}, 3]
    items, report = imported("jsonl", write(tmp_path, "in.json", json.dumps(values, indent=2)))
    assert [item["expected"] for item in items] == [False]
    assert faults(report) == {"malformed": ["in.json[2]"]}
    assert imported("jsonl", write(tmp_path, "bad.json", "[1, "))[1].rows.left == 1


def test_faulty_json_lines_are_listed_and_the_others_taken(tmp_path):
    data = (
        b'\xef\xbb\xbf{"id":"a","unit":"u","text":"x","expected":[]}\r\n'
        b"\n"
        b"not json\n"
        b'"a text"\n'
        b'{"id":"b","text":"\xff","expected":1}\n'
        b'{"id":"c","text":"x","expected":null}\n'
        b'{"id":"d","text":"  ","expected":1}\n'
        b'{"id":"e\\n","unit":"u\\nv","text":"x","expected":1}\n'
        b'{"id":true,"text":"x","expected":1}\n'
        b'{"id":"f","unit":"u","text":"x","expected":1,"tags":{"a":1}}\n'
        + b"[" * 100_000
        + b"\n"
        + b'{"id":"g","unit":"u","text":"x","expected":0}'
    )
    items, report = imported("jsonl", write(tmp_path, "in.jsonl", data))
    assert [(item["id"], item["expected"]) for item in items] == [("a", []), ("g", 0)]
    told = faults(report)
    assert told == {
        "empty": ["in.jsonl:2"],
        "malformed": ["in.jsonl:3", "in.jsonl:4", "in.jsonl:11"],
        "encoding": ["in.jsonl:5"],
        "no_answer": ["in.jsonl:6"],
        "no_text": ["in.jsonl:7"],
        "unusable": ["in.jsonl:8 id e", "in.jsonl:9", "in.jsonl:10"],
    }


def test_a_line_of_more_than_16_mib_is_left_out_and_the_next_one_taken(tmp_path):
    big = json.dumps({"id": "big", "unit": "u", "text": "x" * (17 << 20), "expected": 1})
    edge = json.dumps({"id": "edge", "unit": "u", "text": "x" * ((16 << 20) - 60), "expected": 1})
    small = json.dumps({"id": "small", "unit": "u", "text": "x", "expected": 1})
    path = write(tmp_path, "in.jsonl", f"{big}\n{edge}\n{small}\n")
    items, report = imported("jsonl", path)
    assert [item["id"] for item in items] == ["small"]
    assert faults(report)["too_long"] == ["in.jsonl:1", "in.jsonl:2 id edge"]


def test_offsets_of_entities_are_compared_with_the_text_and_filled_in(tmp_path):
    entities = [
        {"label": "Sex", "start": 2, "end": 5},
        {"label": "Sex", "start": 2, "end": 5, "text": "woman"},
        {"label": "Sex", "start": 2, "end": 50, "text": "man"},
        {"label": "Sex", "start": "2", "end": 5},
        {"label": "Sex", "text": "man"},
        {"label": "Sex", "text": "man"},
    ]
    path = write(
        tmp_path,
        "in.jsonl",
        rows_of({"id": "a", "unit": "a", "text": "A man.", "expected": entities}),
    )
    items, report = imported("jsonl", path)
    assert [e["text"] for e in items[0]["expected"]] == ["man", "man", "man"]
    assert len(faults(report)["offsets"]) == 3
    assert report.spans.found == 6


def test_tokens_with_tags_become_text_with_entities(tmp_path):
    good = {"id": "a", "unit": "a", "text": ["renal", "failure"], "expected": ["B-Dx", "I-Dx"]}
    short = {**good, "id": "b", "expected": ["O"]}
    odd = {**good, "id": "c", "expected": ["O", "Dx"]}
    items, report = imported("jsonl", write(tmp_path, "in.jsonl", rows_of(good, short, odd)))
    assert items[0]["input"] == {"text": "renal failure"}
    assert items[0]["expected"][0]["text"] == "renal failure"
    assert faults(report) == {"malformed": ["in.jsonl:2"], "scheme": ["in.jsonl:3"]}


def dataset(**columns):
    return datasets.Dataset.from_dict(columns)


def test_a_dataset_on_disk_is_read_with_the_names_of_its_classes(tmp_path):
    made = dataset(text=["a", "b", "c"], expected=[1, 0, -1], picture=["x", "y", "z"])
    made = made.cast_column("expected", datasets.ClassLabel(names=["no", "yes"]))
    made.save_to_disk(tmp_path / "set")
    items, report = imported("hf", tmp_path / "set")
    assert [(item["id"], item["expected"]) for item in items] == [("set-1", "yes"), ("set-2", "no")]
    assert faults(report)["no_answer"] == ["set[3]"]


def test_tokens_and_tags_of_a_dataset_become_entities(tmp_path):
    names = ["O", "B-Dx", "I-Dx"]
    features = datasets.Features(
        tokens=datasets.List(datasets.Value("string")),
        ner_tags=datasets.List(datasets.ClassLabel(names=names)),
    )
    made = datasets.Dataset.from_dict(
        {"tokens": [["renal", "failure", "today"]], "ner_tags": [[1, 2, 0]]}, features=features
    )
    made.save_to_disk(tmp_path / "set")
    columns = Columns(text={"tokens": "text"}, expected="ner_tags")
    items, _ = imported("hf", tmp_path / "set", columns=columns)
    assert items[0]["input"] == {"text": "renal failure today"}
    assert items[0]["expected"] == [{"label": "Dx", "text": "renal failure", "start": 0, "end": 13}]


def test_of_several_splits_one_has_to_be_named(tmp_path):
    both = datasets.DatasetDict(
        train=dataset(text=["a"], expected=["x"]), test=dataset(text=["b"], expected=["y"])
    )
    both.save_to_disk(tmp_path / "sets")
    assert imported("hf", tmp_path / "sets", split="test")[0][0]["input"] == {"text": "b"}
    for split, told in ((None, "found no --split"), ("tset", "Did you mean `test`?")):
        with pytest.raises(UsageError, match="Name one of: test, train") as caught:
            imported("hf", tmp_path / "sets", split=split)
        assert told in str(caught.value)
        assert caught.value.code == "EG178"
    with pytest.raises(UsageError, match="Leave --split out"):
        imported("hf", tmp_path / "sets" / "train", split="train")


def test_missing_columns_of_a_dataset_are_told_at_once(tmp_path):
    dataset(message=["a"], expect=["x"]).save_to_disk(tmp_path / "set")
    with pytest.raises(UsageError) as caught:
        imported("hf", tmp_path / "set", columns=Columns(text=TEXT))
    assert "no column 'text'" in str(caught.value)
    assert "Did you mean `expect`?" in str(caught.value)


@pytest.mark.parametrize("damage", ["absent", "no_dataset", "broken_state", "torn_arrow"])
def test_a_directory_that_is_no_dataset_is_refused(tmp_path, damage):
    source = tmp_path / "set"
    if damage == "no_dataset":
        source.mkdir()
    elif damage != "absent":
        dataset(text=["a" * 1000], expected=["x"]).save_to_disk(source)
        if damage == "broken_state":
            (source / "state.json").write_text("{")
        else:
            arrow = next(source.glob("*.arrow"))
            arrow.write_bytes(arrow.read_bytes()[:200])
    with pytest.raises(UsageError) as caught:
        imported("hf", source)
    assert caught.value.code == "EG175"
