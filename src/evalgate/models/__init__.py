"""Models: asked over one waist, an OpenAI-compatible HTTP API, on servers that evalgate starts on digested bytes.

Names are imported on first use: reading a finished run must not pay for an HTTP client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalgate.models.client import ask_all, check_endpoint
    from evalgate.models.endpoint import Endpoint
    from evalgate.models.packaged import PACKAGED, Package, import_model
    from evalgate.models.serve import Server, identify, serving
    from evalgate.models.tokens import check_read

__all__ = [
    "PACKAGED",
    "Endpoint",
    "Package",
    "Server",
    "ask_all",
    "check_endpoint",
    "check_read",
    "identify",
    "import_model",
    "serving",
]

_MODULES = {
    "PACKAGED": "packaged",
    "Endpoint": "endpoint",
    "Package": "packaged",
    "Server": "serve",
    "ask_all": "client",
    "check_endpoint": "client",
    "check_read": "tokens",
    "identify": "serve",
    "import_model": "packaged",
    "serving": "serve",
}


def __getattr__(name: str) -> Any:
    """The public name, from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'evalgate.models' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"evalgate.models.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
