"""`evalgate init`."""

from __future__ import annotations

from pathlib import Path

import click

from evalgate.cli.common import verbose_option


@click.command()
@click.argument("directory", default="evalgate-starter", type=click.Path(path_type=Path))
@verbose_option
def init(directory: Path, *, verbose: bool) -> None:
    """Write a small complete project into DIRECTORY (new or empty): five suites of 60 or 20 units, thresholds, one model."""
    del verbose
    from evalgate.authored.keyring import DEVELOPMENT, GATE
    from evalgate.starter import write_project
    from evalgate.store.signer import make_key

    files = write_project(directory)
    make_key(directory, DEVELOPMENT, roles=(GATE,), holder="whoever has this directory")
    click.echo(f"wrote {len(files) + 1} files under {directory}")
    click.echo(
        "made a development key: keys.toml has its public half; certificates signed with it say so"
    )
    click.echo(f"next: cd {directory} && evalgate models import && evalgate gate check")
