"""`evalgate keys ...`: whose signatures count."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.authored.keyring import Key


@click.group(
    cls=LazyGroup,
    members={
        "init": ("evalgate.cli.keys:init", "make a key and enter it in keys.toml"),
        "revoke": ("evalgate.cli.keys:revoke", "from now on, a key's signatures count for nothing"),
        "rotate": ("evalgate.cli.keys:rotate", "replace a key by a new one with the same roles"),
        "show": ("evalgate.cli.keys:show", "the keys of keys.toml, and which are at hand"),
    },
)
def keys() -> None:
    """Keys. Public halves stand in keys.toml, which git keeps; private halves lie with their holders."""


out_option = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="a file outside of the project for the private half (default: .evalgate/, development grade)",
)


@click.command()
@click.argument("name", default="development")
@click.option(
    "--role",
    "roles",
    multiple=True,
    help="gate, waiver, or one of gate.toml's sign_off (default: gate)",
)
@click.option(
    "--holder",
    default="",
    help="who holds it; one person may not sign twice (default: the account's name)",
)
@out_option
@verbose_option
def init(
    name: str, roles: tuple[str, ...], holder: str, out: Path | None, *, verbose: bool
) -> None:
    """Make a key NAME, and enter its public half in keys.toml."""
    del verbose
    from evalgate.authored.keyring import GATE
    from evalgate.store.signer import make_key

    root = project_root()
    key = make_key(root, name, roles=roles or (GATE,), holder=holder or _account(), out=out)
    _enter(root, "added", key, "")
    click.echo(f"made {name} {key.id}, roles {', '.join(key.roles)}, held by {key.holder}")
    place = out.as_posix() if out else f".evalgate/{name}.key"
    click.echo(f"private half: {place} (keep it out of git and of backups that others read)")
    if key.grade:
        click.echo(
            "development grade: certificates say so; --out FILE outside of the project makes another kind"
        )


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@click.command()
@verbose_option
def show(*, verbose: bool) -> None:
    """Every key of keys.toml: id, roles, holder, grade, and whether its private half is at hand here."""
    del verbose
    from rich.console import Console
    from rich.table import Table

    from evalgate.store.signer import at_hand, keyring_of

    root = project_root()
    keyring = keyring_of(root)
    if not keyring.keys:
        click.echo("no keys yet; make one: evalgate keys init")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "id", "roles", "holder", "grade", "since", "revoked", "private half"):
        table.add_column(column, overflow="fold")
    near = at_hand(root, keyring)
    for key in keyring.keys.values():
        table.add_row(
            key.name,
            key.id,
            ", ".join(key.roles),
            key.holder,
            key.grade or "-",
            key.since or "-",
            key.revoked or "-",
            "here" if key.name in near else "-",
        )
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


@click.command()
@click.argument("name")
@out_option
@verbose_option
def rotate(name: str, out: Path | None, *, verbose: bool) -> None:
    """Replace the key NAME: a new one with its roles and holder; the old one counts for nothing made from now on."""
    del verbose
    from evalgate.store.signer import rotate_key

    root = project_root()
    old, new = rotate_key(root, name, out=out)
    click.echo(
        f"made {new.name} {new.id} in place of {old.name} {old.id}, which counts until {old.revoked}"
    )


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="why; it stands in keys.toml")
@verbose_option
def revoke(name: str, reason: str, *, verbose: bool) -> None:
    """From now on, signatures of the key NAME count for nothing. Those made before still do."""
    del verbose
    from evalgate.store.signer import revoke_key

    key = revoke_key(project_root(), name, reason)
    click.echo(
        f"revoked {key.name} {key.id} at {key.revoked}. If others had it before, say since when: edit `revoked`."
    )


def _enter(root: Path, action: str, key: Key, reason: str) -> None:
    from evalgate.store.signer import enter_key

    if not enter_key(root, action, key, reason):
        click.echo(
            "note: no key of the gate is at hand, so the ledger does not know of this; keys.toml in git does"
        )
