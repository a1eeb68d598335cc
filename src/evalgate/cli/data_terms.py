"""`evalgate data import` and `data withdraw`: a vendor's data comes in under its terms, and goes out with all that depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.release.withdraw import Contract, Dependents


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--terms",
    required=True,
    type=click.Path(path_type=Path),
    help="terms/NAME.toml: the contract's terms",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="data/NAME, new")
@click.option("--task", required=True, help="the task of the rows: one with a prompt in suites/")
@click.option(
    "--columns",
    metavar="KEY=COLUMN,...",
    help="of tables: prompt, answer, system, id, unit [prompt=prompt,answer=answer]",
)
@click.option("--encoding", default="utf-8", show_default=True, help="of CSV files")
@click.option("--place", default="", metavar="XX", help="the country where the rows are processed")
@verbose_option
def import_(
    source: Path,
    *,
    terms: Path,
    out: Path,
    task: str,
    columns: str | None,
    encoding: str,
    place: str,
    verbose: bool,
) -> None:
    """Take a vendor's rows in as a corpus: every row with its terms and its source, or nothing at all.

    SOURCE: .jsonl, .csv, .tsv, .xlsx or .parquet, a directory of them, or an archive (.zip, .tar, .tar.gz). Exit codes: 0
    imported, 1 the terms do not allow it, 2 something of the source cannot be used.
    """
    del verbose
    import codecs

    from evalgate.corpus.importing import columns_of, import_rows
    from evalgate.errors import UsageError

    try:
        codecs.lookup(encoding)
    except LookupError:
        raise UsageError(
            f"found {encoding!r}, expected the name of an encoding such as latin-1. Correct it.",
            where="--encoding",
            code="EG853",
        ) from None
    found = import_rows(
        project_root(),
        source,
        terms,
        out,
        task,
        columns=columns_of(columns) if columns is not None else None,
        encoding=encoding,
        place=place.upper(),
    )
    for name in found.unread:
        click.echo(f"not read: {name}", err=True)
    if found.without_unit:
        click.echo(
            f"{found.without_unit} rows name no unit (member, case, document): each counts as one of its own",
            err=True,
        )
    for name in found.sealed:
        click.echo(f"not compared with the sealed set {name}", err=True)
    click.echo(
        f"{found.path}: {found.rows} rows from {len(found.files)} files under {found.terms}, {found.digest[:19]}"
    )


@click.command()
@click.argument("vendor", required=False)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@click.option(
    "--apply", is_flag=True, help="mark the terms as withdrawn: from now on everything refuses them"
)
@click.option("--why", default="", help="(--apply) the reason, for the file and the ledger")
@verbose_option
def withdraw(vendor: str | None, *, as_json: bool, apply: bool, why: str, verbose: bool) -> None:
    """What depends on VENDOR (a vendor's name or the id of terms): rows, descendants, mixtures, models, runs, releases.

    Without VENDOR: every contract, whether it still allows training, and what has to be deleted when. Deletes nothing.
    """
    del verbose
    import datetime as dt

    import msgspec

    from evalgate.errors import UsageError
    from evalgate.release import withdraw as drill

    root, today = project_root(), dt.datetime.now().astimezone().date()
    if vendor is None:
        if apply:
            raise UsageError("found --apply, expected a VENDOR with it. Name one.", code="EG856")
        found = drill.contracts(root, today)
        if as_json:
            click.echo(msgspec.json.encode({"schema": "evalgate.contracts/1", "contracts": found}))
        else:
            for line in _contract_lines(found) or ["no contract: terms/ is empty"]:
                click.echo(line)
        return
    if apply:
        before = drill.dependents(root, vendor, today)
        entry = drill.withdraw(root, before, today, why)
        signed = (
            f"ledger entry {entry.seq}"
            if entry
            else "not in the ledger: no key of the gate is at hand"
        )
        click.echo(f"withdrawn: {', '.join(c.id for c in before.contracts)} ({signed})", err=True)
    depends = drill.dependents(root, vendor, today)
    if as_json:
        click.echo(msgspec.json.encode(depends))
        return
    for line in _lines(depends):
        click.echo(line)


def _contract_lines(found: tuple[Contract, ...]) -> list[str]:
    lines = []
    for one in found:
        lines.append(
            f"{one.id} ({one.vendor}): {'may be trained on' if not one.refuses else 'REFUSED'}"
        )
        lines += [f"  {reason}" for reason in one.refuses]
        lines += [f"  duty: {one.duty}"] if one.duty else []
    return lines


def _lines(found: Dependents) -> list[str]:
    lines = _contract_lines(found.contracts)
    rows = sum(one.direct + one.descended for one in found.corpora)
    lines.append(f"rows: {rows} in {len(found.corpora)} corpora")
    lines += [
        f"  data/{one.name}: {one.direct} of theirs, {one.descended} derived from them, of {one.rows}"
        for one in found.corpora
    ]
    lines.append(f"mixtures: {len(found.mixtures)}")
    lines += [f"  {one.name}: {one.rows} of {one.of} rows" for one in found.mixtures]
    lines.append(f"models: {len(found.models)}")
    lines += [f"  {one.name}: through {one.through}" for one in found.models]
    lines.append(f"runs: {len(found.runs)}")
    lines += [f"  {one}" for one in found.runs]
    lines.append(f"releases: {len(found.releases)}")
    lines += [
        f"  {one.alias} -> {one.model} at {one.at} (entry {one.entry}){', IN PRODUCTION NOW' if one.current else ''}"
        f"{f', served since {one.served[0]}' if one.served else ''}"
        for one in found.releases
    ]
    lines += [
        f"note: {one}: nothing is recorded here of what it learnt from" for one in found.unknown
    ]
    return lines
