"""`evalgate review agreement`: how far raters agree, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from evalgate.cli.common import verbose_option
from evalgate.cli.review import load, sealed_option, suite_option

if TYPE_CHECKING:
    from evalgate.judge.review_agreement import Agreement, Pair


@click.command()
@suite_option
@sealed_option
@click.option(
    "--model",
    metavar="MODEL",
    help="with --sealed: whose outputs were labelled [the default candidate]",
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@verbose_option
def agreement(
    *, suite: str | None, sealed: bool, model: str | None, as_json: bool, verbose: bool
) -> None:
    """Rater against rater, and each against themselves, per criterion. Reports; decides nothing.

    Intervals are exact at 95 % for outputs that are independent of each other. kappa stands beside AC1: where nearly
    every answer is the same, kappa is near 0 however well raters agree.
    """
    del verbose
    from evalgate.gate.review import reviewed_suites
    from evalgate.judge.review_agreement import agreement as of_labels

    project = load(model, sealed=sealed)
    every = reviewed_suites(project, suite)
    found = {
        r.suite: of_labels(r.rubric, r.labels.usable, stale=len(r.labels.stale)) for r in every
    }
    if as_json:
        import json

        import msgspec

        value = {"schema": "evalgate.agreement/1", "suites": msgspec.to_builtins(found)}
        click.echo(json.dumps(value))
        return
    for name, agreed in found.items():
        for line in _lines(name, agreed):
            click.echo(line)


def _lines(name: str, found: Agreement) -> list[str]:
    lines = [
        f"{name}: {found.labels} labels compared, {found.simulated} of them simulated, {found.stale} stale"
    ]
    if not found.labels:
        return [
            *lines,
            f"  nothing to compare: evalgate review label --suite {name} --rater PSEUDONYM",
        ]
    for first, second, agreed, n in found.together():
        who = (
            f"{second} agreed with {first}"
            if first != second
            else f"{first} gave the same answer again"
        )
        lines.append(f"  {who} on {agreed} of {n}, over all criteria")
    if len(lines) == 1:
        lines.append(
            "  nothing to compare yet: no two raters, and no rater twice, answered the same question"
        )
    for criterion in found.criteria:
        told = [_pair_line(pair) for pair in (*criterion.pairs, *criterion.repeats)]
        if criterion.alpha is not None:
            told.append(f"Krippendorff's alpha of {criterion.raters} raters {criterion.alpha:.2f}")
        if told:
            lines.append(f"  {criterion.criterion}")
            lines += [f"    {line}" for line in told]
    return lines


def _pair_line(pair: Pair) -> str:
    low, high = math.floor(100 * pair.low), math.ceil(100 * pair.high)
    line = f"{pair.sentence} (95 % interval {low} to {high} %)"
    if pair.first != pair.second:
        line += f"; kappa {_two(pair.kappa)}, AC1 {_two(pair.ac1)}"
    return line


def _two(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
