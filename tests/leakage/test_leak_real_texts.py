"""Real texts of sources that have nothing to do with each other are clean, but for phrases that everybody says."""

import os
from pathlib import Path

import pytest
from real_texts import aci_bench, bc5cdr, mts_dialog, pubmedqa

from evalgate.corpus.leak.check import Leakage

VARIABLE = "EVALGATE_PUBLIC_DATA"
DATA = Path(os.environ.get(VARIABLE, ""))
pytestmark = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set")


@pytest.mark.parametrize(("rows_of", "gold_of"), [(mts_dialog, aci_bench), (pubmedqa, bc5cdr)])
def test_at_most_one_row_in_three_hundred_is_a_false_alarm(rows_of, gold_of):
    rows, gold = rows_of(DATA), gold_of(DATA)
    leakage = Leakage(gold)
    for row in rows:
        leakage.add(row)
    hits = {hit.row for hit in leakage.report(lambda: rows).hits if hit.gold is not None}
    assert len(rows) >= 1000
    assert len(hits) <= len(rows) / 300
