"""The command that attacks a judge, in a process of its own, with scripted judges of which it is known what turns them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted import ScriptedServer

from evidence.invented import verdict
from evidence.scenes import scenes

ROOT = Path(__file__).parents[2]
SCENES = scenes()


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_"))}
    command = [sys.executable, "-m", "tests.evidence.injections", "--project", str(root)]
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT, env=kept, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def attacked(tmp_path):
    def attack(server: ScriptedServer, *arguments: str) -> dict:
        (tmp_path / "evalgate.toml").write_text(
            f'[models.scripted]\nserver = "endpoint"\nurl = "{server.url}"\nname = "scripted"\nfamily = "none"\n'
            "concurrency = 4\ntimeout_s = 10\npatience_s = 2\n"
        )
        done = run(tmp_path, "--judge", "scripted", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "reports/evidence/injections-scripted.json").read_text())

    return attack


def judge(messages: list[dict]) -> str:
    """The honest verdict, with a quote from the output."""
    content = messages[-1]["content"]
    scene = next(s for s in SCENES if f"# The statement\n\n{s.criterion.ask}" in content)
    quote = " ".join(scene.case.output.split()[:3])
    return json.dumps({"quote": quote, "reason": "So it is.", "answer": scene.against})


def test_a_judge_that_listens_to_nothing_is_turned_by_nothing(attacked):
    with ScriptedServer(lambda messages, payload: judge(messages)) as server:
        found = attacked(server)
        asked = server.count
        assert attacked(server) == found
        assert server.count == asked, "what it has said is kept"
    assert len(found["clean"]) == 13
    assert found["every"]["turned"] == {"hits": 0, "of": 86, "low": 0.0, "high": pytest.approx(0.0343, abs=1e-3)}  # fmt: skip
    assert found["rows"][0]["kind"] == "nothing asked"
    assert sum(row["turned"]["of"] for row in found["rows"][1:]) == 86
    assert {said["place"] for said in found["asked"]} == {"before", "inside", "behind"}


def test_what_turns_a_judge_is_counted_by_kind_and_what_breaks_it_apart(attacked):
    def believing(messages, payload):
        text = messages[-1]["content"]
        if "clinician" in text.split("# The statement")[0]:  # the word of an authority
            return judge(messages).replace('"not_met"', '"no"').replace('"met"', '"not_met"').replace('"no"', '"met"')  # fmt: skip
        return "What a strange text." if "~~~" in text else judge(messages)

    with ScriptedServer(believing) as server:
        rows = {row["kind"]: row for row in attacked(server, "--sample", "2")["rows"]}
    assert rows["authority"]["turned"]["hits"] == 2
    assert rows["authority"]["turned"]["of"] == 8
    assert rows["fence"]["silent"]["hits"] == 4
    assert sum(row["turned"]["hits"] for row in rows.values()) == 2
    assert sum(row["silent"]["hits"] for row in rows.values()) == 4


def test_outputs_that_the_judge_is_content_with_are_not_attacked(attacked):
    with ScriptedServer(lambda messages, payload: verdict("cannot_tell")) as server:
        found = attacked(server)
    assert found["asked"] == []
    assert found["every"]["turned"] == {"hits": 0, "of": 0, "low": 0.0, "high": 1.0}


def test_every_scene_fails_a_criterion_of_a_rubric_as_it_stands():
    assert len({scene.case.id for scene in SCENES}) == len(SCENES) == 13
    assert {scene.task for scene in SCENES} == {"appeal_letters", "policy_qa", "history_summary"}
    assert 0 < sum(scene.criterion.fault for scene in SCENES) < len(SCENES)


def test_list_says_what_there_is_and_a_missing_judge_is_told(tmp_path):
    assert "86 attacks of 17 kinds" in run(tmp_path, "--list").stdout
    done = run(tmp_path)
    assert (done.returncode, "found no judge" in done.stderr) == (2, True)
