"""The real `transformers serve` and the real vLLM, on a tiny random Llama that is made on the spot.

They run where EVALGATE_TRANSFORMERS_PYTHON and EVALGATE_VLLM_PYTHON name the interpreters of their environments
(docs/models.md says how to make these).
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from evalgate.errors import EvalgateError, InfrastructureError
from evalgate.models import ask_all, identify, serving
from evalgate.records import ModelSpec, Reply, Sampling

pytestmark = pytest.mark.slow

VARIABLES = {"transformers": "EVALGATE_TRANSFORMERS_PYTHON", "vllm": "EVALGATE_VLLM_PYTHON"}
SMALL = ("--enforce-eager", "--kv-cache-memory-bytes", "67108864", "--max-num-seqs", "4")
QUESTIONS = [
    "What was denied?",
    "¿Qué se negó? 🩺",
    "Member 00417, $1,234.50, " + "and so on " * 20,
]


def python_of(server: str) -> str:
    found = os.environ.get(VARIABLES[server])
    if not found:
        pytest.skip(f"{VARIABLES[server]} names no interpreter with {server}")
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """base/ and lora/."""
    python = next((os.environ[v] for v in VARIABLES.values() if os.environ.get(v)), None)
    if python is None:
        pytest.skip(f"neither of {', '.join(VARIABLES.values())} names an interpreter")
    folder = tmp_path_factory.mktemp("tiny")
    script = Path(__file__).with_name("tiny_llama.py")
    subprocess.run([python, "-I", str(script), str(folder)], check=True)
    return folder


def spec(server: str, *args: str, artifact: str = "base", **fields) -> ModelSpec:
    if server == "vllm":
        args = (*SMALL, *args)
    return ModelSpec(
        server=server, artifact=artifact, args=args, python=python_of(server), **fields
    )


def ask(server, questions: list[str], **sampling) -> dict[int, Reply]:
    landed: dict[int, Reply] = {}
    ask_all(
        server.endpoint,
        ((i, [{"role": "user", "content": text}]) for i, text in enumerate(questions)),
        Sampling(**{"max_tokens": 12} | sampling),
        landed.__setitem__,
        alive=server.alive,
    )
    return landed


@pytest.mark.parametrize("server", VARIABLES)
def test_a_real_server_reads_what_was_counted_and_answers_the_same_twice(tiny, tmp_path, server):
    found = spec(server)
    with serving("rc", found, tiny, identify("rc", found, tiny), tmp_path) as running:
        counted = list(
            running.context.counted([{"role": "user", "content": text}] for text in QUESTIONS)
        )
        first, second = ask(running, QUESTIONS), ask(running, QUESTIONS)
        alone = ask(running, QUESTIONS[:1])
        assert [first[i].prompt_tokens for i in range(3)] == counted
        assert [first[i].text for i in range(3)] == [second[i].text for i in range(3)]
        assert alone[0].text == first[0].text
        assert running.context.limit == 1024
        warm = [ask(running, QUESTIONS[:1], temperature=1.0, seed=s)[0].text for s in (1, 1, 2, 3)]
        assert warm[0] == warm[1]
        assert len(set(warm)) > 1  # a temperature is not ignored


def test_a_real_adapter_is_loaded_and_asked_by_its_name(tiny, tmp_path):
    found, base = spec("vllm", artifact="lora", base="base"), spec("vllm")
    texts = []
    for table in (base, found):
        with serving("rc", table, tiny, identify("rc", table, tiny), tmp_path) as running:
            texts.append([reply.text for reply in ask(running, QUESTIONS).values()])
    assert texts[0] != texts[1]


@pytest.mark.parametrize("server", VARIABLES)
def test_a_real_server_that_is_killed_is_told(tiny, tmp_path, server):
    error = broken(tiny, tmp_path, server, lambda pids: os.kill(pids[-1], signal.SIGKILL))
    assert error.code in {"EG322", "EG313", "EG310"}


@pytest.mark.parametrize("server", VARIABLES)
def test_a_real_server_that_hangs_is_told(tiny, tmp_path, server):
    def stop(pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    assert broken(tiny, tmp_path, server, stop, timeout_s=3.0).code == "EG314"


def test_a_real_server_without_memory_is_told(tiny, tmp_path):
    def starve(pids: list[int]) -> None:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))

    error = broken(tiny, tmp_path, "transformers", starve, question="word " * 180)
    assert error.code in {"EG313", "EG322", "EG310", "EG314"}


def broken(
    tiny: Path, logs: Path, server: str, harm, *, question: str = "hello", **fields
) -> EvalgateError:
    """What is told when a server comes to harm while it is asked many questions."""
    found = spec(server, **{"timeout_s": 20.0, "patience_s": 5.0} | fields)
    identity = identify("rc", found, tiny)
    landed: list[int] = []
    with (
        pytest.raises(InfrastructureError) as caught,
        serving("rc", found, tiny, identity, logs) as running,
    ):

        def land(ordinal: int, reply: Reply) -> None:
            landed.append(ordinal)
            if len(landed) == 3:
                threading.Thread(target=harm, args=(processes(os.getpid()),)).start()
                time.sleep(0.2)

        ask_all(
            running.endpoint,
            ((i, [{"role": "user", "content": f"{question} {i}"}]) for i in range(500)),
            Sampling(max_tokens=32),
            land,
            alive=running.alive,
        )
    assert 3 <= len(landed) < 500
    assert caught.value.exit == 4
    return caught.value


def processes(pid: int) -> list[int]:
    """The server that a supervisor of ours runs, and everything below it, outermost first."""
    for child in children(pid):
        if "supervisor.py" in Path(f"/proc/{child}/cmdline").read_text():
            found = children(child)
            for one in found:
                found += children(one)
            return found
    raise AssertionError


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(p) for p in (task / "children").read_text().split()]
    return found
