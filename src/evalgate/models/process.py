"""Server processes: started in a cleaned environment, waited for, and never left behind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from evalgate.errors import InfrastructureError

GRACE_S = 5.0  # between SIGTERM and SIGKILL
POLL_S = 0.02
LOG_LINES = 15
CAUSES = 3  # of errors further up
_CAUSE = re.compile(r"\b\w+(?:Error|Exception): .+")

# What a server may know of its surroundings. No proxies, no tokens, no PYTHON*, no LD_PRELOAD: nothing that could
# lead text out of the machine or change an answer without standing in evalgate.toml.
KEPT = frozenset(
    {
        "CUDA_VISIBLE_DEVICES",
        "HOME",
        "LANG",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "NVIDIA_VISIBLE_DEVICES",
        "PATH",
        "TMPDIR",
        "TZ",
        "USER",
    }
)
QUIET = {
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OTEL_SDK_DISABLED": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TRANSFORMERS_OFFLINE": "1",
    "USE_HUB_KERNELS": "0",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # or it connects a UDP socket to a public resolver to learn its own address
    "VLLM_NO_USAGE_STATS": "1",
    "WANDB_MODE": "disabled",
}
"""Every known phone-home of every library that a server or a suite may load, off. Suites run with the same (gate/check.py)."""


def cleaned_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that servers get, with every known phone-home switched off."""
    kept = {k: v for k, v in environment.items() if k in KEPT or k.startswith("LC_")}
    return kept | QUIET


class ServerProcess:
    """A running server. `alive` raises once it has ended."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path, where: str) -> None:
        self._process = process
        self._log_path = log_path
        self._where = where

    def alive(self) -> None:
        """Returns while the server runs. Raises InfrastructureError (EG322) with how it ended.

        Its log may hold what was asked by now, so none of it is repeated.
        """
        code = self._process.poll()
        if code is not None:
            raise InfrastructureError(
                f"found the server ended ({_ending(code)}), expected it to run. "
                f"See {self._log_path.name} in reports/logs, then start again: what has landed is kept.",
                where=self._where,
                code="EG322",
            )


@contextmanager
def managed(
    argv: Sequence[str],
    log_path: Path,
    ready: Callable[[], bool],
    start_timeout_s: float,
    *,
    where: str = "",
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
    grace_s: float = GRACE_S,
) -> Iterator[ServerProcess]:
    """Runs `argv` (an absolute program first) and yields once `ready()` is true; stops it at the end.

    `ready` is called every 20 ms. Output goes to `log_path`, readable by its owner only. `pass_fds` are open in the
    server under the same numbers; `environment` is added to the cleaned one (a key does not belong on a command line,
    which everybody on the machine can read). The server ends with evalgate even if evalgate is killed (see supervisor.py).

    Raises InfrastructureError: died at start (EG320) or not ready in `start_timeout_s` (EG321), with the last lines
    of the log; the log cannot be written (EG335).
    """
    lifeline, held = os.pipe()
    process: subprocess.Popen[bytes] | None = None
    try:
        try:
            process = _spawn(
                argv, log_path, lifeline, grace_s, pass_fds=pass_fds, environment=environment or {}
            )
        except OSError as e:
            message = f"found that the server's log or process cannot be made ({e.strerror}), expected both. Free space or permissions."
            raise InfrastructureError(message, where=str(log_path), code="EG335") from e
        finally:
            os.close(lifeline)
        name = where or argv[0]
        _await_ready(process, log_path, ready, start_timeout_s, name)
        yield ServerProcess(process, log_path, name)
    finally:
        os.close(held)
        if process is not None:
            _reap(process, grace_s)


def check_port(port: int, *, where: str) -> None:
    """A port that was asked for (0: none was) must be free. Raises InfrastructureError (EG323)."""
    if not port:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as e:
            raise InfrastructureError(
                f"found port {port} in use or forbidden ({e.strerror}), expected it free. "
                "Leave out --port: a free one is found.",
                where=where,
                code="EG323",
            ) from None


def _spawn(
    argv: Sequence[str],
    log_path: Path,
    lifeline: int,
    grace_s: float,
    *,
    pass_fds: Sequence[int],
    environment: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    supervisor = Path(__file__).with_name("supervisor.py")
    try:
        os.fchmod(log, 0o600)  # a log of before may have been open to others
        return subprocess.Popen(  # noqa: S603 - evalgate.toml is trusted
            [sys.executable, "-I", "-S", str(supervisor), str(lifeline), str(grace_s), *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=cleaned_environment(os.environ) | {**environment},
            pass_fds=(lifeline, *pass_fds),
            start_new_session=True,
        )
    finally:
        os.close(log)


def _await_ready(
    process: subprocess.Popen[bytes],
    log_path: Path,
    ready: Callable[[], bool],
    start_timeout_s: float,
    where: str,
) -> None:
    until = time.monotonic() + start_timeout_s
    while not ready():
        code = process.poll()
        if code is not None:
            raise InfrastructureError(
                f"found that the server died at start ({_ending(code)}), expected it to answer. "
                f"Read its last lines, from {log_path.name}.{_last_lines(log_path)}",
                where=where,
                code="EG320",
            )
        if time.monotonic() > until:
            raise InfrastructureError(
                f"found that the server hangs at start (not ready after {start_timeout_s:g} s), expected it to "
                f"answer. Read its last lines, from {log_path.name}.{_last_lines(log_path)}",
                where=where,
                code="EG321",
            )
        time.sleep(POLL_S)


def _reap(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Waits for the supervisor, which the closed lifeline has told to end; gives up on one that is stuck."""
    try:
        process.wait(grace_s + 2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ending(code: int) -> str:
    code = 128 - code if code < 0 else code
    return f"signal {code - 128}" if code > 128 else f"exit code {code}"


def _last_lines(log_path: Path) -> str:
    """The last lines of a log, after the errors named before them: a server of several processes buries its cause."""
    try:
        with log_path.open("rb") as f:
            f.seek(max(0, f.seek(0, os.SEEK_END) - 65536))
            lines = f.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    told = [line[:300] for line in lines if line.strip()]
    early = "\n".join(told[:-LOG_LINES])
    causes = list(dict.fromkeys(_CAUSE.findall(early)))[:CAUSES]
    return "".join(f"\n    {line}" for line in [*causes, *told[-LOG_LINES:]]) or " It wrote none."
