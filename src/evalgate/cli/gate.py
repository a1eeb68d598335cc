"""`evalgate gate ...`: everything that can move a model towards production begins here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root

if TYPE_CHECKING:
    from evalgate.records import Decision, Evidence


@click.group(
    cls=LazyGroup,
    members={
        "approve": ("evalgate.cli.promote:approve", "sign off a certificate in a role"),
        "check": ("evalgate.cli.gate:check", "run the suites against a model and decide"),
        "promote": (
            "evalgate.cli.promote:promote",
            "move an alias to a model that may be released",
        ),
        "switch": (
            "evalgate.cli.switch:switch",
            "may another base model take the place of the one in production?",
        ),
        "train": (
            "evalgate.cli.train:train",
            "train a candidate, if plan, licence and data allow it",
        ),
        "waive": ("evalgate.cli.promote:waive", "ask that a finding be waived, or grant it"),
    },
)
def gate() -> None:
    """The gate. It refuses unless every threshold is met with statistical confidence."""


@click.command()
@click.argument("model", required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="print the decision object, and nothing else, on stdout"
)
@click.option(
    "--copy",
    type=click.Path(file_okay=False, path_type=Path),
    help="a directory that gets the decision's files, too, as decision.json, .html and so on",
)
@click.option("--fresh", is_flag=True, help="ask everything again; earlier answers are set aside")
@click.option(
    "--sealed", is_flag=True, help="ask about the sealed sets: one attempt, and one bit of answer"
)
@click.option(
    "-v", "--verbose", is_flag=True, help="say more: worst items, tracebacks of internal errors"
)
def check(
    model: str | None,
    *,
    as_json: bool,
    copy: Path | None,
    fresh: bool,
    sealed: bool,
    verbose: bool,
) -> None:
    """Ask MODEL what no run knows yet, score every suite, decide.

    MODEL is a name in evalgate.toml (default: [default] candidate) or the path of a .gguf file. Exit codes: 0 open,
    1 closed, 2 usage, 3 undecided, 4 infrastructure (retry is sensible, the run resumes), 5 integrity.
    """
    if sealed:
        from evalgate.cli.sealed import check_sealed

        check_sealed(
            model, as_json=as_json, unfit=[*(["--copy"] * bool(copy)), *(["--fresh"] * fresh)]
        )
    from evalgate.errors import InfrastructureError
    from evalgate.gate.whole import WholeCheck
    from evalgate.suite.project import load_header

    project = load_header(project_root())
    name, _ = project.model(model)
    whole = WholeCheck(project, name, fresh=fresh, copy=copy)
    decision = whole.decision
    try:
        _tell(decision, whole.evidence, whole.page, as_json=as_json, verbose=verbose)
    except (
        BrokenPipeError,
        SystemExit,
    ):  # rich's form of it. The reader had enough; the decision stands
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as e:
        whole.withdraw()
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the decision there. Free some space.",
            where="stdout",
            code="EG501",
        ) from None
    raise click.exceptions.Exit(decision.exit)


def _tell(
    decision: Decision, evidence: Evidence, page: Path, *, as_json: bool, verbose: bool
) -> None:
    if as_json:
        import json

        from evalgate.report.json import to_json

        click.echo(json.dumps(to_json(decision)))
        return
    from evalgate.report.terminal import print_decision

    print_decision(decision, evidence, file=sys.stdout, report=page, verbose=verbose)
    click.echo(f"decision: {decision.decision} (exit {decision.exit})")
