"""A curve's file: which bases are trained on which parts of a recipe's mixture, and what is asked of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from evalgate.authored.problems import Problems, describe
from evalgate.authored.toml_file import Section, read_toml
from evalgate.records import Record

Measure = Literal["metric", "loss"]


class CurveFile(Record, kw_only=True):
    """A valid file. `recipe`: the recipe that is varied, below the project; `current`: the base in use; `planned`: so many times the data of now.

    `primary`: by task the row of gate.toml that is read, where it is not the task's first level. `tasks`: () for all of the mixture.
    """

    path: str
    digest: str
    recipe: str
    current: str
    challengers: tuple[str, ...]
    parts: tuple[str, ...]
    seeds: tuple[int, ...]
    tasks: tuple[str, ...] = ()
    measure: Measure = "metric"
    planned: float = 4.0
    primary: dict[str, str] = msgspec.field(default_factory=dict)


def load_curve(path: Path, root: Path, problems: Problems) -> CurveFile | None:
    """The file, or None after noting every problem of it (EG101 to EG109)."""
    before = len(problems)
    file = read_toml(path, root, problems)
    if file is None:
        return None
    top = file.top()
    top.only(("curve", "primary"))
    top.has("curve", required=True)
    table = top.section("curve", like="Write [curve] with recipe, current and challengers.")
    primary = top.section("primary", like='Write [primary] with lines like triage = "accuracy".')
    if table is None:
        return None
    table.only(("recipe", "current", "challengers", "parts", "seeds", "tasks", "measure", "planned"))  # fmt: skip
    measure = table.text("measure", "metric")
    if measure not in ("metric", "loss"):
        table.range("measure", '"metric" or "loss"')
    planned = table.number("planned", 4.0)
    if not 1.0 <= planned <= 4.0:
        table.range("planned", "1 to 4 times the data", "Beyond, no curve says anything.")
    bases = (table.text("current", required=True) or "", *table.texts("challengers"))
    recipe = table.text("recipe", required=True)
    if not table.texts("challengers"):
        table.has("challengers", required=True)
    found = CurveFile(
        path=file.name,
        digest=file.digest,
        recipe=recipe or "",
        current=bases[0],
        challengers=bases[1:],
        parts=table.texts("parts", ("1/16", "1/8", "1/4", "1/2", "1")),
        seeds=_seeds(table),
        tasks=table.texts("tasks"),
        measure="loss" if measure == "loss" else "metric",
        planned=planned,
        primary={k: primary.text(k) or "" for k in primary.table} if primary else {},
    )
    for name, values in (("challengers", bases), ("parts", found.parts), ("tasks", found.tasks)):
        if len(set(values)) < len(values):
            message = f"found one twice in {', '.join(values)}, expected each once. Keep one."
            table.problem("EG104", message, name)
    return None if len(problems) > before else found


def _seeds(table: Section) -> tuple[int, ...]:
    given = table.table.get("seeds", [1, 2, 3])
    whole = isinstance(given, list) and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 2**32 for v in given
    )
    if not whole or not given or len(set(given)) < len(given):
        message = f"found {describe(given)}, expected a list of different whole numbers. Write it as [1, 2, 3]."
        table.problem("EG107", message, "seeds", value=True)
        return ()
    return tuple(given)
