"""Judging a model's answers: which rows of gate.toml need it, who may judge, and where the verdicts are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit

from evalgate import digest
from evalgate.authored.gate_toml import split_key
from evalgate.errors import UsageError
from evalgate.judge import (
    AnswerCases,
    Bench,
    Docket,
    Verdicts,
    ask,
    judged_criteria,
)
from evalgate.records import ModelIdentity
from evalgate.store import Run
from evalgate.suite.answers import Answers
from evalgate.suite.asking import AskedModel, Progress, identify_model, manifest_of
from evalgate.suite.project import LoadedSuite, Project


def judged_slices(project: Project, suite: str) -> frozenset[str] | None:
    """The slices that the judged rows of a suite speak of; None for the whole gold set, empty where no row is judged."""
    tags = project.suites[suite].gold.tags
    found: set[str] = set()
    for key, bar in project.gate.suites[suite].items():
        if bar.judge:
            parameter = split_key(key)[1]
            if parameter is None or parameter not in tags:
                return None
            found.add(parameter)
    return frozenset(found)


def judged_suites(project: Project) -> list[str]:
    """The suites with a row that a judge has a part in, as far as their rubric asks a judge at all."""
    return [
        name
        for name, loaded in project.suites.items()
        if judged_slices(project, name) != frozenset()
        and loaded.rubric is not None
        and judged_criteria(loaded.rubric)
    ]


def identify_judge(project: Project, judged: Sequence[ModelIdentity]) -> ModelIdentity | None:
    """Who judges, None where no row needs a judge. `judged`: candidate and baseline.

    Nobody judges by default, and nobody judges their own family. Raises UsageError: no judge (EG661), the judge is one
    of `judged` by its digest or address (EG662) or family (EG663), a family is not stated (EG664).
    """
    if not judged_suites(project):
        return None
    name = project.settings.judge_model
    if name is None:
        raise UsageError(
            "found rows with judge = in gate.toml and no judge, expected one: nobody judges by default. Add [judge] "
            'model = "NAME" to evalgate.toml.',
            where=project.settings.path,
            code="EG661",
        )
    judge = identify_model(project, name)
    family = _family(project, name)
    for other in judged:
        if other.digest == judge.digest or _address(project, other.name) == _address(project, name):
            raise UsageError(
                f"found the judge {name} and {other.name} to be the same model, expected another one: no model judges "
                "its own answers. Name another judge.",
                where=project.settings.path,
                code="EG662",
            )
        if _family(project, other.name) == family:
            raise UsageError(
                f"found the judge {name} to be of {other.name}'s family, expected another one: models prefer their own "
                "kind. Name another judge.",
                where=project.settings.path,
                code="EG663",
            )
    return judge


def _family(project: Project, name: str) -> str:
    """The stated family of a model, in one spelling and without its number: llama-3 and Llama 2 are of one line.

    Raises UsageError (EG664).
    """
    family = project.model(name)[1].family
    if family is None:
        raise UsageError(
            f'[models.{name}]: found no key `family`, expected one: the judge must be of another. Add family = "NAME" '
            "(of the base model's line, such as llama-3; a model named by its path needs a table).",
            where=project.settings.path,
            code="EG664",
        )
    folded = unicodedata.normalize("NFKC", family).casefold()
    letters = "".join(c for c in folded if c.isalnum())
    return "".join(takewhile(str.isalpha, letters)) or letters


def _address(project: Project, name: str) -> tuple[object, ...]:
    """Where an endpoint is and which of its models is meant, in one spelling; the name alone of what evalgate serves."""
    spec = project.model(name)[1]
    if spec.server != "endpoint":
        return (name,)
    url = urlsplit(spec.url or "")
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return url.hostname, port, url.path.rstrip("/"), spec.name or name


def docket_of(project: Project, loaded: LoadedSuite, answers: Answers) -> Docket | None:
    """What of a suite's answers is judged; None where nothing is."""
    rubric, slices = loaded.rubric, judged_slices(project, loaded.suite.name)
    if rubric is None or slices == frozenset():
        return None
    run: Run = answers.run
    return Docket(
        suite=loaded.suite.name,
        cases=AnswerCases(answers, len(loaded.gold), rubric.show, slices),
        criteria=judged_criteria(rubric),
        show=rubric.show,
        answers=digest.of_value([loaded.gold.digest, run.manifest.key, run.last_sum.decode()]),
        seal=project.seal,
    )


def judge_model(
    project: Project,
    asked: AskedModel,
    judge: ModelIdentity,
    *,
    progress: Progress | None = None,
) -> int:
    """Asks the judge about every answer that a row needs and no run holds; returns how many questions that were.

    Raises what `put` raises.
    """
    dockets = [docket for _, docket in dockets_of(project, asked)]
    return put(project, dockets, judge, "verdicts", progress=progress)


def dockets_of(project: Project, asked: AskedModel) -> Iterator[tuple[LoadedSuite, Docket]]:
    """What is judged of a model's answers, suite by suite. Raises IntegrityError (an edited run)."""
    for name in judged_suites(project):
        loaded, path = project.suites[name], asked.runs[name]
        run = asked.verified.get(path) or Run(
            Path(path), manifest_of(loaded, asked.identity), project.seal
        )
        answers = Answers(loaded.suite, loaded.gold, run, card=loaded.card)
        docket = docket_of(project, loaded, answers)
        if docket is not None:
            yield loaded, docket


def put(
    project: Project,
    dockets: Iterable[Docket],
    judge: ModelIdentity,
    what: str,
    *,
    progress: Progress | None = None,
) -> int:
    """Asks the judge what no run of `dockets` holds; returns how many questions that were. `what` is for the progress.

    The judge's server is started if something is missing, and stopped. Raises what `evalgate.judge.ask` raises.
    """
    from evalgate.models import serving

    open_ = [d for d in dockets if Bench(d, judge, project.reports).missing()]
    if not open_:
        return 0
    name, spec = project.model(judge.name)

    def told(suite: str, done: int, total: int) -> None:
        if progress:
            progress(name, f"{suite} ({what})", done, total)

    with serving(name, spec, project.root, judge, project.reports / "logs") as server:
        return ask(open_, judge, server, project.reports, told=told)


def verdict_runs(
    project: Project, loaded: LoadedSuite, answers: Answers, judge: ModelIdentity
) -> dict[str, Path]:
    """Where the judge's raw replies about a suite's answers are, by criterion."""
    docket = docket_of(project, loaded, answers)
    if docket is None:
        return {}
    return {c.id: docket.directory(project.reports, c, judge) for c in docket.criteria}


def verdicts_of(
    project: Project, loaded: LoadedSuite, answers: Answers, judge: ModelIdentity | None
) -> Verdicts:
    """The verdicts on a suite's answers as they are on disk. Raises UsageError (EG665) without a rubric, IntegrityError."""
    if loaded.rubric is None:
        raise UsageError(
            f"found a test of verdicts and no rubric, expected rubrics/{loaded.suite.name}.toml. Write it: docs/rubrics.md.",
            where=f"suites/{loaded.path.name}",
            code="EG665",
        )
    docket = docket_of(project, loaded, answers)
    bench = Bench(docket, judge, project.reports) if docket and judge else None
    return Verdicts(answers, loaded.rubric, bench, size=len(loaded.gold))
