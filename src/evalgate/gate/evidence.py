"""What a decision rests on, gathered for its reports: runs, digests, versions, counts. It decides nothing."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from evalgate.errors import IntegrityError
from evalgate.gate.plan import deciding_files, lock_of, version
from evalgate.records import Decision, Evidence, Finding, ModelIdentity, SuiteEvidence
from evalgate.store import Run, last_sum
from evalgate.store.shelf import earlier_marks
from evalgate.suite import Answers, LoadedSuite, Project
from evalgate.suite.asking import manifest_of

if TYPE_CHECKING:
    from evalgate.crypto.seal import RowCipher


def now() -> Evidence:
    """All that is known where nothing could be asked: the time and the versions."""
    return Evidence(decided=_utc(time.time()), evalgate=version(), python=platform.python_version())


def gather(
    project: Project,
    decision: Decision,
    *,
    candidate: ModelIdentity,
    runs: dict[str, str],
    baseline: ModelIdentity | None,
    baseline_runs: dict[str, str],
    judge: ModelIdentity | None = None,
    asked: int,
    judged: int = 0,
) -> Evidence:
    """The evidence of `decision`. `runs` maps each suite to its run's directory.

    `asked` counts the questions put to candidate and baseline now, `judged` those put to the judge.

    Reads files of the project, so that their digests are those of the bytes as they are now. Raises OSError.
    """
    sides = 1 + (baseline_runs not in ({}, runs))
    total = sides * sum(len(loaded.gold) for loaded in project.suites.values())
    suites = tuple(
        _suite(
            project,
            loaded,
            decision.findings,
            run=(runs[name], manifest_of(loaded, candidate).key),
            baseline=(baseline_runs[name], manifest_of(loaded, baseline).key) if baseline else None,
            verdicts=_verdicts(project, loaded, runs[name], candidate, judge),
        )
        for name, loaded in project.suites.items()
    )
    return msgspec.structs.replace(
        now(),
        candidate=candidate,
        baseline=baseline,
        judge=judge,
        judged=judged,
        asked=asked,
        kept=total - asked,
        files=files_of(project, candidate),
        suites=suites,
        lock=lock_of(project, judge),
        notes=(
            *_notes(project, candidate, baseline, asked, total - asked),
            *_purges({**{f"baseline, {n}": r for n, r in baseline_runs.items()}, **runs}),
            *(_judge_notes(project, judge, judged) if judge else ()),
        ),
    )


def _suite(
    project: Project,
    loaded: LoadedSuite,
    findings: Iterable[Finding],
    *,
    run: tuple[str, str],
    baseline: tuple[str, str] | None,
    verdicts: dict[str, str],
) -> SuiteEvidence:
    name, items = loaded.suite.name, len(loaded.gold)
    counts = (f.answers for f in findings if f.suite == name and sum(f.answers.values()) == items)
    return SuiteEvidence(
        suite=name,
        items=items,
        units=loaded.gold.units,
        answers=next(counts, {}),
        gold=loaded.gold_file,
        gold_version=loaded.card.version if loaded.card else "",
        prompt=loaded.suite.prompt,
        sampling=loaded.suite.sampling,
        run=_below(project.root, run[0]),
        key=run[1],
        asked=_landed(Path(run[0]), project.seal.rows(run[1]) if project.seal else None),
        baseline_run=_below(project.root, baseline[0]) if baseline else "",
        baseline_key=baseline[1] if baseline else "",
        verdicts=verdicts,
        sums={
            _below(project.root, path): last_sum(Path(path))
            for path in (
                run[0],
                *([baseline[0]] if baseline else []),
                *(str(project.root / p) for p in verdicts.values()),
            )
        },
    )


def _verdicts(
    project: Project,
    loaded: LoadedSuite,
    run: str,
    candidate: ModelIdentity,
    judge: ModelIdentity | None,
) -> dict[str, str]:
    """The runs of the judge about a suite's answers, as paths below the project."""
    if judge is None:
        return {}
    from evalgate.suite.judging import judged_suites, verdict_runs

    if loaded.suite.name not in judged_suites(project):
        return {}
    try:
        opened = Run(Path(run), manifest_of(loaded, candidate), project.seal)
    except IntegrityError:  # the decision says so, and is not open
        return {}
    answers = Answers(loaded.suite, loaded.gold, opened, card=loaded.card)
    found = verdict_runs(project, loaded, answers, judge)
    return {criterion: _below(project.root, str(path)) for criterion, path in found.items()}


def _below(root: Path, path: str) -> str:
    return Path(path).relative_to(root).as_posix()


def files_of(project: Project, candidate: ModelIdentity) -> dict[str, str]:
    """Every file that decides, by its path; the artifact too where it is a single file."""
    files = {"gate.toml": project.gate.digest, **deciding_files(project)}
    for loaded in project.suites.values():
        if loaded.labelled and loaded.labelled[1]:
            files[loaded.labelled[0]] = loaded.labelled[1]
        files[loaded.suite.prompt] = loaded.prompt.digest
        files[loaded.gold_file] = loaded.digest_on_disk
    spec = project.model(candidate.name)[1]
    if spec.artifact and not spec.base and (project.root / spec.artifact).is_file():
        files[spec.artifact] = candidate.digest
    return files


class _Line(msgspec.Struct):
    """A line of answers.jsonl, as far as it says when."""

    row: msgspec.Raw


class _Row(msgspec.Struct):
    at: float


def _landed(run: Path, cipher: RowCipher | None) -> tuple[str, str] | None:
    """When the first and the last answer of a run landed; they were verified before."""
    first = last = b""
    with (run / "answers.jsonl").open("rb") as f:
        for line in f:
            first, last = first or line, line
    if not last:
        return None

    def at(line: bytes) -> str:
        row = bytes(msgspec.json.decode(line, type=_Line).row)
        return _utc(msgspec.json.decode(cipher.open(row) if cipher else row, type=_Row).at)

    return at(first), at(last)


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _purges(runs: dict[str, str]) -> Iterable[str]:
    """Answers that were there before, and were purged: those of now come from asking anew, and may differ."""
    told = {path: name for name, path in runs.items()}  # of a baseline that is the candidate, once
    for path, name in told.items():
        for mark in earlier_marks(Path(path)):
            yield f"{name}: answers of before were purged on {mark.at[:10]} (ledger entry {mark.entry}), and asked anew"


def _judge_notes(project: Project, judge: ModelIdentity, judged: int) -> Iterable[str]:
    """What a reader should know about judged numbers before any of them."""
    from evalgate.suite.judging import judged_slices

    yield f"{judge.name} judges: {judged} questions put to it now; docs/judges.md says what its word is worth"
    if not judge.verified:
        yield f"the judge {judge.name} is an endpoint: nobody verified which model answers there"
    for name, loaded in project.suites.items():
        if loaded.rubric is not None and judged_slices(project, name) != frozenset():
            status = loaded.rubric.status or "its file does not say who has reviewed it"
            yield f"rubric {name} {loaded.rubric.version}: {status}"


def _notes(
    project: Project,
    candidate: ModelIdentity,
    baseline: ModelIdentity | None,
    asked: int,
    kept: int,
) -> Iterable[str]:
    """What a reader of the decision should know before any number."""
    yield f"{asked} questions asked now" + (
        f", {kept} answers kept from earlier runs (--fresh asks all again)" if kept else ""
    )
    for identity in (candidate, baseline):
        if identity is not None and not identity.verified:
            yield (
                f"{identity.name} is an endpoint: nobody verified which model answered there; "
                "its digest is of url, name and family"
            )
    if baseline is not None and baseline.digest == candidate.digest:
        yield "candidate and baseline are the same model: the comparison says nothing"
    for name, loaded in project.suites.items():
        if loaded.card is not None:
            kind = "synthetic" if loaded.card.synthetic else "not generated"
            yield f"gold set {name}: {kind}, {loaded.card.split}; reviewed: {loaded.card.reviewed}"
