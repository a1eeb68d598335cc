"""The pytest plugin: options, fixtures, and the switch that wakes the controller when suites are run.

Loaded into every pytest session of the environment, so nothing here imports more than pytest; an unrelated session
pays a few `stat` calls. Modules without a `SUITE` are left alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from evalgate.gate.probe import Watch
    from evalgate.judge import Calibration, Verdicts
    from evalgate.pytest_plugin.fixtures import Threshold
    from evalgate.suite import Answers, FirstRelease

NONCE = "EVALGATE_NONCE"
_NONCE_LENGTH = 32
_project = pytest.StashKey[list[Path]]()
_guard = pytest.StashKey[Any]()
_watch = pytest.StashKey[Any]()
_handed = pytest.StashKey[bytes]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("evalgate", "evalgate: the release question")
    group.addoption(
        "--candidate",
        metavar="NAME_OR_PATH",
        help="model to decide about (default: [default] candidate)",
    )
    group.addoption(
        "--fresh", action="store_true", help="ask everything again; earlier answers are set aside"
    )
    group.addoption(
        "--partial",
        action="store_true",
        help="a run of a part, for development: no decision, pytest's own exit code",
    )
    group.addoption("--evalgate-decision", metavar="FILE", help=argparse.SUPPRESS)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Iterator[None]:
    """Before any conftest runs: is this session about suites? Then an early exit must not look like success."""
    del args
    given = early_config.known_args_namespace
    targets = list(given.file_or_dir) or list(early_config.getini("testpaths"))
    here = Path(early_config.invocation_params.dir)
    roots = find_active_projects(here, targets)
    if roots:
        # conftest files above the project are in nobody's plan
        given.confcutdir = str(roots[0])
        if os.environ.get("PYTEST_XDIST_WORKER") is None:
            from evalgate.pytest_plugin.guard import Guard

            early_config.stash[_project] = roots
            nonce, handed = _take_nonce()
            early_config.stash[_guard] = exit_guard = Guard(nonce=nonce)
            early_config.stash[_handed] = handed
            if exit_guard.nonce is not None:
                early_config.stash[_watch] = _begin_watch(roots[0], given.evalgate_decision)
            _forget_bytecode(roots[0])
    return (yield)


def _take_nonce() -> tuple[str | None, bytes]:
    """The gate's nonce and what it handed over, from a pipe that is empty afterwards: what is loaded later cannot read it again."""
    descriptor = os.environ.pop(NONCE, None)
    if descriptor is None:
        return None, b""
    with os.fdopen(int(descriptor), "rb") as pipe:
        told = pipe.read()
    return told[:_NONCE_LENGTH].decode(), told[_NONCE_LENGTH:]


def _begin_watch(root: Path, decision: str) -> Watch | None:
    """The perimeter that the gate has put around this process, from inside; before any code of the project is imported."""
    from evalgate.gate.probe import Watch, told

    perimeter = told()
    return None if perimeter is None else Watch(perimeter, root, Path(decision).parent)


def _forget_bytecode(root: Path) -> None:
    from evalgate.gate.plan import forget_bytecode

    forget_bytecode(root)


def find_active_projects(here: Path, targets: Sequence[str]) -> list[Path]:
    """The projects whose `suites/` the targets cover or lie in; empty: the plugin stays inert.

    A project inside another project's `suites/` is none: thresholds cannot be brought along with a suite.
    """
    found: list[Path] = []
    for target in targets or ["."]:
        path = (here / target.split("::")[0]).resolve()
        holders = [f for f in (path, *path.parents) if _holds_project(f)]
        while holders and any(
            outer / "suites" in (holders[0], *holders[0].parents) for outer in holders[1:]
        ):
            holders.pop(0)
        if holders:
            suites = holders[0] / "suites"
            inside = path == suites or suites in path.parents or path in suites.parents
            if inside and holders[0] not in found:
                found.append(holders[0])
    return found


def _holds_project(folder: Path) -> bool:
    return (folder / "evalgate.toml").is_file() or (folder / "gate.toml").is_file()


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        if "evalgate" in worker:
            from evalgate.pytest_plugin.fixtures import adopt

            adopt(config, worker["evalgate"])
        return
    if _guard in config.stash:
        from evalgate.pytest_plugin.controller import Controller

        watch = config.stash.get(_watch, None)
        roots, exit_guard = config.stash[_project], config.stash[_guard]
        controller = Controller(config, roots, exit_guard, watch, handed=config.stash[_handed])
        config.pluginmanager.register(controller, "evalgate-controller")


def pytest_collection_finish(session: pytest.Session) -> None:
    """A SUITE without gate.toml is a usage error, never a pass."""
    config = session.config
    if _guard in config.stash or hasattr(config, "workerinput") or config.option.collectonly:
        return
    for item in session.items:
        suite = getattr(getattr(item, "module", None), "SUITE", None)
        if type(suite).__module__ == "evalgate.suite.suite":
            pytest.exit(
                f"{item.path}: EG220 found a SUITE without gate.toml and evalgate.toml above it, expected a project. "
                "Run 'evalgate init' or write both files.",
                returncode=2,
            )


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest) -> Answers:
    """Every item of the suite's gold set with the candidate's answer. See `evalgate.suite.Answers`."""
    from evalgate.pytest_plugin.fixtures import open_answers

    return open_answers(request)


@pytest.fixture(scope="module")
def baseline(request: pytest.FixtureRequest) -> Answers | FirstRelease:
    """The same for the baseline model; in a first release, a stand-in that says so."""
    from evalgate.pytest_plugin.fixtures import open_baseline

    return open_baseline(request)


@pytest.fixture(scope="module")
def _judged(request: pytest.FixtureRequest) -> tuple[Verdicts, Calibration]:
    from evalgate.pytest_plugin.fixtures import open_judged

    return open_judged(request)


@pytest.fixture(scope="module")
def verdicts(_judged: tuple[Verdicts, Calibration]) -> Verdicts:
    """Every item of the suite's gold set with what judge and code say of the candidate's answer. See docs/judges.md."""
    return _judged[0]


@pytest.fixture(scope="module")
def calibration(_judged: tuple[Verdicts, Calibration]) -> Calibration:
    """What people's labels say of the same answers: a judged number becomes one that may promote by it."""
    return _judged[1]


@pytest.fixture
def threshold(request: pytest.FixtureRequest) -> Threshold:
    """The row of gate.toml with this suite's and this test's name; `met_by(estimate)` records the finding."""
    from evalgate.pytest_plugin.fixtures import threshold_for

    return threshold_for(request)
