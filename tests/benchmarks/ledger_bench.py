"""What proof costs: hashing a model, verifying a certificate, reading and verifying a ledger, each beside its floor.

    python tests/benchmarks/ledger_bench.py                              hashing and ledgers of 10, 1,000 and 100,000 entries
    python tests/benchmarks/ledger_bench.py --project DIR --model NAME   and `verify`, `gate promote` of a promoted model there

The floor of hashing is `sha256sum` and `openssl dgst` on the same file; that of a ledger is the cryptography library alone,
verifying as many signatures over as many bytes. A ledger is built with real lines, links and signatures and written in one
go: an append waits for the disk twice, which 100,000 of them would feel. What is compared is measured in turns; seconds are
medians, of the wall clock and of the CPU (children included). Prints tables; writes nothing outside of a temporary folder.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from evalgate import digest
from evalgate.authored.keyring import GATE, Keyring
from evalgate.crypto.keys import SigningKey
from evalgate.store import ledger as ledgers
from evalgate.store.ledger import Entry, Head, Ledger, Line, SignedHead, stamp
from evalgate.store.released import released
from evalgate.store.signer import keyring_of, make_key

ROOT = Path(__file__).resolve().parents[2]
EVALGATE = Path(sys.executable).with_name("evalgate")
MODEL = ROOT / "models" / "smollm2-135m-instruct.gguf"
PROMOTIONS = 20  # among all entries of a ledger, at most


class Cost(NamedTuple):
    """Seconds of one run, by the wall clock and of CPU."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{_text(self.wall)} (CPU {_text(self.cpu)})"


def _text(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def measured(tasks: dict[str, Callable[[], object]], times: int) -> dict[str, Cost]:
    """The median cost of each task, run in turns."""
    costs: dict[str, list[Cost]] = {name: [] for name in tasks}
    for _ in range(times):
        for name, task in tasks.items():
            began, before = time.perf_counter(), _cpu()
            task()
            costs[name].append(Cost(time.perf_counter() - began, _cpu() - before))
    return {
        name: Cost(*(statistics.median(column) for column in zip(*found, strict=True)))
        for name, found in costs.items()
    }


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def command(*argv: str | Path, cwd: Path | None = None) -> Callable[[], object]:
    """A task that runs a command and expects it to succeed."""

    def run() -> None:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}")

    return run


def project(folder: Path, entries: int) -> tuple[Path, SigningKey]:
    """A project with a ledger of so many entries, and the gate's key."""
    root = folder / str(entries)
    (root / "reports").mkdir(parents=True)
    (root / "evalgate.toml").write_text("")
    make_key(root, "gate", roles=(GATE,), holder="the bench")
    key = SigningKey.read(root / ".evalgate" / "gate.key")
    keyring = keyring_of(root)
    lines, previous = [], ledgers.START
    begin = time.time() - entries
    for seq in range(entries):
        entry = Entry(
            at=stamp(begin + seq),
            by="gate",
            previous=previous,
            seq=seq,
            **_said(seq, every=max(1, entries // PROMOTIONS)),
        )
        line = digest.canonical(
            Line(entry=entry, key=key.public.id, sig=ledgers._sign(digest.canonical(entry), key))
        )
        previous = digest.of_bytes(line)
        lines.append(line + b"\n")
    ledger = Ledger(root, keyring)
    ledger.path.write_bytes(b"".join(lines))
    head = Head(at=entry.at, hash=previous, seq=entries - 1)
    sig = ledgers._sign(digest.canonical(head), key)
    signed = SignedHead(head=head, key=key.public.id, sig=sig)
    ledger.head_path.write_bytes(digest.canonical(signed) + b"\n")
    return root, key


def _said(seq: int, *, every: int) -> dict:
    """Kind and body of an entry: decisions as `gate check` enters them, and now and then a promotion."""
    digests = [digest.of_value([seq, n]) for n in range(3)]
    if seq % every == every - 1:
        body = {
            "alias": "production",
            "model": "m",
            "digest": digests[0],
            "certificate": digests[1],
            "path": "reports/certificates/x.json",
            "plan": digests[2],
            "before": None,
            "notes": [],
        }
        return {"kind": "promotion", "body": body}
    body = {
        "decision": "open",
        "exit": 0,
        "model": {"name": "m", "digest": digests[0]},
        "plan": digests[2],
        "attempt": None,
        "certificate": f"reports/certificates/{seq}.json",
        "digest": digests[1],
    }
    return {"kind": "decision", "body": body}


def of_ledgers(sizes: Sequence[int], times: int) -> None:
    """Prints what a ledger of each size costs."""
    print("| entries | `ledger verify` | of it Ed25519 alone | links and head (every `gate check`) | what is promoted | one append |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            root, key = project(Path(folder), size)
            keyring: Keyring = keyring_of(root)
            ledger = Ledger(root, keyring)
            payload = b"x" * (ledger.path.stat().st_size // size)
            signature = key.sign(payload)

            def signatures(size=size, key=key, signature=signature, payload=payload) -> None:
                for _ in range(size):
                    assert key.public.verify(signature, payload)

            def append(ledger=ledger, key=key) -> None:
                ledger.append("purge", {"runs": 1}, key)

            costs = measured(
                {
                    "verify": command(EVALGATE, "ledger", "verify", cwd=root),
                    "floor": signatures,
                    "entries": ledger.entries,
                    "released": lambda root=root: released(root),
                },
                times if size < 10_000 else min(times, 3),
            )
            costs |= measured({"append": append}, 15)
            print(f"| {size:,} | {' | '.join(str(cost) for cost in costs.values())} |", flush=True)
            shutil.rmtree(root)


def of_hashing(file: Path, times: int) -> None:
    """Prints what hashing a file costs, by us and by the tools that everybody has."""
    tasks = {
        "evalgate.digest.of_file": lambda: digest.of_file(file),
        "sha256sum": command("sha256sum", file),
        "openssl dgst -sha256": command("openssl", "dgst", "-sha256", file),
    }
    tasks = {name: task for name, task in tasks.items() if name.startswith("evalgate") or shutil.which(name.split()[0])}  # fmt: skip
    digest.of_file(file)  # into the page cache
    size = file.stat().st_size / 1e6
    own, *others = (costs := measured(tasks, times)).values()
    print(f"\n| {file.name}, {size:.0f} MB | seconds | MB/s of CPU | CPU of evalgate's |")
    print("|---|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {cost} | {size / cost.cpu:.0f} | {cost.cpu / own.cpu:.2f} x |")
    del others


def of_release(root: Path, model: str, times: int) -> None:
    """Prints what `verify` and `gate promote` of a promoted model cost, beside a look at the same files' digests."""
    costs = measured(
        {
            "`evalgate --help` (start)": command(EVALGATE, "--help"),
            "`evalgate verify`": command(EVALGATE, "verify", model, cwd=root),
            "`evalgate gate promote`, again": command(EVALGATE, "gate", "promote", model, cwd=root),
        },
        times,
    )
    print("\n| command | seconds |\n|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {cost} |")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", default="10,1000,100000", help="sizes of ledgers")
    parser.add_argument("--file", type=Path, default=MODEL, help="what is hashed")
    parser.add_argument("--times", type=int, default=7, help="runs of each; the median counts")
    parser.add_argument("--project", type=Path)
    parser.add_argument("--model", default="smollm2")
    options = parser.parse_args(arguments)
    of_ledgers([int(n) for n in options.entries.split(",")], options.times)
    of_hashing(options.file, options.times)
    if options.project:
        of_release(options.project, options.model, options.times)
    return 0


if __name__ == "__main__":
    sys.exit(main())
