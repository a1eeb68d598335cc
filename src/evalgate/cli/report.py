"""`evalgate report`: a decision that was kept, rendered again, with what people have signed since."""

from __future__ import annotations

from pathlib import Path

import click

from evalgate.cli.common import project_root, verbose_option


@click.command()
@click.argument("decision", required=False)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["html", "junit", "md", "json", "card"]),
    default="md",
    show_default=True,
    help="one page, JUnit XML, Markdown for job summaries, the decision object, or a model card (README.md) in Hugging Face form",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="a file for it")
@verbose_option
def report(decision: str | None, *, format_: str, out: Path | None, verbose: bool) -> None:
    """Render a kept DECISION again, on stdout or into a file. Nothing is asked and nothing decided.

    DECISION is the path of one of its files, its name in reports/decisions or the beginning of it, or a model, which
    means its latest decision. Default: the latest of all. Exit 0 whatever was decided; 5 if the files were edited.
    """
    del verbose
    from evalgate.errors import UsageError
    from evalgate.gate.certify import check_kept
    from evalgate.gate.record import FORMATS, find, read, render, write
    from evalgate.release.register import register

    root = project_root()
    kept = read(find(root, decision))
    check_kept(kept.decision, kept.evidence, root)
    signatures = register(root, kept.decision)
    if format_ == "card":
        from evalgate.gate.card import model_card

        text = model_card(kept, root, signatures)
    else:
        text = render(kept, root, next(f for f in FORMATS if f == format_), signatures)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        write(out, text)
    except OSError as e:
        raise UsageError(
            f"found that nothing can be written there ({e.strerror or type(e).__name__}), expected a writable place. "
            "Name another file, or make its directory.",
            where=str(out),
            code="EG514",
        ) from None
