"""What a trainer is told, and what it tells: one file in, a directory and a log out. Trainers run in a process of their own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from evalgate import digest
from evalgate.corpus.example import Example
from evalgate.errors import EvalgateError, Exit, UsageError
from evalgate.records import Record

LOG: Final = "log.jsonl"
ADAPTER: Final = "adapter"
MERGED: Final = "merged"
JOB: Final = "job.json"

C = TypeVar("C", bound=Record)


class Job(Record, kw_only=True):
    """One training. `digest` of it names it: the same job, started again, resumes.

    `base`: directory of the base model, `base_digest` its digest. `rows`: the file of the rows to train on, one Example a
    line, each once; `order`: the file of their numbers in the order in which they are shown, as 64-bit little-endian
    integers; both with digests. `held_out`: the file of rows that measure and are not trained. `merge`: the adapter is merged
    into the base, for servers that take no adapters.
    """

    recipe: str
    trainer: str
    base: str
    base_digest: str
    rows: str
    rows_digest: str
    order: str
    order_digest: str
    held_out: str
    held_out_digest: str
    seed: int
    merge: bool = False
    config: dict[str, Any]

    @property
    def digest(self) -> str:
        """Digest of all of it that can change the model: not where anything lies."""
        places = ("base", "rows", "order", "held_out")
        told = {k: v for k, v in msgspec.structs.asdict(self).items() if k not in places}
        return digest.of_value(told)

    def configured(self, kind: type[C]) -> C:
        """The trainer's settings. Raises UsageError (EG945) that names the setting at fault."""
        try:
            return msgspec.convert(self.config, kind)
        except msgspec.ValidationError as e:
            raise UsageError(
                f"found settings that the trainer cannot use ({e}), expected those of its record {kind.__name__} "
                f"({', '.join(kind.__struct_fields__)}). Correct [config].",
                where=self.recipe,
                code="EG945",
            ) from None


class Workshop:
    """The directory of one job: `job.json` is its order, `log.jsonl` its diary."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job = msgspec.json.decode((path / JOB).read_bytes(), type=Job)

    @property
    def adapter(self) -> Path:
        """Where the trainer puts the adapter."""
        return self.path / ADAPTER

    @property
    def merged(self) -> Path:
        """Where the trainer puts the base with the adapter in it, if the job asks for that."""
        return self.path / MERGED

    @property
    def checkpoints(self) -> Path:
        """Where the trainer may keep what it needs to go on."""
        return self.path / "checkpoints"

    def examples(self, name: str) -> Iterator[Example]:
        """The rows of the job's file `name` ("rows" or "held_out")."""
        decode = msgspec.json.Decoder(Example).decode
        with Path(getattr(self.job, name)).open("rb") as f:
            for line in f:
                yield decode(line)

    def note(self, event: str, **figures: Any) -> None:
        """Adds a line to the diary: numbers and names, never a text of a row."""
        line = {"event": event, "at": round(time.time(), 3), **figures}
        with (self.path / LOG).open("a", encoding="utf-8") as f:
            f.write(json.dumps(line, sort_keys=True) + "\n")


def run_trainer(train: Any) -> None:
    """The main of a trainer: `train(workshop)`, with the directory that the command line names. Never returns.

    Exit codes are evalgate's own: 2 for a recipe that cannot be trained, 4 where memory or disk ran out, and a line on
    stderr that says which.
    """
    try:
        train(Workshop(Path(sys.argv[1])))
    except EvalgateError as e:
        sys.stdout.flush()  # what libraries printed comes first: the last line is the reason
        sys.stderr.write(f"{e}\n")
        sys.exit(int(e.exit))
    except (MemoryError, OSError) as e:
        told = e.strerror if isinstance(e, OSError) and e.strerror else "out of memory"
        sys.stderr.write(
            f"found {told}, expected room to train. Free some; the next start resumes.\n"
        )
        sys.exit(int(Exit.INFRASTRUCTURE))
    except RuntimeError as e:
        if "out of memory" not in str(e).lower():
            raise
        sys.stderr.write(
            "found too little memory of the accelerator, expected room for a step. Lower `batch` and raise `accumulate`.\n"
        )
        sys.exit(int(Exit.INFRASTRUCTURE))
    sys.exit(0)


def read_log(path: Path) -> list[Mapping[str, Any]]:
    """The diary of a job, whole lines only: a killed trainer may have left half of one."""
    try:
        data = (path / LOG).read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
