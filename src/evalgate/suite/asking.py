"""Asking a model everything that the runs on disk do not know yet: one server start for all suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from evalgate.authored import GoldSet
from evalgate.errors import IntegrityError
from evalgate.records import Message, ModelIdentity, Record
from evalgate.store import Manifest, Run, RunWriter, run_directory
from evalgate.suite.parse import parser_id
from evalgate.suite.project import LoadedSuite, Project

Progress = Callable[[str, str, int, int], None]
"""Called with (model, suite, done, total) as answers land."""


class AskedModel(Record, kw_only=True):
    """A model whose answers to every suite are on disk. `runs` maps suite to the run's directory.

    `verified`: the runs that needed no answer, by directory, as they were read to find that out.
    """

    identity: ModelIdentity
    runs: dict[str, str]
    asked: int
    verified: dict[str, Any]  # of Run (msgspec cannot name a plain class)


def manifest_of(loaded: LoadedSuite, identity: ModelIdentity) -> Manifest:
    """Everything that can change an answer of this model to this suite."""
    return Manifest(
        suite=loaded.suite.name,
        gold=loaded.gold.digest,
        items=len(loaded.gold),
        prompt=loaded.prompt.digest,
        parser=parser_id(loaded.suite.parse),
        model=identity,
        sampling=loaded.suite.sampling,
    )


def identify_model(project: Project, name: str | None) -> ModelIdentity:
    """Who answers under `name` (default: the default candidate). Raises UsageError if there is no such model or artifact."""
    from evalgate.models import identify

    chosen, spec = project.model(name)
    return identify(chosen, spec, project.root)


def ask_model(
    project: Project,
    identity: ModelIdentity,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
) -> AskedModel:
    """Asks the model every question of every loaded suite that no run holds an answer to; starts no server if none.

    Raises InfrastructureError (server, disk, lock), IntegrityError (edited run).
    """
    from evalgate.models import ask_all, serving

    name, spec = project.model(identity.name)
    manifests = {n: manifest_of(s, identity) for n, s in project.suites.items()}
    paths = {n: run_directory(project.reports, m) for n, m in manifests.items()}
    runs = {n: str(p) for n, p in paths.items()}
    found = {} if fresh else {n: Run(paths[n], m) for n, m in manifests.items()}
    todo = [n for n in manifests if n not in found or not found[n].complete]
    verified = {runs[n]: run for n, run in found.items() if n not in todo}
    if not todo:
        return AskedModel(identity=identity, runs=runs, asked=0, verified=verified)
    asked = 0
    try:
        with serving(name, spec, project.root, identity, project.reports / "logs") as (
            endpoint,
            alive,
        ):
            for n in todo:
                loaded = project.suites[n]
                with RunWriter(paths[n], manifests[n], fresh=fresh) as writer:
                    count = _Counter(name, loaded, writer, progress)

                    def tick(writer: RunWriter = writer) -> None:
                        writer.tick()
                        alive()

                    ask_all(
                        endpoint,
                        _questions(loaded, writer.run, count.ids),
                        loaded.suite.sampling,
                        count.land,
                        alive=tick,
                    )
                    asked += count.asked
    except IntegrityError as e:
        # Other bytes than those that were digested may have answered: nothing of these runs is kept in its place.
        for n in todo if e.code == "EG330" else ():
            with RunWriter(paths[n], manifests[n], fresh=True):
                pass
        raise
    return AskedModel(identity=identity, runs=runs, asked=asked, verified=verified)


class _Counter:
    """Lands replies of one suite and tells how far it is."""

    def __init__(
        self, model: str, loaded: LoadedSuite, writer: RunWriter, progress: Progress | None
    ) -> None:
        self.ids: dict[int, str] = {}  # of questions in flight only
        self.asked = 0
        self._model = model
        self._suite = loaded.suite.name
        self._total = len(loaded.gold)
        self._writer = writer
        self._progress = progress
        if progress:
            progress(model, self._suite, writer.run.landed, self._total)

    def land(self, ordinal: int, reply: object) -> None:
        self._writer.land(ordinal, self.ids.pop(ordinal), reply)  # type: ignore[arg-type]
        self.asked += 1
        if self._progress:
            self._progress(self._model, self._suite, self._writer.run.landed, self._total)


def _questions(
    loaded: LoadedSuite, run: Run, ids: dict[int, str]
) -> Iterator[tuple[int, list[Message]]]:
    gold: GoldSet = loaded.gold
    for ordinal, item in gold.items():
        if ordinal not in run:
            ids[ordinal] = item.id
            yield ordinal, loaded.prompt.render(item.input)
