"""`gate check`: pytest in a fresh process with a cleaned environment; its decision file is believed if the files bear it out."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from evalgate.errors import EvalgateError, Exit, InfrastructureError, IntegrityError
from evalgate.records import Decision, Evidence, ModelIdentity, Record

if TYPE_CHECKING:
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
    """What the test process leaves behind: a decision or an error, with the nonce it was started with.

    `baseline`: digest of the baseline's identity. `judge`: who judged. `evidence`: what the decision rests on.
    """

    nonce: str
    decision: Decision | None = None
    baseline: str | None = None
    judge: ModelIdentity | None = None
    evidence: Evidence | None = None
    error: str | None = None
    exit: int


class CheckError(EvalgateError):
    """The check ended without a decision; carries the exit code of its cause."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit = Exit(code)


def check(
    project: Project, model: str, *, fresh: bool = False, log: Path | None = None
) -> tuple[Decision, Evidence | None]:
    """Asks, scores and decides about one model in a fresh process; returns the decision and what it rests on.

    Progress goes to stderr, pytest's output to `log`. What the process says is held against the project once more:
    plan, thresholds and findings must agree with the files as they stand. Raises CheckError where there is no decision
    (usage, interruption, internal error).
    """
    root = project.root
    keys = {s.api_key_env for s in project.settings.models.values() if s.api_key_env}
    environment = {k: v for k, v in os.environ.items() if k in _KEPT or k in keys}
    nonce = secrets.token_hex(16)
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(nonce.encode())
    environment |= {
        "EVALGATE_NONCE": str(reading),
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
            "-s",
            "-m",
            "pytest",
            "suites",
            f"--rootdir={root}",
            f"--confcutdir={root}",
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
        try:
            status = _run(argv, root, environment, log=log, reading=reading)
        finally:
            os.close(reading)
        outcome = _outcome(target, nonce)
    if outcome is None:
        if status in (-signal.SIGINT, Exit.INTERRUPTED):
            raise CheckError("interrupted; the next start goes on from here", Exit.INTERRUPTED)
        where = f" See {log}." if log else ""
        why = f"the test process ended with status {status} and without a decision.{where}"
        return _closed(project, model, why), None
    if outcome.decision is None:
        raise CheckError(outcome.error or "", outcome.exit)
    decision = _held_against(outcome, outcome.decision, status, model=model, root=root)
    return decision, outcome.evidence


def _run(
    argv: list[str],
    root: Path,
    environment: Mapping[str, str],
    *,
    log: Path | None,
    reading: int,
) -> int:
    from ctypes import CDLL

    libc = CDLL(None)

    def before_exec() -> None:
        """A `kill -9` of the gate must not leave a process behind that holds the run's lock.

        Whoever starts the gate in the background of a script starts it deaf to SIGINT; the child must hear it from here.
        """
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    with _output(log) as output:
        process = subprocess.Popen(  # noqa: S603 (this interpreter, arguments of our own)
            argv,
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            pass_fds=(reading,),
            preexec_fn=before_exec if sys.platform == "linux" else None,  # noqa: PLW1509 (one thread, one libc call)
        )
        before = signal.signal(signal.SIGTERM, _as_interrupt)  # how CI cancels a job
        try:
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    # A terminal sends Ctrl-C to both; the child keeps what landed, then ends. Told by hand, it hears of it here.
                    process.send_signal(signal.SIGINT)
        finally:
            signal.signal(signal.SIGTERM, before)


def _as_interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _output(log: Path | None) -> IO[bytes]:
    """Where pytest's output goes, readable by its owner only. Raises InfrastructureError."""
    if log is None:
        return open(os.devnull, "wb")  # noqa: PTH123 (no path of ours)
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the log. Mend reports/, then start again.",
            where=str(log),
            code="EG501",
        ) from None


def _outcome(target: Path, nonce: str) -> Outcome | None:
    try:
        outcome = msgspec.json.decode(target.read_bytes(), type=Outcome)
    except (OSError, msgspec.MsgspecError):
        return None
    whole = (outcome.decision is None) != (outcome.error is None)
    return outcome if whole and secrets.compare_digest(outcome.nonce, nonce) else None


def _held_against(
    outcome: Outcome, decision: Decision, status: int, *, model: str, root: Path
) -> Decision:
    """The decision, if the files as they stand now bear it out; else one that is closed and says why."""
    if decision.decision != "open":
        return decision
    from evalgate.gate.decide import decide, disagreements
    from evalgate.gate.plan import plan_digest
    from evalgate.suite.project import load_header, load_project

    try:
        project = load_project(root)
        name, spec = project.model(model)
        plan = plan_digest(project, spec, outcome.baseline, judge=outcome.judge)
    except EvalgateError as e:
        return _closed(load_header(root), model, f"the project cannot be read again: {e}")
    if plan != decision.plan:
        trouble = IntegrityError(
            f"found the plan {plan[:19]}, expected {decision.plan[:19]}: the project was edited while the gate was at "
            "work, or another project was tested. Run it again.",
            where=root.name,
            code="EG502",
        )
        return decide(
            expected=(),
            findings=(),
            troubles=[trouble],
            model={"name": name, "digest": ""},
            plan=plan,
        )
    faults = disagreements(decision.findings, project.gate)
    if status != Exit.OPEN or outcome.exit != Exit.OPEN or decision.model.get("name") != name:
        faults.append(
            f"the test process ended with status {status} and spoke of {decision.model.get('name')!r}"
        )
    return _closed(project, model, "; ".join(faults)) if faults else decision


def _closed(project: Project, model: str, why: str) -> Decision:
    from evalgate.gate.decide import Bypass, decide

    return decide(
        expected=[(suite, key) for suite, rows in project.gate.suites.items() for key in rows],
        findings=(),
        bypasses=[Bypass(where="gate check", what=why)],
        model={"name": model, "digest": ""},
        plan="",
    )
