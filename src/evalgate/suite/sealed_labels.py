"""What people say of answers to a sealed set: which of these they read, the labels that they gave, and how many are missing.

There is no review plan on the disk: the draw follows from gate.toml, the sealed items and the model, and is drawn again by
whoever holds the key. The labels lie encrypted in rubrics/SUITE.RUN.labels.sealed, RUN being the key of the run of the
answers: another model, prompt or sealed version has other labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.authored import Problems
from evalgate.authored.label_file import read_labels
from evalgate.authored.problems import read_bytes, relative
from evalgate.authored.sealed_labels import open_labels, sealed_labels_path
from evalgate.crypto.seal import SealKey
from evalgate.errors import Undecided
from evalgate.judge import Calibration
from evalgate.judge.calibration import LABELLING
from evalgate.judge.calibration_table import ITEMS_TO_DECIDE
from evalgate.judge.people import DOUBLE
from evalgate.judge.review import ReviewPlan, make_plan
from evalgate.records import ModelIdentity
from evalgate.store import Run
from evalgate.suite.answers import Answers
from evalgate.suite.asking import AskedModel, manifest_of
from evalgate.suite.calibrating import ask_again, drawn_of, labelled_twice
from evalgate.suite.judging import judged_slices, verdicts_of
from evalgate.suite.project import LoadedSuite, Opening, Project, load_project


def open_for_review(root: Path, key: SealKey, model: ModelIdentity) -> Project:
    """The project with its sealed sets, and labels of the model's answers to them. Raises as `load_project`, `with_labels`."""
    return with_labels(load_project(root, sealed=Opening(key=key, alphas={})), model)


def with_labels(project: Project, model: ModelIdentity) -> Project:
    """`project`, which is about sealed sets, with what people are to read of the model's answers and what they have said.

    Raises FileProblems (labels that cannot be read), IntegrityError (a file of labels that does not open).
    """
    problems = Problems()
    suites = {
        name: _with_labels(project, loaded, model, problems)
        for name, loaded in project.suites.items()
    }
    problems.raise_if_any()
    return Project(project.root, project.gate, project.settings, suites, project.sealed)


def _with_labels(
    project: Project, loaded: LoadedSuite, model: ModelIdentity, problems: Problems
) -> LoadedSuite:
    rubric, seal = loaded.rubric, project.seal
    if rubric is None or seal is None:
        return loaded
    path = sealed_labels_path(project.root / rubric.path, manifest_of(loaded, model).key)
    name = relative(path, project.root)
    data = read_bytes(path, name, problems) if path.exists() else b""
    labels = None
    if data:
        lines = open_labels(data, path, seal, where=name)
        labels = read_labels(lines, name, problems, rubric=rubric, gold=loaded.gold)
    return msgspec.structs.replace(
        loaded,
        labels=(*labels.usable, *labels.stale) if labels else (),
        labelled=(name, digest.of_bytes(data) if data else ""),
        review=_draw(project, loaded, model),
    )


def _draw(project: Project, loaded: LoadedSuite, model: ModelIdentity) -> ReviewPlan:
    """The draw that everybody makes who has the key: of the one judged slice, or of all items, a fifth for two raters."""
    slices = judged_slices(project, loaded.suite.name)
    assert loaded.rubric is not None
    return make_plan(
        loaded.suite.name,
        (item for _, item in loaded.gold.items()),
        n=project.gate.settings.review_items,
        double=DOUBLE,
        model=model.digest,
        gold=loaded.gold.digest,
        criteria={c.id: c.digest for c in loaded.rubric.criteria},
        tag=min(slices) if slices is not None and len(slices) == 1 else None,
    )


def require_labels(project: Project, asked: AskedModel, judge: ModelIdentity | None) -> None:
    """Returns if people have labelled all that the judged rows of a sealed check rest on; the judge is then asked again, if it may.

    Nothing is decided before: a look at some labels, or at the other rows without them, would be one more than the attempt
    has paid for. Raises Undecided (EG930) with what is missing of each suite, and what asking raises.
    """
    missing = [line for name in project.suites for line in _missing(project, name, asked, judge)]
    if missing:
        raise Undecided(
            f"found labels missing: {'; '.join(missing)}; expected them all before anything is decided. The attempt waits. Who "
            f"holds the seal key gets them: evalgate review label {asked.identity.name} --sealed --suite SUITE --rater PSEUDONYM",
            where="rubrics",
            code="EG930",
        )
    enough = any(
        labelled_twice(loaded.labels) >= ITEMS_TO_DECIDE for loaded in project.suites.values()
    )
    if judge is not None and judge.verified and enough:
        ask_again(project, asked, judge)


def _missing(
    project: Project, name: str, asked: AskedModel, judge: ModelIdentity | None
) -> Iterator[str]:
    """What a suite's judged rows still need of people, in words."""
    slices, loaded = judged_slices(project, name), project.suites[name]
    if slices == frozenset() or loaded.rubric is None:
        return
    path = asked.runs[name]
    run = asked.verified.get(path) or Run(
        Path(path), manifest_of(loaded, asked.identity), project.seal
    )
    answers = Answers(loaded.suite, loaded.gold, run, card=loaded.card)
    verdicts = verdicts_of(project, loaded, answers, judge)
    calibration = Calibration(verdicts, loaded.labels, drawn_of(project, loaded, asked.identity))
    for tag in [None] if slices is None else sorted(slices):
        if lacking := calibration.lacking(tag):
            criteria = len(loaded.rubric.read_by_people)
            told = lacking.removesuffix(f"; {LABELLING}")
            yield f"{name}{f' [{tag}]' if tag else ''}: {told} ({criteria} criteria each)"
