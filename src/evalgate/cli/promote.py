"""`evalgate gate promote | approve | waive`: the way from an open decision to production."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalgate.release.admission import Check

_MARKS = {"holds": "✓", "fails": "✗", "not checked": "–"}

key_option = click.option(
    "--key", metavar="NAME", help="the key of keys.toml to sign with (default: the one at hand)"
)


def tell_checks(checks: Iterable[Check]) -> None:
    """Prints one line for each check."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    styles = {"holds": "green", "fails": "bold red", "not checked": "yellow"}

    for check in checks:
        style = "bold red" if "WAIVED" in check.detail else styles[check.outcome]
        detail = check.detail if check.outcome != "not checked" else f"not checked: {check.detail}"
        table.add_row(
            Text(_MARKS[check.outcome], style=style),
            check.what,
            Text(detail, style=style if style == "bold red" else ""),
        )
    console = Console()
    console = console if console.is_terminal else Console(width=200)
    with console.capture() as printed:
        console.print(table)
    for line in (
        printed.get().splitlines()
    ):  # not by rich, which ends the process where the reader went away
        click.echo(line.rstrip())


@click.command()
@click.argument("model")
@click.option("--to", "alias", default="production", show_default=True, help="the alias to move")
@verbose_option
def promote(model: str, alias: str, *, verbose: bool) -> None:
    """Move an alias to MODEL, if its latest certificate is open and everything that it speaks of still holds.

    Looked at: signature and ledger, validity, every byte of the model, the plan as the project stands, the sign-offs that
    gate.toml asks for, waivers. Exit 0 promoted, 1 refused, 3 something is missing that people can supply, 5 integrity.
    """
    del verbose
    from evalgate.release.promote import promote as move

    done = move(project_root(), model, alias)
    tell_checks(done.checks)
    for note in done.notes:
        red = note.startswith(("WAIVED", "WEAKENED", "no locked plan"))
        click.secho(f"note  {note}", fg="red" if red else None)
    if done.exit:
        click.echo(f"refused: {alias} stays where it is (exit {done.exit})")
        raise click.exceptions.Exit(done.exit)
    click.echo(f"{done.how}: {alias} -> {model} (ledger entry {done.seq})")


@click.command()
@click.argument("model")
@click.option("--role", required=True, help="one of gate.toml's sign_off")
@click.option("--comment", default="", help="words that stay in the ledger")
@key_option
@verbose_option
def approve(model: str, role: str, comment: str, key: str | None, *, verbose: bool) -> None:
    """Sign off the latest certificate of MODEL in a role, with a key that keys.toml gives this role.

    Who runs the gate cannot sign, and nobody signs in two roles.
    """
    del verbose
    from evalgate.release.people import approve as sign

    entry = sign(project_root(), model, role, name=key, comment=comment)
    click.echo(f"signed: {model} as {role} by {entry.by} (ledger entry {entry.seq})")


@click.command()
@click.argument("model", required=False)
@click.argument("suite", required=False)
@click.argument("test", required=False)
@click.option("--reason", default="", help="why; it is printed wherever the waiver counts")
@click.option("--until", default="", metavar="TIME", help="UTC, such as 2027-01-31T00:00:00Z")
@click.option(
    "--grant",
    type=int,
    metavar="N",
    help="grant request N instead, with a key of the role 'waiver'",
)
@key_option
@verbose_option
def waive(
    model: str | None,
    suite: str | None,
    test: str | None,
    *,
    reason: str,
    until: str,
    grant: int | None,
    key: str | None,
    verbose: bool,
) -> None:
    """Ask that the finding of SUITE and TEST be waived for MODEL's latest certificate, or grant such a request.

    Two people are needed. A must-pass row, a bypass and a breach of integrity are never waived.
    """
    del verbose
    from evalgate.release.people import grant_waiver, request_waiver

    if grant is not None:
        entry = grant_waiver(project_root(), grant, name=key)
        body = entry.body
        click.secho(
            f"WAIVED: {body['suite']} {body['test']} until {body['until']}, granted by {entry.by} (ledger entry {entry.seq})",
            fg="red",
        )
        return
    if not (model and suite and test):
        raise click.UsageError(
            "found no MODEL SUITE TEST and no --grant N, expected one of the two."
        )
    entry = request_waiver(project_root(), model, suite, test, reason=reason, until=until, name=key)
    click.echo(
        f"asked: request {entry.seq} by {entry.by}. Another person grants it: evalgate gate waive --grant {entry.seq}"
    )
