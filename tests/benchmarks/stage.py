"""Where the yardsticks are run: the mock server, the floor, evalgate, and the script that measures them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_evalgate.sh")
Run = dict[str, Any]
"""What measure.py says about one process tree: wall, wall_net, cpu (s), maxrss_mb, ttfr, requests, log_bytes, ..."""

Side = str
"""evalgate, floor, or one of the peers: inspect, lmeval, deepeval."""


class Wrong(Exception):  # noqa: N818 (told to the user, never raised across modules)
    """A run that did not end as it must: then its speed means nothing."""


class Stage:
    """The places and one port. `run` measures one process; `runs` keeps what several yardsticks share."""

    def __init__(self, yardsticks: Path, root: Path, port: int) -> None:
        self.yardsticks = yardsticks
        self.root = root
        self.mock = f"http://127.0.0.1:{port}"
        self.others: list[float] = []  # share of the core that others used, run by run
        self._kept: dict[tuple[Side, int, str], list[Run]] = {}
        removed = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
        self.environment = {k: v for k, v in os.environ.items() if k not in removed}
        self.environment |= {"MOCK": self.mock, "MOCK_PORT": str(port), "BENCH_ROOT": str(root)}

    def directory(self, name: str) -> Path:
        return self.root / "evalgate" / name

    def run(
        self,
        side: Side,
        items: int,
        base: str = "v1",
        *,
        concurrency: int = 64,
        out: str | None = None,
        fresh: bool = True,
        kill_at: int | None = None,
        cli: bool = False,
    ) -> Run:
        """One run over `items` items in the folder `out`. `kill_at`: kill -9 after so many requests.

        Raises Wrong if it fails, unless it was killed on purpose.
        """
        folder = self.directory(out or f"{side}-{items}-{base.replace('/', '-')}")
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        said = self.directory("last.out")
        options = {
            "-n": 1,
            "--core": 1,
            "--tag": f"{side}|n={items}|{base}",
            "--samples": items,
            "--logdir": folder,
            "--out": self.directory("runs.jsonl"),
            "--stdout": said,
        }
        if kill_at is not None:
            options["--kill-at"] = kill_at
        measuring = [sys.executable, str(self.yardsticks / "measure.py")]
        measuring += [str(word) for pair in options.items() for word in pair]
        measured = self._command(side, items, concurrency, base, folder)
        done = subprocess.run(
            [*measuring, "--", *measured],
            env=self.environment | ({"EVALGATE_BENCH_CLI": "1"} if cli else {}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Wrong(f"measure.py: exit code {done.returncode}\n{done.stderr[-2000:]}")
        run: Run = json.loads(done.stdout.strip().splitlines()[-1])
        if run["rc"] and not run["killed"]:
            told = said.read_text(errors="replace")[-3000:]
            raise Wrong(f"{side}, {items} items: exit code {run['rc']}\n{told}")
        self.others.append(run["core_other"])
        return run

    def _command(
        self, side: Side, items: int, concurrency: int, base: str, folder: Path
    ) -> list[str]:
        if side == "evalgate":
            return [str(RUNNER), str(items), str(folder), str(concurrency), base]
        if side in ("inspect", "lmeval"):
            script = self.yardsticks / f"run_{side}.sh"
            return [str(script), str(items), str(folder), str(concurrency), base]
        venv, name = ("client", "run_ideal.py") if side == "floor" else (side, f"run_{side}.py")
        python = self.root / "venvs" / venv / "bin" / "python"
        url = f"{self.mock}/{base}"
        words = [str(python), str(self.yardsticks / name), str(items), str(concurrency), url]
        return [*words, str(folder), *(["aiohttp"] if side == "floor" else [])]

    def runs(
        self, items: int, base: str = "v1", *, concurrency: int = 64, times: int
    ) -> tuple[list[Run], list[Run]]:
        """At least `times` runs of evalgate and of the floor, in turns; each configuration is run only once."""
        ours = self._kept.setdefault(("evalgate", items, base), [])
        theirs = self._kept.setdefault(("floor", items, base), [])
        while len(ours) < times:
            theirs.append(self.run("floor", items, base, concurrency=concurrency))
            ours.append(self.run("evalgate", items, base, concurrency=concurrency))
        return ours, theirs

    def cpu(self, command: Sequence[str], folder: Path) -> float:
        """CPU seconds of a process on core 1. Raises Wrong if it fails."""
        process = subprocess.Popen(
            ["taskset", "-c", "1", *command],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Wrong(f"{' '.join(command)}: exit code {process.returncode}")
        return usage.ru_utime + usage.ru_stime


def middle(runs: Sequence[Run], key: str) -> float:
    """The median of one of the measures."""
    return statistics.median(run[key] for run in runs)


def interpreter() -> str:
    """The one that run_evalgate.sh takes."""
    own = REPO / ".venv" / "bin" / "python"
    return str(own) if own.exists() else "python3"


def prepare(yardsticks: Path, root: Path) -> None:
    """Builds mock, gold sets and the floor's environment, if they are not there yet."""
    floor = root / "venvs" / "client" / "bin" / "python"
    if (root / "mock").exists() and floor.exists():
        return
    done = subprocess.run(
        [str(yardsticks / "install.sh"), "client"],
        env=os.environ | {"BENCH_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Wrong(f"install.sh client: exit code {done.returncode}\n{done.stderr[-2000:]}")


def gold(stage: Stage, items: int) -> None:
    """Makes the gold set of so many items, if it is not there yet."""
    path = stage.root / "data" / f"gold_{items}.jsonl"
    if not path.exists():
        script = stage.yardsticks / "gen_gold.py"
        subprocess.run([sys.executable, str(script), str(items), str(path)], check=True)


@contextlib.contextmanager
def mock_server(root: Path) -> Iterator[int]:
    """The mock on core 0 and a free port, which is what it yields; ended with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["taskset", "-c", "0", str(root / "mock"), str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/__stats"
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
                break
            time.sleep(0.05)
        else:
            raise Wrong("the mock server does not answer")
        yield port
    finally:
        process.kill()
        process.wait()
