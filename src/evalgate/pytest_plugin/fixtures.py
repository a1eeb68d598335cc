"""What a test sees: answers, baseline, threshold. The same code serves one process and every xdist worker."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest

from evalgate.errors import EvalgateError, IntegrityError
from evalgate.gate.claims import misjudged, uncovered
from evalgate.metrics import Estimate
from evalgate.records import Bar, Finding, ModelIdentity, Record
from evalgate.store import Manifest, Run
from evalgate.suite import Answers, FirstRelease, LoadedSuite, Project, Suite, load_project
from evalgate.suite.asking import manifest_of

if TYPE_CHECKING:
    from evalgate.judge import Calibration, Verdicts

FINDING = "evalgate.finding"
BYPASS = "evalgate.bypass"
TROUBLE = "evalgate.trouble"

_desk = pytest.StashKey["Desk"]()


class Brief(Record, kw_only=True):
    """What the controlling process tells everyone who evaluates: sent to workers as JSON."""

    root: str
    plan: str
    candidate: ModelIdentity
    runs: dict[str, str]
    baseline: ModelIdentity | None
    baseline_runs: dict[str, str]
    first_release: bool
    judge: ModelIdentity | None = None

    @property
    def model(self) -> str:
        """The candidate's name."""
        return self.candidate.name


class Trouble(Record, kw_only=True):
    """An expected failure inside a fixture, on its way to the controlling process."""

    kind: str
    message: str
    where: str
    code: str


class Desk:
    """The brief of this process with the project it belongs to, loaded once, and the runs that it has verified."""

    def __init__(
        self,
        brief: Brief,
        project: Project | None = None,
        verified: Mapping[str, Run] | None = None,
    ) -> None:
        self.brief = brief
        self._project = project
        self._verified = dict(verified or {})

    @property
    def project(self) -> Project:
        """Raises IntegrityError if what decides is no longer what was planned."""
        if self._project is None:
            project = load_project(Path(self.brief.root), only=set(self.brief.runs))
            check_plan(project, self.brief)
            self._project = project
        return self._project

    def run(self, path: str, manifest: Manifest) -> Run:
        """The run at `path`, verified once for as long as its file does not change. Raises IntegrityError."""
        run = self._verified.get(path)
        if run is None or run.manifest != manifest or not run.unchanged:
            run = self._verified[path] = Run(Path(path), manifest, self.project.seal)
        return run


def check_plan(project: Project, brief: Brief) -> None:
    """Raises IntegrityError (EG502) if gate.toml, suites or gold sets changed since the questions were asked."""
    from evalgate.gate.plan import plan_digest

    _, spec = project.model(brief.model)
    now = plan_digest(
        project, spec, brief.baseline.digest if brief.baseline else None, judge=brief.judge
    )
    if now != brief.plan:
        raise IntegrityError(
            f"found the plan {now[:19]}, expected {brief.plan[:19]}: gate.toml, a suite, a prompt or a gold set was "
            "edited while the gate was at work. Run it again on files that stand still.",
            where=project.root.name,
            code="EG502",
        )


def adopt(config: pytest.Config, brief: str) -> None:
    """In a worker: take the brief that the controlling process sent."""
    config.stash[_desk] = Desk(msgspec.json.decode(brief, type=Brief))


def sit_down(
    config: pytest.Config, brief: Brief, project: Project, verified: Mapping[str, Run]
) -> None:
    """In the controlling process. `verified`: runs by their directory."""
    config.stash[_desk] = Desk(brief, project, verified)


def _fail(request: pytest.FixtureRequest, error: EvalgateError) -> NoReturn:
    """Fails the test with one line and carries the error's kind to the decision."""
    trouble = Trouble(
        kind=type(error).__name__, message=error.message, where=error.where, code=error.code
    )
    node = request.node
    for item in [node] if isinstance(node, pytest.Item) else request.session.items:
        if item is node or item.path == node.path:
            item.user_properties.append((TROUBLE, msgspec.json.encode(trouble).decode()))
    pytest.fail(str(error), pytrace=False)


def _loaded(request: pytest.FixtureRequest) -> tuple[Desk, LoadedSuite]:
    suite = getattr(request.module, "SUITE", None)
    if not isinstance(suite, Suite):
        pytest.fail(
            f"{request.path.name}: found no SUITE, expected one. Add SUITE = Suite(...).",
            pytrace=False,
        )
    desk = request.config.stash.get(_desk, None)
    if desk is None:
        pytest.fail(
            f"{suite.name}: nothing was asked in this session, so there are no answers.",
            pytrace=False,
        )
    try:
        loaded = desk.project.suites.get(suite.name)
    except EvalgateError as e:
        _fail(request, e)
    if (
        loaded is None
        or loaded.suite.digest != suite.digest
        or loaded.path.resolve() != request.path.resolve()
    ):
        pytest.fail(
            f"{suite.name}: found another SUITE than the one that was asked about.", pytrace=False
        )
    return desk, loaded


def _open(
    request: pytest.FixtureRequest, loaded: LoadedSuite, identity: ModelIdentity, path: str
) -> Answers:
    try:
        run = request.config.stash[_desk].run(path, manifest_of(loaded, identity))
    except EvalgateError as e:
        _fail(request, e)
    return Answers(request.module.SUITE, loaded.gold, run, card=loaded.card)


def open_answers(request: pytest.FixtureRequest) -> Answers:
    """The candidate's answers to the suite of the requesting module; fails the test if they cannot be trusted."""
    desk, loaded = _loaded(request)
    return _open(request, loaded, desk.brief.candidate, desk.brief.runs[loaded.suite.name])


def open_baseline(request: pytest.FixtureRequest) -> Answers | FirstRelease:
    """The baseline's answers, or the stand-in of a first release."""
    desk, loaded = _loaded(request)
    if desk.brief.baseline is None:
        return FirstRelease()
    return _open(request, loaded, desk.brief.baseline, desk.brief.baseline_runs[loaded.suite.name])


def open_judged(request: pytest.FixtureRequest) -> tuple[Verdicts, Calibration]:
    """What judge and people say of the candidate's answers to the requesting module's suite."""
    from evalgate.suite.calibrating import calibration_of
    from evalgate.suite.judging import verdicts_of

    desk, loaded = _loaded(request)
    answers = open_answers(request)
    brief, project = desk.brief, desk.project
    try:
        verdicts = verdicts_of(project, loaded, answers, brief.judge)
        calibration = calibration_of(
            project, loaded, answers, verdicts, candidate=brief.candidate, judge=brief.judge
        )
    except EvalgateError as e:
        _fail(request, e)
    return verdicts, calibration


def threshold_for(request: pytest.FixtureRequest) -> Threshold:
    """The threshold of the requesting test; without a row in gate.toml it exists all the same and is never met."""
    desk, loaded = _loaded(request)
    key = key_of(request.node.name)
    bar = desk.project.gate.suites[loaded.suite.name].get(key)
    return Threshold(request.node, desk, loaded, key, bar)


def key_of(test: str) -> str:
    """The key in gate.toml of a test's node name: `test_slice_recall[spanish]` -> `slice_recall[spanish]`."""
    if "\\" in test:  # pytest writes letters beyond ASCII as escapes
        with contextlib.suppress(UnicodeDecodeError):
            test = test.encode("ascii", "backslashreplace").decode("unicode_escape")
    return test.removeprefix("test_")


class Threshold:
    """One row of gate.toml, waiting for its estimate. It shows no number to the test."""

    def __init__(
        self, item: Any, desk: Desk, loaded: LoadedSuite, key: str, bar: Bar | None
    ) -> None:
        self._item = item
        self._desk = desk
        self._loaded = loaded
        self._key = key
        self._bar = bar
        self._used = False

    def __repr__(self) -> str:
        return f"<threshold {self._key}>"

    def met_by(self, estimate: Estimate) -> bool:
        """Records the finding; True only if it passes. To be called once, with what a metric returned."""
        __tracebackhide__ = True
        from evalgate.gate.decide import find
        from evalgate.gate.plan import seed_of

        if self._used:
            return self._bypass("a second finding in one test; one test states one claim")
        self._used = True
        if self._bar is None:
            return self._bypass(f"a test without a threshold: gate.toml has no {self._key!r}")
        if not isinstance(estimate, Estimate):
            return self._bypass(
                f"met_by was given a {type(estimate).__name__}, not what a metric returns"
            )
        if fault := self._uncovered(estimate) or misjudged(estimate, self._bar):
            return self._bypass(fault)
        settings = self._desk.project.gate.settings
        suite = self._loaded.suite.name
        finding: Finding = find(
            suite=suite,
            test=self._key,
            bar=self._bar,
            estimate=estimate,
            alpha=self._desk.project.alpha(suite),
            seed=seed_of(self._desk.brief.plan, suite, self._key),
            unscored_max=settings.unscored_max,
        )
        self._item.user_properties.append((FINDING, msgspec.json.encode(finding).decode()))
        return finding.status == "pass"

    def _bypass(self, what: str) -> bool:
        self._item.user_properties.append((BYPASS, what))
        return False

    def _uncovered(self, estimate: Estimate) -> str | None:
        """Why the estimate does not account for every item of the gold set (or of its slice), or None."""
        if estimate.sample.kind == "first_release" and not self._desk.brief.first_release:
            return "a first-release finding beside a baseline"
        return uncovered(estimate, self._key, self._loaded.gold)
