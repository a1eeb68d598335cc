"""`evalgate explain CODE`."""

from __future__ import annotations

import click


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """What an error CODE means, why it matters, and what to do; without CODE, the list of them."""
    from evalgate.authored import explain as look_up
    from evalgate.authored import known_codes
    from evalgate.errors import UsageError

    if code is None:
        for known in known_codes():
            found = look_up(known)
            click.echo(f"{known}  {found[0] if found else ''}")
        return
    found = look_up(code.upper())
    if found is None:
        raise UsageError(
            f"found no code {code!r}, expected one like EG101. Run 'evalgate explain' for the list."
        )
    title, text = found
    click.echo(f"{code.upper()}  {title}\n\n{text}")
