"""`evalgate models curve`: which base learns more of more data, as far as points can tell."""

from __future__ import annotations

from pathlib import Path

import click

from evalgate.cli.common import project_root, verbose_option


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--keep", is_flag=True, help="keep the candidates; else they go once measured")
@verbose_option
def curve(file: Path, *, keep: bool, verbose: bool) -> None:
    """Train every base of FILE (a curve's TOML) on nested parts of its data, fit learning curves, and say who is nominated.

    Points that are there already are not trained again. Nothing is promoted: a nominated base is trained on all data and held
    against the current one. Exit codes: 0 done, 1 if the data may not be trained on, else as `evalgate gate train`.
    """
    del verbose
    from evalgate.release.curve import RECORDS, curve_of, draw
    from evalgate.report.curve import curve_text

    root = project_root()
    asked = curve_of(root, Path.cwd() / file)
    report = draw(root, asked, keep=keep, told=lambda line: click.echo(line, err=True))
    click.echo(curve_text(report), nl=False)
    click.echo(f"recorded: {RECORDS}/{report.name}.json, {report.name}.html")
