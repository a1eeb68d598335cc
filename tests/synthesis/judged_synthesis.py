"""A project whose synthetic letters a judge verifies: candidate and judge are served by a stand-in, raters are scripted.

What the judge says of letters of the gold set is true. What it says of rows stands in the file `judge-says`: an answer,
"void", "by-row" (some of them it finds faulty), "dies".
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import harness
from models import stand_in
from scripted import ScriptedServer
from synthesis_project import ROOT, asked, retold

from evalgate.authored import Problems
from evalgate.authored.gold import load_gold
from evalgate.authored.label_file import extend, labels_path
from evalgate.authored.labels import Label
from evalgate.authored.rubric import Criterion
from evalgate.authored.rubric_file import load_rubric
from evalgate.judge import Case

SUITE = "appeal_letters"
ITEMS = 204
TESTS = Path(__file__).parents[1]
RUBRIC = """\
[rubric]
id = "letters"
task = "appeal_letters"
version = "1.0.0"
title = "Short letters"
status = "made up for a test"
show = ["denial", "case", "request"]
pass_mark = 0.5

[[criterion]]
id = "states-reason"
ask = "The letter states why the claim was denied."
points = 8
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
CLAIMS = '''\
"""Short letters, judged."""
from evalgate import Suite, parse_text, rate, rubric_pass_rate

SUITE = Suite(
    "appeal_letters",
    gold="goldsets/appeal_letters.jsonl",
    prompt="suites/prompts/appeal_letters.md",
    parse=parse_text,
    correct=lambda letter, expected: True,
    max_tokens=64,
)

def test_truncated_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "truncated"))

def test_rubric_pass_rate(verdicts, calibration, threshold):
    assert threshold.met_by(rubric_pass_rate(verdicts, calibration))
'''
GATE = f"""\
[gate]
alpha = 0.05
review_items = {ITEMS}
first_release = true

[appeal_letters]
truncated_rate = {{ max = 0.10 }}
rubric_pass_rate = {{ min = 0.60, judge = "calibrated" }}
"""
LETTER = "Letter [{n:04d}]: the claim was denied because the trial of therapy was too short."
SERVER = """\
#!{python}
import json, os, pathlib, re, sys, zlib
sys.path[:0] = [{tests!r}, {tests!r} + "/models"]
import scripted, stand_in
judge = "models/assessor" in " ".join(sys.argv)
says = pathlib.Path(sys.argv[0]).parents[2] / "judge-says"

def verdict(text):
    fault = "a fact that is not in the file" in text.split("# The statement")[-1]
    letter = re.search(r"Letter .(\\d+)", text)
    said = says.read_text()
    if letter:
        answer = "met" if not fault or int(letter[1]) % 4 == 0 else "not_met"
    elif said == "dies":
        os._exit(3)
    elif said == "by-row":
        answer = "met" if zlib.crc32(text.split("# The text to check")[0].encode()) % 3 == 0 else "not_met"
    else:
        answer = said
    return "I would rather not say." if answer == "void" else json.dumps(
        {{"quote": "", "reason": "It is so.", "answer": answer}})

def answer(messages):
    text = messages[-1]["content"]
    if judge:
        return verdict(text) if "# The statement" in text else None
    number = re.search(r"file (\\d+)", text)
    return {letter!r}.format(n=int(number[1])) if number else None

class Saying(scripted.ScriptedServer):
    def __init__(self, reply, **rest):
        def told(messages, payload):
            response, said = reply(messages, payload), answer(messages)
            if said is not None:
                response.json["choices"][0]["message"]["content"] = said
            return response
        super().__init__(told, **rest)

scripted.ScriptedServer = Saying
sys.exit(stand_in.main({{}}))
"""


def faulty(number: int) -> bool:
    """Every fourth letter has an invented fact, in people's and the judge's eyes."""
    return number % 4 == 0


class Judged(harness.Project):
    """Letters about `ITEMS` files that `writer` has answered, `assessor` has judged and two raters have labelled."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def set_up(self) -> None:
        """Writes everything, with neither answers nor labels."""
        self.write(f"suites/test_{SUITE}.py", CLAIMS)
        shutil.copytree(ROOT / "suites" / "prompts", self.root / "suites" / "prompts")
        (self.root / "terms").mkdir()
        shutil.copy(ROOT / "terms" / "project.toml", self.root / "terms")
        self.write("gate.toml", GATE)
        self.write("judge-says", "not_met")
        card = harness.CARD.replace('task = "triage"', f'task = "{SUITE}"')
        self.write(f"goldsets/{SUITE}.toml", card)
        gold = [
            {
                "id": f"l-{n:04d}",
                "input": sources(n),
                "expected": {"reference": LETTER.format(n=n)},
                "unit": f"member-{n}",
                "tags": [],
            }
            for n in range(ITEMS)
        ]
        self.write(f"goldsets/{SUITE}.jsonl", "".join(json.dumps(g) + "\n" for g in gold))
        self.write(f"rubrics/{SUITE}.toml", RUBRIC)
        for name in ("writer", "assessor"):
            stand_in.model(self.root / "models" / name, called=name, max_position_embeddings=8192)
        python = self.write(
            "venv/bin/python",
            SERVER.format(python=sys.executable, tests=str(TESTS), letter=LETTER),
        )
        python.chmod(0o755)
        self.settings()

    def settings(self, *, teller: str = "http://127.0.0.1:9/v1", family: str = "scripted") -> None:
        """evalgate.toml, with the model "teller" at a url."""
        served = "".join(
            f'[models.{name}]\nartifact = "models/{name}"\nserver = "vllm"\nfamily = "{kin}"\n\n'
            for name, kin in (("writer", "scripted"), ("assessor", "other"))
        )
        self.write(
            "evalgate.toml",
            f'{served}[models.teller]\nserver = "endpoint"\nurl = "{teller}"\nname = "teller"\nfamily = "{family}"\n'
            'concurrency = 8\ntimeout_s = 10\npatience_s = 2\n\n[servers.vllm]\npython = "venv/bin/python"\n\n'
            '[judge]\nmodel = "assessor"\n\n[default]\ncandidate = "writer"\n',
        )

    def judge_elsewhere(self, url: str) -> None:
        """Puts the judge behind an endpoint."""
        served = '[models.assessor]\nartifact = "models/assessor"\nserver = "vllm"\n'
        there = f'[models.assessor]\nserver = "endpoint"\nurl = "{url}"\nname = "assessor"\nconcurrency = 8\n'
        self.edit("evalgate.toml", served, there)

    def label(self, *, simulated: bool = False) -> None:
        """Two raters label every item, all of which the plan draws."""
        problems = Problems()
        gold = load_gold(self.root / f"goldsets/{SUITE}.jsonl", self.root, problems)
        path = self.root / f"rubrics/{SUITE}.toml"
        rubric = load_rubric(path, self.root, problems, gold=gold)
        problems.raise_if_any()
        labels = [
            Label(
                item=f"l-{n:04d}",
                criterion=criterion.id,
                rater=rater,
                answer=people(n, criterion),
                quote="",
                rubric=rubric.digest,
                criterion_digest=criterion.digest,
                output=case(n).digest,
                simulated=simulated,
                blind=True,
            )
            for n in range(ITEMS)
            for criterion in rubric.read_by_people
            for rater in ("r1", "r2")
        ]
        extend(labels_path(path), labels)

    def done(self, *args: str) -> str:
        """Stdout of a command that works."""
        found = self.evalgate(*args)
        assert found.returncode == 0, found.stderr
        return found.stdout

    def synthesize(self, *args: str, **env: str):
        """`evalgate data synthesize` of 12 letters, all told anew, verified by code and judge."""
        return self.evalgate(
            "data", "synthesize", "--out", "data/x", "--rows", "12", "--task", SUITE, "--model", "teller",
            "--rewrite-share", "1", *(args or ("--judge", "assessor", "--criterion", f"{SUITE}:invented-fact")), **env,
        )  # fmt: skip

    def left(self) -> list[str]:
        """What lies in data/ but the locks."""
        return sorted(p.name for p in self.root.glob("data/*") if p.suffix != ".lock")


def sources(n: int) -> dict[str, str]:
    """The input of a gold item."""
    return {
        "denial": f"file {n}: denied",
        "case": "therapy was tried",
        "request": "Write a letter.",
    }


def case(n: int) -> Case:
    """What is read of one letter."""
    return Case(
        id=f"l-{n:04d}", unit="u", sources=tuple(sources(n).items()), output=LETTER.format(n=n)
    )


def people(number: int, criterion: Criterion) -> str:
    """What every rater says."""
    return "met" if not criterion.fault or faulty(number) else "not_met"


@contextmanager
def telling(project: Judged, family: str = "scripted") -> Iterator[ScriptedServer]:
    """The model "teller", which puts the sentences of a text into another order."""
    with ScriptedServer(lambda messages, payload: retold(asked(messages))) as server:
        project.settings(teller=server.url, family=family)
        yield server
