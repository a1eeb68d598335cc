"""`data withdraw`: what depends on a vendor's data, through descendants, mixtures and models, to what is in production.

The dependencies are a graph: a row on its parents and on the model that wrote it, a model on the corpora and the mixture
that it learnt from and on its base. Whatever can be reached from the vendor's rows depends on them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from evalgate import digest
from evalgate.authored.keyring import GATE
from evalgate.authored.terms import FOLDER, Terms, all_terms, no_terms, with_withdrawal
from evalgate.corpus.files import load_manifest, rows
from evalgate.corpus.manifest import MANIFEST, Manifest
from evalgate.corpus.mixture import load_mixture, places
from evalgate.corpus.writer import MIXTURES
from evalgate.errors import InfrastructureError, UsageError
from evalgate.files import write_whole
from evalgate.records import Record
from evalgate.release.admission import settings_of
from evalgate.release.trained import TrainedModel, read_training, trained_models
from evalgate.store.ledger import Entry, Ledger
from evalgate.store.run import read_manifest
from evalgate.store.shelf import kept_runs
from evalgate.store.signer import keyring_of, signer


class Contract(Record, kw_only=True):
    """One terms file. `duty`: what has to be deleted and when; `refuses`: why it may not be trained on today, if so."""

    id: str
    vendor: str
    withdrawn: bool
    duty: str
    refuses: tuple[str, ...]


class CorpusUse(Record, kw_only=True):
    """A corpus that holds rows of the vendor (`direct`), or rows that come from them or from models that learnt from them."""

    name: str
    digest: str
    rows: int
    direct: int
    descended: int


class MixtureUse(Record, kw_only=True):
    """A mixture in which such rows are trained, so many times."""

    name: str
    digest: str
    rows: int
    of: int


class ModelUse(Record, kw_only=True):
    """A model that learnt from them, and through what."""

    name: str
    digests: tuple[str, ...]
    through: str


class ReleaseUse(Record, kw_only=True):
    """A promotion of such a model. `current`: the alias stands for it now; `served`: times at which serving it began."""

    alias: str
    model: str
    digest: str
    at: str
    entry: int
    current: bool
    served: tuple[str, ...] = ()


class Dependents(Record, kw_only=True):
    """All that depends on a vendor. `unknown`: models in production of whose training nothing is recorded here."""

    schema: Literal["evalgate.withdrawal/1"] = "evalgate.withdrawal/1"
    vendor: str
    contracts: tuple[Contract, ...]
    corpora: tuple[CorpusUse, ...]
    mixtures: tuple[MixtureUse, ...]
    models: tuple[ModelUse, ...]
    runs: tuple[str, ...]
    releases: tuple[ReleaseUse, ...]
    unknown: tuple[str, ...] = ()


def contracts(root: Path, on: dt.date) -> tuple[Contract, ...]:
    """Every contract of the project as it stands on that day. Raises FileProblems."""
    return tuple(_contract(one, on) for one in all_terms(root).values())


def _contract(one: Terms, on: dt.date) -> Contract:
    return Contract(
        id=one.id,
        vendor=one.vendor,
        withdrawn=one.withdrawn is not None,
        duty=one.duty(on),
        refuses=tuple(one.refusals("train", on)),
    )


def dependents(root: Path, vendor: str, on: dt.date) -> Dependents:
    """What depends on `vendor`: the id of terms, or the name of a vendor, whose contracts are then all meant.

    Reads every row of every corpus once and every byte of every trained model; kept are the ids of rows that are the
    vendor's, have parents or were written by a model. Raises UsageError (EG856: no such vendor; EG820), FileProblems,
    IntegrityError (EG826: a corpus or a mixture, EG857: a record of training, or the ledger is not what was written).
    """
    meant = [t for t in all_terms(root).values() if _is(t, vendor)]
    if not meant:
        raise UsageError(no_terms(vendor, root), where="terms/", code="EG856")
    graph = _Graph(root, meant)
    graph.spread()
    ledger = Ledger(root, keyring_of(root))
    return Dependents(
        vendor=meant[0].vendor,
        contracts=tuple(_contract(one, on) for one in meant),
        corpora=tuple(graph.corpora()),
        mixtures=tuple(graph.mixtures()),
        models=tuple(graph.used),
        runs=tuple(_runs(root, graph.digests)),
        releases=tuple(_releases(ledger, graph.digests)),
        unknown=tuple(_unknown(root, ledger)),
    )


def _is(terms: Terms, vendor: str) -> bool:
    return vendor.casefold() in (terms.id.casefold(), terms.vendor.casefold())


class _Graph:
    """Rows and models that depend on terms, found by spreading from the rows that have them until nothing is added."""

    def __init__(self, root: Path, meant: Sequence[Terms]) -> None:
        self.digests: set[str] = set()
        """Of models that depend."""
        self.used: list[ModelUse] = []
        self._root = root
        self._terms = {one.id for one in meant}
        self._sources = {one.vendor for one in meant}
        self._manifests: list[Manifest] = []
        self._place: dict[str, tuple[int, int]] = {}  # corpus and row of every row that may depend
        self._direct: set[str] = set()
        self._reached: set[str] = set()
        self._children: dict[str, list[str]] = defaultdict(list)
        self._by_model: dict[str, list[str]] = defaultdict(list)
        for path in sorted((root / "data").glob(f"*/{MANIFEST}")):
            self._read(path.parent)

    def _read(self, corpus: Path) -> None:
        number = len(self._manifests)
        self._manifests.append(load_manifest(corpus))
        for at, row in enumerate(rows(corpus, strict=True)):
            direct = row.terms in self._terms or row.source in self._sources
            model = row.made_by.model if row.made_by else ""
            if not (direct or row.parents or model):
                continue
            self._place[row.id] = (number, at)
            if direct:
                self._direct.add(row.id)
            for parent in row.parents:
                self._children[parent].append(row.id)
            if model:
                self._by_model[model].append(row.id)

    def spread(self) -> None:
        """Finds all rows and models that depend. Each round that finds a model looks again: rows and models may build on it."""
        left = list(trained_models(self._root, settings_of(self._root)))
        self._reach(self._direct)
        found = True
        while found:
            found = False
            corpora = {one.digest for one in self.corpora()}
            mixtures = {one.digest for one in self.mixtures()}
            for model in list(left):
                if through := self._through(model, corpora, mixtures):
                    left.remove(model)
                    found = True
                    known = tuple(sorted(model.digests))
                    self.digests |= model.digests
                    self.used.append(ModelUse(name=model.name, digests=known, through=through))
                    self._reach(row for d in known for row in self._by_model.get(d, ()))

    def _reach(self, from_rows: Iterable[str]) -> None:
        """Adds rows and all their descendants; circular parents end it as well as none."""
        waiting = list(from_rows)
        while waiting:
            row = waiting.pop()
            if row not in self._reached:
                self._reached.add(row)
                waiting += self._children.get(row, ())

    def _through(self, model: TrainedModel, corpora: set[str], mixtures: set[str]) -> str:
        training = model.training
        if hit := self._terms & set(training.terms):
            return f"the terms {', '.join(sorted(hit))}"
        if training.mixture in mixtures:
            return "the mixture"
        if hit := corpora & set(training.corpora.values()):
            names = (name for name, d in training.corpora.items() if d in hit)
            return f"the corpora {', '.join(sorted(names))}"
        if hit := self._sources & set(training.sources):
            return f"the source {min(hit)}"
        return "its base" if training.base in self.digests else ""

    def corpora(self) -> Iterator[CorpusUse]:
        """The corpora with rows that are reached."""
        here = Counter(self._place[row][0] for row in self._reached & self._place.keys())
        direct = Counter(self._place[row][0] for row in self._direct)
        for number, manifest in enumerate(self._manifests):
            if here[number]:
                yield CorpusUse(
                    name=manifest.name,
                    digest=manifest.digest,
                    rows=manifest.rows,
                    direct=direct[number],
                    descended=here[number] - direct[number],
                )

    def mixtures(self) -> Iterator[MixtureUse]:
        """The mixtures that train rows that are reached. Raises IntegrityError (EG826)."""
        rows_of: dict[str, set[int]] = defaultdict(set)
        for row in self._reached & self._place.keys():
            number, at = self._place[row]
            rows_of[self._manifests[number].digest].add(at)
        data = self._root / "data"
        for path in sorted((data / MIXTURES).glob("*.manifest.json")):
            name = path.name.removesuffix(".manifest.json")
            mixture = load_mixture(data, name)
            wanted = [rows_of.get(one.digest, set()) for one in mixture.corpora]
            if any(wanted):
                used = sum(place.row in wanted[place.corpus] for place in places(data, name))
                if used:
                    yield MixtureUse(name=name, digest=mixture.digest, rows=used, of=mixture.rows)


def _runs(root: Path, digests: set[str]) -> Iterator[str]:
    """The runs in which one of these models was asked."""
    for kept in kept_runs(root / "reports"):
        manifest = read_manifest(kept.path)
        if manifest is not None and manifest.model.digest in digests:
            yield f"{kept.suite}/{kept.name}"


def _releases(ledger: Ledger, digests: set[str]) -> Iterator[ReleaseUse]:
    promotions = ledger.of_kind("promotion")
    servings = [e for e in ledger.of_kind("serving") if e.body["state"] == "began"]
    last = {entry.body["alias"]: entry.seq for entry in promotions}
    for entry in promotions:
        body = entry.body
        if body["digest"] in digests:
            served = (
                e.at
                for e in servings
                if (e.body["alias"], e.body["certificate"]) == (body["alias"], body["certificate"])
            )
            yield ReleaseUse(
                alias=body["alias"],
                model=body["model"],
                digest=body["digest"],
                at=entry.at,
                entry=entry.seq,
                current=last[body["alias"]] == entry.seq,
                served=tuple(served),
            )


def _unknown(root: Path, ledger: Ledger) -> Iterator[str]:
    """The models that aliases stand for now and of whose training nothing is recorded here, as `ALIAS -> MODEL`."""
    settings = settings_of(root)
    last = {entry.body["alias"]: entry.body["model"] for entry in ledger.of_kind("promotion")}
    for alias, model in sorted(last.items()):
        spec = settings.models.get(model)
        if spec is None or spec.artifact is None or read_training(root / spec.artifact) is None:
            yield f"{alias} -> {model}"


def withdraw(root: Path, found: Dependents, on: dt.date, why: str) -> Entry | None:
    """Marks the contracts of `found` as withdrawn from that day, in their files and in the ledger; the ledger's entry.

    None where no key of the role "gate" is at hand: then only the files say so. Comments in the files stay; what was
    withdrawn before keeps its day. Raises InfrastructureError (EG859: a file, and the ledger's EG715), IntegrityError.
    """
    files = {}
    for name in (one.id for one in found.contracts):
        path = root / FOLDER / f"{name}.toml"
        try:
            text = with_withdrawal(path.read_text(encoding="utf-8"), on, why)
            write_whole(path, text.encode(), mode=0o644)
        except OSError as e:
            raise InfrastructureError(
                f"found that it cannot be written ({e.strerror or e}), expected to mark it as withdrawn. Mend the permissions, "
                "then do it again.",
                where=f"{FOLDER}/{name}.toml",
                code="EG859",
            ) from e
        files[name] = digest.of_bytes(text.encode())
    keyring = keyring_of(root)
    try:
        key = signer(root, keyring, GATE).private
    except UsageError as e:
        if e.code not in ("EG708", "EG709"):
            raise
        return None
    body = {
        "vendor": found.vendor,
        "terms": files,
        "why": why,
        "corpora": {one.name: one.direct + one.descended for one in found.corpora},
        "models": {one.name: list(one.digests) for one in found.models},
        "releases": [f"{one.alias} -> {one.model}" for one in found.releases if one.current],
    }
    return Ledger(root, keyring).append("withdrawal", body, key)
