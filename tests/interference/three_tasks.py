"""A project of three tasks, two with a form of their own and one of prose, and runs of models whose answers a test decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from harness import CARD, Project

from evalgate.records import Reply
from evalgate.store import RunWriter, run_directory
from evalgate.suite import identify_model, load_project
from evalgate.suite.asking import manifest_of

NOWHERE = "http://127.0.0.1:9/v1"
TASKS = {
    "triage": 'parse_label(["APPROVE", "DENY", "REVIEW"])',
    "codes": "parse_json(list[str])",
    "letters": "parse_text",
}
SUITE = '''\
"""{name}."""
from evalgate import Suite, accuracy, paired_difference, parse_json, parse_label, parse_text

SUITE = Suite("{name}", gold="goldsets/{name}.jsonl", prompt="suites/prompts/{name}.md", parse={parse}, max_tokens=20)

def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))

def test_accuracy_vs_baseline(answers, baseline, threshold):
    assert threshold.met_by(paired_difference(accuracy, answers, baseline))
'''
GATE = "[gate]\nalpha = 0.05\nfirst_release = true\n" + "".join(
    f"\n[{name}]\naccuracy = {{ min = 0.70 }}\naccuracy_vs_baseline = {{ min = -0.10 }}\n"
    for name in TASKS
)
LABELS = ("APPROVE", "DENY", "REVIEW")


def right(task: str, n: int) -> str:
    """The right answer to item n."""
    if task == "triage":
        return LABELS[n % 3]
    return json.dumps([f"C{n % 3}"]) if task == "codes" else f"Dear member, we look at {n % 3}."


def expected(task: str, n: int) -> object:
    """What the gold set says of item n."""
    return json.loads(right(task, n)) if task == "codes" else right(task, n)


def prompted(task: str, n: int) -> str:
    """The text of item n, by which a scripted model knows it."""
    return f"{task} <{n:04d}>"


class ThreeTasks(Project):
    """`models`: endpoints that nobody asks unless a test gives their url."""

    def __init__(self, root: Path, *names: str, n: int = 200, url: str = NOWHERE) -> None:
        self.root = root
        self.write("gate.toml", GATE)
        for task, parse in TASKS.items():
            self.write(f"suites/test_{task}.py", SUITE.format(name=task, parse=parse))
            self.write(f"suites/prompts/{task}.md", "Answer.\n\n{{text}}\n")
            self.write(f"goldsets/{task}.toml", CARD.replace('"triage"', f'"{task}"'))
            items = [
                {"id": f"{task}-{i:04d}", "input": {"text": prompted(task, i)}, "expected": expected(task, i), "unit": f"unit-{i}"}
                for i in range(n)
            ]  # fmt: skip
            self.write(f"goldsets/{task}.jsonl", "".join(json.dumps(i) + "\n" for i in items))
        self.models(**{name: f"{url}/{name}" for name in names or ("old", "new")})

    def answered(self, model: str, answer: Callable[[str, int], str | None] = right, tasks=tuple(TASKS)) -> None:  # fmt: skip
        """Runs of `model` that say `answer(task, n)`; None is an answer that never came."""
        project = load_project(self.root)
        identity = identify_model(project, model)
        for task in tasks:
            suite = project.suites[task]
            manifest = manifest_of(suite, identity)
            with RunWriter(run_directory(project.reports, manifest), manifest, fresh=False) as writer:  # fmt: skip
                for n, item in suite.gold.items():
                    said = answer(task, n)
                    if said is not None:
                        writer.land(n, item.id, Reply(text=said, finish="stop"))


def but(task: str, wrong: int, said: str | None = None) -> Callable[[str, int], str]:
    """Right but for the first `wrong` items of `task`, where it says `said`, or what is right of the next item."""

    def answer(asked: str, n: int) -> str:
        if asked == task and n < wrong:
            return said if said is not None else right(task, n + 1)
        return right(asked, n)

    return answer
