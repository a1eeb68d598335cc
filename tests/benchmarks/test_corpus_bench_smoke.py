"""The measuring script of corpora works on a small size; how fast it finds anything to be is never asserted."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("corpus_bench.py")


def test_every_stage_is_measured_beside_the_floor():
    command = [sys.executable, str(SCRIPT), "--rows", "300"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # every stage has counted its rows
    stages = [line for line in done.stdout.splitlines() if line.endswith(" MiB |")]
    assert len(stages) == 11
    assert all(size in done.stdout for size in ("floor.jsonl: 0.", "jsonl: 0.", "parquet: 0."))
