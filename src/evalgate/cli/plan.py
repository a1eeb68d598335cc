"""`evalgate plan`."""

from __future__ import annotations

import math
import sys

import click

from evalgate.cli.common import project_root, refuse_one_sided, verbose_option


@click.command()
@click.option(
    "--true",
    "true_values",
    multiple=True,
    metavar="SUITE.TEST=VALUE",
    help="the true value to plan for, instead of a quarter of the error that the threshold allows",
)
@click.option("--force", is_flag=True, help="exit 0 even if the plan is hopeless")
@verbose_option
def plan(*, true_values: tuple[str, ...], force: bool, verbose: bool) -> None:
    """Per threshold: units there and needed, the best bound that an errorless model gets, power; then joint power.

    Asks nothing. Exit 1 if some threshold is out of reach or all together would pass less than half of the time.
    """
    del verbose
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from evalgate.errors import UsageError
    from evalgate.gate.planning import DISCORDANCE, HOPELESS, TARGET_POWER, joint_power, plan_rows
    from evalgate.suite import load_project

    assumed = {}
    for text in true_values:
        name, _, value = text.rpartition("=")
        try:
            assumed[name] = float(value)
        except ValueError:
            raise UsageError(
                f"found --true {text!r}, expected SUITE.TEST=VALUE such as a.recall=0.9."
            ) from None
        if not math.isfinite(assumed[name]) or not -1 < assumed[name] <= 1:
            raise UsageError(f"found --true {text!r}, expected a value in (-1, 1].")
    project = load_project(project_root())
    refuse_one_sided(project)
    rows = plan_rows(project, assumed)
    table = Table(title=None, box=None, pad_edge=False)
    for column in (
        "suite",
        "test",
        "threshold",
        "units",
        f"needed for {TARGET_POWER:g}",
        "best bound",
        "if truly",
        "power",
    ):
        table.add_column(
            column,
            justify="left" if column in ("suite", "test") else "right",
            no_wrap=True,
        )
    for row in rows:
        ((kind, target),) = row.threshold.items()
        bar = "all" if kind == "all" else f"{'>=' if kind == 'min' else '<='} {target:g}"
        table.add_row(
            escape(row.suite),
            escape(row.test),
            bar,
            str(row.units),
            "-" if row.needed is None else str(row.needed),
            "-" if row.best is None else f"{row.best:.4f}",
            "-" if math.isnan(row.assumed) else f"{row.assumed:.4f}",
            f"{row.power:.2f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for row in rows:
        if row.note and row.note != "simulated":
            click.echo(f"{row.suite} {row.test}: {row.note}")
    joint = joint_power(rows)
    click.echo(
        f"joint power {joint:.2f} (all {len(rows)} pass, if independent); alpha {project.gate.settings.alpha:g} one-sided; "
        f"margins assume {DISCORDANCE:.0%} of items differ"
    )
    hopeless = [row for row in rows if row.power == 0.0]
    if (hopeless or joint < HOPELESS) and not force:
        click.echo(
            "hopeless: a model that is good enough would mostly be refused. Add units, or lower thresholds now, before results are seen."
        )
        raise click.exceptions.Exit(1)
