"""What the documents tell people to write works as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from harness import Project
from scripted import ScriptedServer

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(name: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))


def test_the_task_of_the_ten_minute_page_loads_plans_and_opens(tmp_path):
    """Its files, taken from the page, with as many items as it asks for."""
    found = blocks("docs/add_a_task.md")
    lines = next(text for kind, text in found if kind == "jsonl").strip().splitlines()
    card, table, rubric, row = (text for kind, text in found if kind == "toml")
    prompt = next(text for kind, text in found if kind == "markdown")
    suite, judged, own_metric = (text for kind, text in found if kind == "python")

    def reply(messages, payload):
        return "NOW" if "chest" in messages[-1]["content"] else "LATER"

    with ScriptedServer(reply=reply) as server:
        project = Project(tmp_path, server.url)
        for stale in ("suites/test_triage.py", "goldsets/triage.jsonl", "goldsets/triage.toml"):
            (tmp_path / stale).unlink()
        now, later = (json.loads(line) for line in lines)
        items = [
            {**(now if n % 2 else later), "id": f"u-{n}", "unit": f"m-{n}"} for n in range(130)
        ]
        for item in items[:120]:
            item["tags"] = [*item.get("tags", []), "judged"]
        project.write("goldsets/urgency.jsonl", "".join(json.dumps(i) + "\n" for i in items))
        project.write("goldsets/urgency.toml", card)
        project.write("suites/prompts/urgency.md", prompt)
        project.write("suites/test_urgency.py", suite)
        project.write("gate.toml", "[gate]\nalpha = 0.05\n\n" + table)
        checked = project.evalgate("gold", "check")
        assert checked.returncode == 0, checked.stderr
        planned = project.evalgate("plan")
        assert planned.returncode == 0, planned.stdout + planned.stderr
        done = project.evalgate("gate", "check")
        assert done.returncode == 0, done.stdout + done.stderr
        project.write("rubrics/urgency.toml", rubric)
        project.write("suites/test_urgency.py", suite + judged)
        project.write("gate.toml", "[gate]\nalpha = 0.05\n\n" + table + row)
        judged_too = project.evalgate("plan")
        assert judged_too.returncode == 0, judged_too.stdout + judged_too.stderr
        assert "rubric_pass_rate[judged]" in judged_too.stdout
        assert "EG661" in project.evalgate("gate", "check").stderr, "nobody judges by default"
    assert "mean(answers" in own_metric


def test_the_readmes_suite_and_thresholds_are_those_of_a_real_project(tmp_path):
    found = blocks("README.md")
    suite = next(text for kind, text in found if kind == "python")
    gate = next(text for kind, text in found if kind == "toml")
    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    (tmp_path / "suites/test_triage.py").unlink()
    for name in (
        "goldsets/claim_entities.jsonl",
        "goldsets/claim_entities.toml",
        "suites/prompts/claim_entities.md",
    ):
        project.write(name, (ROOT / name).read_text(encoding="utf-8"))
    project.write("suites/test_claim_entities.py", suite)
    project.write("gate.toml", gate)
    done = project.evalgate("plan")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "page",
    sorted(
        p.relative_to(ROOT).as_posix() for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    ),
)
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert "://" in target or (path.parent / target).exists(), target
