"""What the tests of the makers of long texts share: made rows, the words of the gold sets, likeness of texts."""

from __future__ import annotations

import importlib
import json
import random
import re
from functools import cache
from itertools import combinations
from pathlib import Path

from evalgate.corpus.making.made import Made
from evalgate.text.names import names

ROOT = Path(__file__).parents[2]
_WORD = re.compile(r"[^\W_]+")
NEAR = 0.8  # Jaccard of runs of five words


def rows(task: str, count: int, start: int = 0) -> list[Made]:
    """Rows `start` and on, each from a generator of its own."""
    make = importlib.import_module(f"evalgate.corpus.making.{task}").make
    return [make(random.Random(f"{task}/{i}"), i) for i in range(start, start + count)]


def grams(told: str, length: int) -> set[tuple[str, ...]]:
    """Runs of words of a text."""
    words = _WORD.findall(told.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


@cache
def gold(task: str = "") -> list[dict]:
    """The gold items of one task or of all, with their texts and the names in these."""
    found = []
    for path in sorted((ROOT / "goldsets").glob(f"{task or '*'}.jsonl")):
        for line in path.read_text().splitlines():
            item = json.loads(line)
            texts = list(_strings(item["input"]))
            if isinstance(item["expected"], dict):
                texts += _strings(item["expected"].get("reference", ""))
            item["texts"] = texts
            item["names"] = [n.written for t in texts for n in names(t)] if task else []
            found.append(item)
    return found


def _strings(value):
    if isinstance(value, str):
        return [value]
    return [s for v in value.values() for s in _strings(v)] if isinstance(value, dict) else []


def without_figures(told: str) -> str:
    """`told` without figures and capitalised words."""
    return re.sub(r"\b(?:[A-Z][\w'-]*|\w*\d\w*)\b", " ", told)


def alike(texts: list[str]) -> list[tuple[int, int]]:
    """The pairs of texts whose runs of five words are the same to more than NEAR."""
    runs = [grams(told, 5) for told in texts]
    return [
        (i, j)
        for i, j in combinations(range(len(texts)), 2)
        if runs[i] and len(runs[i] & runs[j]) > NEAR * len(runs[i] | runs[j])
    ]
