"""Real texts that share no source: what is found between them is a false alarm, or a phrase that people do share.

Nothing of them stands here: they are read from the directory that EVALGATE_PUBLIC_DATA names.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from evalgate.corpus.example import Example
from evalgate.corpus.leak.gold import Gold, GoldText


def rows_of(task: str, pairs: Iterator[tuple[str, str]]) -> list[Example]:
    """One example for each (user, assistant)."""
    return [
        Example(
            id=f"{task}-{n}",
            task=task,
            messages=({"role": "user", "content": asked}, {"role": "assistant", "content": said}),
        )
        for n, (asked, said) in enumerate(pairs)
    ]


def gold_of(name: str, items: Iterator[tuple[str, str]]) -> Gold:
    """A gold set of (question, answer)."""
    texts = tuple(
        GoldText(
            gold_set=name, id=f"{name}-{n}", unit=f"{name}-{n}", question=(asked,), answer=(said,)
        )
        for n, (asked, said) in enumerate(items)
    )
    return Gold(items=texts, sets={name: "sha256:0"})


def table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as f:
        yield from csv.DictReader(f)


def mts_dialog(root: Path) -> list[Example]:
    path = root / "mts-dialog" / "MTS-Dialog-TrainingSet.csv"
    return rows_of("mts", ((row["dialogue"], row["section_text"]) for row in table(path)))


def aci_bench(root: Path) -> Gold:
    names = ("train", "valid", "clinicalnlp_taskB_test1")
    paths = (root / "aci-bench" / f"{name}.csv" for name in names)
    return gold_of("aci_bench", ((row["dialogue"], row["note"]) for p in paths for row in table(p)))


def pubmedqa(root: Path) -> list[Example]:
    items = json.loads((root / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8")).values()
    asked = ((f"{i['QUESTION']}\n" + "\n".join(i["CONTEXTS"]), i["LONG_ANSWER"]) for i in items)
    return rows_of("pubmedqa", asked)


def bc5cdr(root: Path, *, sentences: int = 8) -> Gold:
    """Every so many sentences one item: the source does not say where an abstract ends."""
    path = root / "bc5cdr-ncbi" / "BC5CDR-IOB" / "devel.tsv"
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    said = [" ".join(line.split("\t")[0] for line in block.splitlines()) for block in blocks]
    texts = (" ".join(said[n : n + sentences]) for n in range(0, len(said), sentences))
    return gold_of("bc5cdr", ((text, "") for text in texts))
