"""Token files as gold items."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imported import faults, imported

from evalgate.authored.imports.rows import entities_of_tags


def write(root, text, name="devel.tsv"):
    path = root / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def texts(item):
    return [(e["label"], e["text"]) for e in item["expected"]]


def test_sentences_become_items_with_offsets_in_the_joined_text(tmp_path):
    path = write(tmp_path, "He\tO\nhas\tO\nrenal\tB-Dx\nfailure\tI-Dx\n.\tO\n\nWell\tO\n")
    items, report = imported("conll", path, unit="sentence")
    first, second = items
    assert first["input"] == {"text": "He has renal failure ."}
    assert first["expected"] == [{"label": "Dx", "text": "renal failure", "start": 7, "end": 20}]
    assert (first["id"], first["unit"]) == ("devel-1", "devel-1")
    assert (second["id"], second["expected"]) == ("devel-2", [])
    assert not report.faults


def test_documents_are_units_and_columns_between_are_passed_over(tmp_path):
    text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\n\nrejects VBZ B-VP O\n-DOCSTART- -X- O O\nHe PRP B-NP O\n"
    items, report = imported("conll", write(tmp_path, text))
    assert [item["unit"] for item in items] == ["devel-document-1"] * 2 + ["devel-document-2"]
    assert texts(items[0]) == [("ORG", "EU")]
    assert not report.faults


def test_a_file_without_documents_is_one_unit_and_says_so(tmp_path):
    items, report = imported("conll", write(tmp_path, "a\tO\n\nb\tO\n"))
    assert {item["unit"] for item in items} == {"devel-document-0"}
    assert faults(report) == {"one_unit": ["devel.tsv"]}


def test_an_inside_tag_that_nothing_precedes_begins_an_entity_and_is_told(tmp_path):
    path = write(tmp_path, "a\tO\nb\tI-X\nc\tI-X\nd\tI-Y\n")
    items, report = imported("conll", path, unit="sentence")
    assert texts(items[0]) == [("X", "b c"), ("Y", "d")]
    assert faults(report) == {"inside_first": ["devel.tsv:1 token 2", "devel.tsv:1 token 4"]}


def test_single_and_end_tags_close_entities():
    for single, end in (("S", "E"), ("U", "L")):
        tokens = ["a", "b", "c", "d", "e"]
        tags = [f"{single}-X", "B-X", f"{end}-X", f"{end}-X", "O"]
        _, entities, repaired = entities_of_tags(tokens, tags)
        assert [e["text"] for e in entities] == ["a", "b c", "d"]
        assert repaired == [3]


@pytest.mark.parametrize("tag", ["X", "B", "B-", "b-Dx", "Q-Dx", "", "OO"])
def test_a_tag_outside_the_scheme_leaves_its_whole_sentence_out(tmp_path, tag):
    items, report = imported("conll", write(tmp_path, f"a\tO\nb\tx\t{tag}\n\nc\tO\n"))
    assert [item["id"] for item in items] == ["devel-2"]
    assert faults(report)["scheme"] == ["devel.tsv:1"]


def test_a_line_without_a_tag_leaves_its_whole_sentence_out(tmp_path):
    items, report = imported("conll", write(tmp_path, "a\tO\nb\n\nc\tO\n"))
    assert [item["id"] for item in items] == ["devel-2"]
    assert faults(report)["token"] == ["devel.tsv:1"]


def test_windows_line_ends_a_byte_order_mark_and_comments_change_nothing(tmp_path):
    plain = write(tmp_path, "# sent_id = 7\n# O\nb\tB-X\n\nc\tO\n")
    strange = tmp_path / "strange"
    strange.mkdir()
    changed = b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n")
    assert imported("conll", write(strange, changed))[0] == imported("conll", plain)[0]
    assert imported("conll", plain)[0][0]["input"] == {"text": "# b"}


def test_bytes_that_are_no_text_leave_their_sentence_out(tmp_path):
    items, report = imported("conll", write(tmp_path, b"a\tO\n\nb\xff\tO\n\nc\tO\n"))
    assert [item["id"] for item in items] == ["devel-1", "devel-3"]
    assert faults(report)["encoding"] == ["devel.tsv:3"]


def test_an_encoding_that_cannot_skip_bytes_loses_the_rest_and_says_so(tmp_path):
    data = "a\tO\n\nb\tO\n\n".encode("utf-16") + b"\x00\xdc\x00"
    items, report = imported("conll", write(tmp_path, data), encoding="utf-16")
    assert faults(report)["encoding"] == ["devel.tsv: the rest"]
    assert len(items) <= 2


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.sampled_from("XY")), max_size=8))
def test_entities_written_as_iob2_are_read_back(chunks):
    tokens, tags, wanted = [], [], []
    for is_entity, length, label in chunks:
        words = [f"w{len(tokens) + n}" for n in range(length)]
        tokens += words
        tags += [f"{'B' if n == 0 else 'I'}-{label}" if is_entity else "O" for n in range(length)]
        if is_entity:
            wanted.append((label, " ".join(words)))
    text, entities, repaired = entities_of_tags(tokens, tags)
    assert [(e["label"], e["text"]) for e in entities] == wanted
    assert all(text[e["start"] : e["end"]] == e["text"] for e in entities)
    assert repaired == []
