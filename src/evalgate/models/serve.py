"""From a `[models.NAME]` table to a server that is asked: which bytes, and proof that these were served."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evalgate import digest
from evalgate.errors import IntegrityError, UsageError
from evalgate.models import llamacpp
from evalgate.models.endpoint import Endpoint
from evalgate.records import ModelIdentity, ModelSpec

ENDPOINT_CONCURRENCY = 16


def identify(name: str, spec: ModelSpec, root: Path) -> ModelIdentity:
    """Which model `name` is. `root` is the project's directory, below which artifacts are looked up.

    An artifact is known by the digest of its bytes. An endpoint is known by what it is called, which proves nothing:
    `verified` is then False.

    Raises UsageError: no such artifact (EG301), not a GGUF file (EG303), a server that this version does not run
    (EG304), no llama.cpp wheel (EG305), unusable args (EG306).
    """
    if spec.server == "endpoint":
        address = {"url": (spec.url or "").rstrip("/"), "name": spec.name, "family": spec.family}
        return ModelIdentity(
            name=name,
            digest=digest.of_value(address),
            server=spec.server,
            version="",
            verified=False,
        )
    path = _artifact(name, spec, root)
    chosen = llamacpp.options(spec.args, where=f"evalgate.toml: [models.{name}]")
    llamacpp.check_file(path, where=spec.artifact or name)
    return ModelIdentity(
        name=name,
        digest=digest.of_file(path),
        server=spec.server,
        version=llamacpp.version(),
        args=chosen.deciding,
    )


@contextmanager
def serving(
    name: str, spec: ModelSpec, root: Path, identity: ModelIdentity, log_dir: Path
) -> Iterator[tuple[Endpoint, Callable[[], None]]]:
    """Yields where the model is asked and a function that raises if its server has died.

    A server that evalgate runs is started here and stopped at the end, and its artifact must be the identified bytes
    before, and untouched after. The endpoint has been asked once and serves the model.

    Raises what `identify` raises, UsageError (EG307: no key), InfrastructureError (EG310 to EG323), IntegrityError
    (EG330: the artifact is not what was identified or has changed meanwhile).
    """
    from evalgate.models.client import check_endpoint

    if spec.server == "endpoint":
        endpoint = _endpoint(name, spec)
        check_endpoint(endpoint)
        yield endpoint, lambda: None
        return
    path, where = _artifact(name, spec, root), spec.artifact or name
    chosen = llamacpp.options(spec.args, where=f"evalgate.toml: [models.{name}]")
    llamacpp.check_file(path, where=where)
    llamacpp.version()
    before = _state(path)
    if digest.of_file(path) != identity.digest:
        raise _changed(where, "since it was identified")
    try:
        with llamacpp.serve(
            path,
            name,
            chosen,
            log_dir / f"{name}.log",
            where=where,
            concurrency=spec.concurrency,
            timeout_s=spec.timeout_s,
            patience_s=spec.patience_s,
        ) as (endpoint, process):

            def alive() -> None:
                process.alive()
                if _state(path) != before:
                    raise _changed(where, "while it was served")

            check_endpoint(endpoint, alive=alive)
            yield endpoint, alive
    finally:
        if _state(path) != before:
            raise _changed(where, "while it was served")


def _artifact(name: str, spec: ModelSpec, root: Path) -> Path:
    """The artifact's path. Raises UsageError (EG301, EG304)."""
    if spec.server != "llamacpp":
        raise UsageError(
            f"found server = {spec.server!r}, expected llamacpp or endpoint: this version runs no other. "
            "Serve the model yourself and name it as an endpoint, or convert it to GGUF.",
            where=f"evalgate.toml: [models.{name}]",
            code="EG304",
        )
    path = root / (spec.artifact or "")
    if spec.artifact is None or not path.exists():
        from evalgate.models.packaged import PACKAGED

        packages = [p.name for p in PACKAGED.values() if p.target == spec.artifact]
        advice = (
            f"Run 'evalgate models import {packages[0]}'."
            if packages
            else "Put the weights there or correct the path."
        )
        raise UsageError(
            f"found nothing, expected the weights of {name}. {advice}",
            where=spec.artifact or f"evalgate.toml: [models.{name}]",
            code="EG301",
        )
    return path


def _endpoint(name: str, spec: ModelSpec) -> Endpoint:
    where = f"evalgate.toml: [models.{name}]"
    if spec.url is None or spec.name is None:
        raise UsageError(
            "found no url or no name, expected both. Add them.", where=where, code="EG307"
        )
    key = None
    if spec.api_key_env is not None:
        key = os.environ.get(spec.api_key_env)
        if not key or not key.isascii() or not key.isprintable():
            raise UsageError(
                f"found no usable key in the environment variable {spec.api_key_env}, expected one. Set it.",
                where=where,
                code="EG307",
            )
    return Endpoint(
        url=spec.url.rstrip("/"),
        name=spec.name,
        api_key=key,
        concurrency=spec.concurrency or ENDPOINT_CONCURRENCY,
        timeout_s=spec.timeout_s,
        patience_s=spec.patience_s,
    )


def _state(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is edited, replaced or swapped back; None if it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _changed(where: str, when: str) -> IntegrityError:
    return IntegrityError(
        f"found that the weights have changed {when}, expected the same bytes. "
        "Leave them alone and start again: answers of other bytes are kept apart.",
        where=where,
        code="EG330",
    )
