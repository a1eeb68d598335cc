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
    from evalgate.pytest_plugin.fixtures import Threshold
    from evalgate.suite import Answers, FirstRelease

NONCE = "EVALGATE_NONCE"
_project = pytest.StashKey[Path]()
_guard = pytest.StashKey[Any]()


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
    root = find_active_project(here, targets)
    if root is not None and os.environ.get("PYTEST_XDIST_WORKER") is None:
        from evalgate.pytest_plugin.guard import Guard

        early_config.stash[_project] = root
        early_config.stash[_guard] = Guard(nonce=os.environ.pop(NONCE, None))
    return (yield)


def find_active_project(here: Path, targets: Sequence[str]) -> Path | None:
    """The project whose `suites/` the targets cover or lie in, or None: then the plugin stays inert."""
    for target in targets or ["."]:
        path = (here / target.split("::")[0]).resolve()
        for folder in (path, *path.parents):
            if (folder / "evalgate.toml").is_file() or (folder / "gate.toml").is_file():
                suites = folder / "suites"
                if path == suites or suites in path.parents or path in suites.parents:
                    return folder
                break
    return None


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        if "evalgate" in worker:
            from evalgate.pytest_plugin.fixtures import adopt

            adopt(config, worker["evalgate"])
        return
    if _guard in config.stash:
        from evalgate.pytest_plugin.controller import Controller

        controller = Controller(config, config.stash[_project], config.stash[_guard])
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


@pytest.fixture
def threshold(request: pytest.FixtureRequest) -> Threshold:
    """The row of gate.toml with this suite's and this test's name; `met_by(estimate)` records the finding."""
    from evalgate.pytest_plugin.fixtures import threshold_for

    return threshold_for(request)
