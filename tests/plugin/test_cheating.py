"""The cheating list: every known way around a claim, serial and under xdist. None opens the gate.

`python tests/plugin/test_cheating.py` prints the table of row, exit code and message for docs/cheating.md.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import marshal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # it is a script, too

from harness import GATE, LABELS, SUITE, Project, gold_items, right_but
from scripted import ScriptedServer

NOBODY = set()
MANY = set(range(10, 90))


@dataclasses.dataclass
class Cheat:
    """One row: what is done to a project that would (or would not) pass, and what must come of it."""

    name: str
    exits: set[int]
    says: str
    act: Callable[[Project], None] = lambda project: None
    args: tuple[str, ...] = ("suites/",)
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    wrong: set[int] = dataclasses.field(default_factory=lambda: NOBODY)
    reply: Callable | None = None
    before: tuple[str, ...] | None = None  # a first pytest run
    replies: Callable[[Project], Callable] | None = (
        None  # a model that knows the project it is asked by
    )
    python: tuple[str, ...] = ()


def suite(old: str, new: str) -> Callable[[Project], None]:
    return lambda project: project.edit("suites/test_triage.py", old, new)


def gate(old: str, new: str) -> Callable[[Project], None]:
    return lambda project: project.edit("gate.toml", old, new)


def conftest(text: str) -> Callable[[Project], None]:
    return lambda project: project.write("suites/conftest.py", text)


def both(*acts: Callable[[Project], None]) -> Callable[[Project], None]:
    def act(project: Project) -> None:
        for one in acts:
            one(project)

    return act


def rename(project: Project) -> None:
    (project.root / "suites/test_triage.py").rename(project.root / "suites/test_other.py")


def edit_an_answer(project: Project) -> None:
    for path in project.root.glob("reports/runs/*/*/answers.jsonl"):
        path.write_text(path.read_text().replace('"text":"DENY"', '"text":"SURE"', 1))


def drop_answers(project: Project) -> None:
    for path in project.root.glob("reports/runs/*/*/answers.jsonl"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[30:]))


def nested_project(project: Project) -> None:
    """A project of one's own thresholds brought along inside suites/."""
    inner = project.root / "suites"
    for name in ("gate.toml", "evalgate.toml", "goldsets/triage.jsonl", "goldsets/triage.toml", "suites/test_triage.py",
                 "suites/prompts/triage.md"):  # fmt: skip
        target = inner / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((project.root / name).read_text())
    (inner / "gate.toml").write_text(
        (project.root / "gate.toml").read_text().replace("0.85", "0.05")
    )


def forged_bytecode(project: Project) -> None:
    source = project.root / "suites/test_triage.py"
    lax = source.read_text().replace(
        "max_tokens=8", "max_tokens=8, correct=lambda parsed, expected: True"
    )
    code = compile(lax, str(source), "exec")
    body = (
        importlib.util.MAGIC_NUMBER
        + b"\3\0\0\0"
        + importlib.util.source_hash(source.read_bytes())
        + marshal.dumps(code)
    )
    for name in ("cpython-311", "cpython-311-pytest-9.2.0"):
        path = project.root / f"suites/__pycache__/test_triage.{name}.pyc"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)


def lower_the_bar_while_asking(name: str, old: str, new: str) -> Callable[[Project], Callable]:
    """The file is edited at the fifth question: the plan that was asked about is not the one that is evaluated."""

    def make(project: Project) -> Callable:
        answer, seen = right_but(MANY), []

        def reply(messages: list[dict], payload: dict) -> str:
            seen.append(1)
            if len(seen) == 5:
                project.edit(name, old, new)
            return answer(messages, payload)

        return reply

    return make


def finish(kind: str) -> Callable:
    """A model whose every second answer is cut off, filtered or refused."""
    right = right_but(set())

    def reply(messages: list[dict], payload: dict) -> object:
        text = right(messages, payload)
        if int(messages[-1]["content"].split("<")[1][:4]) % 2:
            return text
        if kind == "refusal":
            return "I'm sorry, but I can't help with that."
        if kind == "prose":
            return f"The answer is probably {text}, all things considered."
        return {"text": text, "finish_reason": kind}

    return reply


ACCURACY = "    assert threshold.met_by(accuracy(answers))"
CHEATS = [
    Cheat("forgotten assert", {1}, "forgotten assert", suite(ACCURACY, ACCURACY.replace("assert ", "")), wrong=MANY),
    Cheat("test without threshold", {1}, "EG221", suite("def test_must_pass", "def test_more(answers, threshold):\n    pass\n\ndef test_must_pass")),
    Cheat("threshold without test", {1}, "EG222", gate("failed_rate =", "speed = { min = 0.5 }\nfailed_rate =")),
    Cheat("renamed test", {1}, "EG221", suite("def test_accuracy(", "def test_accurate("), wrong=MANY),
    Cheat("deleted suite", {1}, "EG204", lambda p: (p.root / "suites/test_triage.py").unlink()),
    Cheat("renamed suite", {1}, "EG204", rename),
    Cheat("suite emptied", {1}, "EG222", suite("def test_", "def no_")),
    Cheat("suite without SUITE", {2}, "EG205", suite("SUITE = Suite(", "OTHER = Suite(")),
    Cheat("workflow left out", {1}, "EG204", lambda p: p.write("gate.toml", GATE + "\n[letters]\nquality = { min = 0.5 }\n")),
    Cheat("suite without a table", {1}, "EG223", lambda p: p.write("suites/test_letters.py", SUITE.replace('"triage"', '"letters"', 1))),
    Cheat("skip mark", {1}, "skipped", suite("def test_accuracy(", "@pytest.mark.skip\ndef test_accuracy("), wrong=MANY),
    Cheat("skip inside the test", {1}, "skipped", suite(ACCURACY, "    pytest.skip('later')"), wrong=MANY),
    Cheat("xfail mark", {1}, "expected to fail", suite("def test_accuracy(", "@pytest.mark.xfail\ndef test_accuracy("), wrong=MANY),
    Cheat("importorskip on the module", {1}, "did not run", suite("import pytest\n", "import pytest, sys\nif 'evalgate_suites' not in __name__: pytest.skip('x', allow_module_level=True)\n")),
    Cheat("-k", {1}, "did not run", args=("suites/", "-k", "failed_rate"), wrong=MANY),
    Cheat("-m", {1}, "did not run", args=("suites/", "-m", "nothing"), wrong=MANY),
    Cheat("--deselect", {1}, "did not run", args=("suites/", "--deselect", "suites/test_triage.py::test_accuracy"), wrong=MANY),
    Cheat("one test by id", {1}, "did not run", args=("suites/test_triage.py::test_failed_rate",), wrong=MANY),
    Cheat("--ignore", {1}, "did not run", args=("suites/", "--ignore", "suites/test_triage.py")),
    Cheat("-x", {1}, "did not run", args=("suites/", "-x"), wrong=MANY),
    Cheat("--lf", {1}, "did not run", args=("suites/", "--lf"), before=("suites/",), wrong=MANY),
    Cheat("rerun plugin", {1}, "more than once", args=("suites/", "--reruns", "2"), wrong=MANY),
    Cheat("--setup-plan", {1}, "without a finding", args=("suites/", "--setup-plan")),
    Cheat("PYTEST_ADDOPTS", {1}, "did not run", env={"PYTEST_ADDOPTS": "-k failed_rate"}, wrong=MANY),
    Cheat("-p no: the plugin", {1}, "", args=("suites/", "-p", "no:evalgate-release"), wrong=MANY),
    Cheat("python -O", {1}, "python -O", python=("-O",), wrong=MANY),
    Cheat("conftest resets the exit status", {1}, "decision: closed", conftest(
        "import pytest\n@pytest.hookimpl(wrapper=True, tryfirst=True)\ndef pytest_sessionfinish(session):\n    yield\n    session.exitstatus = 0\n"), wrong=MANY),
    Cheat("conftest resets it at unconfigure", {1}, "", conftest(
        "import os\ndef pytest_unconfigure(config):\n    os._exit(0)\n"), wrong=MANY),
    Cheat("conftest unregisters the controller", {1}, "", conftest(
        "def pytest_collection_modifyitems(config):\n    for name in ('evalgate-controller', 'evalgate-release'):\n        p = config.pluginmanager.get_plugin(name)\n        p and config.pluginmanager.unregister(p)\n"), wrong=MANY),
    Cheat("conftest leaves while being imported", {1}, "that is no yes", conftest("import os\nos._exit(0)\n"), wrong=MANY),
    Cheat("conftest deselects", {1}, "did not run", conftest(
        "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if 'failed_rate' in i.name]\n"), wrong=MANY),
    Cheat("conftest ignores the suite", {1}, "did not run", conftest("collect_ignore = ['test_triage.py']\n")),
    Cheat("conftest rewrites reports", {1}, "", conftest(
        "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n    r = yield\n    r.outcome = 'passed'\n    return r\n"), wrong=MANY),
    Cheat("met_by replaced", {1}, "without a finding", conftest(
        "from evalgate.pytest_plugin import fixtures\nfixtures.Threshold.met_by = lambda self, estimate: True\n"), wrong=MANY),
    Cheat("threshold fixture shadowed", {1}, "without a finding", conftest(
        "import pytest\nclass T:\n    def met_by(self, e): return True\n@pytest.fixture\ndef threshold(): return T()\n"), wrong=MANY),
    Cheat("pytest.exit(0) in a test", {1}, "did not run", suite(ACCURACY, "    pytest.exit('done', returncode=0)"), wrong=MANY),
    Cheat("os._exit(0) in a test", {1}, "", suite(ACCURACY, "    import os; os._exit(0)"), wrong=MANY),
    Cheat("sys.exit(0) in a test", {1}, "", suite(ACCURACY, "    import sys; sys.exit(0)"), wrong=MANY),
    Cheat("dead process", {1, -9, 137}, "", suite(ACCURACY, "    import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), wrong=MANY),
    Cheat("two findings in one test", {1}, "second finding", suite(ACCURACY, "    threshold.met_by(rate(answers, 'failed'))\n    assert threshold.met_by(accuracy(answers))")),
    Cheat("rows filtered by the suite", {1}, "accounts for", suite("accuracy(answers))", "accuracy([a for a in answers if a.correct]))"), wrong=MANY),
    Cheat("rows repeated by the suite", {1}, "", suite("accuracy(answers))", "accuracy([a for a in answers if a.correct] * 3))"), wrong=MANY),
    Cheat("a slice for the whole", {1}, "the row about the whole", suite("accuracy(answers))", "accuracy(answers, tag='must_pass'))"), wrong=MANY),
    Cheat("the whole for a slice", {1}, "the row about the slice", suite("accuracy(answers, tag=tag)", "accuracy(answers)")),
    Cheat("a made-up estimate", {1}, "met_by was given", suite("accuracy(answers))", "1.0)"), wrong=MANY),
    Cheat("another metric for must_pass", {1, 3}, "must_pass", suite("must_pass(answers)", "accuracy(answers)")),
    Cheat("NaN score", {1}, "", suite("accuracy(answers))", "mean(answers, lambda a: float('nan')))")),
    Cheat("NaN threshold", {2}, "gate.toml:6", gate("min = 0.85", "min = nan")),
    Cheat("typo in gate.toml", {2}, "mni", gate("min = 0.85", "mni = 0.85")),
    Cheat("threshold as text", {2}, "gate.toml:6", gate("min = 0.85", 'min = "0.85"')),
    Cheat("both min and max", {2}, "gate.toml:6", gate("min = 0.85", "min = 0.85, max = 0.9")),
    Cheat("a vacuous threshold", {2}, "gate.toml:6", gate("min = 0.85", "min = 0.0")),
    Cheat("gate.toml without thresholds", {2}, "gate.toml", lambda p: p.write("gate.toml", "[gate]\nalpha = 0.05\n")),
    Cheat("a suite without thresholds", {2}, "gate.toml", lambda p: p.write("gate.toml", "[gate]\nalpha = 0.05\n[triage]\n")),
    Cheat("a margin without an absolute bar", {2}, "accuracy_vs_baseline", gate("accuracy = { min = 0.85 }\n", "")),
    Cheat("ten identical pairs against a 1-point margin", {2}, "accuracy_vs_baseline", both(
        lambda p: p.gold(gold_items(10)), gate("min = -0.05", "min = -0.01"))),
    Cheat("candidate and baseline both at 0 %", {1}, "proven below", both(
        lambda p: p.models(scripted=p.url, other=p.url), gate("first_release = true", 'baseline = "other"')), wrong=set(range(120))),
    Cheat("timeouts, refusals: cut off at the limit", {1}, "proven below", reply=finish("length")),
    Cheat("cut off for a reason nobody knows", {1}, "proven below", reply=finish("abort")),
    Cheat("filtered by the server", {1}, "proven below", reply=finish("content_filter")),
    Cheat("refusals", {1}, "proven below", reply=finish("refusal")),
    Cheat("unparseable prose", {1}, "proven below", reply=finish("prose")),
    Cheat("edited answer", {5}, "EG402", edit_an_answer, before=("suites/",)),
    Cheat("dropped answers", {5}, "EG402", drop_answers, before=("suites/",)),
    Cheat("a project inside suites/", {1}, "decision: closed", nested_project, wrong=MANY),
    Cheat("a conftest above the project", {1}, "proven below", lambda p: (p.root.parent / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    for i in items:\n        vars(i.module.SUITE)['correct'] = lambda a, b: True\n"), wrong=MANY),
    Cheat("a suite changed by a hook", {1, 2}, "", conftest(
        "def pytest_collection_modifyitems(items):\n    for i in items:\n        i.module.SUITE.correct = lambda a, b: True\n"), wrong=MANY),
    Cheat("forged bytecode", {1}, "proven below", forged_bytecode, wrong=MANY),
    Cheat("a linked folder in suites/", {2}, "EG211", lambda p: (p.root / "suites/lib").symlink_to("/usr/lib")),
    Cheat("suite edited while asking", {5}, "EG502", replies=lower_the_bar_while_asking(
        "suites/test_triage.py", "max_tokens=8", "max_tokens=8, correct=lambda parsed, expected: True")),
    Cheat("gate.toml lowered while asking", {5}, "EG502", replies=lower_the_bar_while_asking("gate.toml", "min = 0.85", "min = 0.05")),
    Cheat("a comparison in the place of a level", {1}, "says otherwise", suite("def test_accuracy(answers, threshold):\n    assert threshold.met_by(accuracy(answers))",
        "def test_accuracy(answers, baseline, threshold):\n    assert threshold.met_by(paired_difference(accuracy, answers, baseline))"), wrong=MANY),
    Cheat("a level in the place of a comparison", {1}, "says otherwise", suite("paired_difference(accuracy, answers, baseline)", "accuracy(answers)")),
    Cheat("a suite in a subfolder", {1}, "EG223", lambda p: p.write("suites/team/test_more.py", SUITE)),
    Cheat("a test file that cannot be collected", {1}, "cannot be collected", lambda p: p.write("suites/team/test_more.py", "import nothing_like_it\n")),
    Cheat("two projects at once", {2}, "EG224", lambda p: Project(p.root / "other", p.url), args=("suites/", "other/suites/")),
    Cheat("--partial from the environment", {2}, "EG225", env={"PYTEST_ADDOPTS": "--partial -k failed_rate"}, wrong=MANY),
    Cheat("--candidate from an ini file", {2}, "EG225", lambda p: p.write("pytest.ini", "[pytest]\naddopts = --candidate scripted\n")),
    Cheat("--collect-only from the environment", {1}, "no decision", env={"PYTEST_ADDOPTS": "--collect-only"}, wrong=MANY),
    Cheat("a plugin from the environment", {1}, "PYTEST_PLUGINS", env={"PYTEST_PLUGINS": "json"}),
    Cheat("another unit test fails", {1}, "other tests", lambda p: p.write("tests/test_unit.py", "def test_x():\n    assert False\n"), args=(".",)),
    Cheat("a file that bears a model's name", {2}, "EG303", lambda p: p.write("evil/scripted.gguf", "no weights"), args=("suites/", "--candidate", "evil/scripted.gguf")),
    Cheat("answers under another model's name", {4}, "EG312 found an answer of the model", reply=lambda messages, payload: {
        "text": right_but(set())(messages, payload), "model": "somebody-else"}),
]  # fmt: skip


def cheat(row: Cheat, root: Path, xdist: bool):
    script: list[Callable] = [row.reply or right_but(row.wrong)]
    with ScriptedServer(reply=lambda messages, payload: script[0](messages, payload)) as server:
        project = Project(root, server.url)
        if row.replies:
            script[0] = row.replies(project)
        project.url = server.url
        if row.before:
            project.pytest(*row.before)
        row.act(project)
        spread = ("-n", "4") if xdist else ()
        return project.run(
            sys.executable, *row.python, "-m", "pytest", *row.args, *spread, **row.env
        )


@pytest.mark.parametrize(
    "xdist", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["serial", "n4"]
)
@pytest.mark.parametrize("row", CHEATS, ids=[c.name for c in CHEATS])
def test_no_way_to_cheat_opens_the_gate(tmp_path, row, xdist):
    (tmp_path / "p").mkdir()  # some rows put files above the project
    done = cheat(row, tmp_path / "p", xdist)
    out = done.stdout + done.stderr
    assert done.returncode != 0, out
    assert "decision: open" not in out
    if (
        not xdist
    ):  # workers may lose a test in other ways; what counts there is that the gate stays shut
        assert done.returncode in row.exits, out
        assert row.says in out, out


def test_the_honest_project_opens(tmp_path):
    """Without this, every row above could pass for the wrong reason."""
    for xdist in (False, True):
        done = cheat(Cheat("honest", {0}, ""), tmp_path / str(xdist), xdist)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "decision: open (exit 0)" in done.stdout


@pytest.mark.parametrize(
    "name",
    ["a conftest above the project", "forged bytecode", "suite edited while asking", "os._exit(0) in a test", "conftest leaves while being imported", "met_by replaced", "conftest resets the exit status",
     "PYTEST_ADDOPTS", "rerun plugin", "python -O"],
)  # fmt: skip
def test_gate_check_is_not_fooled_either(tmp_path, name):
    row = next(c for c in CHEATS if c.name == name)
    script: list[Callable] = [right_but(row.wrong)]
    with ScriptedServer(reply=lambda messages, payload: script[0](messages, payload)) as server:
        (tmp_path / "p").mkdir()
        project = Project(tmp_path / "p", server.url)
        if row.replies:
            script[0] = row.replies(project)
        row.act(project)
        done = project.run(
            sys.executable, *row.python, "-m", "evalgate", "gate", "check", "--json", **row.env
        )
        assert done.returncode in {1, 5}, done.stdout + done.stderr
        assert json.loads(done.stdout)["decision"] == "closed"


def test_neither_nonce_nor_forged_findings_open_the_gate(tmp_path):
    """The nonce cannot be read from the environment of the process, and findings are held against gate.toml again."""
    forge = (
        "import os, posix, sys, json\n"
        "def pytest_sessionstart(session):\n"
        "    secret = open('/proc/self/environ').read().split('EVALGATE_NONCE=')[1].split('\\0')[0]\n"
        "    i = sys.argv.index('--evalgate-decision')\n"
        "    open(sys.argv[i + 1], 'w').write(json.dumps({'nonce': secret, 'exit': 0, 'decision': {\n"
        "        'decision': 'open', 'exit': 0, 'reasons': [], 'model': {'name': 'scripted'}, 'plan': '', 'findings': []}}))\n"
        "    os.execv('/bin/true', ['true'])\n"
    )
    with ScriptedServer(reply=right_but(MANY)) as server:
        project = Project(tmp_path, server.url)
        project.write("suites/conftest.py", forge)
        done = project.evalgate("gate", "check", "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["decision"] == "closed"


def test_a_project_inside_suites_does_not_decide_for_the_gate(tmp_path):
    with ScriptedServer(reply=right_but(MANY)) as server:
        project = Project(tmp_path, server.url)
        nested_project(project)
        done = project.evalgate("gate", "check", "--json")
        assert done.returncode == 1


def test_a_forged_decision_file_is_not_believed(tmp_path):
    forge = (
        "import sys, json, atexit\n"
        "def forge():\n"
        "    i = sys.argv.index('--evalgate-decision') if '--evalgate-decision' in sys.argv else 0\n"
        "    if i: open(sys.argv[i + 1], 'w').write(json.dumps({'nonce': 'guess', 'exit': 0, 'decision': {\n"
        "        'decision': 'open', 'exit': 0, 'reasons': [], 'model': {}, 'plan': '', 'findings': []}}))\n"
        "atexit.register(forge)\n"
    )
    with ScriptedServer(reply=right_but(MANY)) as server:
        project = Project(tmp_path, server.url)
        project.write("suites/conftest.py", forge)
        done = project.evalgate("gate", "check", "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["decision"] == "closed"


def test_gold_edited_between_run_and_resume_is_asked_anew_as_a_whole(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.pytest()
        items = gold_items()
        items[50]["expected"] = LABELS[(50 + 1) % 3]
        project.gold(items)
        project.pytest()
        assert server.count == 240


def table() -> None:
    print("| way around | exit | exit with `-n 4` | what it says |\n|---|---|---|---|")
    for row in CHEATS:
        codes, said = [], ""
        for xdist in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                done = cheat(row, Path(folder), xdist)
            codes.append(done.returncode)
            if not xdist:
                lines = [x.strip(" │•-") for x in (done.stdout + done.stderr).splitlines()]
                words = [
                    x
                    for x in lines
                    if x.strip("= !") and not x.startswith(("=", "/", "SKIPPED", "E "))
                ]
                said = next((x for x in words if row.says and row.says in x), words[-1])
        print(f"| {row.name} | {codes[0]} | {codes[1]} | {said.replace('|', ' ')[:150]} |")


if __name__ == "__main__":
    table()
