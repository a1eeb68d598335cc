"""What has to hold before a step is trained: the plan, the licence, the data. Every reason at once, each with its code."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from evalgate.authored.recipe import Recipe
from evalgate.corpus.files import rows, verify
from evalgate.corpus.hit import Hit
from evalgate.corpus.mixture import Mixture, load_mixture
from evalgate.corpus.phi import People
from evalgate.errors import EvalgateError, Exit, UsageError
from evalgate.gate.plan import require_locked
from evalgate.records import Record
from evalgate.release.admission import Check, caught, fails, holds
from evalgate.release.descent import descent, refused_descent
from evalgate.release.licensing import teacher_refusals, verdict
from evalgate.release.trained import refused_terms
from evalgate.store.signer import ledger_of
from evalgate.suite import Project

DATA = "data"


class Admitted(Record, kw_only=True):
    """What may be trained on: the mixture, its corpora by name with their directories, terms and sources of their rows."""

    mixture: Mixture
    corpora: dict[str, Path]
    terms: tuple[str, ...]
    sources: tuple[str, ...]


def admit(project: Project, recipe: Recipe) -> tuple[list[Check], Admitted | None]:
    """Every check, and what was admitted if all hold. A check that fails says why; the others are made all the same.

    Raises UsageError (EG820: no such mixture; EG145: no such base; EG921: a base that cannot be trained), IntegrityError
    (EG826: the mixture or a corpus is not what was written).
    """
    root = project.root
    spec = project.settings.model(recipe.base)
    if spec.artifact is None or not (root / spec.artifact).is_dir():
        raise UsageError(
            f"found {spec.artifact or 'an endpoint'}, expected a directory of safetensors: nothing else can be trained. Name another "
            "base, or make one: evalgate models import NAME --safetensors",
            where=f"{recipe.path}: [recipe] base",
            code="EG921",
        )
    mixture = load_mixture(root / DATA, recipe.mixture)
    corpora = {one.name: root / DATA / one.name for one in mixture.corpora}
    for one in mixture.corpora:
        if (found := verify(corpora[one.name]).digest) != one.digest:
            raise UsageError(
                f"found the corpus {one.name} to be {found[:19]}, expected {one.digest[:19]}, of which the mixture was made. Mix again.",
                where=f"data/mixtures/{recipe.mixture}",
                code="EG922",
            )
    facts = _Facts(root, corpora.values())
    checks = [
        _plan(project, mixture.tasks),
        _licence(project, recipe.base),
        _terms(project, facts),
        _teachers(project, facts, recipe.base),
        *_data(project, corpora),
    ]
    if any(check.outcome == "fails" for check in checks):
        return checks, None
    return checks, Admitted(
        mixture=mixture,
        corpora=corpora,
        terms=tuple(sorted(facts.terms | facts.descent.terms)),
        sources=tuple(sorted(facts.sources | facts.descent.sources)),
    )


class _Facts:
    """What the rows and their ancestors say of their origin: terms, sources and teachers, and how many say nothing."""

    def __init__(self, root: Path, corpora: Collection[Path]) -> None:
        self.descent = descent(root, corpora)
        self.terms: set[str] = set()
        self.sources: set[str] = set()
        self.teachers: set[str] = set()
        self.without = 0
        for corpus in corpora:
            for row in rows(corpus, strict=True):
                self.terms.add(row.terms)
                self.without += not row.terms
                if row.source:
                    self.sources.add(row.source)
                if row.made_by is not None and row.made_by.model:
                    self.teachers.add(row.made_by.model)


def _plan(project: Project, tasks: Collection[str]) -> Check:
    try:
        require_locked(project, tasks)
    except EvalgateError as e:
        return caught("the plan", e)
    return holds("the plan", f"locked for {', '.join(sorted(tasks))}")


def _licence(project: Project, base: str) -> Check:
    what = f"the licence of {base}"
    try:
        found = verdict(project.root, base, "finetune", project.settings)
    except EvalgateError as e:
        return caught(what, e)
    if not found.allowed:
        return fails(what, f"EG923 {'; '.join(found.reasons)}", Exit.CLOSED)
    return holds(what, f"allows it: {', '.join(found.licences)}")


def _terms(project: Project, facts: _Facts) -> Check:
    what = "the terms of the data"
    today = dt.datetime.now().astimezone().date()
    try:
        ledger = ledger_of(project.root)
        found = [
            *refused_terms(project.root, facts.terms - {""}, ledger, today),
            *refused_descent(project.root, facts.descent, ledger, today),
        ]
    except EvalgateError as e:
        return caught(what, e)
    if facts.without:
        found = [
            f"{facts.without} rows name no terms: nobody said what may be done with them",
            *found,
        ]
    if found:
        return fails(what, f"EG924 {'; '.join(found)}", Exit.CLOSED)
    return holds(what, f"allow it: {', '.join(sorted(facts.terms | facts.descent.terms))}")


def _teachers(project: Project, facts: _Facts, base: str) -> Check:
    what = "models that wrote rows"
    if not facts.teachers:
        return holds(what, "none")
    try:
        found = teacher_refusals(project.root, facts.teachers, base, project.settings)
    except EvalgateError as e:
        return caught(what, e)
    if found:
        return fails(what, f"EG925 {'; '.join(found)}", Exit.CLOSED)
    return holds(what, f"{len(facts.teachers)}, whose licences allow it")


def _data(project: Project, corpora: dict[str, Path]) -> Iterator[Check]:
    """Gold in the data, and people. Both are looked for again, whatever was found before."""
    from evalgate.corpus.leak.gold import load_all
    from evalgate.corpus.leakage import check_corpora
    from evalgate.crypto.seal import VARIABLE, SealKey

    people = People(project.root)
    try:
        key = SealKey.at_hand() if os.environ.get(VARIABLE) else None
        gold = load_all(project.root, key)
        report = check_corpora(list(corpora.values()), gold, also=[people])
    except EvalgateError as e:
        yield caught("the data", e)
        return
    leaks = [hit for hit in report.hits if hit.kind != "phi"]
    if leaks:
        yield fails(
            "gold in the data", f"EG926 {_told(leaks)}; evalgate data check shows all", Exit.CLOSED
        )
    else:
        unopened = (
            f"; sealed and not compared: {', '.join(report.unopened)}" if report.unopened else ""
        )
        yield holds("gold in the data", f"none in {report.rows} rows{unopened}")
    yield _people(people, [hit for hit in report.hits if hit.kind == "phi"], report.rows)


def _people(people: People, hits: list[Hit], rows_seen: int) -> Check:
    what = "people in the data"
    if not people.proof.holds:
        return fails(
            what,
            "EG927 the scanner did not find enough of what was planted: its silence says nothing",
            Exit.CLOSED,
        )
    if hits:
        return fails(what, f"EG928 {_told(hits)}; evalgate data check --phi shows all", Exit.CLOSED)
    return holds(what, f"none found in {rows_seen} rows")


def _told(hits: list[Hit]) -> str:
    """The first hits in words, and how many there are."""
    shown = "; ".join(
        f"{hit.row}: {hit.kind}{f' of {hit.gold}' if hit.gold else ''}, {hit.evidence}"
        for hit in hits[:3]
    )
    return f"{len({hit.row for hit in hits})} rows: {shown}{' ...' if len(hits) > 3 else ''}"
