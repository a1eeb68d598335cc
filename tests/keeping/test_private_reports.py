"""What lies below reports/ is its owner's alone, and who reads texts with evalgate's commands is noted."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from kept_project import aged, certified, copied
from review.review_project import Letters

from evalgate.errors import InfrastructureError
from evalgate.store.access import accesses, note_access, open_to_others


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    made = certified(tmp_path_factory.mktemp("checked"))
    done = made.evalgate("gate", "check", "rc", "--copy", "told")
    assert done.returncode == 0, done.stdout + done.stderr
    again = made.evalgate("gate", "check", "rc", "--fresh")
    assert again.returncode == 0, again.stdout + again.stderr
    return made


def test_after_a_whole_check_nobody_else_can_read_or_enter_anything(checked):
    reports = checked.root / "reports"
    kinds = {p.name for p in reports.iterdir()}
    assert {"runs", "decisions", "certificates", "logs", "ledger.jsonl"} <= kinds
    assert list(reports.rglob("earlier/*/answers.jsonl"))
    for path in [*reports.rglob("*"), *(checked.root / "told").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert open_to_others(checked.root) == []


def test_what_is_open_to_others_is_told_in_one_line_with_the_command_that_mends_it(
    checked, tmp_path
):
    made = copied(checked, tmp_path)
    (page,) = list((tmp_path / "reports" / "decisions").glob("*.html"))[:1]
    page.chmod(0o644)
    (tmp_path / "reports" / "runs").chmod(0o755)
    done = made.evalgate("run", "list")
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert note.startswith("note: 2 files or folders below reports/ are open to others")
    assert "chmod -R go= reports" in note
    made.run("chmod", "-R", "go=", "reports")
    assert "note: " not in made.evalgate("run", "list").stderr


def test_texts_are_shown_by_id_and_who_looked_is_noted_before(checked, tmp_path):
    made = copied(checked, tmp_path)
    quiet = made.evalgate("run", "show", "rc")
    assert "request <" not in quiet.stdout
    assert accesses(tmp_path) == ([], 0)
    shown = made.evalgate("run", "show", "rc", "--item", "t-0004", "--json")
    (item,) = json.loads(shown.stdout)["items"]
    assert item["question"] == {"text": "request <0004> of member 4"}
    assert item["answer"] == item["right"] == "DENY"
    (noted,), damaged = accesses(tmp_path)
    assert damaged == 0
    assert noted.command == "run show"
    assert {"t-0004", "goldsets/triage.jsonl", item["run"]} == set(noted.what)
    assert stat.S_IMODE((tmp_path / "reports/access.jsonl").stat().st_mode) == 0o600
    told = made.evalgate("run", "access")
    assert noted.account in told.stdout
    assert "t-0004" in told.stdout


def test_an_item_that_is_not_there_is_a_usage_error_that_notes_nothing(checked, tmp_path):
    made = copied(checked, tmp_path)
    done = made.evalgate("run", "show", "rc", "--item", "t-9999")
    assert (done.returncode, "EG816" in done.stderr) == (2, True)
    assert accesses(tmp_path) == ([], 0)


def test_where_the_log_cannot_be_written_nothing_is_shown(tmp_path):
    (tmp_path / "reports" / "access.jsonl").mkdir(parents=True)
    with pytest.raises(InfrastructureError, match="access log") as caught:
        note_access(tmp_path, "run show", "goldsets/x.jsonl")
    assert caught.value.code == "EG815"


def test_lines_that_somebody_edited_are_counted_and_the_others_still_told(tmp_path):
    note_access(tmp_path, "review label", "rubrics/x.labels.jsonl")
    log: Path = tmp_path / "reports" / "access.jsonl"
    log.write_bytes(b'{"at": "never"}\n\xff\n' + log.read_bytes())
    note_access(tmp_path, "review export", "rubrics/x.labels.jsonl")
    found, damaged = accesses(tmp_path)
    assert ([one.command for one in found], damaged) == (["review label", "review export"], 2)


def test_a_run_past_its_retention_is_marked_and_no_other(checked, tmp_path):
    made = copied(checked, tmp_path)
    (old,) = (tmp_path / "reports/runs/triage").glob("*/earlier/*")
    aged(old, 400)
    assert "EXPIRED" not in made.evalgate("run", "list").stdout
    with (tmp_path / "evalgate.toml").open("a") as f:
        f.write("[retention]\nruns_days = 365\n")
    lines = made.evalgate("run", "list").stdout.splitlines()
    assert ["EXPIRED" in line for line in lines] == [False, True]
    (now, before) = json.loads(made.evalgate("run", "list", "--json").stdout)["runs"]
    assert (now["expired"], before["expired"]) == (False, True)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("runs_days = 0", "EG108"),
        ('runs_days = "365"', "EG107"),
        ("runs_days = 1.5", "EG107"),
        ("days = 3", "EG105"),
        ("", "EG106"),
    ],
)
def test_a_retention_that_says_nothing_clear_is_refused(tmp_path, table, code):
    from evalgate.authored import Problems, load_settings

    path = tmp_path / "evalgate.toml"
    path.write_text(f'[models.a]\nserver = "llamacpp"\nartifact = "a.gguf"\n[retention]\n{table}\n')
    problems = Problems()
    assert load_settings(path, tmp_path, problems) is None
    with pytest.raises(Exception, match=code):
        problems.raise_if_any()


def test_labelling_and_exporting_note_run_gold_set_and_label_file(tmp_path):
    letters = Letters(tmp_path)
    letters.review_items(None)
    assert letters.review("plan").returncode == 0
    assert accesses(tmp_path) == ([], 0)  # a draw shows no text
    letters.review("label", "--rater", "A", "--simulated", typed="x\n")
    letters.review("export", "--format", "csv", "--out", "out.csv")
    found, _ = accesses(tmp_path)
    assert [one.command for one in found] == ["review label", "review export"]
    for one in found:
        run, gold, labels = one.what
        assert (tmp_path / run / "answers.jsonl").is_file()
        assert (gold, labels) == ("goldsets/letters.jsonl", "rubrics/letters.labels.jsonl")
    letters.review("agreement")
    assert len(accesses(tmp_path)[0]) == 2
