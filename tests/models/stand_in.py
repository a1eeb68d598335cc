"""A stand-in for the Python of a server's environment: evalgate starts it like the real one, as a real process.

`environment(folder, **behaviour)` writes an executable that plays `python` for transformers and vLLM: it tells
versions, tokenizes (a token a word, by the directory's template) and serves. `model` and `adapter` write tiny
directories for it. Behaviours: `mute` (no tokenizer), `ids` (shift of the server's token ids), `read` (tokens that it reads fewer),
`deaf` (the adapter is ignored), `cold` (its first adapted answer is a little off), `limit` (vLLM's context), `slow` (seconds to an answer), `dies` (exit code; once, if
`dies_at` names a text of the question at which it does, and a file that remembers it). A model whose config.json has `wrong`, a list of
numbers, answers those items of tests/harness.py wrongly.
"""

from __future__ import annotations

import itertools
import json
import os
import stat
import sys
import threading
import time
import zlib
from pathlib import Path

TESTS = Path(__file__).parents[1]


def safetensors(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)


def model(folder: Path, *, template: str = "{{ chat }}", shards: int = 1, **config) -> Path:
    """A directory as save_pretrained writes it, with a weight of 4 x 3 for each of two layers."""
    folder.mkdir(parents=True)
    told = {"max_position_embeddings": 512, "dtype": "bfloat16", **config}
    (folder / "config.json").write_text(json.dumps(told))
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text(template)
    tensors = {f"model.layers.{i}.q_proj.weight": ("BF16", [4, 3], bytes(24)) for i in range(2)}
    if shards == 1:
        safetensors(folder / "model.safetensors", tensors)
    else:
        names = {name: f"model-{i}.safetensors" for i, name in enumerate(tensors)}
        for name, file in names.items():
            safetensors(folder / file, {name: tensors[name]})
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    return folder


def adapter(folder: Path, *, rank: int = 2, columns: int = 3, value: bytes = b"\1") -> Path:
    """A LoRA adapter for the first layer of `model`."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank}))
    name = "base_model.model.model.layers.0.q_proj"
    a = ("BF16", [rank, columns], b"\1" * 2 * rank * columns)
    b = ("BF16", [4, rank], (value * 8 * rank)[: 8 * rank])
    safetensors(
        folder / "adapter_model.safetensors",
        {f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b},
    )
    return folder


def environment(folder: Path, **behaviour) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "python"
    python.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path[:0] = [{str(TESTS)!r}, {str(TESTS / 'models')!r}]\n"
        f"import stand_in\nsys.exit(stand_in.main({behaviour!r}))\n"
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


def tokens(directory: Path, messages: list[dict]) -> list[int]:
    """The template's digest, then a token for each word; a template "no system" refuses system messages."""
    template = (directory / "chat_template.jinja").read_text()
    if "no system" in template and messages[0]["role"] == "system":
        raise ValueError
    words = [word for m in messages for word in (m["role"], *m["content"].split(" "))]
    return [zlib.crc32(word.encode()) for word in (template, *words)]


def main(behaviour: dict) -> int:
    arguments = sys.argv[1:]
    assert arguments.pop(0) == "-I"
    if arguments[0] == "-c":
        names = [name.split("|")[-1] for name in arguments[2:]]
        print("\n".join(f"{name} {behaviour.get('version', '1.0')}" for name in names))
        return 0
    if arguments[0] == "-m":
        return _serve(arguments[1], arguments[2:], behaviour)
    if behaviour.get("mute"):
        sys.exit("no tokenizer here")
    for line in sys.stdin:
        try:
            told = {"ids": tokens(Path(arguments[1]), json.loads(line)["messages"])}
        except ValueError:
            told = {"refused": "ValueError"}
        print(json.dumps(told), flush=True)
    return 0


def _due(told: tuple[str, str] | None, messages: list[dict]) -> bool:
    if told is None:
        return True
    text, memory = told
    if text not in messages[-1]["content"] or Path(memory).exists():
        return False
    Path(memory).touch()
    return True


def _serve(module: str, arguments: list[str], behaviour: dict) -> int:
    from harness import (
        right,
        right_but,
    )  # here, since environments put one of their own in their place
    from scripted import Response, ScriptedServer

    options = dict(itertools.pairwise(arguments))
    vllm = module.startswith("vllm.")
    name = options["--served-model-name"] if vllm else options["serve"]
    directory = Path(options["--model"] if vllm else name.split("@")[0])
    config = json.loads((directory / "config.json").read_text())
    wrong = right_but(set(config.get("wrong", ())))
    names = [name]
    if "--lora-modules" in options:
        names.append(json.loads(options["--lora-modules"])["name"])
    print("serving", names, flush=True)

    def read(messages: list[dict]) -> list[int]:
        return [i + behaviour.get("ids", 0) for i in tokens(directory, messages)]

    def reply(messages: list[dict], payload: dict) -> Response:
        if "request <" in messages[-1]["content"]:
            print("a question of the suite", flush=True)
        asked = payload["max_tokens"] > 8 or "request <" in messages[-1]["content"]
        if asked and behaviour.get("dies") and _due(behaviour.get("dies_at"), messages):
            os._exit(behaviour["dies"])
        time.sleep(behaviour.get("slow", 0) if asked else 0)
        if payload["model"] not in names:
            return Response(status=404, json={"error": {"type": "NotFoundError"}})
        try:
            count = len(read(messages))
        except ValueError:
            return Response(status=500, json={"error": {"message": "the template refuses"}})
        changed = payload["model"] == names[-1] and not behaviour.get("deaf")
        cold = payload["model"] == names[-1] and behaviour.pop("cold", 0)
        text = "ok"
        if "request <" in messages[-1]["content"]:
            text = wrong(messages, payload) if "wrong" in config else right(messages)
        choice = {
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "ok", "logprob": -0.5 - 0.25 * changed - cold}]},
        }
        count -= behaviour.get("read", 0) if asked else 0
        usage = {"prompt_tokens": count, "completion_tokens": 1}
        return Response(json={"model": payload["model"], "choices": [choice], "usage": usage})

    def other(method: str, path: str, payload: dict) -> Response | None:
        if path == "/health":
            return Response(json={})
        if path != "/tokenize" or not vllm:
            return None
        try:
            ids = read(payload["messages"])
        except ValueError:
            return Response(status=400, json={"error": {"type": "BadRequestError"}})
        limit = behaviour.get("limit", int(options["--max-model-len"]))
        return Response(json={"count": len(ids), "tokens": ids, "max_model_len": limit})

    with ScriptedServer(
        reply,
        models=names if vllm else Response(status=500, json={}),
        api_key=os.environ.get("VLLM_API_KEY"),
        other=other,
        port=int(options["--port"]),
    ):
        threading.Event().wait()
    return 0
