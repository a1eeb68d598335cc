"""From what people type (a model's name, a run's key, `~1` behind either) to complete runs on disk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from evalgate.authored import nearest
from evalgate.errors import EvalgateError, IntegrityError, UsageError
from evalgate.metrics.rates import ItemError
from evalgate.records import Record
from evalgate.store import KeptRun, Run, kept_runs, open_run, read_manifest, run_directory
from evalgate.suite import Answers, LoadedSuite, Project
from evalgate.suite.asking import identify_model, manifest_of

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey

_KEY = re.compile(r"[0-9a-f]{4,64}")


class Side(Record, kw_only=True):
    """One column of a comparison: a model, or one run. `runs` maps suite to the run that answers for it."""

    label: str
    model: str | None
    """Its name in evalgate.toml, None if it was named by a run's key."""
    runs: dict[str, KeptRun]
    notes: tuple[str, ...] = ()


def known_suites(project: Project, asked: Collection[str]) -> list[str]:
    """The project's suites, in its order; only those `asked` for, if any. Raises UsageError (EG425) for an unknown one."""
    for name in asked:
        if name not in project.suites:
            raise UsageError(
                f"found no suite {name!r}, expected one of: {', '.join(project.suites)}."
                f"{nearest(name, project.suites)} Name one of these.",
                code="EG425",
            )
    return [name for name in project.suites if not asked or name in asked]


def find_runs(project: Project, name: str, suites: Collection[str]) -> Side:
    """The runs that `name` stands for: of a model those of `suites` as the project is now, of a key that one.

    `NAME~N` is the Nth run before the one in use, set aside by --fresh. Raises UsageError (EG420: nothing of that name;
    EG421: the model has not been asked, or not in that way).
    """
    base, _, back = name.partition("~")
    if back and not (back.isdecimal() and int(back)):
        raise UsageError(
            f"found {name!r}, expected a number of at least 1 behind ~, such as {base}~1 for the run before the last."
        )
    repeat = int(back or 0)
    shelf = list(kept_runs(project.reports))
    known = base in project.settings.models or base.endswith(".gguf")
    if not known and (keyed := _by_key(shelf, base)):
        chosen = [run for run in keyed if run.repeat == repeat]
        if not chosen:
            raise _not_so_far_back(name, keyed)
        return Side(label=chosen[0].name, model=None, runs={chosen[0].suite: chosen[0]})
    if not known:
        names = sorted({*project.settings.models, *(run.key for run in shelf)})
        raise UsageError(
            f"found no model and no run {base!r}, expected a model of evalgate.toml or a run's key."
            f"{nearest(base, names)} 'evalgate run list' names the runs.",
            code="EG420",
        )
    keys, notes = _keys_of(project, base, suites, shelf)
    runs = {}
    for suite in suites:
        keyed = [run for run in shelf if run.suite == suite and run.key == keys.get(suite)]
        if not keyed:
            raise UsageError(
                f"found no run of {base} for {suite} as the project is now, expected one. Ask it: evalgate gate check "
                f"{base}{' --sealed' if project.sealed else ''}, leave the suite out with --suite, or name an older run by its key.",
                where=f"reports/runs/{suite}",
                code="EG421",
            )
        chosen = [run for run in keyed if run.repeat == repeat]
        if not chosen:
            raise _not_so_far_back(name, keyed)
        runs[suite] = chosen[0]
    return Side(label=name, model=base, runs=runs, notes=tuple(notes))


def _not_so_far_back(name: str, keyed: Sequence[KeptRun]) -> UsageError:
    count = max(run.repeat for run in keyed)
    return UsageError(
        f"found {count} earlier runs for {keyed[0].suite}, expected as many as {name} says. "
        "'evalgate gate check MODEL --fresh' asks everything again and keeps the run before it.",
        where=f"reports/runs/{keyed[0].suite}/{keyed[0].key}",
        code="EG421",
    )


def _by_key(shelf: Sequence[KeptRun], prefix: str) -> list[KeptRun]:
    """The run whose key begins so, with its repeats; [] for none. Raises UsageError if there are several."""
    if not _KEY.fullmatch(prefix):
        return []
    found = [run for run in shelf if run.key.startswith(prefix[:16])]
    if len({(run.suite, run.key) for run in found}) > 1:
        keys = ", ".join(sorted({run.key for run in found}))
        raise UsageError(
            f"found several runs that begin with {prefix}: {keys}, expected one. Give more digits.",
            code="EG420",
        )
    return found


def _keys_of(
    project: Project, model: str, suites: Collection[str], shelf: Sequence[KeptRun]
) -> tuple[dict[str, str], list[str]]:
    """The keys under which `gate check` would look for the model's answers now.

    Where its weights or its server are not on this machine, its name in the runs has to do, and a note says so.
    """
    try:
        identity = identify_model(project, model)
    except IntegrityError:
        raise
    except EvalgateError as e:
        here = _latest_of_name(project, model, suites, shelf)
        code = f" ({e.code})" if e.code else ""
        return here, [f"{model} cannot be identified here{code}: its runs were found by name alone"]
    manifests = {name: manifest_of(project.suites[name], identity) for name in suites}
    return {n: run_directory(project.reports, m).name for n, m in manifests.items()}, []


def _latest_of_name(
    project: Project, model: str, suites: Collection[str], shelf: Sequence[KeptRun]
) -> dict[str, str]:
    found: dict[str, tuple[float, str]] = {}
    for kept in shelf:
        manifest = read_manifest(kept.path) if kept.suite in suites and not kept.repeat else None
        if manifest is None or manifest.model.name != model:
            continue
        if manifest_of(project.suites[kept.suite], manifest.model).key == manifest.key:
            last = open_run(kept, project.seal).ended or 0.0
            found[kept.suite] = max(found.get(kept.suite, (-1.0, "")), (last, kept.key))
    return {suite: key for suite, (_, key) in found.items()}


def open_side(
    loaded: LoadedSuite, kept: KeptRun, label: str, *, seal: SealKey | None = None
) -> Answers:
    """The answers of a complete run about the gold set as it is now; rows verified. `seal`: the key of a sealed run.

    Raises UsageError (EG422: not complete; EG423: about another gold set), IntegrityError (edited).
    """
    run = open_run(kept, seal)
    where = f"reports/runs/{kept.suite}/{kept.name}"
    if run.manifest.gold != loaded.gold.digest:
        raise UsageError(
            f"found answers of {label} to the gold set {run.manifest.gold[:19]}, expected {loaded.gold.digest[:19]}, the one that "
            "is here now: other questions cannot be compared. Ask again, or go back to that gold set.",
            where=where,
            code="EG423",
        )
    if not run.complete:
        raise UsageError(
            f"found {run.landed} of {len(run)} answers of {label}, expected all: what is missing is not missing by chance. "
            "Let 'evalgate gate check' finish the run.",
            where=where,
            code="EG422",
        )
    return Answers(loaded.suite, loaded.gold, run, card=loaded.card)


def statuses_of(project: Project, kept: KeptRun, run: Run) -> dict[str, int] | str:
    """How many items have each status, or why that cannot be told: only a suite and its gold set can read answers."""
    loaded = project.suites.get(kept.suite)
    if loaded is None or loaded.gold.digest != run.manifest.gold:
        return "unknown: the suite or its gold set is another one now"
    answers = Answers(loaded.suite, loaded.gold, run, card=loaded.card)
    try:
        return dict(Counter(answer.status for answer in answers))
    except ItemError as e:
        return f"unknown: {e}"


_WORDS = {"digest": "weights", "version": "server version", "args": "server args"}


def unlike(run: Run, reference: Run) -> list[str]:
    """What of two runs' keys differs, in a word or two each."""
    ours, theirs = msgspec.to_builtins(run.manifest), msgspec.to_builtins(reference.manifest)
    ours |= ours.pop("model")
    theirs |= theirs.pop("model")
    return [
        _WORDS.get(what, what)
        for what, value in ours.items()
        if what not in ("name", "verified") and value != theirs.get(what)
    ]
