"""`gate train` after admission: real processes, with trainers that write a file instead of learning."""

import json
import os
import signal
import time
import tomllib

import pytest
from training_project import RECIPE, TrainingProject

STAND_IN = """\
import os, sys, time
from evalgate import training

def train(work):
    work.note("begun", pid=os.getpid())
    {before}
    for folder in (work.adapter, work.merged):
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(work.job.digest.encode())
    work.note("step", step=1, of=1, loss=0.5)
    {after}

training.run_trainer(train)
"""
DONE = 'work.note("trained", steps=1)'


@pytest.fixture
def project(tmp_path):
    project = TrainingProject(tmp_path)
    project.write("trainers/rc1.toml", RECIPE.replace("lora.py", "standin.py"))
    project.corpus()
    project.mixture()
    project.lock()
    trainer(project)
    return project


def trainer(project, before="pass", after=DONE):
    project.write("trainers/standin.py", STAND_IN.format(before=before, after=after))


def train(project, *args):
    return project.evalgate("gate", "train", "trainers/rc1.toml", "--no-check", *args)


def wait_for(path, text, seconds=30):
    until = time.monotonic() + seconds
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < until, path
        time.sleep(0.05)


def test_a_candidate_is_registered_with_what_it_learnt_from(project):
    done = train(project)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((project.root / "models/rc1/training.json").read_text())
    assert record["schema"] == "evalgate.training/1"
    assert record["terms"] == ["project"]
    assert list(record["corpora"]) == ["made"]
    assert record["network"].startswith(("netns", "open: "))
    table = tomllib.loads((project.root / "evalgate.toml").read_text())["models"]["rc1"]
    assert table == {"artifact": "models/rc1", "server": "transformers", "licence": "Apache-2.0"}
    assert not (project.root / ".evalgate/training/rc1").exists()


def test_rows_are_laid_out_in_the_mixtures_order_and_held_out_units_are_not_trained(project):
    look = (
        "import json; rows = [json.loads(l) for l in open(work.job.rows)]; "
        "held = [json.loads(l) for l in open(work.job.held_out)]; "
        'assert not {r["unit"] for r in rows} & {r["unit"] for r in held}; '
        "assert len(rows) + len(held) == 60, (len(rows), len(held)); "
        "assert os.path.getsize(work.job.order) == 8 * len(rows)"
    )
    trainer(project, before=look)
    done = train(project)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        ("pass", "pass", 4, "EG912"),  # it says nothing and ends well: nothing was trained
        ("sys.exit(0)", DONE, 4, "EG912"),
        ("os.kill(os.getpid(), 9)", DONE, 4, "signal 9"),
        ("raise ValueError('boom')", DONE, 4, "status 1"),
        ("raise MemoryError", DONE, 4, "out of memory"),
        ("raise OSError(28, 'No space left on device')", DONE, 4, "No space left"),
    ],
)
def test_a_trainer_that_fails_leaves_no_candidate(project, before, after, code, said):
    trainer(project, before=before, after=after)
    done = train(project)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
    assert not (project.root / "models/rc1").exists()
    assert "rc1" not in tomllib.loads((project.root / "evalgate.toml").read_text())["models"]


def test_an_unfinished_training_goes_on_only_with_the_same_recipe_and_rows(project):
    trainer(project, before="os.kill(os.getpid(), 9)")
    assert train(project).returncode == 4
    project.edit("trainers/rc1.toml", "steps = 4", "steps = 5")
    done = train(project)
    assert (done.returncode, "EG910" in done.stderr) == (2, True)
    assert "config" in done.stderr
    trainer(project)  # the trainer is another one now, too
    assert train(project).returncode == 2
    assert train(project, "--restart").returncode == 0


def test_nobody_trains_beside_a_trainer_even_if_the_gate_that_started_it_is_killed(project):
    trainer(project, before="time.sleep(20)")
    log = project.root / ".evalgate/training/rc1/log.jsonl"
    gate = project.start("evalgate", "gate", "train", "trainers/rc1.toml", "--no-check")
    wait_for(log, "begun")
    pid = json.loads(log.read_text().splitlines()[0])["pid"]
    try:
        assert "EG911" in train(project).stderr
        gate.kill()
        gate.communicate()
        assert "EG911" in train(project).stderr
    finally:
        os.kill(pid, signal.SIGKILL)
    trainer(project)
    assert train(project, "--restart").returncode == 0


def test_a_candidate_is_never_trained_over(project):
    assert train(project).returncode == 0
    before = (project.root / "models/rc1/model.safetensors").read_bytes()
    done = train(project)
    assert (done.returncode, "EG929" in done.stderr) == (2, True)
    assert (project.root / "models/rc1/model.safetensors").read_bytes() == before


def test_after_a_crash_between_name_and_files_the_next_start_fills_them(project):
    trainer(project, before="os.kill(os.getpid(), 9)")
    assert train(project).returncode == 4
    with (project.root / "evalgate.toml").open("a") as f:  # as the crash leaves it
        f.write('\n[models.rc1]\nartifact = "models/rc1"\nserver = "transformers"\n')
    trainer(project)
    done = train(project, "--restart")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.root / "models/rc1/training.json").exists()
