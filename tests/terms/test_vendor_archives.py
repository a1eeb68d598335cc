"""Archives from outside: nothing leaves the folder, nothing is a link, nothing fills the disk, and nothing stays behind."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.corpus.archive import Limits, check_workbook, is_archive, unpacked
from evalgate.errors import UsageError

HOSTILE = [
    "../escape.jsonl",
    "a/../../escape.jsonl",
    "/tmp/escape.jsonl",
    "..\\escape.jsonl",
    "C:escape.jsonl",
    "a\nb.jsonl",
    "x" * 250 + ".jsonl",
]


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return path


def tarred(
    path: Path, files: dict[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = ""
) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as t:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            t.addfile(info, io.BytesIO(data))
    return path


def code(path: Path, tmp_path: Path, limits: Limits = Limits()) -> str:  # noqa: B008 (frozen)
    """The code of the refusal; afterwards nothing is left, inside the folder or beside it."""
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UsageError) as caught, unpacked(path, tmp_path / "out", limits):
        pass
    assert set(tmp_path.rglob("*")) == before
    assert "escape" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("make", [zipped, tarred])
def test_files_come_out_as_they_went_in_and_go_with_the_block(tmp_path, make):
    files = {"a.jsonl": b"one\n", "deep/er/b.csv": b"x,y\n" * 9}
    path = make(tmp_path / ("v.zip" if make is zipped else "v.tar.gz"), files)
    assert is_archive(path)
    with unpacked(path, tmp_path / "out") as folder:
        found = {
            p.relative_to(folder).as_posix(): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file()
        }
        assert found == files
        assert stat.S_IMODE((folder / "a.jsonl").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_path_that_leads_out_is_refused(tmp_path, make, name):
    path = make(
        tmp_path / ("v.zip" if make is zipped else "v.tgz"), {"fine.jsonl": b"1", name: b"2"}
    )
    assert code(path, tmp_path) == "EG851"
    assert not Path("/tmp/escape.jsonl").exists()


@given(name=st.text("./\\ab:", min_size=1, max_size=12))
def test_whatever_an_entry_is_called_nothing_is_written_elsewhere(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("z")
    path = tarred(folder / "v.tar", {name: b"x"})
    inside = folder / "out"
    try:
        with unpacked(path, inside):
            found = [p for p in folder.rglob("*") if p.is_file() and p != path]
            assert all(p.resolve().is_relative_to(inside) for p in found)
    except UsageError as e:
        assert e.code in ("EG850", "EG851")
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_pipes_and_devices_of_a_tar_are_refused(tmp_path, kind):
    assert (
        code(tarred(tmp_path / "v.tar", {"a.jsonl": b""}, kind, "/etc/passwd"), tmp_path) == "EG851"
    )


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("a.jsonl")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as z:
        z.writestr(info, "/etc/passwd")
    assert code(tmp_path / "v.zip", tmp_path) == "EG851"


@pytest.mark.parametrize("inner", ["more.zip", "more.tar.gz", "rows.jsonl"])
def test_an_archive_within_is_refused_under_any_name(tmp_path, inner):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as z:
        z.writestr("a", "b")
    assert code(zipped(tmp_path / "v.zip", {inner: packed.getvalue()}), tmp_path) == "EG851"


def test_two_entries_of_one_name_are_refused_whatever_their_capitals(tmp_path):
    assert code(tarred(tmp_path / "v.tar", {"a.jsonl": b"1", "A.JSONL": b"2"}), tmp_path) == "EG851"


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_bomb_is_stopped_long_before_the_disk_is_full(tmp_path, make):
    path = make(tmp_path / ("v.zip" if make is zipped else "v.tgz"), {"a.jsonl": bytes(20 << 20)})
    assert path.stat().st_size < 100_000
    assert code(path, tmp_path) == "EG852"


def test_an_archive_that_lies_about_its_sizes_is_counted_all_the_same(tmp_path):
    path = zipped(tmp_path / "v.zip", {"a.jsonl": bytes(20 << 20)})
    data = bytearray(path.read_bytes())
    true = (20 << 20).to_bytes(4, "little")
    while (at := data.find(true)) >= 0:
        data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    assert code(path, tmp_path) in ("EG850", "EG852")


def test_a_header_that_unpacks_to_more_than_memory_is_stopped(tmp_path):
    path = tmp_path / "v.tgz"
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30
    with gzip.open(path, "wb", compresslevel=1) as f:
        f.write(info.tobuf(tarfile.USTAR_FORMAT))
        f.write(bytes(20 << 20))
    script = (
        "import resource,sys; from pathlib import Path; resource.setrlimit(resource.RLIMIT_AS, (1<<30, 1<<30))\n"
        "from evalgate.corpus.archive import unpacked; from evalgate.errors import UsageError\n"
        "try:\n    with unpacked(Path(sys.argv[1]), Path(sys.argv[2])): pass\n"
        "except UsageError as e: print(e.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "EG852", done.stderr


def test_more_entries_than_allowed_and_more_bytes_than_allowed_are_refused(tmp_path):
    many = zipped(tmp_path / "many.zip", {f"{n}.jsonl": b"" for n in range(12)})
    assert code(many, tmp_path, Limits(files=10)) == "EG852"
    large = zipped(tmp_path / "large.zip", {"a.jsonl": os.urandom(5000)})
    assert code(large, tmp_path, Limits(bytes=4000)) == "EG852"


@pytest.mark.parametrize("name", ["v.zip", "v.tar", "v.tar.gz"])
@pytest.mark.parametrize(
    "data", [b"", b"no archive at all", b"PK\x03\x04 torn", b"\x1f\x8b\x08 torn"]
)
def test_what_is_no_archive_is_told_as_that(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    try:
        with unpacked(tmp_path / name, tmp_path / "out") as folder:
            assert not list(folder.iterdir())  # an empty stream is an empty tar
    except UsageError as e:
        assert e.code == "EG850"


def test_an_archive_cut_off_at_any_place_is_refused_and_leaves_nothing(tmp_path):
    whole = tarred(tmp_path / "v.tgz", {"a.jsonl": os.urandom(4000), "b.jsonl": os.urandom(4000)})
    data = whole.read_bytes()
    for cut in range(30, len(data) - 8, 997):
        whole.write_bytes(data[:cut])
        assert code(whole, tmp_path) == "EG850"


def test_a_password_is_refused(tmp_path):
    path = zipped(tmp_path / "v.zip", {"a.jsonl": b"x"})
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + at] |= 1
    path.write_bytes(data)
    assert code(path, tmp_path) == "EG851"


def test_a_workbook_is_a_zip_and_is_counted_before_it_is_opened(tmp_path):
    bomb = zipped(tmp_path / "b.xlsx", {"xl/worksheets/sheet1.xml": bytes(20 << 20)})
    with pytest.raises(UsageError) as caught:
        check_workbook(bomb)
    assert caught.value.code == "EG852"
    (tmp_path / "c.xlsx").write_bytes(b"nothing")
    with pytest.raises(UsageError) as caught:
        check_workbook(tmp_path / "c.xlsx")
    assert caught.value.code == "EG850"


def test_what_a_killed_process_left_is_removed_first(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/left.jsonl").write_text("old")
    with unpacked(zipped(tmp_path / "v.zip", {"a.jsonl": b"1"}), tmp_path / "out") as folder:
        assert [p.name for p in folder.iterdir()] == ["a.jsonl"]
