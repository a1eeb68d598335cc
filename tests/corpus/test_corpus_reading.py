"""Rows of files that others wrote: what is right comes through as it is, what is wrong is named by its line."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from corpus_rows import child, outside, row, write_corpus, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.corpus.example import encode
from evalgate.corpus.files import rows
from evalgate.errors import FileProblems, UsageError


def problems(path, *, strict=False):
    """(line, code) of every problem, and the messages."""
    with pytest.raises(FileProblems) as caught:
        list(rows(path, strict=strict))
    return [(p.line, p.code) for p in caught.value.problems], str(caught.value)


def test_the_outside_form_ignores_unknown_keys_and_keeps_the_known_ones(tmp_path):
    turns = [
        {"role": "user", "content": "q", "name": "x"},
        {"role": "assistant", "content": "a", "weight": 1},
    ]
    path = write_lines(
        tmp_path / "a.jsonl",
        outside(messages=turns, split="train", terms="t-1", parents=["p"], score=1.5),
    )
    (found,) = rows(path, strict=False)
    assert (found.id, found.terms, found.parents) == ("a", "t-1", ("p",))
    assert found.messages == (
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    )


def test_a_strict_reader_takes_what_the_encoder_wrote_and_no_unknown_key(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", encode(row(1)), encode(row(2)))
    assert list(rows(path, strict=True)) == [row(1), row(2)]
    write_lines(path, outside(split="train"))
    found, told = problems(path, strict=True)
    assert found == [(1, "EG822")]
    assert "'split'" in told


turn = [{"role": "user", "content": "q"}]
BAD_LINES = {
    "not json": (b"{", "EG821"),
    "two objects": (json.dumps(outside()).encode() + b" {}", "EG821"),
    "a blank line": (b"", "EG821"),
    "spaces only": (b"  \t", "EG821"),
    "Latin-1": ('{"id": "Müller"}'.encode("latin-1"), "EG102"),
    "UTF-16 in the middle": ('{"id": "a"}'.encode("utf-16"), "EG102"),
    "NaN": (b'{"id": "a", "expected": NaN}', "EG822"),
    "minus infinity": (b'{"id": "a", "expected": [-Infinity]}', "EG822"),
    "a huge number": (b'{"id": "a", "task": "t", "messages": [], "expected": 1e999}', "EG822"),
    "nested without end": (b'{"x": ' + b"[" * 100_000, "EG821"),
    "a list": ([1], "EG822"),
    "no id": ({"task": "t", "messages": turn}, "EG822"),
    "no messages": ({"id": "a", "task": "t"}, "EG822"),
    "a number for an id": (outside(id=7), "EG822"),
    "a blank id": (outside(id=" "), "EG822"),
    "control characters in an id": (outside(id="a\u0000b"), "EG822"),
    "a task that is turned round": (outside(task="\u202epolicy"), "EG822"),
    "parents as a text": (outside(parents="p"), "EG822"),
    "a parent twice": (outside(parents=["p", "p"]), "EG822"),
    "a surrogate": (b'{"id": "\\ud800", "task": "t", "messages": []}', "EG821"),
    "no message": (outside(messages=[]), "EG823"),
    "the user last": (outside(messages=turn), "EG823"),
    "an unknown role": (outside(messages=[{"role": "tool", "content": "x"}, *outside()["messages"]]), "EG823"),
    "a late system message": (outside(messages=[*turn, {"role": "system", "content": "x"}, *outside()["messages"]]), "EG823"),
    "a blank answer": (outside(messages=[*turn, {"role": "assistant", "content": " \n"}]), "EG823"),
    "messages of texts": (outside(messages=["q", "a"]), "EG822"),
    "a made_by without a seed": (outside(made_by={"template": "t"}), "EG822"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_named_and_its_text_is_not_shown(tmp_path, name):
    bad, code = BAD_LINES[name]
    path = write_lines(tmp_path / "a.jsonl", outside(id="first"), bad, outside(id="last"))
    found, told = problems(path)
    assert found == [(2, code)], told
    assert f"a.jsonl:2: {code} " in told
    for text in ("Müller", "Question", "policy_qa"):
        assert text not in told


def test_every_problem_comes_at_once_and_no_row_after_the_first(tmp_path):
    lines = [bad for bad, _ in BAD_LINES.values()]
    path = write_lines(tmp_path / "a.jsonl", outside(id="good"), *lines, outside(id="after"))
    stream = rows(path, strict=False)
    assert next(stream).id == "good"
    with pytest.raises(FileProblems) as caught:
        next(stream)
    assert [p.line for p in caught.value.problems] == list(range(2, 2 + len(lines)))


def test_fifty_problems_are_listed_and_the_others_counted(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", *[b"x"] * 120)
    found, told = problems(path)
    assert len(found) == 51
    assert "120 problems" in told


def test_a_byte_order_mark_is_told_once(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + json.dumps(outside()).encode(), outside(id="b"))  # fmt: skip
    assert problems(path)[0] == [(1, "EG102")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(tmp_path, encoding):
    path = tmp_path / "a.jsonl"
    path.write_bytes((json.dumps(outside()) + "\n").encode(encoding))
    found, _ = problems(path)
    assert {code for _, code in found} <= {"EG102", "EG821"}


def test_windows_line_ends_are_told_once_with_their_number(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(json.dumps(outside(id=f"r{n}")).encode() + b"\r\n" for n in range(3)))
    found, told = problems(path)
    assert found == [(0, "EG821")]
    assert "3 lines" in told


def test_blank_lines_at_the_end_do_no_harm_and_a_last_line_needs_no_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(outside()).encode() + b"\n\n \n")
    assert len(list(rows(path, strict=False))) == 1
    path.write_bytes(json.dumps(outside()).encode())
    assert len(list(rows(path, strict=False))) == 1


def test_a_line_of_50_mb_is_told_and_never_held_whole(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"id": "')
        for _ in range(50):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + json.dumps(outside(id=1)).encode() + b"\n")
    tracemalloc.start()
    found, _ = problems(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(1, "EG821"), (2, "EG822")]  # and reading went on behind it
    assert peak < 40e6


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_source_is_refused(tmp_path, content):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert problems(path)[0] == [(0, "EG820")]


def test_what_is_not_there_or_of_another_kind_is_refused(tmp_path):
    assert problems(tmp_path / "no.jsonl")[0] == [(0, "EG101")]
    (tmp_path / "rows.json").write_text("[]")
    for path in (tmp_path / "no", tmp_path / "rows.json", tmp_path):
        with pytest.raises(UsageError, match="EG820"):
            list(rows(path, strict=False))


def test_a_pipe_or_a_directory_named_as_a_file_is_no_internal_error(tmp_path):
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(UsageError, match="EG820"):
        list(rows(tmp_path / "a.jsonl", strict=False))


def test_non_english_text_and_unusual_characters_come_through(tmp_path):
    told = "¿Qué? 日本語 العربية हिन्दी 👩‍⚕️ \u2028 \u0085 \u0000 ﷽"
    messages = [{"role": "user", "content": told}, {"role": "assistant", "content": told}]
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(outside(messages=messages), ensure_ascii=False) + "\n", encoding="utf-8")  # fmt: skip
    (found,) = rows(path, strict=False)
    assert found.messages[1]["content"] == told


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
KEYS = [*outside(), "made_by", "parents", "checks", "x"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), junk))
def test_whatever_stands_in_a_row_it_is_read_or_named(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("junk") / "a.jsonl"
    path.write_text(json.dumps(outside() | values) + "\n")
    try:
        (found,) = rows(path, strict=False)
    except FileProblems as error:
        assert all(p.code in {"EG821", "EG822", "EG823"} for p in error.problems)
    else:
        assert found.id == (outside() | values)["id"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_bytes_stand_in_a_file_it_is_read_or_named(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("junk") / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(FileProblems):
        list(rows(path, strict=False))


def test_a_corpus_is_read_in_order_and_again_without_datasets_installed(tmp_path):
    corpus = write_corpus(tmp_path, "c", map(row, range(5)))
    code = (
        "sys.modules['pyarrow'] = sys.modules['datasets'] = None\n"
        "from pathlib import Path\nfrom evalgate.corpus.files import rows\n"
        "print([r.id for r in rows(Path(sys.argv[1]), strict=True)])"
    )
    out, err = (process := child(code, corpus)).communicate()
    assert process.returncode == 0, err
    assert out.strip() == str([f"row-{n}" for n in range(5)])
