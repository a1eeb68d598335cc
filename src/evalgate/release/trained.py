"""What a model was trained on: its training.json, and whether the terms of all that data still allow the model to be used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from evalgate import digest
from evalgate.authored import Settings
from evalgate.authored.terms import terms_of
from evalgate.errors import EvalgateError, Exit
from evalgate.models.artifact import Weights
from evalgate.models.training_record import FILE, Training, read_training
from evalgate.release.admission import Check, caught, fails, holds, settings_of
from evalgate.store.certificate import Certificate
from evalgate.store.ledger import Ledger

__all__ = [
    "FILE",
    "TrainedModel",
    "Training",
    "check_trained",
    "read_training",
    "refused_terms",
    "trained_models",
    "withdrawn",
]


class TrainedModel(NamedTuple):
    """A model that was trained here. `digests`: what it is known by: its files alone, and together with its base."""

    name: str
    path: Path
    training: Training
    digests: frozenset[str]


def trained_models(root: Path, settings: Settings) -> Iterator[TrainedModel]:
    """Every model below models/ with a record of its training, and every one of evalgate.toml. Reads all their bytes.

    Raises IntegrityError (EG857), UsageError (EG302: a link or a hidden file among a model's).
    """
    names = {root / spec.artifact: name for name, spec in settings.models.items() if spec.artifact}
    places = {p.parent for p in (root / "models").glob(f"*/{FILE}")} | {
        p.with_name(p.name.removesuffix(f".{FILE}")) for p in (root / "models").glob(f"*.{FILE}")
    }
    for path in sorted(places | {p for p in names if p.exists()}):
        training = read_training(path)
        if training is None or not path.exists():
            continue
        digests = {digest.of_path(path)}
        for spec in settings.models.values():
            base = root / spec.base if spec.base and root / (spec.artifact or "") == path else None
            if base is not None and base.is_dir():
                digests.add(Weights(path, base).digest())
        yield TrainedModel(names.get(path, path.name), path, training, frozenset(digests))


def withdrawn(ledger: Ledger) -> dict[str, str]:
    """By id the time at which terms were withdrawn, as the ledger has it. Raises IntegrityError."""
    found: dict[str, str] = {}
    for entry in ledger.of_kind("withdrawal"):
        for name in entry.body["terms"]:
            found.setdefault(name, entry.at)
    return found


def refused_terms(root: Path, ids: Iterable[str], ledger: Ledger, on: dt.date) -> list[str]:
    """Why data under these terms, and what learnt from it, may no longer be used; [] if it may.

    What the ledger knows as withdrawn stays so, whatever the file says now. Raises IntegrityError.
    """
    ids = set(ids)
    gone = withdrawn(ledger)
    found = [f"{n}: withdrawn at {gone[n]} (ledger)" for n in sorted(ids & gone.keys())]
    return found + terms_of(ids - gone.keys(), root).refusals("train", on) if ids else found


def check_trained(root: Path, certificate: Certificate, ledger: Ledger) -> list[Check]:
    """Whether the data that a model, and the models below it, learnt from may still be used today; [] if none is recorded.

    What the certificate says of its files is for `check_bytes`: a record of training that was taken away fails there.
    """
    what = "training data"
    try:
        training = read_training(root / (certificate.predicate.artifact or ""))
        if training is None:
            return []
        ids = _all_terms(root, training, settings_of(root))
        refusals = refused_terms(root, ids, ledger, dt.datetime.now().astimezone().date())
    except EvalgateError as e:
        return [caught(what, e)]
    if not ids:
        refusals = ["no terms: nobody said what may be done with what it learnt from"]
    if refusals:
        return [fails(what, f"EG858 {'; '.join(refusals)}", Exit.CLOSED)]
    return [holds(what, f"allowed by {', '.join(sorted(ids))}")]


def _all_terms(root: Path, training: Training, settings: Settings) -> set[str]:
    """The ids of the terms of a training and of those of its base, its base's base, and so on."""
    ids = set(training.terms)
    known = {d: m.training for m in trained_models(root, settings) for d in m.digests}
    below: Training | None = training
    while below is not None:
        below = known.pop(below.base, None)
        ids |= set(below.terms) if below else set()
    return ids
