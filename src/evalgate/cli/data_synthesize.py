"""`evalgate data synthesize`: a corpus of made examples, and how varied they are."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.corpus.manifest import Manifest
    from evalgate.corpus.rewriting import Rewriter, Rewritten
    from evalgate.corpus.writer import Writer
    from evalgate.gate.synthesis_judge import Verifier

_EVERY = 5.0  # seconds between two lines of progress
_SHOWN = 25  # rows of a sample page

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--out", required=True, type=_PATH, help="the new corpus, data/NAME")
@click.option("--rows", required=True, type=click.IntRange(min=1), help="how many examples")
@click.option("--task", "tasks", multiple=True, help="only this task; may be given again")
@click.option("--share", "shares", multiple=True, metavar="TASK=S", help="weight of a task (1)")
@click.option("--seed", default=0, type=click.IntRange(min=0), help="another seed, other rows (0)")
@click.option(
    "--processes", default=2, type=click.IntRange(1, 64), help="make rows in so many processes (2)"
)
@click.option("--model", help="a model of evalgate.toml that tells rows in other words")
@click.option(
    "--rewrite-share", "share", default=0.2, type=click.FloatRange(0, 1), help="of the rows (0.2)"
)
@click.option("--judge", help="the judge of evalgate.toml, asked about what code has passed")
@click.option(
    "--criterion",
    "criteria",
    multiple=True,
    metavar="SUITE:CRITERION",
    help="what the judge is asked; may be given again",
)
@click.option("--from", "parent", type=_PATH, help="tell rows of this corpus, with --model")
@click.option("--sample-page", type=_PATH, help="write some rows as a page for people")
@verbose_option
def synthesize(
    *,
    out: Path,
    rows: int,
    tasks: tuple[str, ...],
    shares: tuple[str, ...],
    seed: int,
    processes: int,
    model: str | None,
    share: float,
    judge: str | None,
    criteria: tuple[str, ...],
    parent: Path | None,
    sample_page: Path | None,
    verbose: bool,
) -> None:
    """Make a corpus of ROWS examples whose answers are right by construction.

    The same arguments give the same bytes, in however many processes. With --model a share of the rows is told in other
    words; what loses or changes a fact is dropped, and the row stays as it was. With --from the model tells rows of
    another corpus instead, ROWS times, and what is dropped is not there. With --judge, whom clinicians' labels must have
    shown to decide each --criterion, what the model wrote is kept only if code and the judge find it in order.
    """
    del verbose
    if parent is not None and (model is None or tasks or shares):
        raise click.UsageError("--from needs --model, and takes neither --task nor --share.")
    if (judge is not None) != bool(criteria) or (judge is not None and model is None):
        raise click.UsageError(
            "--judge needs --model and --criterion, and --criterion needs --judge."
        )
    order = _Order(project_root(), out.absolute(), rows, seed, model, judge, criteria)
    with ExitStack() as stack:
        if parent is None:
            weights = dict(map(_weight, shares))
            writer = _made(stack, order, tasks, weights, processes=processes, share=share)
        else:
            writer = _derived(stack, order, parent)
    _print(writer.manifest)
    if sample_page is not None:
        _write_page(writer, sample_page, seed)


class _Order(NamedTuple):
    """What every corpus is made with: the project, where to, how many rows, the seed, who tells them anew, who judges that."""

    root: Path
    out: Path
    rows: int
    seed: int
    model: str | None
    judge: str | None
    criteria: tuple[str, ...]

    def writer(self, stack: ExitStack, arguments: dict[str, Any]) -> Writer:
        """Where rows are written; the corpus is there when `stack` closes."""
        from evalgate.corpus.writer import Writer

        path = self.out
        return stack.enter_context(
            Writer(path.parent, path.name, command="data synthesize", arguments=arguments)
        )

    def rewriter(
        self, stack: ExitStack, tasks: Collection[str]
    ) -> tuple[Rewriter | None, dict[str, Any]]:
        """The model, served until `stack` closes, and what of it and of the judge can change a row; None without one."""
        if self.model is None:
            return None, {}
        from evalgate.authored import Problems, load_settings
        from evalgate.corpus.rewriting import Rewriter
        from evalgate.corpus.synthesis_corpus import clinical_terms

        problems = Problems()
        settings = load_settings(self.root / "evalgate.toml", self.root, problems)
        problems.raise_if_any()
        assert settings is not None
        verifier = self._verifier(stack, self.model, tasks)
        rewriter = Rewriter(
            self.model,
            settings.model(self.model),
            self.root,
            seed=self.seed,
            terms=clinical_terms(),
            told=_Told(f"{self.model} told", "texts of this block"),
            second=verifier,
        )
        judged = verifier.arguments if verifier else {}
        return stack.enter_context(rewriter), {**rewriter.arguments, **judged}

    def _verifier(
        self, stack: ExitStack, generator: str, tasks: Collection[str]
    ) -> Verifier | None:
        """The judge, served until `stack` closes; None without one."""
        if self.judge is None:
            return None
        from evalgate.gate.synthesis_judge import Verifier, admitted
        from evalgate.suite import load_project

        project = load_project(self.root)
        judge, bars = admitted(project, self.judge, generator, self.criteria, tasks)
        told = _Told(f"{self.judge} gave", "verdicts on this block")
        return stack.enter_context(Verifier(project, judge, bars, told=told))


def _made(
    stack: ExitStack,
    order: _Order,
    tasks: tuple[str, ...],
    weights: dict[str, float],
    *,
    processes: int,
    share: float,
) -> Writer:
    """Rows of the templates, some of them told anew."""
    from evalgate.corpus.synthesis import TASKS, makers, shared_out
    from evalgate.corpus.synthesis_corpus import write_made

    chosen = tuple(dict.fromkeys(tasks)) or TASKS
    found = makers(order.root, chosen)
    counts = shared_out(order.rows, chosen, weights)
    arguments: dict[str, Any] = {
        "rows": counts,
        "seed": order.seed,
        "templates": {m.task: m.template for m in found},
        "prompts": {m.task: m.prompt.digest for m in found},
    }
    rewriter, told_by = order.rewriter(stack, chosen)
    if rewriter is not None:
        arguments |= {"share": share, **told_by}
    writer = order.writer(stack, arguments)
    write_made(
        writer,
        found,
        counts,
        seed=order.seed,
        processes=processes,
        rewriter=rewriter,
        share=share,
        told=_Told("made", "rows"),
    )
    return writer


def _derived(stack: ExitStack, order: _Order, parent: Path) -> Writer:
    """Rows of another corpus, told anew."""
    import datetime as dt

    from evalgate.corpus.synthesis_corpus import write_derived
    from evalgate.corpus.synthesis_vendor import admitted, derived

    base = admitted(parent, order.root, on=dt.datetime.now().astimezone().date())
    rewriter, told_by = order.rewriter(stack, base.tasks)
    assert rewriter is not None
    arguments = {"rows": order.rows, "seed": order.seed, "from": base.digest}
    writer = order.writer(stack, {**arguments, **told_by})
    examples = derived(parent, order.rows, seed=order.seed, rewriter=rewriter)
    write_derived(writer, examples, rewriter)
    return writer


def _weight(text: str) -> tuple[str, float]:
    """TASK=S."""
    task, _, value = text.partition("=")
    try:
        return task, float(value)
    except ValueError:
        raise click.UsageError(f"--share: found {text!r}, expected TASK=NUMBER.") from None


class _Told:
    """Progress on stderr, a line every few seconds: done, total, time left."""

    def __init__(self, did: str, what: str) -> None:
        self._did = did
        self._what = what
        self._task = ""
        self._started = self._last = time.monotonic()

    def __call__(self, task: str, done: int, total: int) -> None:
        now = time.monotonic()
        if task != self._task or done == 1:
            self._task, self._started = task, now
        if now - self._last < _EVERY or done in (1, total):
            return
        self._last = now
        left = (now - self._started) / (done - 1) * (total - done)  # since the first one
        line = f"{task}: {self._did} {done:,} of {total:,} {self._what}, about {left:.0f} s left"
        click.echo(line, err=True)


def _print(manifest: Manifest) -> None:
    from evalgate.corpus.synthesis_corpus import figures_of

    click.echo(f"{manifest.name}: {manifest.rows:,} rows, {manifest.digest}")
    for task, made in figures_of(manifest).items():
        d = made.diversity
        grid = (f"{k} {s.evenness:.2f} of {s.values:,}" for k, s in d.grid.items())
        lines = {
            "words": f"input {_lengths(d.input_words)}; answer {_lengths(d.answer_words)}",
            "distinct-1..4": f"{' '.join(f'{x:.3f}' for x in d.distinct)} of {d.tokens:,} tokens",
            "type-token": f"{d.type_token:.3f} in windows of 500",
            "grid": f"{d.cells:,} cells, {d.bits:.1f} bits; evenness {', '.join(grid) or 'unknown'}",
            "duplicates": f"{made.redrawn} drawn again; {d.near_duplicates} of {d.sampled} sampled rows have a near one",
            "likeness": f"{d.likeness:.3f} on average, {d.nearest:.3f} to the most alike",
        }
        if made.rewritten is not None:
            lines["told anew"] = _told_anew(made.rewritten)
        share = manifest.tasks[task].synthetic_share
        click.echo(f"\n{task}  {d.rows:,} rows, {share:.0%} synthetic")
        for name, said in lines.items():
            click.echo(f"  {name:<15}{said}")


def _told_anew(told: Rewritten) -> str:
    dropped = sorted(told.dropped.items(), key=lambda d: (-d[1], d[0]))
    why = f"; dropped: {', '.join(f'{n} {reason}' for reason, n in dropped)}" if dropped else ""
    return f"{told.kept} of {told.chosen} kept{why}"


def _lengths(words: Any) -> str:
    return f"{words.fewest} / {words.p5} / {words.median} / {words.p95} / {words.most}"


def _write_page(writer: Writer, path: Path, seed: int) -> None:
    from evalgate.corpus.sample import chosen, page
    from evalgate.errors import InfrastructureError
    from evalgate.files import write_whole

    text = page(chosen(writer.path, _SHOWN, seed), f"Sample of {writer.manifest.name}")
    try:
        write_whole(path, text.encode())
    except OSError as e:
        raise InfrastructureError(
            f"found that the page cannot be written ({e.strerror}), expected room and permission. The corpus is there; "
            "'evalgate data show' writes the page.",
            where=str(path),
            code="EG898",
        ) from None
    click.echo(f"\nsample page: {path}")
