"""Purging: texts go, digests stay, a kill at any step leaves something to finish, and nothing is asked anew in silence."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from kept_project import aged, certified, copied, verdicts_on
from runs.run_shelf import answered, project_of

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.release.people import approve
from evalgate.release.promote import promote
from evalgate.store import RunWriter, kept_runs, open_run, read_manifest
from evalgate.store.ledger_check import check_ledger
from evalgate.store.purge import check_mark, expired, purge, targets_of, unfinished
from evalgate.store.shelf import read_mark
from evalgate.store.signer import gate_signer, keyring_of, ledger_of


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Runs of two models, one with an earlier repeat and a judge's verdicts; a server's log."""
    root = tmp_path_factory.mktemp("shelf")
    project = project_of(root, "old", "new")
    answered(project, "old", {1, 2}, fresh=True)
    answered(project, "old", {1}, fresh=True)
    answered(project, "new")
    (old,) = (
        k.path for k in kept_runs(root / "reports") if not k.repeat and _model(k.path) == "old"
    )
    verdicts_on(root, old)
    (root / "reports" / "logs").mkdir()
    (root / "reports" / "logs" / "old.log").write_text("started\n")
    gate_signer(root, keyring_of(root))
    return root


@pytest.fixture
def root(shelf, tmp_path) -> Path:
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _model(path: Path) -> str:
    manifest = read_manifest(path)
    assert manifest is not None
    return manifest.model.name


def runs_of(root: Path, model: str, *, repeat: int = 0) -> list:
    return [
        k for k in kept_runs(root / "reports") if k.repeat == repeat and _model(k.path) == model
    ]


def texts(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): digest.of_file(p)
        for p in sorted((root / "reports").rglob("answers.jsonl"))
    }


def test_the_texts_go_and_the_ledger_keeps_the_digest_of_every_one(root):
    before = texts(root)
    (run,) = runs_of(root, "old")
    key = read_manifest(run.path).key
    (done,) = purge(root, targets_of(root, [run]), reason=" retention is over ")
    after = texts(root)
    assert [_model((root / p).parent) for p in after] == ["new"]
    begun, ended = ledger_of(root).of_kind("purge")
    assert begun.seq == done.entry
    gone = {path: d for path, d in before.items() if path not in after}
    assert len(gone) == 3  # the run, its earlier repeat, the judge's
    assert begun.body["files"] == gone | {"reports/logs/old.log": digest.of_bytes(b"started\n")}
    assert (begun.body["key"], begun.body["reason"]) == (key, "retention is over")
    assert begun.body["answers"] == 241
    assert ended.body == {"stage": "done", "begun": begun.seq, "left": []}
    assert not (root / "reports/logs/old.log").exists()
    mark = read_mark(run.path)
    assert mark.entry == begun.seq
    assert check_mark(mark, run.path, ledger_of(root)) == begun
    assert open_run(run).landed == 0
    assert read_manifest(run.path).key == key


def test_an_earlier_run_is_purged_alone(root):
    (earlier,) = runs_of(root, "old", repeat=1)
    (run,) = runs_of(root, "old")
    list(purge(root, targets_of(root, [earlier]), reason="noise is known"))
    assert (open_run(run).landed, open_run(earlier).landed) == (120, 0)
    assert read_mark(run.path) is None
    assert len(list((root / "reports/verdicts").rglob("answers.jsonl"))) == 1


def test_an_edited_run_can_be_purged_too(root):
    (run,) = runs_of(root, "old")
    answers = run.path / "answers.jsonl"
    answers.write_text(answers.read_text().replace("APPROVE", "REVIEW", 1))
    with pytest.raises(IntegrityError):
        open_run(run)
    list(purge(root, targets_of(root, [run]), reason="it was edited"))
    assert not answers.exists()


def test_nothing_is_purged_twice_and_nothing_without_a_reason(root):
    (run,) = runs_of(root, "old")
    with pytest.raises(UsageError) as caught:
        list(purge(root, targets_of(root, [run]), reason="  "))
    assert caught.value.code == "EG810"
    assert len(texts(root)) == 4
    list(purge(root, targets_of(root, [run]), reason="once"))
    assert targets_of(root, [run]) == []


def test_a_run_that_somebody_asks_into_is_left_alone(root):
    (run,) = runs_of(root, "old")
    targets = targets_of(root, [run])
    with RunWriter(run.path, read_manifest(run.path)):
        with pytest.raises(InfrastructureError) as caught:
            list(purge(root, targets, reason="now"))
        assert caught.value.code == "EG403"
    assert len(texts(root)) == 4
    assert ledger_of(root).of_kind("purge") == []


def test_only_what_is_older_than_the_period_expires(root):
    (run,), (earlier,) = runs_of(root, "old"), runs_of(root, "old", repeat=1)
    aged(earlier.path, 31)
    assert [k.path for k in expired(root, 30, time.time())] == [earlier.path]
    assert expired(root, 40, time.time()) == []
    later = expired(root, 30, time.time() + 86_400 * 60)
    assert {k.path for k in later} >= {run.path, earlier.path}
    assert any("verdicts" in k.path.as_posix() for k in later)
    os.utime(earlier.path / "answers.jsonl")  # a copy makes no answer younger
    assert [k.path for k in expired(root, 30, time.time())] == [earlier.path]


def test_a_mark_that_the_ledger_does_not_bear_out_is_an_integrity_error(root):
    (run,) = runs_of(root, "new")
    (run.path / "answers.jsonl").unlink()
    (run.path / "purged.json").write_text('{"at": "2026-11-23T00:00:00.000000Z", "entry": 0}')
    with pytest.raises(IntegrityError) as caught:
        check_mark(read_mark(run.path), run.path, ledger_of(root))
    assert caught.value.code == "EG813"
    (run.path / "purged.json").write_text("{}")
    with pytest.raises(IntegrityError) as caught:
        read_mark(run.path)
    assert caught.value.code == "EG813"


_WRITES = os.O_WRONLY | os.O_RDWR


def killed_at(step: int, root: Path) -> bool:
    """Purges in a child that kills itself before its `step`-th change of a file; whether it came that far."""
    child = os.fork()
    if not child:
        left = step

        def hook(event: str, arguments: tuple) -> None:
            nonlocal left
            changing = event in ("os.remove", "os.rename", "os.truncate") or (
                event == "open" and (arguments[2] or 0) & _WRITES
            )
            if changing and str(root) in str(arguments[0]):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            targets = targets_of(root, runs_of(root, "old"))
            sys.addaudithook(hook)
            list(purge(root, targets, reason="killed"))
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_a_purge_killed_before_any_of_its_steps_is_completed_by_the_next(shelf, tmp_path):
    steps = 0
    while True:
        root = tmp_path / str(steps)
        shutil.copytree(shelf, root)
        original = texts(root)
        died = killed_at(steps, root)
        targets = targets_of(root, runs_of(root, "old"))
        list(purge(root, targets, reason="completed"))
        assert [_model((root / p).parent) for p in texts(root)] == ["new"], steps
        assert unfinished(root) == []
        assert check_ledger(root, keyring_of(root)).sound
        begun = [e for e in ledger_of(root).of_kind("purge") if e.body["stage"] == "begun"]
        told = {d for e in begun for d in e.body["files"].values()}
        gone = [p for p in original if not (root / p).exists()]
        assert {original[p] for p in gone} <= told, (
            steps
        )  # no text went without its digest in the ledger
        for path in gone:
            folder = (root / path).parent
            check_mark(read_mark(folder), folder, ledger_of(root))
        shutil.rmtree(root)
        if not died:
            break
        steps += 1
    assert steps > 10


def test_a_marked_run_has_no_answers_and_new_ones_never_join_it(root):
    (run,) = runs_of(root, "old")
    manifest = read_manifest(run.path)
    list(purge(root, targets_of(root, [run]), reason="gone"))
    with RunWriter(run.path, manifest) as writer:
        assert writer.run.landed == 0
    assert read_mark(run.path) is None
    aside = [k for k in kept_runs(root / "reports") if k.key == run.key and k.repeat]
    assert (
        len([k for k in aside if read_mark(k.path)]) == 2
    )  # the repeat of before, and what was purged now


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A project whose model was checked, signed off and promoted."""
    made = certified(tmp_path_factory.mktemp("released"))
    done = made.evalgate("gate", "check", "rc")
    assert done.returncode == 0, done.stdout + done.stderr
    approve(made.root, "rc", "release_manager", name="manager", comment="read all of it")
    moved = promote(made.root, "rc")
    assert moved.seq is not None, moved.checks
    made.edit("gate.toml", "first_release = true", 'baseline = "rc"')
    return made


def test_what_a_promoted_model_rests_on_goes_only_by_force_which_the_ledger_tells(
    released, tmp_path
):
    made = copied(released, tmp_path)
    with (tmp_path / "evalgate.toml").open("a") as f:
        f.write("[retention]\nruns_days = 30\n")
    (run,) = runs_of(tmp_path, "rc")
    aged(run.path, 40)
    kept = made.evalgate("run", "purge", "--expired", "--reason", "time is up", "--yes")
    assert kept.returncode == 0, kept.stderr
    assert f"kept: reports/runs/triage/{run.key}, production rests on it" in kept.stderr
    named = made.evalgate("run", "purge", "rc", "--reason", "time is up", "--yes")
    assert (named.returncode, "EG811" in named.stderr) == (2, True)
    assert len(texts(tmp_path)) == 1
    forced = made.evalgate(
        "run", "purge", run.key[:8], "--reason", "a member asked", "--yes", "--force"
    )
    assert forced.returncode == 0, forced.stderr
    assert "production RESTS ON IT" in forced.stdout
    assert texts(tmp_path) == {}
    begun, _ = ledger_of(tmp_path).of_kind("purge")
    assert begun.body["rests"] == ["production"]
    shown = made.evalgate("run", "show", run.key)
    assert f"ledger entry {begun.seq}: a member asked" in shown.stdout
    listed = made.evalgate("run", "list")
    assert f"purged on {begun.at[:10]}, ledger entry {begun.seq}" in listed.stdout
    assert made.evalgate("verify", "rc").returncode == 0  # a certificate needs no texts


def test_a_check_after_a_purge_asks_a_new_run_and_says_so(released, tmp_path):
    made = copied(released, tmp_path)
    done = made.evalgate("run", "purge", "rc", "--reason", "a test", "--yes", "--force")
    assert done.returncode == 0, done.stderr
    again = made.evalgate("gate", "check", "rc")
    assert len(made.rows()) == 120
    assert "answers of before were purged on" in again.stdout, again.stdout + again.stderr
    assert "and asked anew" in again.stdout
    once_more = made.evalgate("gate", "check", "rc")
    assert "answers of before were purged on" in once_more.stdout


def test_without_a_name_or_anybody_to_ask_nothing_happens(released, tmp_path):
    made = copied(released, tmp_path)
    for arguments in (
        [],
        ["rc", "--reason", "x", "--force"],
        ["--expired", "--reason", "x", "--yes"],
    ):
        done = made.run(sys.executable, "-m", "evalgate", "run", "purge", *arguments)
        assert (done.returncode, "EG812" in done.stderr) == (2, True), arguments
    assert len(texts(tmp_path)) == 1
