"""What the tests of the client share: questions, an endpoint, and asking it."""

from __future__ import annotations

import gc
import socket
from collections import Counter

import pytest
from scripted import Response

from evalgate.errors import InfrastructureError
from evalgate.models import Endpoint, ask_all
from evalgate.records import Reply, Sampling

PROMPT = "Mrs. Example, member 17, was given amoxicillin 500 mg on the third day of her stay."


def question(i: int) -> list[dict]:
    return [{"role": "system", "content": "Answer."}, {"role": "user", "content": f"question {i}"}]


def number(messages: list[dict]) -> int:
    return int(messages[-1]["content"].split()[-1])


def endpoint(url: str, **fields) -> Endpoint:
    defaults = {"name": "m", "concurrency": 4, "timeout_s": 10.0, "patience_s": 5.0}
    return Endpoint(url=url, **defaults | fields)


def ask(
    server_or_url, n: int = 1, sampling: Sampling | None = None, alive=None, **fields
) -> dict[int, Reply]:
    url = server_or_url if isinstance(server_or_url, str) else server_or_url.url
    landed: dict[int, Reply] = {}

    def land(ordinal: int, reply: Reply) -> None:
        assert ordinal not in landed
        landed[ordinal] = reply

    requests = ((i, question(i)) for i in range(n))
    ask_all(endpoint(url, **fields), requests, sampling or Sampling(), land, alive=alive)
    gc.collect()  # whatever was left open warns here, and a warning is an error
    return landed


def refusal(server_or_url, n: int = 1, **fields) -> InfrastructureError:
    with pytest.raises(InfrastructureError) as caught:
        ask(server_or_url, n, **fields)
    gc.collect()
    return caught.value


class Then:
    """Answers the first requests for each question with these, and then with "ok"."""

    def __init__(self, *first: Response) -> None:
        self.first = first
        self.seen: Counter[str] = Counter()

    def __call__(self, messages: list[dict], payload: dict) -> Response | str:
        asked = messages[-1]["content"]
        self.seen[asked] += 1
        return self.first[self.seen[asked] - 1] if self.seen[asked] <= len(self.first) else "ok"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
