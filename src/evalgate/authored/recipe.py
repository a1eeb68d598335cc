"""trainers/NAME.toml: what is trained on what, by which trainer. A readable file; `evalgate gate train` reads it."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from evalgate.authored.problems import Problems, describe
from evalgate.authored.toml_file import Section, read_toml
from evalgate.records import Record

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Recipe(Record, kw_only=True):
    """A valid recipe. Paths are relative to the project; `digest` is of the file's exact bytes.

    `trainer`: the module that trains, `base`: a model of evalgate.toml, `mixture`: name of a mixture below data/mixtures,
    `output`: name of the model that is made. `config`: the trainer's own settings, which it checks itself.
    """

    path: str
    digest: str
    trainer: str
    base: str
    mixture: str
    output: str
    seed: int = 0
    config: dict[str, Any]


def load_recipe(path: Path, root: Path, problems: Problems) -> Recipe | None:
    """The recipe, or None after noting every problem of the file (EG101 to EG109, EG920)."""
    before = len(problems)
    file = read_toml(path, root, problems)
    if file is None:
        return None
    top = file.top()
    top.only(("recipe", "config"))
    top.has("recipe", required=True)
    table = top.section("recipe", like="Write [recipe] with trainer, base, mixture and output.")
    config = top.section("config", like="Write [config] with the trainer's settings.")
    if table is None:
        return None
    table.only(("trainer", "base", "mixture", "output", "seed"))
    trainer = table.text("trainer", required=True)
    named = {key: table.text(key, required=True) for key in ("base", "mixture", "output")}
    seed = table.whole("seed", 0, low=0, high=2**32 - 1)
    if trainer is not None and not _is_trainer(trainer):
        message = f"found {describe(trainer)}, expected a Python file of the project such as trainers/lora.py. Correct it."
        table.problem("EG920", message, "trainer", value=True)
    for key in ("mixture", "output"):
        _check_name(table, key, named[key])
    if len(problems) > before or trainer is None:
        return None
    return Recipe(
        path=file.name,
        digest=file.digest,
        trainer=trainer,
        base=named["base"] or "",
        mixture=named["mixture"] or "",
        output=named["output"] or "",
        seed=seed,
        config=dict(config.table) if config else {},
    )


def _is_trainer(text: str) -> bool:
    """Training code lies in trainers/, where the reviewers of a project look for it."""
    path = PurePosixPath(text)
    return path.suffix == ".py" and path.parts[:1] == ("trainers",) and ".." not in path.parts


def _check_name(table: Section, key: str, value: str | None) -> None:
    if value is not None and not _NAME.fullmatch(value):
        message = (
            f"found {describe(value)}, expected letters, digits, `.`, `_` and `-`. Correct it."
        )
        table.problem("EG920", message, key, value=True)
