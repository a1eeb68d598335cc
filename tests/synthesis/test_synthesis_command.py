"""`evalgate data synthesize`, run as a process: what it writes, what it says, and what is left when it is broken off."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from synthesis_project import ROOT, Project

from evalgate.corpus.files import load_manifest, rows, verify
from evalgate.corpus.synthesis import TASKS, template_of
from evalgate.corpus.synthesis_corpus import figures_of


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_one_command_makes_all_five_tasks(project):
    done = project.synthesize("--out", "data/five", "--rows", "53", "--seed", "3", "--sample-page", "page.html")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    manifest = verify(project.root / "data/five")
    assert {t: r.rows for t, r in manifest.tasks.items()} == dict.fromkeys(TASKS, 10) | {
        "appeal_letters": 11, "claim_entities": 11, "denial_reasons": 11,
    }  # fmt: skip
    assert all(r.synthetic_share == 1 and set(r.terms) == {"project"} for r in manifest.tasks.values())  # fmt: skip
    assert manifest.duplicates == 0
    assert set(figures_of(manifest)) == set(TASKS)
    assert manifest.made_with.arguments["seed"] == 3
    assert manifest.made_with.arguments["templates"]["policy_qa"] == template_of("policy_qa")
    assert manifest.digest in done.stdout
    assert "\x1b" not in done.stdout
    assert "100% synthetic" in done.stdout
    page = (project.root / "page.html").read_text()
    assert all(f"{task}.s3." in page for task in TASKS)
    assert (project.root / "page.html").stat().st_mode & 0o777 == 0o600
    for example in rows(project.root / "data/five", strict=True):
        assert example.messages[-1]["content"]
        assert example.unit
        assert example.made_by.template.endswith(template_of(example.task))


def test_the_same_arguments_give_the_same_digest_on_any_number_of_processes(project):
    digests = set()
    for name, processes in (("a", "1"), ("b", "2")):
        args = ("--rows", "2100", "--task", "denial_reasons", "--processes", processes)
        done = project.synthesize("--out", f"data/{name}", *args)
        assert done.returncode == 0, done.stderr
        digests.add(load_manifest(project.root / "data" / name).digest)
    assert len(digests) == 1
    project.synthesize("--out", "data/c", "--rows", "20", "--task", "denial_reasons", "--seed", "1")
    project.synthesize("--out", "data/d", "--rows", "20", "--task", "denial_reasons")
    few, other = (load_manifest(project.root / "data" / n).digest for n in "dc")
    assert few != other
    ahead = zip(rows(project.root / "data/d", strict=True), rows(project.root / "data/a", strict=True), strict=False)  # fmt: skip
    assert all(one == many for one, many in ahead)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--task", "claims"), "EG890"),
        (("--share", "policy_qa=-1"), "EG891"),
        (("--share", "policy_qa=x"), "expected TASK=NUMBER"),
        (("--from", "data/x"), "--from needs --model"),
        (("--model", "nobody"), "EG145"),
    ],
)
def test_arguments_that_cannot_be_used_end_with_2_and_leave_nothing(project, args, code):
    done = project.synthesize("--out", "data/x", "--rows", "10", *args)
    assert done.returncode == 2, done.stderr
    assert code in done.stderr
    assert project.left() == []


def test_a_corpus_is_never_written_over(project):
    args = ("--out", "data/x", "--rows", "3", "--task", "claim_entities")
    assert project.synthesize(*args).returncode == 0
    before = load_manifest(project.root / "data/x")
    done = project.synthesize(*args, "--seed", "9")
    assert (done.returncode, "EG827" in done.stderr) == (2, True)
    assert load_manifest(project.root / "data/x") == before


def begun(project: Project, name: str) -> subprocess.Popen[str]:
    """A run that has begun to make rows."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        project.argv("--out", f"data/{name}", "--rows", "200000", "--task", "claim_entities"),
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        if (project.root / f"data/.{name}.writing").exists() and children(process.pid):
            break
        time.sleep(0.05)
    time.sleep(0.3)
    assert process.poll() is None
    return process


def children(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def ended(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):  # fmt: skip
            return True
        time.sleep(0.05)
    return False


def test_an_interrupt_ends_with_130_and_leaves_nothing(project):
    process = begun(project, "x")
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert project.left() == []
    assert workers
    assert ended(workers)


def test_a_killed_run_leaves_no_corpus_and_no_worker_and_the_next_one_makes_it(project):
    process = begun(project, "x")
    workers = children(process.pid)
    process.kill()
    process.communicate(timeout=60)
    assert workers
    assert ended(workers)
    assert "x" not in project.left()
    done = project.synthesize("--out", "data/x", "--rows", "4", "--task", "claim_entities")
    assert done.returncode == 0, done.stderr
    assert project.left() == ["x"]


@pytest.mark.parametrize("room", [2_000, 60_000])
def test_a_full_disk_ends_with_4_and_leaves_nothing(project, room):
    limit = (
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
    )
    args = ("--out", "data/x", "--rows", "60", "--task", "claim_entities")
    done = project.synthesize(*args, before=limit)
    assert done.returncode == 4, done.stderr
    assert "EG897" in done.stderr or "EG828" in done.stderr
    assert project.left() == []


def test_a_page_without_room_is_told_and_the_corpus_is_there(project):
    done = project.synthesize("--out", "data/x", "--rows", "3", "--task", "claim_entities", "--sample-page", "no/such/page.html")  # fmt: skip
    assert (done.returncode, "EG898" in done.stderr) == (4, True)
    assert verify(project.root / "data/x").rows == 3


def test_rows_are_readable_by_their_owner_alone_and_hold_what_a_suite_can_be_tried_on(project):
    project.synthesize("--out", "data/x", "--rows", "5", "--task", "claim_entities")
    part = project.root / "data/x/part-00000.jsonl"
    assert part.stat().st_mode & 0o077 == 0
    for line in part.read_text().splitlines():
        row = json.loads(line)
        text = row["input"]["narrative"]
        assert all(text[e["start"] : e["end"]] == e["text"] for e in row["expected"])
        assert text in row["messages"][-2]["content"]


@pytest.mark.slow
def test_made_rows_hold_nothing_of_the_gold_sets(project):
    """Five hundred of each task against the project's own gold, the prompts' boilerplate apart."""
    shutil.copytree(ROOT / "goldsets", project.root / "goldsets")
    done = project.synthesize("--out", "data/x", "--rows", "2500", "--seed", "5")
    assert done.returncode == 0, done.stderr
    checked = subprocess.run(
        [*project.argv()[:4], "check", "data/x", "--training", "--json"],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(checked.stdout)["hits"] == []
    assert checked.returncode == 0
