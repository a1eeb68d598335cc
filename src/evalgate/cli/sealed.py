"""Sealed gold sets on the command line: `gold seal`, `gold open`, and what `gate check --sealed` may say."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey


def check_sealed(model: str | None, *, as_json: bool, unfit: Sequence[str] = ()) -> NoReturn:
    """Asks about the sealed sets, prints one bit, and ends with it. `unfit`: options that were given and do not fit."""
    from evalgate.crypto.seal import SealKey
    from evalgate.errors import Refused, UsageError
    from evalgate.gate.sealed import Unfinished, redacted
    from evalgate.gate.sealed import check_sealed as check
    from evalgate.store.ledger import Ledger
    from evalgate.store.signer import gate_signer, keyring_of
    from evalgate.suite.project import load_header

    if unfit:
        raise UsageError(
            f"found {' and '.join(unfit)} beside --sealed, expected neither: nothing of a sealed check is kept in the clear, "
            "and asking again would be another draw. Leave it out.",
            code="EG765",
        )
    root = project_root()
    project = load_header(root)
    name, _ = project.model(model)
    key = SealKey.at_hand()
    signer = gate_signer(root, keyring_of(root))
    ledger = Ledger(root, keyring_of(root))
    ledger.check_clock()
    try:
        found = check(project, name, key=key, ledger=ledger, signer=signer)
    except (Refused, Unfinished) as e:
        if as_json:
            click.echo(json.dumps(redacted(e.exit)))
        sys.stderr.write(f"{e}\n")
        raise click.exceptions.Exit(e.exit) from None
    most = project.gate.settings.attempts
    of = f" of {most}" if project.gate.settings.attempt_spending == "flat" else ""
    told = "was decided before: nothing was asked" if found.stored else "is over"
    if found.waits:
        told = f"waits for labels, nothing is decided: evalgate gold open {found.bundle}"
    sys.stderr.write(f"attempt {max(found.attempts.values())}{of} on the sealed sets {told}\n")
    if as_json:
        click.echo(json.dumps(found.to_json()))
    else:
        click.echo(f"decision: {found.to_json()['decision']} (exit {int(found.exit)})")
    raise click.exceptions.Exit(found.exit)


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(dir_okay=False, path_type=Path),
    help="the plain gold set, its card beside it (default: goldsets/NAME.sealed.jsonl)",
)
@click.option(
    "--new-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="make a key in this new file first, outside the project",
)
@verbose_option
def seal(name: str, *, source: Path | None, new_key: Path | None, verbose: bool) -> None:
    """Encrypt a gold set for the gate: goldsets/NAME.sealed, with a card that tells counts and digests.

    NAME is the dev set's. The set is checked first as by `gold check`, and must share no unit and no text with the dev
    set, nor with the sealed version before it. The plain file stays where it is: move it out of the project.
    """
    del verbose
    from evalgate.authored.problems import count, relative
    from evalgate.crypto.seal import VARIABLE, SealKey
    from evalgate.errors import UsageError
    from evalgate.store.attempts import spending
    from evalgate.suite import load_project
    from evalgate.suite.sealing import seal_gold

    root = project_root()
    project = load_project(root)
    key = SealKey.generate() if new_key else SealKey.at_hand()
    opener = SealKey.at_hand() if not new_key or os.environ.get(VARIABLE) else None
    if new_key:
        if new_key.absolute().is_relative_to(root.absolute()):
            raise UsageError(
                "found a place inside the project, expected one that only the gate's account reads. Choose another.",
                where=new_key.as_posix(),
                code="EG753",
            )
        key.write(new_key)
    plain = source or root / "goldsets" / f"{name}.sealed.jsonl"
    try:
        found = seal_gold(
            project, name, plain, key, opener=opener, alpha=spending(project.gate.settings, 1)
        )
    except BaseException:
        if new_key:
            new_key.unlink()  # nothing was sealed under it
        raise
    shown = relative(found.path, root)
    counts = f"{count(found.contents.items, 'item')}, {count(found.contents.units, 'unit')}"
    click.echo(f"{shown}: {counts}, version {found.card.version}, sealed under {key.id}")
    if found.replaced:
        click.echo(f"it takes the place of version {found.replaced}, whose attempts are over")
    if new_key:
        click.echo(
            f"{new_key}: the key; give it to the gate's account alone, and keep a copy apart"
        )
    click.echo(
        f"next: move {relative(plain, root)} out of the project, commit {shown} and {shown}.toml"
    )


@click.command("open")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="where a set's plain text goes"
)
@click.option("--json", "as_json", is_flag=True, help="print a bundle's full decision object")
@verbose_option
def open_(path: Path, *, out: Path | None, as_json: bool, verbose: bool) -> None:
    """Open what only holders of the seal key may read: an evidence bundle of a sealed check, or a sealed set (--out).

    Of a bundle it prints the decision with every finding, and which metrics are better on dev items than chance explains.
    """
    from evalgate.crypto.seal import SealKey, read_header
    from evalgate.errors import UsageError
    from evalgate.gate.sealed_bundle import KIND, open_bundle

    key = SealKey.at_hand()
    header, _ = read_header(path.read_bytes(), where=path.as_posix())
    if (header.kind == KIND) == (out is not None):
        raise UsageError(
            f"found {'--out' if out else 'no --out'} with {header.kind}, expected it with a gold set and only there.",
            where=path.as_posix(),
            code="EG767",
        )
    if out is not None:
        _open_set(path, key, out)
        return
    bundle = open_bundle(path, key)
    if as_json:
        from evalgate.report.json import to_json

        click.echo(json.dumps(to_json(bundle.decision)))
        return
    from evalgate.report.terminal import print_decision

    print_decision(bundle.decision, bundle.evidence, file=sys.stdout, verbose=verbose)
    for suite, number in bundle.attempts.items():
        one = bundle.question.sealed[suite]
        click.echo(f"{suite}: attempt {number} on version {one.version} of the sealed set")
    if not bundle.overfit_against:
        click.echo("overfit: no dev decision about the same model to compare with")
    elif bundle.overfit:
        click.echo(f"overfit? better on dev items ({bundle.overfit_against}) than chance explains:")
        for found in bundle.overfit:
            click.echo(f"  {found}")
    else:
        click.echo(f"overfit: no metric is better on dev items ({bundle.overfit_against})")
    click.echo(f"decision: {bundle.decision.decision} (exit {bundle.decision.exit})")


def _open_set(path: Path, key: SealKey, out: Path) -> None:
    """Writes the plain text of a sealed set, readable by its owner only, never over a file."""
    from evalgate.authored.sealed import KIND
    from evalgate.crypto.seal import unwritable
    from evalgate.errors import UsageError
    from evalgate.files import write_new

    text = key.open(path.read_bytes(), kind=KIND, name=path.stem, where=path.as_posix())
    try:
        write_new(out, text)
    except FileExistsError:
        raise UsageError(
            "found a file there already, expected none. Choose another name.",
            where=out.as_posix(),
            code="EG767",
        ) from None
    except OSError as e:
        raise unwritable(out, e) from None
    click.echo(f"{out}: the set in the clear. Whoever has read it has used it up: seal fresh items")
