"""A process that makes every n-th row of one task: `python -m evalgate.corpus.synthesis_worker MODULE TASK SEED FIRST STEP COUNT`."""

from __future__ import annotations

import os
import signal
import sys

import msgspec

from evalgate.corpus.synthesis import make


def main(module: str, task: str, *numbers: str) -> None:
    """Writes the first draws of rows FIRST, FIRST + STEP, .. below COUNT to stdout, one JSON object a line."""
    seed, first, step, count = map(int, numbers)
    encode = msgspec.json.Encoder().encode
    for index in range(first, count, step):
        sys.stdout.buffer.write(encode(make(module, task, seed, index, 0)) + b"\n")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it, and ends it
    try:
        main(*sys.argv[1:])
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # who started it is gone
        os._exit(0)
