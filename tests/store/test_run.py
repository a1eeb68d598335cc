"""The run directory: nothing flushed is lost, nothing edited is reused."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import manifest

from evalgate.errors import InfrastructureError, IntegrityError
from evalgate.records import ModelIdentity, Reply, Sampling, Try
from evalgate.store import Manifest, Run, RunWriter, run_directory


def reply(text: str = "yes") -> Reply:
    return Reply(text=text, finish="stop", prompt_tokens=3, completion_tokens=1, seconds=0.5)


def landed(path: Path, m: Manifest, ordinals) -> None:
    with RunWriter(path, m) as writer:
        for n in ordinals:
            writer.land(n, f"id-{n}", reply(f"answer {n}"))


def test_a_row_comes_back_as_it_landed(tmp_path):
    m = manifest()
    with RunWriter(tmp_path / "r", m) as writer:
        writer.land(
            4,
            "id-4",
            Reply(
                text='a "quoted"\nline \u2028 é',
                finish="length",
                tries=(Try(error="HTTP 429", seconds=0.1),),
            ),
        )
    row = Run(tmp_path / "r", m).row(4)
    assert row is not None
    assert (row.id, row.text, row.finish) == ("id-4", 'a "quoted"\nline \u2028 é', "length")
    assert row.tries[0].error == "HTTP 429"


def test_an_unlanded_item_has_no_row_and_the_run_is_not_complete(tmp_path):
    m = manifest(3)
    landed(tmp_path / "r", m, [0, 2])
    run = Run(tmp_path / "r", m)
    assert run.row(1) is None
    assert 1 not in run
    assert not run.complete


def test_a_second_writer_appends_after_the_first(tmp_path):
    m = manifest(4)
    landed(tmp_path / "r", m, [2])
    landed(tmp_path / "r", m, [0, 1, 3])
    assert Run(tmp_path / "r", m).complete


@pytest.mark.parametrize(
    "change",
    [
        {"gold": "sha256:other"},
        {"prompt": "sha256:other"},
        {"parser": "other"},
        {"sampling": Sampling(temperature=0.5)},
        {"sampling": Sampling(max_tokens=7)},
        {"model": ModelIdentity(name="m", digest="sha256:other", server="endpoint", version="1")},
        {"model": ModelIdentity(name="m", digest="sha256:aa", server="endpoint", version="2")},
        {
            "model": ModelIdentity(
                name="m", digest="sha256:aa", server="endpoint", version="1", args=("--x",)
            )
        },
    ],
)
def test_whatever_can_change_an_answer_changes_the_key(change):
    assert manifest().key != manifest(**change).key


def test_the_models_name_does_not_change_the_key():
    renamed = ModelIdentity(name="other", digest="sha256:aa", server="endpoint", version="1")
    assert manifest().key == manifest(model=renamed).key


def test_a_torn_last_line_is_dropped_and_overwritten(tmp_path):
    m = manifest(3)
    path = tmp_path / "r"
    landed(path, m, [0, 1])
    file = path / "answers.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert Run(path, m).landed == 1
    landed(path, m, [1, 2])
    assert Run(path, m).complete
    assert file.read_bytes().startswith(whole[: whole.index(b"\n") + 1])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_edit_of_flushed_rows_is_noticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("run") / "r"
    m = manifest(4)
    landed(path, m, range(4))
    file = path / "answers.jsonl"
    original = bytearray(file.read_bytes())
    edited = bytearray(original)
    # modulo, since time stamps vary in length; the very last newline gone is a torn write
    position = data.draw(st.integers(0, 10_000)) % (len(edited) - 1)
    edited[position] ^= data.draw(st.integers(1, 255))
    file.write_bytes(edited)
    try:
        run = Run(path, m)
    except IntegrityError:
        return
    # The one edit that can pass for a torn write is one that swallows line ends; then rows are missing, never changed.
    for n in range(run.manifest.items):
        row = run.row(n)
        assert row is None or row.text == f"answer {n}"
    assert run.landed < 4


@pytest.mark.parametrize("edit", ["drop_first", "swap", "repeat"])
def test_removed_reordered_and_repeated_rows_are_noticed(tmp_path, edit):
    path, m = tmp_path / "r", manifest(3)
    landed(path, m, range(3))
    file = path / "answers.jsonl"
    a, b, c = file.read_bytes().splitlines(keepends=True)
    file.write_bytes({"drop_first": b + c, "swap": b + a + c, "repeat": a + b + b + c}[edit])
    with pytest.raises(IntegrityError, match="EG402"):
        Run(path, m)


def test_rows_of_another_run_are_not_accepted(tmp_path):
    landed(tmp_path / "a", manifest(2), range(2))
    other = manifest(2, gold="sha256:other")
    landed(tmp_path / "b", other, [])
    (tmp_path / "b" / "answers.jsonl").write_bytes((tmp_path / "a" / "answers.jsonl").read_bytes())
    with pytest.raises(IntegrityError, match="EG402"):
        Run(tmp_path / "b", other)


def test_an_edited_manifest_is_noticed(tmp_path):
    path, m = tmp_path / "r", manifest(2)
    landed(path, m, range(2))
    file = path / "run.json"
    file.write_text(file.read_text().replace("sha256:bb", "sha256:dd"))
    with pytest.raises(IntegrityError, match="EG401"):
        Run(path, m)


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path):
    m = manifest(2)
    with (
        RunWriter(tmp_path / "r", m),
        pytest.raises(InfrastructureError, match=f"pid {os.getpid()}"),
    ):
        RunWriter(tmp_path / "r", m).__enter__()


def test_readers_read_while_a_writer_writes(tmp_path):
    m = manifest(3)
    with RunWriter(tmp_path / "r", m) as writer:
        writer.land(0, "id-0", reply())
        writer.flush()
        assert Run(tmp_path / "r", m).landed == 1
        writer.land(1, "id-1", reply())
        assert Run(tmp_path / "r", m).landed == 1


def test_fresh_sets_the_old_answers_aside(tmp_path):
    m = manifest(1)
    landed(tmp_path / "r", m, [0])
    with RunWriter(tmp_path / "r", m, fresh=True) as writer:
        assert writer.run.landed == 0
    (aside,) = (tmp_path / "r/earlier").iterdir()
    assert Run(aside, m).complete


def test_rows_land_on_disk_within_about_a_second_even_if_no_more_follow(tmp_path, monkeypatch):
    m = manifest(2)
    with RunWriter(tmp_path / "r", m) as writer:
        writer.land(0, "id-0", reply())
        now = time.monotonic()
        monkeypatch.setattr("evalgate.store.run.time.monotonic", lambda: now + 1.1)
        writer.tick()
        assert Run(tmp_path / "r", m).landed == 1


def test_a_full_disk_keeps_whole_rows_and_is_infrastructure(tmp_path, monkeypatch):
    m = manifest(3)
    path = tmp_path / "r"
    real = os.write
    with pytest.raises(InfrastructureError, match="full disk"), RunWriter(path, m) as writer:
        writer.land(0, "id-0", reply())
        writer.flush()
        writer.land(1, "id-1", reply())

        def full(fd, data):
            real(fd, bytes(data)[:10])  # part of a row still fits
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("evalgate.store.run.os.write", full)
        writer.flush()
    monkeypatch.undo()
    run = Run(path, m)
    assert run.landed == 1
    assert (path / "answers.jsonl").read_bytes().endswith(b"\n")
    landed(path, m, [1, 2])
    assert Run(path, m).complete


def test_files_are_readable_by_their_owner_only(tmp_path):
    m = manifest(1)
    landed(tmp_path / "r", m, [0])
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "r").iterdir()}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700


def test_the_directory_is_named_by_suite_and_key(tmp_path):
    m = manifest()
    assert run_directory(tmp_path, m) == tmp_path / "runs" / "s" / m.key[:16]


_KILLED = """
import sys, time
sys.path[:0] = {tests!r}
from test_run import manifest, reply
from evalgate.store import RunWriter
from pathlib import Path
with RunWriter(Path({path!r}), manifest(100000)) as w:
    n = w.run.landed
    while True:
        w.land(n, f"id-{{n}}", reply(f"answer {{n}}")); n += 1
        if n % 50 == 0: w.flush(); print(n, flush=True)
"""


def test_a_killed_writer_loses_nothing_flushed(tmp_path):
    path = tmp_path / "r"
    here = Path(__file__).parent
    code = _KILLED.format(tests=[str(here), str(here.parent)], path=str(path))
    known = 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(3):
            known = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        run = Run(path, manifest(100000))
        assert run.landed >= known
        assert [run.row(n).text for n in (0, known - 1)] == ["answer 0", f"answer {known - 1}"]


def test_rows_that_land_after_a_failed_write_do_not_break_the_chain(tmp_path, monkeypatch):
    path, m = tmp_path / "r", manifest(4)

    def full(fd, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with RunWriter(path, m) as writer:
        writer.land(0, "id-0", reply("answer 0"))
        writer.flush()
        writer.land(1, "id-1", reply("answer 1"))
        monkeypatch.setattr("evalgate.store.run.os.write", full)
        with pytest.raises(InfrastructureError):
            writer.flush()
        monkeypatch.undo()
        writer.land(2, "id-2", reply("answer 2"))  # an answer in flight, when there is room again
    assert Run(path, m).landed == 1
    landed(path, m, [1, 2, 3])
    assert Run(path, m).complete
