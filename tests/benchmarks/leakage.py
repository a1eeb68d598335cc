"""What the check for leaks finds and costs: recall of planted leaks, false alarms on real texts, time and memory beside others.

    python tests/benchmarks/leakage.py --recall                 planted leaks of this repository's gold, by kind, with exact bounds
    python tests/benchmarks/leakage.py --real                   real texts of two sources (EVALGATE_PUBLIC_DATA names the folder)
    python tests/benchmarks/leakage.py --cost                   5,000 gold items against 100,000 documents, and others beside it
    python tests/benchmarks/leakage.py --cost --documents 1000000 --only documents,hash,tuples,index,check

`--python` names an interpreter with datasketch and rensa, which evalgate does not need. Each contestant is a process of its own,
one after the other; documents of about 180 words are made on the fly, the same for all, and what making them costs is taken off. Of the
documents 250 hold 40 words of a gold item. CPU seconds, since machines are shared; memory is the process's peak. Prints tables.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()
GOLD = 5000
PLANTED = 250
RUN = 40
WORDS = 180


# -- the documents


def vocabulary() -> list[str]:
    rng = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(rng.choices(letters, k=rng.choice([2, 3, 4, 4, 5, 6, 7, 8, 10]))) for _ in range(30_000)]  # fmt: skip


def texts(count: int, seed: int) -> Iterator[list[str]]:
    """`count` texts of 150 to 210 words, some words much more frequent than others."""
    words = np.array(vocabulary(), dtype=object)
    weights = 1 / (np.arange(len(words)) + 20)
    upto = np.cumsum(weights / weights.sum())
    rng = np.random.default_rng(seed)
    for begin in range(0, count, 1000):
        lengths = rng.integers(WORDS - 30, WORDS + 31, size=min(1000, count - begin))
        drawn = words[np.searchsorted(upto, rng.random(int(lengths.sum())) * upto[-1])]
        ends = np.cumsum(lengths)
        for length, end in zip(lengths.tolist(), ends.tolist(), strict=True):
            yield drawn[end - length : end].tolist()


def gold() -> list[list[str]]:
    return list(texts(GOLD, 1))


def documents(count: int) -> Iterator[str]:
    """The documents; every so many-th holds RUN words of a gold item."""
    items = gold()
    every = max(1, count // PLANTED)
    for n, words in enumerate(texts(count, 2)):
        if n % every == 0 and n // every < PLANTED:
            said = items[n // every * (GOLD // PLANTED)]
            words[50:50] = said[60 : 60 + RUN]
        yield ". ".join((" ".join(words[:70]).capitalize(), " ".join(words[70:]).capitalize()))


# -- the contestants: each returns the numbers of the documents in which it finds something


def only_documents(count: int) -> set[int]:
    for _ in documents(count):
        pass
    return set()


def hash_words(count: int) -> set[int]:
    """The least that any check in Python does: split and hash."""
    for text in documents(count):
        for word in text.split():
            hash(word)
    return set()


def tuples(count: int) -> set[int]:
    """A plain set of all 13-grams of gold."""
    n = 13
    known = {tuple(i[k : k + n]) for i in gold() for k in range(len(i) - n + 1)}
    found = set()
    for number, text in enumerate(documents(count)):
        words = text.lower().replace(".", "").split()
        if any(tuple(words[k : k + n]) in known for k in range(len(words) - n + 1)):
            found.add(number)
    return found


def _gold():
    from evalgate.corpus.leak.gold import Gold, GoldText

    items = (
        GoldText(gold_set="g", id=f"g{n}", unit=f"u{n}", question=(" ".join(words),))
        for n, words in enumerate(gold())
    )
    return Gold(items=tuple(items), sets={"g": "sha256:0"})


def index(count: int) -> set[int]:
    """evalgate's exact index alone."""
    from evalgate.corpus.leak.index import Index
    from evalgate.corpus.leak.words import hashed

    known, found, waiting, first, size = Index(_gold()), set(), [], 0, 0
    for text in documents(count):
        waiting.append(text)
        size += len(text)
        if size >= 1 << 20:
            found |= {first + o.text for o in known.overlaps(hashed(waiting)) if o.leaks}
            first, waiting, size = first + len(waiting), [], 0
    return found | {first + o.text for o in known.overlaps(hashed(waiting)) if o.leaks}


def check(count: int) -> set[int]:
    """All of `data check`'s rules, near duplicates inside training included, without reading a file."""
    from evalgate.corpus.example import Example
    from evalgate.corpus.leak.check import Leakage

    leakage = Leakage(_gold())
    for n, text in enumerate(documents(count)):
        leakage.add(Example(id=str(n), task="t", messages=({"role": "user", "content": text},)))
    return {int(hit.row) for hit in leakage.report(tuple).hits if hit.kind == "leak"}


def _shingles(text: str) -> list[bytes]:
    words = text.lower().replace(".", "").split()
    return [" ".join(words[k : k + 5]).encode() for k in range(len(words) - 4)]


def datasketch_gold(count: int) -> set[int]:
    """Gold in datasketch's LSH at a Jaccard of 0.5, each document asked for its neighbours."""
    from datasketch import MinHash, MinHashLSH

    known = MinHashLSH(threshold=0.5, num_perm=128)
    for n, item in enumerate(MinHash.generator([_shingles(" ".join(i)) for i in gold()])):
        known.insert(n, item)
    found = set()
    for n, item in enumerate(MinHash.generator(_shingles(text) for text in documents(count))):
        if known.query(item):
            found.add(n)
    return found


def datasketch_inside(count: int) -> set[int]:
    """Near duplicates inside training by datasketch: what `check` does besides."""
    from datasketch import MinHash, MinHashLSH

    known = MinHashLSH(threshold=0.8, num_perm=128)
    for n, item in enumerate(MinHash.generator(_shingles(text) for text in documents(count))):
        known.query(item)
        known.insert(n, item)
    return set()


def rensa_gold(count: int) -> set[int]:
    """The same with rensa's signatures and index, written in Rust."""
    from rensa import RMinHash, RMinHashLSH

    def signature(text: str) -> RMinHash:
        made = RMinHash(num_perm=128, seed=1)
        made.update([each.decode() for each in _shingles(text)])
        return made

    known = RMinHashLSH(threshold=0.5, num_perm=128, num_bands=32)
    for n, item in enumerate(gold()):
        known.insert(n, signature(" ".join(item)))
    return {n for n, text in enumerate(documents(count)) if known.query(signature(text))}


def inside(count: int) -> set[int]:
    """Near duplicates inside training by evalgate, alone."""
    from evalgate.corpus.leak.near import Repeats
    from evalgate.corpus.leak.words import hashed

    repeats, waiting, size = Repeats(()), [], 0
    for text in documents(count):
        waiting.append(text)
        size += len(text)
        if size >= 1 << 20:
            repeats.add(hashed(waiting))
            waiting, size = [], 0
    if waiting:
        repeats.add(hashed(waiting))
    list(repeats.twins())
    return set()


CONTESTANTS: dict[str, tuple[Callable[[int], set[int]], str]] = {
    "documents": (only_documents, "making the documents"),
    "hash": (hash_words, "split() and hash() of every word"),
    "tuples": (tuples, "plain set of 13-gram tuples"),
    "index": (index, "evalgate, exact index (8 and 13)"),
    "datasketch": (datasketch_gold, "datasketch, gold in LSH at 0.5"),
    "rensa": (rensa_gold, "rensa, gold in LSH at 0.5"),
    "inside": (inside, "evalgate, near duplicates inside training"),
    "datasketch-inside": (datasketch_inside, "datasketch, near duplicates inside training"),
    "check": (check, "evalgate, all of data check"),
}
OTHERS = ("datasketch", "rensa", "datasketch-inside")


def one(name: str, count: int) -> None:
    """In a process of its own: runs a contestant and prints CPU seconds, peak memory and what it found."""
    begin = time.process_time()
    found = CONTESTANTS[name][0](count)
    every = max(1, count // PLANTED)
    planted = {n * every for n in range(min(PLANTED, count))}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"cpu": time.process_time() - begin, "mb": peak, "found": len(found & planted), "else": len(found - planted)}  # fmt: skip
    print(json.dumps(told))


def cost(count: int, names: list[str], python: str | None) -> None:
    """Prints the table of all contestants."""
    print(f"\n{GOLD} gold items against {count} documents of about {WORDS} words\n")
    print("| | CPU beyond making the documents | ratio to hashing | peak memory | planted found | others |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    told = {}
    for name in names:
        if name in OTHERS and python is None:
            continue
        interpreter = python if name in OTHERS and python else sys.executable
        command = [interpreter, str(HERE), "--one", name, "--documents", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: exit {done.returncode}\n{done.stderr}")
        told[name] = json.loads(done.stdout)
    base = told.get("documents", {"cpu": 0})["cpu"]
    least = told["hash"]["cpu"] - base if "hash" in told else None
    for name, row in told.items():
        beyond = row["cpu"] - base
        ratio = f"{beyond / least:.2f}" if least and name != "documents" else ""
        shown = f"{beyond:.1f} s" if name != "documents" else f"({row['cpu']:.1f} s)"
        hits = (f"{row['found']} of {PLANTED}", str(row["else"])) if row["found"] or row["else"] else ("", "")  # fmt: skip
        print(f"| {CONTESTANTS[name][1]} | {shown} | {ratio} | {row['mb']:.0f} MB | {hits[0]} | {hits[1]} |")  # fmt: skip


# -- recall and false alarms


def recall(count: int) -> None:
    """Prints how many planted leaks of each kind are found, with exact one-sided 95 % bounds."""
    sys.path.insert(0, str(HERE.parents[1] / "leakage"))
    from plants import KINDS, ROOT, planted

    from evalgate.corpus.leak.check import Leakage
    from evalgate.corpus.leak.gold import load_all
    from evalgate.stats import cp_lower

    known = load_all(ROOT, None)
    print("\n| planted | by text alone | at least | with the unit stated | at least |\n|---|---|---|---|---|")  # fmt: skip
    for kind in KINDS:
        cells = []
        for stated in (False, True):
            rng = random.Random(f"{kind} {stated}")
            items = rng.sample(known.items, count)
            leakage = Leakage(known)
            rows = [planted(item, kind, rng, lineage=stated) for item in items]
            for row in rows:
                leakage.add(row)
            hits = {(hit.row, hit.gold) for hit in leakage.report(tuple).hits}
            found = sum((r.id, i.id) in hits for r, i in zip(rows, items, strict=True))
            cells += [f"{found} of {count}", f"{cp_lower(found, count):.3f}"]
        print(f"| {kind} | {' | '.join(cells)} |")


def real(root: Path) -> None:
    """Prints what is found between real texts of two sources."""
    sys.path.insert(0, str(HERE.parents[1] / "leakage"))
    import real_texts

    from evalgate.corpus.leak.check import Leakage
    from evalgate.stats import cp_upper

    print("\n| training | gold | rows with a hit | at most | pairs | longest run |\n|---|---|---|---|---|---|")  # fmt: skip
    for rows_of, gold_of in (
        (real_texts.mts_dialog, real_texts.aci_bench),
        (real_texts.pubmedqa, real_texts.bc5cdr),
    ):
        rows, known = rows_of(root), gold_of(root)
        leakage = Leakage(known)
        for row in rows:
            leakage.add(row)
        hits = [hit for hit in leakage.report(tuple).hits if hit.gold is not None]
        some = len({hit.row for hit in hits})
        print(
            f"| {rows_of.__name__}, {len(rows)} rows | {gold_of.__name__}, {len(known.items)} items | {some} | "
            f"{cp_upper(some, len(rows)):.4f} | {len(hits)} | {'; '.join(h.evidence for h in hits[:3])} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recall", action="store_true")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--only", default=",".join(CONTESTANTS))
    parser.add_argument("--python", help="an interpreter with datasketch and rensa")
    parser.add_argument("--items", type=int, default=300, help="planted of each kind")
    parser.add_argument("--one", choices=CONTESTANTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.documents)
        return
    if given.recall:
        recall(given.items)
    if given.real:
        real(Path(os.environ["EVALGATE_PUBLIC_DATA"]))
    if given.cost:
        cost(given.documents, given.only.split(","), given.python)


if __name__ == "__main__":
    main()
