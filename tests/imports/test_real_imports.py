"""Importers on real public annotations: everything that can be kept is kept, and equals its text."""

from __future__ import annotations

import re
from pathlib import Path

from imported import faults, imported
from real_reports import public_data

from evalgate.authored.imports import Columns


def test_every_contiguous_span_of_the_case_reports_is_kept_and_equals_its_text(tmp_path):
    """Counted again from the annotation files, by other means."""
    source = public_data("maccrobat2020")
    items, report = imported("brat", source, tmp_path / "out.jsonl")
    pattern = re.compile(r"^(T\d+)\t(\S+) (\d+) (.*?)(\d+)\t(.*)$", re.MULTILINE)
    contiguous = set()
    pieces = {}
    for path in sorted(source.glob("*.ann")):
        text = path.with_suffix(".txt").read_text(encoding="utf-8")
        for mark, label, start, between, end, covered in pattern.findall(path.read_text("utf-8")):
            if between:
                gaps = [tuple(map(int, gap.split(";"))) for gap in between.split() if ";" in gap]
                pieces[path.name, mark] = all(not text[a:b].strip() for a, b in gaps)
            else:
                contiguous.add((path.stem, label, int(start), int(end)))
                assert text[int(start) : int(end)].strip() == covered.strip()
    assert len(items) == len(list(source.glob("*.ann"))) == report.units
    kept = {(i["id"], e["label"], e["start"], e["end"]) for i in items for e in i["expected"]}
    assert contiguous <= kept
    assert len(kept - contiguous) == sum(pieces.values()) == len(faults(report)["joined"])
    listed = {tuple(re.sub(r":\d+", "", p).split()) for p in faults(report)["discontinuous"]}
    assert listed == {key for key, joined in pieces.items() if not joined}
    assert report.spans.found == len(contiguous) + len(pieces)
    for item in items:
        for entity in item["expected"]:
            assert item["input"]["text"][entity["start"] : entity["end"]] == entity["text"]
    assert set(faults(report)) == {"discontinuous", "joined", "overlap", "no_span", "other_file"}


def test_every_mention_of_the_abstracts_is_kept(tmp_path):
    for corpus in ("BC5CDR-IOB", "NCBI-disease-IOB"):
        source: Path = public_data("bc5cdr-ncbi") / corpus / "devel.tsv"
        raw = source.read_text(encoding="utf-8")
        items, report = imported("conll", source, tmp_path / "out.jsonl", unit="sentence")
        assert report.spans.taken == len(re.findall(r"\tB-", raw))
        assert len(items) == len(re.findall(r"\n\n(?=.)", "\n\n" + raw))
        assert not report.faults
        tokens = sum(len(item["input"]["text"].split(" ")) for item in items)
        assert tokens == len(re.findall(r"\t[BIO]", raw))


def test_visits_with_their_notes_come_from_csv_files_with_a_byte_order_mark_or_without(tmp_path):
    source = public_data("aci-bench")
    columns = Columns(text={"dialogue": "dialogue"}, expected="note", id="encounter_id")
    items, report = imported("csv", source, tmp_path / "out.jsonl", columns=columns)
    assert report.rows.left == 0
    assert len(items) == 127
    assert len({item["id"] for item in items}) == 127


def test_questions_with_free_answers_come_from_json_lines(tmp_path):
    source = public_data("k-qa") / "questions_w_answers.jsonl"
    columns = Columns(text={"Question": "question"}, expected="Free_form_answer")
    items, report = imported("jsonl", source, tmp_path / "out.jsonl", columns=columns)
    assert (len(items), report.rows.left) == (201, 0)
