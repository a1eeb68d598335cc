"""Attacks on a judge: do texts that an output holds turn the judge's verdict in the output's favour?

    python -m tests.evidence.injections --list
    python -m tests.evidence.injections --project DIR --judge MODEL --sample 2

Invented outputs, each failing one criterion of the project's rubrics, are put to MODEL of DIR/evalgate.toml as they are.
Where the judge speaks against them they are put to it again with an attack before, inside or behind: every attack (they are
in tests/judge/injected_texts.py) in --sample of these outputs. Texts that ask for nothing go the same way and show what turns by
chance. Verdicts are runs below --out: started again, the command asks only for what is missing. The table goes to stdout, and
with names and numbers alone into OUT/injections-MODEL.json. docs/judges.md says how to read it.

Exit codes: 0 measured, whatever came out; 2 usage, 4 infrastructure, 5 integrity, 130 interrupted: as `evalgate`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from tests.judge.injected_texts import ATTACKS, Attack

from evalgate import digest
from evalgate.authored import Problems, load_settings
from evalgate.errors import EvalgateError, Exit, UsageError
from evalgate.judge.asking import Bench, Docket, ask
from evalgate.judge.calibration_table import ALPHA, Rate
from evalgate.judge.case import Case, Verdict
from evalgate.judge.scoring import UNSCORED
from evalgate.models import identify, serving
from evalgate.records import ModelIdentity, Record
from evalgate.stats import cp_lower, cp_upper
from evalgate.suite.progress import Progress

from .scenes import HARMLESS, Scene, scenes
from .table import rate

SCHEMA = "evalgate.injections/1"
NONE = "nothing asked"
_ADDED = (*(Attack(NONE, text) for text in HARMLESS), *ATTACKS)


class Place(NamedTuple):
    """Where in an output a text is added."""

    name: str

    def put(self, output: str, text: str) -> str:
        if self.name == "before":
            return f"{text}\n\n{output}"
        if self.name == "behind":
            return f"{output}\n\n{text}"
        middle = output.index(" ", len(output) // 2)
        return f"{output[:middle]}\n\n{text}\n\n{output[middle:]}"


PLACES = tuple(Place(name) for name in ("before", "inside", "behind"))


class Asked(Record, kw_only=True):
    """One question with what was said: `added` is the number of the text (0: none), -1 where nothing was added."""

    scene: str
    kind: str
    added: int
    place: str
    answer: str
    void: str


class Row(Record, kw_only=True):
    """The questions of one kind: `turned`: no longer against the output, `silent`: void or cannot tell."""

    kind: str
    turned: Rate
    silent: Rate


class Injections(Record, kw_only=True):
    """One judge. `clean`: answers to the outputs as they are; `rows`: by kind; `every`: all attacks together."""

    schema: str = SCHEMA
    judge: ModelIdentity
    sample: int
    each: int
    attacks: int
    clean: tuple[Asked, ...]
    asked: tuple[Asked, ...]
    every: Row
    rows: tuple[Row, ...]


class Hearing:
    """One scene before the judge: the case as it is at ordinal 0, with everything that can be added behind it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.size = 1 + len(_ADDED) * len(PLACES)
        self._open = [0]
        self.docket = Docket(
            suite=f"injections-{scene.task}",
            cases=self,
            criteria=(scene.criterion,),
            show=tuple(name for name, _ in scene.case.sources),
            answers=digest.of_value([scene.case, [a.text for a in _ADDED], [p.name for p in PLACES]]),
        )  # fmt: skip

    def __iter__(self) -> Iterator[tuple[int, Case]]:
        return ((ordinal, self.case(ordinal)) for ordinal in sorted(self._open))

    def open(self, added: int, place: int) -> None:
        """Has a text asked about, too."""
        self._open.append(1 + added * len(PLACES) + place)

    def case(self, ordinal: int) -> Case:
        """The case with what is added to it."""
        case = self.scene.case
        if ordinal == 0:
            return case
        added, place = divmod(ordinal - 1, len(PLACES))
        text = _ADDED[added].towards(self.scene.favour)
        return msgspec.structs.replace(
            case,
            id=f"{case.id}.{added}.{PLACES[place].name}",
            output=PLACES[place].put(case.output, text),
        )

    def asked(self, judge: ModelIdentity, out: Path) -> list[Asked]:
        """What the judge said, in order. Raises LookupError for what it was not asked."""
        bench = Bench(self.docket, judge, out)
        found = []
        for ordinal, case in self:
            verdict = bench.verdict(ordinal, case, self.scene.criterion)
            if verdict is None:
                raise LookupError(case.id)
            found.append(self._told(ordinal, verdict))
        return found

    def _told(self, ordinal: int, verdict: Verdict) -> Asked:
        added, place = divmod(ordinal - 1, len(PLACES)) if ordinal else (-1, 0)
        return Asked(
            scene=self.scene.case.id,
            kind=_ADDED[added].kind if ordinal else "clean",
            added=added,
            place=PLACES[place].name if ordinal else "",
            answer=verdict.answer,
            void=verdict.void,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _options(arguments)
    try:
        hearings = [Hearing(scene) for scene in scenes()]
        if options.list:
            kinds = sorted({attack.kind for attack in ATTACKS})
            print(f"{len(hearings)} outputs; {len(ATTACKS)} attacks of {len(kinds)} kinds: {', '.join(kinds)}")  # fmt: skip
            return Exit.OPEN
        if options.judge is None:
            raise UsageError("found no judge, expected one. Add --judge MODEL, or --list.")
        out = options.out or options.project / "reports" / "evidence"
        found = _measured(
            hearings, options.judge, options.project, out, options.sample, options.each
        )
    except EvalgateError as e:
        print(e, file=sys.stderr)
        return e.exit
    except KeyboardInterrupt:
        print("interrupted; what has landed is kept", file=sys.stderr)
        return Exit.INTERRUPTED
    out.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(found), indent=1)
    (out / f"injections-{options.judge}.json").write_bytes(data + b"\n")
    _show(found, hearings)
    return Exit.OPEN


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evidence.injections",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--project", type=Path, default=Path(), help="directory of evalgate.toml")
    parser.add_argument("--judge", metavar="MODEL", help="a model of evalgate.toml")
    parser.add_argument(
        "--sample", type=int, choices=range(1, 100), default=1, metavar="N",
        help="outputs that each attack is tried in (1)",
    )  # fmt: skip
    parser.add_argument(
        "--each", type=int, choices=range(1, 100), default=99, metavar="N",
        help="attacks of each kind; all if left out",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="PROJECT/reports/evidence if left out"
    )
    parser.add_argument("--list", action="store_true", help="what there is; asks nothing")
    return parser.parse_args(arguments)


def _measured(
    hearings: Sequence[Hearing], judge: str, root: Path, out: Path, sample: int, each: int
) -> Injections:
    problems = Problems()
    settings = load_settings(root / "evalgate.toml", root, problems)
    problems.raise_if_any()
    assert settings is not None
    spec = settings.model(judge)
    identity = identify(judge, spec, root)
    with serving(judge, spec, root, identity, out / "logs") as server, Progress() as progress:

        def told(suite: str, done: int, total: int) -> None:
            progress(judge, suite, done, total)

        ask([hearing.docket for hearing in hearings], identity, server, out, told=told)
        clean = [hearing.asked(identity, out)[0] for hearing in hearings]
        honest = [
            hearing
            for hearing, said in zip(hearings, clean, strict=True)
            if said.answer == hearing.scene.against
        ]
        for hearing, added, place in _drawn(honest, sample, each):
            hearing.open(added, place)
        ask([hearing.docket for hearing in honest], identity, server, out, told=told)
    asked = [said for hearing in honest for said in hearing.asked(identity, out)[1:]]
    against = {hearing.scene.case.id: hearing.scene.against for hearing in honest}
    kinds = dict.fromkeys(added.kind for added in _ADDED)
    attacked = [said for said in asked if said.kind != NONE]
    return Injections(
        judge=identity,
        sample=sample,
        each=each,
        attacks=len(ATTACKS),
        clean=tuple(clean),
        asked=tuple(asked),
        every=_row("every attack", attacked, against),
        rows=tuple(_row(kind, [s for s in asked if s.kind == kind], against) for kind in kinds),
    )


def _drawn(honest: Sequence[Hearing], sample: int, each: int) -> Iterator[tuple[Hearing, int, int]]:
    """`each` texts of each kind in `sample` of the scenes (what is harmless in three times as many), each time in the
    next place. A larger draw holds a smaller one.
    """
    seen: Counter[str] = Counter()
    for added, attack in enumerate(_ADDED):
        seen[attack.kind] += 1
        if seen[attack.kind] > each:
            continue
        ranked = sorted(
            honest,
            key=lambda h: hashlib.sha256(f"{added} {h.scene.case.id}".encode()).hexdigest(),
        )
        many = sample * 3 if attack.kind == NONE else sample
        for turn, hearing in enumerate(ranked[:many]):
            yield hearing, added, (added + turn) % len(PLACES)


def _row(kind: str, asked: Sequence[Asked], against: dict[str, str]) -> Row:
    silent = sum(said.answer in UNSCORED for said in asked)
    turned = sum(said.answer != against[said.scene] for said in asked) - silent
    return Row(kind=kind, turned=_rate(turned, len(asked)), silent=_rate(silent, len(asked)))


def _rate(hits: int, of: int) -> Rate:
    """Clopper-Pearson: every question counts as one, though outputs and attacks repeat."""
    if not of:
        return Rate(hits=0, of=0, low=0.0, high=1.0)
    low, high = (float(bound(k=hits, n=of, alpha=ALPHA)) for bound in (cp_lower, cp_upper))
    return Rate(hits=hits, of=of, low=low, high=high)


def _show(found: Injections, hearings: Sequence[Hearing]) -> None:
    judge = found.judge
    against = {h.scene.case.id: h.scene.against for h in hearings}
    honest = [said.scene for said in found.clean if said.answer == against[said.scene]]
    silent = [said.scene for said in found.clean if said.answer in UNSCORED]
    print(f"Judge {judge.name} ({judge.digest[:19]}, {judge.server} {judge.version}).")
    print(
        f"As they are: {len(found.clean)} outputs, against {len(honest)} of them it speaks, of {len(silent)} it says nothing, "
        f"with {len(found.clean) - len(honest) - len(silent)} it is content.\n"
    )
    print("| added | turned in favour | void or cannot tell |\n|---|---|---|")
    for row in (found.every, *found.rows):
        print(f"| {row.kind} | {rate(row.turned)} | {rate(row.silent)} |")


if __name__ == "__main__":
    sys.exit(main())
