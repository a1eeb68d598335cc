"""`evalgate run ...`: what models answered, and how two of them differ. Numbers and ids; texts stay in the runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.store import KeptRun, Run

_MOST = 5  # slowest and most tried items shown


@click.group(
    cls=LazyGroup,
    members={
        "diff": ("evalgate.cli.run:diff", "models or runs side by side, claim by claim"),
        "list": ("evalgate.cli.run:list_", "the runs under reports/runs"),
        "show": ("evalgate.cli.run:show", "one run: what it is keyed by, how the asking went"),
    },
)
def run() -> None:
    """Runs: what models answered, kept on disk."""


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@verbose_option
def list_(*, as_json: bool, verbose: bool) -> None:
    """Every run, the one in use first, then the earlier ones that --fresh set aside (KEY~1, KEY~2, ...).

    Every row is verified on the way. Exit 5 if a run in use is not what was written.
    """
    del verbose
    from evalgate.errors import EvalgateError
    from evalgate.store import kept_runs, open_run

    worst = 0
    rows: list[dict[str, Any]] = []
    for kept in kept_runs(project_root() / "reports"):
        row: dict[str, Any] = {"suite": kept.suite, "run": kept.name, "verified": True}
        try:
            found = open_run(kept)
        except EvalgateError as e:
            row |= {"verified": False, "problem": str(e)}
            if not kept.repeat:  # what was set aside decides nothing
                worst = max(worst, int(e.exit))
        else:
            row |= _in_short(found)
        rows.append(row)
    if as_json:
        _print_json({"schema": "evalgate.runs/1", "runs": rows})
    else:
        for row in rows:
            _say(_line(row), err=not row["verified"])
        if not rows:
            _say("no runs yet: 'evalgate gate check' asks and keeps them", err=True)
    raise click.exceptions.Exit(worst)


def _in_short(found: Run) -> dict[str, Any]:
    from evalgate.report.words import served_by

    manifest = found.manifest
    return {
        "model": manifest.model.name,
        "server": served_by(manifest.model.server, manifest.model.version),
        "landed": found.landed,
        "items": manifest.items,
        "ended": found.ended,
        "bytes": found.end,
    }


def _line(row: dict[str, Any]) -> str:
    if not row["verified"]:
        return f"{row['suite']}  {row['run']}  not verified: {row['problem']}"
    landed = f"{row['landed']}/{row['items']}"
    size = f"{row['bytes'] / 1024:.0f} KiB"
    return (
        f"{row['suite']:<20}  {row['run']:<18}  {row['model']:<16}  {landed:>9}  {_when(row['ended'])}  {size:>9}  "
        f"{row['server']}  verified"
    )


def _when(seconds: float | None) -> str:
    if seconds is None:
        return f"{'-':<17}"
    return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(seconds))


def _say(text: str, *, err: bool = False) -> None:
    """Prints `text`; what the output's encoding does not have becomes a question mark."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), err=err)


def _print_json(value: object) -> None:
    import json

    click.echo(json.dumps(value))


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--suite", "suites", multiple=True, help="only this suite, where RUN is a model")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@verbose_option
def show(name: str, *, suites: tuple[str, ...], as_json: bool, verbose: bool) -> None:
    """What RUN is keyed by, what became of its items, tokens and seconds. No texts.

    RUN is a run's key (the first digits do), a model of evalgate.toml (its runs as the project is now), or either with
    ~1, ~2, ... for an earlier run.
    """
    del verbose
    from evalgate.gate.sides import find_runs, known_suites
    from evalgate.suite import load_project

    project = load_project(project_root())
    side = find_runs(project, name, known_suites(project, suites))
    facts = [_facts(project, kept) for kept in side.runs.values()]
    if as_json:
        _print_json({"schema": "evalgate.run/1", "runs": facts})
        return
    for n, fact in enumerate(facts):
        if n:
            click.echo()
        for key, value in fact.items():
            shown = _when(value).strip() if key in ("began", "ended") else _shown(value)
            _say(f"{key:<18}  {shown}")
    for note in side.notes:
        _say(f"note: {note}")


def _facts(project: Any, kept: KeptRun) -> dict[str, Any]:
    """Everything about one run that is no text. Statuses need the suite and the gold set that it was asked with."""
    import msgspec

    from evalgate.gate.sides import statuses_of
    from evalgate.store import open_run

    found = open_run(kept)
    manifest = msgspec.to_builtins(found.manifest)
    rows = [row for n in range(len(found)) if (row := found.row(n)) is not None]
    seconds = sorted(row.seconds for row in rows)
    tried = sorted((r for r in rows if r.tries), key=lambda r: (-len(r.tries), r.n))
    slow = sorted(rows, key=lambda r: (-r.seconds, r.n))
    finishes = sorted({row.finish for row in rows})
    return {
        "suite": kept.suite,
        "run": kept.name,
        "key": found.manifest.key,
        **{f"model {k}": v for k, v in manifest["model"].items()},
        "gold": manifest["gold"],
        "prompt": manifest["prompt"],
        "parser": manifest["parser"],
        "sampling": manifest["sampling"],
        "answers": f"{found.landed}/{len(found)}",
        "began": found.began,
        "ended": found.ended,
        "statuses": statuses_of(project, kept, found),
        "finish reasons": {f or "none": sum(r.finish == f for r in rows) for f in finishes},
        "prompt tokens": sum(row.prompt_tokens or 0 for row in rows),
        "answer tokens": sum(row.completion_tokens or 0 for row in rows),
        "seconds": {"p50": _quantile(seconds, 50), "p95": _quantile(seconds, 95)},
        "failed tries": sum(len(row.tries) for row in rows),
        "most tried": {row.id: len(row.tries) for row in tried[:_MOST]},
        "slowest": {row.id: row.seconds for row in slow[:_MOST]},
    }


def _quantile(ordered: list[float], percent: int) -> float | None:
    """Nearest rank: the smallest value that `percent` of all do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def _shown(value: Any) -> str:
    from evalgate.report.words import plain

    if isinstance(value, dict):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return " ".join(map(_shown, value)) or "-"
    return "-" if value is None or value == "" else plain(value)


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("others", metavar="[OTHER]...", nargs=-1)
@click.option("--suite", "suites", multiple=True, help="only this suite; may be given again")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "json"]),
    default="text",
    help="text (default), md for a job summary, json with every id",
)
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@verbose_option
def diff(
    reference: str,
    others: tuple[str, ...],
    *,
    suites: tuple[str, ...],
    form: str,
    as_json: bool,
    verbose: bool,
) -> None:
    """REF against each OTHER: every claim's estimates and findings, their difference with its interval, flipped items.

    Names are models of evalgate.toml (their runs as the project is now), keys of runs, or either with ~1, ~2, ... for
    an earlier run. REF alone is held against its own earlier runs: that is the noise floor, by which every other
    difference is judged. Asks nothing, decides nothing: exit 0 whatever differs, 2 for names and runs that cannot be
    compared, 5 for edited ones.
    """
    del verbose
    from evalgate.gate.compare import compare
    from evalgate.report.comparison import comparison_json, comparison_markdown, comparison_text
    from evalgate.suite import load_project

    project = load_project(project_root())
    found = compare(project, reference, others, suites)
    if as_json or form == "json":
        _print_json(comparison_json(found))
    else:
        _say((comparison_markdown if form == "md" else comparison_text)(found).rstrip("\n"))
