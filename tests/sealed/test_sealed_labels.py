"""The file of sealed labels: people's work that is never lost, and of which nothing can be read without the key."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.authored.label_file import append, extend, replace
from evalgate.authored.labels import Label
from evalgate.authored.sealed_labels import open_labels, sealed_labels_path
from evalgate.crypto.seal import SealKey, padded
from evalgate.errors import IntegrityError

KEY = SealKey(b"k" * 32)
NAME = "letters.0123456789abcdef.labels.sealed"
SECRET = "Mrs Quillfeather"


def label(n: int, answer: str = "met") -> Label:
    digest = f"sha256:{'0' * 64}"
    return Label(
        item=f"s-{n:04d}",
        criterion="states-reason",
        rater="ana",
        answer=answer,
        rubric=digest,
        criterion_digest=digest,
        output=digest,
        quote=SECRET,
    )


def lines(path) -> list[str]:
    return open_labels(path.read_bytes(), path, KEY, where="there").decode().splitlines()


def test_what_goes_in_comes_out_and_nothing_shows(tmp_path):
    path = sealed_labels_path(tmp_path / "letters.toml", "0123456789abcdef" * 4)
    assert path.name == NAME
    append(path, label(1), seal=KEY)
    extend(path, [label(2), label(3)], seal=KEY)
    replace(path, label(2), label(2, "not_met"), seal=KEY)
    assert [line.split('"')[3] for line in lines(path)] == ["s-0001", "s-0002", "s-0003"]
    assert '"not_met"' in lines(path)[1]
    data = path.read_bytes()
    for word in (SECRET, "s-000", "met", "ana"):
        assert word.encode() not in data.partition(b"\n")[2], word
    assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [path]


def test_its_size_does_not_tell_how_many_there_are(tmp_path):
    sizes = set()
    for n in (1, 7, 100):
        path = tmp_path / str(n) / NAME
        path.parent.mkdir()
        extend(path, [label(i) for i in range(n)], seal=KEY)
        sizes.add(path.stat().st_size)
    assert len(sizes) == 1


def test_raters_at_work_at_once_lose_nothing(tmp_path):
    path = tmp_path / NAME

    def work(first: int) -> None:
        for n in range(first, first + 10):
            append(path, label(n), seal=KEY)

    threads = [threading.Thread(target=work, args=(100 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(path)) == 40
    assert len(set(lines(path))) == 40


def test_a_file_that_a_kill_left_empty_holds_no_labels(tmp_path):
    path = tmp_path / NAME
    path.touch()
    assert lines(path) == []
    append(path, label(1), seal=KEY)
    assert len(lines(path)) == 1


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda data: data[:-3], "EG756"),
        (lambda data: data[:300] + bytes([data[300] ^ 1]) + data[301:], "EG756"),
    ],
    ids=["cut", "one bit"],
)
def test_a_damaged_file_is_never_written_over(tmp_path, harm, code):
    path = tmp_path / NAME
    append(path, label(1), seal=KEY)
    path.write_bytes(harmed := harm(path.read_bytes()))
    with pytest.raises(IntegrityError) as caught:
        append(path, label(2), seal=KEY)
    assert caught.value.code == code
    assert path.read_bytes() == harmed


def test_labels_of_another_run_and_another_key_do_not_open(tmp_path):
    path = tmp_path / NAME
    append(path, label(1), seal=KEY)
    other = path.with_name(NAME.replace("0123", "3210"))
    other.write_bytes(path.read_bytes())
    with pytest.raises(IntegrityError) as caught:
        append(other, label(2), seal=KEY)
    assert caught.value.code == "EG757"
    with pytest.raises(IntegrityError) as caught:
        append(path, label(2), seal=SealKey(b"o" * 32))
    assert caught.value.code == "EG755"


@given(st.binary(max_size=5000), st.sampled_from([16, 1024]))
@settings(deadline=None)
def test_padding_adds_spaces_alone_up_to_twice_the_size(text, least):
    found = padded(text, least)
    assert found[: len(text)] == text
    assert not found[len(text) :].strip(b" ")
    assert len(found) == max(least, 1 << (max(len(text), 1) - 1).bit_length())
