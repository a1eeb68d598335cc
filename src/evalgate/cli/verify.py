"""`evalgate verify` and `evalgate serve`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from evalgate.cli.common import project_root, verbose_option


@click.command()
@click.argument("target")
@click.option(
    "--artifact",
    type=click.Path(path_type=Path),
    help="where the model's files are, if not where they were",
)
@click.option(
    "--keys", type=click.Path(path_type=Path), help="a keys.toml to trust instead of the project's"
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="a gate.toml of your own that the findings must meet, too",
)
@click.option(
    "--json", "as_json", is_flag=True, help="one JSON object, and nothing else, on stdout"
)
@verbose_option
def verify(
    target: str,
    artifact: Path | None,
    keys: Path | None,
    policy: Path | None,
    *,
    as_json: bool,
    verbose: bool,
) -> None:
    """Verify a certificate's file, or the latest certificate of a model: signature, ledger, decision, validity, bytes.

    Exit 0 only if all of it holds and the decision is open; 1 closed or expired, 3 undecided, 5 integrity. Works offline, and
    outside of a project with --keys and --artifact.
    """
    del verbose
    from evalgate.cli.promote import tell_checks
    from evalgate.errors import UsageError
    from evalgate.release.verify import verify as look

    try:
        root: Path | None = project_root()
    except UsageError:
        root = None
    done = look(target, root=root, keys=keys, artifact=artifact, policy=policy)
    if as_json:
        import msgspec

        checks = msgspec.to_builtins(done.checks)
        known = done.found.certificate.model if done.found else None
        model = done.sealed.predicate.model if done.sealed else known
        value = {
            "schema": "evalgate.verification/1",
            "exit": done.exit,
            "model": model,
            "checks": checks,
        }
        click.echo(json.dumps(value))
    else:
        if done.found is not None:
            model = done.found.certificate.model
            predicate = done.found.certificate.predicate
            click.echo(f"{model['name']}  {model['digest']}")
            click.echo(f"issued {predicate.issued}  plan {predicate.decision['plan']}")
        if done.sealed is not None:
            told = done.sealed.predicate
            click.echo(f"{told.model['name']}  {told.model['digest']}")
            click.echo(f"issued {told.issued}  plan {told.plan}")
        tell_checks(done.checks)
        click.echo("verified" if not done.exit else f"not verified (exit {done.exit})")
    if done.exit:
        raise click.exceptions.Exit(done.exit)


@click.command()
@click.argument("alias", default="production")
@verbose_option
def serve(alias: str, *, verbose: bool) -> None:
    """Verify what ALIAS stands for to the last byte, then serve exactly that until Ctrl-C or SIGTERM. The ledger says from when to when.

    Prints one JSON object with the address and the file that holds the key. Exit 0 after SIGTERM, which is how service
    managers end what they have started.
    """
    del verbose
    from evalgate.release.serve import admitted

    root = project_root()
    signal.signal(signal.SIGTERM, _done)
    with admitted(root, alias) as (promoted, server):
        secret = root / "reports" / "serving" / f"{alias}.key"
        secret.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:  # from before the file is there: a signal may come at any moment
            with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
                f.write(f"{server.endpoint.api_key or ''}\n")
            told = {
                "alias": alias,
                "model": promoted.model,
                "digest": promoted.digest,
                "url": server.endpoint.url,
                "name": server.endpoint.name,
                "key_file": secret.relative_to(root).as_posix(),
            }
            click.echo(json.dumps(told))
            sys.stdout.flush()
            while True:
                time.sleep(1.0)
                server.alive()
        finally:
            secret.unlink(missing_ok=True)


def _done(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise click.exceptions.Exit(0)
