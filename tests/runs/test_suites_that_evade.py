"""Suites that exit, skip themselves or count only what suits them: the commands beside the gate believe them no more."""

from __future__ import annotations

import pytest
from harness import SUITE
from run_shelf import answered, project_of

from evalgate.errors import UsageError
from evalgate.gate.compare import compare
from evalgate.gate.planning import plan_rows
from evalgate.suite import load_project

ACCURACY = "    assert threshold.met_by(accuracy(answers))\n"
TEXT = 'next(iter(answers)).input["text"]'


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two models with answers; the new one is wrong about forty items."""
    made = project_of(tmp_path_factory.mktemp("evading"))
    made.edit("goldsets/triage.jsonl", "of member 0", "of Zaphodine Quillon")
    answered(made, "old")
    answered(made, "new", set(range(40, 80)))
    return made


def suite(project, old, new):
    assert SUITE.count(old) == 1
    project.write("suites/test_triage.py", SUITE.replace(old, new))


AT_IMPORT = {
    "exits with 0": "raise SystemExit(0)",
    "exits with a text": "raise SystemExit(open('goldsets/triage.jsonl').readline())",
    "is skipped": "pytest.skip(open('goldsets/triage.jsonl').readline(), allow_module_level=True)",
    "fails with a text": "raise ValueError(open('goldsets/triage.jsonl').readline())",
    "imports a text": "raise ImportError(open('goldsets/triage.jsonl').readline())",
    "parses a text": "import ast; ast.literal_eval(open('goldsets/triage.jsonl').readline()[3:])",
}


@pytest.mark.parametrize("line", AT_IMPORT.values(), ids=AT_IMPORT)
def test_a_suite_that_does_not_end_its_import_is_a_usage_error_without_its_words(project, line):
    suite(project, "import pytest\n", f"import pytest\n{line}\n")
    for command in (("gold", "check"), ("plan",), ("run", "diff", "old", "new")):
        done = project.evalgate(*command)
        assert done.returncode == 2, (command, done.stdout + done.stderr)
        assert "suites/test_triage.py:3: EG206 found " in done.stderr
        assert "Zaphodine" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("from evalgate import accuracyy", ": cannot import name 'accuracyy' from 'evalgate', exp"),
        ("import evalgate_of_nowhere", "No module named 'evalgate_of_nowhere'"),
        ("accuracyy", "NameError: name 'accuracyy' is not defined"),
        ("def (", "SyntaxError: invalid syntax"),
        ("from evalgate import Suite; Suite('a', gold='g')", "missing 1 required keyword-only arg"),
        ("from evalgate import Suite; Suite('a', gold='g', prompt='p', max_tokens=0)", "max_tokens = 0"),
    ],
)  # fmt: skip
def test_what_an_import_says_of_the_program_itself_is_shown_with_its_line(project, line, says):
    suite(project, "import pytest\n", f"import pytest\n{line}\n")
    done = project.evalgate("gold", "check")
    assert done.returncode == 2
    assert "suites/test_triage.py:3: EG206 found " in done.stderr
    assert says in done.stderr


IN_A_TEST = {
    "exits": "import sys; sys.exit(0)",
    "exits with a text": f"raise SystemExit({TEXT})",
    "skips itself": f"pytest.skip({TEXT})",
    "fails itself": f"pytest.fail({TEXT})",
    "scores with an exit": "threshold.met_by(mean(answers, lambda a: exit()))",
    "scores with a skip": f"threshold.met_by(rate(answers, lambda a: pytest.skip({TEXT})))",
}


@pytest.mark.parametrize("line", IN_A_TEST.values(), ids=IN_A_TEST)
def test_a_test_that_exits_or_skips_is_a_usage_error_without_its_words(project, line):
    suite(project, ACCURACY, f"    {line}\n")
    for command in (("plan",), ("run", "diff", "old", "new")):
        done = project.evalgate(*command)
        assert done.returncode == 2, (command, done.stdout + done.stderr)
        assert "suites/test_triage.py: EG503 found " in done.stderr
        assert "in test_accuracy on " in done.stderr
        assert "Zaphodine" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_correct_that_exits_is_named_with_its_item_and_does_not_end_a_command(project):
    suite(project, "    max_tokens=8,\n", "    max_tokens=8,\n    correct=lambda parsed, right: exit(),\n")  # fmt: skip
    done = project.evalgate("run", "diff", "old", "new")
    assert done.returncode == 2
    assert "EG503 found SystemExit in the suite's correct at the item t-0000" in done.stderr
    shown = project.evalgate("run", "show", "old")
    assert shown.returncode == 0
    assert "statuses            unknown: item t-0000: found SystemExit in" in shown.stdout


def test_a_parser_that_exits_over_an_expected_value_is_named_by_the_items_line(project):
    suite(project, "SUITE = Suite(", (
        "class Parser:\n    id = 'own'\n    def __call__(self, text):\n        return text\n"
        "    def gold(self, expected):\n        raise SystemExit('Zaphodine')\n\nSUITE = Suite("))  # fmt: skip
    project.edit("suites/test_triage.py", 'parse=parse_label(["APPROVE", "DENY", "REVIEW"])', "parse=Parser()")  # fmt: skip
    done = project.evalgate("gold", "check")
    assert done.returncode == 2
    assert "goldsets/triage.jsonl:1: EG208 found an expected value that the suite cannot parse: SystemExit in its parser" in done.stderr  # fmt: skip
    assert "Zaphodine" not in done.stdout + done.stderr


def test_a_foreign_exit_anywhere_else_is_an_internal_error_without_its_words(project):
    """Where no suite code should run: in the values of a parametrised test, which are compared with a row's name."""
    suite(project, '@pytest.mark.parametrize("tag", ["spanish"])', (
        "class Tag:\n    def __str__(self):\n        raise SystemExit(0)\n    __repr__ = __str__\n\n"
        '@pytest.mark.parametrize("tag", [Tag()])'))  # fmt: skip
    done = project.evalgate("plan")
    assert done.returncode == 70
    assert "evalgate: internal error, SystemExit. This is no verdict." in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in project.evalgate("plan", "-v").stderr


MARKS = {
    "xfail": ("def test_accuracy(", "@pytest.mark.xfail\ndef test_accuracy("),
    "skip": ("def test_accuracy(", "@pytest.mark.skip\ndef test_accuracy("),
    "skipif": ("def test_accuracy(", "@pytest.mark.skipif(True, reason='')\ndef test_accuracy("),
}


def rows_of(project):
    loaded = load_project(project.root)
    result = compare(loaded, "old", ["new"])
    return result, {row.test: row for row in result.suites[0].claims}, loaded


@pytest.mark.parametrize("mark", MARKS)
def test_a_test_that_the_gate_would_pass_over_has_no_finding_and_no_power(project, mark):
    suite(project, *MARKS[mark])
    result, rows, loaded = rows_of(project)
    assert rows["accuracy"].levels == (None, None)
    assert rows["accuracy"].note == f"no finding on old, new: its test is marked {mark}"
    assert rows["accuracy"].shifts[1].difference is None
    assert rows["failed_rate"].levels[1].status == "pass"
    assert result.verdicts == (None, None)
    (planned,) = [row for row in plan_rows(loaded) if row.test == "accuracy"]
    assert (planned.power, planned.note) == (0.0, f"its test is marked {mark}")


@pytest.mark.parametrize("value", ["pytest.mark.xfail", "[pytest.mark.skip]"])
def test_a_mark_on_the_module_takes_all_its_findings(project, value):
    suite(project, "SUITE = Suite(", f"pytestmark = {value}\nSUITE = Suite(")
    _, rows, _ = rows_of(project)
    assert all(level is None for row in rows.values() for level in row.levels)
    assert "its test is marked " in rows["accuracy_vs_baseline"].note


def test_answers_that_a_test_left_out_are_no_finding_on_that_side(project):
    suite(project, "met_by(accuracy(answers))", "met_by(accuracy([a for a in answers if a.correct]))")  # fmt: skip
    result, rows, _ = rows_of(project)
    assert rows["accuracy"].levels[1] is None
    assert "no finding on new: the finding accounts for 80 items, expected exactly the 120" in rows["accuracy"].note  # fmt: skip
    assert rows["accuracy"].shifts[1].difference is None
    assert result.verdicts[1] is None
    done = project.evalgate("run", "diff", "old", "new")
    assert "accuracy: no finding on new: " in done.stdout


def test_a_first_releases_finding_beside_a_baseline_is_none(project):
    suite(project, "paired_difference(accuracy, answers, baseline)", (
        "paired_difference(accuracy, answers, type('None', (), {'first_release': True})())"))  # fmt: skip
    _, rows, _ = rows_of(project)
    assert rows["accuracy_vs_baseline"].levels == (None, None)
    assert "a first-release finding beside a baseline" in rows["accuracy_vs_baseline"].note


@pytest.mark.parametrize(
    ("lines", "given"),
    [
        ("    threshold.met_by(accuracy(answers))\n" + ACCURACY, "Estimate and Estimate"),
        ("    pass\n", "nothing"),
        ("    assert threshold.met_by(1.0)\n", "float"),
    ],
    ids=["two", "none", "a number"],
)
def test_a_test_states_exactly_one_claim(project, lines, given):
    suite(project, ACCURACY, lines)
    loaded = load_project(project.root)
    for look in (lambda: compare(loaded, "old", ["new"]), lambda: plan_rows(loaded)):
        with pytest.raises(UsageError, match=f"EG503 found {given} given to met_by in test_acc"):
            look()
