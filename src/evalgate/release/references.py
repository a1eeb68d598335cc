"""Which models a candidate is held against when nobody names any: what people would ask about first."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from evalgate import digest
from evalgate.corpus.mixture import load_mixture
from evalgate.corpus.writer import MIXTURES
from evalgate.errors import EvalgateError, IntegrityError
from evalgate.gate import record as kept
from evalgate.records import Record
from evalgate.release.trained import Training, read_training
from evalgate.release.training_admission import DATA
from evalgate.suite import Project

RELEASE: Final = "previous release"
PREVIOUS: Final = "previous candidate"
BASE: Final = "base"
SINGLE: Final = "single-task adapters"


class Reference(Record, kw_only=True):
    """Whom a candidate is held against, and as what. `models`: by suite; one model for all but single-task adapters."""

    role: str
    models: dict[str, str]


def references(project: Project, candidate: str, known_as: str | None) -> tuple[list[Reference], list[str]]:  # fmt: skip
    """The references there are, and a note for each kind that there is none of. `known_as`: the candidate's digest.

    Previous release: what was promoted last, before that gate.toml's baseline. Previous candidate: the model of the latest decision
    kept before the candidate's first one, its base aside. Base: what its training started from. Single-task adapters: by task the last model
    of evalgate.toml that was trained over the same base on a mixture of that task alone. Raises IntegrityError (EG857).
    """
    training = _training(project, candidate)
    base = _base(project, candidate, training)
    roles: dict[str, list[str]] = {}
    notes = []
    for role, name, why in (
        (RELEASE, project.gate.settings.baseline, "nothing was promoted, and gate.toml names no baseline"),
        (PREVIOUS, _previous(project.root, known_as, {candidate, base}), "no decision about another model was kept before"),
        (BASE, base, f"{candidate} has no record of a training over a model of evalgate.toml"),
    ):  # fmt: skip
        if name is None or name == candidate:
            notes.append(f"no {role}: {why if name is None else f'{candidate} is it'}")
        else:
            roles.setdefault(name, []).append(role)
    found = [
        Reference(role=" and ".join(said), models=dict.fromkeys(project.suites, name))
        for name, said in roles.items()
    ]
    if single := _single(project, candidate, training):
        found.append(Reference(role=SINGLE, models=single))
    missing = [suite for suite in project.suites if suite not in single]
    if missing:
        notes.append(f"no {SINGLE} over the same base: {', '.join(missing)}")
    return found, notes


def _training(project: Project, name: str) -> Training | None:
    """The record of a model's training. Raises IntegrityError (EG857)."""
    spec = project.settings.models.get(name)
    return read_training(project.root / spec.artifact) if spec and spec.artifact else None


def _previous(root: Path, known_as: str | None, aside: Collection[str | None]) -> str | None:
    """The model of the latest decision before the first one about the candidate; decisions that cannot be read say nothing."""
    found = None
    for path in sorted((root / "reports" / "decisions").glob("*.evidence.json")):
        try:
            model = kept.read(path.with_name(path.name.replace(".evidence.", "."))).decision.model
        except IntegrityError:
            continue
        if known_as is not None and model.get("digest") == known_as:
            break
        if model.get("name") and model["name"] not in aside:
            found = model["name"]
    return found


def _base(project: Project, candidate: str, training: Training | None) -> str | None:
    """The model of evalgate.toml whose files the candidate is an adapter over, or was trained from."""
    models = project.settings.models
    spec = models.get(candidate)
    below = spec.base if spec else None
    for name, other in models.items():
        place = project.root / (other.artifact or "")
        if name == candidate or not other.artifact or other.base:
            continue
        if below == other.artifact:
            return name
        if not below and training and place.is_dir() and digest.of_tree(place) == training.base:
            return name
    return None


def _single(project: Project, candidate: str, training: Training | None) -> dict[str, str]:
    """By suite the last model trained over the candidate's base on a mixture of that task alone."""
    if training is None:
        return {}
    alone = dict(_alone(project.root / DATA))
    found = {}
    for name in project.settings.models:
        other = _training(project, name) if name != candidate else None
        if other and other.base == training.base and alone.get(other.mixture) in project.suites:
            found[alone[other.mixture]] = name
    return {suite: found[suite] for suite in project.suites if suite in found}


def _alone(data: Path) -> Iterator[tuple[str, str]]:
    """(digest, task) of every mixture of one task; those that cannot be read are none."""
    for path in sorted((data / MIXTURES).glob("*.manifest.json")):
        try:
            mixture = load_mixture(data, path.name.removesuffix(".manifest.json"))
        except EvalgateError:
            continue
        if len(mixture.tasks) == 1:
            yield mixture.digest, next(iter(mixture.tasks))
