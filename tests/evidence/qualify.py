"""Judges against people: any judge of a project on a seeded sample of six public sources that people have labelled.

    python -m tests.evidence.qualify --list
    python -m tests.evidence.qualify --project DIR --judge MODEL --sample 40 --repeated 10
    python -m tests.evidence.qualify --project DIR --judge MODEL              everything: some 4,000 judgements

The sources are found in the directory that EVALGATE_PUBLIC_DATA names; MODEL is a model of DIR/evalgate.toml, embedded or
behind an endpoint. Verdicts are runs below --out: started again, the command asks only for what is missing, and a larger
sample keeps what a smaller one has asked. The table goes to stdout, and with ids and numbers alone into
OUT/MODEL.json and OUT/MODEL.md. docs/judges.md says how to read it.

Exit codes: 0 measured, whatever came out; 2 usage, 4 infrastructure, 5 integrity, 130 interrupted: as `evalgate`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evalgate.authored import Problems, load_settings
from evalgate.errors import EvalgateError, Exit, UsageError
from evalgate.judge.asking import Bench, ask
from evalgate.models import identify, serving
from evalgate.records import ModelIdentity
from evalgate.suite.progress import Progress

from .asked import Sitting
from .sources import SOURCES
from .table import counts, evidence, show, write

VARIABLE = "EVALGATE_PUBLIC_DATA"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _options(arguments)
    try:
        sittings = _sittings(options)
        if options.list:
            counts(sittings)
            return Exit.OPEN
        if options.judge is None:
            raise UsageError("found no judge, expected one. Add --judge MODEL, or --list.")
        out = options.out or options.project / "reports" / "evidence"
        identity = _asked(sittings, options.judge, options.project, out)
        found = evidence(identity, sittings, out, sample=options.sample, seed=options.seed)
    except EvalgateError as e:
        print(e, file=sys.stderr)
        return e.exit
    except KeyboardInterrupt:
        print("interrupted; what has landed is kept", file=sys.stderr)
        return Exit.INTERRUPTED
    show(found)
    write(found, out / options.judge)
    return Exit.OPEN


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evidence.qualify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--project", type=Path, default=Path.cwd(), help="directory of evalgate.toml"
    )
    parser.add_argument("--judge", metavar="MODEL", help="a model of evalgate.toml")
    parser.add_argument(
        "--sources", nargs="+", choices=SOURCES, default=list(SOURCES), metavar="SOURCE",
        help=f"which: {', '.join(SOURCES)}; all of them if left out",
    )  # fmt: skip
    parser.add_argument(
        "--sample",
        type=_positive,
        metavar="N",
        help="judgements of each criterion; all if left out",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument(
        "--repeats", type=_positive, default=3, help="times that the repeated items are asked"
    )
    parser.add_argument(
        "--repeated", type=int, default=100, metavar="N", help="items of each criterion to repeat"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="PROJECT/reports/evidence if left out"
    )
    parser.add_argument("--list", action="store_true", help="what would be asked; asks nothing")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"found {number}, expected 1 or more")
    return number


def _sittings(options: argparse.Namespace) -> list[Sitting]:
    if VARIABLE not in os.environ:
        raise UsageError(f"found no {VARIABLE}, expected the directory of the public data. Set it.")
    sittings = []
    for name in options.sources:
        folder = Path(os.environ[VARIABLE]) / name
        if not folder.is_dir():
            raise UsageError(
                f"found no folder {name}, expected it below {VARIABLE}. Name other --sources."
            )
        items = SOURCES[name].read(folder)
        sittings += [
            Sitting(
                name,
                [item for item in items if item.criterion == criterion],
                most=options.sample,
                seed=options.seed,
                repeats=options.repeats,
                repeated=options.repeated,
            )
            for criterion in SOURCES[name].criteria
        ]
    return sittings


def _asked(sittings: Sequence[Sitting], judge: str, root: Path, out: Path) -> ModelIdentity:
    """Asks the judge whatever its runs do not hold; starts no server if they hold everything."""
    problems = Problems()
    settings = load_settings(root / "evalgate.toml", root, problems)
    problems.raise_if_any()
    assert settings is not None
    spec = settings.model(judge)
    identity = identify(judge, spec, root)
    open_ = [
        docket
        for sitting in sittings
        for docket in sitting.dockets
        if Bench(docket, identity, out).missing()
    ]
    if not open_:
        return identity
    with serving(judge, spec, root, identity, out / "logs") as server, Progress() as progress:
        for docket in open_:
            turn = f" again ({docket.sampling.seed})" if docket.sampling.seed else ""
            what = f"{docket.criteria[0].id}{turn}"

            def told(source: str, done: int, total: int, what: str = what) -> None:
                progress(judge, f"{source} {what}", done, total)

            ask([docket], identity, server, out, told=told)
    return identity


if __name__ == "__main__":
    sys.exit(main())
