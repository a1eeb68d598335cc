"""`evalgate gate switch`: another base model, when and only when the evidence says so."""

from __future__ import annotations

import json

import click

from evalgate.cli.common import project_root, verbose_option


@click.command()
@click.argument("challenger", metavar="MODEL")
@click.option("--from", "incumbent", metavar="MODEL", help="whose place is to be taken: what was promoted last, else the baseline")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print the record as one JSON object")
@verbose_option
def switch(challenger: str, incumbent: str | None, *, as_json: bool, verbose: bool) -> None:
    """Whether MODEL may take the place of the model in production, by [gate.switch] of gate.toml and every threshold.

    It is checked whole, then compared with the incumbent on the same items: no row may be worse than its margin, and one
    of the rows where it is claimed to be better must be. The answer goes into the ledger, whatever it is, and moves nothing.
    Exit codes: 0 switch, 1 no switch, 2 usage, 3 undecided, 4 infrastructure, 5 integrity.
    """
    del verbose
    import msgspec

    from evalgate.release.switch import switch as decide
    from evalgate.report.switch import switch_text

    found = decide(project_root(), challenger, incumbent)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
    else:
        click.echo(switch_text(found).rstrip("\n"))
        click.echo(f"decision: {found.decision} (exit {found.exit})")
    raise click.exceptions.Exit(found.exit)
