"""`evalgate run ...`."""

from __future__ import annotations

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option


@click.group(
    cls=LazyGroup, members={"list": ("evalgate.cli.run:list_", "the runs under reports/runs")}
)
def run() -> None:
    """Runs: what models answered, kept on disk."""


@click.command("list")
@verbose_option
def list_(*, verbose: bool) -> None:
    """Every run: suite, key, model, how many answers of how many; rows are verified while counting."""
    del verbose
    from evalgate.errors import EvalgateError
    from evalgate.store import Run, read_manifest

    worst = 0
    for path in sorted((project_root() / "reports" / "runs").glob("*/*/run.json")):
        try:
            manifest = read_manifest(path.parent)
            assert manifest is not None
            landed = f"{Run(path.parent, manifest).landed}/{manifest.items}"
            click.echo(f"{manifest.suite}  {path.parent.name}  {manifest.model.name}  {landed}")
        except EvalgateError as e:
            click.echo(str(e), err=True)
            worst = max(worst, int(e.exit))
    raise click.exceptions.Exit(worst)
