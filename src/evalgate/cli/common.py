"""What several commands share: finding the project, and -v."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evalgate.suite import Project

verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="show tracebacks of internal errors"
)


def refuse_one_sided(project: Project) -> None:
    """Prints rows without tests, tests without rows and suites without tables, and ends with 1: the gate would be closed."""
    from evalgate.gate.two_way import two_way_check

    found = two_way_check(project, None)
    for bypass in found:
        click.echo(str(bypass), err=True)
    if found:
        raise click.exceptions.Exit(1)


def project_root() -> Path:
    """The directory of the nearest evalgate.toml upward. Raises UsageError."""
    from evalgate.authored import find_project

    return find_project(Path.cwd())
