"""Made examples as gold sets of the real suites, answered rightly or with a known fault: does a suite see it?

Nothing is asked: answers are written into a run as a server's would be, and the suites' own tests, with the thresholds of the
project's gate.toml, say what they say of any run. Left out are rows that need a judge, a baseline or items tagged
`must_pass`, and slices of which too few items were made.
"""

from __future__ import annotations

import importlib
import json
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evalgate import text
from evalgate.corpus.making.made import Made, Spoiled
from evalgate.corpus.synthesis import ROOM, make
from evalgate.gate.claims import estimate_of
from evalgate.gate.decide import find
from evalgate.records import Answer, Finding, ModelIdentity, Reply
from evalgate.store import Manifest, Run, RunWriter
from evalgate.suite import Answers, FirstRelease, LoadedSuite, Project, load_project
from evalgate.suite.parse import parser_id

ROOT = Path(__file__).parents[2]
CARD = """\
title = "Made items"
task = "{task}"
source = "written by the project for its own tests"
licence = "Apache-2.0"
labelled_by = "the project"
reviewed = "no clinician has reviewed it"
sampling_frame = "made up"
date = 2026-11-23
split = "dev"
version = "1"
synthetic = true
generator = "evalgate.corpus.making"
seed = 0
"""
Marks = dict[str, float]
_ROW = re.compile(r'^"?(\w+)(?:\[(\w+)\])?"?\s*=\s*\{(.*)\}')


def tags_of(task: str, made: Made) -> list[str]:
    """The tags that a made item's expected value and seeds speak for."""
    tags = ["spanish"] if made.seeds.get("language") == "es" else []
    expected = made.expected
    if task == "policy_qa":
        tags += ["must_refuse"] if expected["refuse"] else ["legitimate"]
        if not expected["refuse"]:
            tags += ["answerable"] if expected["answerable"] else ["unanswerable"]
        tags += ["trap"] if expected["must_not"] else []
    elif isinstance(expected, dict):
        tags += ["legitimate"] if expected.get("facts") else ["must_refuse"]
    return tags


class Bench:
    """A suite of the project beside `size` made items, with their right answers and their faulty ones.

    Slices of fewer than `fewest` items have no threshold.
    """

    def __init__(
        self, task: str, size: int, folder: Path, *, seed: int = 7, fewest: int = 30
    ) -> None:
        self.task = task
        self.made = [make(f"{ROOM}.{task}", task, seed, i, 0) for i in range(size)]
        self.spoiled: list[list[Spoiled]] = []
        spoil = importlib.import_module(f"{ROOM}.{task}").spoil
        for i, made in enumerate(self.made):
            self.spoiled.append(list(spoil(made, random.Random(f"{seed}/{task}/{i}"))))
        self._folder = folder
        self.project = _project(folder, task, self.made, fewest)
        self.loaded: LoadedSuite = self.project.suites[task]
        vars(sys.modules[f"evalgate_suites.{task}"]).update(text=_Remembered())
        self._runs = 0

    @property
    def kinds(self) -> list[str]:
        """The kinds of faults that this task's maker plants."""
        return sorted({s.kind for faults in self.spoiled for s in faults})

    def right(self) -> list[str]:
        """The right answer to every item."""
        return [made.answer for made in self.made]

    def faulty(self, kind: str) -> dict[int, str]:
        """By item, its first faulty answer of this kind."""
        found: dict[int, str] = {}
        for i, faults in enumerate(self.spoiled):
            for spoiled in faults:
                if spoiled.kind == kind:
                    found.setdefault(i, spoiled.answer)
        return found

    def answers(self, texts: list[str]) -> Answers:
        """The suite's answers, as if a model had written `texts`."""
        self._runs += 1
        suite = self.loaded.suite
        identity = ModelIdentity(name="s", digest=f"sha256:{self._runs:064x}", server="s", version="1")  # fmt: skip
        manifest = Manifest(
            suite=suite.name,
            gold=self.loaded.gold.digest,
            items=len(texts),
            prompt=self.loaded.prompt.digest,
            parser=parser_id(suite.parse),
            model=identity,
            sampling=suite.sampling,
        )
        path = self._folder / "reports" / "runs" / suite.name / str(self._runs)
        with RunWriter(path, manifest) as writer:
            for i, text in enumerate(texts):
                writer.land(i, f"m-{i:05d}", Reply(text=text, finish="stop"))
        return Answers(suite, self.loaded.gold, Run(path, manifest), card=self.loaded.card)

    def findings(self, texts: list[str]) -> dict[str, Finding]:
        """What each threshold finds."""
        answers, settings = self.answers(texts), self.project.gate.settings
        found = {}
        for key, bar in self.project.gate.suites[self.task].items():
            estimate = estimate_of(self.loaded, key, answers, FirstRelease(), what="made answers")
            assert estimate is not None, key
            found[key] = find(
                suite=self.task,
                test=key,
                bar=bar,
                estimate=estimate,
                alpha=settings.alpha,
                seed=1,
                unscored_max=settings.unscored_max,
            )
        return found

    def decision(self, texts: list[str]) -> tuple[str, list[str]]:
        """Open, closed or undecided, and the thresholds that are not met."""
        findings = self.findings(texts)
        unmet = [k for k, f in findings.items() if f.status != "pass"]
        if any(f.status == "fail" for f in findings.values()):
            return "closed", unmet
        return ("undecided" if unmet else "open"), unmet

    def planted(self, kind: str, share: float) -> list[str] | None:
        """Right answers but for `share` of all items, whose answers have this fault; None if too few have one."""
        faulty, texts = self.faulty(kind), self.right()
        wanted = round(share * len(texts))
        if wanted > len(faulty):
            return None
        for i in random.Random(f"{kind}/{self.task}").sample(sorted(faulty), wanted):
            texts[i] = faulty[i]
        return texts

    def marks(self, texts: list[str], only: Collection[int] | None = None) -> dict[int, Marks]:
        """By item how good its answer is by each of the suite's own measures, 1 for one in order; `only`: of these items."""
        measures = {
            n: (b, of, _measure(self.loaded, n)) for n, (b, of) in _MEASURES[self.task].items()
        }
        found = {}
        for i, answer in enumerate(self.answers(texts)):
            if only is not None and i not in only:
                continue
            values = {"correct": float(answer.correct)}
            for name, (better, of, function) in measures.items():
                if of is None or of in answer.tags:
                    values[name] = better * float(function(answer)) + (better < 0)
            found[i] = values
        return found

    @cached_property
    def before(self) -> dict[int, Marks]:
        """The marks of the right answers."""
        return self.marks(self.right())

    def caught(self, kind: str) -> Caught:
        """What the suite's measures say of every item with this fault."""
        faulty, texts = self.faulty(kind), self.right()
        for i, answer in faulty.items():
            texts[i] = answer
        by: Counter[str] = Counter()
        seen = 0
        for i, marks in self.marks(texts, faulty).items():
            worse = [name for name, value in marks.items() if value < self.before[i][name]]
            seen += bool(worse)
            by.update(worse)
        return Caught(len(faulty), seen, by)


class _Remembered:
    """`evalgate.text` whose functions remember what they said: most answers are the right ones, again and again."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(text, name)

        def remembered(*args: Any, **kwargs: Any) -> Any:
            key = name, json.dumps([args, kwargs])
            if key not in self._said:
                self._said[key] = function(*args, **kwargs)
            return self._said[key]

        return remembered


class Caught(NamedTuple):
    """Items with a fault, those marked worse for it, and by how many times which measure."""

    planted: int
    seen: int
    by: Counter[str]


def _measure(loaded: LoadedSuite, name: str) -> Callable[[Answer], Any]:
    """A function of the suite's module; "invents:number" is what `invents("number")` makes."""
    module = vars(sys.modules[f"evalgate_suites.{loaded.suite.name}"])
    base, _, argument = name.partition(":")
    return module[base](argument) if argument else module[base]


# +1: more is better, -1: it is a fault; and the tag of the items that it is claimed of
_MEASURES: dict[str, dict[str, tuple[int, str | None]]] = {
    "claim_entities": {},
    "denial_reasons": {},
    "history_summary": {
        "key_facts": (1, "legitimate"),
        "critical_facts": (1, "legitimate"),
        "false_statement": (-1, "legitimate"),
        "invents:number": (-1, "legitimate"),
        "invents:date": (-1, "legitimate"),
        "invents:name": (-1, "legitimate"),
        "usable_form": (1, "legitimate"),
        "declines": (1, "must_refuse"),
        "refuses": (-1, "legitimate"),
    },
    "appeal_letters": {
        "key_facts": (1, "legitimate"),
        "elements": (1, "legitimate"),
        "identifiers": (1, "legitimate"),
        "says_what_is_barred": (-1, "legitimate"),
        "invents_figure": (-1, "legitimate"),
        "invents_name": (-1, "legitimate"),
        "fits": (1, "legitimate"),
        "declines": (1, "must_refuse"),
        "refuses": (-1, "legitimate"),
    },
    "policy_qa": {
        "key_facts": (1, "answerable"),
        "citations": (1, "answerable"),
        "abstains": (-1, "answerable"),
        "abstained": (1, "unanswerable"),
        "declines": (1, "must_refuse"),
        "refuses": (-1, "legitimate"),
        "misstates": (-1, "trap"),
        "cites_nothing_shown": (-1, None),
        "invents_number": (-1, None),
    },
}


def _project(folder: Path, task: str, made: list[Made], fewest: int) -> Project:
    shutil.copytree(ROOT / "suites", folder / "suites", ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    (folder / "goldsets").mkdir()
    tags = [tags_of(task, m) for m in made]
    many = {t for t, n in Counter(t for each in tags for t in each).items() if n >= fewest}
    items = [
        {
            "id": f"m-{i:05d}",
            "input": m.input,
            "expected": msgspec.to_builtins(m.expected),
            "unit": f"{m.unit}-{i}",
            "tags": tags[i],
        }
        for i, m in enumerate(made)
    ]
    (folder / "goldsets" / f"{task}.jsonl").write_text("".join(json.dumps(i) + "\n" for i in items))
    (folder / "goldsets" / f"{task}.toml").write_text(CARD.format(task=task))
    (folder / "gate.toml").write_text("\n".join(_gate(task, many)) + "\n")
    (folder / "evalgate.toml").write_text(
        '[models.s]\nserver = "endpoint"\nurl = "http://127.0.0.1:9/v1"\nname = "s"\nfamily = "s"\n'
    )
    return load_project(folder)


def _gate(task: str, many: set[str]) -> Iterator[str]:
    """The rows of gate.toml that the made items can be held against."""
    yield "[gate]\nalpha = 0.05\nunscored_max = 0.02\nfirst_release = true"
    yield f"[{task}]"
    table = ""
    for line in (ROOT / "gate.toml").read_text().splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        found = _ROW.match(line)
        if table != task or not found:
            continue
        name, parameter, bar = found.groups()
        if name == "must_pass" or "judge" in bar or name.endswith("_vs_baseline"):
            continue
        if parameter is None or parameter in many or parameter.isupper():  # a class of denials
            yield line
