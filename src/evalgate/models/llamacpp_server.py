"""llama.cpp's own HTTP server in a process of its own: `python -I llamacpp_server.py --model FILE --alias NAME ...`.

Once it listens it writes one line of JSON, {"url": .., "api_key": ..}, to the descriptor --ready-fd and closes it.
The key is made here and never leaves the two processes, so that nobody else on the machine can ask this server, and
evalgate cannot be made to ask another one. Serves until it is told to end.

Runs as a script, apart from the package: standard library and xllamacpp only.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Serves one GGUF file on loopback."""
    options = _options()
    if sys.platform == "linux":  # if even the supervisor is killed, no server is left behind
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    import xllamacpp

    key = secrets.token_urlsafe(24)
    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.api_keys = [key]
    params.n_ctx = options.ctx_size
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    if options.gpu_layers is not None:
        params.n_gpu_layers = options.gpu_layers
    # The same question has the same answer, whatever was asked before or beside it: flash attention and a reused
    # prompt cache sum in an order that depends on both.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_prompt = options.cache_prompt
    params.cache_ram_mib = 0
    params.fit_params = False  # no context is quietly made smaller to fit a device
    params.ctx_shift = False  # no text is quietly dropped from a full context
    # Nothing is fetched, shown or offered besides answering questions.
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    try:
        server = xllamacpp.Server(params)
    except Exception as e:  # a C++ exception of any type: the log and the exit code carry it
        print(f"cannot serve {Path(options.model).name}: {e}", file=sys.stderr)
        return 1
    ready = {"url": f"{server.listening_address}/v1", "api_key": key}
    with os.fdopen(options.ready_fd, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(ready) + "\n")
    threading.Event().wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    for name in ("--ctx-size", "--parallel", "--threads", "--port", "--ready-fd"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--gpu-layers", type=int)
    parser.add_argument("--cache-prompt", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
