"""`evalgate rubric` as its users meet it: real processes, real files, real exit codes."""

import csv
import io
import subprocess
import sys

import pytest
from rubric_files import NAME, RUBRIC, lines, write

GOLD = [
    {
        "id": "l-1",
        "input": {"case": "A case."},
        "expected": {"reference": "A letter."},
        "unit": "u-1",
    }
]


@pytest.fixture
def root(tmp_path):
    write(tmp_path, "evalgate.toml", "")
    write(tmp_path, NAME, RUBRIC)
    write(tmp_path, "goldsets/letters.jsonl", lines(GOLD))
    return tmp_path


def rubric(root, *args):
    return subprocess.run(
        [sys.executable, "-m", "evalgate", "rubric", *args],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def edit(root, old, new, name=NAME):
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    write(root, name, text.replace(old, new))


def test_check_says_what_is_there(root):
    done = rubric(root, "check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        f"{NAME}: version 1.2.0, 4 criteria (2 faults, 1 by code), 0 warnings, sha256:"
    )
    assert done.stderr == ""


def test_check_tells_every_problem_of_every_file_and_warnings_beside_them(root):
    edit(root, "pass_mark = 0.80", "pass_mark = 80")
    edit(root, '["case"]', '["cases"]')
    edit(root, "points = -10", "points = 0")
    good = RUBRIC.replace('"letters"', '"other"').replace(
        "Names the reason.", "An adequate reason."
    )
    write(root, "rubrics/other.toml", good)
    write(root, "rubrics/torn.toml", "[rubric\n")
    done = rubric(root, "check")
    assert done.returncode == 2
    for place in (
        f"{NAME}:7:8: EG606",
        f"{NAME}:8:13: EG108",
        f"{NAME}:28:10: EG602",
        "rubrics/torn.toml:1:8: EG103",
    ):
        assert place in done.stderr, done.stderr
    assert "rubrics/other.toml:11: warning EG622 [[criterion]] states-reason" in done.stderr
    assert done.stdout == ""
    alone = rubric(root, "check", "rubrics/other.toml")
    assert alone.returncode == 0
    assert "1 warning" in alone.stdout
    assert "no goldsets/other.jsonl to compare with" in alone.stdout


def test_check_without_rubrics_says_so(root):
    (root / NAME).unlink()
    done = rubric(root, "check")
    assert (done.returncode, done.stdout) == (0, "rubrics/: no rubric here\n")


@pytest.mark.parametrize(
    ("kind", "start"),
    [("text", "Letters\n======="), ("md", "# Letters"), ("html", "<!doctype html>")],
)
def test_show_prints_the_view(root, kind, start):
    done = rubric(root, "show", NAME, "--format", kind)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(start)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_spreadsheet_goes_out_and_comes_back_and_comments_survive(root, suffix):
    out = f"letters.{suffix}"
    assert rubric(root, "export", NAME, "--out", out).returncode == 0
    again = rubric(root, "export", NAME, "--out", out)
    assert again.returncode == 2
    assert "EG617 found something there already" in again.stderr
    done = rubric(root, "import", out, "--into", NAME)
    assert (done.returncode, done.stdout) == (0, f"{NAME}: nothing changed\n")
    assert (root / NAME).read_text(encoding="utf-8") == RUBRIC


def edited(root, changes):
    """The exported table with some cells (row, column name) replaced."""
    assert rubric(root, "export", NAME, "--out", "t.csv", "--force").returncode == 0
    cells = list(
        csv.reader(io.StringIO((root / "t.csv").read_text(encoding="utf-8-sig"), newline=""))
    )
    for (row, column), text in changes.items():
        cells[row - 1][cells[0].index(column)] = text
    with (root / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(cells)


def test_an_import_says_what_changed_and_which_version_would_say_so(root):
    edited(root, {(2, "met"): "Names it.", (3, "points"): "-12"})
    done = rubric(root, "import", "t.csv", "--into", NAME)
    assert done.returncode == 0, done.stderr
    assert (
        "states-reason: met changed; its labels are stale\n  - met: Names the reason.\n  + met: Names it."
        in done.stdout
    )
    assert "invented-fact: points changed; scores change, labels stay" in done.stdout
    assert "version 1.2.0 -> 2.0.0 would say so; the file says 1.2.0" in done.stdout
    assert (root / NAME).read_text(encoding="utf-8") == RUBRIC.replace(
        "Names the reason.", "Names it."
    ).replace("points = -10", "points = -12")
    assert rubric(root, "check").returncode == 0


def test_an_import_with_faults_tells_all_and_writes_nothing(root):
    edited(
        root,
        {
            (2, "met"): "Names it.",
            (3, "points"): "ten",
            (4, "check"): "citations",
            (5, "anchor 1"): "",
        },
    )
    done = rubric(root, "import", "t.csv", "--into", NAME)
    assert done.returncode == 2
    for place in ("t.csv:3:5: EG615", "t.csv:4:17: EG608", "t.csv:5:12: EG604"):
        assert place in done.stderr, done.stderr
    assert (root / NAME).read_text(encoding="utf-8") == RUBRIC
    assert sorted(p.name for p in (root / "rubrics").iterdir()) == ["letters.toml"]


def test_a_table_without_rows_and_a_file_that_cannot_be_edited_change_nothing(root):
    write(root, "t.csv", "id,ask,points\n")
    assert "EG603 found no criteria" in rubric(root, "import", "t.csv", "--into", NAME).stderr
    head = RUBRIC.split("# What every")[0]
    for odd in ("criterion = []", 'criterion = [{ id = "a" }]', "criterion = 1"):
        write(root, NAME, f"{odd}\n{head}")
        write(root, "t.csv", "id,ask,points\na,It is so.,1\n")
        done = rubric(root, "import", "t.csv", "--into", NAME)
        assert done.returncode == 2, done.stderr
        assert f"{NAME}:1:" in done.stderr
        assert "EG107" in done.stderr
        assert (root / NAME).read_text(encoding="utf-8") == f"{odd}\n{head}"
    write(root, NAME, head)
    done = rubric(root, "import", "t.csv", "--into", NAME)
    assert (done.returncode, done.stdout) == (0, f"{NAME}: 1 criterion\n"), done.stderr
    assert rubric(root, "check").returncode == 0


def test_an_import_keeps_windows_line_ends(root):
    write(root, NAME, RUBRIC.replace("\n", "\r\n"))
    edited(root, {(2, "met"): "Names it."})
    assert rubric(root, "import", "t.csv", "--into", NAME).returncode == 0
    assert (root / NAME).read_bytes() == RUBRIC.replace("Names the reason.", "Names it.").replace(
        "\n", "\r\n"
    ).encode()


def test_diff_compares_files_and_states_that_git_knows(root):
    for command in (
        ["init", "-q"],
        ["add", NAME],
        ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
    same = rubric(root, "diff", f"{NAME}@HEAD", NAME)
    assert (same.returncode, same.stdout.split(":")[0]) == (0, "same content"), same.stderr
    edit(root, "points = -10", "points = -12")
    edit(root, '"1.2.0"', '"1.3.0"')
    done = rubric(root, "diff", f"{NAME}@HEAD", NAME)
    assert "  - points: -10\n  + points: -12\n" in done.stdout
    assert "version 1.2.0 -> 1.3.0 fits these changes" in done.stdout
    write(root, "old.toml", RUBRIC)  # a copy under another name
    assert rubric(root, "diff", "old.toml", NAME).stdout == done.stdout
    none = rubric(root, "diff", f"{NAME}@--output=x", NAME)
    assert none.returncode == 2
    assert "EG616 found nothing that git knows" in none.stderr
    assert not (root / "rubrics/x").exists()
