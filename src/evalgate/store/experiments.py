"""Experiments on disk: `reports/experiments/<UTC time>-<name>.json`, one for each `gate train`: what went in, what came out.

It is written when the candidate is trained and once more when its check has ended, so that a crash between the two leaves an
experiment that was not checked, never none. A checksum tells an edit by accident or by hand; it is no signature.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.files import write_whole
from evalgate.records import Record

FOLDER: Final = "reports/experiments"
NOT_CHECKED: Final = "not checked"
"""Why there is no decision until the check has ended."""

Losses = tuple[tuple[int, float], ...]
"""(step, mean loss of a trained token in nats), by step."""


class TaskData(Record, kw_only=True):
    """What of one task was trained: different rows, and tokens of right answers among them."""

    rows: int
    trained_tokens: int


class Seconds(Record, kw_only=True):
    """Wall-clock seconds. `training`: from the first row laid out to the candidate's files, in the start that finished it.

    `check`: all of the check, None without one. `answering`: those of it in which at least one question was with a model's
    server, failed tries included. `opening`: those before the first such question; the start of the server and the loading of
    weights are among them. Both are None where no decision says which answers it rests on.
    """

    training: float
    check: float | None = None
    answering: float | None = None
    opening: float | None = None

    @property
    def harness(self) -> float | None:
        """What the check took beside the answers, the server's start included; None where that is not known."""
        known = self.check is not None and self.answering is not None
        return self.check - self.answering if known else None  # type: ignore[operator]


class Experiment(Record, kw_only=True):
    """One training and what became of it. `sum`: digest of the rest of this object.

    `name` and `artifact`: the candidate and the digest of its files; `recipe`, `base`, `mixture` with their digests beside them;
    `trainer`: digest. `starts`: how often its training was begun (more than once: it was resumed). `data` by task, {} where the
    trainer did not say. `held_out` by task. `decision`: the name of its files in reports/decisions, None where `why` says why not.
    """

    schema: Literal["evalgate.experiment/1"] = "evalgate.experiment/1"
    sum: str = ""
    name: str
    artifact: str
    when: str
    recipe: str
    recipe_digest: str
    trainer: str
    config: dict[str, Any]
    seed: int
    base: str
    base_digest: str
    mixture: str
    mixture_digest: str
    corpora: dict[str, str]
    data: dict[str, TaskData]
    starts: int
    loss: Losses
    held_out: dict[str, Losses]
    seconds: Seconds
    decision: str | None = None
    why: str = NOT_CHECKED


class Kept(Record, kw_only=True):
    """An experiment as it was kept. `stem` is the name that its files share."""

    stem: str
    experiment: Experiment


def new_stem(name: str) -> str:
    """A name for the files of an experiment that made `name`: such names sort by time."""
    return f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%f')}-{name}"


def keep(root: Path, kept: Kept) -> Path:
    """Writes the record, over its own earlier state; returns its path. Raises InfrastructureError (EG950)."""
    bare = msgspec.structs.replace(kept.experiment, sum="")
    sealed = msgspec.structs.replace(bare, sum=digest.of_value(bare))
    return write(root, f"{kept.stem}.json", msgspec.json.format(digest.canonical(sealed), indent=1))


def write(root: Path, name: str, data: bytes) -> Path:
    """Writes a file of an experiment, readable by its owner only. Raises InfrastructureError (EG950)."""
    path = root / FOLDER / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, data)
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to keep the experiment. Free some space or mend the permissions; the "
            "candidate is trained and stays.",
            where=f"{FOLDER}/{name}",
            code="EG950",
        ) from None
    return path


def read(path: Path) -> Kept:
    """The experiment in the file at `path`. Raises IntegrityError (EG951: not of its schema; EG952: not what was written)."""
    where = f"{FOLDER}/{path.name}"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Experiment)
    except (OSError, ValueError, RecursionError) as e:
        kind = e.strerror if isinstance(e, OSError) else "not of its schema"
        raise IntegrityError(
            f"found a record that cannot be read ({kind}), expected evalgate.experiment/1 as it was kept. Restore it, or remove it "
            "with the page beside it.",
            where=where,
            code="EG951",
        ) from None
    if found.sum != digest.of_value(msgspec.structs.replace(found, sum="")):
        raise IntegrityError(
            "found another content than was kept, expected the experiment as it was written. Find out who edited it, then restore it.",
            where=where,
            code="EG952",
        )
    return Kept(stem=path.stem, experiment=found)


def paths(root: Path) -> list[Path]:
    """The records of all experiments, oldest first; none is read."""
    return sorted(p for p in (root / FOLDER).glob("*.json") if not p.name.startswith("."))


def of_candidate(root: Path, name: str) -> Kept | None:
    """The latest experiment that made the candidate `name`; None if there is none. Raises IntegrityError as `read`."""
    found = [p for p in paths(root) if _name(p) == name]
    return read(found[-1]) if found else None


def _name(path: Path) -> str:
    """The candidate in a file's name: behind the time."""
    return path.stem.partition("-")[2]


def find(root: Path, name: str) -> Kept:
    """The experiment meant by `name`: a candidate (then its latest), a stem, or the beginning of one.

    Raises UsageError (EG953: several; EG954: none), IntegrityError as `read`.
    """
    if (latest := of_candidate(root, name)) is not None:
        return latest
    found = paths(root)
    meant = [p for p in found if p.stem == name] or [p for p in found if p.stem.startswith(name)]
    if len(meant) > 1:
        raise UsageError(
            f"found {len(meant)} experiments that begin with {name!r}, expected one. Give more of the name.",
            where=FOLDER,
            code="EG953",
        )
    if not meant:
        names = ", ".join(dict.fromkeys(map(_name, found))) or "none"
        raise UsageError(
            f"found no experiment {name!r}, expected one of: {names}. 'evalgate run list --experiments' names them.",
            where=FOLDER,
            code="EG954",
        )
    return read(meant[0])
