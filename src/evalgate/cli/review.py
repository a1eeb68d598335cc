"""`evalgate review ...`: people's labels, from the draw to the agreement between raters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.authored import Label
    from evalgate.gate.review import Reviewed
    from evalgate.judge.review import ReviewPlan
    from evalgate.suite import Project


@click.group(
    cls=LazyGroup,
    members={
        "agreement": (
            "evalgate.cli.review_agreement:agreement",
            "how far raters agree, with each other and with themselves",
        ),
        "export": ("evalgate.cli.review:export", "the questions for a spreadsheet or Label Studio"),
        "import": ("evalgate.cli.review:import_", "labels from a file that was exported"),
        "label": ("evalgate.cli.review:label", "read outputs and answer, one criterion at a time"),
        "plan": ("evalgate.cli.review:plan", "draw the outputs that people label"),
    },
)
def review() -> None:
    """Review: what clinicians say of a model's outputs, so that a judge can be trusted as far as it deserves."""


_DOUBLE = 0.2
suite_option = click.option("--suite", metavar="SUITE", help="the suite whose rubric is meant")
model_argument = click.argument("model", required=False)
sealed_option = click.option(
    "--sealed",
    is_flag=True,
    help="outputs of a sealed check, for holders of the seal key; their labels are kept encrypted",
)
rater_option = click.option(
    "--rater", metavar="PSEUDONYM", required=True, help="letters, digits, - and _: no name"
)
format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "xlsx", "jsonl", "labelstudio"]),
    required=True,
    help="labelstudio: tasks as JSON, and the labelling interface as XML beside it",
)


@click.command()
@model_argument
@suite_option
@click.option(
    "--tag", help="draw from the items that bear this tag (default: the one judged slice)"
)
@click.option(
    "--double",
    type=click.FloatRange(0, 1),
    default=_DOUBLE,
    show_default=True,
    help="share that two raters read",
)
@click.option("--again", is_flag=True, help="draw anew though there are labels; they are kept")
@sealed_option
@verbose_option
def plan(
    model: str | None,
    *,
    suite: str | None,
    tag: str | None,
    double: float,
    again: bool,
    sealed: bool,
    verbose: bool,
) -> None:
    """Draw which outputs of MODEL people label, before anything is scored, into rubrics/SUITE.review.json.

    Without --suite: for every suite that has a rubric. How many is `review_items` in [gate] of gate.toml; without it, all.
    The draw follows from that, from the ids, units and tags of the items, the model's digest and the tag, and from nothing
    else that anybody could choose. Where the judged rows of gate.toml are about one slice, the items are drawn from it.

    With --sealed nothing is written, and there is nothing to choose: whoever holds the key makes the same draw.
    """
    del verbose
    from evalgate.errors import UsageError
    from evalgate.gate.review import reviewed_suites
    from evalgate.suite.asking import identify_model

    project = load(model, sealed=sealed)
    if sealed:
        if tag is not None or again or double != _DOUBLE:
            raise UsageError(
                "found --tag, --double or --again beside --sealed, expected none: of a sealed set there is one draw. Leave it out.",
                code="EG931",
            )
        for reviewed in reviewed_suites(project, suite):
            _tell_sealed(project, reviewed, project.model(model)[0])
        return
    identity = identify_model(project, model)
    for reviewed in reviewed_suites(project, suite):
        _plan_one(project, reviewed, identity.digest, tag=tag, double=double, again=again)


def _plan_one(
    project: Project,
    reviewed: Reviewed,
    model: str,
    *,
    tag: str | None,
    double: float,
    again: bool,
) -> None:
    from fractions import Fraction

    from evalgate.authored import nearest
    from evalgate.errors import UsageError
    from evalgate.gate.review import places_of
    from evalgate.judge.review import make_plan, plan_path, write_plan
    from evalgate.suite.judging import judged_slices

    name, rubric = reviewed.suite, reviewed.rubric
    gold = project.suites[name].gold
    slices = judged_slices(project, name)
    if tag is None and slices is not None and len(slices) == 1:
        (tag,) = slices
    if tag is not None and tag not in gold.tags:
        raise UsageError(
            f"found no item of {name} with the tag {tag!r}, expected one of its tags.{nearest(tag, gold.tags)} "
            "'evalgate gold check' lists them.",
            code="EG656",
        )
    there = gold.n if tag is None else gold.items_with_tag(tag)
    path = plan_path(project.root / rubric.path)
    drawn = make_plan(
        name,
        places_of(project.suites[name]),
        n=project.gate.settings.review_items,
        double=Fraction(str(double)),
        model=model,
        gold=gold.digest,
        criteria={c.id: c.digest for c in rubric.criteria},
        tag=tag,
    )
    old = reviewed.plan
    if old is not None and old != drawn and not again:
        labelled = len({x.item for x in reviewed.labels.usable}.intersection(old.items))
        if labelled:
            raise UsageError(
                f"found labels of {labelled} items of the plan that is there, expected none. Finish it, or draw anew with "
                "--again: labels about outputs of the new plan still count, the others do not.",
                where=f"rubrics/{path.name}",
                code="EG645",
            )
    if old != drawn:
        write_plan(path, drawn)
    _tell_plan(reviewed, drawn, there, new=old != drawn)


def _tell_plan(reviewed: Reviewed, drawn: ReviewPlan, there: int, *, new: bool) -> None:
    state = "" if new else " (the plan that is there)"
    _tell_draw(reviewed, drawn, there, state=state, where=f"rubrics/{reviewed.suite}.review.json")
    click.echo(f"  next: evalgate review label --suite {reviewed.suite} --rater PSEUDONYM")


def _tell_sealed(project: Project, reviewed: Reviewed, model: str) -> None:
    drawn, gold = reviewed.plan, project.suites[reviewed.suite].gold
    assert drawn is not None
    there = gold.n if drawn.tag is None else gold.items_with_tag(drawn.tag)
    _tell_draw(reviewed, drawn, there, state=" of the sealed set", where=reviewed.labels_path)
    rest = f"--suite {reviewed.suite} --rater PSEUDONYM"
    click.echo(f"  next: evalgate review label {model} --sealed {rest}")


def _tell_draw(
    reviewed: Reviewed, drawn: ReviewPlan, there: int, *, state: str, where: str
) -> None:
    from evalgate.judge.people import DOUBLE, ENOUGH

    name, criteria = reviewed.suite, len(reviewed.rubric.read_by_people)
    n, double, tag = len(drawn.items), len(drawn.double), drawn.tag
    of = f"items tagged {tag}" if tag else "items"
    click.echo(
        f"{name}: {n} of {there} {of} drawn{state}, {double} of them for two raters: {where}"
    )
    click.echo(
        f"  {criteria} criteria: at most {n * criteria} judgements for a clinician, {double * criteria} for a second one; "
        "to each about 10 % more, outputs that come twice; answers that were cut off or refused are not read"
    )
    needed = min(ENOUGH, there)
    if n < needed or double < math.ceil(DOUBLE * n):
        click.echo(
            f"  too few to open the gate: it needs {needed} items, {float(100 * DOUBLE):.0f} % of them by two raters"
        )


@click.command()
@model_argument
@suite_option
@rater_option
@click.option("--simulated", is_flag=True, help="not a clinician: the labels never open a gate")
@click.option("--adjudicate", is_flag=True, help="settle what other raters answered differently")
@sealed_option
@verbose_option
def label(
    model: str | None,
    *,
    suite: str | None,
    rater: str,
    simulated: bool,
    adjudicate: bool,
    sealed: bool,
    verbose: bool,
) -> None:
    """Read the planned outputs of MODEL and answer one criterion at a time. Every answer is saved at once.

    x stops; the same command goes on where it stopped. What you see names no model, no judge's verdict and no other rater.
    """
    del verbose
    from evalgate.cli.review_loop import Console, Loop
    from evalgate.judge.review import assigned, disputes, turns_of

    project, reviewed = _one(model, suite, sealed=sealed)
    cases = _cases(project, model, reviewed)
    console = Console()
    stands = _capacity(reviewed, rater, simulated=simulated or None)
    if stands is None:
        stands = not console.yes("Are you a clinician qualified for this review?")
    plan = reviewed.plan
    assert plan is not None
    _note_access(project, model, reviewed, "review label")
    loop = Loop(
        console,
        reviewed.rubric,
        cases,
        project.root / reviewed.labels_path,
        reviewed.labels.usable,
        rater=rater,
        simulated=stands,
        seal=project.seal,
    )
    if unread := _unread(plan, cases):
        console.say(unread)
    if adjudicate:
        loop.settle(disputes(reviewed.labels, cases, simulated=stands))
    else:
        mine = assigned(rater, plan, reviewed.rubric, reviewed.labels, cases, simulated=stands)
        loop.read(turns_of(rater, plan, mine))


def load(model: str | None, *, sealed: bool) -> Project:
    """The project; with `sealed` its sealed sets, and the labels of the model's answers to them, by the seal key at hand."""
    root = project_root()
    if not sealed:
        from evalgate.suite import load_project

        return load_project(root)
    from evalgate.crypto.seal import SealKey
    from evalgate.suite.asking import identify_model
    from evalgate.suite.project import load_header
    from evalgate.suite.sealed_labels import open_for_review

    key = SealKey.at_hand()
    return open_for_review(root, key, identify_model(load_header(root), model))


def _one(model: str | None, suite: str | None, *, sealed: bool) -> tuple[Project, Reviewed]:
    """The project, and the one suite that is meant."""
    from evalgate.gate.review import reviewed_suite

    project = load(model, sealed=sealed)
    return project, reviewed_suite(project, suite)


def _cases(project: Project, model: str | None, reviewed: Reviewed) -> dict[str, Any]:
    from evalgate.gate.review import outputs_of

    return outputs_of(project, model or project.model(None)[0], reviewed)


def _note_access(project: Project, model: str | None, reviewed: Reviewed, command: str) -> None:
    """Notes in the access log that the planned outputs are about to be shown, with their sources and labels."""
    from evalgate.gate.sides import find_runs
    from evalgate.store.access import note_access

    name = reviewed.suite
    side = find_runs(project, model or project.model(None)[0], [name])
    runs = [kept.path.relative_to(project.root).as_posix() for kept in side.runs.values()]
    note_access(project.root, command, *runs, project.suites[name].gold_file, reviewed.labels_path)


def _unread(plan: ReviewPlan, cases: dict[str, Any]) -> str:
    """How many planned outputs nobody reads, as a line; "" if there are none."""
    n, gone = len(plan.items), len(plan.items) - len(cases)
    told = f"not read: {gone} of the {n} planned outputs, cut off, refused or missing; they fail without a reader"
    return told if gone else ""


def _capacity(
    reviewed: Reviewed, rater: str, *, simulated: bool | None, given: Iterable[Label] = ()
) -> bool | None:
    """Whether the rater's labels are simulated: as asked, as those there (or `given`) say; None if nobody has said.

    Raises UsageError (EG634, EG647).
    """
    from evalgate.authored.label_file import NO_PSEUDONYM, PSEUDONYM
    from evalgate.errors import UsageError
    from evalgate.judge.review import capacity_of

    if not PSEUDONYM.fullmatch(rater):
        raise UsageError(NO_PSEUDONYM, where="--rater", code="EG634")
    before = capacity_of(rater, (*reviewed.labels.usable, *reviewed.labels.stale, *given))
    if before is None or simulated is None:
        return before if simulated is None else simulated
    if before != simulated:
        raise UsageError(
            "found labels of this rater as a clinician's and as simulated, expected one pseudonym for one person in one "
            "capacity. Take another pseudonym.",
            where="--rater",
            code="EG647",
        )
    return simulated


@click.command()
@model_argument
@suite_option
@format_option
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="the file to write",
)
@click.option("--rater", metavar="PSEUDONYM", help="their share, with the answers they have given")
@click.option("--force", is_flag=True, help="replace the file")
@sealed_option
@verbose_option
def export(
    model: str | None,
    *,
    suite: str | None,
    format_: Any,
    out: Path,
    rater: str | None,
    force: bool,
    sealed: bool,
    verbose: bool,
) -> None:
    """Write the questions of the plan, with sources and outputs, as a file to be filled in. It holds clinical text.

    Without --rater: every question, for whoever is given the file.
    """
    del verbose
    from evalgate.errors import UsageError
    from evalgate.judge.review import assigned
    from evalgate.judge.review_formats import ENDINGS, rows_of, write_rows

    project, reviewed = _one(model, suite, sealed=sealed)
    if sealed and out.absolute().is_relative_to(project.root.absolute()):
        raise UsageError(
            "found a place inside the project, expected one where developers do not look: the file holds sealed items. Choose "
            "another.",
            where=str(out),
            code="EG932",
        )
    cases = _cases(project, model, reviewed)
    for path in {out, out.with_suffix(".xml") if format_ == "labelstudio" else out}:
        if path.exists() and not force:
            raise UsageError(
                "found a file there already, expected a free place. Choose another name, or replace it with --force.",
                where=str(path),
                code="EG654",
            )
    if out.suffix != ENDINGS[format_]:
        raise UsageError(
            f"found the ending {out.suffix!r}, expected {ENDINGS[format_]} for {format_}. Rename it.",
            where=str(out),
            code="EG654",
        )
    plan, labels = reviewed.plan, reviewed.labels
    assert plan is not None
    items = list(cases)
    if rater is not None:
        stands = bool(_capacity(reviewed, rater, simulated=None))
        items = assigned(rater, plan, reviewed.rubric, labels, cases, simulated=stands)
    kept = (*labels.stale, *labels.usable) if rater else ()
    _note_access(project, model, reviewed, "review export")
    rows = rows_of(reviewed.rubric, items, cases, kept, rater or "")
    written = write_rows(out, format_, rows)
    unanswered = sum(not row["answer"] for row in rows)
    click.echo(
        f"{' and '.join(map(str, written))}: {len(items)} outputs, {unanswered} open questions"
    )
    if unread := _unread(plan, cases):
        click.echo(unread)
    click.echo(
        "the file holds what the sources and the outputs say: keep it where those may be kept"
    )


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@suite_option
@click.option(
    "--model", metavar="MODEL", help="whose outputs they are about [the default candidate]"
)
@format_option
@rater_option
@click.option(
    "--clinician",
    is_flag=True,
    help="a clinician qualified for this review gave them; else they are simulated",
)
@sealed_option
@verbose_option
def import_(
    file: Path,
    *,
    suite: str | None,
    model: str | None,
    format_: Any,
    rater: str,
    clinician: bool,
    sealed: bool,
    verbose: bool,
) -> None:
    """Add the labels in FILE. Nothing is added unless every row can be; importing a file twice changes nothing."""
    del verbose
    from evalgate.authored import Problems
    from evalgate.authored.label_file import extend
    from evalgate.authored.problems import count
    from evalgate.judge.review_formats import labels_of, read_rows

    project, reviewed = _one(model, suite, sealed=sealed)
    _capacity(reviewed, rater, simulated=None)
    cases = _cases(project, model, reviewed)
    problems = Problems()
    rows = read_rows(file, format_, problems)
    found = labels_of(
        rows,
        str(file),
        problems,
        rubric=reviewed.rubric,
        cases=cases,
        labels=reviewed.labels,
        rater=rater,
        clinician=clinician,
    )
    problems.raise_if_any()
    for simulated in {x.simulated for x in found.new}:
        _capacity(reviewed, rater, simulated=simulated, given=found.new)
    if found.new:
        extend(project.root / reviewed.labels_path, found.new, seal=project.seal)
    click.echo(
        f"{reviewed.labels_path}: {count(len(found.new), 'label')} added, {found.known} were there, "
        f"{count(found.unanswered, 'question')} unanswered"
    )
    if found.stale:
        click.echo(
            f"{found.stale} of them are about a criterion as it was worded before: kept, never used"
        )
    if found.new and not clinician:
        click.echo(
            "they are marked simulated and open no gate; --clinician if a clinician qualified for this review gave them"
        )
