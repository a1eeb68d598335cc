"""The shortlist on the packaged models, with their real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import real_shortlist
from real_shortlist import GEMMA, ROOT, SMOLLM2

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None or not (ROOT / SMOLLM2).is_file(),
        reason="the embedded extra or the imported weights of SmolLM2 are missing",
    ),
]


def shortlist(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "evalgate", "models", "shortlist", *args]
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)


def test_a_context_that_is_too_small_excludes_a_model_after_counting_and_before_asking(tmp_path):
    real_shortlist.make(tmp_path, weights=(SMOLLM2,))
    for name, old, new in (
        ("evalgate.toml", '"1024", "--parallel", "2"]', '"256", "--parallel", "1", "--threads", "1"]'),
        ("suites/test_kind.py", "max_tokens=6", "max_tokens=200"),
        ("suites/test_member.py", "max_tokens=24", "max_tokens=200"),
    ):  # fmt: skip
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new))
    done = shortlist(tmp_path, "smollm2", "--json")
    assert (done.returncode, "EG964" in done.stderr) == (1, True)
    (one,) = json.loads(done.stdout)["excluded"]
    assert (one["code"], one["outage"]) == ("EG350", False)
    assert {reason.split(":")[0] for reason in one["reasons"]} == {"goldsets/kind.jsonl", "goldsets/member.jsonl"}  # fmt: skip
    assert "expected at most 256" in one["reasons"][0]
    assert not list(tmp_path.glob("reports/runs/*/*/answers.jsonl"))


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / GEMMA).is_file(), reason="the imported weights of Gemma are missing")  # fmt: skip
def test_equal_weights_tie_damaged_ones_lose_and_gemmas_licence_keeps_it_out(tmp_path):
    real_shortlist.make(tmp_path)
    done = shortlist(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {base["name"]: base["rank"] for base in told["bases"]} == {
        "smollm2": 1,
        "smollm2-cached": 1,
        "smollm2-damaged": 3,
    }
    assert all(base["context"] == 8192 for base in told["bases"])
    (gemma,) = told["excluded"]
    assert (gemma["name"], gemma["code"], gemma["outage"]) == ("gemma3-270m", "EG923", False)
    assert "counsel has to clear this row" in gemma["reasons"][0]
    logs = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("reports/logs/*")}
    assert not any("gemma" in name for name in logs), "its server was never started"
    again = json.loads(shortlist(tmp_path, "--json").stdout)
    assert {**again, "made": "", "sum": ""} == {**told, "made": "", "sum": ""}
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("reports/logs/*")} == logs
