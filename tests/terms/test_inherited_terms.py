"""A row is no freer than its parents, and theirs, whatever it says of itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from terms.contracts import LAST_YEAR, TODAY, contract, project
from terms.trained import corpus, row

from evalgate.release.descent import descent, refused_descent
from evalgate.store.signer import ledger_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    """Grandchildren of bought rows, which say that they are the project's own."""
    root = project(tmp_path / "p")
    shutil.copy(ROOT / "terms/project.toml", root / "terms/project.toml")
    corpus(root, "bought", [row("v1", terms="northfield", source="Northfield Records")])
    corpus(root, "told", [row("d1", parents=("v1",))])
    corpus(root, "again", [row("g1", parents=("d1",)), row("g2", parents=("g1",)), row("own")])
    return root


def reasons(root: Path, *names: str) -> list[str]:
    found = descent(root, [root / "data" / name for name in names])
    return refused_descent(root, found, ledger_of(root), TODAY)


def test_ancestors_are_found_over_corpora_and_generations(root):
    found = descent(root, [root / "data/again"])
    assert found.terms == {"northfield", "project"}
    assert found.sources == {"Northfield Records"}
    assert not found.missing
    assert reasons(root, "again") == []


def test_rows_without_parents_have_no_ancestors_to_ask(root):
    (root / "terms/northfield.toml").unlink()
    assert reasons(root, "bought") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"may_augment": "false"}, "derived from northfield: may_augment is false"),
        ({"may_augment": None}, "derived from northfield: may_augment is not stated"),
        ({"expires": str(LAST_YEAR)}, "derived from northfield: expired after"),
    ],
)
def test_what_a_grandparent_does_not_allow_is_not_allowed(root, changes, words):
    (root / "terms/northfield.toml").write_text(contract(**changes))
    assert reasons(root, "again")[0].startswith(words)


def test_a_parent_that_is_gone_leaves_the_terms_unknown(root):
    shutil.rmtree(root / "data/bought")
    (reason,) = reasons(root, "again")
    assert "1 rows that others are derived from are not here (such as v1)" in reason


def test_parents_in_a_circle_end(root):
    corpus(root, "left", [row("c1", parents=("c2",))])
    corpus(root, "right", [row("c2", parents=("c1",))])
    assert descent(root, [root / "data/left"]).terms == {"project"}
