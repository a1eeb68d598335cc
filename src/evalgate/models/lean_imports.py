"""httpx and aiohttp imported without what they do on the side, which is half of their cost and no request needs.

httpx loads its command line client, and with it rich and click. aiohttp reads the machine's certificates twice, for
contexts that `transport.Wire` never uses: they read them when somebody else in this process does.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CLIENT = "httpx._main"
_READ = "set_default_verify_paths"


class _Late(ssl.SSLContext):
    """Becomes an ordinary context, with the machine's certificates, when the first connection asks for it."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return _ready(self).wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return _ready(self).wrap_socket(*args, **kwargs)


def _ready(context: ssl.SSLContext) -> ssl.SSLContext:
    context.__class__ = ssl.SSLContext
    context.set_default_verify_paths()
    return context


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within it, `import aiohttp` and `import httpx` cost half. For the main thread, while nothing else runs."""
    made: list[ssl.SSLContext] = []

    def note(context: ssl.SSLContext) -> None:
        made.append(context)

    modules: dict[str, Any] = sys.modules
    modules.setdefault(_CLIENT, None)  # to httpx: "not installed", which it allows for
    setattr(ssl.SSLContext, _READ, note)
    try:
        yield
    finally:
        delattr(ssl.SSLContext, _READ)
        if modules[_CLIENT] is None:
            del modules[_CLIENT]
        for context in made:
            context.__class__ = _Late
