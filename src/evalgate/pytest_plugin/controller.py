"""The controlling process: asks before any test, gathers findings, decides, and has the last word on the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalgate import errors
from evalgate.errors import EvalgateError, Exit, UsageError
from evalgate.gate.check import Outcome
from evalgate.gate.decide import Bypass, decide
from evalgate.gate.plan import plan_digest
from evalgate.pytest_plugin.fixtures import (
    BYPASS,
    FINDING,
    TROUBLE,
    Brief,
    Trouble,
    key_of,
    sit_down,
)
from evalgate.pytest_plugin.guard import Guard
from evalgate.records import Decision, Finding
from evalgate.suite import AskedModel, Project, ask_model, load_project
from evalgate.suite.progress import Progress

_LOOKS_ONLY = (
    "collectonly",
    "help",
    "version",
    "showfixtures",
    "show_fixtures_per_test",
    "markers",
    "cacheshow",
)


class _Seen:
    """What the reports said about one test."""

    def __init__(self) -> None:
        self.calls = 0
        self.passed = False
        self.skipped = False
        self.expected_to_fail = False
        self.rerun = False
        self.properties: dict[str, list[str]] = {}


class Controller:
    """Registered only where suites are run, and only in the process that was started by hand or by the gate."""

    def __init__(self, config: pytest.Config, root: Path, guard: Guard) -> None:
        self.config = config
        self.root = root
        self.guard = guard
        self.partial: bool = config.option.partial
        self.asks = not (config.option.setupplan or config.option.setuponly)
        self.looks_only = any(getattr(config.option, name, False) for name in _LOOKS_ONLY)
        self.project: Project | None = None
        self.model: dict[str, str] = {}
        self.plan = ""
        self.brief: Brief | None = None
        self.error: BaseException | None = None
        self.bypasses: list[Bypass] = []
        self.seen: dict[tuple[str, str], _Seen] = {}
        self._suite_paths: dict[Path, str] = {}
        if self.looks_only:
            guard.disarm()

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
        only = self._suites_in_reach()
        self.project = project = load_project(self.root, only=only)
        self._suite_paths = {s.path.resolve(): name for name, s in project.suites.items()}
        name, spec = project.model(self.config.option.candidate)
        self.model = {"name": name, "digest": ""}
        self.plan = plan_digest(project, spec)
        if not self.partial:
            self.bypasses += _two_way_check(project)
            if sys.flags.optimize:
                self.bypasses.append(Bypass(where="python -O", what="assertions are stripped"))
        if self.bypasses or not self.asks:
            return
        with Progress() as progress:
            candidate = ask_model(project, name, fresh=self.config.option.fresh, progress=progress)
            self.model = {"name": name, "digest": candidate.identity.digest}
            base = self._ask_baseline(project, name, candidate, progress)
        self.brief = Brief(
            root=str(self.root),
            plan=self.plan,
            candidate=candidate.identity,
            runs=candidate.runs,
            baseline=base.identity if base else None,
            baseline_runs=base.runs if base else {},
            first_release=project.gate.settings.first_release,
        )
        sit_down(self.config, self.brief, project)

    def _ask_baseline(
        self, project: Project, name: str, candidate: AskedModel, progress: Progress
    ) -> AskedModel | None:
        baseline = project.gate.settings.baseline
        if baseline is None:
            return None
        if baseline == name:
            return candidate
        return ask_model(project, baseline, fresh=self.config.option.fresh, progress=progress)

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
        return self.error is not None or bool(self.bypasses)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool | None:
        if self._blocked:
            session.items = []
        return True if self._blocked else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        return True if self._blocked else None

    # -- while tests run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path, _, test = report.nodeid.partition("::")
        suite = self._suite_paths.get((self.config.rootpath / path).resolve())
        if suite is None:
            return
        seen = self.seen.setdefault((suite, key_of(test)), _Seen())
        seen.rerun |= str(report.outcome) == "rerun"
        seen.expected_to_fail |= hasattr(report, "wasxfail")
        seen.skipped |= report.skipped
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
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        """Runs first and last: other hooks may set what they like in between."""
        try:
            yield
        finally:
            status = int(exitstatus)
            if self.looks_only:
                self._last_words("no decision (nothing was run)")
            elif self.partial and self.error is None and self.asks:
                self.guard.disarm()
                self._last_words("no decision (partial run)")
            else:
                if status == int(pytest.ExitCode.INTERRUPTED) and self.error is None:
                    self.error = KeyboardInterrupt()
                status = self._conclude()
                session.exitstatus = status
                self.guard.settle(status)

    def _conclude(self) -> int:
        """Decides, reports, and returns the exit code of this process."""
        error = self.error
        if isinstance(error, KeyboardInterrupt):
            return self._without_decision(
                "interrupted; the next start goes on from here", Exit.INTERRUPTED
            )
        if isinstance(error, UsageError):
            return self._without_decision(str(error), error.exit)
        if error is not None and not isinstance(error, EvalgateError):
            text = (
                "".join(traceback.format_exception(error)) if self.config.option.verbose > 0 else ""
            )
            return self._without_decision(
                f"{text}internal error, {type(error).__name__}: {error}", Exit.INTERNAL
            )
        decision = self._decision([error] if error is not None else [])
        if not self._to_gate(
            Outcome(nonce=self.guard.nonce or "", decision=decision, exit=decision.exit)
        ):
            self._show(decision)
        self._last_words(f"decision: {decision.decision} (exit {decision.exit})")
        # Under plain pytest a decision that is not open is 1, as for any failing test; outages and breaches keep theirs.
        return int(Exit.CLOSED) if decision.exit == Exit.UNDECIDED else decision.exit

    def _decision(self, troubles: list[EvalgateError]) -> Decision:
        bars = self.project.gate.suites if self.project else {}
        expected = [(suite, key) for suite, rows in bars.items() for key in rows]
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

        def bypass(what: str) -> None:
            bypasses.append(Bypass(where=f"{key[0]} {key[1]}", what=what))

        seen = self.seen.get(key)
        if seen is None:
            what = (
                "not evaluated: setup only"
                if not self.asks
                else "its test did not run (deselected, or lost)"
            )
            bypass(what)
            return
        for text in seen.properties.get(TROUBLE, []):
            troubles.append(_revive(msgspec.json.decode(text, type=Trouble)))
            return
        if seen.properties.get(BYPASS):
            bypass(seen.properties[BYPASS][0])
        elif key not in expected:
            bypass("a test without a threshold in gate.toml")
        elif seen.expected_to_fail or seen.skipped:
            bypass(
                "its test is marked as expected to fail"
                if seen.expected_to_fail
                else "its test was skipped"
            )
        elif seen.rerun or seen.calls > 1:
            bypass("its test was run more than once")
        elif len(seen.properties.get(FINDING, [])) != 1:
            bypass("its test ended without a finding")
        else:
            finding = msgspec.json.decode(seen.properties[FINDING][0], type=Finding)
            findings.append(finding)
            if finding.status == "pass" and not seen.passed:
                bypass("its test failed although its finding passes")
            elif finding.status != "pass" and seen.passed:
                bypass(
                    f"its test passed although its finding is {finding.status} (forgotten assert?)"
                )

    # -- telling

    def _to_gate(self, outcome: Outcome) -> bool:
        """Hands the outcome to the gate that started this process. False if nobody did."""
        target = self.config.option.evalgate_decision
        if not target or self.guard.nonce is None:
            return False
        path = Path(target)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(outcome))
        temporary.replace(path)
        return True

    def _without_decision(self, message: str, code: Exit) -> int:
        told = self._to_gate(Outcome(nonce=self.guard.nonce or "", error=message, exit=int(code)))
        if not told:
            sys.stderr.write(f"\n{message}\n")
            sys.stderr.flush()
        self._last_words(f"no decision (exit {int(code)})")
        return int(code)

    def _show(self, decision: Decision) -> None:
        from evalgate.gate.record import record
        from evalgate.report.terminal import print_decision

        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.flush()
        page = record(decision, self.root)
        print_decision(decision, file=sys.stdout, report=page)

    def _last_words(self, line: str) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)


def _two_way_check(project: Project) -> list[Bypass]:
    """Base names of tests and rows must agree before a single question is asked."""
    found = [
        Bypass(
            where="gate.toml", what=f"EG204 [{name}] has no suite; restore suites/test_{name}.py"
        )
        for name in project.gate.suites
        if name not in project.suites
    ]
    for name, loaded in project.suites.items():
        rows = {key.split("[")[0] for key in project.gate.suites[name]}
        where = f"suites/{loaded.path.name}"
        found += [
            Bypass(
                where=where,
                what=f"EG221 test_{t} has no threshold; add a row {t!r} to [{name}] of gate.toml",
            )
            for t in loaded.tests
            if t not in rows
        ]
        found += [
            Bypass(
                where="gate.toml", what=f"EG222 [{name}] {r} has no test; add test_{r} to {where}"
            )
            for r in sorted(rows - set(loaded.tests))
        ]
    present = {p.stem.removeprefix("test_") for p in (project.root / "suites").glob("test_*.py")}
    found += [
        Bypass(
            where="gate.toml",
            what=f"EG223 suites/test_{extra}.py has no table [{extra}]; add one with its thresholds",
        )
        for extra in sorted(present - set(project.gate.suites))
    ]
    return found


def _revive(trouble: Trouble) -> EvalgateError:
    kind = getattr(errors, trouble.kind, EvalgateError)
    if (
        kind is errors.FileProblems
    ):  # its constructor wants the problems; the text is all that is left of them here
        kind = UsageError
    error: EvalgateError = kind(trouble.message, where=trouble.where, code=trouble.code)
    return error
