"""The page about metrics says what is so."""

import re
from pathlib import Path

from metric_rows import answer, binary

from evalgate import metrics as m

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_example_runs_clusters_and_is_paired():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "docs/metrics.md", "exec"), names)
    rows = binary(60, 0)
    assert names["deadline_score"](rows).value == 0.0
    assert m.paired_difference(names["deadline_score"], rows, rows).difference


def test_the_table_names_every_metric():
    metrics = {"accuracy", "recall", "precision", "f1", "macro_f1", "rate", "mean", "must_pass"}
    assert all(f"`{name}(answers" in PAGE for name in metrics)
    assert "`paired_difference(" in PAGE


def test_the_number_of_units_is_the_one_in_force():
    assert f"with fewer than {m.MIN_UNITS} units" in PAGE
    assert "(0.85)" in PAGE
    assert m.recall([answer(1, expected=[], parsed=[])], match="relaxed", similarity=0.85)
