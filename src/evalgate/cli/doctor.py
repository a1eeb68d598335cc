"""`evalgate doctor`: is everything there that the project names, and is anything due? It looks, and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.suite import Project

_TRAINING = ("torch", "transformers", "peft", "trl", "evalgate-release")
_KEY_DAYS = 365


class _Look(NamedTuple):
    """One thing looked at: whether all is well, and what was seen."""

    well: bool
    what: str
    seen: str


@click.command()
@verbose_option
def doctor(*, verbose: bool) -> None:
    """What the project names and whether it is there; what is due: the choice of the base, keys, texts past their time.

    Exit codes: 0 with notes, whatever they say; 2 if the project cannot be loaded.
    """
    del verbose
    from evalgate.errors import EvalgateError
    from evalgate.suite import load_project

    project = load_project(project_root())
    notes = 0
    for look in (_artifacts, _servers, _training, _keys, _ledger, _retention, _reselection):
        try:
            found = list(look(project))
        except EvalgateError as e:
            found = [_Look(False, look.__name__.removeprefix("_"), str(e))]
        for one in found:
            notes += not one.well
            click.echo(f"{'ok  ' if one.well else 'note'}  {one.what}: {one.seen}")
    click.echo(f"{notes} notes" if notes != 1 else "1 note")


def _artifacts(project: Project) -> Iterator[_Look]:
    for name, spec in sorted(project.settings.models.items()):
        if spec.artifact is None:
            yield _Look(True, name, f"endpoint {spec.url}, identity unverified")
            continue
        wanted = [path for path in (spec.artifact, spec.base) if path]
        missing = [path for path in wanted if not (project.root / path).exists()]
        yield _Look(not missing, name, f"missing: {', '.join(missing)}" if missing else spec.artifact)  # fmt: skip


def _servers(project: Project) -> Iterator[_Look]:
    """Every server that evalgate starts, with the versions that would serve."""
    from evalgate.errors import EvalgateError
    from evalgate.models import hosted, llamacpp

    specs = project.settings.models.values()
    for server, python in sorted({(spec.server, spec.python) for spec in specs}, key=str):
        if server == "endpoint":
            continue
        try:
            if server == "llamacpp":
                found = llamacpp.version()
            else:
                found = hosted.version(server, hosted.interpreter(python, project.root))
            yield _Look(True, f"server {server}", found)
        except EvalgateError as e:
            yield _Look(False, f"server {server}", e.message)


def _training(project: Project) -> Iterator[_Look]:
    from evalgate.models.process import cleaned_environment

    python = project.settings.trainer_python or sys.executable
    code = "import sys; from importlib import metadata as m; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
    argv = [python, "-P", "-c", code, *_TRAINING]
    environment = cleaned_environment(os.environ)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)  # noqa: S603 (evalgate.toml is trusted)
    except (OSError, subprocess.CalledProcessError):
        where = "[training] python" if project.settings.trainer_python else "evalgate's own Python"
        yield _Look(False, "training", f"none: {where} does not have all of {', '.join(_TRAINING)}")
    else:
        yield _Look(True, "training", done.stdout.strip())


def _keys(project: Project) -> Iterator[_Look]:
    from evalgate.store.ledger import seconds_of, stamp
    from evalgate.store.signer import at_hand, keyring_of

    keyring = keyring_of(project.root)
    near = at_hand(project.root, keyring)
    now = stamp()
    for key in keyring.keys.values():
        if not key.counts_at(now):
            continue
        days = int((time.time() - seconds_of(key.since)) / 86_400) if key.since else 0
        old = f"; {days} days old, rotate it: evalgate keys rotate {key.name}" if days > _KEY_DAYS else ""  # fmt: skip
        grade = f", {key.grade} grade" if key.grade else ""
        here = "here" if key.name in near else "elsewhere"
        yield _Look(not old, f"key {key.name}", f"{', '.join(key.roles)}{grade}, private half {here}{old}")  # fmt: skip
    if not keyring.keys:
        yield _Look(False, "keys", "none; the first check makes one of development grade")


def _ledger(project: Project) -> Iterator[_Look]:
    from evalgate.store.ledger_check import check_ledger
    from evalgate.store.signer import keyring_of

    report = check_ledger(project.root, keyring_of(project.root))
    wrong = "; ".join(filter(None, (report.integrity, report.completeness)))
    told = "; ".join([f"{report.entries} entries verified", *report.notes])
    yield _Look(report.sound, "ledger", f"NOT SOUND: {wrong}" if wrong else told)


def _retention(project: Project) -> Iterator[_Look]:
    from evalgate.store.purge import expired

    days = project.settings.runs_days
    if days is None:
        yield _Look(False, "retention", "no [retention] runs_days: texts of runs stay for ever")
        return
    past = len(expired(project.root, days, time.time()))
    due = f"{past} runs past {days} days: evalgate run purge --expired"
    yield _Look(not past, "retention", due if past else f"no run past {days} days")


def _reselection(project: Project) -> Iterator[_Look]:
    from evalgate.release.reselection import reselection

    found = reselection(project.root)
    due = f"due, {found.why}. Then: evalgate models shortlist, evalgate models curve"
    yield _Look(not found.due and found.last is not None, "choice of the base", due if found.due else found.why)  # fmt: skip
