"""BRAT documents as gold items."""

from __future__ import annotations

import pytest
from imported import faults, imported

from evalgate.errors import UsageError

TEXT = "A man of 61 years took aspirin 75 mg.\nHe felt well.\n"


def write(root, name="r1", text=TEXT, annotations="", encoding="utf-8"):
    source = root / "reports"
    path = source / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    path.with_suffix(".ann").write_bytes(annotations.encode(encoding))
    return source


def t(number, label, start, end, text=TEXT):
    return f"T{number}\t{label} {start} {end}\t{text[start:end]}\n"


def test_a_document_is_one_item_and_one_unit_with_its_spans_in_the_order_of_the_file(tmp_path):
    source = write(tmp_path, "ward/r1", annotations=t(2, "Dosage", 31, 36) + t(1, "Sex", 2, 5))
    items, report = imported("brat", source)
    assert items == [
        {
            "id": "ward/r1",
            "input": {"text": TEXT},
            "expected": [
                {"label": "Dosage", "text": "75 mg", "start": 31, "end": 36},
                {"label": "Sex", "text": "man", "start": 2, "end": 5},
            ],
            "unit": "ward/r1",
            "tags": [],
        }
    ]
    assert report.labels == {"Dosage": 1, "Sex": 1}
    assert not report.faults


def test_documents_of_one_folder_can_be_one_unit(tmp_path):
    for name in ("a/1", "a/2", "b/1", "top"):
        source = write(tmp_path, name)
    items, report = imported("brat", source, unit="folder")
    assert [item["unit"] for item in items] == ["a", "a", "b", "top"]
    assert report.units == 3


def test_an_empty_annotation_file_says_that_there_is_nothing_and_a_missing_one_says_nothing(
    tmp_path,
):
    source = write(tmp_path, "empty")
    (source / "alone.txt").write_text("Some text.")
    (source / "lost.ann").write_text("T1\tSex 0 1\tx\n")
    items, report = imported("brat", source)
    assert [(item["id"], item["expected"]) for item in items] == [("empty", [])]
    assert faults(report) == {"no_annotations": ["alone.txt"], "no_document": ["lost.ann"]}


def test_spans_in_pieces_are_left_out_unless_only_white_space_parts_them(tmp_path):
    line = TEXT.index("\n")
    annotations = f"T1\tDrug 23 30;38 40\taspirin He\nT2\tNote 31 {line};{line + 1} 40\t75 mg. He\n"
    items, report = imported("brat", write(tmp_path, annotations=annotations))
    assert [e["text"] for e in items[0]["expected"]] == ["75 mg.\nHe"]
    assert faults(report) == {"discontinuous": ["r1.ann:1 T1"], "joined": ["r1.ann:2 T2"]}


def test_offsets_that_do_not_match_lose_their_span_and_no_other(tmp_path):
    annotations = (
        "T1\tSex 2 5\twoman\nT2\tSex 2 2\t\nT3\tSex 50 90\tbeyond\nT4\tSex 5 2\tman\n"
        + t(5, "Sex", 2, 5)
    )
    items, report = imported("brat", write(tmp_path, annotations=annotations))
    assert [e["text"] for e in items[0]["expected"]] == ["man"]
    assert len(faults(report)["offsets"]) == 4
    assert report.spans.found == 5


def test_annotations_that_are_no_spans_are_counted_and_garbage_is_listed(tmp_path):
    annotations = (
        t(1, "Sex", 2, 5)
        + "E1\tSex:T1\nR1\tREL Arg1:E1 Arg2:E1\n#1\tNote T1\thello\n*\tEQ T1 T2\nT9 broken line\n\n"
    )
    _, report = imported("brat", write(tmp_path, annotations=annotations))
    assert faults(report)["bad_span"] == ["r1.ann:6"]
    assert len(faults(report)["no_span"]) == 4
    assert (report.spans.taken, report.spans.left) == (1, 1)


def test_overlapping_and_nested_spans_are_kept_and_counted_and_one_span_twice_is_left(tmp_path):
    annotations = t(1, "Age", 9, 17) + t(2, "Number", 9, 11) + t(3, "Age", 9, 17)
    items, report = imported("brat", write(tmp_path, annotations=annotations))
    assert [e["text"] for e in items[0]["expected"]] == ["61 years", "61"]
    assert faults(report) == {"span_twice": ["r1 9-17"], "overlap": ["r1 9-17"]}


@pytest.mark.parametrize("counts_bom", [False, True])
@pytest.mark.parametrize("counts_cr", [False, True])
def test_line_ends_and_byte_order_marks_are_read_as_the_offsets_counted_them(
    tmp_path, counts_bom, counts_cr
):
    raw = "\ufeff" + ("CASE\n" + TEXT).replace("\n", "\r\n")
    seen = raw if counts_cr else raw.replace("\r\n", "\n")
    seen = seen if counts_bom else seen.removeprefix("\ufeff")
    start = seen.index("well")
    annotations = f"T1\tFeeling {start} {start + 4}\twell\r\n"
    items, report = imported("brat", write(tmp_path, text=raw, annotations=annotations))
    (entity,) = items[0]["expected"]
    text = items[0]["input"]["text"]
    assert text[entity["start"] : entity["end"]] == entity["text"] == "well"
    assert not text.startswith("\ufeff")
    assert ("line_ends" in faults(report)) == (counts_bom or not counts_cr)


def test_bytes_of_another_encoding_leave_the_document_out_until_it_is_named(tmp_path):
    text = "Señora de 61 años."
    source = write(tmp_path, text=text, annotations=t(1, "Sex", 0, 6, text), encoding="latin-1")
    items, report = imported("brat", source)
    assert not items
    assert faults(report) == {"encoding": ["r1"]}
    items, report = imported("brat", source, encoding="latin-1")
    assert items[0]["expected"][0]["text"] == "Señora"
    assert not report.faults


def test_labels_are_renamed_then_kept_and_names_that_never_occur_are_told(tmp_path):
    annotations = t(1, "Gender", 2, 5) + t(2, "Drug", 23, 30) + t(3, "Dosage", 31, 36)
    source = write(tmp_path, annotations=annotations)
    renames = {"Gender": "Sex", "Gendre": "Sex"}
    items, report = imported("brat", source, renames=renames, labels=("Sex", "Drug", "Drugs"))
    assert [e["label"] for e in items[0]["expected"]] == ["Sex", "Drug"]
    told = faults(report)
    assert told["other_span_label"] == ["r1 entity 3"]
    assert told["never_found"] == ["--map Gendre", "--labels Drugs"]


def test_a_single_file_and_other_files_in_the_directory(tmp_path):
    source = write(tmp_path, "report.v1", annotations=t(1, "Sex", 2, 5))
    (source / "README.md").write_text("about")
    (source / ".hidden.ann").write_text("x")
    items, report = imported("brat", source)
    assert faults(report) == {"other_file": ["README.md"]}
    for name in ("report.v1.txt", "report.v1.ann"):
        assert imported("brat", source / name)[0] == items


@pytest.mark.parametrize("make", ["nothing", "empty", "text_only"])
def test_a_source_without_annotations_is_not_brat(tmp_path, make):
    source = tmp_path / "reports"
    if make != "nothing":
        source.mkdir()
    if make == "text_only":
        (source / "a.txt").write_text("x")
    with pytest.raises(UsageError) as caught:
        imported("brat", source)
    assert caught.value.code == "EG175"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.csv", "a.csv: EG175 found a file that ends neither in .ann nor in .txt, expected"),
        ("alone.txt", "alone.txt: EG175 found no .ann file beside it, expected"),
    ],
)
def test_a_file_that_is_not_brat_is_told_by_the_name_that_was_given(tmp_path, name, told):
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError) as caught:
        imported("brat", tmp_path / name)
    assert str(caught.value).startswith(told)
