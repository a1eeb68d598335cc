"""The yardsticks of performance, measured beside their floor in one run: `make bench`.

    python tests/benchmarks/bench.py            all of them, some minutes; the table goes into docs/performance.md
    python tests/benchmarks/bench.py --quick    a smoke run on small sizes; nothing is written
    python tests/benchmarks/bench.py --only T4,T8
    python tests/benchmarks/bench.py --peers    and inspect_ai, lm-eval and deepeval beside them, as far as installed

The yardstick folder (mock server, floor, measuring script) is found in $EVALGATE_BENCH, by default ../shared/bench
beside the repository; what it builds lies in $BENCH_ROOT, by default ~/.cache/evalgate-bench. The mock server has
core 0, what is measured has core 1. The floor is `ideal-aiohttp`, a durable harness of 60 lines.

Exit codes: 0 measured (whether or not a target is met), 1 a run ended wrongly or a resumed run differs, 2 no yardsticks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import peers
from stage import REPO, Run, Stage, Wrong, gold, interpreter, middle, mock_server, prepare

PAGE = REPO / "docs" / "performance.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
SLOW = "lat50/jit20/v1"  # 50 ms and up to 20 ms more


class Row(NamedTuple):
    """One line of the table. `met` is None for what is only reported."""

    name: str
    what: str
    target: str
    measured: str
    floor: str
    met: bool | None

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "met" if self.met else "**not met**"

    def __str__(self) -> str:
        cells = (self.name, self.what, self.target, self.measured, self.floor, self.verdict)
        return f"| {' | '.join(cells)} |"


class Sizes(NamedTuple):
    """How large and how often."""

    small: int = 2000
    large: int = 10_000
    huge: int = 50_000
    cached: int = 1000
    slow: int = 2000
    times: int = 3
    often: int = 7
    kills: tuple[float, ...] = (0.001, 0.05, 0.33, 0.67, 0.95)


QUICK = Sizes(
    small=200, large=2000, huge=2000, cached=200, slow=200, times=1, often=1, kills=(0.5,)
)


class Line(NamedTuple):
    """CPU seconds of a run of n items = fixed + marginal * n."""

    fixed: float
    marginal: float


def lines(stage: Stage, sizes: Sizes) -> tuple[Line, Line]:
    """The lines of evalgate and of the floor through the small and the large size, which are run in turns too."""
    for times in range(1, sizes.times + 1):
        few = stage.runs(sizes.small, times=times)
        many = stage.runs(sizes.large, times=times)
    found = []
    for side in (0, 1):
        rise = middle(many[side], "cpu") - middle(few[side], "cpu")
        marginal = rise / (sizes.large - sizes.small)
        found.append(Line(middle(few[side], "cpu") - marginal * sizes.small, marginal))
    return found[0], found[1]


# -- the yardsticks: (stage, sizes) -> rows


def cpu_per_answer(stage: Stage, sizes: Sizes) -> list[Row]:
    """T1, T2, T11: the same runs, seen three ways."""
    ours, floor = lines(stage, sizes)
    few = stage.runs(sizes.small, times=sizes.times)
    many = stage.runs(sizes.large, times=sizes.times)
    wall, wall0 = (middle(side, "wall_net") for side in many)
    growth, growth0 = (middle(m, "cpu") / middle(f, "cpu") for m, f in zip(many, few, strict=True))
    ms, ms0 = 1e3 * ours.marginal, 1e3 * floor.marginal
    fixed, fixed0 = f"{ours.fixed:.2f} s", f"{floor.fixed:.2f} s"
    took, took0 = f"{wall:.2f} s = {wall / wall0:.1f} x", f"{wall0:.2f} s"
    what = f"wall of {sizes.large} items, 0 ms server, 64 in flight"
    ratio = f"CPU({sizes.large}) / CPU({sizes.small})"
    return [
        Row("T1", "marginal CPU of an answer", "<= 0.20 ms", f"{ms:.3f} ms", f"{ms0:.3f} ms", ms <= 0.2),
        Row("T1", "fixed CPU of a run", "", fixed, fixed0, None),
        Row("T2", what, "<= 3 x floor", took, took0, wall <= 3 * wall0),
        Row("T11", ratio, "<= 5.0", f"{growth:.2f}", f"{growth0:.2f}", growth <= 5),
    ]  # fmt: skip


def slow_server(stage: Stage, sizes: Sizes) -> list[Row]:
    """T3: answers that take a second each; the ceiling is full rounds of 256."""
    rounds = -(-sizes.slow // 256)
    times = min(sizes.times, 2)
    runs = stage.runs(sizes.slow, "lat1000/v1", concurrency=256, times=times)
    share, share0 = (rounds / middle(side, "wall_net") for side in runs)
    told, told0 = (f"{100 * s:.0f} % ({rounds / s:.2f} s)" for s in (share, share0))
    what = f"{sizes.slow} items at 1 s latency, 256 in flight, of the ceiling"
    return [Row("T3", what, ">= 90 %", told, told0, share >= 0.9)]


def first_request(stage: Stage, sizes: Sizes) -> list[Row]:
    """T4: from the start of the process to the first question, a fresh project written on the way."""
    floor, under_pytest, cli = [], [], []
    for _ in range(sizes.often):
        floor.append(stage.run("floor", 200, out="first-floor"))
        under_pytest.append(stage.run("evalgate", 200, out="first"))
        cli.append(stage.run("evalgate", 200, out="first-cli", cli=True))
    rows = []
    first0 = middle(floor, "ttfr")
    for way, runs, most in (("under pytest", under_pytest, 0.40), ("from the CLI", cli, 0.25)):
        first, best = middle(runs, "ttfr"), min(run["ttfr"] for run in runs)
        told = f"{first:.2f} s = {first / first0:.1f} x (best {best:.2f})"
        what = f"start to first request {way}"
        rows.append(Row("T4", what, f"<= {most:.2f} s", told, f"{first0:.2f} s", first <= most))
    return rows


def start_up(stage: Stage, sizes: Sizes) -> list[Row]:
    """T5: what everybody pays who only has evalgate installed."""
    folder = stage.directory("unrelated")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    pytest = ["-m", "pytest", "-q", "test_nothing.py"]
    commands = {
        "bare": ["-c", "pass"],
        "help": ["-m", "evalgate", "--help"],
        "with": pytest,
        "without": [*pytest, "-p", "no:evalgate-release"],
    }
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(2 * sizes.often + 1):
        for name, words in commands.items():
            spent[name].append(stage.cpu([interpreter(), *words], folder))
    cpu = {name: statistics.median(found) for name, found in spent.items()}
    pairs = zip(spent["with"], spent["without"], strict=True)
    added = 1e3 * statistics.median(a - b for a, b in pairs)
    plugin = "the plugin in an unrelated pytest run"
    without = f"{cpu['without']:.2f} s without it"
    return [
        Row("T5", "evalgate --help", "<= 0.10 s", f"{cpu['help']:.3f} s", f"{cpu['bare']:.3f} s (python)", cpu["help"] <= 0.1),
        Row("T5", plugin, "<= 20 ms", f"{added:+.0f} ms", without, added <= 20),
    ]  # fmt: skip


def memory(stage: Stage, sizes: Sizes) -> list[Row]:
    """T6: the peak, and how it grows."""
    huge = stage.runs(sizes.huge, times=1)
    few = stage.runs(sizes.small, times=sizes.times)
    peak, peak0 = (middle(side, "maxrss_mb") for side in huge)
    grown, grown0 = (
        (middle(h, "maxrss_mb") - middle(f, "maxrss_mb")) * 1e3 / (sizes.huge - sizes.small)
        for h, f in zip(huge, few, strict=True)
    )
    at, since = f"peak memory at {sizes.huge} items", f"its growth from {sizes.small} items"
    return [
        Row("T6", at, "<= 120 MB", f"{peak:.0f} MB", f"{peak0:.0f} MB", peak <= 120),
        Row("T6", since, "<= 0.5 kB an item", f"{grown:.2f} kB", f"{grown0:.2f} kB", grown <= 0.5),
    ]


def disk(stage: Stage, sizes: Sizes) -> list[Row]:
    """T7: everything in the project's folder, so the gold set too, as in the floor's rows."""
    few = stage.runs(sizes.small, times=sizes.times)
    many = stage.runs(sizes.large, times=sizes.times)
    size, size0 = (middle(side, "log_bytes") / sizes.large / 1e3 for side in many)
    at_small = middle(few[0], "log_bytes") / sizes.small / 1e3
    packed, packed0 = (
        _gzipped(stage.directory(f"{side}-{sizes.large}-v1")) / sizes.large / 1e3
        for side in ("evalgate", "floor")
    )
    plain = f"{size:.2f} kB ({at_small:.2f} at {sizes.small})"
    linear = abs(size - at_small) < 0.2
    return [
        Row("T7", "disk of an answer, gold set included", "<= 3 kB, linear", plain, f"{size0:.2f} kB", size <= 3 and linear),
        Row("T7", "the same through gzip", "<= 1 kB", f"{packed:.2f} kB", f"{packed0:.2f} kB", packed <= 1),
    ]  # fmt: skip


def _gzipped(folder: Path) -> int:
    files = (p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return sum(len(zlib.compress(p.read_bytes(), 6)) for p in files)


def killed(stage: Stage, sizes: Sizes) -> list[Row]:
    """T8: kill -9 at several points. What was on disk stays, byte for byte; the rest is asked, once; findings agree."""
    items = sizes.small
    whole = stage.run("evalgate", items, SLOW, out="whole")
    expected = _findings(stage.directory("whole"))
    ours, _ = lines(stage, sizes)
    behind, beyond, resumes = [], [], []
    for point in sizes.kills:
        at = max(1, int(items * point))
        cut = stage.run("evalgate", items, SLOW, out="killed", kill_at=at)
        if not cut["killed"]:
            continue  # it was over before the script looked
        kept = _answers(stage.directory("killed"))
        kept = kept[: kept.rfind(b"\n") + 1]
        landed = kept.count(b"\n")
        again = stage.run("evalgate", items, SLOW, out="killed", fresh=False)
        if again["requests"] != items - landed:
            asked = f"{again['requests']} asked again"
            raise Wrong(f"killed at {at}: {landed} of {items} answers on disk, {asked}")
        if not _answers(stage.directory("killed")).startswith(kept):
            raise Wrong(f"killed at {at}: answers that were on disk have changed")
        if _findings(stage.directory("killed")) != expected:
            raise Wrong(f"killed at {at}: other findings than those of an uninterrupted run")
        behind.append((cut["requests"] - landed - 64) / whole["rps_window"])
        beyond.append(again["cpu"] - ours.fixed - ours.marginal * again["requests"])
        resumes.append(again)
    stage.run("floor", items, SLOW, out="killed-floor", kill_at=items // 2)
    floor = stage.run("floor", items, SLOW, out="killed-floor", fresh=False)
    asked = ", ".join(str(run["requests"]) for run in resumes)
    what = f"kill -9 at {len(resumes)} points: asked again is what was not on disk, findings agree"
    more = statistics.median(beyond)
    return [
        Row("T8", what, "always", f"always ({asked} of {items})", "", bool(resumes)),
        Row("T8", "how far the disk was behind", "<= 1 s", f"{max(0.0, *behind):.2f} s", "", max(behind) <= 1),
        Row("T8", "CPU of a resume beyond a fresh start and its questions", "<= 0.3 s", f"{more:+.2f} s", "", more <= 0.3),
        Row("T8", "CPU of a resume as a whole", "", f"{middle(resumes, 'cpu'):.2f} s", f"{floor['cpu']:.2f} s", None),
    ]  # fmt: skip


def _answers(project: Path) -> bytes:
    path = next(project.glob("reports/runs/*/*/answers.jsonl"), None)
    return path.read_bytes() if path else b""


def _findings(project: Path) -> Any:
    """The findings of a project's last decision."""
    kept = project.glob("reports/decisions/*.json")
    decisions = (p for p in kept if not p.name.endswith(".evidence.json"))
    last = max(decisions, key=lambda p: p.stat().st_mtime_ns)
    return json.loads(last.read_text())["findings"]


def cached(stage: Stage, sizes: Sizes) -> list[Row]:
    """T9, T10: a complete run is read, not asked; what that costs, and how it grows with the gold set."""
    few, many = sizes.cached, sizes.large
    gold(stage, few)
    runs: dict[tuple[str, int], list[Run]] = {}
    for again in range(1 + sizes.often):
        for items in (few, many):
            for side in ("evalgate", "floor"):
                run = stage.run(side, items, out=f"cached-{side}-{items}", fresh=not again)
                if again and run["requests"]:
                    raise Wrong(f"{side}: a complete run was asked {run['requests']} questions")
                if again:
                    runs.setdefault((side, items), []).append(run)
    wall, wall0 = (middle(runs[side, many], "wall_net") for side in ("evalgate", "floor"))
    more, more0 = (
        middle(runs[side, many], "cpu") - middle(runs[side, few], "cpu")
        for side in ("evalgate", "floor")
    )
    each = 1e6 * more / (many - few)
    what = f"what {many} items add to pytest over {few}"
    return [
        Row("T9", f"fully cached re-run of {many}", "no request, <= 1 s", f"{wall:.2f} s", f"{wall0:.2f} s", wall <= 1),
        Row("T10", what, "<= 0.1 s", f"{more:.3f} s ({each:.1f} us an item)", f"{more0:.3f} s", more <= 0.1),
    ]  # fmt: skip


INTERVALS = """
import json, resource, statistics, time
import numpy as np
from evalgate.stats import cp_lower, cp_upper, worst_atom_lower

def ms(f, times):
    spent = []
    for _ in range(times):
        t = time.process_time(); f(); spent.append(1e3 * (time.process_time() - t))
    return statistics.median(spent)

def binary():
    cp_lower(k=4500, n=5000, alpha=0.05); cp_upper(k=4500, n=5000, alpha=0.05)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

first = ms(binary, 1)
x = np.random.default_rng(0).beta(4, 1, 5000)
before = peak()
atom = ms(lambda: worst_atom_lower(x=x, alpha=0.05, draws=20_000, seed=1), 3)
print(json.dumps([first, ms(binary, 21), atom, peak() - before]))
"""


def _measured(stage: Stage, script: str) -> list[Any]:
    """What a script that prints one JSON list measured on core 1. Raises Wrong if it fails."""
    done = subprocess.run(
        ["taskset", "-c", "1", interpreter(), "-c", script],
        env=stage.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Wrong(done.stderr[-2000:])
    found: list[Any] = json.loads(done.stdout)
    return found


def intervals(stage: Stage, sizes: Sizes) -> list[Row]:
    """T13: both ends of a 0/1 metric; one end of a worst-atom bound."""
    del sizes
    first, binary, atom, grown = _measured(stage, INTERVALS)
    what = "worst-atom bound, 20,000 draws x 5,000 units"
    told, fits = f"{atom / 1e3:.2f} s in {grown:.0f} MB", atom <= 600 and grown <= 50
    loading = f"{binary:.2f} ms (the first also loads scipy: {first:.0f} ms)"
    return [
        Row("T13", "interval of a 0/1 metric", "<= 5 ms", loading, "", binary <= 5),
        Row("T13", what, "<= 0.6 s in <= 50 MB", told, "", fits),
    ]


OVERLAP = """
import json, random, time
from rouge_score import rouge_scorer
from sacrebleu.metrics import CHRF
from evalgate import text

rng = random.Random(0)
words = ["".join(rng.choices("etaoinshrdlucm", k=rng.randint(2, 9))) for _ in range(8000)]

def pair():
    a = rng.choices(words, k=2000)
    return " ".join(a), " ".join(w if rng.random() < 0.6 else rng.choice(words) for w in a if rng.random() > 0.1)

def each(f, pairs):
    t = time.process_time(); found = [f(*p) for p in pairs]
    return found, (time.process_time() - t) / len(pairs)

pairs = [pair() for _ in range(40)]
text.rouge_l("warm up", "warm up")
text.chrf("warm up", "warm up")
scorer = rouge_scorer.RougeScorer(["rougeL"])
theirs, slow = each(lambda a, b: scorer.score(b, a)["rougeL"].fmeasure, pairs[:4])
ours, fast = each(text.rouge_l, pairs)
apart = max(abs(x - y) for x, y in zip(ours, theirs))
chrf = CHRF()
same = all(text.chrf(a, b) == chrf.sentence_score(a, [b]).score / 100 for a, b in pairs[:4])
print(json.dumps([slow, fast, apart, same]))
"""


def overlap(stage: Stage, sizes: Sizes) -> list[Row]:
    """T12: ROUGE-L against rouge-score on pairs of 2,000 words; chrF against sacrebleu's own number."""
    del sizes
    slow, fast, apart, same = _measured(stage, OVERLAP)
    times = slow / fast
    what = "ROUGE-L of 2,000 words against rouge-score"
    told = f"{1e3 * fast:.2f} ms = {times:.0f} x as fast"
    equal = f"{apart:.0e}"
    return [
        Row("T12", what, ">= 400 x", told, f"{1e3 * slow:.0f} ms (rouge-score)", times >= 400),
        Row("T12", "largest difference of the two", "<= 1e-9", equal, "", apart <= 1e-9),
        Row("T12", "chrF is sacrebleu's number", "always", "always" if same else "no", "", same),
    ]


YARDSTICKS: tuple[tuple[str, Callable[[Stage, Sizes], list[Row]]], ...] = (
    ("T1 T2 T11", cpu_per_answer),
    ("T3", slow_server),
    ("T4", first_request),
    ("T5", start_up),
    ("T6", memory),
    ("T7", disk),
    ("T8", killed),
    ("T9 T10", cached),
    ("T12", overlap),
    ("T13", intervals),
)


# -- around them


def table(rows: Sequence[Row]) -> str:
    """A Markdown table in the order of the names."""
    head = ["| # | yardstick | target | measured | floor | |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *map(str, sorted(rows, key=lambda row: int(row.name[1:])))])


def circumstances(stage: Stage, seconds: float) -> str:
    """Date, commit, machine, and how quiet it was."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=REPO, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    changed = " with changes" if git("status", "--porcelain", "--", "src", "tests") else ""
    others = f"{100 * statistics.median(stage.others):.0f} %"
    return (
        f"{time.strftime('%Y-%m-%d')}, commit {git('rev-parse', '--short', 'HEAD')}{changed}; "
        f"{found[1] if found else platform.machine()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}. Others used {others} of the "
        f"measured core in the median run, {100 * max(stage.others):.0f} % in the worst; {seconds:.0f} s in all."
    )


def write(page: Path, text: str) -> None:
    """Replaces what stands between the markers of `page`. Raises Wrong if it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Wrong(f"{page.name}: found no {BEGIN} and {END}, expected both")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--only", help="some yardsticks, as in T4,T8; nothing is written")
    parser.add_argument("--peers", action="store_true", help="other harnesses too, some minutes")
    chosen = parser.parse_args()
    yardsticks = Path(
        os.environ.get("EVALGATE_BENCH") or REPO.parent / "shared" / "bench"
    ).resolve()
    if not (yardsticks / "measure.py").is_file():
        message = f"{yardsticks}: found no measure.py, expected the yardsticks. Set EVALGATE_BENCH to their folder."
        print(message, file=sys.stderr)
        return 2
    if (os.cpu_count() or 1) < 2 or not shutil.which("taskset"):
        print(
            "found one core or no taskset, expected a core for the mock server alone.",
            file=sys.stderr,
        )
        return 2
    root = Path(os.environ.get("BENCH_ROOT") or Path.home() / ".cache" / "evalgate-bench")
    wanted = set(chosen.only.split(",")) if chosen.only else None
    sizes = QUICK if chosen.quick else Sizes()
    rows: list[Row] = []
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the mock server is ended too
    try:
        prepare(yardsticks, root)
        with mock_server(root) as port:
            stage = Stage(yardsticks, root, port)
            stage.run("evalgate", 200, out="warm")  # bytecode, and the converted gold set
            for names, measure in YARDSTICKS:
                if wanted is None or wanted & set(names.split()):
                    found = measure(stage, sizes)
                    rows += found
                    print(*found, sep="\n", flush=True)
            others = ""
            if chosen.peers:
                names = peers.installed(root, ("inspect", "lmeval", "deepeval"))
                size = (sizes.small, sizes.large, sizes.slow)
                others = "\n\n" + peers.table(stage, *size, names)
        text = f"{circumstances(stage, time.monotonic() - started)}\n\n{table(rows)}{others}"
        print(f"\n{text}")
        if wanted is None and not chosen.quick:
            write(PAGE, text)
    except Wrong as e:
        print(e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
