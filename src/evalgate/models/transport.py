"""One HTTP request: httpx's types and exceptions at the surface, aiohttp's connections underneath.

httpx's own pool is rescanned on every request (3 ms of CPU at 64 connections); the same call through aiohttp's
transport costs a thirtieth. Requests are assembled here from parts that httpx need not parse again.
"""

from __future__ import annotations

import ssl
import sys
from types import TracebackType
from typing import Any, NamedTuple, Self

from evalgate.models.endpoint import Endpoint

# httpx imports its own command line client, and with it rich and click, unless that is "not installed": 40 ms.
_modules: dict[str, Any] = sys.modules
_unused = _modules.setdefault("httpx._main", None) is None
import aiohttp  # noqa: E402
import httpx  # noqa: E402
from httpx_aiohttp import AiohttpTransport  # noqa: E402

if _unused and _modules["httpx._main"] is None:
    del _modules["httpx._main"]  # whoever wants it later may have it

CONNECT_S = 10.0
LARGEST = 64 << 20  # bytes of one answer: no completion is near, and memory stays bounded
# Servers drop idle connections, most of them after 5 seconds (uvicorn, llama.cpp): leave earlier than they do.
KEEPALIVE_S = 4.0

Unreachable = (httpx.HTTPError, aiohttp.ClientError, OSError)
"""What `Wire.send` raises when no whole answer came. (aiohttp's own errors: those httpx has no name for.)"""


class Answered(NamedTuple):
    """An HTTP answer, whole."""

    status: int
    headers: httpx.Headers
    body: bytes


class Wire:
    """Connections to one endpoint. Nothing from the environment is heeded: no proxies, no .netrc, no cookies.

    Redirects are not followed: a request goes to the address that was written down and nowhere else.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._url = httpx.URL(endpoint.at("chat/completions"))
        self._timeout = {"timeout": {"connect": CONNECT_S}}
        self._none = httpx.Headers()

    async def __aenter__(self) -> Self:
        headers = {
            "Accept-Encoding": "identity",  # completions are small; decompressing costs more than it saves
            "Content-Type": "application/json",
            "User-Agent": "evalgate",
        }
        if self._endpoint.api_key is not None:
            headers["Authorization"] = f"Bearer {self._endpoint.api_key}"
        # The system's certificate store, since servers inside a perimeter are certified by its own authority.
        trust = ssl.create_default_context() if self._url.scheme == "https" else False
        # No limit here: the pace limits requests, and a probe must get through when all of them hang.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trust, keepalive_timeout=KEEPALIVE_S),
            headers=headers,  # once per session; every request's own headers stay empty
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self._transport = AiohttpTransport(verify=False, trust_env=False, client=session)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.aclose()

    async def send(self, body: bytes) -> Answered:
        """POST chat/completions. Raises one of `Unreachable`; the caller sets the deadline."""
        return await self._exchange(self._request(self._url, body))

    async def other(self, path: str, body: bytes | None) -> Answered:
        """POST of `body` (None: GET) to a path relative to the base address, such as "../tokenize"; otherwise as `send`."""
        url = httpx.URL(self._endpoint.at("")).join(path)
        if body is None:
            return await self._exchange(httpx.Request("GET", url, extensions=self._timeout))
        return await self._exchange(self._request(url, body))

    def _request(self, url: httpx.URL, body: bytes) -> httpx.Request:
        request = httpx.Request(
            "POST",
            url,
            headers=self._none,
            stream=httpx.ByteStream(body),
            extensions=self._timeout,
        )
        request.read()
        return request

    async def models(self) -> Answered:
        """GET models, or the endpoint's own probe. Raises one of `Unreachable`; the caller sets the deadline."""
        return await self.other(self._endpoint.probe or "models", None)

    async def _exchange(self, request: httpx.Request) -> Answered:
        response = await self._transport.handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        try:
            body = await _read(stream)
        except BaseException:
            await stream.aclose()
            raise
        # Read to its end, an answer has given its connection back already: closing it would only cost time.
        return Answered(response.status_code, response.headers, body)


async def _read(stream: httpx.AsyncByteStream) -> bytes:
    chunks, size = [], 0
    async for chunk in stream:
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST:
            raise httpx.ReadError(f"an answer of more than {LARGEST} bytes")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
