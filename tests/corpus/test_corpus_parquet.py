"""Parquet from outside, broken Parquet, and no Arrow at all."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_rows import child, outside, row, write_corpus

from evalgate.corpus.files import rows
from evalgate.errors import FileProblems


def table(path, *values):
    pq.write_table(pa.Table.from_pylist(list(values)), path)
    return path


def problems(path):
    with pytest.raises(FileProblems) as caught:
        list(rows(path, strict=False))
    return [(p.line, p.code) for p in caught.value.problems], str(caught.value)


def test_the_outside_form_may_be_a_table_with_further_columns(tmp_path):
    path = table(tmp_path / "a.parquet", outside(score=1.5, terms="t-1"), outside(id="b", terms=None, blob=b"\xff"))  # fmt: skip
    first, second = rows(path, strict=False)
    assert (first.terms, second.terms) == ("t-1", "")
    assert first.messages[1] == {"role": "assistant", "content": "a"}


def test_what_is_wrong_with_a_table_is_told_by_its_row(tmp_path):
    path = table(tmp_path / "a.parquet", outside(), outside(), outside(id=""), outside(id="c", messages=[]), outside(id="d", task=None))  # fmt: skip
    assert problems(path)[0] == [(2, "EG824"), (3, "EG822"), (4, "EG823"), (5, "EG822")]


def test_nan_in_a_table_is_told(tmp_path):
    path = table(tmp_path / "a.parquet", outside(expected=1.0), outside(id="b", expected=float("nan")))  # fmt: skip
    assert problems(path)[0] == [(2, "EG822")]


def test_columns_of_other_types_are_told(tmp_path):
    for value in (outside(id=1), outside(messages="q"), outside(parents=[1])):
        assert problems(table(tmp_path / "a.parquet", value))[0] == [(1, "EG822")]


def test_a_table_without_rows_is_an_empty_source(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([outside()]).slice(0, 0), path)
    assert problems(path)[0] == [(0, "EG820")]


def test_broken_parquet_is_told_in_one_line_wherever_it_breaks(tmp_path):
    whole = table(tmp_path / "a.parquet", *(outside(id=str(n), text=str(n) * 50) for n in range(3000))).read_bytes()  # fmt: skip
    path = tmp_path / "b.parquet"
    noticed = 0
    for cut in (0, 4, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:cut])
        found, told = problems(path)
        assert found == [(0, "EG821")], told
        assert "\n" not in told
    for at in range(
        4, len(whole), len(whole) // 40
    ):  # a flipped byte may be anywhere, also where it means nothing
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            list(rows(path, strict=False))
        except FileProblems as error:
            noticed += 1
            assert {p.code for p in error.problems} <= {"EG821", "EG822", "EG823", "EG824", "EG158"}
    assert noticed


def test_no_parquet_at_all_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b'{"id": "a"}\n' * 100)
    assert problems(path)[0] == [(0, "EG821")]
    assert problems(tmp_path / "no.parquet")[0] == [(0, "EG101")]


ABSENT = """
sys.modules["datasets"] = sys.modules["pyarrow"] = None
from pathlib import Path
from corpus_rows import row, write_corpus
from evalgate.corpus.files import rows
from evalgate.errors import EvalgateError
for act in (lambda: list(rows(Path(sys.argv[1]), strict=False)),
            lambda: write_corpus(Path(sys.argv[2]), "c", [row(0)], form="parquet")):
    try:
        act()
    except EvalgateError as error:
        print(int(error.exit), error.code, "evalgate-release[hf]" in str(error))
print(list(Path(sys.argv[2]).glob("c*")))
"""


def test_without_the_extra_parquet_is_refused_with_its_name(tmp_path):
    path = table(tmp_path / "a.parquet", outside())
    out, err = (process := child(ABSENT, path, tmp_path / "data")).communicate()
    assert process.returncode == 0, err
    assert out == "2 EG829 True\n2 EG829 True\n[]\n"


HOME = """
from pathlib import Path
from corpus_rows import row, write_corpus
from evalgate.corpus.files import rows
corpus = write_corpus(Path(sys.argv[1]), "c", map(row, range(10)), form="parquet")
print(len(list(rows(corpus, strict=True))))
"""


def test_nothing_of_the_rows_is_left_in_the_users_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": "", "TMPDIR": str(home)}
    out, err = (process := child(HOME, tmp_path / "data", env=environment)).communicate()
    assert (process.returncode, out) == (0, "10\n"), err
    assert [p for p in home.rglob("*") if p.is_file()] == []


def test_other_readers_see_a_plain_table(tmp_path):
    corpus = write_corpus(tmp_path, "c", map(row, range(3)), form="parquet")
    found = pq.read_table(corpus / "part-00000.parquet").to_pylist()
    assert [each["id"] for each in found] == ["row-0", "row-1", "row-2"]
    assert found[0]["messages"][1]["content"] == "Answer 0."
