"""`evalgate models shortlist`: which base models are worth training, by licence and by the dev suites."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evalgate.cli.common import project_root, verbose_option


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--suite", "suites", multiple=True, help="only this suite; may be given again")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@click.option(
    "--html",
    "copy",
    type=click.Path(dir_okay=False, path_type=Path),
    help="and write the page there, too",
)
@click.option("--last", is_flag=True, help="show the shortlist that was kept last; asks nothing")
@verbose_option
def shortlist(
    names: tuple[str, ...],
    *,
    suites: tuple[str, ...],
    as_json: bool,
    copy: Path | None,
    last: bool,
    verbose: bool,
) -> None:
    """Compare base models (default: every local one of evalgate.toml) on the dev suites, before any training.

    A model whose licence does not allow fine-tuning, or whose files are not whole, is asked nothing; the reason is told. Answers are
    kept and reused as those of 'gate check'. Nothing is decided: it nominates. Kept in reports/shortlists. Exit codes: 0 somebody was
    compared, 1 nobody may be, 2 for names and suites, 4 nobody could be asked this time, 5 for models or runs that changed.
    """
    del verbose
    from evalgate.errors import UsageError
    from evalgate.release.shortlist import keep, latest, require_some
    from evalgate.release.shortlist import shortlist as compare
    from evalgate.report.shortlist import shortlist_html, shortlist_json, shortlist_text
    from evalgate.suite import load_project
    from evalgate.suite.progress import Progress

    root = project_root()
    if last and (names or suites):
        raise UsageError(
            "found --last with names or suites, expected it alone. Leave one of them out.",
            code="EG960",
        )
    if last:
        path, found = latest(root)
    else:
        project = load_project(root)
        with Progress() as progress:
            found = compare(project, names, suites, progress=progress)
        path = keep(root, found)
    if copy is not None:
        _write(copy, shortlist_html(found))
    if as_json:
        click.echo(json.dumps(shortlist_json(found)))
    else:
        click.echo(shortlist_text(found), nl=False)
    click.echo(f"kept: {path.relative_to(root).as_posix()} and its page beside it", err=True)
    require_some(found)


def _write(path: Path, page: str) -> None:
    from evalgate.errors import InfrastructureError
    from evalgate.files import write_whole

    try:
        write_whole(path, page.encode())
    except OSError as e:
        raise InfrastructureError(
            f"found that it cannot be written ({e.strerror or e}), expected a place for the page. Correct the path.",
            where=str(path),
            code="EG962",
        ) from e
