"""`evalgate gold ...`."""

from __future__ import annotations

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, refuse_one_sided, verbose_option


@click.group(
    cls=LazyGroup,
    members={
        "check": (
            "evalgate.cli.gold:check",
            "check gold sets with cards, gate.toml and suites together",
        )
    },
)
def gold() -> None:
    """Gold sets: questions with right answers."""


@click.command()
@verbose_option
def check(*, verbose: bool) -> None:
    """Load everything that decides and print every problem of every file; asks nothing."""
    del verbose
    from evalgate.suite import load_project

    project = load_project(project_root())
    refuse_one_sided(project)
    for name, loaded in project.suites.items():
        card = loaded.card
        origin = "synthetic" if card is not None and card.synthetic else "not generated"
        click.echo(
            f"{name}: {len(loaded.gold)} items, {loaded.gold.units} units, {origin}, {loaded.gold.digest[:19]}"
        )
        for tag in sorted(loaded.gold.tags):
            click.echo(
                f"  {tag}: {loaded.gold.items_with_tag(tag)} items, {loaded.gold.units_with_tag(tag)} units"
            )
