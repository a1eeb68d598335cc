"""`evalgate judge ...`: what a judge's word is worth beside clinicians'."""

from __future__ import annotations

import sys

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option


@click.group(
    cls=LazyGroup,
    members={
        "calibrate": ("evalgate.cli.judge:calibrate", "hold the judge against clinicians' labels"),
        "show": (
            "evalgate.cli.judge:show",
            "the last calibration, and whether judge or rubric changed",
        ),
    },
)
def judge() -> None:
    """Judges: what their verdicts are worth, criterion by criterion."""


@click.command()
@click.argument("model", required=False)
@click.option("--suite", "suites", multiple=True, help="only this suite; may be given again")
@click.option("--repeat/--no-repeat", default=True, help="ask again about labelled items (default)")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@verbose_option
def calibrate(
    model: str | None, suites: tuple[str, ...], *, repeat: bool, as_json: bool, verbose: bool
) -> None:
    """Hold the judge's verdicts on MODEL's answers against the labels about them.

    Verdicts that are missing are asked for first. A judge decides a criterion only if it was shown to; the gate computes
    the same, from the same labels.
    """
    del verbose
    from evalgate.gate.calibrate import calibrate as run_calibration
    from evalgate.gate.calibrate import keep
    from evalgate.report.calibration import print_qualification
    from evalgate.suite import load_project
    from evalgate.suite.progress import Progress

    root = project_root()
    project = load_project(root)
    with Progress() as progress:
        tables = run_calibration(project, model, suites, again=repeat, progress=progress)
    pages = [keep(table, root) for table in tables]
    if as_json:
        _print_json(tables)
        return
    for table, page in zip(tables, pages, strict=True):
        print_qualification(table, file=sys.stdout)
        click.echo(f"page: {page.relative_to(root)}\n")


@click.command()
@click.option("--suite", help="only this suite")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@verbose_option
def show(suite: str | None, *, as_json: bool, verbose: bool) -> None:
    """The last calibration of each suite, and what of judge, rubric and labels has changed since."""
    del verbose
    from evalgate.gate.calibrate import kept
    from evalgate.report.calibration import print_qualification
    from evalgate.suite import load_project

    found = kept(load_project(project_root()), suite)
    if as_json:
        _print_json([table for table, _ in found])
        return
    for table, changed in found:
        if changed:
            click.echo(f"STALE, calibrate again: {', '.join(changed)} changed since {table.when}")
        print_qualification(table, file=sys.stdout)
        click.echo()


def _print_json(tables: object) -> None:
    import msgspec

    value = {"schema": "evalgate.calibration/1", "suites": msgspec.to_builtins(tables)}
    click.echo(msgspec.json.encode(value).decode())
