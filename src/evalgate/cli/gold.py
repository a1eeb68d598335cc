"""`evalgate gold ...`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, refuse_one_sided, verbose_option

if TYPE_CHECKING:
    from evalgate.authored import GoldSet
    from evalgate.authored.imports import Columns, Options
    from evalgate.records import Problem
    from evalgate.suite import Project


@click.group(
    cls=LazyGroup,
    members={
        "check": (
            "evalgate.cli.gold:check",
            "check gold sets with cards, gate.toml and suites together",
        ),
        "import": (
            "evalgate.cli.gold:import_",
            "make a gold set from BRAT, CoNLL, CSV, JSON lines or datasets on disk",
        ),
        "open": (
            "evalgate.cli.sealed:open_",
            "with the seal key: a sealed set, or the evidence of a sealed check",
        ),
        "seal": ("evalgate.cli.sealed:seal", "encrypt a gold set, so that only the gate reads it"),
    },
)
def gold() -> None:
    """Gold sets: questions with right answers."""


@click.command()
@verbose_option
def check(*, verbose: bool) -> None:
    """Load everything that decides, and gold sets that no suite names; print every problem of every file. Asks nothing."""
    del verbose
    from evalgate.authored.problems import count

    project, others = _load_all(project_root())
    refuse_one_sided(project)
    for name, loaded in project.suites.items():
        card = loaded.card
        origin = "synthetic" if card is not None and card.synthetic else "not generated"
        click.echo(f"{name}: {_size(loaded.gold)}, {origin}, {loaded.gold.digest[:19]}")
        for tag in sorted(loaded.gold.tags):
            click.echo(
                f"  {tag}: {count(loaded.gold.items_with_tag(tag), 'item')}, "
                f"{count(loaded.gold.units_with_tag(tag), 'unit')}"
            )
    for gold in others:
        click.echo(f"{gold.name}: {_size(gold)}, no suite asks it")
    for line in _sealed(project):
        click.echo(line)


def _sealed(project: Project) -> list[str]:
    """What there is to say of sealed sets: with the seal key after opening them, else by their cards."""
    if not list((project.root / "goldsets").rglob("*.sealed")):
        return []
    from evalgate.crypto.seal import VARIABLE, SealKey
    from evalgate.store.attempts import spending
    from evalgate.suite.sealing import check_sealed_sets

    key = SealKey.at_hand() if os.environ.get(VARIABLE) else None
    return check_sealed_sets(project, key, alpha=spending(project.gate.settings, 1))


def _load_all(root: Path) -> tuple[Project, list[GoldSet]]:
    """The project, and the gold sets that no suite names. Raises FileProblems with everything that is wrong with either."""
    from evalgate.authored import Problems, load_card, load_gold
    from evalgate.errors import FileProblems
    from evalgate.suite import load_project

    project = None
    told: set[Problem] = set()
    try:
        project = load_project(root)
    except FileProblems as e:
        told = set(e.problems)
    # Which sets the suites of a faulty project name is not known: all are read, and a problem that was told is told once.
    named = {s.gold.path for s in project.suites.values()} if project else set()
    problems, others = Problems(), []
    for path in sorted(set((root / "goldsets").glob("*.jsonl")) - named):
        gold = load_gold(path, root, problems)
        if load_card(path, root, problems) and gold:
            others.append(gold)
    if project is None or problems:
        raise FileProblems(told.union(problems))
    return project, others


def _size(gold: GoldSet) -> str:
    from evalgate.authored.problems import count

    return f"{count(len(gold), 'item')}, {count(gold.units, 'unit')}"


_OF = {
    "text_column": ("csv", "jsonl", "hf"),
    "expected_column": ("csv", "jsonl", "hf"),
    "id_column": ("csv", "jsonl", "hf"),
    "unit_column": ("csv", "jsonl", "hf"),
    "tags_column": ("csv", "jsonl", "hf"),
    "unit": ("brat", "conll"),
    "split": ("hf",),
    "encoding": ("brat", "conll", "csv"),
}
"""Options that only some kinds have."""


@click.command("import")
@click.argument("kind", type=click.Choice(["brat", "conll", "csv", "jsonl", "hf"]))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="goldsets/NAME.jsonl")
@click.option("--licence", help="of the texts, for the card; without it the card asks for one")
@click.option("--force", is_flag=True, help="replace FILE.jsonl; a card that is there is kept")
@click.option("--report", type=click.Path(path_type=Path), help="write what was left out as JSON")
@click.option("--labels", help="A,B: keep these entity labels (or classes) only")
@click.option("--map", "renames", multiple=True, metavar="OLD=NEW", help="rename a label or class")
@click.option("--limit", type=click.IntRange(min=1), help="stop after so many items")
@click.option(
    "--text-column",
    multiple=True,
    metavar="NAME[=KEY]",
    help="(csv, jsonl, hf) what is asked; repeatable [text]",
)
@click.option("--expected-column", help="(csv, jsonl, hf) the right answer [expected]")
@click.option("--id-column", help="(csv, jsonl, hf) [id if there, else the row's number]")
@click.option(
    "--unit-column", help="(csv, jsonl, hf) member, case or document [unit if there, else the row]"
)
@click.option("--tags-column", help="(csv, jsonl, hf) [tags if there]")
@click.option(
    "--unit",
    type=click.Choice(["document", "sentence", "folder"]),
    help="(brat, conll) what is independent: document, sentence (conll), folder (brat) [document]",
)
@click.option("--split", help="(hf) which split of several")
@click.option("--encoding", help="(brat, conll, csv) of the text [utf-8]")
@verbose_option
def import_(
    kind: Any, source: Path, out: Path, *, report: Path | None, verbose: bool, **given: Any
) -> None:
    """Make the gold set FILE.jsonl and a card to fill in from annotations in SOURCE, a file or a directory.

    Every row is taken or listed on stderr with its place and the reason, never its text. Exit codes: 0 done (with whatever
    was left out listed), 2 nothing could be taken or SOURCE is not of KIND, 4 nothing can be written there.
    """
    del verbose
    from evalgate.authored.imports import import_gold

    options = _options(kind, given)
    card = out.with_suffix(".toml")
    kept = card.exists()
    found = import_gold(
        kind, source, out, options, report=report, licence=given["licence"], force=given["force"]
    )
    for line in found.lines():
        click.echo(line, err=True)
    found.raise_if_nothing()
    click.echo(f"{out}: {found.summary()}")
    if kept:
        click.echo(f"{card} was there and is kept: see whether it still speaks of these items")
    click.echo(f"next: {'' if kept else f'fill in {card}, then '}evalgate gold check")


def _options(kind: str, given: dict[str, Any]) -> Options:
    """The options of one kind. Raises FileProblems (EG178) with everything that is wrong with them."""
    import codecs

    from evalgate.authored import Problems
    from evalgate.authored.imports import Options

    problems = Problems()

    def wrong(name: str, found: str, expected: str) -> None:
        problems.add(f"--{name.replace('_', '-')}", "EG178", f"found {found}, expected {expected}.")

    for name, kinds in _OF.items():
        if given[name] and kind not in kinds:
            wrong(
                name,
                f"this option with KIND {kind}",
                f"it only with {', '.join(kinds)}. Leave it out",
            )
    units = {"brat": ("document", "folder"), "conll": ("document", "sentence")}.get(kind, ())
    if units and given["unit"] not in (None, *units):
        found = f"`{given['unit']}` with KIND {kind}"
        wrong("unit", found, f"{' or '.join(units)}. Choose one of these")
    pairs = [text.partition("=") for text in given["renames"]]
    if not all(old and new for old, _, new in pairs):
        wrong("map", "no pair", "OLD=NEW. Repeat the option for every label")
    labels = [label.strip() for label in (given["labels"] or "").split(",")]
    if given["labels"] is not None and not all(labels):
        wrong("labels", "an empty label", "labels separated by commas. Correct it")
    encoding = given["encoding"] or "utf-8"
    try:
        "".encode(encoding)
        codecs.lookup(encoding)
    except LookupError:
        wrong(
            "encoding",
            "no encoding that is known",
            "one such as utf-8, cp1252 or utf-16. Correct it",
        )
    columns = _columns(given, wrong)
    problems.raise_if_any()
    return Options(
        columns=columns,
        labels=tuple(filter(None, labels)),
        renames={old: new for old, _, new in pairs},
        unit=given["unit"],
        split=given["split"],
        encoding=codecs.lookup(encoding).name,
        limit=given["limit"],
    )


def _columns(given: dict[str, Any], wrong: Any) -> Columns:
    import re

    from evalgate.authored.imports import Columns

    text = {}
    for asked in given["text_column"] or ("text",):
        column, _, key = asked.partition("=")
        text[column] = key or column
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", text[column]):
            wrong(
                "text_column",
                "a name that no prompt can hold as {{name}}",
                "NAME=KEY with a plain key",
            )
    if len(set(text.values())) < len(text):
        wrong("text_column", "one key twice", "a key for each column")
    return Columns(
        text=text,
        expected=given["expected_column"] or "expected",
        id=given["id_column"],
        unit=given["unit_column"],
        tags=given["tags_column"],
    )
