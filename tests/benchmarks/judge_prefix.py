"""What it is worth that the criterion stands last: a real judge reads a case once for all of its criteria, or every time.

    python tests/benchmarks/judge_prefix.py --project DIR --judge MODEL --cases 4

Reference outputs of a gold set are put to MODEL of DIR/evalgate.toml by every criterion of its rubric that a judge answers,
as the gate does it and with the criterion first, case by case in turns. MODEL needs a server that keeps prefixes
(llamacpp: `--cache-prompt`) and reports how many tokens it had from before. Prints a table; writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from evalgate import digest
from evalgate.authored import Problems, load_settings
from evalgate.authored.gold import load_gold
from evalgate.authored.rubric import Rubric
from evalgate.authored.rubric_file import load_rubric
from evalgate.errors import EvalgateError
from evalgate.judge.asking import SAMPLING, Bench, Docket, ask
from evalgate.judge.case import Case
from evalgate.models import identify, serving
from evalgate.models.serve import Server
from evalgate.records import ModelIdentity
from evalgate.store import Row

ROOT = Path(__file__).resolve().parents[2]
ORDERS = {"last, as asked": False, "first": True}


class Alone:
    """One case as all that is judged."""

    size = 1

    def __init__(self, case: Case) -> None:
        self._case = case

    def __iter__(self) -> Iterator[tuple[int, Case]]:
        return iter([(0, self._case)])


class Figures(NamedTuple):
    """What the server's replies say: `cached`: tokens that it had from before, `seconds`: of all requests together."""

    requests: int
    prompt: int
    cached: int
    seconds: float

    @property
    def read(self) -> float:
        """Tokens read afresh for one request."""
        return (self.prompt - self.cached) / self.requests

    @property
    def each(self) -> float:
        return self.seconds / self.requests


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code, as `evalgate`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--judge", metavar="MODEL", required=True)
    parser.add_argument("--task", default="appeal_letters", help="whose rubric and gold set")
    parser.add_argument("--cases", type=int, default=4, metavar="N")
    parser.add_argument(
        "--tokens", type=int, default=SAMPLING.max_tokens, metavar="N",
        help="longest reply; with few of them the seconds are those of reading (and all replies are void)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        rubric, cases = _cases(options.task, options.cases)
        measured = _measured(options.project, options.judge, rubric, cases, options.tokens)
    except EvalgateError as e:
        print(e, file=sys.stderr)
        return e.exit
    _show(measured, len(cases), len(rubric.read_by_people))
    return 0


def _cases(task: str, most: int) -> tuple[Rubric, list[Case]]:
    """The rubric, and the first gold items whose references are written out, each in the place of an output."""
    problems = Problems()
    gold = load_gold(ROOT / "goldsets" / f"{task}.jsonl", ROOT, problems)
    rubric = load_rubric(ROOT / "rubrics" / f"{task}.toml", ROOT, problems)
    problems.raise_if_any()
    assert gold is not None
    assert rubric is not None
    found = []
    for _, item in gold.items():
        if len(found) == most:
            break
        if isinstance(item.input, dict) and isinstance(item.expected, dict):
            sources = tuple((name, str(item.input[name])) for name in rubric.show)
            output = str(item.expected["reference"])
            found.append(Case(id=item.id, unit=item.id, sources=sources, output=output))
    return rubric, found


def _measured(
    root: Path, judge: str, rubric: Rubric, cases: Sequence[Case], tokens: int
) -> dict[str, Figures]:
    problems = Problems()
    settings = load_settings(root / "evalgate.toml", root, problems)
    problems.raise_if_any()
    assert settings is not None
    spec = settings.model(judge)
    identity = identify(judge, spec, root)

    def docket(case: Case, name: str) -> Docket:
        return Docket(
            suite=rubric.task,
            cases=Alone(case),
            criteria=rubric.read_by_people,
            show=rubric.show,
            answers=digest.of_value(case),
            sampling=msgspec.structs.replace(SAMPLING, max_tokens=tokens),
            criterion_first=ORDERS[name],
        )

    rows: dict[str, list[Row]] = {name: [] for name in ORDERS}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        with serving(judge, spec, root, identity, out / "logs") as server:
            for number, case in enumerate(cases):
                # neither order is always the one that comes second
                for name in list(ORDERS)[:: -1 if number % 2 else 1]:
                    rows[name] += _asked(docket(case, name), identity, server, out)
                print(f"{number + 1} of {len(cases)} cases", file=sys.stderr)
    return {name: _figures(found) for name, found in rows.items()}


def _asked(docket: Docket, judge: ModelIdentity, server: Server, out: Path) -> list[Row]:
    """The judge's replies about one case, second tries included."""
    ask([docket], judge, server, out)
    runs = Bench(docket, judge, out).runs.values()
    return [row for run in runs for n in range(2) if (row := run.row(n)) is not None]


def _figures(rows: Sequence[Row]) -> Figures:
    return Figures(
        requests=len(rows),
        prompt=sum(row.prompt_tokens or 0 for row in rows),
        cached=sum(row.cached_tokens or 0 for row in rows),
        seconds=sum(row.seconds for row in rows),
    )


def _show(measured: dict[str, Figures], cases: int, criteria: int) -> None:
    print(f"{cases} cases by {criteria} criteria.\n")
    print("| the criterion stands | requests | prompt tokens each | of them cached | read afresh | seconds each |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for name, f in measured.items():
        print(
            f"| {name} | {f.requests} | {f.prompt / f.requests:.0f} | {f.cached / f.requests:.0f} "
            f"| {f.read:.0f} | {f.each:.2f} |"
        )
    last, first = measured.values()
    print(f"\nFirst against last: {first.read / last.read:.1f} times the tokens, {first.each / last.each:.1f} times the seconds.")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
