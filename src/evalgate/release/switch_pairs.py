"""The paired half of a switch. Suites' code runs here, in a process that has no key: `python -m evalgate.release.switch_pairs`.

Reads one JSON object {root, challenger, incumbent, plan, alpha} on stdin, and writes one on stdout. What it writes is held against
gate.toml by whoever asked: a suite cannot leave a row out, nor move a margin or a level.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from evalgate.authored.gate_toml import GateFile, is_difference
from evalgate.errors import EvalgateError, Exit, InfrastructureError, IntegrityError, UsageError
from evalgate.gate.claims import paired_of
from evalgate.gate.decide import find
from evalgate.gate.plan import seed_of
from evalgate.gate.sides import find_runs, open_side
from evalgate.metrics import Difference, Estimate, PairedBinary
from evalgate.models.process import cleaned_environment
from evalgate.records import Bar, Record
from evalgate.report.switch import Compared, Side
from evalgate.suite import Project, load_project


class Asked(Record, kw_only=True):
    """What the process is asked. `alpha`: one-sided, of this attempt."""

    root: str
    challenger: Side
    incumbent: Side
    plan: str
    alpha: float


class Pairs(Record, kw_only=True):
    """What it found. `missing`: why a side's answers are not there, by model; then nothing is compared."""

    compared: tuple[Compared, ...] = ()
    unpaired: tuple[str, ...] = ()
    missing: dict[str, str] = msgspec.field(default_factory=dict)
    error: str = ""
    exit: int = 0


class PairsError(EvalgateError):
    """The process ended with an error of its own, whose exit code it has."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit = Exit(code)


def compared_in_process(project: Project, asked: Asked) -> Pairs:
    """`compared`, in a process with no key and a cleaned environment.

    Raises PairsError, InfrastructureError (EG974: no result), IntegrityError (EG974: one that its own numbers do not bear out).
    """
    done = subprocess.run(  # noqa: S603 (evalgate's own module)
        [sys.executable, "-P", "-m", __name__],
        input=msgspec.json.encode(asked),
        capture_output=True,
        check=False,
        cwd=asked.root,
        env=cleaned_environment(os.environ),
    )
    try:
        found = msgspec.json.decode(done.stdout, type=Pairs)
    except ValueError:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise InfrastructureError(
            f"found that the comparison ended with {done.returncode} ({told[-1][:200] if told else 'it said nothing'}), expected its result. Try again.",
            where="gate switch",
            code="EG974",
        ) from None
    if found.error:
        raise PairsError(found.error, found.exit)
    if faults := [] if found.missing else list(disagreements(project.gate, found, asked.alpha)):
        raise IntegrityError(
            f"found a comparison that its own numbers do not bear out ({'; '.join(faults[:5])}), expected every row of gate.toml as it "
            "asks. Find out which suite wrote it.",
            where="gate switch",
            code="EG974",
        )
    return found


def edited(model: str) -> IntegrityError:
    """The model, or the plan, is another one than the question was about."""
    return IntegrityError(
        f"found other files of {model}, or another plan, than when the question was put, expected both to stand still. Run it again.",
        where="gate switch",
        code="EG502",
    )


def disagreements(gate: GateFile, pairs: Pairs, alpha: float) -> Iterator[str]:
    """What of a comparison is not what gate.toml asks for, or does not follow from its own numbers; nothing if all does."""
    rules = gate.settings.switch
    assert rules is not None
    wanted = {
        f"{suite}.{key}"
        for suite, rows in gate.suites.items()
        for key, bar in rows.items()
        if not bar.all and not is_difference(key)
    }
    margins = [row for row in pairs.compared if not row.claim]
    claims = [row for row in pairs.compared if row.claim]
    told = [row.name for row in margins] + [name.rpartition(" (")[0] for name in pairs.unpaired]
    if sorted(told) != sorted(wanted):
        yield "rows are missing, or there twice"
    if sorted(row.name for row in claims) != sorted(
        rules.claims.keys() & {r.name for r in margins}
    ):
        yield "claims are missing, or there twice"
    for row in pairs.compared:
        bound = rules.claims.get(row.name) if row.claim else rules.margin_of(row.name)
        if row.bound != bound or row.alpha > alpha or (row.alpha != alpha and not row.claim):
            yield f"{row.name} was held against another margin or level"
        elif row.status == "pass" and (row.low is None or row.low < row.bound or row.units < 1):
            yield f"{row.name} does not pass by its own numbers"
    proven = [row.alpha for row in claims if row.status == "pass"]
    if proven and min(proven) > alpha / len(claims):
        yield "no claim is proven at the level that Holm's first step asks for"


class _Paired(NamedTuple):
    """A row whose two sides could be compared; the challenger's own check has seen that it is about every item."""

    suite: str
    key: str
    estimate: Estimate


def compared(project: Project, asked: Asked) -> Pairs:
    """Every row of every suite that can be compared item by item. Raises IntegrityError (an edited run; EG502: other bytes),
    UsageError (EG503: a test that fails on these answers, which is no row without a comparison).
    """
    pairs: list[_Paired] = []
    unpaired: list[str] = []
    missing: dict[str, str] = {}
    for suite, loaded in project.suites.items():
        sides = []
        for model in (asked.challenger, asked.incumbent):
            try:
                side = find_runs(project, model.name, [suite])
                answers = open_side(loaded, side.runs[suite], model.name)
            except UsageError as e:
                missing[model.name] = f"{suite}: {e}"
                continue
            if answers.run.manifest.model.digest != model.digest:
                raise edited(model.name)
            sides.append(answers)
        if len(sides) < 2:
            continue
        for key, bar in project.gate.suites[suite].items():
            if bar.all or is_difference(key):
                continue
            estimate = None if bar.judge else paired_of(loaded, key, sides[0], sides[1])
            if estimate is None or not isinstance(estimate.sample, PairedBinary | Difference):
                unpaired.append(f"{suite}.{key} ({'judged' if bar.judge else 'no unit means'})")
            else:
                pairs.append(_Paired(suite, key, estimate))
    if missing:
        return Pairs(missing=missing)
    return Pairs(compared=tuple(_rows(project, pairs, asked)), unpaired=tuple(unpaired))


def _rows(project: Project, pairs: list[_Paired], asked: Asked) -> Iterator[Compared]:
    """Margins, each at the whole alpha, since all have to hold; then claims by Holm's procedure, since one is enough.

    By inverted tests (Holm 1979): of m claims left, those whose lower end at alpha / m passes are proven and taken away, until
    none is. What is left is told at the last level.
    """
    rules = project.gate.settings.switch
    assert rules is not None
    names = {f"{pair.suite}.{pair.key}": pair for pair in pairs}
    for name, pair in names.items():
        yield _row(project, pair, asked, rules.margin_of(name), asked.alpha)
    left = {name: pair for name, pair in names.items() if name in rules.claims}
    while left:
        level = asked.alpha / len(left)
        at = {n: _row(project, p, asked, rules.claims[n], level, claim=True) for n, p in left.items()}  # fmt: skip
        proven = [name for name, row in at.items() if row.status == "pass"]
        yield from (at[name] for name in proven or at)
        left = {name: pair for name, pair in left.items() if name not in proven} if proven else {}


def _row(
    project: Project,
    pair: _Paired,
    asked: Asked,
    bound: float,
    alpha: float,
    *,
    claim: bool = False,
) -> Compared:
    """A row as found, turned so that more is better."""
    estimate = pair.estimate
    turned = -1.0 if estimate.lower_is_better else 1.0
    finding = find(
        suite=pair.suite,
        test=pair.key,
        bar=Bar(max=-bound) if estimate.lower_is_better else Bar(min=bound),
        estimate=estimate,
        alpha=alpha,
        seed=seed_of(asked.plan, pair.suite, pair.key),
        unscored_max=project.gate.settings.unscored_max,
    )
    ends = [None if x is None else turned * x for x in (finding.low, finding.high)]
    low, high = ends if turned > 0 else ends[::-1]
    return Compared(
        suite=pair.suite,
        row=pair.key,
        claim=claim,
        status=finding.status,
        difference=None if finding.estimate is None else turned * finding.estimate,
        low=low,
        high=high,
        bound=bound,
        units=finding.units,
        method=finding.method,
        alpha=alpha,
        reason=finding.reason,
    )


def main() -> None:
    """The process."""
    told = sys.stdout.buffer
    sys.stdout = sys.stderr  # what suites print is not the result
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    try:
        found = compared(load_project(Path(asked.root)), asked)
    except EvalgateError as e:
        found = Pairs(error=str(e), exit=int(e.exit))
    told.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
