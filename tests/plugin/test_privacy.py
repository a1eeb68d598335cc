"""No text of an item or an answer reaches a terminal, a JUnit file, a page or a log: runs alone hold text."""

from __future__ import annotations

import pytest
from harness import Project
from scripted import ScriptedServer

SECRET = "Mrs Quillfeather"  # in every question and every answer

HELPER = """
def parse(text):
    return {"A": 1}[text]

def correct(parsed, expected):
    return parsed.missing

def score(answer):
    raise RuntimeError(answer.text)
"""


def leaky(project: Project, how: str) -> None:
    project.write("suites/helper.py", HELPER)
    suite = (project.root / "suites/test_triage.py").read_text()
    suite = suite.replace("import pytest\n", "import pytest\nimport helper\n")
    if how == "parse":
        suite = suite.replace(
            'parse=parse_label(["APPROVE", "DENY", "REVIEW"])', "parse=helper.parse"
        )
    elif how == "correct":
        suite = suite.replace("max_tokens=8", "max_tokens=8, correct=helper.correct")
    elif how == "score":
        suite = suite.replace("accuracy(answers))", "mean(answers, helper.score, failed=True))")
    project.write("suites/test_triage.py", suite)
    project.write("suites/prompts/triage.md", f"{SECRET} asks: {{{{text}}}}\n")


@pytest.mark.parametrize("how", ["parse", "correct", "score", "nothing"])
@pytest.mark.parametrize(
    "options", [(), ("-l", "--tb=long"), ("--tb=line",)], ids=["plain", "locals", "line"]
)
def test_failing_suite_code_does_not_print_texts(tmp_path, how, options):
    def reply(messages, payload):
        return "DENY" if how == "correct" else f"{SECRET} is well"

    with ScriptedServer(reply=reply) as server:
        project = Project(tmp_path, server.url)
        leaky(project, how)
        done = project.pytest("suites/", "--junitxml=j.xml", *options)
        assert done.returncode == 1
        told = done.stdout + done.stderr + (tmp_path / "j.xml").read_text()
        for page in tmp_path.glob("reports/decisions/*"):
            told += page.read_text()
        assert SECRET not in told
        assert "request <" not in told
        assert "request &lt;" not in told
        assert len(project.rows()) == 120  # the run itself does hold them


def test_gate_check_keeps_its_log_to_the_owner_and_free_of_texts(tmp_path):
    with ScriptedServer(reply=lambda messages, payload: f"{SECRET} is well") as server:
        project = Project(tmp_path, server.url)
        leaky(project, "parse")
        done = project.evalgate("gate", "check")
        assert done.returncode == 1
        log = tmp_path / "reports/logs/check.log"
        assert log.stat().st_mode & 0o777 == 0o600
        assert SECRET not in log.read_text() + done.stdout + done.stderr


def test_plan_names_the_kind_of_a_failure_not_its_words(tmp_path):
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    project.edit(
        "suites/test_triage.py", "accuracy(answers))", "{}[next(iter(answers)).input['text']])"
    )
    done = project.evalgate("plan")
    assert done.returncode == 2
    assert "EG503" in done.stderr
    assert "request <" not in done.stderr


def test_a_parser_written_in_the_suite_works(tmp_path):
    def reply(messages, payload):
        return "deny" if "<0001>" in messages[-1]["content"] else "?"

    with ScriptedServer(reply=reply) as server:
        project = Project(tmp_path, server.url)
        project.edit(
            "suites/test_triage.py",
            "SUITE = Suite(",
            "def upper(text):\n    return text.upper()\n\n\nSUITE = Suite(",
        )
        project.edit(
            "suites/test_triage.py",
            'parse=parse_label(["APPROVE", "DENY", "REVIEW"])',
            "parse=upper",
        )
        done = project.pytest("suites/", "-n", "2")
        assert "proven below" in done.stdout
        assert "another SUITE" not in done.stdout


def test_letters_beyond_ascii_in_a_slice_are_one_key_on_both_sides(tmp_path):
    from harness import gold_items, right_but

    items = [
        {**i, "tags": [t.replace("spanish", "español") for t in i["tags"]]} for i in gold_items()
    ]
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.gold(items)
        project.edit("gate.toml", "[spanish]", "[español]")
        project.edit("suites/test_triage.py", '["spanish"]', '["español"]')
        done = project.pytest()
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_report_that_cannot_be_written_is_infrastructure_not_a_traceback(tmp_path):
    from harness import right_but

    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.write("reports/decisions", "a file in the directory's place")
        done = project.pytest()
        assert done.returncode == 4, done.stdout + done.stderr
        assert "INTERNALERROR" not in done.stdout
        assert "EG501" in done.stdout + done.stderr
        assert project.evalgate("gate", "check").returncode == 4
        (tmp_path / "reports/logs").rename(tmp_path / "reports/old")
        project.write("reports/logs", "likewise")
        assert project.evalgate("gate", "check").returncode == 4
