"""`evalgate gold import` as its user runs it: what it writes, what it never overwrites, and what it says."""

from __future__ import annotations

import json
import re
import signal
import sys
import time

import pytest
from harness import GATE, Project
from real_reports import ROOT, fill_in

from evalgate.authored.imports.rows import KINDS

ROWS = "id,unit,text,expected,tags\n" + "".join(
    f"t-{n},member-{n},request <{n:04d}>,{('APPROVE', 'DENY', 'REVIEW')[n % 3]},"
    f"{'spanish' if n % 3 == 0 else ''}{';must_pass' if n < 5 else ''}\n"
    for n in range(120)
)
OUT = "goldsets/triage.jsonl"


@pytest.fixture
def project(tmp_path):
    """A project whose gold set is still to be imported."""
    made = Project(tmp_path, "http://127.0.0.1:9/v1")
    (tmp_path / OUT).unlink()
    (tmp_path / "goldsets/triage.toml").unlink()
    made.write("in.csv", ROWS)
    return made


def test_an_import_passes_the_check_once_a_person_has_filled_in_the_card(project):
    done = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT)
    assert done.returncode == 0, done.stderr
    assert "120 of 120 rows taken, 120 units" in done.stdout
    asked = project.evalgate("gold", "check")
    assert asked.returncode == 2
    keys = [line.split("`")[1] for line in asked.stderr.splitlines() if "EG106" in line]
    assert sorted(keys) == ["labelled_by", "licence", "sampling_frame", "synthetic"]
    fill_in(project.root / "goldsets/triage.toml")
    checked = project.evalgate("gold", "check")
    assert checked.returncode == 0, checked.stderr
    assert "triage: 120 items, 120 units" in checked.stdout
    card = (project.root / "goldsets/triage.toml").read_text()
    assert "nobody has reviewed the items since" in card


def test_the_licence_is_written_where_it_is_given(project):
    project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT, "--licence", 'CC "BY" 4.0')
    asked = project.evalgate("gold", "check")
    assert "licence" not in asked.stderr


def test_a_gold_set_is_replaced_only_by_force_and_a_card_never(project):
    card = project.write("goldsets/triage.toml", "people wrote this")
    for _ in range(2):
        done = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT, "--limit", "7", "--force")  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert card.read_text() == "people wrote this"
    assert "triage.toml was there and is kept" in done.stdout
    before = (project.root / OUT).read_bytes()
    refused = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT)
    assert refused.returncode == 2
    assert "EG176" in refused.stderr
    assert (project.root / OUT).read_bytes() == before


def test_what_was_left_out_is_listed_and_reported_without_any_text(project):
    project.write("in.csv", ROWS + "x-1,m,SECRET,,\nx-2,m,SECRET\n")
    done = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT, "--report", "r.json")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert [line.split(" found")[0] for line in lines] == ["in.csv:123: EG180", "in.csv:122: EG181"]
    report = json.loads((project.root / "r.json").read_text())
    assert report["schema"] == "evalgate.import/1"
    assert report["rows"] == {"found": 122, "taken": 120, "left": 2}
    assert {f["kind"]: f["places"] for f in report["faults"]} == {
        "cells": ["in.csv:123"],
        "no_answer": ["in.csv:122"],
    }
    assert "SECRET" not in done.stderr + done.stdout + json.dumps(report)
    assert "Left out: 1 x cells, 1 x no_answer" in (project.root / "goldsets/triage.toml").read_text()  # fmt: skip


def test_nothing_is_written_when_nothing_could_be_taken(project):
    project.write("in.csv", "text,expected\n,\nx,\n")
    done = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT, "--report", "r.json")
    assert done.returncode == 2
    assert "EG177" in done.stderr
    assert "in.csv:2: EG181" in done.stderr
    assert sorted(p.name for p in (project.root / "goldsets").iterdir()) == []
    assert json.loads((project.root / "r.json").read_text())["rows"]["left"] == 2


def test_labels_that_keep_none_of_the_entities_write_nothing(project):
    project.write("notes/r1.txt", "A man took aspirin.\n")
    project.write("notes/r1.ann", "T1\tSex 2 5\tman\nT2\tDrug 11 18\taspirin\n")
    project.write("notes/r2.txt", "He felt well.\n")
    project.write("notes/r2.ann", "")
    args = ("gold", "import", "brat", "notes", "--out", OUT, "--labels")
    done = project.evalgate(*args, "NOPE")
    assert done.returncode == 2
    assert "notes: EG177 found 2 spans, none with a label of --labels" in done.stderr
    assert "--labels NOPE: EG189" in done.stderr
    assert list((project.root / "goldsets").iterdir()) == []
    kept = project.evalgate(*args, "NOPE,Sex")
    assert kept.returncode == 0, kept.stderr
    assert "2 of 2 rows taken, 2 units; 1 of 2 entities, 1 label, at most 1 in" in kept.stdout
    assert "notes: EG189 1 span with a label that is none of --labels" in kept.stderr


def test_many_faults_of_a_kind_are_shortened_on_the_terminal_only(project):
    project.write("in.csv", ROWS + ",,,,\n" * 80)
    done = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT, "--report", "r.json")
    lines = done.stderr.splitlines()
    assert len(lines) == 51
    assert "and 30 more of this kind (empty)" in lines[-1]
    (fault,) = json.loads((project.root / "r.json").read_text())["faults"]
    assert (fault["count"], len(fault["places"])) == (80, 80)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["brat", ".", "--text-column", "a", "--split", "x"], ["--text-column: EG178", "--split: EG178"]),
        (["csv", "in.csv", "--split", "x"], ["--split: EG178 found this option with KIND csv, expected it only with hf. Leave it out."]),
        (["brat", ".", "--unit", "sentence"], ["--unit: EG178 found `sentence` with KIND brat, expected document or folder. Choose one of these."]),
        (["conll", ".", "--unit", "folder"], ["--unit: EG178"]),
        (["csv", "in.csv", "--map", "A", "--labels", "A,,B", "--encoding", "utf-9"], ["--map: EG178", "--labels: EG178", "--encoding: EG178"]),
        (["csv", "in.csv", "--encoding", "base64"], ["--encoding: EG178"]),
        (["jsonl", "in.csv", "--encoding", "utf-8"], ["--encoding: EG178"]),
        (["csv", "in.csv", "--text-column", "Question Text"], ["--text-column: EG178"]),
        (["csv", "in.csv", "--text-column", "a=x", "--text-column", "b=x"], ["--text-column: EG178"]),
        (["csv", "nowhere.csv"], ["nowhere.csv: EG175"]),
        (["hf", "."], ["EG175"]),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_told_at_once(project, args, told):
    done = project.evalgate("gold", "import", *args, "--out", OUT)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == len(told), done.stderr
    assert all(text in done.stderr for text in told), done.stderr


def test_the_source_is_never_written_over_and_neither_is_another_report(project):
    before = project.write("data/in.jsonl", '{"text":"a","expected":"b"}\n').read_text()
    for out in ("data/in.jsonl", "./data/../data/in.jsonl"):
        for source in ("data/in.jsonl", "data"):
            done = project.evalgate("gold", "import", "jsonl", source, "--out", out, "--force")
            assert (done.returncode, "a file of SOURCE" in done.stderr) == (2, True)
    assert (project.root / "data/in.jsonl").read_text() == before
    project.write("r.json", "an earlier report")
    for report in ("r.json", "in.csv"):
        done = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT, "--report", report)
        assert (done.returncode, "EG176" in done.stderr) == (2, True)
    assert not (project.root / OUT).exists()


@pytest.mark.parametrize("out", ["goldsets/triage.json", "nowhere/triage.jsonl", "suites"])
def test_a_place_that_no_gold_set_can_go_to_is_refused_before_anything_is_read(project, out):
    done = project.evalgate("gold", "import", "csv", "nowhere.csv", "--out", out)
    assert (done.returncode, "EG176" in done.stderr) == (2, True)


def test_a_directory_that_may_not_be_written_is_an_outage(project):
    folder = project.root / "goldsets"
    (folder / ".triage.jsonl.part").mkdir()  # permissions do not stop every user; this does
    done = project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT)
    assert done.returncode == 4, done.stderr
    assert "EG176" in done.stderr


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_import_leaves_the_old_file_and_the_next_one_works(project, sign):
    line = '{"id":"%d","text":"' + "x" * 300 + '","expected":"y"}\n'
    with (project.root / "big.jsonl").open("w") as file:
        for n in range(40_000):
            file.write(line % n)
    old = project.write(OUT, "the old file")
    part = project.root / "goldsets/.triage.jsonl.part"
    args = ("gold", "import", "jsonl", "big.jsonl", "--out", OUT, "--force")
    process = project.start("evalgate", *args)
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 1_000_000) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(sign)
    process.communicate(timeout=30)
    assert process.returncode not in (0, 70)
    assert old.read_text() == "the old file"
    assert not (project.root / "goldsets/triage.toml").exists()
    done = project.evalgate(*args)
    assert done.returncode == 0, done.stderr
    assert len((project.root / OUT).read_bytes().splitlines()) == 40_000
    assert not part.exists()


def test_an_imported_gold_set_carries_a_whole_project(project):
    """The plan of the same thresholds as the project's own gold set, over the imported one."""
    project.evalgate("gold", "import", "csv", "in.csv", "--out", OUT, "--licence", "none")
    fill_in(project.root / "goldsets/triage.toml")
    assert "accuracy" in GATE
    planned = project.evalgate("plan", "--force")
    assert planned.returncode == 0, planned.stderr
    assert "accuracy_vs_baseline" in planned.stdout


def test_a_limit_stops_the_import_and_says_so(project):
    args = ("gold", "import", "csv", "in.csv", "--out", OUT, "--force", "--limit")
    done = project.evalgate(*args, "7")
    assert "7 of 7 rows taken" in done.stdout
    assert done.stderr.startswith("in.csv:9: EG189 stopped at --limit")
    assert len((project.root / OUT).read_text().splitlines()) == 7
    assert project.evalgate(*args, "120").stderr == ""


def test_the_page_names_every_code_and_every_option(project):
    page = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    assert {kind.code for kind in KINDS} <= set(re.findall(r"EG\d{3}", page))
    help_text = project.evalgate("gold", "import", "--help").stdout
    options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help_text, re.MULTILINE))
    assert {"--text-column", "--labels"} <= options
    assert options - set(re.findall(r"--[a-z-]+", page)) == {"--verbose", "--help"}


def test_without_the_extra_a_dataset_is_refused_with_the_command_that_helps(project):
    project.write("saved/state.json", "{}")
    code = "import sys; sys.modules['datasets'] = None; from evalgate.cli import main; main()"
    done = project.run(sys.executable, "-c", code, "gold", "import", "hf", "saved", "--out", OUT)
    assert done.returncode == 2
    assert "saved: EG178" in done.stderr
    assert "pip install 'evalgate-release[hf]'" in done.stderr


def test_help_and_other_formats_load_no_data_frame_library(project):
    code = (
        "import sys; from evalgate.cli import main\n"
        "try: main()\n"
        "finally: print([m for m in ('datasets', 'pyarrow', 'pandas') if m in sys.modules])"
    )
    for args in (["--help"], ["csv", "in.csv", "--out", OUT]):
        done = project.run(sys.executable, "-c", code, "gold", "import", *args)
        assert done.stdout.endswith("[]\n"), done.stdout
