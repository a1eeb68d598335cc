"""Rows of gate.toml and tests of the suites must name each other, checked before a single question is asked."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

from evalgate.gate.decide import Bypass
from evalgate.suite import Project


def two_way_check(project: Project, only: Collection[str] | None) -> list[Bypass]:
    """What is there on one side only. Parametrised ids are known later; here base names are compared.

    `only`: the suites that the command line reaches, None for all of them.
    """
    gate = project.gate.suites
    found = []
    for name in gate:
        if only is not None and name not in only:
            found.append(
                Bypass(
                    where=name,
                    what="not part of this run; use --partial while developing, or run suites/ whole",
                )
            )
        elif name not in project.suites:
            found.append(
                Bypass(
                    where="gate.toml",
                    what=f"EG204 [{name}] has no suite; restore suites/test_{name}.py",
                )
            )
    for name, loaded in project.suites.items():
        rows = {key.split("[")[0] for key in gate[name]}
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
    for path in _other_suites(project):
        found.append(
            Bypass(
                where="gate.toml",
                what=f"EG223 {path.relative_to(project.root).as_posix()} has a SUITE but no table in gate.toml; add one, "
                "or move the file to suites/test_NAME.py",
            )
        )
    return found


def _other_suites(project: Project) -> Iterator[Path]:
    """Modules below suites/ that declare a SUITE and belong to no table."""
    known = {project.root / "suites" / f"test_{name}.py" for name in project.gate.suites}
    for path in sorted((project.root / "suites").rglob("*.py")):
        if path not in known and _declares_suite(path):
            yield path


def _declares_suite(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return False  # pytest's own collection says so, and that closes the gate
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(t, ast.Name) and t.id == "SUITE" for t in targets)
