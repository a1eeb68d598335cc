"""The command in a process of its own, with a scripted judge behind a real server and invented sources."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted import ScriptedServer

from evidence.invented import people_say, public_data, verdict

ROOT = Path(__file__).parents[2]
CRITERIA = ["says-it", "false-fact", "covers-half", "clinical-error", "supported", "better", "follows", "declines"]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return public_data(tmp_path_factory.mktemp("public"))


class Desk:
    """A project with one scripted judge, and the command run on it."""

    def __init__(self, root: Path, data: Path, url: str) -> None:
        self.root = root
        self._data = data
        (root / "evalgate.toml").write_text(
            f'[models.strict]\nserver = "endpoint"\nurl = "{url}"\nname = "strict"\nfamily = "scripted"\n'
            "concurrency = 4\ntimeout_s = 10\npatience_s = 2\n"
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_"))}
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.evidence.qualify",
                "--project",
                str(self.root),
                *arguments,
            ],
            cwd=ROOT,
            env={**kept, "EVALGATE_PUBLIC_DATA": str(self._data), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def qualify(self, *arguments: str) -> dict[str, dict]:
        done = self.run("--judge", "strict", *arguments)
        assert done.returncode == 0, done.stderr
        self.printed = done.stdout + done.stderr
        written = json.loads((self.root / "reports/evidence/strict.json").read_text())
        return {row["report"]["criterion"]: row for row in written["rows"]}


@pytest.fixture
def desk(tmp_path, data):
    return lambda server: Desk(tmp_path, data, server.url)


def test_a_judge_that_says_what_people_say_agrees_throughout_and_keeps_to_its_answers(desk):
    with ScriptedServer(lambda messages, payload: verdict(people_say(messages))) as server:
        at = desk(server)
        rows = at.qualify("--repeated", "4", "--repeats", "2")
    assert list(rows) == CRITERIA
    for row in rows.values():
        agreement = row["report"]["agreement"]
        assert agreement["hits"] == agreement["of"] == row["items"]
        assert row["report"]["flips"]["hits"] == 0
        assert row["report"]["flips"]["of"] == 4
    right = rows["better"]["pairs"]["right"]
    assert right["hits"] == right["of"] == 24
    assert rows["says-it"]["report"]["clinicians"]["human"] < 1  # one physician of three dissents
    assert rows["clinical-error"]["report"]["clinicians"] is None
    no_text_of_the_sources_is_outside_the_runs(at)


def no_text_of_the_sources_is_outside_the_runs(at: Desk) -> None:
    kept = [p for p in at.root.rglob("*") if p.is_file() and "verdicts" not in p.parts]
    assert {"strict.json", "strict.md"} <= {p.name for p in kept}
    assert "secret" not in at.printed
    assert all("secret" not in p.read_text() for p in kept)


def test_a_judge_that_always_says_met_finds_every_fault_and_nothing_else(desk):
    with ScriptedServer(verdict("met")) as server:
        rows = desk(server).qualify(
            "--repeats", "1", "--sources", "medec-ms", "expertqa-health", "llmbar"
        )
    fault, duty = rows["clinical-error"]["report"], rows["supported"]["report"]
    assert (fault["found"]["hits"], fault["recognised"]["hits"]) == (6, 0)
    assert (duty["found"]["hits"], duty["recognised"]["hits"]) == (0, 6)
    assert fault["flips"] is None
    assert rows["better"]["pairs"]["tied"] == 24
    assert rows["better"]["pairs"]["positions"]["last"] == 24
    assert all(row["report"]["standing"] != "decides" for row in rows.values())


def test_prose_and_indecision_are_shown_and_agree_with_nobody(desk):
    def reply(messages, payload):
        return "I would say it is met." if people_say(messages) == "met" else verdict("cannot_tell")

    with ScriptedServer(reply) as server:
        rows = desk(server).qualify("--repeats", "1", "--sources", "llmbar")
    for row in rows.values():
        assert row["report"]["agreement"]["hits"] == 0
        assert sum(row["report"]["unscored"].values()) == row["report"]["labelled"] == row["items"]
    assert rows["better"]["pairs"]["undecided"] == 24


def test_started_again_it_asks_nothing_and_a_larger_sample_asks_only_what_is_new(desk):
    with ScriptedServer(lambda messages, payload: verdict(people_say(messages))) as server:
        at = desk(server)
        small = ("--sample", "4", "--repeats", "1", "--sources", "k-qa", "xstest")
        first = at.qualify(*small)
        asked = server.count
        assert asked == 8
        assert at.qualify(*small) == first
        assert server.count == asked
        at.qualify("--sample", "6", "--repeats", "1", "--sources", "k-qa", "xstest")
        assert server.count == 12


def test_the_list_counts_what_would_be_asked_and_asks_nothing(desk):
    with ScriptedServer(verdict("met")) as server:
        done = desk(server).run("--list", "--sample", "4")
        assert server.count == 0
    assert done.returncode == 0, done.stderr
    assert all(criterion in done.stdout for criterion in CRITERIA)
    assert done.stdout.splitlines()[-1].strip() == "96 questions"  # 8 criteria, 4 items, 3 times


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--judge", "strickt"], "strict"),
        ([], "--judge"),
        (["--judge", "strict", "--sample", "0"], "1 or more"),
        (["--judge", "strict", "--sources", "kqa"], "k-qa"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(desk, arguments, told):
    with ScriptedServer(verdict("met")) as server:
        done = desk(server).run(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
