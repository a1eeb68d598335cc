"""What a corpus costs: rows a second and peak memory of writing, reading and mixing, beside plain `json` on the same rows.

    python tests/benchmarks/corpus_bench.py                      20,000 rows
    python tests/benchmarks/corpus_bench.py --rows 1000000       what docs/corpus.md shows; Parquet needs the extra hf

Each stage is a process of its own, so that its peak memory is its own; `python alone` imports nothing. The floor writes
each row with json.dumps and a newline, and reads it with json.loads: no types, no checks, no digest. Making the rows is
counted apart and taken off its CPU seconds. Prints a table; writes nothing outside of a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TASKS = ("appeal_letters", "claim_entities", "denial_reasons", "history_summary", "policy_qa")
_WORDS = [
    "the",
    "plan",
    "covers",
    "one",
    "visit",
    "a",
    "year",
    "after",
    "the",
    "deductible",
    "was",
    "met",
    "and",
    "the",
    "claim",
    "was",
    "filed",
    "in",
    "time",
]


def values(rows: int) -> Iterator[dict]:
    """Rows as plain values, about 1 kB each; every third has a parent."""
    for n in range(rows):
        question = f"Member {n}: " + " ".join(_WORDS[(n + k) % len(_WORDS)] for k in range(90))
        answer = " ".join(_WORDS[(n * 7 + k) % len(_WORDS)] for k in range(40))
        yield {
            "id": f"row-{n:08d}",
            "task": TASKS[n % 5],
            "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
            "unit": f"member-{n // 3}",
            "parents": [f"row-{n - 1:08d}"] if n % 3 == 2 else [],
            "made_by": {"template": "plain@1", "seed": n, "seeds": {"plan": "gold", "drug": "none"}},
            "terms": "project",
            "expected": {"label": "covered", "days": n % 90},
        }  # fmt: skip


def examples(rows: int) -> Iterator:
    """The same rows as examples."""
    from evalgate.corpus.example import Example, MadeBy

    for value in values(rows):
        value["messages"] = tuple(value["messages"])
        value["parents"] = tuple(value["parents"])
        value["made_by"] = MadeBy(**value["made_by"])
        yield Example(**value)


def make_values(rows: int, at: Path) -> None:
    for _ in values(rows):
        pass


def make_examples(rows: int, at: Path) -> None:
    for _ in examples(rows):
        pass


def floor_write(rows: int, at: Path) -> None:
    with (at / "floor.jsonl").open("w") as file:
        for value in values(rows):
            file.write(json.dumps(value) + "\n")
        file.flush()
        os.fsync(file.fileno())


def floor_read(rows: int, at: Path) -> None:
    with (at / "floor.jsonl").open() as file:
        assert sum(bool(json.loads(line)["id"]) for line in file) == rows


def _write(rows: int, at: Path, form: str) -> None:
    from evalgate.corpus.files import Writer

    with Writer(at, form, command="bench", form=form) as writer:
        for example in examples(rows):
            writer.add(example)


def _read(rows: int, path: Path) -> None:
    from evalgate.corpus.files import rows as read

    assert sum(bool(row.id) for row in read(path, strict=True)) == rows


def write(rows: int, at: Path) -> None:
    _write(rows, at, "jsonl")


def read(rows: int, at: Path) -> None:
    _read(rows, at / "jsonl")


def read_outside(rows: int, at: Path) -> None:
    from evalgate.corpus.files import rows as reads

    assert sum(bool(row.id) for row in reads(at / "floor.jsonl", strict=False)) == rows


def write_parquet(rows: int, at: Path) -> None:
    _write(rows, at, "parquet")


def read_parquet(rows: int, at: Path) -> None:
    _read(rows, at / "parquet")


def mix(rows: int, at: Path) -> None:
    from evalgate.corpus.counting import counter
    from evalgate.corpus.mix import Blend
    from evalgate.corpus.mixture import mix as mixed

    with counter(None, at) as counting:
        assert mixed(at, "m", [at / "jsonl"], recipe=Blend(), counter=counting).rows == rows


def alone(rows: int, at: Path) -> None:
    pass


class Stage(NamedTuple):
    """`made`: the stage whose CPU seconds are taken off, since it only makes the rows."""

    what: str
    act: Callable[[int, Path], None]
    made: str = ""


STAGES = {
    "alone": Stage("python alone", alone),
    "make_values": Stage("making the rows", make_values),
    "make_examples": Stage("making the examples", make_examples),
    "floor_write": Stage("floor: json.dumps, write", floor_write, "make_values"),
    "write": Stage("Writer, JSONL", write, "make_examples"),
    "write_parquet": Stage("Writer, Parquet", write_parquet, "make_examples"),
    "floor_read": Stage("floor: json.loads", floor_read),
    "read": Stage("rows of a corpus, JSONL", read),
    "read_outside": Stage("rows of the outside form", read_outside),
    "read_parquet": Stage("rows of a corpus, Parquet", read_parquet),
    "mix": Stage("data mix, words counted", mix),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.stage:
        began = time.perf_counter(), time.process_time()
        STAGES[options.stage].act(options.rows, options.at)
        print(time.perf_counter() - began[0], time.process_time() - began[1])
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return _all(options.rows, Path(folder))


def _all(rows: int, at: Path) -> int:
    print(f"{rows:,} rows\n\n| stage | wall, all of it | CPU | rows a second of CPU | peak memory |\n|---|---|---|---|---|")  # fmt: skip
    spent: dict[str, float] = {}
    for name, stage in STAGES.items():
        command = [sys.executable, __file__, "--rows", str(rows), "--stage", name, "--at", str(at)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            return 1
        wall, cpu = map(float, out.split())
        spent[name] = cpu
        cpu -= spent.get(stage.made, 0.0)  # of wall time it would mean nothing on a shared machine
        speed = f"{rows / cpu:,.0f}" if cpu > 1e-3 else ""
        print(f"| {stage.what} | {wall:.2f} s | {cpu:.2f} s | {speed} | {used.ru_maxrss / 1024:.0f} MiB |", flush=True)  # fmt: skip
    print()
    for path in (at / "floor.jsonl", at / "jsonl", at / "parquet"):
        files = [path] if path.is_file() else path.iterdir()
        print(f"{path.name}: {sum(p.stat().st_size for p in files) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
