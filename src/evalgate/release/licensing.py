"""May this model be used for that? Its licence, those of every model it comes from, of its teachers, and its data's terms.

All of them must allow it: a derivative of a model under a strict licence is no freer than the model. Names prove nothing:
a licence text that lies with the files is compared with the record, and where none lies there that is said.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from evalgate import digest
from evalgate.authored import Settings
from evalgate.authored.licence import Licence, load_licences
from evalgate.authored.licence_rules import Purpose, refusals, remarks
from evalgate.authored.licence_text import read_text, text_digest, texts_beside
from evalgate.corpus.files import rows
from evalgate.corpus.manifest import MANIFEST, load_manifest
from evalgate.errors import EvalgateError, UsageError
from evalgate.models import identify
from evalgate.models.artifact import Weights
from evalgate.records import ModelSpec, Record
from evalgate.release.trained import Training, read_training, refused_terms
from evalgate.store.signer import ledger_of


class Verdict(Record, kw_only=True):
    """Whether a model may be used for a purpose. `reasons`: why not, each with its clause; [] if it may.

    `licences`: ids of the records that were asked, the model's own first; `notes`: what forbids nothing and has to be known.
    """

    model: str
    purpose: Purpose
    allowed: bool
    reasons: tuple[str, ...]
    licences: tuple[str, ...]
    notes: tuple[str, ...]


def verdict(
    root: Path,
    model: str,
    purpose: Purpose,
    settings: Settings,
    *,
    student: str | None = None,
    counsel: bool = False,
    on: dt.date | None = None,
) -> Verdict:
    """Whether `model` of evalgate.toml may be used for `purpose`, on that day (today), by everything that it comes from.

    `student`: for "distil", the model that is to learn from its answers: some licences allow that within one family only.
    `counsel`: a lawyer of the project must have reviewed every record. Reads the bytes of models only where a record of
    training names its base. Raises UsageError (EG145: no such model), FileProblems (a licence record), IntegrityError.
    """
    house = _House(root, settings, on=on, counsel=counsel)
    line = house.lineage(model)
    family = house.lineage(student).ids if student is not None else set()
    reasons = [*house.reasons(line, purpose, family), *house.teachers(line.teachers, line.ids)]
    data = refused_terms(root, line.terms, ledger_of(root), house.on)
    reasons += [f"data: {reason}" for reason in data]
    notes = [f"{one.id}: {remark}" for one in line.licences.values() for remark in remarks(one)]
    return Verdict(
        model=model,
        purpose=purpose,
        allowed=not reasons,
        reasons=tuple(dict.fromkeys(reasons)),
        licences=tuple(line.licences),
        notes=(*line.notes, *notes),
    )


def teacher_refusals(
    root: Path,
    digests: Iterable[str],
    student: str,
    settings: Settings,
    *,
    counsel: bool = False,
    on: dt.date | None = None,
) -> list[str]:
    """Why the models with these digests (MadeBy.model of rows) may not teach the model `student`; [] if they may.

    A digest that no model of evalgate.toml has is unknown, and refuses. Raises as `verdict`; reads the bytes of every model.
    """
    house = _House(root, settings, on=on, counsel=counsel)
    return house.teachers(set(digests) - {""}, house.lineage(student).ids)


def licences_of(root: Path, model: str, settings: Settings) -> tuple[Licence, ...]:
    """The licence records of a model and of all that it comes from, its own first: what a NOTICE is compiled of.

    Raises as `verdict`; what cannot be followed is for `verdict` to tell.
    """
    house = _House(root, settings)
    line = house.lineage(model)
    found = dict(line.licences)
    for name in house.named(line.teachers):
        found |= house.lineage(name).licences
    return tuple(found.values())


class _Model(NamedTuple):
    """One step of a lineage: what messages call it, its files and what evalgate.toml says of it, each if there is one."""

    called: str
    path: Path | None
    spec: ModelSpec | None


class _Line:
    """A model and what it comes from: the licence records by id, its own first, and what could not be found out (`faults`).

    `teachers`: digests of the models that wrote rows it learnt from; `terms`: ids of the terms of its data.
    """

    def __init__(self) -> None:
        self.licences: dict[str, Licence] = {}
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.teachers: set[str] = set()
        self.terms: set[str] = set()

    @property
    def ids(self) -> set[str]:
        return set(self.licences)


class _House:
    """The models and licences of one project, and the day and the strictness that are asked for."""

    def __init__(
        self, root: Path, settings: Settings, *, on: dt.date | None = None, counsel: bool = False
    ) -> None:
        self.on = on or dt.datetime.now().astimezone().date()
        self._root = root
        self._settings = settings
        self._counsel = counsel
        self._licences = load_licences(root)

    def reasons(self, line: _Line, purpose: Purpose, family: set[str]) -> list[str]:
        """Why a lineage may not be used for a purpose."""
        found = list(line.faults)
        for one in line.licences.values():
            asked = refusals(one, purpose, self.on, student=family, counsel=self._counsel)
            found += [f"{one.id}: {reason}" for reason in asked]
        return found

    def teachers(self, digests: set[str], family: set[str]) -> list[str]:
        """Why models with these digests may not teach one whose licences have the ids `family`."""
        names = self._names if digests else {}
        unknown = sorted(digests - names.keys())
        found = [
            f"teacher {d[:19]}: no model of evalgate.toml, so its licence is unknown"
            for d in unknown
        ]
        for name in self.named(digests):
            why = self.reasons(self.lineage(name), "distil", family)
            found += [f"teacher {name}: {reason}" for reason in why]
        return found

    def named(self, digests: set[str]) -> list[str]:
        """The names of the models with these digests, as far as evalgate.toml has them."""
        return sorted({self._names[d] for d in digests if d in self._names}) if digests else []

    def lineage(self, model: str) -> _Line:
        """A model, its base, the base's base, and so on."""
        spec = self._settings.model(model)
        line = _Line()
        self._follow(_Model(model, self._artifact(spec), spec), line, ())
        return line

    def _follow(self, one: _Model, line: _Line, above: tuple[Path | str, ...]) -> None:
        key = one.path or one.called
        if key in above:
            line.faults.append(f"{one.called}: is its own ancestor")
            return
        training = read_training(one.path) if one.path is not None else None
        bases = list(self._bases(one, training, line.faults))
        licence = self._licence(one, line, derived=bool(bases or training))
        if licence is not None:
            line.licences.setdefault(licence.id, licence)
        if training is not None:
            line.terms |= set(training.terms)
            line.teachers |= self._writers(one.called, training, line.faults)
        for base in bases:
            self._follow(base, line, (*above, key))

    def _artifact(self, spec: ModelSpec) -> Path | None:
        return self._root / spec.artifact if spec.artifact else None

    def _bases(self, one: _Model, training: Training | None, faults: list[str]) -> Iterator[_Model]:
        """What a model lies over or was trained from."""
        base = self._root / one.spec.base if one.spec is not None and one.spec.base else None
        if base is not None:
            of = {
                self._artifact(spec): (name, spec) for name, spec in self._settings.models.items()
            }
            shown = base.relative_to(self._root).as_posix()
            name, spec = of.get(base, (f"the base {shown}", None))
            yield _Model(name, base, spec)
        if training is None or (
            base is not None and base.exists() and digest.of_path(base) == training.base
        ):
            return
        if training.base not in self._names:
            faults.append(
                f"{one.called}: its base {training.base[:19]} is no model of evalgate.toml, so its licence is unknown"
            )
            return
        name = self._names[training.base]
        spec = self._settings.models[name]
        yield _Model(name, self._artifact(spec), spec)

    @cached_property
    def _names(self) -> dict[str, str]:
        """The names of all models that are there, by every digest that they are known by. Reads all their bytes."""
        found: dict[str, str] = {}
        for name, spec in self._settings.models.items():
            path = self._artifact(spec)
            if path is None:
                found[identify(name, spec, self._root).digest] = name
            elif path.exists():
                found[digest.of_path(path)] = name
                if spec.base and (self._root / spec.base).is_dir():
                    found[Weights(path, self._root / spec.base).digest()] = name
        return found

    def _licence(self, one: _Model, line: _Line, *, derived: bool) -> Licence | None:
        """The record of one model's own licence; None for one without, which only a derivative may be, or after noting why."""
        said = one.spec.licence if one.spec is not None else None
        named = self._licences.by_name(said) if said else None
        if said and named is None:
            line.faults.append(
                f"{one.called}: licence {said!r} is unknown, no record has this name.{self._licences.near(said)} "
                "Write licences/ID.toml from its text"
            )
        paths = texts_beside(one.path) if one.path is not None and one.path.exists() else []
        texts = [r for path in paths if (r := self._of_text(one, path, line.faults)) is not None]
        line.faults += [
            f"{one.called}: evalgate.toml says {named.id}, the text beside it is that of {other.id}"
            for other in texts
            if named is not None and other.id != named.id
        ]
        if named is not None and not paths:
            line.notes.append(
                f"{one.called}: no licence text lies with it, {named.id} is evalgate.toml's word alone"
            )
        if not (said or paths or derived):
            line.faults.append(
                f"{one.called}: no licence is named and no text of one lies with it; unknown means no"
            )
        return named or (texts[0] if texts else None)

    def _of_text(self, one: _Model, path: Path, faults: list[str]) -> Licence | None:
        try:
            text = read_text(path)
        except OSError as e:
            faults.append(f"{one.called}: {path.name} cannot be read ({e.strerror})")
            return None
        record = self._licences.by_text(text_digest(text)) if text is not None else None
        if record is None:
            faults.append(f"{one.called}: {path.name} is a text that no licence record knows")
        return record

    def _writers(self, called: str, training: Training, faults: list[str]) -> set[str]:
        """The digests of the models that wrote rows of the corpora of a training. Reads the corpora."""
        here = {}
        found: set[str] = set()
        try:
            for path in sorted((self._root / "data").glob(f"*/{MANIFEST}")):
                here[load_manifest(path.parent).digest] = path.parent
            for name, wanted in sorted(training.corpora.items()):
                if wanted not in here:
                    faults.append(
                        f"{called}: the corpus {name} is no longer here, so who wrote its rows is unknown"
                    )
                    continue
                every = rows(here[wanted], strict=True)
                found |= {row.made_by.model for row in every if row.made_by is not None}
        except EvalgateError as e:  # a corpus that is not what was written
            faults.append(f"{called}: {e}")
        return found - {""}


def known_text(root: Path, path: Path) -> tuple[str, str]:
    """(digest of the normalised text, id of the record that knows it or "") of a licence file. Raises UsageError (EG845)."""
    try:
        text = read_text(path)
    except OSError as e:
        text, why = None, e.strerror or "unreadable"
    else:
        why = "no text in UTF-8 of at most a MiB"
    if text is None:
        raise UsageError(
            f"found {why}, expected the text of a licence. Correct the path.",
            where=str(path),
            code="EG845",
        )
    found = text_digest(text)
    record = load_licences(root).by_text(found)
    return found, record.id if record else ""
