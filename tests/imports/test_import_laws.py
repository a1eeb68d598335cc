"""Laws of all importers: no input makes them crash, no row is lost without a word, and no word is of the text."""

from __future__ import annotations

import shutil
import tempfile
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from imported import imported

from evalgate.authored.imports import Columns, Options, import_gold
from evalgate.errors import UsageError

COLUMNS = Columns(text={"text": "text"}, id="id")
MANY = settings(max_examples=80, deadline=None)


def run(kind, files: dict[str, bytes], **given):
    """(items, report) of an import of these files; no items and None where the source was refused."""
    root = Path(tempfile.mkdtemp(prefix="evalgate-imports-"))
    try:
        for name, data in files.items():
            (root / "source").mkdir(exist_ok=True)
            (root / "source" / name).write_bytes(data)
        try:
            return imported(kind, root / "source", root / "out.jsonl", **given)
        except UsageError as error:
            assert not list(root.glob("out.*"))
            assert str(error).count("SECRET") == 0
            return [], None
    finally:
        shutil.rmtree(root)


@pytest.mark.parametrize("kind", ["brat", "conll", "csv", "jsonl"])
@given(
    data=st.binary(max_size=300) | st.text(max_size=100).map(lambda t: t.encode()),
    encoding=st.sampled_from(["utf-8", "cp1252", "utf-16", "utf-8-sig", "shift_jis"]),
)
@MANY
def test_arbitrary_bytes_never_crash_an_importer(kind, data, encoding):
    files = {
        "brat": {"a.txt": data, "a.ann": data[::-1]},
        "conll": {"a.tsv": data},
        "csv": {"a.csv": b"id,text,expected\n" + data},
        "jsonl": {"a.jsonl": data},
    }[kind]
    run(kind, files, encoding=encoding)


CSV_LINES = st.sampled_from(
    [
        "r{n},SECRET{n},NOW",
        'r{n},"SECRET{n}, and more",NOW',
        'r{n},"SECRET{n} goes on',
        'SECRET{n} ends",NOW',
        "r{n},SECRET{n},",
        "r{n},,SECRET{n}",
        "r{n},SECRET{n}",
        "r{n},SECRET{n},NOW,more",
        'r{n},"SECRET{n}"x,NOW',
        "r1,SECRET{n},NOW",
        ",SECRET{n},NOW",
        "r{n},SECRET{n}\udcff,NOW",
        "r{n},SECRET{n}\0,NOW",
        "",
        " , ,",
    ]
)


@given(
    st.lists(CSV_LINES, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
@example(['r{n},"SECRET{n} goes on', "r{n},SECRET{n},NOW"], "\n", b"")
@MANY
def test_every_line_of_a_csv_file_is_taken_or_listed(patterns, newline, bom):
    lines = ["id,text,expected"] + [p.format(n=n) for n, p in enumerate(patterns, start=2)]
    text = newline.join(lines) + newline
    items, report = run(
        "csv", {"a.csv": bom + text.encode(errors="surrogateescape")}, columns=COLUMNS
    )
    listed: set[int] = set()
    for fault in report.faults:
        for place in fault.places:
            if fault.of != "row":
                continue
            first, _, last = place.removeprefix("a.csv:").partition(" ")[0].partition("-")
            listed.update(range(int(first), int(last or first) + 1))
    taken = " ".join(item["input"]["text"] + item["expected"] for item in items)
    for number, line in enumerate(lines[1:], start=2):
        here = f"SECRET{number}"
        if not line.strip(" ,") and newline.join(lines[: number - 1]).count('"') % 2:
            continue  # inside of a quoted cell, whose row is taken or listed from its first line
        assert number in listed or (here in line and here in taken), (number, lines)
    assert "SECRET" not in "\n".join([*report.lines(), report.summary()])


PLAIN_LINES = st.sampled_from(
    ["r{n},text {n},NOW", 'r{n},"text, {n}",NOW', 'r{n},"two\nlines",NOW', 'r{n},"said ""no""",NOW']
)


@given(
    st.lists(PLAIN_LINES, max_size=12),
    st.lists(PLAIN_LINES, max_size=12),
    st.sampled_from(['bad,"text,NOW', 'bad,text,"NOW', '"bad,text,NOW', 'bad,"a"b,NOW']),
)
@MANY
def test_a_faulty_quote_costs_its_own_line_and_no_other(before, behind, bad):
    patterns = [*before, bad, *behind]
    text = "\n".join(["id,text,expected"] + [p.format(n=n) for n, p in enumerate(patterns)]) + "\n"
    items, report = run("csv", {"a.csv": text.encode()}, columns=COLUMNS)
    kept = [f"r{n}" for n in range(len(patterns)) if n != len(before)]
    assert [item["id"] for item in items] == kept
    assert (report.rows.found, report.rows.left) == (len(patterns), 1)


JSON_LINES = st.sampled_from(
    [
        b'{"id":"%d","text":"SECRET","expected":"x"}',
        b'{"id":"1","text":"SECRET","expected":"x"}',
        b'{"id":"%d","text":"SECRET"}',
        b'{"id":"%d","text":null,"expected":"SECRET"}',
        b'{"text":"SECRET","expected":[{"label":"A","start":0,"end":3},{"label":"A","start":3,"end":99}]}',
        b'{"id":"%d","text":["SECRET","b"],"expected":["B-A","O"]}',
        b'{"id":"%d","text":["SECRET","b"],"expected":["B-A","?"]}',
        b'{"id":"%d","text":"SECRET","expected":"x","tags":["a","a",""]}',
        b'{"id":"%d","text":"SECRET","expected":"x","tags":["a",1]}',
        b'{"id":{"SECRET":1},"text":"SECRET","expected":"x"}',
        b'{"id":"%d","text":"SECRET\\ud800","expected":"x"}',
        b'{"id":"%d","text":"SECRET","expected":1e999}',
        b'"SECRET"',
        b"{SECRET",
        b"SECRET\xff",
        b"",
        b"null",
    ]
)


@given(st.lists(JSON_LINES, max_size=10), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
@MANY
def test_every_line_of_a_json_lines_file_is_counted(patterns, newline, ends):
    lines = [p % n if b"%d" in p else p for n, p in enumerate(patterns)]
    data = newline.join(lines) + (newline if ends else b"")
    _, report = run("jsonl", {"a.jsonl": data}, columns=COLUMNS)
    assert report.rows.found == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    assert sum(f.count for f in report.faults if f.of == "row") == report.rows.left
    assert "SECRET" not in "\n".join([*report.lines(), report.summary()])


TOKEN_LINES = st.sampled_from(
    [
        "SECRET\tO",
        "SECRET\tB-X",
        "SECRET\tI-X",
        "SECRET\tS-X",
        "a b I-Y",
        "SECRET",
        "SECRET\tB",
        "\tO",
        "SECRET\udcff\tO",
        "",
        "  ",
    ]
)


@given(st.lists(TOKEN_LINES, max_size=14), st.sampled_from(["\n", "\r\n"]))
@MANY
def test_every_sentence_of_a_token_file_is_counted(lines, newline):
    data = newline.join(lines).encode(errors="surrogateescape")
    items, report = run("conll", {"a.tsv": data})
    sentences = [list(g) for filled, g in groupby(lines, lambda x: bool(x.strip())) if filled]
    assert report.rows.found == len(sentences)
    assert sum(f.count for f in report.faults if f.of == "row") == report.rows.left
    assert "SECRET" not in "\n".join([*report.lines(), report.summary()])
    for item in items:
        for entity in item["expected"]:
            assert item["input"]["text"][entity["start"] : entity["end"]] == entity["text"]


ANNOTATIONS = st.sampled_from(
    [
        "T1\tX 0 6\tSECRET",
        "T1\tY 0 6\tSECRET",
        "T2\tX 0 3;5 6\tSEC T",
        "T3\tX 4 99\tSECRET",
        "T4\tX 0 6\tsecret",
        "T5\tX\tSECRET",
        "E1\tX:T1",
        "#1\tNote T1\tSECRET",
        "SECRET",
        "T6\tX 99999999999 6\tSECRET",
        "T7\tX 0 6;7 9\tSECRET 61",
        "",
        "\r",
    ]
)


@given(st.lists(ANNOTATIONS, max_size=10), st.sampled_from(["SECRET 61", "SECRET\r\n61", " "]))
@MANY
def test_every_annotation_line_is_taken_or_counted(lines, text):
    items, report = run("brat", {"a.txt": text.encode(), "a.ann": "\n".join(lines).encode()})
    assert report.rows.found == 1
    assert "SECRET" not in "\n".join([*report.lines(), report.summary()])
    if items:
        others = sum(fault.count for fault in report.faults if fault.kind == "no_span")
        assert report.spans.found + others == sum(bool(line.strip()) for line in lines)
        for entity in items[0]["expected"]:
            assert items[0]["input"]["text"][entity["start"] : entity["end"]] == entity["text"]


def test_rows_of_a_data_frame_with_nothing_in_them_are_counted(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the extra `hf` is not installed")
    values = ["a", None, "", "b", "c"]
    made = datasets.Dataset.from_dict(
        {"text": values, "expected": [1.0, 1.0, 1.0, float("nan"), None]}
    )
    made.save_to_disk(tmp_path / "set")
    items, report = imported("hf", tmp_path / "set")
    assert [item["id"] for item in items] == ["set-1"]
    assert (report.rows.found, report.rows.left) == (5, 4)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts(tmp_path):
    """Ids are kept, texts are not: ten times the text costs the same."""
    import tracemalloc

    peaks = []
    for size in (200, 2000):
        path = tmp_path / f"{size}.jsonl"
        with path.open("w") as file:
            for n in range(20_000):
                file.write(
                    f'{{"id":"{n}","unit":"u{n % 9}","text":"{"x" * size}","expected":"y"}}\n'
                )
        tracemalloc.start()
        options = Options(columns=COLUMNS)
        import_gold("jsonl", path, tmp_path / f"out{size}.jsonl", options)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2_000_000
