"""Experiments on the command line: kept by `gate train`, listed and shown by `evalgate run`. Ids and numbers only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from evalgate.report.experiment import Differences
    from evalgate.store.experiments import Kept


class Keeper:
    """Keeps one experiment: as soon as it is trained, and once more when its check has ended."""

    def __init__(self, root: Path, kept: Kept) -> None:
        """Writes the record, not checked yet. Raises InfrastructureError (EG950)."""
        from evalgate.store.experiments import keep

        self._root, self._kept = root, kept
        keep(root, kept)

    def unchecked(self, why: str) -> None:
        """There is no check, and `why`."""
        import msgspec

        self._keep(msgspec.structs.replace(self._kept.experiment, why=why))

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Around the check: its exit code or error goes on as it is. An interrupted one leaves the experiment not checked."""
        from evalgate.errors import EvalgateError

        before, began = self._latest(), time.time()
        try:
            yield
        except click.exceptions.Exit:
            self._ended(before, began, "")
            raise
        except EvalgateError as e:
            self._ended(before, began, f"no decision, exit {int(e.exit)} {e.code or ''}".strip())
            raise

    def _latest(self) -> str | None:
        from evalgate.errors import UsageError
        from evalgate.gate.record import find

        try:
            return find(self._root, self._kept.experiment.name).stem
        except UsageError:
            return None

    def _ended(self, before: str | None, began: float, why: str) -> None:
        from evalgate.errors import EvalgateError
        from evalgate.release.experiments import Window, checked

        window = Window(began, time.time())
        latest = self._latest()
        stem = latest if latest != before and not why else None
        try:
            after = checked(self._root, self._kept, stem, why or "no decision was kept", window)
        except EvalgateError as e:
            _say_lost(e)
        else:
            self._keep(after.experiment)

    def _keep(self, experiment: Any) -> None:
        """Writes record and page, and tells cost and interference. What goes wrong here does not change a check's exit code."""
        import msgspec

        from evalgate.errors import EvalgateError
        from evalgate.release.experiments import write_experiment
        from evalgate.report.experiment import cost
        from evalgate.report.interference import sentences
        from evalgate.store.experiments import FOLDER
        from evalgate.suite import load_project

        kept = msgspec.structs.replace(self._kept, experiment=experiment)
        try:
            beside = write_experiment(load_project(self._root), kept)
        except EvalgateError as e:
            _say_lost(e)
            return
        if beside:
            names = ", ".join(f"{a.model} ({a.role})" for a in beside.against)
            click.echo(f"interference: {experiment.name} beside {names}")
            for sentence in sentences(beside):
                click.echo(f"  {sentence}")
        click.echo(f"cost: {cost(experiment)}")
        click.echo(f"experiment: {FOLDER}/{kept.stem}.json, .html")


def _say_lost(e: Exception) -> None:
    click.echo(f"the experiment was not kept in full: {e}", err=True)


def list_experiments(root: Path, *, as_json: bool) -> int:
    """Prints the experiments with their ladder; the exit code: 5 if one of them is not what was written."""
    from evalgate.errors import Exit
    from evalgate.release.experiments import log
    from evalgate.report.experiment import log_json, log_text
    from evalgate.suite import load_project

    found = log(load_project(root))
    if as_json:
        click.echo(json.dumps(log_json(found)))
    else:
        click.echo(log_text(found), nl=False)
        for problem in found.broken:
            click.echo(problem, err=True)
    return int(Exit.INTEGRITY) if found.broken else 0


def show_experiment(root: Path, name: str, *, as_json: bool) -> None:
    """Prints one experiment. Raises UsageError (EG953, EG954), IntegrityError (EG951, EG952; its decision)."""
    from evalgate.errors import IntegrityError
    from evalgate.release.experiments import log
    from evalgate.report.experiment import logged_json, logged_text
    from evalgate.store.experiments import find
    from evalgate.suite import load_project

    stem = find(root, name).stem
    found = log(load_project(root))
    one = next((one for one in found.logged if one.kept.stem == stem), None)
    if one is None:
        raise IntegrityError("; ".join(found.broken))
    if as_json:
        click.echo(json.dumps(logged_json(one)))
    else:
        click.echo(logged_text(one, found.alpha), nl=False)


def differing(root: Path, reference: str, others: Sequence[str]) -> list[Differences]:
    """What the experiment `reference` and each of `others` differ in, where both sides are candidates with an experiment.

    Raises IntegrityError (EG951, EG952).
    """
    from evalgate.report.experiment import differences
    from evalgate.store.experiments import of_candidate

    first = of_candidate(root, reference)
    if first is None:
        return []
    found = (of_candidate(root, name) for name in others)
    return [differences(first, other) for other in found if other]
