"""`evalgate data check`: may these rows be trained on, as far as rows can tell?"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.corpus.example import Example
    from evalgate.corpus.hit import Hit, RowCheck
    from evalgate.corpus.leak.check import Report

_SHOWN = 50
"""Hits that are printed for people; --json prints all."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print every hit as JSON")
@click.option("--phi", is_flag=True, help="look for people's data, too")
@click.option("--training", is_flag=True, help="a row without terms is a hit, as it is in training")
@click.option(
    "--show-text", is_flag=True, help="quote shared words; for who may read gold and rows"
)
@click.option(
    "--contaminated",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write which gold items the rows touch, as JSON",
)
@click.option("--keep", is_flag=True, help="keep the report beside the one corpus that was checked")
@verbose_option
def check(
    files: tuple[Path, ...],
    *,
    as_json: bool,
    phi: bool,
    training: bool,
    show_text: bool,
    contaminated: Path | None,
    keep: bool,
    verbose: bool,
) -> None:
    """Look for gold, repeated rows, unusable terms and (--phi) people in FILES: .jsonl, .parquet or corpora.

    Gold is every set in goldsets/; sealed ones only where the seal key is at hand. Exit codes: 0 clean, 1 not, 2 a file
    cannot be used, 5 a corpus or sealed set is not what was written. docs/leakage.md says what counts.
    """
    del verbose
    from evalgate.corpus import leakage
    from evalgate.corpus.leak.gold import load_all
    from evalgate.corpus.phi import People
    from evalgate.crypto.seal import VARIABLE, SealKey
    from evalgate.errors import Refused, UsageError

    if keep and (len(files) != 1 or not files[0].is_dir() or show_text):
        raise UsageError(
            "found --keep, expected with it the directory of one corpus, and no --show-text. Leave one of them out.",
            code="EG872",
        )
    root = project_root()
    gold = load_all(root, SealKey.at_hand() if os.environ.get(VARIABLE) else None)
    terms = _Terms(root, training=training)
    people = People(root) if phi else None
    if people is not None and not people.proof.holds:
        click.echo("\n".join(people.proof.lines()), err=True)
        raise Refused(
            "found too little of what was planted, expected the scanner to find people before its silence counts. See the table; "
            "docs/phi.md says what to do.",
            where="data check --phi",
            code="EG880",
        )
    also: list[RowCheck] = [terms, *([people] if people else [])]
    report = leakage.check_corpora(files, gold, also=also, show_text=show_text)
    if keep:
        leakage.keep(report, files[0])
    if contaminated is not None:
        leakage.write(contaminated, leakage.contaminated(report))
    if as_json:
        click.echo(json.dumps(_as_json(report)))
    else:
        for line in _lines(report):
            click.echo(line)
    for line in (*_notes(report), *terms.notes(), people.told if people else _NO_PHI):
        click.echo(line, err=True)
    raise click.exceptions.Exit(0 if report.clean else 1)


_NO_PHI = "people's data was not looked for: --phi does"


class _Terms:
    """Whether a row's terms allow training today. Rows without terms are counted; with `training` each is a hit."""

    def __init__(self, root: Path, *, training: bool) -> None:
        self._root = root
        self._training = training
        self._today = dt.datetime.now(tz=dt.UTC).date()
        self._refusals: dict[str, list[str]] = {}
        self._without = 0

    def __call__(self, row: Example) -> Iterator[Hit]:
        from evalgate.authored.terms import terms_of
        from evalgate.corpus.hit import Hit

        self._without += not row.terms
        if not row.terms and not self._training:
            return
        if row.terms not in self._refusals:
            standing = terms_of([row.terms], self._root)
            self._refusals[row.terms] = standing.refusals("train", self._today)
        for reason in self._refusals[row.terms]:
            yield Hit(kind="terms", row=row.id, evidence=reason)

    def notes(self) -> list[str]:
        """What there is to say on stderr."""
        if not self._without or self._training:
            return []
        return [f"{self._without} rows have no terms: training refuses them (--training shows it)"]


def _as_json(report: Report) -> dict[str, object]:
    hits = [
        {"kind": hit.kind, "row": hit.row, "gold": hit.gold, "evidence": hit.evidence}
        for hit in report.hits
    ]
    return {"schema": "evalgate.datacheck/1", "clean": report.clean, "hits": hits}


def _lines(report: Report) -> Iterator[str]:
    for hit in report.hits[:_SHOWN]:
        of = f" of {hit.gold}" if hit.gold is not None else ""
        yield f"{hit.row}: {hit.kind}{of}: {hit.evidence}"
    if len(report.hits) > _SHOWN:
        yield f"... and {len(report.hits) - _SHOWN} more; --json prints all"
    kinds = Counter(hit.kind for hit in report.hits)
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    rows = len({hit.row for hit in report.hits})
    found = f"{rows} rows with hits ({counts})" if report.hits else "no hit"
    yield f"{report.rows} rows against {len(report.gold)} gold sets: {found}"


def _notes(report: Report) -> Iterator[str]:
    touched = sum(len(items) for items in report.contaminated.values())
    if touched:
        yield f"{touched} gold items are touched: --contaminated FILE.json names them"
    if report.repeated or report.near:
        yield f"{report.repeated} rows repeat the words of an earlier row, {report.near} are nearly one"
    for path in report.unopened:
        yield f"{path} was not compared: that takes the seal key, which the gate has"
    if report.unchecked:
        yield (
            f"{len(report.unchecked)} gold items have no words of their own and were not compared: "
            f"{_first(report.unchecked)}"
        )


def _first(names: Sequence[str]) -> str:
    from evalgate.authored.problems import listing

    return listing(names, at_most=5)
