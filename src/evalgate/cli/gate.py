"""`evalgate gate ...`: everything that can move a model towards production begins here."""

from __future__ import annotations

import sys

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option


@click.group(
    cls=LazyGroup,
    members={"check": ("evalgate.cli.gate:check", "run the suites against a model and decide")},
)
def gate() -> None:
    """The gate. It refuses unless every threshold is met with statistical confidence."""


@click.command()
@click.argument("model", required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="print the decision object, and nothing else, on stdout"
)
@click.option("--fresh", is_flag=True, help="ask everything again; earlier answers are set aside")
@verbose_option
def check(model: str | None, *, as_json: bool, fresh: bool, verbose: bool) -> None:
    """Ask MODEL what no run knows yet, score every suite, decide.

    MODEL is a name in evalgate.toml (default: [default] candidate) or the path of a .gguf file. Exit codes: 0 open,
    1 closed, 2 usage, 3 undecided, 4 infrastructure (retry is sensible, the run resumes), 5 integrity.
    """
    from evalgate.gate.check import check as run_check
    from evalgate.gate.evidence import now
    from evalgate.gate.record import record
    from evalgate.suite.project import load_header

    root = project_root()
    project = load_header(root)
    name, _ = project.model(model)
    log = root / "reports" / "logs" / "check.log"
    decision, evidence = run_check(project, name, fresh=fresh, log=log)
    evidence = evidence or now()
    page = record(decision, root, evidence)
    if as_json:
        import json

        from evalgate.report.json import to_json

        click.echo(json.dumps(to_json(decision)))
    else:
        from evalgate.report.terminal import print_decision

        print_decision(decision, evidence, file=sys.stdout, report=page, verbose=verbose)
        click.echo(f"decision: {decision.decision} (exit {decision.exit})")
    raise click.exceptions.Exit(decision.exit)
