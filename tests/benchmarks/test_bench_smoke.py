"""`make bench` works; how fast it finds evalgate to be is never asserted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPO = HERE.parents[1]
YARDSTICKS = Path(os.environ.get("EVALGATE_BENCH") or REPO.parent / "shared" / "bench")
HAS_THEM = (YARDSTICKS / "measure.py").is_file()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_THEM, reason="the yardstick folder is absent; set EVALGATE_BENCH to it")
@pytest.mark.skipif(not shutil.which("taskset"), reason="taskset is absent")
def test_the_quick_mode_measures_every_yardstick():
    done = subprocess.run(
        [sys.executable, str(HERE / "bench.py"), "--quick"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| T")]
    names = {line.split("|")[1].strip() for line in rows}
    assert names == {f"T{n}" for n in range(1, 14)}


def test_without_the_yardsticks_it_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, str(HERE / "bench.py"), "--quick"],
        env=os.environ | {"EVALGATE_BENCH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "EVALGATE_BENCH" in done.stderr


def test_the_fixed_script_refuses_what_it_cannot_run(tmp_path):
    script = str(HERE / "run_evalgate.sh")
    done = subprocess.run([script, "7"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr
    done = subprocess.run(
        [script, "7", str(tmp_path / "out"), "2", "v1"],
        env=os.environ | {"BENCH_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "gold_7.jsonl" in done.stderr
