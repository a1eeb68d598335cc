"""A project whose letters are judged: a scripted candidate, a scripted judge, scripted raters; everything else is real."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from harness import CARD, Project

from evalgate.authored import Problems, load_settings
from evalgate.authored.gold import load_gold
from evalgate.authored.label_file import extend, labels_path
from evalgate.authored.labels import Label
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.authored.rubric_file import load_rubric
from evalgate.judge import Case
from evalgate.judge.people import DOUBLE
from evalgate.judge.review import make_plan, plan_path, write_plan
from evalgate.models import identify

RUBRIC = """\
[rubric]
id = "letters"
task = "letters"
version = "1.0.0"
title = "Short letters"
status = "made up for a test"
show = ["facts"]
pass_mark = 0.5

[[criterion]]
id = "states-reason"
ask = "The letter states why the claim was denied."
points = 8
evidence = "quote"
met = "Names the reason."
not_met = "Names none."

[[criterion]]
id = "invented-fact"
ask = "The letter states a fact that is not in the file."
points = -10
critical = true
met = "At least one."
not_met = "None."

[[criterion]]
id = "placeholder"
ask = "The letter has a blank that nobody filled in."
points = -2
judged_by = ["code"]
check = "no_placeholder_left"
"""
SUITE = '''\
"""Short letters, judged."""
import pytest
from evalgate import Suite, agreement, criterion_rate, parse_text, rate, rubric_pass_rate, rubric_score

SUITE = Suite(
    "letters",
    gold="goldsets/letters.jsonl",
    prompt="suites/prompts/letters.md",
    parse=parse_text,
    correct=lambda letter, expected: True,
    max_tokens=64,
)

def test_truncated_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "truncated"))

def test_rubric_pass_rate(verdicts, calibration, threshold):
    assert threshold.met_by(rubric_pass_rate(verdicts, calibration))
'''
GATE = """\
[gate]
alpha = 0.05
review_items = 120
first_release = true

[letters]
truncated_rate = { max = 0.10 }
rubric_pass_rate = { min = 0.80, judge = "calibrated" }
"""
FACTS = "file {n}: therapy was tried for two weeks"
LETTER = "Letter {n}: the claim was denied because the trial of therapy was too short."
_FACTS = re.compile(r"file (\d+)")
_JUDGED = re.compile(r"Letter (\d+)")


def number_in(text: str) -> int:
    """Which item a prompt of the candidate is about."""
    found = _FACTS.search(text)
    assert found
    return int(found[1])


def judged_number(text: str) -> int:
    """Which letter a judge's question is about."""
    found = _JUDGED.search(text)
    assert found
    return int(found[1])


def verdict(answer: str, *, quote: str = "the claim was denied", reason: str = "It is so.") -> str:
    return json.dumps({"quote": quote, "reason": reason, "answer": answer})


def asked_about(payload: dict) -> str:
    """The criterion that a question of the judge is about."""
    text = payload["messages"][-1]["content"]
    return "states-reason" if "states why the claim" in text else "invented-fact"


def approving(messages: list[dict], payload: dict) -> str:
    """A judge that finds every letter in order."""
    del messages
    return verdict("met" if asked_about(payload) == "states-reason" else "not_met")


def writing(messages: list[dict], payload: dict) -> str:
    """A candidate that writes the same letter about every file."""
    del payload
    return LETTER.format(n=number_in(messages[-1]["content"]))


class Court(Project):
    """`items` letters, one unit each. `candidate` and `judge` are urls of scripted servers."""

    def __init__(self, root: Path, candidate: str, judge: str, *, items: int = 150) -> None:
        self.root = root
        self.write("suites/test_letters.py", SUITE)
        self.write("suites/prompts/letters.md", "Write a letter.\n\n{{facts}}\n")
        self.write("gate.toml", GATE)
        self.write("goldsets/letters.toml", CARD.replace('task = "triage"', 'task = "letters"'))
        gold = [
            {
                "id": f"l-{n:04d}",
                "input": {"facts": FACTS.format(n=n)},
                "expected": {"reference": LETTER.format(n=n)},
                "unit": f"member-{n}",
                "tags": ["spanish"] if n % 3 == 0 else [],
            }
            for n in range(items)
        ]
        self.write("goldsets/letters.jsonl", "".join(json.dumps(g) + "\n" for g in gold))
        self.write("rubrics/letters.toml", RUBRIC)
        self.settings(candidate=candidate, judge=judge)

    def settings(self, *, candidate: str, judge: str, family: str = "other") -> None:
        def table(name: str, url: str, family: str) -> str:
            return (
                f'[models.{name}]\nserver = "endpoint"\nurl = "{url}"\nname = "{name}"\nfamily = "{family}"\n'
                "concurrency = 8\ntimeout_s = 10\npatience_s = 2\n\n"
            )

        self.write(
            "evalgate.toml",
            table("writer", candidate, "scripted")
            + table("assessor", judge, family)
            + '[judge]\nmodel = "assessor"\n\n[default]\ncandidate = "writer"\n',
        )

    def rubric(self) -> Rubric:
        problems = Problems()
        gold = load_gold(self.root / "goldsets/letters.jsonl", self.root, problems)
        found = load_rubric(self.root / "rubrics/letters.toml", self.root, problems, gold=gold)
        problems.raise_if_any()
        assert found
        return found

    def plan_review(self, n: int = 120) -> list[str]:
        """Writes into gate.toml how many, and draws the items to label; returns their ids."""
        text = (self.root / "gate.toml").read_text()
        self.write("gate.toml", re.sub(r"review_items = \d+", f"review_items = {n}", text))
        problems = Problems()
        gold = load_gold(self.root / "goldsets/letters.jsonl", self.root, problems)
        settings = load_settings(self.root / "evalgate.toml", self.root, problems)
        problems.raise_if_any()
        plan = make_plan(
            "letters",
            [item for _, item in gold.items()],
            n=n,
            double=DOUBLE,
            model=identify("writer", settings.models["writer"], self.root).digest,
            gold=gold.digest,
            criteria={c.id: c.digest for c in self.rubric().criteria},
        )
        write_plan(plan_path(self.root / "rubrics/letters.toml"), plan)
        return list(plan.items)

    def label(
        self,
        items: list[str],
        said: Callable[[int, Criterion], str],
        *,
        raters: tuple[str, ...] = ("r1", "r2"),
        simulated: bool = False,
        output: Callable[[int], str] = lambda n: LETTER.format(n=n),
        blind: bool = True,
    ) -> None:
        """Every rater labels every item: `said(number of the letter, criterion)`."""
        rubric = self.rubric()
        labels = [
            Label(
                item=name,
                criterion=criterion.id,
                rater=rater,
                answer=said(number, criterion),
                quote="the claim was denied" if said(number, criterion) == "met" else "",
                rubric=rubric.digest,
                criterion_digest=criterion.digest,
                output=case(number, output(number)).digest,
                simulated=simulated,
                blind=blind,
            )
            for name in items
            for number in [int(name.split("-")[1])]
            for criterion in rubric.read_by_people
            for rater in raters
        ]
        extend(labels_path(self.root / "rubrics/letters.toml"), labels)

    def check(self, *args: str) -> tuple[int, dict]:
        """`evalgate gate check writer --json`: exit code and decision."""
        done = self.evalgate("gate", "check", "writer", "--json", *args)
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout)

    def finding(self, told: dict, test: str = "rubric_pass_rate") -> dict:
        return next(f for f in told["findings"] if f["test"] == test)


def case(number: int, output: str | None = None) -> Case:
    """What is read of one letter."""
    text = LETTER.format(n=number) if output is None else output
    name = f"l-{number:04d}"
    sources = (("facts", FACTS.format(n=number)),)
    return Case(id=name, unit=name, sources=sources, output=text)


def fine(number: int, criterion: Criterion) -> str:
    """A rater who finds every letter in order."""
    del number
    return "not_met" if criterion.fault else "met"
