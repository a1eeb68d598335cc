"""`gate check`: pytest in a fresh process with a cleaned environment; only its decision file is believed."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from evalgate.errors import EvalgateError, Exit
from evalgate.gate.decide import Bypass, decide
from evalgate.records import Decision, Record
from evalgate.suite import Project

# What a test process may see of the caller's environment. PYTEST_*, PYTHON* and everything else stay outside.
_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "TZ",
    "TERM",
    "COLUMNS",
    "NO_COLOR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "VIRTUAL_ENV",
)
_PR_SET_PDEATHSIG = 1


class Outcome(Record, kw_only=True):
    """What the test process leaves behind: a decision or an error, with the nonce it was started with."""

    nonce: str
    decision: Decision | None = None
    error: str | None = None
    exit: int


class CheckError(EvalgateError):
    """The check ended without a decision; carries the exit code of its cause."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit = Exit(code)


def check(
    project: Project, model: str, *, fresh: bool = False, log: Path | None = None
) -> Decision:
    """Asks, scores and decides about one model in a fresh process. Progress goes to stderr, pytest's output to `log`.

    Raises CheckError where there is no decision (usage, interruption, internal error).
    """
    root = project.root
    keys = {s.api_key_env for s in project.settings.models.values() if s.api_key_env}
    environment = {k: v for k, v in os.environ.items() if k in _KEPT or k in keys}
    nonce = secrets.token_hex(16)
    environment |= {
        "EVALGATE_NONCE": nonce,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONUNBUFFERED": "1",
    }
    with tempfile.TemporaryDirectory(prefix="evalgate-") as temporary:
        configuration = Path(temporary) / "pytest.ini"
        configuration.write_text("[pytest]\n")
        target = Path(temporary) / "decision.json"
        argv = [
            sys.executable,
            "-P",
            "-m",
            "pytest",
            str(root / "suites"),
            f"--rootdir={root}",
            "-c",
            str(configuration),
            "-p",
            "evalgate.pytest_plugin",
            "-p",
            "no:cacheprovider",
            "--candidate",
            model,
            "--evalgate-decision",
            str(target),
            *(["--fresh"] if fresh else []),
        ]
        status = _run(argv, root, environment, log)
        return _believe(target, nonce=nonce, status=status, model=model, project=project, log=log)


def _run(argv: list[str], root: Path, environment: Mapping[str, str], log: Path | None) -> int:
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(log or os.devnull, "wb") as output:  # noqa: PTH123 (os.devnull is no Path)
        process = subprocess.Popen(  # noqa: S603 (this interpreter, arguments of our own)
            argv,
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 (one thread, one libc call)
        )
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # A terminal sends Ctrl-C to both; the child keeps what landed, then ends. Told by hand, it hears of it here.
                process.send_signal(signal.SIGINT)


def _die_with_parent() -> None:
    """A `kill -9` of the gate must not leave a process behind that holds the run's lock."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _believe(
    target: Path, *, nonce: str, status: int, model: str, project: Project, log: Path | None
) -> Decision:
    try:
        outcome = msgspec.json.decode(target.read_bytes(), type=Outcome)
    except (OSError, msgspec.MsgspecError):
        outcome = None
    if (
        outcome is None
        or outcome.nonce != nonce
        or (outcome.decision is None) == (outcome.error is None)
    ):
        if status in (-signal.SIGINT, Exit.INTERRUPTED):
            raise CheckError("interrupted; the next start goes on from here", Exit.INTERRUPTED)
        where = f" See {log}." if log else ""
        return _closed(
            project,
            model,
            f"the test process ended with status {status} and without a decision.{where}",
        )
    if outcome.decision is None:
        raise CheckError(outcome.error or "", outcome.exit)
    decision = outcome.decision
    if (status == 0) != (decision.decision == "open") or outcome.exit != decision.exit:
        return _closed(
            project,
            model,
            f"the test process ended with status {status}, its decision says {decision.decision}",
        )
    return decision


def _closed(project: Project, model: str, why: str) -> Decision:
    return decide(
        expected=[(suite, key) for suite, rows in project.gate.suites.items() for key in rows],
        findings=(),
        bypasses=[Bypass(where="gate check", what=why)],
        model={"name": model, "digest": ""},
        plan="",
    )
