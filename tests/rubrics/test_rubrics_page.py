"""docs/rubrics.md: its example loads without a warning, and it describes every key, check and code."""

import re
from pathlib import Path

import pytest
from rubric_files import told, write

from evalgate.authored import Criterion, Problems, explain, load_rubric
from evalgate.authored.rubric import Example
from evalgate.authored.rubric_file import HEAD_KEYS
from evalgate.authored.rubric_lint import lint
from evalgate.text.checks import CHECKS

PAGE = (Path(__file__).parents[2] / "docs/rubrics.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))


def test_the_example_loads_without_a_problem_or_a_warning(tmp_path):
    ((name, text),) = EXAMPLES.items()
    problems = Problems()
    rubric = load_rubric(write(tmp_path, name, text), tmp_path, problems)
    assert told(problems) == []
    assert lint(rubric) == ()
    assert len(rubric.criteria) == 5


@pytest.mark.parametrize(
    "name", [*HEAD_KEYS, *Criterion.__struct_fields__, *Example.__struct_fields__, *CHECKS]
)
def test_every_key_and_check_is_described(name):
    assert f"`{name}`" in re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)


def test_every_code_that_is_shown_is_explained():
    codes = set(re.findall(r"EG\d{3}", PAGE))
    assert codes
    assert all(explain(code) for code in codes)
