"""Other harnesses on the same mock server, in turns with evalgate and the floor: the second table of docs/performance.md.

Each does what `run_evalgate.sh` does: reads the gold set, asks, scores exact matches, keeps the samples. Their
environments are made by the yardstick folder's install.sh; what is not installed is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stage import Run, Stage, middle

Side = str

INSTALLED = {
    "inspect": "venvs/inspect/bin/inspect",
    "lmeval": "venvs/lmeval/bin/lm_eval",
    "deepeval": "venvs/deepeval/bin/python",
}
NAMES = {
    "floor": "floor",
    "evalgate": "evalgate",
    "inspect": "inspect_ai",
    "lmeval": "lm-eval",
    "deepeval": "deepeval",
}


def installed(root: Path, wanted: Sequence[str]) -> list[str]:
    """Those of `wanted` whose environment is there."""
    return [name for name in wanted if (root / INSTALLED[name]).exists()]


class _Column(NamedTuple):
    head: str
    value: Callable[[_Runs], float]
    text: Callable[[float], str]
    ratio: bool = False


class _Runs(NamedTuple):
    """The runs of one harness; `slow` at one second of latency."""

    few: Sequence[Run]
    many: Sequence[Run]
    slow: Sequence[Run]
    items: tuple[int, int]

    def marginal(self, key: str) -> float:
        """What one more item adds to a measure."""
        small, large = self.items
        return (middle(self.many, key) - middle(self.few, key)) / (large - small)


COLUMNS = (
    _Column("first request, s", lambda r: middle(r.few, "ttfr"), lambda x: f"{x:.2f}"),
    _Column("CPU an answer, ms", lambda r: 1e3 * r.marginal("cpu"), lambda x: f"{x:.2f}", ratio=True),
    _Column("wall, small, s", lambda r: middle(r.few, "wall_net"), lambda x: f"{x:.1f}"),
    _Column("wall, large, s", lambda r: middle(r.many, "wall_net"), lambda x: f"{x:.1f}", ratio=True),
    _Column("wall at 1 s latency, s", lambda r: middle(r.slow, "wall_net"), lambda x: f"{x:.1f}"),
    _Column("memory, MB", lambda r: middle(r.many, "tree_rss_mb"), lambda x: f"{x:.0f}"),
    _Column("its growth, kB an item", lambda r: 1e3 * r.marginal("maxrss_mb"), lambda x: f"{x:.1f}"),
    _Column("disk, kB an item", lambda r: middle(r.many, "log_bytes") / r.items[1] / 1e3, lambda x: f"{x:.1f}"),
)  # fmt: skip


def table(stage: Stage, small: int, large: int, slow: int, names: Sequence[str]) -> str:
    """A Markdown table: one line a harness, multiples of the floor in brackets."""
    found = {side: _runs(stage, side, small, large, slow) for side in ("floor", "evalgate", *names)}
    heads = [c.head.replace("small", f"{small} items").replace("large", f"{large} items") for c in COLUMNS]  # fmt: skip
    rows = [f"| harness | {' | '.join(heads)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    floor = [c.value(found["floor"]) for c in COLUMNS]
    for side, runs in found.items():
        cells = []
        for column, base in zip(COLUMNS, floor, strict=True):
            value = column.value(runs)
            times = f" ({value / base:.1f} x)" if column.ratio and side != "floor" else ""
            cells.append(column.text(value) + times)
        rows.append(f"| {NAMES[side]} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _runs(stage: Stage, side: Side, small: int, large: int, slow: int) -> _Runs:
    base = "lat1000/v1"
    if side in ("floor", "evalgate"):  # measured already, some of them several times
        at = 0 if side == "evalgate" else 1
        return _Runs(
            stage.runs(small, times=1)[at],
            stage.runs(large, times=1)[at],
            stage.runs(slow, base, concurrency=256, times=1)[at],
            (small, large),
        )
    return _Runs(
        [stage.run(side, small)],
        [stage.run(side, large)],
        [stage.run(side, slow, base, concurrency=256)],
        (small, large),
    )
