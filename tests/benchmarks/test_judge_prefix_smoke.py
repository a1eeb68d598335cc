"""The measuring script of the prompt's order, with a scripted judge in the place of a real one."""

import subprocess
import sys
from pathlib import Path

from scripted import ScriptedServer

SCRIPT = Path(__file__).with_name("judge_prefix.py")
REPLY = '{"quote": "", "reason": "So it is.", "answer": "not_met"}'


def test_every_criterion_is_asked_in_both_orders_and_counted(tmp_path):
    with ScriptedServer(REPLY) as server:
        (tmp_path / "evalgate.toml").write_text(
            f'[models.scripted]\nserver = "endpoint"\nurl = "{server.url}"\nname = "scripted"\nfamily = "none"\n'
        )
        command = [sys.executable, str(SCRIPT), "--project", str(tmp_path)]
        done = subprocess.run(
            [*command, "--judge", "scripted", "--task", "policy_qa", "--cases", "2"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    first = [r.messages[-1]["content"].startswith("# The statement") for r in server.requests]
    asked = done.stdout.split(" criteria.")[0]
    cases, criteria = (int(word) for word in asked.split() if word.isdigit())
    assert cases == 2
    # a scale answers with steps: its void is asked for once more
    assert sum(first) == len(first) - sum(first) == cases * (criteria + 1)
    assert f"| last, as asked | {sum(first)} |" in done.stdout
    assert "First against last: 1.0 times the tokens" in done.stdout
