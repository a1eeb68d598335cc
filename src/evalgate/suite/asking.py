"""Asking a model everything that the runs on disk do not know yet: one server start for all suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalgate.authored import GoldSet
from evalgate.errors import FileProblems, IntegrityError
from evalgate.records import Message, ModelIdentity, Record, Reply
from evalgate.store import Manifest, Run, RunWriter, run_directory
from evalgate.store.released import released
from evalgate.suite.parse import parser_id
from evalgate.suite.project import LoadedSuite, Project

if TYPE_CHECKING:
    from evalgate.models import Server

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


def identify_baseline(project: Project) -> ModelIdentity | None:
    """Who is compared with; None where gate.toml names nobody and nothing was promoted.

    Raises what `identify_model` raises, IntegrityError (EG744) if the promoted model's files are not the promoted ones.
    """
    name = project.gate.settings.baseline
    if name is None:
        return None
    found = identify_model(project, name)
    before = released(project.root)
    if before is not None and before.digest != found.digest:
        raise IntegrityError(
            f"found other files than were promoted ({found.digest[:19]}), expected {before.digest[:19]}, the baseline that "
            f"'{before.alias}' stands for. Put them back; a new model gets a table of its own.",
            where=f"evalgate.toml: [models.{name}]",
            code="EG744",
        )
    return found


def ask_model(
    project: Project,
    identity: ModelIdentity,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
) -> AskedModel:
    """Asks the model every question of every loaded suite that no run holds an answer to; starts no server if none.

    Raises InfrastructureError (server, disk, lock), IntegrityError (edited run, another model served than identified),
    FileProblems (EG350: items that do not fit into the server's context; nothing has been asked then).
    """
    from evalgate.models import ask_all, serving

    name, spec = project.model(identity.name)
    manifests = {n: manifest_of(s, identity) for n, s in project.suites.items()}
    paths = {n: run_directory(project.reports, m) for n, m in manifests.items()}
    runs = {n: str(p) for n, p in paths.items()}
    seal = project.seal
    found = {} if fresh else {n: Run(paths[n], m, seal) for n, m in manifests.items()}
    todo = [n for n in manifests if n not in found or not found[n].complete]
    verified = {runs[n]: run for n, run in found.items() if n not in todo}
    if not todo:
        return AskedModel(identity=identity, runs=runs, asked=0, verified=verified)
    asked = 0
    try:
        logs = project.reports / "logs"
        with serving(name, spec, project.root, identity, logs) as server:
            counts = _measured(server, {n: (project.suites[n], found.get(n)) for n in todo})
            for n in todo:
                loaded = project.suites[n]
                with RunWriter(paths[n], manifests[n], fresh=fresh, seal=seal) as writer:
                    count = _Counter(name, loaded, writer, progress, counts.get(n))

                    def tick(writer: RunWriter = writer) -> None:
                        writer.tick()
                        server.alive()

                    ask_all(
                        server.endpoint,
                        _questions(loaded, writer.run, count.ids),
                        loaded.suite.sampling,
                        count.land,
                        alive=tick,
                    )
                    asked += count.asked
    except IntegrityError as e:
        # Other bytes than those that were digested may have answered: nothing of these runs is kept in its place.
        for n in todo if e.code == "EG330" else ():
            with RunWriter(paths[n], manifests[n], suspect=True, seal=seal):
                pass
        raise
    return AskedModel(identity=identity, runs=runs, asked=asked, verified=verified)


def _measured(
    server: Server, suites: Mapping[str, tuple[LoadedSuite, Run | None]]
) -> dict[str, Sequence[int]]:
    """Tokens of every prompt that will be asked, by suite and ordinal; {} if the server's context is unknown."""
    if server.context is None:
        return {}
    counts: dict[str, Sequence[int]] = {}
    problems = []
    for name, (loaded, run) in suites.items():
        questions = (
            (ordinal, loaded.prompt.render(item.input))
            for ordinal, item in loaded.gold.items()
            if run is None or ordinal not in run
        )
        counts[name] = server.context.measured(questions, len(loaded.gold))
        problem = server.context.too_long(
            counts[name],
            loaded.suite.sampling.max_tokens,
            path=loaded.suite.gold,
            name=_names(loaded.gold),
        )
        problems += [problem] if problem else []
    if problems:
        raise FileProblems(problems)
    return counts


def _names(gold: GoldSet) -> Callable[[int], str]:
    return lambda ordinal: gold.item(ordinal).id


class _Counter:
    """Lands replies of one suite, holds what their server read against what was counted, and tells how far it is."""

    def __init__(
        self,
        model: str,
        loaded: LoadedSuite,
        writer: RunWriter,
        progress: Progress | None,
        counts: Sequence[int] | None,
    ) -> None:
        self.ids: dict[int, str] = {}  # of questions in flight only
        self.asked = 0
        self._model = model
        self._suite = loaded.suite.name
        self._total = len(loaded.gold)
        self._writer = writer
        self._progress = progress
        self._counts = counts
        if progress:
            progress(model, self._suite, writer.run.landed, self._total)

    def land(self, ordinal: int, reply: Reply) -> None:
        name = self.ids.pop(ordinal)
        if self._counts is not None:
            from evalgate.models import check_read

            check_read(reply, self._counts[ordinal], where=f"{self._suite} {name}")
        self._writer.land(ordinal, name, reply)
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
