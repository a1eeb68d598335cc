"""Asking a model many questions: a fixed pool of workers, bounded patience, and nothing lost on the way.

What can happen to one attempt, and what follows:

    an answer                        lands
    busy         429, 503, 529       again after Retry-After or a growing pause; many of them slow the pace
    unreachable  no connection, a connection cut, 408, 425, 502, 504        the same
    bad          any other 5xx, or 200 without a completion                 the same, at most 8 per item
    too late     no whole answer in timeout_s    once more; then the server is probed: alive, the item lands as a
                                                 timeout (a wrong answer); silent, it is an outage
    refused      any other 4xx, a redirect, another model's answer          an error at once: asking again is no help
    too long     a 4xx that speaks of the context's length                  a usage error at once

An outage is an InfrastructureError, never a score: the run keeps what has landed and resumes.
"""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from evalgate.errors import InfrastructureError, UsageError
from evalgate.models import wire
from evalgate.models.endpoint import Endpoint
from evalgate.models.pace import Pace
from evalgate.records import Message, Reply, Sampling, Try

if TYPE_CHECKING:
    from evalgate.models.transport import Answered, Wire

BAD_MOST = 8  # bad answers to one item
LATE_MOST = 2  # attempts at one item that may run into the deadline
PAUSE_S = 0.25  # first pause; doubled each time
PAUSE_MOST_S = 8.0
EAGER = 3  # attempts for which "Retry-After: 0" is taken at its word
PROBE_S = 10.0
HELD_S = 1.0  # a request in flight for longer than this is being worked on
TICK_S = 1.0

Alive = Callable[[], None]


class Failure(NamedTuple):
    """An attempt that is worth another. `error` names it without the server's or the prompt's words."""

    kind: Literal["busy", "unreachable", "bad"]
    error: str
    retry_after: float | None = None


def ask_all(
    endpoint: Endpoint,
    requests: Iterable[tuple[int, Sequence[Message]]],
    sampling: Sampling,
    land: Callable[[int, Reply], None],
    *,
    alive: Alive | None = None,
    extra: Callable[[int], Mapping[str, Any]] | None = None,
) -> None:
    """Asks every request and calls `land(ordinal, reply)` as answers come, in the order they come.

    `requests` is pulled lazily: at most `endpoint.concurrency` of them are out and not landed. `land` and `alive` are
    called between requests and must not block for long. `alive` is called once a second and whenever a connection
    fails; it raises if the server that evalgate started has died. `extra(ordinal)`: what that request holds besides.

    Raises InfrastructureError (EG310 to EG316), UsageError (EG355: a question does not fit), and whatever `requests`, `land` or `alive` raises, after every
    request in flight has been cancelled.
    """

    async def run() -> None:
        from evalgate.models.transport import Wire

        async with Wire(endpoint) as connections:
            asking = _Asking(endpoint, connections, sampling, land, alive or _always, extra=extra)
            await asking.run(requests)

    asyncio.run(run())


def check_endpoint(endpoint: Endpoint, *, alive: Alive | None = None) -> None:
    """Asks the server which models it serves, and returns if `endpoint.name` is among them or it does not say.

    Raises InfrastructureError: unreachable for `patience_s` (EG310), refused (EG311), another model (EG312).
    """

    async def run() -> None:
        from evalgate.models.transport import Wire

        async with Wire(endpoint) as connections:
            await _check(endpoint, connections, alive or _always)

    asyncio.run(run())


def _always() -> None:
    """A server that someone else runs: only its answers tell whether it lives."""


class _Patience:
    """When failures without any success have lasted too long."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._since: float | None = None

    def refill(self) -> None:
        self._since = None

    def spend(self, failure: Failure) -> float:
        """Notes a failure. Returns the seconds left. Raises InfrastructureError if there are none."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        left = self._since + self._endpoint.patience_s - now
        if left <= 0:
            raise InfrastructureError(
                f"found no answer for {self._endpoint.patience_s:g} s (last seen: {failure.error}), expected some. "
                "See to the server, then start again: what has landed is kept.",
                where=self._endpoint.url,
                code="EG310",
            )
        return left


def _pause(failure: Failure, failures: int, left: float, patience_s: float) -> float:
    """Seconds to wait after the n-th failure in a row (n >= 1), within the `left` seconds of the patience."""
    most = min(PAUSE_MOST_S, patience_s / 8)
    growing = min(most, PAUSE_S * 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)
    if failure.retry_after is None:
        wait = growing
    elif failures <= EAGER:
        wait = failure.retry_after
    else:
        wait = max(failure.retry_after, growing)
    return min(wait, left + 0.01)


class _Asking:
    """One call of `ask_all`: its workers and what they know together."""

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Wire,
        sampling: Sampling,
        land: Callable[[int, Reply], None],
        alive: Alive,
        *,
        extra: Callable[[int], Mapping[str, Any]] | None,
    ) -> None:
        from evalgate.models.transport import Unreachable

        self._endpoint = endpoint
        self._wire = connections
        self._unreachable = Unreachable
        self._fields = {**endpoint.fields, **wire.sampling_fields(endpoint.name, sampling)}
        self._stop = sampling.stop
        self._land = land
        self._alive = alive
        self._extra = extra
        self._pace = Pace(endpoint.concurrency)
        self._patience = _Patience(endpoint)
        self._flights: dict[object, float] = {}  # start of each request in flight, oldest first
        self._late_in_a_row = 0
        self._held: list[tuple[int, Reply]] = []
        self._completed_at = time.monotonic()
        self._model_seen: str | None = None
        self._over = False

    async def run(self, requests: Iterable[tuple[int, Sequence[Message]]]) -> None:
        """Runs the workers until all is asked or one of them fails."""
        questions = iter(requests)
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()
        tasks = [loop.create_task(self._tick())]
        tasks += [
            loop.create_task(self._work(questions)) for _ in range(self._endpoint.concurrency)
        ]
        working = self._endpoint.concurrency

        def end(task: asyncio.Task[None]) -> None:
            nonlocal working
            working -= 1  # the clock never ends by itself
            error = None if task.cancelled() else task.exception()
            if finished.done():
                return
            if error is not None:
                finished.set_exception(error)
            elif not working:
                finished.set_result(None)

        for task in tasks:
            task.add_done_callback(end)
        try:
            await finished
            self._release()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, questions: Iterator[tuple[int, Sequence[Message]]]) -> None:
        try:
            for ordinal, messages in questions:
                try:
                    reply = await self._ask(ordinal, messages)
                except _TooLong:
                    raise self._too_long(ordinal) from None
                if self._over:
                    break
                if reply.finish == "timeout":
                    # Only a server that answers others proves that this one is the model's fault, not an outage.
                    self._held.append((ordinal, reply))
                    continue
                self._release()
                self._land(ordinal, reply)
        except BaseException:
            self._over = True  # the others are cancelled a moment later; nothing lands in between
            raise

    def _release(self) -> None:
        """Lands the timeouts that were held until the server proved to be at work."""
        while self._held:
            self._land(*self._held.pop(0))

    async def _tick(self) -> None:
        try:
            while True:
                self._alive()
                await asyncio.sleep(TICK_S)
        except BaseException:
            self._over = True  # a full disk, a dead server: nothing more lands
            raise

    async def _ask(self, ordinal: int, messages: Sequence[Message]) -> Reply:
        """The reply to one question, with every failed attempt before it."""
        fields = {**self._fields, **self._extra(ordinal)} if self._extra else self._fields
        body = wire.payload(fields, messages)
        tries: list[Try] = []
        bad = late = 0
        while True:
            ticket = await self._pace.enter()
            flight, begun = object(), time.monotonic()
            self._flights[flight] = begun
            throttled = False
            try:
                async with asyncio.timeout(self._endpoint.timeout_s):
                    found = await self._attempt(body)
                throttled = isinstance(found, Failure) and found.kind != "bad"
            except TimeoutError:
                found = None
            finally:
                del self._flights[flight]
                self._pace.leave(ticket, throttled=throttled)
            seconds = time.monotonic() - begun
            if isinstance(found, wire.Completion):
                self._patience.refill()
                self._completed_at = time.monotonic()
                self._late_in_a_row = 0
                return Reply(
                    text=wire.until(found.text, self._stop),
                    finish=found.finish,
                    prompt_tokens=found.prompt_tokens,
                    completion_tokens=found.completion_tokens,
                    cached_tokens=found.cached_tokens,
                    seconds=seconds,
                    tries=tuple(tries),
                )
            if found is None:
                tries.append(
                    Try(error=f"no answer in {self._endpoint.timeout_s:g} s", seconds=seconds)
                )
                late += 1
                if late == LATE_MOST:
                    await self._probe()
                    return Reply(text="", finish="timeout", seconds=seconds, tries=tuple(tries))
                continue
            tries.append(Try(error=found.error, seconds=seconds))
            bad += found.kind == "bad"
            if bad == BAD_MOST:
                raise self._useless(found)
            left = self._spend(found)
            await asyncio.sleep(_pause(found, len(tries) - late, left, self._endpoint.patience_s))

    async def _attempt(self, body: bytes) -> wire.Completion | Failure:
        """One request. Raises InfrastructureError where another one would be no help."""
        try:
            answer = await self._wire.send(body)
        except self._unreachable as e:
            self._alive()
            return Failure("unreachable", f"no whole answer ({type(e.__cause__ or e).__name__})")
        if answer.status != 200:
            return _failure(self._endpoint, answer)
        try:
            found = wire.completion(answer.body)
        except wire.Garbage as e:
            return Failure("bad", str(e))
        if found.model != self._model_seen:
            if not wire.same_model(self._endpoint.name, found.model):
                raise InfrastructureError(
                    f"found an answer of the model {wire.shown_name(found.model or '')}, expected "
                    f"{self._endpoint.name!r}: it serves another model. Correct the name or the server.",
                    where=self._endpoint.url,
                    code="EG312",
                )
            self._model_seen = found.model
        return found

    def _spend(self, failure: Failure) -> float:
        """Seconds of patience left after a failure.

        A server that says "busy" while it works on another request is full, not broken: that costs no patience, for as
        long as one request may take at most.
        """
        now = time.monotonic()
        oldest = next(iter(self._flights.values()), None)
        at_work = oldest is not None and now - oldest > HELD_S
        waited = now - self._completed_at
        if (
            failure.kind == "busy"
            and at_work
            and waited < self._endpoint.timeout_s + self._endpoint.patience_s
        ):
            self._patience.refill()
        return self._patience.spend(failure)

    async def _probe(self) -> None:
        """Returns if the server still answers at all. Raises InfrastructureError if not, or if nothing gets done."""
        self._alive()
        try:
            async with asyncio.timeout(PROBE_S):
                status = (await self._wire.models()).status
        except (*self._unreachable, TimeoutError):
            status = 599
        if status >= 500:
            raise InfrastructureError(
                f"found no answer in {self._endpoint.timeout_s:g} s, twice, nor to a probe: it hangs. "
                "See to the server, then start again: what has landed is kept.",
                where=self._endpoint.url,
                code="EG314",
            )
        self._late_in_a_row += 1
        if self._late_in_a_row > max(BAD_MOST, self._endpoint.concurrency):
            raise InfrastructureError(
                f"found {self._late_in_a_row} requests in a row without an answer in {self._endpoint.timeout_s:g} s, "
                "though it answers probes, expected most to be answered. Raise timeout_s or lower concurrency.",
                where=self._endpoint.url,
                code="EG316",
            )

    def _too_long(self, ordinal: int) -> UsageError:
        return UsageError(
            f"found that the question of line {ordinal + 1} of the gold set and its answer do not fit into the server's "
            "context, expected all to fit. Raise the server's limit, lower max_tokens, or shorten the item.",
            where=self._endpoint.url,
            code="EG355",
        )

    def _useless(self, failure: Failure) -> InfrastructureError:
        return InfrastructureError(
            f"found {BAD_MOST} useless answers to one question (last: {failure.error}), expected a completion. "
            "See the server's log, then start again: what has landed is kept.",
            where=self._endpoint.url,
            code="EG313",
        )


class _TooLong(Exception):  # noqa: N818 - a kind of answer, raised and caught within this file
    """The server says that prompt and answer exceed its context."""


def _failure(endpoint: Endpoint, answer: Answered) -> Failure:
    """What a status other than 200 means. Raises InfrastructureError if asking again would be no help."""
    status = answer.status
    after = _retry_after(answer.headers.get("retry-after"))
    if status in {429, 503, 529}:
        return Failure("busy", f"status {status}", after)
    if status in {408, 425, 502, 504}:
        return Failure("unreachable", f"status {status}", after)
    if status >= 500 or status < 300:
        return Failure("bad", f"status {status}", after)
    if status < 400:
        raise InfrastructureError(
            f"found status {status}, a redirect, expected an answer. Write the final address as url.",
            where=endpoint.url,
            code="EG315",
        )
    if wire.too_long(answer.body):
        raise _TooLong
    said = wire.told(answer.body)
    raise InfrastructureError(
        f"found status {status}{f' ({said})' if said else ''}, expected an answer. "
        f"{_ADVICE.get(status, 'Correct the model name, the arguments or the sampling.')}",
        where=endpoint.url,
        code="EG311",
    )


_ADVICE = {
    400: "Correct the sampling or the server's context size.",
    401: "Set the variable named by api_key_env.",
    403: "Have the key allowed to use this model.",
    404: "Correct the url or the model name.",
    413: "Shorten the prompt or raise the server's limit.",
}


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date; None if absent or unreadable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - NaN


async def _check(endpoint: Endpoint, connections: Wire, alive: Alive) -> None:
    from evalgate.models.transport import Unreachable

    patience, failures = _Patience(endpoint), 0
    while True:
        alive()
        failure: Failure | None = None
        try:
            async with asyncio.timeout(PROBE_S):
                answer = await connections.models()
        except TimeoutError:
            failure = Failure("unreachable", f"no answer in {PROBE_S:g} s")
        except Unreachable as e:
            failure = Failure("unreachable", f"no whole answer ({type(e.__cause__ or e).__name__})")
        else:
            if answer.status in {404, 405, 501}:
                return  # not every gateway lists its models
            if answer.status != 200:
                failure = _failure(endpoint, answer)
        if failure is None:
            break
        failures += 1
        left = patience.spend(failure)
        await asyncio.sleep(_pause(failure, failures, left, endpoint.patience_s))
    names = wire.served_names(answer.body) if endpoint.probe is None else None
    if names is not None and endpoint.name not in names:
        listing = ", ".join(map(wire.shown_name, names[:10]))
        raise InfrastructureError(
            f"found the models {listing}, expected {endpoint.name!r}. Correct the name or the server.",
            where=endpoint.url,
            code="EG312",
        )
