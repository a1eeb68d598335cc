"""Commands as their users meet them: exit codes, one clear line, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from harness import CARD, SUITE, Project, gold_items, right_but
from scripted import ScriptedServer

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path, NOWHERE)


def test_help_lists_every_command(project):
    done = project.evalgate("--help")
    assert done.returncode == 0
    for command in ("init", "plan", "gate", "gold", "models", "explain", "run"):
        assert command in done.stdout


def test_a_mistyped_command_is_a_usage_error_with_a_suggestion(project):
    done = project.evalgate("gaet")
    assert done.returncode == 2
    assert "Did you mean 'gate'" in done.stderr


def test_an_unknown_model_is_a_usage_error_with_a_suggestion(project):
    done = project.evalgate("gate", "check", "scriptd")
    assert done.returncode == 2
    assert "scripted" in done.stderr
    assert done.stdout == ""


def test_outside_a_project_the_way_in_is_named(tmp_path):
    project = Project(tmp_path / "p", NOWHERE)
    project.root = tmp_path
    done = project.evalgate("plan")
    assert done.returncode == 2
    assert "evalgate init" in done.stderr


def test_all_problems_of_all_files_come_at_once_with_their_lines(project):
    project.edit("gate.toml", "min = 0.85", 'min = "0.85"')
    project.edit("gate.toml", "max = 0.10", "mxa = 0.10")
    project.edit("evalgate.toml", 'server = "endpoint"', 'server = "endpont"')
    project.write("goldsets/triage.jsonl", '{"id": "a"}\nnot json\n')
    (project.root / "goldsets/triage.toml").unlink()
    for command in (("gate", "check"), ("gold", "check"), ("plan",)):
        done = project.evalgate(*command)
        assert done.returncode == 2
        for place in ("gate.toml:6", "gate.toml:7", "evalgate.toml:2", "goldsets/triage.jsonl:1", "goldsets/triage.jsonl:2",
                      "goldsets/triage.toml"):  # fmt: skip
            assert place in done.stderr, (place, done.stderr)
        assert "Traceback" not in done.stderr
    plain = project.pytest()
    assert plain.returncode == 2
    assert "gate.toml:6" in plain.stdout + plain.stderr


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("goldsets/triage.jsonl", "", "goldsets/triage.jsonl"),
        (
            "goldsets/triage.jsonl",
            '{"id": "a", "input": {"text": "x"}, "expected": "DENY", "unit": "u"}\n' * 2,
            "a",
        ),
        ("gate.toml", "[gate\n", "gate.toml:1"),
        ("suites/test_triage.py", "import nonsense_module\n", "suites/test_triage.py:1"),
        ("suites/test_triage.py", "def broken(:\n", "suites/test_triage.py:1"),
        ("suites/prompts/triage.md", "{{txt}}", "'txt'"),
    ],
)
def test_each_faulty_file_is_a_usage_error_that_names_it(project, name, text, says):
    project.write(name, text)
    done = project.evalgate("gate", "check")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_bytes_that_are_no_text_are_a_usage_error(project):
    (project.root / "gate.toml").write_bytes(b"\xff\xfe[gate]")
    assert project.evalgate("gate", "check").returncode == 2


def test_an_expected_value_outside_the_labels_is_named_by_its_line(project):
    project.write(
        "goldsets/triage.jsonl",
        '{"id": "a", "input": {"text": "<0000>"}, "expected": "PERHAPS", "unit": "u"}\n',
    )
    done = project.evalgate("gold", "check")
    assert done.returncode == 2
    assert "goldsets/triage.jsonl:1: EG208" in done.stderr


def test_a_sentence_where_a_label_belongs_is_never_printed(project):
    items = gold_items()
    items[3]["expected"] = "John Smith has HIV and was denied on Monday"
    project.gold(items)
    for command in (("gold", "check"), ("plan",), ("gate", "check")):
        done = project.evalgate(*command)
        assert done.returncode == 2
        assert "goldsets/triage.jsonl:4: EG208" in done.stderr
        assert "found a text of 43 characters, expected one of APPROVE, DENY" in done.stderr
        for word in ("John", "Smith", "HIV", "Monday"):
            assert word not in done.stdout + done.stderr


BROKEN = """
def test_short(answers, threshold):
    assert threshold.met_by(mean(answers, lambda a: a.input["pages"] <= 1, name="short"))
"""


def test_an_item_that_a_test_cannot_score_is_named_with_its_gold_set(project):
    project.write("suites/test_triage.py", SUITE + BROKEN)
    project.edit("gate.toml", "[triage]\n", "[triage]\nshort = { min = 0.5 }\n")
    items = gold_items()
    for item in items:
        item["input"]["pages"] = 1
    del items[14]["input"]["pages"]
    project.gold(items)
    done = project.evalgate("plan")
    assert done.returncode == 2
    assert done.stderr == (
        "suites/test_triage.py: EG503 found KeyError in short at the item t-0014, in test_short on errorless answers, "
        "expected a finding. Mend the item (goldsets/triage.jsonl), the test or its metric.\n"
    )


def test_what_a_test_itself_says_of_an_item_is_not_passed_on(project):
    project.edit("suites/test_triage.py", "    assert threshold.met_by(must_pass(answers))",
                 "    raise ValueError(next(iter(answers)).input['text'])")  # fmt: skip
    done = project.evalgate("plan")
    assert done.returncode == 2
    assert "EG503 found ValueError in test_must_pass" in done.stderr
    assert "member" not in done.stderr


def test_explain_tells_of_a_code_and_suggests_no_other(project):
    done = project.evalgate("explain", "eg402")
    assert done.returncode == 0
    assert "checksum" in done.stdout
    unknown = project.evalgate("explain", "EG999")
    assert unknown.returncode == 2
    assert "Did you mean" not in unknown.stderr
    assert "EG402" in project.evalgate("explain").stdout


def test_plan_shows_power_and_refuses_a_hopeless_plan(project):
    done = project.evalgate("plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "joint power" in done.stdout
    hopeless = project.evalgate("plan", "--true", "triage.accuracy=0.86")
    assert hopeless.returncode == 1
    assert "hopeless" in hopeless.stdout
    assert project.evalgate("plan", "--true", "triage.accuracy=0.86", "--force").returncode == 0
    unknown = project.evalgate("plan", "--true", "triage.acuracy=0.86")
    assert unknown.returncode == 2
    assert "Did you mean `triage.accuracy`?" in unknown.stderr
    assert project.evalgate("plan", "--true", "triage.accuracy=much").returncode == 2


def test_plan_tells_a_claim_about_another_part_of_the_gold_set_than_its_row_names(project):
    project.edit("suites/test_triage.py", "accuracy(answers))", 'accuracy(answers, tag="spanish"))')
    done = project.evalgate("plan")
    assert done.returncode == 1
    assert (
        "the finding is about the slice 'spanish', the row about the whole gold set" in done.stdout
    )


def test_gold_check_lists_sets_with_their_slices(project):
    done = project.evalgate("gold", "check")
    assert done.returncode == 0
    assert "triage: 120 items, 120 units" in done.stdout
    assert "spanish: 40 items, 40 units" in done.stdout
    assert "no suite asks it" not in done.stdout


def test_gold_check_also_reads_the_sets_that_no_suite_names(project):
    one = {"id": "a", "input": {"text": "x"}, "expected": "y", "unit": "u", "tags": ["new"]}
    project.write("goldsets/letters.jsonl", json.dumps(one) + "\n")
    project.write("goldsets/letters.toml", CARD)
    done = project.evalgate("gold", "check")
    assert done.returncode == 0, done.stderr
    assert "letters: 1 item, 1 unit, no suite asks it\n" in done.stdout
    project.edit("goldsets/letters.toml", "licence =", "# licence =")
    project.write("goldsets/others.jsonl", "{}\n")
    done = project.evalgate("gold", "check")
    assert done.returncode == 2
    assert "found no key `licence`" in done.stderr
    assert "goldsets/others.jsonl:1" in done.stderr
    assert "goldsets/others.toml: EG160" in done.stderr
    assert project.evalgate("plan").returncode == 0  # what nobody asks decides nothing


def test_gold_check_tells_each_problem_once_whatever_else_is_faulty(project):
    project.edit("gate.toml", "min = 0.85", 'min = "0.85"')
    project.edit("goldsets/triage.toml", "licence =", "# licence =")
    project.write("goldsets/others.jsonl", "no json\n")
    done = project.evalgate("gold", "check")
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert len(told) == len(set(told))
    for place in ("gate.toml:6", "goldsets/triage.toml", "goldsets/others.jsonl:1", "goldsets/others.toml"):  # fmt: skip
        assert sum(line.startswith(place) for line in told) == 1, (place, told)


def test_run_list_without_runs_says_how_to_get_some(project):
    done = project.evalgate("run", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "no runs yet: 'evalgate gate check' asks and keeps them\n"
    assert json.loads(project.evalgate("run", "list", "--json").stdout)["runs"] == []


def test_run_list_shows_what_is_on_disk(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.pytest()
        done = project.evalgate("run", "list")
        assert "triage" in done.stdout
        assert "120/120" in done.stdout


def test_json_is_one_object_and_nothing_else_on_stdout(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        done = project.evalgate("gate", "check", "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout)["model"]["name"] == "scripted"
        assert len(done.stdout.strip().splitlines()) == 1


def test_init_writes_a_project_that_loads(tmp_path):
    project = Project(tmp_path / "p", NOWHERE)
    project.root = tmp_path
    done = project.evalgate("init", "mine")
    assert done.returncode == 0, done.stderr
    project.root = tmp_path / "mine"
    checked = project.evalgate("gold", "check")
    assert checked.returncode == 0, checked.stderr
    assert "60 units" in checked.stdout
    again = project.evalgate("init", ".")
    assert again.returncode == 2


def test_a_reader_who_goes_away_is_no_internal_error(tmp_path):
    text = (
        f"{sys.executable} -m evalgate ledger show | head -n 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    )
    subprocess.run(
        [sys.executable, "-m", "evalgate", "init", "p"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    for name in ("a", "b", "c"):
        subprocess.run(
            [sys.executable, "-m", "evalgate", "keys", "init", name],
            cwd=tmp_path / "p",
            check=True,
            capture_output=True,
        )
    done = subprocess.run(
        ["bash", "-c", text.replace("head -n 1", "true")],
        cwd=tmp_path / "p",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "internal error" not in done.stderr
    assert done.stdout.strip() in ("0", "1")
