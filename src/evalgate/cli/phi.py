"""`evalgate data phi`: people in gold sets, runs, logs, reports and training rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.corpus.phi.places import Looked


@click.command()
@click.argument("paths", metavar="PATH..", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print every place as JSON")
@click.option(
    "--quarantine",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="write rows with hits to DIR/held and the others to DIR/clean; PATH is one corpus or file of rows",
)
@verbose_option
def phi(paths: tuple[Path, ...], *, as_json: bool, quarantine: Path | None, verbose: bool) -> None:
    """Look for what may identify people in files and directories: gold, answers, verdicts, logs, reports, rows.

    The scanner is tried on planted data first. Types, counts and lines are printed, never texts. Exit codes: 0 nothing found,
    1 something found or a scanner that finds too little, 2 a path cannot be read. docs/phi.md says what silence is worth.
    """
    del verbose
    import msgspec

    from evalgate.corpus.phi import People
    from evalgate.corpus.phi.places import look
    from evalgate.corpus.phi.quarantine import set_apart
    from evalgate.errors import Refused, UsageError

    if quarantine is not None and (len(paths) != 1 or as_json):
        raise UsageError(
            "found --quarantine with --json or several paths, expected it with one corpus or file of rows. Name one.",
            code="EG882",
        )
    people = People(project_root())
    if not people.proof.holds:
        click.echo("\n".join(people.proof.lines()), err=True)
        raise Refused(
            "found too little of what was planted, expected the scanner to find people before its silence counts. See the table; "
            "docs/phi.md says what to do.",
            where="data phi",
            code="EG880",
        )
    if quarantine is not None:
        apart = set_apart(paths[0], quarantine, people.scanner)
        click.echo(
            f"{quarantine}: {apart.held} rows in held, {apart.clean} in clean; {paths[0]} is as it was"
        )
        click.echo(people.told, err=True)
        raise click.exceptions.Exit(1 if apart.held else 0)
    looked = look(list(paths), people.scanner)
    if as_json:
        click.echo(msgspec.json.encode(looked).decode())
    else:
        for line in _lines(looked):
            click.echo(line)
    for path in looked.unread:
        click.echo(f"{path}: not text that can be read here, nothing is known of it", err=True)
    click.echo(people.told, err=True)
    raise click.exceptions.Exit(0 if looked.clean else 1)


def _lines(looked: Looked) -> Iterator[str]:
    files: dict[str, Counter[str]] = defaultdict(Counter)
    lines: dict[str, set[int]] = defaultdict(set)
    for place in looked.places:
        files[place.file][place.type] += 1
        lines[place.file].add(place.line)
    for file, kinds in files.items():
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        first = ", ".join(map(str, sorted(lines[file])[:5]))
        more = f" and {len(lines[file]) - 5} more" if len(lines[file]) > 5 else ""
        yield f"{file}: {told} (lines {first}{more})"
    read = looked.files - len(looked.unread)
    yield f"{read} files read, {len(files)} with findings, {len(looked.unread)} unread"
