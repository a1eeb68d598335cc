"""`evalgate gate train`: evals before training, licences and data before the first step."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from evalgate.cli.common import project_root, verbose_option
from evalgate.cli.promote import tell_checks


@click.command()
@click.argument("recipe", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--admit-only", is_flag=True, help="say whether it may be trained, and stop there")
@click.option(
    "--restart", is_flag=True, help="throw away an unfinished training of this output first"
)
@click.option("--no-check", is_flag=True, help="do not check the candidate when it is trained")
@verbose_option
@click.pass_context
def train(
    ctx: click.Context,
    recipe: Path,
    *,
    admit_only: bool,
    restart: bool,
    no_check: bool,
    verbose: bool,
) -> None:
    """Train what RECIPE (trainers/NAME.toml) says, if it may be trained; then check the candidate. Nothing is promoted.

    Refused (exit 1) without a locked plan for every task of the mixture, a licence that allows it, terms that allow it, and
    data free of gold and of people; every reason is told. Exit codes then: those of the check; 2 for a recipe or base
    that cannot be trained, 4 for memory, disk or a trainer that died (the next start resumes), 5 for data that changed.
    """
    from evalgate.release.admission import code_of
    from evalgate.release.training import recipe_of, train
    from evalgate.release.training_admission import admit
    from evalgate.suite import load_project

    root = project_root()
    project = load_project(root)
    wanted = recipe_of(root, Path.cwd() / recipe)
    checks, admitted = admit(project, wanted)
    tell_checks(checks)
    if admitted is None:
        click.echo(f"refused: {wanted.path} is not trained")
        raise click.exceptions.Exit(code_of(checks))
    if admit_only:
        click.echo(f"admitted: {wanted.path} may be trained")
        return
    done = train(project, wanted, admitted, restart=restart, progress=_Told())
    losses = ", ".join(f"{name} {value:.4f}" for name, value in sorted(done.losses.items()))
    click.echo(f"trained: {done.path} ({done.digest[:19]}) in {done.seconds:.0f} s; {losses}")
    from evalgate.cli.experiments import Keeper
    from evalgate.release.experiments import trained

    keeper = Keeper(root, trained(root, wanted, admitted, done))
    if no_check:
        keeper.unchecked("--no-check")
        return
    from evalgate.cli.gate import check

    with keeper.checking():  # whatever its exit code, it stays
        ctx.invoke(
            check,
            model=done.name,
            as_json=False,
            copy=None,
            fresh=False,
            sealed=False,
            verbose=verbose,
        )


class _Told:
    """Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._last = -1

    def __call__(self, step: int, of: int, logged: Mapping[str, Any]) -> None:
        loss = logged.get("loss")
        if loss is None or step == self._last:
            return
        tty = sys.stderr.isatty()
        if tty or step == of or step % max(1, of // 20) == 0:
            self._last = step
            end = "\r" if tty and step < of else "\n"
            sys.stderr.write(f"step {step}/{of}, loss {loss:.4f}{end}")
            sys.stderr.flush()
