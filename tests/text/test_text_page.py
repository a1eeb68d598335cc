"""docs/text.md names every function, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

from evalgate import Answer, text

PAGE = (Path(__file__).parents[2] / "docs" / "text.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page_run():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "docs/text.md", "exec"), names)
    answer = Answer(
        id="1", unit="1", tags=(), input={"history": "Metformin 500 mg."}, expected={"facts": [[["metformin"]]]},
        text="Metformin 850 mg.", parsed="", status="ok", correct=True,
    )  # fmt: skip
    assert names["covered"](answer) == 1
    assert names["invents_number"](answer)


def test_the_table_names_every_function():
    assert set(re.findall(r"^\| `(\w+)\(", PAGE, flags=re.MULTILINE)) == set(text.__all__)


def test_citations_are_those_that_the_page_shows():
    assert text.citations("Covered [4.2], see [P3, 4.3].") == ["4.2", "P3", "4.3"]
