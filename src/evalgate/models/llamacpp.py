"""The embedded server: llama.cpp from the xllamacpp wheel, on one GGUF file, in a process of its own."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec

from evalgate.errors import UsageError
from evalgate.models.endpoint import Endpoint
from evalgate.models.process import ServerProcess, check_port, managed
from evalgate.records import Record

MAGIC = b"GGUF"
PARALLEL = 4
CTX_PER_SLOT = 2048  # tokens of prompt and answer together
START_S = 60.0
LOADED_PER_S = 50e6  # bytes; a slow disk
# llama.cpp's own defaults (40, 0.95, 0.05) would narrow every choice at a temperature above 0, unseen.
NEUTRAL = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf")


class LlamaCppOptions(Record):
    """What `args` of a llamacpp model mean. `ctx_size` tokens are shared by the `parallel` slots equally.

    Answers do not depend on `threads` and `port`.
    """

    ctx_size: int
    parallel: int
    threads: int
    port: int
    gpu_layers: int | None
    cache_prompt: bool

    @property
    def deciding(self) -> tuple[str, ...]:
        """The arguments, defaults written out, that can change an answer: part of a run's key."""
        found = ["--ctx-size", str(self.ctx_size), "--parallel", str(self.parallel)]
        if self.gpu_layers is not None:
            found += ["--gpu-layers", str(self.gpu_layers)]
        if self.cache_prompt:
            found.append("--cache-prompt")
        return tuple(found)

    @property
    def all(self) -> tuple[str, ...]:
        """The command line of llamacpp_server.py."""
        return (*self.deciding, "--threads", str(self.threads), "--port", str(self.port))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


_RANGES = (
    ("ctx_size", 64, 1 << 30),
    ("parallel", 1, 4096),
    ("threads", 1, 4096),
    ("port", 1, 65535),
    ("gpu_layers", 0, 1 << 30),
)


def _check_range(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise ValueError(f"argument --{name.replace('_', '-')}: {value} is not in {low}..{high}")


def options(args: Sequence[str], *, where: str) -> LlamaCppOptions:
    """The options of `args`, with defaults. Raises UsageError (EG306)."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in ("--ctx-size", "--parallel", "--threads", "--port", "--gpu-layers"):
        parser.add_argument(name, type=int)
    parser.add_argument("--cache-prompt", action="store_true")
    try:
        given = parser.parse_args(list(args))
        for name, low, high in _RANGES:
            _check_range(name, getattr(given, name), low, high)
    except ValueError as e:
        raise UsageError(
            f"found args that llamacpp cannot use ({e}), expected --ctx-size, --parallel, --threads, --gpu-layers, "
            "--port (numbers) or --cache-prompt. Correct them in evalgate.toml.",
            where=where,
            code="EG306",
        ) from None
    parallel = given.parallel or PARALLEL
    return LlamaCppOptions(
        ctx_size=given.ctx_size or CTX_PER_SLOT * parallel,
        parallel=parallel,
        threads=given.threads or _cores(),
        port=given.port or 0,
        gpu_layers=given.gpu_layers,
        cache_prompt=given.cache_prompt,
    )


def _cores() -> int:
    """The cores that this process may use; a container is often given fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def version() -> str:
    """The version of the llama.cpp wheel. Raises UsageError (EG305) if it is not installed."""
    try:
        return importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            'found no package xllamacpp, which server = "llamacpp" needs. '
            "Run pip install 'evalgate-release[embedded]'.",
            where="evalgate.toml",
            code="EG305",
        ) from None


def check_file(path: Path, *, where: str) -> None:
    """Returns if `path` is one whole GGUF file. Raises UsageError (EG303)."""
    found = ""
    if not path.is_file():
        found = "a directory"
    elif _SPLIT.search(path.name):
        found = "one part of a split GGUF file, whose other parts no digest would cover"
    else:
        with path.open("rb") as f:
            if f.read(len(MAGIC)) != MAGIC:
                found = "a file without the GGUF header"
    if found:
        raise UsageError(
            f"found {found}, expected a single GGUF file. Name the model's .gguf file as artifact.",
            where=where,
            code="EG303",
        )


@contextmanager
def serve(
    path: Path,
    alias: str,
    chosen: LlamaCppOptions,
    log_path: Path,
    *,
    where: str,
    concurrency: int | None = None,
    timeout_s: float = 300.0,
    patience_s: float = 60.0,
) -> Iterator[tuple[Endpoint, ServerProcess]]:
    """Runs llama.cpp's server on `path`, as `alias`, and yields where it is asked (`concurrency`: by default its slots).

    Raises InfrastructureError: does not start (EG320, EG321), the port is taken (EG323).
    """
    check_port(chosen.port, where=where)
    script = Path(__file__).with_name("llamacpp_server.py")
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    argv = [sys.executable, "-I", str(script), "--model", str(path.absolute()), "--alias", alias]
    argv += [*chosen.all, "--ready-fd", str(writing)]
    said = bytearray()

    def ready() -> bool:
        try:
            said.extend(os.read(reading, 4096))
        except BlockingIOError:
            return False
        return said.endswith(b"\n")

    start_s = START_S + path.stat().st_size / LOADED_PER_S
    try:
        with managed(argv, log_path, ready, start_s, where=where, pass_fds=(writing,)) as process:
            address = msgspec.json.decode(bytes(said))
            endpoint = Endpoint(
                url=address["url"],
                name=alias,
                api_key=address["api_key"],
                concurrency=concurrency or chosen.parallel,
                timeout_s=timeout_s,
                patience_s=patience_s,
                fields=NEUTRAL,
            )
            yield endpoint, process
    finally:
        os.close(reading)
        os.close(writing)
