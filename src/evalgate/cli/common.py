"""What several commands share: finding the project."""

from __future__ import annotations

from pathlib import Path

import click

verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="show tracebacks of internal errors"
)


def project_root() -> Path:
    """The directory of the nearest evalgate.toml upward. Raises UsageError."""
    from evalgate.authored import find_project

    return find_project(Path.cwd())
