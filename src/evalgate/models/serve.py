"""From a [models.NAME] table to an identity and a server that answers as that model."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from evalgate import digest
from evalgate.errors import UsageError
from evalgate.models.client import check_endpoint
from evalgate.models.endpoint import Endpoint
from evalgate.records import ModelIdentity, ModelSpec


def identify(name: str, spec: ModelSpec, root: Path) -> ModelIdentity:
    """Who will answer. An endpoint's identity is its url, name and family, which nobody can verify."""
    del root
    if spec.server == "endpoint":
        return ModelIdentity(
            name=name,
            digest=digest.of_value({"url": spec.url, "name": spec.name, "family": spec.family}),
            server="endpoint",
            version="",
            verified=False,
        )
    raise UsageError(f"found server {spec.server!r}, expected llamacpp or endpoint.", where=name)


@contextlib.contextmanager
def serving(
    name: str, spec: ModelSpec, root: Path, identity: ModelIdentity, log_dir: Path
) -> Iterator[tuple[Endpoint, Callable[[], None]]]:
    """A server that answers as `identity` says, for the life of the context."""
    del name, root, identity, log_dir
    assert spec.url is not None
    assert spec.name is not None
    endpoint = Endpoint(
        url=spec.url,
        name=spec.name,
        api_key=os.environ.get(spec.api_key_env) if spec.api_key_env else None,
        concurrency=spec.concurrency or 32,
        timeout_s=spec.timeout_s,
        patience_s=spec.patience_s,
    )
    check_endpoint(endpoint)
    yield endpoint, lambda: None
