"""A manifest of a run that nobody asked, for tests of the store."""

from __future__ import annotations

from evalgate.records import ModelIdentity, Sampling
from evalgate.store import Manifest


def manifest(items: int = 10, **changes) -> Manifest:
    identity = ModelIdentity(name="m", digest="sha256:aa", server="endpoint", version="1")
    values = {
        "suite": "s",
        "gold": "sha256:bb",
        "items": items,
        "prompt": "sha256:cc",
        "parser": "text",
        "model": identity,
        "sampling": Sampling(),
    }
    return Manifest(**{**values, **changes})
