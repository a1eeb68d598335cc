"""The measuring script of proof works on small sizes; how fast it finds anything to be is never asserted."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("ledger_bench.py")


def test_ledgers_and_hashing_are_measured_beside_their_floors(tmp_path):
    file = tmp_path / "weights.gguf"
    file.write_bytes(b"GGUF" * 250_000)
    command = [sys.executable, str(SCRIPT), "--entries", "3,25", "--times", "1", "--file", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # the ledgers it built were verified by the command
    lines = done.stdout.splitlines()
    assert [line.split("|")[1].strip() for line in lines if line.startswith(("| 3 ", "| 25 "))] == ["3", "25"]  # fmt: skip
    assert any(line.startswith("| weights.gguf, 1 MB |") for line in lines)
    assert any(line.startswith("| evalgate.digest.of_file |") for line in lines)
    assert any(line.startswith("| sha256sum |") for line in lines)
