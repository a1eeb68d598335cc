"""Purging runs: their texts go, what they were stays. Manifests keep their keys, the ledger keeps the digests.

In this order, so that a kill at any point leaves something to go on from: an entry "begun" in the ledger with the digest of every
file, the mark `purged.json` beside each answers.jsonl, the deletions, an entry "done". A marked run has no answers, whatever
still lies there, and is never asked into: `gate check` sets it aside and begins a new one. Deleting is not shredding: snapshots
and backups are the file system's.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evalgate import digest
from evalgate.crypto.keys import SigningKey
from evalgate.errors import InfrastructureError, UsageError
from evalgate.files import write_whole
from evalgate.records import Record
from evalgate.store import certificate
from evalgate.store.access import account
from evalgate.store.ledger import Entry, Ledger
from evalgate.store.run import PURGED, Manifest, read_manifest
from evalgate.store.shelf import KeptRun, Mark, kept_runs, no_mark
from evalgate.store.signer import gate_signer, keyring_of

ANSWERS = "answers.jsonl"
DAY_S = 86_400


class Target(Record, kw_only=True):
    """One run to purge. `run`: its directory below the project; `texts` and `logs`: the files that go, likewise.

    `rests`: the aliases whose current certificate rests on it. `answers`: lines of texts, `bytes`: of all files.
    """

    run: str
    suite: str
    manifest: Manifest | None
    verdicts: tuple[str, ...]
    """Keys of the verdict runs among `texts`."""
    texts: dict[str, str]
    logs: dict[str, str]
    answers: int
    bytes: int
    rests: tuple[str, ...] = ()


class Purged(Record, kw_only=True):
    """What came of it. `entry`: number in the ledger; `left`: files that had changed since, which were not touched."""

    run: str
    entry: int
    files: int
    left: tuple[str, ...] = ()


class _Texts(NamedTuple):
    """One answers.jsonl: digest of its bytes, whole lines, the last of them, and its size."""

    digest: str
    lines: int
    last: bytes
    size: int

    def ended(self, otherwise: float) -> float:
        """When the last answer landed; `otherwise` where the line does not say (a sealed row, an edited one)."""
        try:
            return msgspec.json.decode(self.last, type=_Line).row.at
        except msgspec.MsgspecError:
            return otherwise


class _Line(msgspec.Struct):
    class Row(msgspec.Struct):
        at: float

    row: Row


def check_mark(mark: Mark, path: Path, ledger: Ledger) -> Entry:
    """The entry that bears the mark out. Raises IntegrityError (EG813) if none does, and what reading the ledger raises."""
    manifest = read_manifest(path)
    for entry in ledger.of_kind("purge"):
        if entry.seq == mark.entry and entry.body.get("stage") == "begun":
            keys = {entry.body["key"], *entry.body["verdicts"]}
            if manifest is not None and manifest.key in keys and entry.at == mark.at:
                return entry
    raise no_mark(
        path, f"a mark that names entry {mark.entry} of the ledger, which says nothing of this run"
    )


def targets_of(root: Path, runs: Iterable[KeptRun]) -> list[Target]:
    """Everything that holds texts of these runs; runs without texts, and what belongs to a run before, are left out.

    Of a run: its answers, the earlier ones below it, verdicts on them, the logs of its servers; an earlier run (`~1`) is taken
    alone. Nothing is changed. Raises InfrastructureError (EG814), IntegrityError (EG401; a broken ledger or certificate).
    """
    found: list[Target] = []
    resting = _resting(root)
    seen: set[str] = set()
    for kept in runs:
        target = _target(root, kept, resting)
        if target.texts.keys() - seen:
            found.append(target)
            seen |= target.texts.keys()
    return found


def _target(root: Path, kept: KeptRun, resting: Mapping[str, set[str]]) -> Target:
    with _disk(kept.path):
        read = {path: _read(path) for path in sorted(kept.path.rglob(ANSWERS))}
        judged = {_judged(path, texts) for path, texts in read.items()}
        verdicts = {p: m for p, m in _verdict_runs(root, kept.suite) if m.gold in judged}
        read |= {path: _read(path) for p in verdicts for path in sorted(p.rglob(ANSWERS))}
        manifest = read_manifest(kept.path)
        models = {m.model.name for m in (manifest, *verdicts.values()) if m is not None}
        logs = [path for model in sorted(models) for path in _logs(root, model)]
        folders = {_below(root, _run_of(path)) for path in read}
        return Target(
            run=_below(root, kept.path),
            suite=kept.suite,
            manifest=manifest,
            verdicts=tuple(m.key for m in verdicts.values()),
            texts={_below(root, path): texts.digest for path, texts in read.items()},
            logs={_below(root, path): digest.of_file(path) for path in logs},
            answers=sum(texts.lines for texts in read.values()),
            bytes=sum(t.size for t in read.values()) + sum(p.stat().st_size for p in logs),
            rests=tuple(sorted(set().union(*(resting.get(f, set()) for f in folders)))),
        )


def _resting(root: Path) -> dict[str, set[str]]:
    """The directories of runs that certificates of promoted models rest on, with the aliases that stand for those."""
    keyring = keyring_of(root)
    last = {e.body["alias"]: e for e in Ledger(root, keyring).of_kind("promotion")}
    found: dict[str, set[str]] = {}
    for alias, entry in last.items():
        told = certificate.read(root / entry.body["path"], keyring, where=entry.body["path"])
        for suite in told.predicate.evidence.suites:
            for run in {suite.run, suite.baseline_run, *suite.verdicts.values()} - {""}:
                found.setdefault(run, set()).add(alias)
    return found


def expired(root: Path, days: int, now: float) -> list[KeptRun]:
    """Runs and verdict runs whose last answer landed more than `days` before `now` (seconds since the epoch).

    Raises InfrastructureError (EG814).
    """
    shelf = [*kept_runs(root / "reports")]
    shelf += [
        KeptRun(suite=p.parent.name, key=p.name, repeat=0, path=p) for p, _ in _verdict_runs(root)
    ]
    found = []
    for kept in shelf:
        path = kept.path / ANSWERS
        with _disk(kept.path):
            if path.is_file() and past(_read(path).ended(path.stat().st_mtime), days, now):
                found.append(kept)
    return found


def past(ended: float, days: int | None, now: float) -> bool:
    """Whether the retention period of what ended then is over; never, if there is none."""
    return days is not None and ended < now - days * DAY_S


def purge(
    root: Path, targets: Iterable[Target], *, reason: str, force: bool = False
) -> Iterator[Purged]:
    """Purges the targets one after another, after what an earlier purge left unfinished.

    Raises UsageError: no reason (EG810), a run that the certificate of a promoted model rests on, without `force` (EG811);
    InfrastructureError (EG403: somebody asks into a run right now; EG814: the disk), and what the ledger raises.
    """
    targets = list(targets)
    if not reason.strip():
        raise UsageError(
            "found no reason, expected words: they stay in the ledger. Say why with --reason.",
            code="EG810",
        )
    resting = [t for t in targets if t.rests]
    if resting and not force:
        raise UsageError(
            f"found {resting[0].run}, which the certificate of {', '.join(resting[0].rests)} rests on, expected runs that nothing "
            "in use rests on. Its numbers could never be computed again: purge it with --force if you must.",
            where=resting[0].run,
            code="EG811",
        )
    keyring = keyring_of(root)
    key = gate_signer(root, keyring).private
    ledger = Ledger(root, keyring_of(root))
    yield from _finish_all(root, ledger, key)
    for target in targets:
        with _alone(root, target.texts):
            entry = ledger.append("purge", _body(target, reason.strip()), key)
            yield _finish(root, ledger, key, entry)


def unfinished(root: Path) -> list[Entry]:
    """The purges that were begun and have no entry "done". Raises IntegrityError where the ledger is not what was written."""
    return _open(Ledger(root, keyring_of(root)))


def _open(ledger: Ledger) -> list[Entry]:
    entries = ledger.of_kind("purge")
    done = {e.body.get("begun") for e in entries if e.body.get("stage") == "done"}
    return [e for e in entries if e.body.get("stage") == "begun" and e.seq not in done]


def _finish_all(root: Path, ledger: Ledger, key: SigningKey) -> Iterator[Purged]:
    for entry in _open(ledger):
        with _alone(root, entry.body["files"]):
            yield _finish(root, ledger, key, entry)


def _body(target: Target, reason: str) -> dict[str, Any]:
    manifest = target.manifest
    return {
        "stage": "begun",
        "run": target.run,
        "suite": target.suite,
        "key": manifest.key if manifest else "",
        "model": {"name": manifest.model.name, "digest": manifest.model.digest} if manifest else {},
        "gold": manifest.gold if manifest else "",
        "verdicts": list(target.verdicts),
        "files": target.texts | target.logs,
        "answers": target.answers,
        "bytes": target.bytes,
        "rests": list(target.rests),
        "reason": reason,
        "account": account(),
    }


def _finish(root: Path, ledger: Ledger, key: SigningKey, entry: Entry) -> Purged:
    """Deletes what an entry names, by content: a file that was set aside meanwhile goes, one with other content stays."""
    files: dict[str, str] = entry.body["files"]
    mark = msgspec.json.encode(Mark(at=entry.at, entry=entry.seq))
    texts = [root / name for name in files if name.endswith(ANSWERS)]
    folders = {root / entry.body["run"], *(path.parent for path in texts)}
    with _disk(root / entry.body["run"]):
        there = {path for folder in folders for path in folder.rglob(ANSWERS)}
        named = {path for path in there if digest.of_file(path) in files.values()}
        gone = {path.parent for path in texts if path not in there}
        for folder in sorted({path.parent for path in named} | gone):
            if folder.is_dir():  # else it was removed by hand
                write_whole(folder / PURGED, mark + b"\n")
        for path in sorted(named):
            path.unlink()
        for name, known in files.items():
            path = root / name
            if not name.endswith(ANSWERS) and path.is_file() and digest.of_file(path) == known:
                path.unlink()
        left = sorted(_below(root, path) for path in set(texts) & there - named)
    ledger.append("purge", {"stage": "done", "begun": entry.seq, "left": left}, key)
    return Purged(run=entry.body["run"], entry=entry.seq, files=len(files), left=tuple(left))


def _read(path: Path) -> _Texts:
    found, lines, last, size = hashlib.sha256(), 0, b"", 0
    with path.open("rb") as f:
        for line in f:
            found.update(line)
            size += len(line)
            if line.endswith(b"\n"):
                lines, last = lines + 1, line
    return _Texts(f"sha256:{found.hexdigest()}", lines, last, size)


def _judged(path: Path, texts: _Texts) -> str:
    """What a verdict run on these answers calls them (suite/judging.py `docket_of`); "" where there is no manifest."""
    manifest = read_manifest(path.parent)
    if manifest is None:
        return ""
    last_sum = texts.last[8:40].decode(errors="replace")
    return digest.of_value([manifest.gold, manifest.key, last_sum])


def _verdict_runs(root: Path, suite: str = "*") -> Iterator[tuple[Path, Manifest]]:
    for path in sorted((root / "reports" / "verdicts").glob(f"{suite}/*/run.json")):
        manifest = read_manifest(path.parent)
        if manifest is not None:
            yield path.parent, manifest


def _logs(root: Path, model: str) -> Iterator[Path]:
    """What servers and tests of this model wrote when they ran last."""
    for name in (f"{model}.log", f"{model}.tokens.log", "check.log"):
        path = root / "reports" / "logs" / name
        if path.is_file():
            yield path


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


@contextlib.contextmanager
def _alone(root: Path, names: Iterable[str]) -> Iterator[None]:
    """Holds the locks of the runs that files belong to. Raises InfrastructureError (EG403) if somebody asks into one."""
    with contextlib.ExitStack() as stack:
        for folder in sorted({_run_of(root / name) for name in names if name.endswith(ANSWERS)}):
            if not folder.is_dir():
                continue
            with _disk(folder):
                fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InfrastructureError(
                    "found the run locked by another process, expected nobody to ask into it. Wait until it ends, then purge again.",
                    where=_below(root, folder),
                    code="EG403",
                ) from None
        yield


def _run_of(path: Path) -> Path:
    """The directory that holds the lock: that of the run in use, for an earlier one too."""
    kind = path.parent.parent.name
    return path.parents[2] if kind in ("earlier", "suspect") else path.parent


@contextlib.contextmanager
def _disk(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to read and delete. Mend the permissions, then purge again: it goes on.",
            where=where.name,
            code="EG814",
        ) from None
