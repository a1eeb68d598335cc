"""`evalgate data ...`: the corpora of training data. Other members: data_check.py, data_synthesize.py, data_terms.py."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.corpus.manifest import Manifest
    from evalgate.corpus.mixture import Mixture


@click.group(
    cls=LazyGroup,
    members={
        "check": (
            "evalgate.cli.data_check:check",
            "look for leaks of gold, unusable terms and (--phi) people in training data",
        ),
        "import": ("evalgate.cli.data_terms:import_", "take a vendor's data in, under its terms"),
        "mix": (
            "evalgate.cli.data:mix",
            "choose which rows of which corpora are trained how often",
        ),
        "phi": (
            "evalgate.cli.phi:phi",
            "look for people in gold, runs, logs, reports and rows",
        ),
        "show": ("evalgate.cli.data:show", "what a corpus holds, and a page of sample rows"),
        "synthesize": ("evalgate.cli.data_synthesize:synthesize", "make synthetic examples"),
        "withdraw": (
            "evalgate.cli.data_terms:withdraw",
            "what depends on a vendor: rows, runs, models, releases",
        ),
    },
)
def data() -> None:
    """Training data: where it comes from, what may be done with it, how far it is from gold."""


@click.command()
@click.argument("corpus")
@click.option("--sample", type=click.IntRange(1, 10_000), help="write so many rows to --out")
@click.option("--out", type=click.Path(path_type=Path), help="FILE.html or FILE.md, for you alone")
@click.option("--seed", type=int, default=0, show_default=True, help="chooses the rows")
@verbose_option
def show(corpus: str, *, sample: int | None, out: Path | None, seed: int, verbose: bool) -> None:
    """What CORPUS (a name in data/ or a directory) holds, after checking every byte of it. Exit 5: it was changed."""
    del verbose
    from evalgate.corpus.files import verify

    if (sample is None) != (out is None) or (out and out.suffix not in {".html", ".md"}):
        raise click.UsageError("--sample N and --out FILE.html or FILE.md belong together.")
    path = _corpus(corpus)
    for line in _told(verify(path)):
        click.echo(line)
    if sample is not None and out is not None:
        from evalgate.corpus.sample import chosen, markdown, page
        from evalgate.corpus.writer import writable
        from evalgate.files import write_whole

        examples = chosen(path, sample, seed)
        title = f"{len(examples)} rows of {path.name}"
        told = (page if out.suffix == ".html" else markdown)(examples, title)
        with writable(out):
            write_whole(out, told.encode())
        click.echo(f"{out}: {title}, seed {seed}; it holds their full text")


def _corpus(name: str) -> Path:
    """A directory by its path, or by its name in the project's data/."""
    path = Path(name)
    return path if path.exists() or len(path.parts) > 1 else project_root() / "data" / name


def _told(manifest: Manifest) -> Iterator[str]:
    from evalgate.authored.problems import count

    yield f"{manifest.name}: {count(manifest.rows, 'row')} in {count(len(manifest.files), 'file')}, {manifest.digest}"
    made = manifest.made_with
    given = "".join(f" {name}={value}" for name, value in sorted(made.arguments.items()))
    yield f"made with: {made.command}{given} (evalgate {made.evalgate})"
    yield f"duplicates: {count(manifest.duplicates, 'row')} with the messages of an earlier one"
    for task, found in manifest.tasks.items():
        terms = ", ".join(
            f"{terms or 'none'} {rows / found.rows:.1%}"
            for terms, rows in sorted(found.terms.items())
        )
        yield f"{task}: {count(found.rows, 'row')}, {found.synthetic_share:.1%} synthetic; terms: {terms}"
    for name, value in sorted(manifest.figures.items()):
        yield f"{name}: {value}"


def _shares(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    del context, parameter
    shares = {}
    for text in given:
        task, _, share = text.rpartition("=")
        if not task or task in shares or not re.fullmatch(r"0?\.\d{1,9}|1(\.0{1,9})?", share):
            raise click.BadParameter(f"{text!r}: expected TASK=SHARE, each task once, as in policy_qa=0.3")  # fmt: skip
        shares[task] = share
    return shares


@click.command()
@click.argument("name")
@click.argument("more", metavar="", nargs=-1)
@click.option(
    "--from",
    "first",
    multiple=True,
    required=True,
    metavar="CORPUS..",
    help="names in data/ or directories",
)
@click.option(
    "--temperature",
    type=float,
    default=2.0,
    show_default=True,
    help="1: shares as they are; higher: more of small tasks",
)
@click.option(
    "--cap-repeats",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="how often a row may be used",
)
@click.option(
    "--max-share",
    multiple=True,
    callback=_shares,
    metavar="TASK=SHARE",
    help="no more of the rows than this; repeatable",
)
@click.option("--rows", type=click.IntRange(min=1), help="of the mixture [as many as there are]")
@click.option(
    "--part",
    default="1",
    show_default=True,
    metavar="1/2^K",
    help="of all units only these; smaller parts lie in larger ones",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    metavar="ARTIFACT",
    help="count tokens with that of a .gguf file or a directory [words]",
)
@verbose_option
def mix(
    name: str,
    more: tuple[str, ...],
    *,
    first: tuple[str, ...],
    tokenizer: Path | None,
    verbose: bool,
    **asked: Any,
) -> None:
    """Choose which rows of the corpora are trained, how often and in which order, and keep the list as data/mixtures/NAME.

    Equal corpora, options and seed give an equal list, whatever the order of the corpora.
    """
    del verbose
    from evalgate.corpus.counting import WORDS, counter
    from evalgate.corpus.files import load_manifest
    from evalgate.corpus.mix import Blend
    from evalgate.corpus.mixture import mix as mixed

    root = project_root()
    corpora = [_corpus(corpus) for corpus in (*first, *more)]
    total = sum(load_manifest(path).rows for path in corpora)
    with counter(tokenizer, root) as counting, _bar(total) as bar:
        found = mixed(
            root / "data", name, corpora, recipe=Blend(**asked), counter=counting, seen=bar.update
        )
    _tell_mixture(found)
    if found.tokens == WORDS:
        click.echo(
            "tokens are counted in words between spaces, which says little of text without spaces: see --tokenizer",
            err=True,
        )
    if asked["rows"] is None and asked["part"] == "1" and found.rows < total:
        click.echo(f"the caps allow {found.rows} rows of {total}", err=True)
    if missing := _decided(root) - found.tasks.keys():
        click.echo(
            f"no rows of {', '.join(sorted(missing))}, about which gate.toml decides", err=True
        )


def _bar(total: int) -> Any:
    """Rows done, of how many, and the time left, on a terminal."""
    hidden = not sys.stderr.isatty()
    return click.progressbar(
        length=total, label="rows", show_pos=True, file=sys.stderr, hidden=hidden
    )


def _tell_mixture(found: Mixture) -> None:
    click.echo(f"{found.name}: {found.rows} rows, {found.digest}")
    width = max(map(len, found.tasks))
    click.echo(
        f"{'task':{width}}  available     rows  share  at most  trained {found.tokens}, share"
    )
    for task, share in found.tasks.items():
        click.echo(
            f"{task:{width}}  {share.available:9}  {share.rows:7}  {share.row_share:5.1%}  {share.most_repeats:5} x  "
            f"{share.trained_tokens}, {share.trained_token_share:.1%}"
        )


def _decided(root: Path) -> set[str]:
    """The suites of gate.toml, as far as it can be read: whether it is right is not asked here."""
    from evalgate.authored import Problems, load_gate

    gate = load_gate(root / "gate.toml", root, Problems())
    return set(gate.suites) if gate is not None else set()
