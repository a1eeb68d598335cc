"""`evalgate run interference`: which task got worse, and beside which model. Ids and numbers only."""

from __future__ import annotations

import json

import click

from evalgate.cli.common import project_root, verbose_option


@click.command()
@click.argument("candidate")
@click.option(
    "--against",
    "named",
    multiple=True,
    metavar="NAME",
    help="this model instead of those that are found",
)
@click.option("--suite", "suites", multiple=True, help="only this suite; may be given again")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "html", "json"]),
    default="text",
    help="text (default), md for a job summary, html for a page of its own, json with full precision",
)
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@verbose_option
def interference(
    candidate: str,
    *,
    named: tuple[str, ...],
    suites: tuple[str, ...],
    form: str,
    as_json: bool,
    verbose: bool,
) -> None:
    """CANDIDATE beside each model before it, task by task: is it worse, non-inferior, or is that not known?

    Found are: the previous release, the previous candidate, the base, and adapters over the same base that were trained on one task
    alone. Compared are kept answers to the same items; what was not asked is named, never passed. Asks nothing and decides
    nothing: exit 0 whatever it finds, 2 for names and runs that cannot be compared, 5 for edited ones.
    """
    del verbose
    from evalgate.release.interference import interference as compare
    from evalgate.report import interference as report
    from evalgate.suite import load_project

    found = compare(load_project(project_root()), candidate, named, suites)
    if as_json or form == "json":
        click.echo(json.dumps(report.interference_json(found)))
    elif form == "html":
        from evalgate.report.page import page

        title = f"{candidate}: interference"
        click.echo(page(title, [report.interference_section(found)], kind="undecided"), nl=False)
    else:
        shown = report.interference_markdown if form == "md" else report.interference_text
        click.echo(shown(found), nl=False)
