"""The measuring script of leakage works on small sizes; how fast anything is found is never asserted."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("leakage.py")


def test_contestants_are_measured_and_find_what_was_planted():
    only = ["--only", "documents,hash,tuples,index,check"]
    command = [sys.executable, SCRIPT, "--cost", "--documents", "300", "--recall", "--items", "5"]
    done = subprocess.run([*command, *only], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name in ("plain set of 13-gram tuples", "evalgate, exact index", "evalgate, all of data"):
        (row,) = (line for line in lines if line.startswith(f"| {name}"))
        assert row.endswith("| 250 of 250 | 0 |")
    assert any(line.startswith("| verbatim | 5 of 5 |") for line in lines)
