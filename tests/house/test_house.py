"""The house stays straight: names, layers, sizes, and what the repository must never contain."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import evalgate
from evalgate.authored import explain, known_codes

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "evalgate").rglob("*.py"))


def test_the_front_door_exports_exactly_these_names():
    assert evalgate.__all__ == [
        "Answer", "Entity", "Estimate", "Suite", "accuracy", "agreement", "criterion_rate", "f1", "macro_f1", "mean",
        "must_pass", "paired_difference", "parse_json", "parse_label", "parse_text", "precision", "rate", "recall",
        "rubric_pass_rate", "rubric_score", "text", "training",
    ]  # fmt: skip
    assert evalgate.__all__ == sorted(evalgate.__all__)
    assert all(getattr(evalgate, name) is not None for name in evalgate.__all__)


def test_an_unknown_name_of_the_front_door_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'acuracy'"):
        evalgate.acuracy  # noqa: B018


def test_imports_go_down_only():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_modules_stay_small():
    large = {p.name: n for p in SOURCES if (n := len(p.read_text().splitlines())) > 500}
    assert not large


def test_public_functions_and_classes_have_docstrings():
    silent = []
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        if not ast.get_docstring(tree) and path.name != "__init__.py":
            silent.append(path.name)
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                hook = node.name.startswith("pytest_")
                if not ast.get_docstring(node) and not hook:
                    silent.append(f"{path.name}:{node.name}")
    assert not silent


def test_every_code_that_is_raised_is_explained_and_the_other_way_round():
    used = set()
    for path in SOURCES:
        used |= set(re.findall(r"\bEG\d{3}\b", path.read_text()))
    known = set(known_codes())
    assert used - known == set()
    assert known - used == set()
    for code in known:
        title, text = explain(code)
        assert title
        assert len(text) > 60, code


def test_importing_evalgate_and_its_plugin_loads_nothing_heavy():
    code = (
        "import sys, evalgate, evalgate.pytest_plugin\n"
        "print([m for m in ('numpy', 'scipy', 'httpx', 'aiohttp', 'rich', 'rapidfuzz', 'msgspec', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_repository_holds_no_machine_paths_registry_hosts_or_secrets():
    # written so that this file does not find itself
    forbidden = re.compile(
        "/wor" + r"k/|/hom" + r"e/\w|/tm" + r"p/bash|pypi\.or" + r"g|BEGIN [A-Z ]*PRIVATE KE" + "Y"
    )
    found = []
    for path in tracked():
        if path.suffix in {".png", ".gguf"}:
            continue
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        ):
            if forbidden.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert not found


def test_no_gold_set_stands_without_its_card():
    for gold in (ROOT / "goldsets").glob("*.jsonl"):
        assert gold.with_suffix(".toml").is_file(), gold.name


def test_the_top_level_is_the_charters():
    for name in ("pyproject.toml", "Makefile", "README.md", "gate.toml", "evalgate.toml", ".ci/run", "src/evalgate",
                 "suites/prompts", "goldsets", "rubrics", "trainers", "tests", "reports", "docs/decisions"):  # fmt: skip
        assert (ROOT / name).exists(), name


def test_ci_runs_the_readmes_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
