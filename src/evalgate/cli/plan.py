"""`evalgate plan`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from evalgate.cli.common import project_root, refuse_one_sided, verbose_option

if TYPE_CHECKING:
    from evalgate.gate.planning import PlanRow
    from evalgate.suite import Project


@click.command()
@click.option(
    "--true",
    "true_values",
    multiple=True,
    metavar="SUITE.TEST=VALUE",
    help="the true value to plan for, instead of a quarter of the error that the threshold allows",
)
@click.option("--force", is_flag=True, help="exit 0 even if the plan is hopeless")
@click.option(
    "--lock",
    is_flag=True,
    help="sign the plan into the ledger, before any model is seen; a hopeless one is refused",
)
@click.option(
    "--reason",
    default="",
    metavar="TEXT",
    help="why it asks for less than the plan locked before; stays in the ledger and in every report",
)
@click.option(
    "--approve",
    is_flag=True,
    help="with a key of the role 'suites': sign that you have read the code of the locked plan",
)
@click.option("--key", metavar="NAME", help="the key of keys.toml to approve with")
@click.option("--comment", default="", metavar="TEXT", help="a word of whoever approves")
@verbose_option
def plan(
    *,
    true_values: tuple[str, ...],
    force: bool,
    lock: bool,
    reason: str,
    approve: bool,
    key: str | None,
    comment: str,
    verbose: bool,
) -> None:
    """Per threshold: units there and needed, the best bound that an errorless model gets, power; then joint power.

    Asks nothing, and says whether this is the locked plan. Exit 1 if some threshold is out of reach, all together would pass
    less than half of the time, or --lock would weaken the locked plan without a reason.
    """
    del verbose
    from evalgate.errors import UsageError
    from evalgate.gate.label_bill import sealed_lines
    from evalgate.gate.planning import DISCORDANCE, HOPELESS, joint_power, plan_rows
    from evalgate.suite import load_project

    if reason and not lock:
        raise UsageError("found --reason without --lock, expected both or none. Add --lock.")
    if (key or comment) and not approve:
        raise UsageError(
            "found --key or --comment without --approve, expected it with them. Add --approve."
        )
    if approve:
        if lock or true_values or force:
            raise UsageError(
                "found --approve beside another option, expected it with --key and --comment alone. Run them one by one."
            )
        _approve(key, comment)
        return
    assumed = _assumed(true_values)
    project = load_project(project_root())
    refuse_one_sided(project)
    rows = plan_rows(project, assumed)
    _show_rows(rows)
    for row in rows:
        if row.note and row.note != "simulated":
            click.echo(f"{row.suite} {row.test}: {row.note}")
    joint = joint_power(rows)
    click.echo(
        f"joint power {joint:.2f} (all {len(rows)} pass, if independent); alpha {project.gate.settings.alpha:g} one-sided; "
        f"margins assume {DISCORDANCE:.0%} of items differ"
    )
    for line in sealed_lines(project, rows):
        click.echo(line)
    _show_lock(project, locking=lock)
    hopeless = [row for row in rows if row.power == 0.0]
    if (hopeless or joint < HOPELESS) and not force:
        click.echo(
            "hopeless: a model that is good enough would mostly be refused. Add units, or lower thresholds now, before results are seen."
        )
        raise click.exceptions.Exit(1)
    if lock:
        _lock(project, reason)


def _approve(key: str | None, comment: str) -> None:
    """Loads no suite: what is to be approved must not run beside the approver's key."""
    from evalgate.gate.approval import approve_plan

    lock, entry = approve_plan(project_root(), name=key, comment=comment)
    for name, value in sorted(lock.plan.files.items()):
        click.echo(f"  {value[:19]}  {name}")
    click.echo(
        f"approved by {entry.body['holder']}: the code of the plan {lock.digest[:19]} (ledger entry {entry.seq} of {entry.at[:10]})"
    )


def _assumed(true_values: Iterable[str]) -> dict[str, float]:
    """The true values to plan for, by SUITE.TEST. Raises UsageError."""
    from evalgate.errors import UsageError

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
    return assumed


def _show_rows(rows: Iterable[PlanRow]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from evalgate.gate.planning import TARGET_POWER

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


def _show_lock(project: Project, *, locking: bool) -> None:
    """Whether the files are the locked plan, and every difference on a line of its own."""
    from evalgate.gate.locked import differences
    from evalgate.gate.plan import judge_of, lockable, locks, weakened

    found = locks(project.root)
    if not found:
        if not locking:
            click.echo(
                "not locked: no plan was ever locked; evalgate plan --lock, before a model is asked"
            )
        return
    last = found[-1]
    changes = differences(last.plan, lockable(project, judge_of(project)))
    which = "not the locked plan" if changes else "the locked plan"
    click.echo(f"{which} (ledger entry {last.seq} of {last.at[:10]}){':' if changes else ''}")
    for change in changes:
        mark = "  asks for less" if change.weaker else ""
        click.secho(f"  {change}{mark}", fg="red" if change.weaker else None)
    for line in weakened(found):
        click.secho(f"the locked plan was weakened: {line}", fg="red")


def _lock(project: Project, reason: str) -> None:
    from evalgate.gate.plan import after, judge_of, lock_plan

    done = lock_plan(project, judge_of(project), reason)
    seen = f", {after(done.after)}" if done.after else ""
    click.echo(f"locked: {done.digest} (ledger entry {done.seq} of {done.at[:10]}{seen})")
