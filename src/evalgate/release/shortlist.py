"""`models shortlist`: which base models may be fine-tuned at all, and how those answer the dev suites before any training.

Licence first: a model that may not be trained, or cannot be, is never asked a question. The others are asked as `gate check`
asks, into the same runs. What comes of it nominates; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from evalgate.errors import (
    EvalgateError,
    FileProblems,
    InfrastructureError,
    IntegrityError,
    Refused,
    UsageError,
)
from evalgate.files import write_whole
from evalgate.gate.record import new_stem
from evalgate.gate.sides import known_suites
from evalgate.models.artifact import Weights
from evalgate.models.gguf import metadata
from evalgate.models.hosted import context_length
from evalgate.records import ModelIdentity, ModelSpec
from evalgate.release.licensing import Verdict, verdict
from evalgate.release.ranking import Ranking
from evalgate.release.reselection import governed_rows
from evalgate.release.trained import read_training
from evalgate.report.shortlist import Base, Excluded, Shortlist, shortlist_html
from evalgate.store.ledger import stamp
from evalgate.suite import AskedModel, Project, ask_model, identify_model
from evalgate.suite.asking import Progress

FOLDER: Final = "reports/shortlists"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "*.tiktoken", "*.spm")


def shortlist(
    project: Project,
    names: Sequence[str] = (),
    suites: Collection[str] = (),
    *,
    progress: Progress | None = None,
) -> Shortlist:
    """Asks the models that may be trained (default: every local base of evalgate.toml) the dev suites, and compares them.

    A model that is excluded says why, and the others go on. Raises UsageError (EG960: no model to choose from; EG145, EG425:
    an unknown name), IntegrityError (a model, run or corpus is not what was recorded), what a faulty suite raises.
    """
    wanted = known_suites(project, suites)
    project = Project(
        project.root, project.gate, project.settings, {n: project.suites[n] for n in wanted}
    )
    chosen = list(dict.fromkeys(names)) or list(_local(project))
    if not chosen:
        raise UsageError(
            "found no local base model, expected some with an `artifact` that was not trained here. Add their [models.NAME] tables, "
            "or name models.",
            where="evalgate.toml",
            code="EG960",
        )
    verdicts = {n: verdict(project.root, n, "finetune", project.settings) for n in chosen}
    found = [_looked_at(project, n, verdicts[n]) for n in chosen]
    excluded = [one for one in found if isinstance(one, Excluded)]
    admitted = [one for one in found if isinstance(one, ModelIdentity)]
    asked: list[AskedModel] = []
    for identity in admitted:
        try:
            asked.append(ask_model(project, identity, progress=progress))
        except IntegrityError:
            raise
        except EvalgateError as e:
            excluded.append(_excluded(identity.name, e))
    ranking = Ranking(project, asked)
    return Shortlist(
        made=stamp(),
        rows=governed_rows(project.root),
        alpha=project.gate.settings.alpha,
        tasks=tuple(ranking.tasks()),
        bases=tuple(_bases(project, asked, ranking, verdicts)),
        excluded=tuple(sorted(excluded, key=lambda one: chosen.index(one.name))),
        pairs=tuple(ranking.pairs),
    )


def require_some(found: Shortlist) -> None:
    """Returns if a model could be compared. Raises InfrastructureError where an outage excluded one, else Refused (EG964)."""
    if found.bases:
        return
    outages = sum(one.outage for one in found.excluded)
    error = InfrastructureError if outages else Refused
    advice = "Mend the server or the disk, then start again." if outages else "Name other models."
    raise error(
        f"found {len(found.excluded)} models excluded ({outages} by an outage), expected one that can be compared. {advice}",
        where="models shortlist",
        code="EG964",
    )


# -- keeping


def keep(root: Path, found: Shortlist) -> Path:
    """Writes the shortlist and its page, readable by their owner only; the path of the .json. Raises InfrastructureError (EG962)."""
    path = root / FOLDER / f"{new_stem('shortlist')}.json"
    sealed = msgspec.structs.replace(found, sum=found.own_sum)
    data = msgspec.json.format(msgspec.json.encode(sealed), indent=1) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path.with_suffix(".html"), shortlist_html(sealed).encode())
        write_whole(path, data)  # the last one: where it lies, the page does
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the shortlist. Free some space or mend the permissions; what was "
            "asked is not asked again.",
            where=FOLDER,
            code="EG962",
        ) from None
    return path


def latest(root: Path) -> tuple[Path, Shortlist]:
    """The shortlist kept last, and its path. Raises UsageError (EG960: none), IntegrityError (EG963: not what was written)."""
    kept = sorted(p for p in (root / FOLDER).glob("*.json") if not p.name.startswith("."))
    if not kept:
        raise UsageError(
            "found no shortlist, expected one. Run 'evalgate models shortlist' first.",
            where=FOLDER,
            code="EG960",
        )
    try:
        found = msgspec.json.decode(kept[-1].read_bytes(), type=Shortlist)
    except (OSError, ValueError, RecursionError):
        found = None
    if found is None or found.sum != found.own_sum:
        raise IntegrityError(
            "found another content than was kept, expected the shortlist as it was written. Find out who edited it, then make a new one.",
            where=f"{FOLDER}/{kept[-1].name}",
            code="EG963",
        )
    return kept[-1], found


# -- before a question


def _local(project: Project) -> Iterator[str]:
    """Models whose weights are here, except adapters and what was trained here."""
    for name, spec in project.settings.models.items():
        if spec.artifact and not spec.base and read_training(project.root / spec.artifact) is None:
            yield name


def _looked_at(project: Project, name: str, may: Verdict) -> ModelIdentity | Excluded:
    """Who it is, or why it is asked nothing. Raises IntegrityError."""
    if not may.allowed:
        return Excluded(name=name, code="EG923", reasons=may.reasons)
    try:
        identity = identify_model(project, name)
        _check_whole(project.root, project.settings.model(name))
    except IntegrityError:
        raise
    except EvalgateError as e:
        return _excluded(name, e)
    return identity


def _excluded(name: str, error: EvalgateError) -> Excluded:
    outage = isinstance(error, InfrastructureError)
    if isinstance(error, FileProblems):
        codes = [problem.code for problem in error.problems]
        reasons = tuple(map(str, error.problems))
        return Excluded(name=name, code=codes[0], reasons=reasons, outage=outage)
    reason = f"{error.where}: {error.message}" if error.where else error.message
    return Excluded(name=name, code=error.code, reasons=(reason,), outage=outage)


def _check_whole(root: Path, spec: ModelSpec) -> None:
    """Returns if a local model brings its tokenizer and, as a GGUF file, its chat template: a server would make one up.

    Raises UsageError (EG961). The template of a directory was looked for when it was identified.
    """
    if spec.artifact is None:
        return
    weights = _weights(root, spec)
    if weights.path.is_dir():
        there = any(file for kind in _TOKENIZERS for file in weights.model.glob(kind))
        lacking = [] if there else ["tokenizer"]
    else:
        told = metadata(weights.path, where=spec.artifact)
        keys = {"tokenizer.ggml.tokens": "tokenizer", "tokenizer.chat_template": "chat template"}
        lacking = [what for key, what in keys.items() if not told.get(key)]
    if lacking:
        raise UsageError(
            f"found no {' and no '.join(lacking)} in it, expected a model that brings both: it would be asked, and trained, in a form that "
            "nobody chose. Take the model's instruct variant, or add them and convert it again.",
            where=spec.artifact,
            code="EG961",
        )


def _weights(root: Path, spec: ModelSpec) -> Weights:
    return Weights(root / (spec.artifact or ""), root / spec.base if spec.base else None)


# -- after the questions


def _bases(
    project: Project, asked: Sequence[AskedModel], ranking: Ranking, verdicts: Mapping[str, Verdict]
) -> Iterator[Base]:
    ranked = ranking.overall()
    for identity in (a.identity for a in asked):
        name, spec = identity.name, project.settings.model(identity.name)
        yield Base(
            name=name,
            identity=identity,
            licences=verdicts[name].licences,
            context=_context(project.root, spec),
            rank=ranked[name],
            nominated=ranked[name] == 1 and spec.artifact is not None,
            scores=tuple(ranking.scores(name)),
            notes=(*_remarks(spec), *(n.removeprefix(f"{name}: ") for n in verdicts[name].notes)),
        )


def _context(root: Path, spec: ModelSpec) -> int | None:
    """Tokens that a local model was made for, None where its files do not say."""
    if spec.artifact is None:
        return None
    weights = _weights(root, spec)
    if weights.path.is_dir():
        return context_length(weights.model, where=spec.artifact)
    told = metadata(weights.path, where=spec.artifact)
    length = told.get(f"{told.get('general.architecture')}.context_length")
    return length if isinstance(length, int) else None


def _remarks(spec: ModelSpec) -> Iterator[str]:
    if spec.server == "endpoint":
        yield "an endpoint: its identity is unverified, and nothing here can be trained, so it is not nominated"
    elif (spec.artifact or "").endswith(".gguf"):
        yield "a GGUF file is made for serving: training starts from a directory of safetensors (docs/training.md)"
