"""`evalgate rubric ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.authored import GoldSet, Problems, Rubric

FILE = click.Path(path_type=Path)


@click.group(
    cls=LazyGroup,
    members={
        "check": (
            "evalgate.cli.rubric:check",
            "every problem of every rubric, and what reads badly",
        ),
        "show": ("evalgate.cli.rubric:show", "a rubric to read or to print, without TOML"),
        "diff": (
            "evalgate.cli.rubric:diff",
            "what changed, which labels are stale, the next version",
        ),
        "export": ("evalgate.cli.rubric:export", "the criteria as a spreadsheet, CSV or XLSX"),
        "import": ("evalgate.cli.rubric:import_", "criteria of a spreadsheet into a rubric file"),
    },
)
def rubric() -> None:
    """Rubrics: what a letter, a summary or an answer is held against."""


@click.command()
@click.argument("files", nargs=-1, type=FILE)
@verbose_option
def check(files: tuple[Path, ...], *, verbose: bool) -> None:
    """Load rubrics (all of rubrics/ without FILES) and compare each with its gold set; print every problem of every file.

    Exit code 2 if there is a problem. Warnings, marked so, are about wording and stop nothing.
    """
    del verbose
    from evalgate.authored import Problems, load_rubric
    from evalgate.authored.problems import count
    from evalgate.authored.rubric_lint import lint

    root = project_root()
    problems, sizes = Problems(), []
    for path in files or sorted((root / "rubrics").glob("*.toml")):
        gold = _gold(root, path.stem, problems)
        loaded = load_rubric(path, root, problems, gold=gold)
        if loaded is None:
            continue
        warnings = lint(loaded)
        for warning in warnings:
            click.echo(
                str(warning).replace(f" {warning.code} ", f" warning {warning.code} ", 1), err=True
            )
        against = "" if gold else f", no goldsets/{path.stem}.jsonl to compare with"
        faults, code = (
            sum(map(of, loaded.criteria)) for of in (lambda c: c.fault, lambda c: c.by_code)
        )
        sizes.append(
            f"{loaded.path}: version {loaded.version}, {_many(loaded)} ({count(faults, 'fault')}, "
            f"{code} by code), {count(len(warnings), 'warning')}, {loaded.digest[:19]}{against}"
        )
    problems.raise_if_any()
    click.echo("\n".join(sizes) or "rubrics/: no rubric here")


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--format", "kind", type=click.Choice(["text", "md", "html"]), default="text", show_default=True
)
@verbose_option
def show(file: Path, kind: Any, *, verbose: bool) -> None:
    """Print FILE as clinicians read it. `--format html` is a page of its own, made for printing."""
    del verbose
    from evalgate.authored.rubric_view import view

    click.echo(view(_loaded(file), kind), nl=False)


@click.command()
@click.argument("old")
@click.argument("new")
@verbose_option
def diff(old: str, new: str, *, verbose: bool) -> None:
    """What changed from OLD to NEW, which labels are stale by it, and which version number says so.

    Each is a file, or FILE@REVISION as git knows it: rubrics/policy_qa.toml@HEAD.
    """
    del verbose
    from evalgate.authored import Problems

    root, problems = project_root(), Problems()
    sides = [_at(place, root, problems) for place in (old, new)]
    problems.raise_if_any()
    first, second = sides
    assert first is not None
    assert second is not None
    _tell(first, second)


@click.command()
@click.argument("file", type=FILE)
@click.option("--out", required=True, type=FILE, help="NAME.csv or NAME.xlsx")
@click.option("--force", is_flag=True, help="replace a file that is there")
@verbose_option
def export(file: Path, out: Path, *, force: bool, verbose: bool) -> None:
    """Write the criteria of FILE as a table with a row for each. What stands in [rubric] stays in FILE."""
    del verbose
    from evalgate.authored.imports.writing import write_whole
    from evalgate.authored.rubric_table import to_csv, to_xlsx

    loaded = _loaded(file)
    _check_place(out, force=force)
    made = to_xlsx(loaded.criteria) if out.suffix == ".xlsx" else to_csv(loaded.criteria)
    write_whole(out, [made])
    click.echo(
        f"{out}: {_many(loaded)}. Bring it back with: evalgate rubric import {out} --into {file}"
    )


def _check_place(out: Path, *, force: bool) -> None:
    """Raises UsageError (EG617) for a place that no table can go to, or that is taken."""
    from evalgate.errors import UsageError

    if out.suffix not in (".csv", ".xlsx"):
        found, advice = "another ending", "Name it NAME.csv or NAME.xlsx."
    elif not out.parent.is_dir():
        found, advice = "no directory to put it in", "Create it, or correct the path."
    elif out.exists() and not (force and out.is_file()):
        found, advice = (
            "something there already",
            "Choose another name, or replace a file with --force.",
        )
    else:
        return
    message = f"found {found}, expected a free place for a table. {advice}"
    raise UsageError(message, where=str(out), code="EG617")


@click.command("import")
@click.argument("table", type=FILE)
@click.option(
    "--into", required=True, type=FILE, help="rubrics/NAME.toml, with at least its table [rubric]"
)
@verbose_option
def import_(table: Path, into: Path, *, verbose: bool) -> None:
    """Make the criteria of a rubric file those of TABLE (.csv or .xlsx); say what changed.

    Criteria are told apart by their ids: rows change them, new rows come last, and those without a row are taken out. Comments
    and unchanged criteria stay as they are. If anything in TABLE is wrong, all of it is told and nothing is written.
    """
    del verbose
    from evalgate.authored import Problems, relative
    from evalgate.authored.imports.writing import write_whole
    from evalgate.authored.rubric_edit import with_criteria
    from evalgate.authored.rubric_file import rubric_of
    from evalgate.authored.rubric_table import read_table
    from evalgate.authored.toml_file import read_toml, toml_of

    root, problems = project_root(), Problems()
    head, body = read_toml(into, root, problems), read_table(table, root, problems)
    gold = _gold(root, into.stem, problems)
    given = rubric_of(head, body, task=into.stem, gold=gold) if head and body else None
    problems.raise_if_any()
    assert given is not None
    data = into.read_bytes()
    there = data.decode().replace("\r\n", "\n")
    text = with_criteria(there, given.criteria)
    if text == there:
        click.echo(f"{into}: nothing changed")
        return
    name = relative(into, root)
    old, new = (_parsed(toml_of(side.encode(), name, Problems())) for side in (there, text))
    assert new is not None, "what is written must be what was given"
    assert {c.id: c for c in new.criteria} == {c.id: c for c in given.criteria}
    write_whole(into, [text.replace("\n", "\r\n" if b"\r\n" in data else "\n").encode()])
    click.echo(f"{into}: {_many(new)}")
    if old:
        _tell(old, new)


def _many(rubric: Rubric) -> str:
    n = len(rubric.criteria)
    return f"{n} {'criterion' if n == 1 else 'criteria'}"


def _gold(root: Path, task: str, problems: Problems) -> GoldSet | None:
    """The gold set of a task; None if it has none, or one with problems, which are noted."""
    from evalgate.authored import load_gold

    path = root / "goldsets" / f"{task}.jsonl"
    return load_gold(path, root, problems) if path.is_file() else None


def _loaded(file: Path) -> Rubric:
    from evalgate.authored import Problems, load_rubric

    problems = Problems()
    loaded = load_rubric(file, project_root(), problems)
    problems.raise_if_any()
    assert loaded is not None
    return loaded


def _at(place: str, root: Path, problems: Problems) -> Rubric | None:
    """The rubric at a path, or at FILE@REVISION of the git repository around FILE."""
    from evalgate.authored.toml_file import read_toml, toml_of

    name, at, revision = place.rpartition("@")
    if not at or Path(place).exists():
        return _parsed(read_toml(Path(place), root, problems))
    return _parsed(toml_of(_from_git(Path(name), revision), place, problems))


def _parsed(file: Any) -> Rubric | None:
    from evalgate.authored.rubric_file import rubric_of

    return None if file is None else rubric_of(file, file)


def _from_git(path: Path, revision: str) -> bytes:
    """The file as it was. Raises UsageError (EG616)."""
    import subprocess

    from evalgate.errors import UsageError

    wanted = f"{revision}:./{path.name}"
    try:
        done = subprocess.run(  # noqa: S603 (no shell; what follows --end-of-options is no option)
            ["git", "-C", str(path.parent), "show", "--end-of-options", wanted],  # noqa: S607
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        reason = "no git"
    else:
        if done.returncode == 0:
            return done.stdout
        reason = "nothing that git knows"
    raise UsageError(
        f"found {reason}, expected FILE@REVISION such as rubrics/policy_qa.toml@HEAD. Correct the path or the revision.",
        where=f"{path}@{revision}",
        code="EG616",
    )


def _tell(old: Rubric, new: Rubric) -> None:
    """Print what changed and the version that says so."""
    from evalgate.authored.rubric_diff import at_least, differences, next_version, told

    changes = differences(old, new)
    for line in told(changes):
        click.echo(line)
    proposed = next_version(old.version, changes)
    if not changes:
        click.echo("same content: labels, verdicts and signatures of the old one fit")
    elif at_least(new.version, proposed):
        click.echo(f"version {old.version} -> {new.version} fits these changes")
    else:
        click.echo(f"version {old.version} -> {proposed} would say so; the file says {new.version}")
