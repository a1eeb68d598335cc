"""What a review needs of the project: the rubric, the plan, the labels, and the candidate's outputs that people read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalgate.authored import nearest
from evalgate.authored.label_file import Labels, is_current, labels_path
from evalgate.authored.rubric import Rubric
from evalgate.errors import UsageError
from evalgate.gate.sides import find_runs, open_side
from evalgate.judge.case import Case
from evalgate.judge.review import ReviewPlan, verify
from evalgate.judge.verdicts import case_of
from evalgate.records import Record
from evalgate.store import open_run
from evalgate.suite import LoadedSuite, Project
from evalgate.suite.judging import judged_slices


class Reviewed(Record, kw_only=True):
    """One suite with its rubric's files. `plan` is None where none has been drawn; `labels_path` is below the project."""

    suite: str
    rubric: Rubric
    plan: ReviewPlan | None
    labels: Labels
    labels_path: str


def reviewed_suites(project: Project, asked: str | None) -> list[Reviewed]:
    """The suites that have a rubric, in the project's order; only `asked`. Raises UsageError (EG643)."""
    found = {name: _reviewed(name, loaded) for name, loaded in project.suites.items()}
    there = {name: reviewed for name, reviewed in found.items() if reviewed is not None}
    if asked is None and there:
        return list(there.values())
    if asked in there:
        return [there[asked]]
    none = "no rubric" if asked is None else f"no suite {asked!r} with a rubric"
    hint = nearest(asked, there) if asked else ""
    raise UsageError(
        f"found {none}, expected rubrics/NAME.toml, NAME being the suite's.{hint} Write one: see docs/rubrics.md.",
        where="rubrics",
        code="EG643",
    )


def reviewed_suite(project: Project, asked: str | None) -> Reviewed:
    """The suite that is meant where it has to be one. Raises UsageError (EG643)."""
    found = reviewed_suites(project, asked)
    if len(found) > 1:
        raise UsageError(
            f"found rubrics of {', '.join(r.suite for r in found)}, expected one. Choose with --suite.",
            where="rubrics",
            code="EG643",
        )
    return found[0]


def _reviewed(name: str, loaded: LoadedSuite) -> Reviewed | None:
    rubric = loaded.rubric
    if rubric is None:
        return None
    usable = tuple(label for label in loaded.labels if is_current(label, rubric))
    stale = tuple(label for label in loaded.labels if not is_current(label, rubric))
    labels = Labels(usable=usable, stale=stale)
    path = loaded.labelled[0] if loaded.labelled else labels_path(Path(rubric.path)).as_posix()
    return Reviewed(suite=name, rubric=rubric, plan=loaded.review, labels=labels, labels_path=path)


def outputs_of(project: Project, model: str, reviewed: Reviewed) -> dict[str, Case]:
    """The planned outputs of `model` that are answers, by item, in the plan's order.

    Raises UsageError: no plan (EG644), one that does not fit (EG642), no complete run (EG420 to EG423).
    """
    plan, name = reviewed.plan, reviewed.suite
    where = f"rubrics/{name}.review.json"
    if plan is None:
        raise UsageError(
            f"found no review plan, expected one. Draw it: evalgate review plan {model} --suite {name}",
            where=where,
            code="EG644",
        )
    loaded = project.suites[name]
    kept = find_runs(project, model, [name]).runs[name]
    fault = verify(
        plan,
        places_of(loaded),
        suite=name,
        gold=loaded.gold.digest,
        model=open_run(kept, project.seal).manifest.model.digest,
        n=project.gate.settings.review_items,
        slices=judged_slices(project, name),
    )
    if fault:
        raise UsageError(
            f"found that {fault}, expected a plan for {model} and the gold set as they are. Draw again: evalgate review "
            f"plan {model} --suite {name} --again; labels that still speak of these outputs are kept and used.",
            where=where,
            code="EG642",
        )
    wanted = set(plan.items)
    answers = open_side(loaded, kept, model, seal=project.seal)
    cases = {
        answer.id: case_of(answer, reviewed.rubric.show)
        for answer in answers
        if answer.id in wanted and answer.status == "ok"
    }
    return {name: cases[name] for name in plan.items if name in cases}


class Place(Record, kw_only=True):
    """Of a gold item what a draw looks at."""

    id: str
    unit: str
    tags: tuple[str, ...]


def places_of(loaded: LoadedSuite) -> Iterator[Place]:
    """The items of a suite's gold set, read as a stream, without their texts."""
    for _, item in loaded.gold.items():  # noqa: PERF102 (a gold set, no dict)
        yield Place(id=item.id, unit=item.unit, tags=item.tags)
