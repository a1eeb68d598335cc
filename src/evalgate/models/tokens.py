"""How many tokens a conversation has: asked of the server, or of the model's own tokenizer in the server's environment.

Every question is counted before the first one is asked, and every answer must say that its server read as many. So
nothing that is too long is asked, and nothing is cut in silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.models.endpoint import Endpoint
from evalgate.models.process import cleaned_environment
from evalgate.records import Message, Problem, Reply

if TYPE_CHECKING:
    from evalgate.models.transport import Wire

BATCH = 8  # conversations that are counted at once

Conversation = Sequence[Message]
Count = Callable[[Iterable[Conversation]], Iterator[int]]


class Context(NamedTuple):
    """What fits into one request. `limit`: tokens of prompt and answer together. `advice(needed)`: how to make room."""

    limit: int
    counted: Count
    advice: Callable[[int], str]

    def measured(self, questions: Iterable[tuple[int, Conversation]], items: int) -> array[int]:
        """Tokens of each question's prompt by ordinal; 0 for items that are not asked."""
        counts = array("l", [0]) * items
        ordinals: list[int] = []

        def conversations() -> Iterator[Conversation]:
            for ordinal, messages in questions:
                ordinals.append(ordinal)
                yield messages

        for index, count in enumerate(self.counted(conversations())):
            counts[ordinals[index]] = count
        return counts

    def too_long(
        self, counts: Sequence[int], max_tokens: int, *, path: str, name: Callable[[int], str]
    ) -> Problem | None:
        """What to tell if the longest prompt and its answer do not fit (EG350). `name(ordinal)`: the item's id."""
        longest = max(range(len(counts)), key=counts.__getitem__, default=None)
        if longest is None or counts[longest] + max_tokens <= self.limit:
            return None
        needed = counts[longest] + max_tokens
        many = sum(count + max_tokens > self.limit for count in counts if count)
        others = f"; {many} items are too long" if many > 1 else ""
        return Problem(
            path=path,
            line=longest + 1,
            code="EG350",
            message=f"found that item {name(longest)} needs {needed} tokens ({counts[longest]} of prompt, {max_tokens} of "
            f"answer), expected at most {self.limit}{others}. {self.advice(needed)}",
        )


def check_read(reply: Reply, counted: int, *, where: str) -> None:
    """Returns if the server read as many tokens as were counted. Raises IntegrityError (EG351) if not."""
    if reply.finish != "timeout" and reply.prompt_tokens != counted:
        raise IntegrityError(
            f"found that the server read {reply.prompt_tokens} tokens, expected {counted}, as counted before: it cut "
            "the prompt or rendered another one. Answers to other prompts are not evidence; see docs/models.md.",
            where=where,
            code="EG351",
        )


async def _exchange(wire: Wire, endpoint: Endpoint, path: str, body: Any) -> tuple[int, Any]:
    from evalgate.models.transport import Unreachable

    try:
        async with asyncio.timeout(endpoint.timeout_s):
            answer = await wire.other(path, None if body is None else msgspec.json.encode(body))
        return answer.status, msgspec.json.decode(answer.body)
    except (TimeoutError, msgspec.DecodeError, *Unreachable) as e:
        raise unusable(endpoint, path, type(e).__name__) from None


def unusable(endpoint: Endpoint, path: str, what: str) -> InfrastructureError:
    """The error of a check that could not be made (EG352)."""
    return InfrastructureError(
        f"found no usable answer to a check ({what} at {path}), expected one: nothing is asked of a server that cannot "
        "be checked. See its log in reports/logs, then start again.",
        where=endpoint.url,
        code="EG352",
    )


def exchanged(
    endpoint: Endpoint, path: str, bodies: Iterable[Any] = (None,)
) -> Iterator[tuple[int, Any]]:
    """The status and JSON value of a POST of each body to `path` (None: of a GET), in order; a few at once.

    `path` is relative to the endpoint's url ("../tokenize"). Raises InfrastructureError (EG352).
    """
    rest = iter(bodies)
    with asyncio.Runner() as runner:
        from evalgate.models.transport import Wire

        wire = runner.run(Wire(endpoint).__aenter__())

        async def batch(found: list[Any]) -> list[tuple[int, Any]]:
            return await asyncio.gather(*(_exchange(wire, endpoint, path, b) for b in found))

        try:
            while found := list(itertools.islice(rest, BATCH)):
                yield from runner.run(batch(found))
        finally:
            runner.run(wire.__aexit__(None, None, None))


def counted_by(endpoint: Endpoint, path: str, field: str, fields: Mapping[str, Any]) -> Count:
    """A count that the server makes itself: `field` of its answer to {"messages": .., **fields} at `path`."""

    def count(conversations: Iterable[Conversation]) -> Iterator[int]:
        bodies = ({**fields, "messages": c} for c in conversations)
        for status, value in exchanged(endpoint, path, bodies):
            if status in {400, 422}:
                raise refused(endpoint.url)
            found = value.get(field) if status == 200 and isinstance(value, dict) else None
            if not isinstance(found, int):
                raise unusable(endpoint, path, f"status {status}")
            yield found

    return count


def refused(where: str) -> UsageError:
    """The error of a conversation that the model's template does not take (EG353)."""
    return UsageError(
        "found a conversation that the model's chat template refuses, expected one of roles that it knows. Change the "
        "prompt's turns (some models know no system message), or serve another model.",
        where=where,
        code="EG353",
    )


class Tokenizer:
    """A model's own tokenizer, at work in another Python (see tokens_script.py)."""

    def __init__(
        self, process: subprocess.Popen[bytes], template: Mapping[str, Any], where: str
    ) -> None:
        self._process = process
        self._template = template
        self._where = where

    def ids(self, messages: Conversation) -> list[int] | None:
        """Token ids of a conversation, None if the template refuses it. Raises InfrastructureError (EG352)."""
        asked = msgspec.json.encode({"messages": messages, "template": self._template})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(asked + b"\n")
            self._process.stdin.flush()
            told = msgspec.json.decode(self._process.stdout.readline())
        except (OSError, msgspec.DecodeError):
            raise InfrastructureError(
                "found that the model's tokenizer cannot be run in the server's environment, expected its counts. "
                "See the .tokens.log file in reports/logs; tokenizer.json may be missing or damaged.",
                where=self._where,
                code="EG352",
            ) from None
        found: list[int] | None = told.get("ids")
        return found

    def count(self, conversations: Iterable[Conversation]) -> Iterator[int]:
        """Tokens of each conversation. Raises UsageError (EG353) where the template refuses one."""
        for messages in conversations:
            ids = self.ids(messages)
            if ids is None:
                raise refused(self._where)
            yield len(ids)


@contextmanager
def tokenizer(
    python: Path, directory: Path, template: Mapping[str, Any], log_path: Path, *, where: str
) -> Iterator[Tokenizer]:
    """Starts the tokenizer of the model in `directory`; it ends with the block, and with evalgate."""
    try:
        process = _started(python, directory, log_path)
    except OSError as e:
        raise InfrastructureError(
            f"found that the tokenizer's log or process cannot be made ({e.strerror}), expected both. Free space or permissions.",
            where=str(log_path),
            code="EG335",
        ) from e
    try:
        yield Tokenizer(process, template, where)
    finally:
        process.kill()
        with (
            contextlib.suppress(OSError),
            process,
        ):  # what it did not read cannot be written at the end either
            pass


def _started(python: Path, directory: Path, log_path: Path) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("tokens_script.py")
    log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - evalgate.toml is trusted
            [str(python), "-I", str(script), str(directory.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=cleaned_environment(os.environ),
            start_new_session=True,
        )
    finally:
        os.close(log)
