"""`evalgate ledger ...`: what was locked, decided, signed and promoted, in order."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option


@click.group(
    cls=LazyGroup,
    members={
        "anchor": ("evalgate.cli.ledger:anchor", "a copy of the signed head, to be kept elsewhere"),
        "show": ("evalgate.cli.ledger:show", "the entries, oldest first"),
        "verify": (
            "evalgate.cli.ledger:verify",
            "is every entry what was written, and is none missing?",
        ),
    },
)
def ledger() -> None:
    """The ledger: reports/ledger.jsonl with its signed head."""


@click.command()
@click.option("--kind", help="only entries of this kind: decision, promotion, signoff, ...")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@verbose_option
def show(kind: str | None, *, as_json: bool, verbose: bool) -> None:
    """Every entry: number, time, kind, who signed, and what it says in short."""
    del verbose
    from evalgate.errors import UsageError
    from evalgate.store.ledger import KINDS
    from evalgate.store.signer import ledger_of

    if kind is not None and kind not in KINDS:
        raise UsageError(f"found the kind {kind!r}, expected one of {', '.join(KINDS)}. Name one.")
    import msgspec

    entries = [e for e in ledger_of(project_root()).entries() if kind in (None, e.kind)]
    for entry in entries:
        if as_json:
            click.echo(msgspec.json.encode(entry).decode())
        else:
            said = _shortly(entry.body)
            click.echo(f"{entry.seq:>6}  {entry.at[:19]}Z  {entry.kind:<9}  {entry.by:<14}  {said}")
            for weaker in entry.body.get("weakened", ()):
                click.secho(f"        WEAKENED: {weaker}", fg="red")
    if not entries and not as_json:
        click.echo("no entries")


def _shortly(body: dict[str, object]) -> str:
    """The body's short values in one line; digests cut."""
    parts = []
    for name, value in body.items():
        if isinstance(value, dict) and {"name", "digest"} <= value.keys():
            parts.append(f"{name}={value['name']}@{str(value['digest'])[7:19]}")
        elif isinstance(value, str) and value.startswith("sha256:"):
            parts.append(f"{name}={value[7:19]}")
        elif isinstance(value, (str, int, float)) and value != "":
            parts.append(f"{name}={value}")
    return " ".join(parts)[:200]


@click.command()
@click.option("--anchor", type=click.Path(path_type=Path), help="a copy of the head kept elsewhere")
@click.option(
    "--keys", type=click.Path(path_type=Path), help="a keys.toml to trust instead of the project's"
)
@click.option(
    "--json", "as_json", is_flag=True, help="one JSON object, and nothing else, on stdout"
)
@verbose_option
def verify(anchor: Path | None, keys: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Check every line, link and signature (integrity), and that none is missing at the end (completeness).

    Exit 0 if both hold, 5 if not. Ledger and head cut together are noticed only with --anchor.
    """
    del verbose
    import msgspec

    from evalgate.release.verify import keyring_from
    from evalgate.store.ledger_check import check_ledger, read_anchor

    root = project_root()
    report = check_ledger(root, keyring_from(root, keys), read_anchor(anchor) if anchor else None)
    if as_json:
        value = msgspec.to_builtins(report) | {
            "schema": "evalgate.ledgercheck/1",
            "sound": report.sound,
        }
        click.echo(json.dumps(value))
    else:
        at = f" (line {report.line})" if report.line else ""
        click.echo(
            f"integrity:    {f'BROKEN{at}: {report.integrity}' if report.integrity else 'holds'}"
        )
        held = (
            "holds, up to the anchor and the head"
            if report.anchored
            else "holds, as far as the head beside it tells"
        )
        click.echo(
            f"completeness: {f'BROKEN: {report.completeness}' if report.completeness else held}"
        )
        for note in report.notes:
            click.echo(f"note: {note}")
        click.echo(f"{report.entries} entries")
    if not report.sound:
        raise click.exceptions.Exit(5)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="where to write it (default: stdout)")
@verbose_option
def anchor(out: Path | None, *, verbose: bool) -> None:
    """Copy the signed head. Keep the copy where whoever can write the ledger cannot write: WORM storage, another system, paper."""
    del verbose
    import msgspec

    from evalgate.errors import InfrastructureError, UsageError
    from evalgate.store.signer import ledger_of

    found = ledger_of(project_root())
    found.entries()
    head = found.head()
    if head is None:
        raise UsageError(
            "found no head, expected one. There is nothing to anchor before the first entry.",
            where="reports/ledger.head.json",
            code="EG717",
        )
    text = msgspec.json.encode(head).decode() + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write. Name another place.",
            where=str(out),
            code="EG715",
        ) from None
    click.echo(f"anchored entry {head.head.seq} of {head.head.at} in {out}")
