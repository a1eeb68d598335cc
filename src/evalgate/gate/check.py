"""`gate check`: pytest in a fresh process with a cleaned environment; its decision file is believed if the files bear it out."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from evalgate.errors import EvalgateError, Exit, InfrastructureError, IntegrityError
from evalgate.gate import perimeter
from evalgate.gate.perimeter import Perimeter
from evalgate.models.process import QUIET
from evalgate.records import Decision, Evidence, Lock, ModelIdentity, Record
from evalgate.store.attempts import SealedSet

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
_NO_WORD = (Exit.INTERRUPTED, Exit.INFRASTRUCTURE, Exit.INTERNAL)
"""How a second look ends that has found nothing: there is no decision then, and the next start goes on."""


class Survey(Record, kw_only=True):
    """What a check would be about, before a question: model, plan, baseline (its digest), and every file that decides.

    `sealed`: of each suite the sealed set, in a check of such; `labels`: digests of the files with labels of its answers, where
    there are any. `lock`: how the plan stands to the last locked one.
    """

    model: dict[str, str]
    plan: str
    baseline: str | None = None
    files: dict[str, str] = msgspec.field(default_factory=dict)
    sealed: dict[str, SealedSet] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    lock: Lock | None = None


class Outcome(Record, kw_only=True):
    """What the test process leaves behind: a decision, an error or a survey, with the nonce it was started with.

    `baseline`: digest of the baseline's identity. `judge`: who judged. `evidence`: what the decision rests on.
    """

    nonce: str
    decision: Decision | None = None
    baseline: str | None = None
    judge: ModelIdentity | None = None
    evidence: Evidence | None = None
    survey: Survey | None = None
    error: str | None = None
    exit: int


SURVEY = b'{"survey":true}'
"""Handed to the test process: say what would be asked."""


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
    status, outcome = run_tests(project, model, fresh=fresh, log=log)
    if outcome is None:
        return _closed(project, model, without_outcome(status, log)), None
    if outcome.decision is None:
        raise CheckError(outcome.error or "", outcome.exit)
    decision = _held_against(outcome, outcome.decision, status, model=model, root=project.root)
    return decision, outcome.evidence


def survey(project: Project, model: str) -> Survey:
    """What a check of the project as it stands would be about; a fresh process loads the suites, and asks nothing.

    Whoever signs or promotes needs the plan, and must not run suite code beside its key. Raises CheckError.
    """
    status, outcome = run_tests(project, model, handed=SURVEY)
    if outcome is None:
        raise CheckError(without_outcome(status, None), Exit.CLOSED)
    if outcome.survey is None:
        why = "; ".join(outcome.decision.reasons) if outcome.decision else outcome.error or ""
        raise CheckError(why, outcome.exit)
    return outcome.survey


def run_tests(
    project: Project,
    model: str,
    *,
    fresh: bool = False,
    log: Path | None = None,
    handed: bytes = b"",
    read: Callable[[bytes], bytes] = bytes,
) -> tuple[int, Outcome | None]:
    """Runs suites/ in a fresh process; returns its status and what it leaves behind, None if that cannot be believed.

    `handed`: what the process is told behind its nonce; it is gone before any conftest runs. `read` makes the outcome
    of the bytes that it leaves.
    """
    root = project.root
    keys = {s.api_key_env for s in project.settings.models.values() if s.api_key_env}
    keys = {
        name for name in keys if not name.startswith("EVALGATE_")
    }  # the gate's own are not for suites
    environment = {k: v for k, v in os.environ.items() if k in _KEPT or k in keys}
    nonce = secrets.token_hex(16)
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(nonce.encode() + handed)
    environment |= QUIET | {
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
            status, lived_in = _run(
                argv,
                root,
                environment,
                perimeter.wanted(project, model, os.environ),
                log=log,
                reading=reading,
            )
        finally:
            os.close(reading)
        return status, _inside(lived_in, _outcome(target, nonce, read), project, model)


def without_outcome(status: int, log: Path | None) -> str:
    """Why there is no decision. Raises CheckError if it was interrupted."""
    if status in (-signal.SIGINT, Exit.INTERRUPTED):
        raise CheckError("interrupted; the next start goes on from here", Exit.INTERRUPTED)
    where = f" See {log}." if log else ""
    return f"the test process ended with status {status} and without a decision.{where}"


def _run(
    argv: list[str],
    root: Path,
    environment: Mapping[str, str],
    wanted: Perimeter,
    *,
    log: Path | None,
    reading: int,
) -> tuple[int, Perimeter]:
    """Runs the test process; its status, and the perimeter that it has lived in."""
    from ctypes import CDLL

    libc = CDLL(None)

    def before_exec(enter: Callable[[], None]) -> None:
        """A `kill -9` of the gate must not leave a process behind that holds the run's lock.

        Whoever starts the gate in the background of a script starts it deaf to SIGINT; the child must hear it from here.
        """
        enter()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    with _output(log) as output:

        def spawn(told: Perimeter, enter: Callable[[], None]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(  # noqa: S603 (this interpreter, arguments of our own)
                argv,
                cwd=root,
                env={**environment, perimeter.VARIABLE: msgspec.json.encode(told).decode()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                pass_fds=(reading,),
                preexec_fn=partial(before_exec, enter) if sys.platform == "linux" else None,  # noqa: PLW1509 (one thread, few libc calls)
            )

        process, lived_in = perimeter.start(wanted, spawn)
        before = signal.signal(signal.SIGTERM, _as_interrupt)  # how CI cancels a job
        try:
            while True:
                try:
                    return process.wait(), lived_in
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


def _outcome(target: Path, nonce: str, read: Callable[[bytes], bytes]) -> Outcome | None:
    try:
        outcome = msgspec.json.decode(read(target.read_bytes()), type=Outcome)
    except (OSError, msgspec.MsgspecError, IntegrityError):
        return None
    whole = [outcome.decision, outcome.error, outcome.survey].count(None) == 2
    return outcome if whole and secrets.compare_digest(outcome.nonce, nonce) else None


def _inside(
    lived_in: Perimeter, outcome: Outcome | None, project: Project, model: str
) -> Outcome | None:
    """The outcome; an open decision without the proof of its perimeter is closed."""
    if outcome is None or outcome.decision is None or outcome.decision.decision != "open":
        return outcome
    trouble = perimeter.disagreement(outcome.evidence, lived_in)
    if trouble is None:
        return outcome
    closed = _closed(project, model, troubles=[trouble])
    return msgspec.structs.replace(outcome, decision=closed, exit=closed.exit)


def _held_against(
    outcome: Outcome, decision: Decision, status: int, *, model: str, root: Path
) -> Decision:
    """The decision, if the files as they stand now bear it out; else one that is closed and says why."""
    if decision.decision != "open":
        return decision
    from evalgate.gate.decide import decide, disagreements
    from evalgate.suite.project import load_header

    project = load_header(root)
    name, _ = project.model(model)
    try:
        now = survey(project, name)
    except CheckError as e:
        if e.exit in _NO_WORD:
            raise
        return _closed(project, model, f"the project cannot be read again: {e}")
    plan, lock = now.plan, now.lock
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
    if outcome.evidence is None or outcome.evidence.lock != lock:
        faults.append(
            "what it says of the locked plan is not what the ledger says; was one locked meanwhile?"
        )
    if status != Exit.OPEN or outcome.exit != Exit.OPEN or decision.model.get("name") != name:
        faults.append(
            f"the test process ended with status {status} and spoke of {decision.model.get('name')!r}"
        )
    return _closed(project, model, "; ".join(faults)) if faults else decision


def _closed(
    project: Project, model: str, why: str = "", *, troubles: Sequence[EvalgateError] = ()
) -> Decision:
    from evalgate.gate.decide import Bypass, decide

    return decide(
        expected=[(suite, key) for suite, rows in project.gate.suites.items() for key in rows],
        findings=(),
        bypasses=[Bypass(where="gate check", what=why)] if why else (),
        troubles=troubles,
        model={"name": model, "digest": ""},
        plan="",
    )
