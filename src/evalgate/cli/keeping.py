"""`evalgate run purge | access`: how long texts are kept, and who has looked at them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.store import KeptRun
    from evalgate.store.purge import Target


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--expired", is_flag=True, help="every run past [retention] runs_days of evalgate.toml"
)
@click.option("--reason", default="", help="why; it stays in the ledger")
@click.option("--yes", is_flag=True, help="do not ask")
@click.option(
    "--force", is_flag=True, help="also what the certificate of a promoted model rests on"
)
@verbose_option
def purge(
    runs: tuple[str, ...], *, expired: bool, reason: str, yes: bool, force: bool, verbose: bool
) -> None:
    """Delete the texts of RUNs: answers, earlier answers below them, verdicts on them, logs of their servers.

    What stays: run.json, and in the ledger the digest of every file with your reason. RUN is what 'evalgate run list' prints, or
    a model of evalgate.toml (its runs as the project is now). Without RUN and --expired, only what an earlier purge left
    unfinished is finished. With --expired, what promoted models rest on is kept and named, unless --force.
    """
    del verbose
    from evalgate.errors import UsageError
    from evalgate.store.purge import purge as run_purge
    from evalgate.store.purge import targets_of, unfinished

    root = project_root()
    asked = bool(runs) or expired
    if not asked and not unfinished(root):
        raise UsageError(
            "found no RUN, no --expired and nothing unfinished, expected one of them. 'evalgate run list' names the runs.",
            code="EG812",
        )
    targets = targets_of(root, [*_named(root, runs), *(_expired(root) if expired else ())])
    if expired and not force:
        for kept in [t for t in targets if t.rests]:
            click.echo(f"kept: {kept.run}, {', '.join(kept.rests)} rests on it (--force)", err=True)
        targets = [t for t in targets if not t.rests]
    if asked and not targets:
        click.echo("nothing to purge", err=True)
    for target in targets:
        click.echo(_told(target))
    if targets and not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "found nobody to ask, expected --yes: what is purged does not come back. Add --yes.",
                code="EG812",
            )
        click.confirm(f"Delete these texts of {len(targets)} runs for ever?", abort=True)
    for done in run_purge(root, targets, reason=reason or "-" * (not targets), force=force):
        click.echo(f"purged: {done.run}, {done.files} files (ledger entry {done.entry})")
        for name in done.left:
            click.echo(
                f"left: {name} has other content than the entry says; purge it by itself", err=True
            )


def _named(root: Path, runs: tuple[str, ...]) -> list[KeptRun]:
    """The runs that are meant; suites are loaded only where a model is named."""
    from evalgate.gate.sides import find_runs, known_suites
    from evalgate.suite import load_project
    from evalgate.suite.project import load_header

    header = load_header(root)
    found: list[KeptRun] = []
    for name in runs:
        of_model = name.partition("~")[0] in header.settings.models
        project = load_project(root) if of_model else header
        side = find_runs(project, name, known_suites(project, ()) if of_model else ())
        found += side.runs.values()
    return found


def _expired(root: Path) -> list[KeptRun]:
    from evalgate.errors import UsageError
    from evalgate.store.purge import expired
    from evalgate.suite.project import load_header

    days = load_header(root).settings.runs_days
    if days is None:
        raise UsageError(
            "found no [retention] runs_days, expected a number of days. Write it, or name the runs.",
            where="evalgate.toml",
            code="EG812",
        )
    return expired(root, days, time.time())


def _told(target: Target) -> str:
    files = len(target.texts) + len(target.logs)
    rests = f", {', '.join(target.rests)} RESTS ON IT" if target.rests else ""
    return f"{target.run}: {target.answers} answers in {files} files, {target.bytes / 1024:.0f} KiB{rests}"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@verbose_option
def access(*, as_json: bool, verbose: bool) -> None:
    """Who has looked at texts, when, with which command: reports/access.jsonl, oldest first.

    A log of honest use: who opens the files with something else is not in it.
    """
    del verbose
    import msgspec

    from evalgate.store.access import accesses

    found, damaged = accesses(project_root())
    for one in found:
        if as_json:
            click.echo(msgspec.json.encode(one).decode())
        else:
            click.echo(f"{one.at}  {one.account:<12}  {one.command:<14}  {' '.join(one.what)}")
    if damaged:
        click.echo(f"{damaged} lines cannot be read: somebody edited the log", err=True)
    if not found and not damaged:
        click.echo("nobody has looked at texts with evalgate's commands", err=True)
