"""`evalgate run list | show | diff` as people and CI meet them: exit codes, one JSON object, no text of anybody."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest
from harness import gold_items
from hypothesis import given
from hypothesis import strategies as st
from run_shelf import answered, edited, project_of

from evalgate.records import Reply
from evalgate.report.comparison import (
    Comparison,
    Flips,
    SideOfSuite,
    SuiteTable,
    comparison_markdown,
    comparison_text,
)
from evalgate.report.tables import markdown_text
from evalgate.report.words import plain
from evalgate.store import RunWriter, kept_runs, read_manifest

CANARY = "Mrs Canary of Harrow Road, insulin 12 units"


@pytest.fixture
def project(tmp_path):
    project = project_of(tmp_path)
    answered(project, "old", {1, 2}, text=CANARY)
    answered(project, "old", {1, 2, 3}, text=CANARY, fresh=True)
    answered(project, "new", {9}, text=CANARY)
    return project


def test_list_names_runs_in_use_before_their_repeats_with_what_landed(project):
    answered(project, "new", only=30, fresh=True)
    done = project.evalgate("run", "list", "--json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["schema"] == "evalgate.runs/1"
    by_model = {m: [r for r in value["runs"] if r["model"] == m] for m in ("old", "new")}
    assert [r["landed"] for r in by_model["new"]] == [30, 120]
    assert [r["run"].partition("~")[2] for r in by_model["old"]] == ["", "1"]
    assert all(r["verified"] and r["items"] == 120 and r["bytes"] for r in value["runs"])
    lines = project.evalgate("run", "list").stdout.splitlines()
    assert len(lines) == 4
    assert all("verified" in line and "triage" in line for line in lines)


def test_list_ends_with_5_for_an_edited_run_in_use_and_shows_the_others(project):
    path = answered(project, "new", fresh=True)
    (earlier,) = (path / "earlier").iterdir()
    edited(earlier)
    aside = project.evalgate("run", "list")
    assert aside.returncode == 0  # it decides nothing any more
    assert f"{path.name}~1  not verified" in aside.stderr
    edited(path)
    done = project.evalgate("run", "list", "--json")
    assert done.returncode == 5
    assert [r["verified"] for r in json.loads(done.stdout)["runs"]].count(False) == 2


def test_what_may_have_come_from_other_bytes_is_listed_nowhere(project):
    (kept, *_) = kept_runs(project.root / "reports")
    with RunWriter(kept.path, read_manifest(kept.path), suspect=True):
        pass
    names = [run.name for run in kept_runs(project.root / "reports")]
    assert f"{kept.key}~2" not in names
    assert len(list(kept.path.glob("suspect/*/answers.jsonl"))) == 1
    assert (next(kept.path.glob("suspect/*")).stat().st_mode & 0o077) == 0


def test_show_tells_digests_counts_tokens_seconds_and_the_slowest(project):
    value = json.loads(project.evalgate("run", "show", "old", "--json").stdout)
    ((run,)) = value["runs"]
    manifest = next(read_manifest(k.path) for k in kept_runs(project.root / "reports") if k.name == run["run"])  # fmt: skip
    assert (run["key"], run["gold"], run["prompt"]) == (manifest.key, manifest.gold, manifest.prompt)  # fmt: skip
    assert run["statuses"] == {"ok": 117, "unparseable": 3}
    assert run["answer tokens"] == 120
    assert run["seconds"] == {"p50": pytest.approx(0.159), "p95": pytest.approx(0.213)}
    assert next(iter(run["slowest"])) == "t-0119"
    text = project.evalgate("run", "show", "old~1").stdout
    assert "ok 118, unparseable 2" in text


def test_times_are_utc_wherever_the_machine_stands(project):
    ((run,)) = json.loads(project.evalgate("run", "show", "old", "--json").stdout)["runs"]
    ended = dt.datetime.fromtimestamp(run["ended"], dt.UTC).strftime("%Y-%m-%d %H:%MZ")
    for zone in ("UTC", "XXX-7"):
        assert ended in project.evalgate("run", "list", TZ=zone).stdout
        shown = project.evalgate("run", "show", "old", TZ=zone).stdout
        assert re.search(rf"^ended +{ended}$", shown, re.MULTILINE)
        assert re.search(r"^began +\d{4}-\d\d-\d\d \d\d:\d\dZ$", shown, re.MULTILINE)


def test_show_of_a_run_about_an_older_gold_set_still_shows_what_it_can(project):
    (kept, *_) = kept_runs(project.root / "reports")
    project.edit("goldsets/triage.jsonl", "of member 7", "of member seven")
    done = project.evalgate("run", "show", kept.key[:10])
    assert done.returncode == 0, done.stderr
    assert "another one now" in done.stdout


def test_most_tried_items_come_first(project):
    from evalgate.records import Try

    (kept, *_) = kept_runs(project.root / "reports")
    with RunWriter(kept.path, read_manifest(kept.path), fresh=True) as writer:
        for n, tries in ((0, 1), (1, 3), (2, 0)):
            tried = tuple(Try(error="HTTP 503", seconds=0.1) for _ in range(tries))
            writer.land(n, f"t-{n:04d}", Reply(text="DENY", finish="stop", tries=tried))
    ((run,)) = json.loads(project.evalgate("run", "show", kept.key, "--json").stdout)["runs"]
    assert run["most tried"] == {"t-0001": 3, "t-0000": 1}
    assert run["failed tries"] == 4
    assert run["answers"] == "3/120"


def test_no_command_prints_what_a_model_wrote_or_was_asked(project):
    for command in (
        ("list",),
        ("list", "--json"),
        ("show", "old"),
        ("show", "new", "--json"),
        ("diff", "old"),
        ("diff", "old", "new", "--json"),
        ("diff", "old", "new", "--format", "md"),
        ("diff", "old", "nowhere"),
    ):
        done = project.evalgate("run", *command)
        said = done.stdout + done.stderr
        assert said
        for word in ("Canary", "Harrow", "insulin", "request <"):
            assert word not in said


def test_diff_prints_one_line_per_side_and_claim_and_exits_0(project):
    done = project.evalgate("run", "diff", "old", "new")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 120
    block = done.stdout.split("failed_rate <= 0.10\n")[1].splitlines()[:2]
    assert re.match(r"\s+old\s+0\.0250\s+\S+\s+\S+\s+\+ pass$", block[0])
    assert re.match(r"\s+new\s+0\.0083 .* -0\.0167 .* beyond noise$", block[1])
    assert "new wrong -> right: t-0001, t-0002, t-0003" in done.stdout
    assert "new right -> wrong: t-0009" in done.stdout


def test_diff_as_markdown_is_tables_whose_rows_have_the_width_of_their_head(project):
    done = project.evalgate("run", "diff", "old", "new", "--format", "md")
    assert done.returncode == 0
    tables = re.findall(r"(?:^\|.*\n)+", done.stdout, re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("diff", "old", "nwe"), 2, "Did you mean `new`"),
        (("diff", "old", "new", "--suite", "triag"), 2, "Did you mean `triage`"),
        (("show", "0123456789"), 2, "run list"),
        (("diff",), 2, "REF"),
    ],
)
def test_what_is_not_there_is_a_usage_error_that_helps(project, arguments, exit_code, says):
    done = project.evalgate("run", *arguments)
    assert done.returncode == exit_code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_diff_of_an_edited_run_ends_with_5(project):
    edited(next(k.path for k in kept_runs(project.root / "reports") if not k.repeat))
    done = project.evalgate("run", "diff", "old", "new")
    assert done.returncode == 5
    assert "EG402" in done.stderr


def test_names_that_the_output_cannot_encode_do_not_break_it(tmp_path):
    project = project_of(tmp_path)
    for name in ("suites/test_triage.py", "gate.toml"):
        project.edit(name, "spanish", "español")
    project.gold([{**item, "tags": ["español"]} for item in gold_items()])
    project.edit("gate.toml", "must_pass = { all = true }\n", "")
    project.edit("suites/test_triage.py", "def test_must_pass", "def not_must_pass")
    answered(project, "old", {1})
    answered(project, "new")
    done = project.evalgate("run", "diff", "old", "new", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "slice_accuracy[espa?ol]" in done.stdout


nasty = st.text(
    st.sampled_from("ab|`<>*_[]()#@!~\\&\n\r\x1b\u202e é漢:/."), min_size=1, max_size=20
)


@given(label=nasty, item=nasty, note=nasty)
def test_no_name_breaks_a_table_or_becomes_markup(label, item, note):
    flips = Flips(items=3, identical=2, lost=(item,), won=(), p=1.0)
    side = SideOfSuite(
        label=label, run="ab" * 8, ended=None, model="sha256:aa", server=label, version="1",
        args=(), statuses={"ok": 3}, flips=flips,
    )  # fmt: skip
    table = SuiteTable(
        suite="s", items=3, units=3, gold="sha256:bb", sides=(side,), claims=(), notes=(note,)
    )
    comparison = Comparison(sides=(label,), verdicts=(None,), suites=(table,), notes=(note,))
    text = comparison_text(comparison)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
    markdown = comparison_markdown(comparison)
    assert not re.search(r"(?<!\\)[<*`\[]", markdown.replace("**", ""))
    assert not re.search(r"@\w", markdown)
    for found in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in found.splitlines()}) == 1


@given(st.text())
def test_escaped_text_is_one_line_that_reads_as_it_was(text):
    line = markdown_text(text)
    assert len(line.splitlines()) <= 1
    shown = re.sub(r"\\(.)", r"\1", line) if "\\" not in text else None
    assert shown is None or shown.replace("@\N{ZERO WIDTH NON-JOINER}", "@") == plain(text)
