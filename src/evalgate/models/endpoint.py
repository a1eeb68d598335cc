"""Where a model is asked: a value, without any HTTP in it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from evalgate.records import Record


class Endpoint(Record):
    """An OpenAI-compatible server: `url` is the base (usually ending in /v1), `name` the `model` field of requests.

    `concurrency`: most requests in flight, >= 1. `timeout_s`: one attempt, from connecting to the last byte.
    `patience_s`: how long failures without any success are borne before the server counts as out of order.
    `fields`: what every request holds besides. `probe`: the address that tells whether the server lives, where its
    list of models does not.
    """

    url: str
    name: str
    api_key: str | None = None
    concurrency: int = 16
    timeout_s: float = 300.0
    patience_s: float = 60.0
    fields: Mapping[str, Any] = MappingProxyType({})
    probe: str | None = None

    def __repr__(self) -> str:  # the key must not reach a log
        key = "none" if self.api_key is None else "set"
        return f"<Endpoint {self.name} at {self.url}, key {key}>"

    def at(self, path: str) -> str:
        """The address of a resource below the base, such as "chat/completions"."""
        return f"{self.url.rstrip('/')}/{path}"
