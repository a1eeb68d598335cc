"""`evalgate run ...`: what models answered, and how two of them differ. Numbers and ids; texts stay in the runs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.store import KeptRun, Run
    from evalgate.suite import Project

_MOST = 5  # slowest and most tried items shown


@click.group(
    cls=LazyGroup,
    members={
        "access": (
            "evalgate.cli.keeping:access",
            "who has looked at texts with evalgate's commands",
        ),
        "diff": ("evalgate.cli.run:diff", "models or runs side by side, claim by claim"),
        "interference": (
            "evalgate.cli.interference:interference",
            "which task is worse than before: a candidate beside release, candidate and base",
        ),
        "list": ("evalgate.cli.run:list_", "the runs under reports/runs"),
        "purge": ("evalgate.cli.keeping:purge", "delete texts of runs; the ledger keeps digests"),
        "show": ("evalgate.cli.run:show", "one run: what it is keyed by, how the asking went"),
    },
)
def run() -> None:
    """Runs: what models answered, kept on disk."""


@click.command("list")
@click.option(
    "--experiments", is_flag=True, help="every training with its check, and the ladder of each task"
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@verbose_option
def list_(*, experiments: bool, as_json: bool, verbose: bool) -> None:
    """Every run, the one in use first, then the earlier ones that --fresh set aside (KEY~1, KEY~2, ...).

    Every row is verified on the way; what is past its retention period, and what was purged, is marked. Exit 5 if a run in
    use is not what was written.
    """
    del verbose
    from evalgate.errors import EvalgateError
    from evalgate.store import kept_runs, open_run

    root = project_root()
    if experiments:
        from evalgate.cli.experiments import list_experiments

        raise click.exceptions.Exit(list_experiments(root, as_json=as_json))
    days, now = _retention(root), time.time()
    worst = 0
    rows: list[dict[str, Any]] = []
    for kept in kept_runs(root / "reports"):
        row: dict[str, Any] = {"suite": kept.suite, "run": kept.name, "verified": True}
        try:
            found = open_run(kept)
        except EvalgateError as e:
            row |= {"verified": False, "problem": str(e)}
            if not kept.repeat:  # what was set aside decides nothing
                worst = max(worst, int(e.exit))
        else:
            row |= _in_short(found, days, now)
        rows.append(row)
    if as_json:
        _print_json({"schema": "evalgate.runs/1", "runs": rows})
    else:
        for row in rows:
            _say(_line(row), err=not row["verified"])
        if not rows:
            _say("no runs yet: 'evalgate gate check' asks and keeps them", err=True)
    for note in _notes(root):
        _say(f"note: {note}", err=True)
    raise click.exceptions.Exit(worst)


def _retention(root: Path) -> int | None:
    """The retention period in days, if evalgate.toml has one; a list needs no sound project."""
    from evalgate.authored import Problems, load_settings

    settings = load_settings(root / "evalgate.toml", root, Problems())
    return settings.runs_days if settings else None


def _notes(root: Path) -> Iterator[str]:
    from evalgate.errors import EvalgateError
    from evalgate.store.access import open_to_others

    exposed = open_to_others(root)
    if exposed:
        yield (
            f"{len(exposed)} files or folders below reports/ are open to others than their owner (first: "
            f"{exposed[0].relative_to(root).as_posix()}): chmod -R go= reports"
        )
    try:
        if (root / "reports" / "ledger.jsonl").exists():
            from evalgate.store.purge import unfinished

            for entry in unfinished(root):
                yield f"the purge of {entry.body['run']} (ledger entry {entry.seq}) was not finished: evalgate run purge"
    except EvalgateError as e:
        yield f"whether a purge was left unfinished is not known: {e}"


def _in_short(found: Run, days: int | None, now: float) -> dict[str, Any]:
    import msgspec

    from evalgate.report.words import served_by
    from evalgate.store.purge import past
    from evalgate.store.shelf import read_mark

    manifest, mark = found.manifest, read_mark(found.path)
    return {
        "purged": msgspec.to_builtins(mark) if mark else None,
        "expired": found.ended is not None and past(found.ended, days, now),
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
    state = "EXPIRED, verified" if row["expired"] else "verified"
    if row["purged"]:
        state = f"purged on {row['purged']['at'][:10]}, ledger entry {row['purged']['entry']}"
    landed = f"{row['landed']}/{row['items']}"
    size = f"{row['bytes'] / 1024:.0f} KiB"
    return (
        f"{row['suite']:<20}  {row['run']:<18}  {row['model']:<16}  {landed:>9}  {_when(row['ended'])}  {size:>9}  "
        f"{row['server']}  {state}"
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
    click.echo(json.dumps(value))


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--suite", "suites", multiple=True, help="only this suite, where RUN is a model")
@click.option(
    "--item",
    "items",
    multiple=True,
    metavar="ID",
    help="show the TEXTS of this item: question, right answer, answer; who looks is noted in reports/access.jsonl",
)
@click.option("--experiment", is_flag=True, help="RUN is an experiment: a candidate, or its name")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@verbose_option
def show(
    name: str,
    *,
    suites: tuple[str, ...],
    items: tuple[str, ...],
    experiment: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """What RUN is keyed by, what became of its items, tokens and seconds. No texts, except those of --item.

    RUN is a run's key (the first digits do), a model of evalgate.toml (its runs as the project is now), or either with
    ~1, ~2, ... for an earlier run.
    """
    del verbose
    if experiment:
        if suites or items:
            raise click.UsageError("--experiment goes with --json only")
        from evalgate.cli.experiments import show_experiment

        show_experiment(project_root(), name, as_json=as_json)
        return
    from evalgate.gate.sides import find_runs, known_suites
    from evalgate.suite import load_project

    project = load_project(project_root())
    side = find_runs(project, name, known_suites(project, suites))
    if items:
        _show_items(project, list(side.runs.values()), items, as_json=as_json)
        return
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


def _show_items(
    project: Project, runs: list[KeptRun], wanted: tuple[str, ...], *, as_json: bool
) -> None:
    """Prints what was asked, what is right and what was answered. Raises UsageError (EG816) if no run has an item so called."""
    from evalgate.errors import UsageError
    from evalgate.store.access import note_access

    found = [told for kept in runs for told in _texts(project, kept, wanted)]
    missing = sorted(set(wanted) - {told["item"] for told in found})
    if missing:
        raise UsageError(
            f"found no answer to {', '.join(missing)} in these runs, expected ids of their gold set. Reports name them; a "
            "purged run has none.",
            code="EG816",
        )
    read = sorted({told["run"] for told in found} | {told["gold"] for told in found})
    note_access(project.root, "run show", *read, *wanted)
    if as_json:
        _print_json({"schema": "evalgate.items/1", "items": found})
        return
    for told in found:
        for key, value in told.items():
            _say(
                f"{key:<9}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            )
        click.echo()


def _texts(project: Project, kept: KeptRun, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    from evalgate.store import open_run

    run, loaded = open_run(kept), project.suites.get(kept.suite)
    if loaded is None or loaded.gold.digest != run.manifest.gold:
        return  # answers to other questions than those that are here
    for ordinal, item in loaded.gold.items():
        row = run.row(ordinal) if item.id in wanted else None
        if row is not None:
            yield {
                "item": item.id,
                "run": f"reports/runs/{kept.suite}/{kept.name}",
                "gold": loaded.suite.gold,
                "question": item.input,
                "right": item.expected,
                "answer": row.text,
            }


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
    purged = _purged(project.root, kept)
    return {
        "suite": kept.suite,
        "run": kept.name,
        **({"purged": purged} if purged else {}),
        "key": found.manifest.key,
        **{f"model {k}": v for k, v in manifest["model"].items()},
        "gold": manifest["gold"],
        "prompt": manifest["prompt"],
        "parser": manifest["parser"],
        "sampling": manifest["sampling"],
        "answers": f"{found.landed}/{len(found)}",
        "began": found.began,
        "ended": found.ended,
        "statuses": {} if purged else statuses_of(project, kept, found),
        "finish reasons": {f or "none": sum(r.finish == f for r in rows) for f in finishes},
        "prompt tokens": sum(row.prompt_tokens or 0 for row in rows),
        "answer tokens": sum(row.completion_tokens or 0 for row in rows),
        "seconds": {"p50": _quantile(seconds, 50), "p95": _quantile(seconds, 95)},
        "failed tries": sum(len(row.tries) for row in rows),
        "most tried": {row.id: len(row.tries) for row in tried[:_MOST]},
        "slowest": {row.id: row.seconds for row in slow[:_MOST]},
    }


def _purged(root: Path, kept: KeptRun) -> str:
    """When and why its texts were purged, as the ledger has it; "" if they were not. Raises IntegrityError (EG813)."""
    from evalgate.store.purge import check_mark
    from evalgate.store.shelf import read_mark

    mark = read_mark(kept.path)
    if mark is None:
        return ""
    from evalgate.store.signer import ledger_of

    entry = check_mark(mark, kept.path, ledger_of(root))
    body = entry.body
    return f"on {mark.at[:10]}, ledger entry {mark.entry}: {body['reason']} ({body['answers']} answers, by {body['account']})"


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
    compared, 5 for edited ones. Where both were trained by `gate train`, what their experiments differ in stands first.
    """
    del verbose
    from evalgate.cli.experiments import differing
    from evalgate.gate.compare import compare
    from evalgate.report.comparison import comparison_json, comparison_markdown, comparison_text
    from evalgate.suite import load_project

    project = load_project(project_root())
    found = compare(project, reference, others, suites)
    heads = differing(project.root, reference, others)
    if as_json or form == "json":
        import msgspec

        _print_json(
            comparison_json(found) | ({"experiments": msgspec.to_builtins(heads)} if heads else {})
        )
        return
    from evalgate.report.experiment import differences_markdown, differences_text

    for head in heads:
        _say((differences_markdown if form == "md" else differences_text)(head))
    _say((comparison_markdown if form == "md" else comparison_text)(found).rstrip("\n"))
