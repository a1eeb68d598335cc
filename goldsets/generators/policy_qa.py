"""Writes goldsets/policy_qa.jsonl: `python goldsets/generators/policy_qa.py`.

A question about a fictional plan (policy_qa_plan.md), a few of its numbered paragraphs, and what a right answer says. The
gold set is the hand-written items (goldsets/handwritten/policy_qa.jsonl), then questions that the passages answer
(policy_qa_answers.toml), sums with drawn numbers (policy_qa_sums.toml), and questions that they do not answer
(policy_qa_silent.toml). Facts are written short: groups joined by " & ", wordings by "|", @name for a list of wordings.
The same seed gives the same bytes.
"""

from __future__ import annotations

import ast
import operator
import random
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from common import Deck, balanced_subset, jsonl, read_jsonl, with_judged, words

HERE = Path(__file__).parent
GOLDSETS = HERE.parent
SEED = 20261127
OUT = GOLDSETS / "policy_qa.jsonl"
HANDWRITTEN = GOLDSETS / "handwritten" / "policy_qa.jsonl"

FEWEST, MOST = 3, 5  # passages shown with a question
SHORTEST, LONGEST = 120, 350  # words of all passages of an item together
ACTS = {"answer": "answerable", "abstain": "unanswerable", "decline": "must_refuse"}
KINDS = {"absent": "not_in_passages", "near": "near_miss", "premise": "false_premise"}
STARTER = {"must_refuse": 4, "unanswerable": 7}  # of 20; the rest are answerable
STARTER_WORDS = 85  # of a reference: the starter's answers are cut at 120 tokens

_PARAGRAPH = re.compile(r"^\[(\d+\.\d+)\] (.+)$", re.MULTILINE)
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def plan() -> dict[str, str]:
    """The plan's paragraphs by number, in order."""
    found = _PARAGRAPH.findall((HERE / "policy_qa_plan.md").read_text(encoding="utf-8"))
    paragraphs = dict(found)
    if len(paragraphs) < len(found):
        raise ValueError("found a paragraph number twice, expected each once.")
    return paragraphs


def table(name: str) -> dict[str, Any]:
    """One of the tables beside this file."""
    return tomllib.loads((HERE / f"policy_qa_{name}.toml").read_text(encoding="utf-8"))


def fact(short: str, wordings: dict[str, list[str]], *, bounds: bool = True) -> list[list[str]]:
    """`"60 days|sixty days & @no"` as groups of alternative wordings; with `bounds`, figures also as "no more than"."""
    groups = []
    for group in short.split(" & "):
        parts = [part.strip() for part in group.split("|")]
        found = [w for p in parts for w in (wordings[p[1:]] if p[0] == "@" else [p])]
        figures = [w for w in found if re.match(r"\$?\d", w)]
        groups.append(
            found + [f"{no} more than {w}" for w in figures if bounds for no in ("no", "not")]
        )
    return groups


def value(expression: str, known: dict[str, Fraction]) -> Fraction:
    """The exact value of sums, differences and products of numbers and names. Raises ValueError for anything else."""

    def of(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int() | float() as number):
                return Fraction(str(number))
            case ast.Name(id=name):
                return known[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](of(left), of(right))
        raise ValueError(f"found {ast.dump(node)}, expected +, -, *, numbers and names.")

    return of(ast.parse(expression, mode="eval").body)


def shown(number: Fraction) -> str:
    """A number as it is written: thousands separated, cents only where there are some."""
    return f"{int(number):,}" if number.denominator == 1 else f"{float(number):,.2f}"


def drawn(case: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The case with its `numbers` drawn and worked out, and filled into its texts."""
    known: dict[str, Fraction] = {}
    for name, (low, high, step) in case["draw"].items():
        known[name] = Fraction(rng.randrange(low, high + step, step))
    for line in case["work"]:
        name, expression = line.split(" = ")
        known[name] = value(expression, known)
    slots = {name: shown(number) for name, number in known.items()}

    def fill(text: str) -> str:
        return text.format_map(slots)

    texts = {key: fill(case[key]) for key in ("ask", "say")}
    lists = {key: [fill(text) for text in case.get(key, [])] for key in ("facts", "wrong")}
    tags = f"arithmetic {case.get('tags', '')}"
    return {**case, **texts, **lists, "tags": tags, "numbers": known}


def with_distractors(case: dict[str, Any], book: dict[str, str], rng: random.Random) -> list[str]:
    """The needed paragraphs among others: those named as near, then neighbours of the section, then any; shuffled."""
    ids = [*case["needs"].split(), *case.get("near", "").split()]
    section = ids[0].partition(".")[0] + "."
    others = [p for p in book if p not in ids]
    rng.shuffle(others)
    others.sort(key=lambda p: not p.startswith(section))  # stable: neighbours first
    for other in others:
        if len(ids) >= FEWEST and length(ids, book) >= SHORTEST + 15:
            break
        if length([*ids, other], book) <= LONGEST:
            ids.append(other)
    rng.shuffle(ids)
    return ids


def length(ids: Iterable[str], book: dict[str, str]) -> int:
    """Words of these paragraphs together."""
    return sum(words(book[p]) + 1 for p in ids)


def silent(case: dict[str, Any], decks: dict[str, Deck[str]]) -> dict[str, Any]:
    """The case with a reference that abstains, in one of several wordings, and says what the passages do hold."""
    spanish = "spanish" in case.get("tags", "")
    sentence = decks["es" if spanish else "en"].deal().format(lacks=case["lacks"])
    parts = [sentence, case.get("gives", ""), decks["help_es" if spanish else "help"].deal()]
    tags = f"{KINDS[case['kind']]} {case.get('tags', '')}"
    return {**case, "act": "abstain", "say": " ".join(filter(None, parts)), "tags": tags}


def item(
    number: int, case: dict[str, Any], book: dict[str, str], wordings: dict[str, list[str]]
) -> dict[str, Any]:
    """One gold item. Raises ValueError for passages that are too few, too many, too short or too long."""
    act = case.get("act", "answer")
    ids = case["shown"].split()
    own = book | case.get("extra", {})
    edits = case.get("edit", {})
    passages = "\n".join(f"[{p}] {' '.join(filter(None, (own[p], edits.get(p))))}" for p in ids)
    if not (FEWEST <= len(ids) <= MOST and SHORTEST <= words(passages) <= LONGEST):
        raise ValueError(
            f"item {number}: found {len(ids)} passages of {words(passages)} words, "
            f"expected {FEWEST} to {MOST} of {SHORTEST} to {LONGEST}."
        )
    cited = case.get("needs", "").split()
    tags = case.get("tags", "").split()
    wrong = [*case.get("wrong", [])]
    if act == "answer" and case["say"].startswith("No") and "spanish" not in tags:
        wrong.append("yes")
    tags = [ACTS[act], *([] if act == "decline" else ["legitimate"]), *tags]
    tags += ["several_passages"] if len(cited) > 1 else []
    tags += ["trap"] if wrong else []
    tags += [case["origin"]]
    return {
        "id": f"pq-{number:04d}",
        "input": {"question": case["ask"], "passages": passages},
        "expected": {
            "reference": case["say"],
            "facts": [fact(f, wordings) for f in case.get("facts", [])],
            "must_not": [fact(f, wordings, bounds=False) for f in wrong],
            "citations": cited,
            "answerable": act == "answer",
            "refuse": act == "decline",
        },
        "unit": f"question-{number:04d}",
        "tags": list(dict.fromkeys(tags)),
    }


def build() -> list[dict[str, Any]]:
    """All items, hand-written first."""
    rng = random.Random(SEED)
    book = plan()
    answers, sums, gaps = table("answers"), table("sums"), table("silent")
    decks = {name: Deck(cards, rng) for name, cards in gaps["wordings"].items()}
    cases = [{**case, "origin": "handwritten"} for case in read_jsonl(HANDWRITTEN)]
    asked = [*answers["item"], *(drawn(case, rng) for case in sums["item"])]
    for case in asked:
        ids = " ".join(with_distractors(case, book, rng))
        cases.append({**case, "shown": ids, "origin": "generated"})
    cases += [{**silent(case, decks), "origin": "generated"} for case in gaps["item"]]
    rows = [item(n, case, book, answers["wordings"]) for n, case in enumerate(cases, 1)]
    return with_judged(rows, seed=SEED)


def starter_subset(items: list[dict[str, Any]], size: int = 20) -> list[dict[str, Any]]:
    """`size` items for the starter project, with every act and the important tags, references that fit 120 tokens."""
    short = [i for i in items if words(i["expected"]["reference"]) <= STARTER_WORDS]
    quota = {act: n * size // 20 for act, n in STARTER.items()}
    quota["answerable"] = size - sum(quota.values())
    chosen: list[dict[str, Any]] = []
    for act, n in quota.items():
        group = [i for i in short if act in i["tags"] and words(i["input"]["passages"]) < 260]
        chosen += balanced_subset(group, n, seed=SEED, at_least=1)
    return sorted(chosen, key=lambda i: i["id"])


if __name__ == "__main__":
    OUT.write_text(jsonl(build()), encoding="utf-8")
