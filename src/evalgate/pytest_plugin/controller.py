"""The controlling process: asks before any test, gathers findings, decides, and has the last word on the exit code."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalgate import errors
from evalgate.errors import (
    EvalgateError,
    Exit,
    InfrastructureError,
    IntegrityError,
    UsageError,
)
from evalgate.gate.check import Outcome, Survey
from evalgate.gate.decide import Bypass, decide
from evalgate.gate.evidence import gather, now
from evalgate.gate.plan import plan_digest
from evalgate.gate.probe import Watch
from evalgate.gate.sealed_child import Handed, require_labels, survey_of, with_labels
from evalgate.gate.two_way import two_way_check
from evalgate.pytest_plugin.fixtures import (
    FINDING,
    TROUBLE,
    Brief,
    Trouble,
    check_plan,
    key_of,
    sit_down,
)
from evalgate.pytest_plugin.guard import Guard
from evalgate.pytest_plugin.seen import Seen
from evalgate.records import Decision, Evidence, Finding, ModelIdentity
from evalgate.suite import AskedModel, Project, ask_model, identify_model, load_project
from evalgate.suite.asking import identify_baseline
from evalgate.suite.progress import Progress
from evalgate.suite.project import load_again

_LOOKS_ONLY_OPTIONS = (
    "--collect-only",
    "--co",
    "-h",
    "--help",
    "-V",
    "--version",
    "--fixtures",
    "--funcargs",
    "--fixtures-per-test",
    "--markers",
    "--cache-show",
)
_LOOKS_ONLY = (
    "collectonly",
    "help",
    "version",
    "showfixtures",
    "show_fixtures_per_test",
    "markers",
    "cacheshow",
)


class Controller:
    """Registered only where suites are run, and only in the process that was started by hand or by the gate."""

    def __init__(
        self,
        config: pytest.Config,
        roots: list[Path],
        guard: Guard,
        watch: Watch | None = None,
        *,
        handed: bytes = b"",
    ) -> None:
        self.handed = Handed.read(handed)
        self.survey: Survey | None = None
        self.config = config
        self.roots = roots
        self.root = roots[0]
        self.guard = guard
        self.watch = watch
        self.said = set(
            config.invocation_params.args
        )  # options from elsewhere (ini, environment) decide nothing
        self.partial: bool = config.option.partial
        self.asks = not (config.option.setupplan or config.option.setuponly)
        self.looks_only = any(getattr(config.option, name, False) for name in _LOOKS_ONLY)
        self.project: Project | None = None
        self.model: dict[str, str] = {}
        self.plan = ""
        self.brief: Brief | None = None
        self.asked = 0
        self.judged = 0
        self.error: BaseException | None = None
        self.bypasses: list[Bypass] = []
        self.seen: dict[tuple[str, str], Seen] = {}
        self._suite_paths: dict[Path, str] = {}
        if self.looks_only and self._on_command_line(_LOOKS_ONLY_OPTIONS):
            guard.disarm()

    def _on_command_line(self, options: tuple[str, ...]) -> bool:
        return any(str(a).split("=")[0] in options for a in self.said)

    # -- before any test

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Before xdist starts its workers, so that they find every answer on disk."""
        del session
        if self.looks_only:
            return
        try:
            self._prepare()
        except (
            BaseException
        ) as e:  # remembered: pytest skips its session-finish hooks if this hook raises
            self.error = e

    def _prepare(self) -> None:
        gc.freeze()  # what is imported by now stays: collecting need not go through it, 12 ms each time
        self._check_session()
        only = self._suites_in_reach()
        opening = self.handed.opening if self.handed else None
        self.project = project = load_project(self.root, only=only, sealed=opening)
        if self.watch is not None:
            self.watch.finish()
        self._suite_paths = {s.path.resolve(): name for name, s in project.suites.items()}
        candidate = identify_model(project, self.config.option.candidate)
        self.project = project = with_labels(project, candidate)
        self.model = {"name": candidate.name, "digest": candidate.digest}
        gate = project.gate.settings
        baseline = identify_baseline(project)
        _, spec = project.model(candidate.name)
        judge = _judge_of(project, [candidate, *([baseline] if baseline else [])])
        based_on = baseline.digest if baseline else None
        self.plan = plan_digest(project, spec, based_on, judge=judge)
        if not self.partial:
            self.bypasses += two_way_check(project, only)
        if self.bypasses or not self.asks:
            return
        if self.handed and self.handed.survey:
            self.survey = survey_of(project, candidate, self.plan, baseline=based_on, judge=judge)
            return
        fresh: bool = self.config.option.fresh
        with Progress() as progress:
            answered = ask_model(project, candidate, fresh=fresh, progress=progress)
            based = None
            if baseline is not None:
                same = baseline.digest == candidate.digest and baseline.args == candidate.args
                based = (
                    answered
                    if same
                    else ask_model(project, baseline, fresh=fresh, progress=progress)
                )
            judged = _judge(project, answered, judge, progress) if judge else 0
        self.asked = answered.asked + (based.asked if based and based is not answered else 0)
        self.judged = judged
        self.brief = Brief(
            root=str(self.root),
            plan=self.plan,
            candidate=candidate,
            runs=answered.runs,
            baseline=based.identity if based else None,
            baseline_runs=based.runs if based else {},
            first_release=gate.first_release,
            judge=judge,
        )
        verified = answered.verified | (based.verified if based else {})
        sit_down(self.config, self.brief, project, verified)
        require_labels(project, answered, judge)

    def _check_session(self) -> None:
        """What may not come from an ini file or the environment: which model is meant, and that nothing is decided."""
        if len(self.roots) > 1:
            raise UsageError(
                f"found suites of {len(self.roots)} projects, expected one per session. Run them one after another.",
                code="EG224",
            )
        for name in ("candidate", "partial", "fresh"):
            if getattr(self.config.option, name) and not self._on_command_line((f"--{name}",)):
                raise UsageError(
                    f"found --{name} in an ini file or PYTEST_ADDOPTS, expected it on the command line. Move it there.",
                    code="EG225",
                )
        if os.environ.get("PYTEST_PLUGINS"):
            self.bypasses.append(
                Bypass(where="PYTEST_PLUGINS", what="plugins from the environment are in no plan")
            )
        if sys.flags.optimize and not self.partial:
            self.bypasses.append(Bypass(where="python -O", what="assertions are stripped"))

    def _suites_in_reach(self) -> set[str] | None:
        """Names of the suites that the command line reaches, or None for all of them."""
        suites = self.root / "suites"
        here = Path(self.config.invocation_params.dir)
        names: set[str] = set()
        for argument in self.config.args:
            path = (here / argument.split("::")[0]).resolve()
            if path == suites.resolve() or path in suites.resolve().parents:
                return None
            names.add(path.stem.removeprefix("test_"))
        return names

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: each worker is told which runs to read."""
        if self.brief is not None:
            node.workerinput["evalgate"] = msgspec.json.encode(self.brief).decode()

    @property
    def _blocked(self) -> bool:
        """Nothing to test where nothing could be asked."""
        return self.error is not None or bool(self.bypasses) or self.survey is not None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool | None:
        if self._blocked:
            session.items = []
        return True if self._blocked else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        return True if self._blocked else None

    # -- while tests run

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if type(excinfo.value) is KeyboardInterrupt:  # pytest's own subclasses mean -x and the like
            self.error = excinfo.value

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.bypasses.append(Bypass(where=report.nodeid, what="it cannot be collected"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path, _, test = report.nodeid.partition("::")
        suite = self._suite_paths.get((self.config.rootpath / path).resolve())
        if suite is None:
            return
        seen = self.seen.setdefault((suite, key_of(test)), Seen())
        seen.reports += 1
        seen.rerun |= str(report.outcome) == "rerun"
        seen.expected_to_fail |= hasattr(report, "wasxfail")
        seen.skipped |= report.skipped
        if crash := getattr(report.longrepr, "reprcrash", None):
            # the kind and the place of a failure; its words may quote an answer
            kind = crash.message.partition(":")[0].strip()
            known = (
                kind if kind.isidentifier() or kind.replace(".", "").isidentifier() else "failure"
            )
            seen.cause = f" ({known} at {Path(crash.path).name}:{crash.lineno})"
        if report.when == "call":
            seen.calls += 1
            seen.passed = report.passed
        if report.when == "teardown" and report.failed:
            seen.passed = False
        seen.properties = {}
        for name, value in report.user_properties:
            seen.properties.setdefault(name, []).append(str(value))

    # -- after the last test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Runs first and last: other hooks may set what they like in between."""
        try:
            yield
        finally:
            status = int(session.exitstatus)
            if self.looks_only:
                self._last_words("no decision (nothing was run)")
            elif self.partial and self.error is None and self.asks:
                self.guard.disarm()
                self._last_words("no decision (partial run)")
            else:
                session.exitstatus = self._conclude(status)
                self.guard.settle(int(session.exitstatus))

    def _conclude(self, status: int) -> int:
        """Decides, reports, and returns the exit code of this process, whose own would be `status`."""
        error = self.error
        if isinstance(error, KeyboardInterrupt):
            return self._without_decision(
                "interrupted; the next start goes on from here", Exit.INTERRUPTED
            )
        left = self.watch.troubles() if self.watch else []
        if isinstance(error, UsageError) and not left:
            return self._without_decision(str(error), error.exit)
        if error is not None and not isinstance(error, EvalgateError) and not left:
            text = (
                "".join(traceback.format_exception(error)) if self.config.option.verbose > 0 else ""
            )
            return self._without_decision(
                f"{text}internal error, {type(error).__name__}. This is no verdict; -v shows more.",
                Exit.INTERNAL,
            )
        troubles = [*left, *([error] if isinstance(error, EvalgateError) else [])]
        if self.survey is not None and not troubles:
            self._to_gate(
                Outcome(nonce=self.guard.nonce or "", survey=self.survey, exit=int(Exit.CLOSED))
            )
            return int(Exit.CLOSED)
        decision = self._decision(troubles)
        try:
            egress = self.watch.egress if self.watch else None
            evidence = msgspec.structs.replace(self._evidence(decision), egress=egress)
            outcome = Outcome(
                nonce=self.guard.nonce or "",
                decision=decision,
                baseline=self.brief.baseline.digest if self.brief and self.brief.baseline else None,
                judge=self.brief.judge if self.brief else None,
                evidence=evidence,
                exit=decision.exit,
            )
            told = self._to_gate(outcome)
            if not told:
                self._show(decision, evidence)
        except EvalgateError as e:  # a decision that leaves no trace is not one
            return self._without_decision(str(e), e.exit)
        if decision.exit == Exit.OPEN and status != Exit.OPEN and not told:
            self._last_words("no decision: other tests of this session failed (exit 1)")
            return int(Exit.CLOSED)
        # Under plain pytest a decision that is not open is 1, as for any failing test; outages and breaches keep theirs.
        code = int(Exit.CLOSED) if decision.exit == Exit.UNDECIDED else decision.exit
        self._last_words(f"decision: {decision.decision} (exit {code})")
        return code

    def _evidence(self, decision: Decision) -> Evidence:
        """What the decision rests on; the bare minimum where nothing was asked, or it is not open and files are gone.

        Raises InfrastructureError (EG501): an open decision without what it rests on is none.
        """
        if self.brief is None or self.project is None:
            return now()
        brief = self.brief
        try:
            return gather(
                self.project,
                decision,
                candidate=brief.candidate,
                runs=brief.runs,
                baseline=brief.baseline,
                baseline_runs=brief.baseline_runs,
                judge=brief.judge,
                asked=self.asked,
                judged=self.judged,
            )
        except OSError as e:
            if decision.exit != Exit.OPEN:
                return now()
            raise InfrastructureError(
                f"found {e.strerror or e}, expected to be able to read what the decision rests on. Start again.",
                where="reports/runs",
                code="EG501",
            ) from None

    def _decision(self, troubles: list[EvalgateError]) -> Decision:
        bars = self.project.gate.suites if self.project else {}
        expected = [(suite, key) for suite, rows in bars.items() for key in rows]
        try:
            if self.project is not None and self.brief is not None and not troubles:
                check_plan(load_again(self.project), self.brief)
        except EvalgateError as e:
            troubles = [e if isinstance(e, IntegrityError) else IntegrityError(str(e))]
        findings: list[Finding] = []
        bypasses = list(self.bypasses)
        if not troubles and not bypasses:
            for key in sorted(set(self.seen) | set(expected), key=lambda k: (k not in expected, k)):
                self._read(key, expected, findings, bypasses, troubles)
        return decide(
            expected=expected,
            findings=findings,
            bypasses=bypasses,
            troubles=troubles,
            model=self.model,
            plan=self.plan,
        )

    def _read(
        self,
        key: tuple[str, str],
        expected: list[tuple[str, str]],
        findings: list[Finding],
        bypasses: list[Bypass],
        troubles: list[EvalgateError],
    ) -> None:
        """One test's reports -> its finding, or the way it went around its claim."""
        seen = self.seen.get(key, Seen())
        if texts := seen.properties.get(TROUBLE):
            troubles.append(_revive(msgspec.json.decode(texts[0], type=Trouble)))
            return
        what = seen.way_around(expected=key in expected)
        if not what:
            finding = msgspec.json.decode(seen.properties[FINDING][0], type=Finding)
            findings.append(finding)
            if finding.status == "pass" and not seen.passed:
                what = "its test failed although its finding passes"
            elif finding.status != "pass" and seen.passed:
                what = (
                    f"its test passed although its finding is {finding.status} (forgotten assert?)"
                )
        if what:
            bypasses.append(Bypass(where=f"{key[0]} {key[1]}", what=what))

    # -- telling

    def _to_gate(self, outcome: Outcome) -> bool:
        """Hands the outcome to the gate that started this process. False if nobody did."""
        target = self.config.option.evalgate_decision
        if not target or self.guard.nonce is None:
            return False
        path = Path(target)
        temporary = path.with_suffix(f".{os.getpid()}")
        data = msgspec.json.encode(outcome)
        temporary.write_bytes(self.handed.hidden(data) if self.handed else data)
        temporary.replace(path)
        return True

    def _without_decision(self, message: str, code: Exit) -> int:
        told = self._to_gate(Outcome(nonce=self.guard.nonce or "", error=message, exit=int(code)))
        if not told:
            sys.stderr.write(f"\n{message}\n")
            sys.stderr.flush()
        self._last_words(f"no decision (exit {int(code)})")
        return int(code)

    def _show(self, decision: Decision, evidence: Evidence) -> None:
        from evalgate.gate.record import record
        from evalgate.report.terminal import print_decision

        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.flush()
        page = record(decision, self.root, evidence)
        verbose = self.config.option.verbose > 0
        print_decision(decision, evidence, file=sys.stdout, report=page, verbose=verbose)

    def _last_words(self, line: str) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)


def _judge_of(project: Project, judged: list[ModelIdentity]) -> ModelIdentity | None:
    """Who judges; None, and nothing of the judge's room is imported, where no row speaks of one."""
    if not any(bar.judge for rows in project.gate.suites.values() for bar in rows.values()):
        return None
    from evalgate.suite.judging import identify_judge

    return identify_judge(project, judged)


def _judge(project: Project, asked: AskedModel, judge: ModelIdentity, progress: Progress) -> int:
    from evalgate.suite.judging import judge_model

    if project.sealed is None:
        return judge_model(project, asked, judge, progress=progress)
    try:  # nobody is told how many answers there are to judge
        return judge_model(project, asked, judge)
    except errors.FileProblems:  # nor which of them is how long
        raise UsageError(
            f"found answers to sealed items that do not fit into the context of {judge.name}, expected a judge that can read "
            "them all. Give it a larger context (`args`).",
            where=project.settings.path,
            code="EG933",
        ) from None


def _revive(trouble: Trouble) -> EvalgateError:
    kind = getattr(errors, trouble.kind, EvalgateError)
    if (
        kind is errors.FileProblems
    ):  # its constructor wants the problems; the text is all that is left of them here
        kind = UsageError
    error: EvalgateError = kind(trouble.message, where=trouble.where, code=trouble.code)
    return error
