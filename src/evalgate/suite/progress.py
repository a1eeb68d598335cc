"""Progress of asking, on stderr: bars with done, total and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

_AFTER = 2.0  # seconds: what is over sooner needs no bar
_EVERY = 15.0  # seconds between lines where there is no terminal


class Progress:
    """A context manager; call it with (model, suite, done, total)."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown = self._started
        self._bars: Any = None
        self._tasks: dict[tuple[str, str], Any] = {}
        self._first: dict[tuple[str, str], tuple[int, float]] = {}
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, model: str, suite: str, done: int, total: int) -> None:
        now = time.monotonic()
        first = self._first.setdefault((model, suite), (done, now))
        if self._terminal:
            if now - self._started >= _AFTER:
                self._draw(model, suite, done, total)
        elif (now - self._shown >= _EVERY) or (done == total and now - first[1] >= _AFTER):
            self._shown = now
            sys.stderr.write(
                f"asking {model} about {suite}: {done}/{total}{_left(first, done, total, now)}\n"
            )
            sys.stderr.flush()

    def _draw(self, model: str, suite: str, done: int, total: int) -> None:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bars

            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bars.start()
        key = (model, suite)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(f"asking {model}: {suite}", total=total)
        self._bars.update(self._tasks[key], completed=done)


def _left(first: tuple[int, float], done: int, total: int, now: float) -> str:
    gained, seconds = done - first[0], now - first[1]
    if not gained or done == total:
        return ""
    left = seconds / gained * (total - done)
    return f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left"
