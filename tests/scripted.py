"""A scripted model: a real OpenAI-compatible HTTP server on loopback whose every answer a test decides.

    with ScriptedServer(reply=lambda messages, payload: "DENY") as server:
        ...                       # server.url, server.count, server.requests, server.peak

`reply(messages, payload)` returns the text, a `Response`, or a dict of Response's fields; it may be called from another
thread than the test's. An exception in it is answered with status 500 and raised again when the server stops.
Processes that a test starts reach the server by its url like any other.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Response:
    """One answer. With `body` (bytes) or `json` the fields of a completion are not used."""

    text: str | list | None = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before the first byte
    finish_reason: str | None = "stop"
    model: str | None = None  # None: the model that was asked for; "": the field is missing
    body: bytes | None = None  # sent as it is
    json: Any = None  # sent as JSON
    half: bool = False  # the connection is closed after half of the body
    reset: bool = False  # the connection is reset instead of an answer
    hang: bool = False  # no answer ever; the connection stays open


@dataclass(frozen=True)
class Received:
    """One chat completion request."""

    payload: dict
    headers: dict[str, str]
    path: str
    at: float  # time.monotonic()

    @property
    def messages(self) -> list[dict]:
        return self.payload["messages"]


Reply = Callable[[list[dict], dict], "str | Response | dict"]
Other = Callable[[str, str, dict], "Response | None"]


class ScriptedServer:
    """See the module. `models`: ids that GET /v1/models lists; None answers 404. `port` 0 takes a free one; `tls` makes it https.

    `other(method, path, payload)` may answer anything else, and /v1/models; None leaves it to the rest.
    """

    def __init__(
        self,
        reply: Reply | str = "ok",
        *,
        models: Sequence[str] | Response | None = None,
        api_key: str | None = None,
        other: Other | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._reply = reply if callable(reply) else lambda messages, payload: reply
        self._models = models
        self._api_key = api_key
        self._other = other
        self._port = port
        self._tls = tls
        self._errors: list[BaseException] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="scripted-server", daemon=True)
        self._ready = threading.Event()
        self.requests: list[Received] = []
        self.probes = 0  # GET /v1/models
        self.connections = 0
        self.in_flight = 0
        self.peak = 0  # most in flight at once

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}/v1"

    @property
    def port(self) -> int:
        return self._port

    @property
    def count(self) -> int:
        """Chat completion requests so far."""
        return len(self.requests)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if self._errors and kind is None:
            raise self._errors[0]

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(10)
        if self._errors:
            raise self._errors.pop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._done.cancel)
            self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except BaseException as e:  # a port that is taken, handed to the test's thread
            self._errors.append(e)
        finally:
            self._ready.set()
            self._loop.close()

    async def _main(self) -> None:
        self._done = self._loop.create_future()
        handlers: dict[asyncio.Task, asyncio.StreamWriter] = {}

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            task = self._loop.create_task(self._connection(reader, writer))
            handlers[task] = writer
            task.add_done_callback(lambda task: handlers.pop(task).transport.abort())

        server = await asyncio.start_server(
            connected, "127.0.0.1", self._port, backlog=1024, ssl=self._tls
        )
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            await self._done
        except asyncio.CancelledError:
            pass
        finally:
            # What is being accepted becomes a handler only while the server is open.
            await asyncio.sleep(0.01)
            server.close()
            for task in list(handlers):
                task.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)
            await asyncio.sleep(0.01)  # aborted connections close in the next turns of the loop

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ", 2)
                headers = {
                    k.lower(): v.strip()
                    for k, _, v in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if not await self._answer(method, path, headers, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass

    async def _answer(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        writer: asyncio.StreamWriter,
    ) -> bool:
        payload: dict = {}
        known = not self._api_key or headers.get("authorization") == f"Bearer {self._api_key}"
        if not known and path != "/health":
            response = Response(
                status=401, json={"error": {"message": "invalid key", "type": "auth"}}
            )
        elif response := self._other_answer(method, path, body):
            pass
        elif method == "GET" and path.endswith("/models"):
            self.probes += 1
            response = self._listing()
        elif method == "POST" and path.endswith("/chat/completions"):
            payload = json.loads(body)
            self.requests.append(Received(payload, headers, path, time.monotonic()))
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            try:
                response = self._scripted(payload)
                await asyncio.sleep(response.delay)
                if response.hang:
                    await self._done
            finally:
                self.in_flight -= 1
        else:
            response = Response(status=404, json={"error": {"message": "not found"}})
        return await self._send(response, payload, writer)

    def _other_answer(self, method: str, path: str, body: bytes) -> Response | None:
        if self._other is None or path.endswith("/chat/completions"):
            return None
        return self._other(method, path, json.loads(body) if body else {})

    def _listing(self) -> Response:
        if isinstance(self._models, Response):
            return self._models
        if self._models is None:
            return Response(status=404, json={"error": {"message": "not found"}})
        return Response(json={"object": "list", "data": [{"id": name} for name in self._models]})

    def _scripted(self, payload: dict) -> Response:
        try:
            found = self._reply(payload["messages"], payload)
            if isinstance(found, str):
                found = Response(text=found)
            return found if isinstance(found, Response) else Response(**found)
        except Exception as e:
            self._errors.append(e)
            return Response(status=500, json={"error": {"message": "the script failed"}})

    async def _send(self, response: Response, payload: dict, writer: asyncio.StreamWriter) -> bool:
        if response.reset:
            writer.transport.abort()
            return False
        body = response.body
        if body is None:
            body = json.dumps(response.json or _completion(response, payload)).encode()
        lines = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **response.headers,
        }
        head = f"HTTP/1.1 {response.status} X\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in lines.items()
        )
        writer.write(head.encode() + b"\r\n" + (body[: len(body) // 2] if response.half else body))
        await writer.drain()
        return not response.half


def _completion(response: Response, payload: dict) -> dict:
    asked = " ".join(str(m["content"]) for m in payload.get("messages", ()))
    completion = {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": response.text},
                "finish_reason": response.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": len(asked.split()),
            "completion_tokens": len(str(response.text).split()),
        },
    }
    if response.model != "":
        completion["model"] = response.model or payload.get("model")
    return completion


def main(arguments: Sequence[str] | None = None) -> None:
    """`python scripted.py [--port N] [--reply TEXT] [--model ID]..`: prints the url and serves until it is killed."""
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reply", default="ok")
    parser.add_argument("--model", action="append")
    options = parser.parse_args(arguments)
    with ScriptedServer(options.reply, models=options.model, port=options.port) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
