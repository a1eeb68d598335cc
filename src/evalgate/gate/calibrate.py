"""`evalgate judge calibrate`: a judge held against clinicians, kept as a report that goes stale with what it is about."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.errors import InfrastructureError, UsageError
from evalgate.gate.record import write
from evalgate.gate.review import reviewed_suites
from evalgate.judge.calibration_table import Qualification
from evalgate.judge.verdicts import unscored_causes
from evalgate.records import ModelIdentity
from evalgate.report.calibration import render_qualification
from evalgate.store import Run, run_directory
from evalgate.suite import Answers, AskedModel, LoadedSuite, Project, identify_model
from evalgate.suite.asking import Progress, manifest_of
from evalgate.suite.calibrating import ask_again, drawn_of, reports_of
from evalgate.suite.judging import identify_judge, judge_model, judged_suites, verdicts_of


def calibrate(
    project: Project,
    model: str | None,
    suites: Sequence[str],
    *,
    again: bool,
    progress: Progress | None = None,
) -> list[Qualification]:
    """One table per suite, from verdicts on the candidate's answers and the labels about them; the judge is asked what is missing.

    `again`: ask three times more about the labelled cases, to see how often the judge changes its answer. Raises
    UsageError (EG666: nothing is judged; EG667: the candidate has not been asked) and what asking raises.
    """
    judged = judged_suites(project)
    chosen = [name for name in judged if not suites or name in suites]
    if not chosen:
        raise _nothing_judged(suites[0] if suites else "")
    candidate = identify_model(project, model)
    judge = identify_judge(project, [candidate])
    assert judge is not None
    asked = _asked(project, candidate, judged)
    judge_model(project, asked, judge, progress=progress)
    if again:
        ask_again(project, asked, judge, progress=progress)
    return [_table(project, project.suites[n], asked, candidate, judge) for n in chosen]


def recomputed(
    project: Project, table: Qualification, beside: Sequence[ModelIdentity]
) -> Qualification:
    """A kept table made again from the labels and verdicts that are on disk now: what its file says is not believed.

    Nobody is asked: verdicts that are missing count as void. `beside`: whom the judge must be no kin of, next to the
    candidate whose answers were labelled. Raises UsageError (EG661 to EG664, EG666, EG667), IntegrityError (an edited run).
    """
    candidate = identify_model(project, table.candidate.name if table.candidate else None)
    judge = identify_judge(project, [candidate, *beside])
    if judge is None or table.suite not in judged_suites(project):
        raise _nothing_judged(table.suite)
    asked = _asked(project, candidate, [table.suite])
    return _table(project, project.suites[table.suite], asked, candidate, judge)


def _nothing_judged(suite: str) -> UsageError:
    return UsageError(
        f"found no judged row {f'of {suite} ' if suite else ''}in gate.toml, expected one with judge = "
        '"calibrated". Add it: docs/judges.md.',
        where="gate.toml",
        code="EG666",
    )


def _asked(project: Project, candidate: ModelIdentity, suites: Sequence[str]) -> AskedModel:
    """The candidate's complete runs of the judged suites."""
    runs, verified = {}, {}
    for name in suites:
        manifest = manifest_of(project.suites[name], candidate)
        path = run_directory(project.reports, manifest)
        run = Run(path, manifest)
        if not run.complete:
            raise UsageError(
                f"found {run.landed} of {len(run)} answers of {candidate.name} to {name}, expected all. "
                f"Ask first: evalgate gate check {candidate.name}",
                where=f"reports/runs/{name}",
                code="EG667",
            )
        runs[name], verified[str(path)] = str(path), run
    return AskedModel(identity=candidate, runs=runs, asked=0, verified=verified)


def _table(
    project: Project,
    loaded: LoadedSuite,
    asked: AskedModel,
    candidate: ModelIdentity,
    judge: ModelIdentity,
) -> Qualification:
    rubric = loaded.rubric
    assert rubric is not None
    run = asked.verified[asked.runs[loaded.suite.name]]
    answers = Answers(loaded.suite, loaded.gold, run, card=loaded.card)
    verdicts = verdicts_of(project, loaded, answers, judge)
    notes = []
    if not loaded.labels:
        notes.append(
            "Nobody has labelled anything, so nothing is known of this judge. 'evalgate review plan' and 'evalgate review "
            "label' get labels."
        )
    if all(label.simulated for label in loaded.labels) and loaded.labels:
        notes.append("All labels are simulated: no clinician gave any. They decide nothing.")
    drawn = drawn_of(project, loaded, candidate)
    if drawn.fault:
        notes.append(f"The gate would use none of the labels: {drawn.fault}.")
    if not judge.verified:
        notes.append(
            f"{judge.name} is an endpoint: nobody verified which model answers there, and it could know which outputs people "
            "read. The gate uses labels alone, whatever stands below."
        )
    causes = ", ".join(f"{n} {cause}" for cause, n in unscored_causes(verdicts).items())
    if causes:
        notes.append(f"Items without a score: {causes}.")
    return Qualification(
        suite=loaded.suite.name,
        rubric=rubric.digest,
        version=rubric.version,
        judge=judge,
        candidate=candidate,
        criteria=reports_of(project, loaded, answers, verdicts, judge, drawn=drawn),
        when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        labels=_labels_digest(loaded),
        notes=tuple(notes),
    )


def keep(found: Qualification, root: Path) -> Path:
    """Writes the table as reports/calibration/SUITE.json and .html, over an earlier one; returns the page's path.

    Raises InfrastructureError (EG501).
    """
    page = _folder(root) / f"{found.suite}.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(page, render_qualification(found))
        text = msgspec.json.format(msgspec.json.encode(found), indent=1).decode()
        write(page.with_suffix(".json"), text + "\n")
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the report. Free some space or mend the permissions.",
            where=str(page.parent),
            code="EG501",
        ) from None
    return page


def kept(project: Project, suite: str | None) -> list[tuple[Qualification, list[str]]]:
    """The tables kept, each with what has changed since; only that of `suite`. Raises UsageError (EG643, EG668)."""
    names = [r.suite for r in reviewed_suites(project, suite)]
    names = [name for name in names if _path(project.root, name).is_file()]
    if not names:
        raise UsageError(
            "found no calibration, expected one. Make it: evalgate judge calibrate",
            where="reports/calibration",
            code="EG668",
        )
    found = []
    for name in names:
        path = _path(project.root, name)
        try:
            table = msgspec.json.decode(path.read_bytes(), type=Qualification)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as e:
            raise UsageError(
                f"found a file that cannot be read ({type(e).__name__}), expected what 'evalgate judge calibrate' wrote. "
                "Calibrate again.",
                where=str(path.relative_to(project.root)),
                code="EG668",
            ) from None
        found.append((table, _changed(project, table)))
    return found


def _changed(project: Project, table: Qualification) -> list[str]:
    """What is another now: the judge's model, its server, the rubric it reads, the labels it is held against."""
    changed = []
    name = project.settings.judge_model
    now = identify_model(project, name) if name else None
    if now is None:
        return ["there is no judge any more"]
    for what, before, after in (
        ("the judge's weights", table.judge.digest, now.digest),
        ("its server", table.judge.server, now.server),
        ("its server's version", table.judge.version, now.version),
        ("its server's arguments", table.judge.args, now.args),
    ):
        if before != after:
            changed.append(what)
    loaded = project.suites[table.suite]
    if loaded.rubric is None or loaded.rubric.digest != table.rubric:
        changed.append("the rubric")
    if _labels_digest(loaded) != table.labels:
        changed.append("the labels")
    return changed


def _labels_digest(loaded: LoadedSuite) -> str:
    return digest.of_value(sorted(digest.of_value(label) for label in loaded.labels))


def _folder(root: Path) -> Path:
    return root / "reports" / "calibration"


def _path(root: Path, suite: str) -> Path:
    return _folder(root) / f"{suite}.json"
