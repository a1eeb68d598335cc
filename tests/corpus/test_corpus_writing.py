"""A corpus is there whole, with the digests of what was written, or not at all, whatever ends the writing."""

from __future__ import annotations

import random
import stat
import time

import pytest
from corpus_rows import child, evalgate, hidden, row, visible, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.corpus import writer as writing
from evalgate.corpus.example import Example, encode
from evalgate.corpus.files import Writer, load_manifest, rows, verify
from evalgate.corpus.row import ROLES
from evalgate.errors import EvalgateError, FileProblems, IntegrityError, UsageError

FORMS = ("jsonl", "parquet")


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_again(tmp_path, form):
    corpus = write_corpus(tmp_path, "c", map(row, range(2500)), form=form)
    assert list(rows(corpus, strict=True)) == [row(n) for n in range(2500)]
    manifest = verify(corpus)
    assert manifest == load_manifest(corpus)
    assert visible(corpus) == ["manifest.json", f"part-00000.{form}"]
    assert (manifest.rows, manifest.files[0].rows, manifest.duplicates) == (2500, 2500, 0)
    assert manifest.tasks["appeal_letters"].rows == 834
    assert manifest.tasks["appeal_letters"].synthetic_share == 0.5
    assert manifest.tasks["appeal_letters"].terms == {"project": 834}


@pytest.mark.parametrize("form", FORMS)
def test_equal_rows_have_an_equal_digest_under_whatever_name(tmp_path, form):
    first, again, other = (
        load_manifest(write_corpus(tmp_path, name, map(row, numbers), form=form)).digest
        for name, numbers in (("a", range(50)), ("b", range(50)), ("c", range(1, 51)))
    )
    assert first == again != other


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda t: not t.isspace())
names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
examples = st.builds(
    Example,
    id=names,
    task=names,
    messages=st.lists(st.fixed_dictionaries({"role": st.sampled_from(ROLES[1:]), "content": texts}), max_size=3).map(
        lambda turns: (*turns, {"role": "assistant", "content": "end"})
    ),
    unit=names,
    documents=st.lists(names, max_size=2).map(tuple),
    checks=st.dictionaries(names, texts, max_size=2),
    input=st.none() | texts | st.dictionaries(texts, st.integers(-(2**60), 2**60) | texts, max_size=2),
    expected=st.none() | texts | st.lists(st.booleans() | texts | st.floats(allow_nan=False, allow_infinity=False)),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(st.lists(examples, min_size=1, max_size=5, unique_by=lambda e: e.id))
def test_no_form_changes_a_row(tmp_path_factory, form, written):
    corpus = write_corpus(tmp_path_factory.mktemp("c"), "c", written, form=form)
    assert [encode(e) for e in rows(corpus, strict=True)] == [encode(e) for e in written]


def test_rows_are_spread_over_parts_and_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "PART_ROWS", 10)
    corpus = write_corpus(tmp_path, "c", map(row, range(25)))
    assert [part.rows for part in load_manifest(corpus).files] == [10, 10, 5]
    assert [e.id for e in rows(corpus, strict=True)] == [f"row-{n}" for n in range(25)]


def test_rows_that_say_the_same_are_counted(tmp_path):
    same = row(0).messages
    corpus = write_corpus(tmp_path, "c", [row(0), row(1, messages=same), row(2, messages=same), row(3)])  # fmt: skip
    assert load_manifest(corpus).duplicates == 2


def test_only_its_owner_may_read_a_corpus(tmp_path):
    for form in FORMS:
        corpus = write_corpus(tmp_path, form, [row(0)], form=form)
        assert stat.S_IMODE(corpus.stat().st_mode) == 0o700
        assert {stat.S_IMODE(p.stat().st_mode) for p in corpus.iterdir()} == {0o600}


BAD_ROWS = {
    "no id": (row(0, id=""), "EG822"),
    "NaN": (row(0, expected={"a": [float("nan")]}), "EG822"),
    "infinity": (row(0, input={"a": float("inf")}), "EG822"),
    "half a surrogate pair": (row(0, unit="", source="", expected="\ud800"), "EG822"),
    "no answer": (row(0, messages=({"role": "user", "content": "q"},)), "EG823"),
    "another key": (row(0, messages=({"role": "assistant", "content": "a", "x": "y"},)), "EG823"),
    "more than a line may have": (row(0, expected="x" * (17 << 20)), "EG822"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_refused_and_nothing_is_left(tmp_path, form, name):
    bad, code = BAD_ROWS[name]
    with pytest.raises(FileProblems, match=f":2: {code}"):
        write_corpus(tmp_path, "c", [row(9), bad], form=form)
    assert visible(tmp_path) == hidden(tmp_path) == []


@pytest.mark.parametrize("form", FORMS)
def test_after_any_error_nothing_is_left(tmp_path, form):
    def failing():
        yield row(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(tmp_path, "c", failing(), form=form)
    assert visible(tmp_path) == hidden(tmp_path) == []


def test_an_empty_corpus_is_refused(tmp_path):
    with pytest.raises(UsageError, match="EG820"):
        write_corpus(tmp_path, "c", [])
    assert visible(tmp_path) == hidden(tmp_path) == []


def test_nothing_is_overwritten(tmp_path):
    corpus = write_corpus(tmp_path, "c", [row(0)])
    with pytest.raises(UsageError, match="EG827"):
        write_corpus(tmp_path, "c", [row(1)])
    assert [e.id for e in rows(corpus, strict=True)] == ["row-0"]


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../a", "a b", "mixtures", "a\n", "é", "x" * 101])  # fmt: skip
def test_a_name_that_is_no_plain_one_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="EG827"):
        Writer(tmp_path, name, command="tests")


DAMAGE = {
    "a byte": lambda c: _edit(c / "part-00000.jsonl", lambda data: data.replace(b"Answer 3", b"Answer 8")),
    "a last row torn off": lambda c: _edit(c / "part-00000.jsonl", lambda data: data[:-10]),
    "a last row gone": lambda c: _edit(c / "part-00000.jsonl", lambda data: data[: data.rindex(b"\n", 0, -1) + 1]),
    "a row more": lambda c: _edit(c / "part-00000.jsonl", lambda data: data + encode(row(99)) + b"\n"),
    "no JSON any more": lambda c: _edit(c / "part-00000.jsonl", lambda data: b"x" + data),
    "a part gone": lambda c: (c / "part-00000.jsonl").unlink(),
    "a foreign file": lambda c: (c / "part-00001.jsonl").write_bytes(encode(row(99)) + b"\n"),
    "a share in the manifest": lambda c: _edit(c / "manifest.json", lambda data: data.replace(b'"synthetic":2', b'"synthetic":3')),
    "a torn manifest": lambda c: _edit(c / "manifest.json", lambda data: data[:100]),
    "an empty manifest": lambda c: _edit(c / "manifest.json", lambda data: b""),
    "a path out of the corpus": lambda c: _edit(c / "manifest.json", lambda data: data.replace(b"part-00000", b"../../part")),
}  # fmt: skip


def _edit(path, change):
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before


@pytest.mark.parametrize("name", DAMAGE)
def test_a_corpus_that_was_changed_is_no_corpus_any_more(tmp_path, name):
    corpus = write_corpus(tmp_path, "c", map(row, range(10)))
    DAMAGE[name](corpus)
    for read in (verify, lambda path: list(rows(path, strict=True))):
        with pytest.raises(IntegrityError, match="EG826"):
            read(corpus)
    assert evalgate(tmp_path, "data", "show", corpus).returncode == 5


def test_a_changed_parquet_part_is_noticed(tmp_path):
    corpus = write_corpus(tmp_path, "c", map(row, range(10)), form="parquet")
    _edit(corpus / "part-00000.parquet", lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:])  # fmt: skip
    for read in (verify, lambda path: list(rows(path, strict=True))):
        with pytest.raises(IntegrityError, match="EG826"):
            read(corpus)


WRITES = """
from pathlib import Path
from corpus_rows import row, write_corpus
def told():
    for number in range(int(sys.argv[2])):
        yield row(number)
        print(number, flush=True)
write_corpus(Path(sys.argv[1]), "c", told(), form=sys.argv[3])
print("done", flush=True)
"""


@pytest.mark.parametrize("form", FORMS)
def test_a_writer_that_is_killed_leaves_nothing_half_and_the_next_one_clears_up(tmp_path, form):
    process = child(WRITES, tmp_path, 10**9, form)
    for line in process.stdout:
        if line == "2000\n":
            break
    process.kill()
    process.communicate()
    assert visible(tmp_path) == []
    assert hidden(tmp_path) == [".c.writing"]
    write_corpus(tmp_path, "c", [row(0)], form=form)
    assert visible(tmp_path) == ["c"]
    assert hidden(tmp_path) == []


@pytest.mark.slow
def test_killed_at_any_time_there_is_a_whole_corpus_or_none(tmp_path):
    def begun(directory):
        process = child(WRITES, directory, 300, "jsonl")
        assert process.stdout.readline() == "0\n"
        return process

    start = time.monotonic()
    begun(tmp_path / "whole").communicate()
    takes = time.monotonic() - start  # with the start of Python: longer than what follows it
    rng = random.Random(7)
    whole = []
    for attempt in range(40):
        directory = tmp_path / str(attempt)
        process = begun(directory)
        time.sleep(takes * rng.random() ** 3)
        process.kill()
        process.communicate()
        whole.append(visible(directory) == ["c"])
        if whole[-1]:
            assert len(list(rows(directory / "c", strict=True))) == verify(directory / "c").rows == 300  # fmt: skip
        else:
            assert visible(directory) == []
    assert set(whole) == {True, False}  # the times reached from before the end to behind it


FULL = """
import resource
from pathlib import Path
from corpus_rows import row, write_corpus
from evalgate.errors import EvalgateError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_corpus(Path(sys.argv[1]), "c", map(row, range(20_000)), form=sys.argv[2])
except EvalgateError as error:
    print(int(error.exit), error.code)
"""


@pytest.mark.parametrize("form", FORMS)
def test_a_disk_that_takes_no_more_ends_the_writing_and_leaves_nothing(tmp_path, form):
    out, err = (process := child(FULL, tmp_path, form)).communicate()
    assert (process.returncode, out) == (0, "4 EG828\n"), err
    assert err == ""
    assert visible(tmp_path) == hidden(tmp_path) == []


def test_a_directory_that_cannot_be_written_is_infrastructure(tmp_path):
    (tmp_path / "data").write_text("a file where a directory is expected")
    with pytest.raises(EvalgateError, match="EG828") as caught:
        write_corpus(tmp_path / "data", "c", [row(0)])
    assert caught.value.exit == 4


def test_a_second_writer_of_a_name_waits_and_then_finds_it_taken(tmp_path):
    with Writer(tmp_path, "c", command="tests") as writer:
        writer.add(row(0))
        process = child(WRITES, tmp_path, 10, "jsonl")
        time.sleep(0.5)
        assert process.poll() is None
        assert hidden(tmp_path) == [".c.writing"]
    _, err = process.communicate(timeout=30)
    assert "EG827" in err
    assert [e.id for e in rows(tmp_path / "c", strict=True)] == ["row-0"]
