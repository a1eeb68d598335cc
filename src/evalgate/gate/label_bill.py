"""What sealed sets cost in labels: rotated after every pass, or kept at a smaller alpha (docs/goldsets.md).

Of each claim the units are counted that give it TARGET_POWER at its assumed true value, at the alpha that is left for it; a
slice counts for as many units of the whole set as contain it. The largest claim is the bill.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from evalgate.authored import GateSettings, Problems
from evalgate.authored.gate_toml import is_difference
from evalgate.authored.sealed import load_sealed_card, sealed_path
from evalgate.gate.planning import DISCORDANCE, TARGET_POWER, PlanRow
from evalgate.records import Record
from evalgate.store.attempts import spending
from evalgate.suite import Project

PROMOTIONS: Final = (1, 2, 4)
"""Promotions that the bill is made out for."""


class Bill(Record, kw_only=True):
    """Units of one suite to label afresh for so many promotions: by rotation, and by reuse of one larger set."""

    suite: str
    promotions: int
    rotation: int
    reuse: int


def bills(suite: str, rows: Sequence[PlanRow], units: int, settings: GateSettings) -> list[Bill]:
    """The bills of a suite whose dev set has `units` units; [] where no claim of it has a count. `rows`: its plan."""
    found = []
    for promotions in PROMOTIONS:
        last = max(settings.attempts, promotions)
        kept = msgspec.structs.replace(settings, sealed_reuse=True, attempts=last)
        try:
            each = _units(rows, units, spending(settings, settings.attempts))
            # the last attempt, after all passes but its own, is left the least
            whole = _units(rows, units, spending(kept, last, promotions - 1))
        except ValueError:  # more units than anybody labels
            return []
        if each is None or whole is None:
            return []
        found.append(
            Bill(suite=suite, promotions=promotions, rotation=promotions * each, reuse=whole)
        )
    return found


def sealed_lines(project: Project, rows: Sequence[PlanRow]) -> list[str]:
    """What `evalgate plan` says of sealed sets: which are missing, or what they cost. [] where none is there or required.

    Raises FileProblems, IntegrityError (a set that is not what its card says).
    """
    there, missing = {}, []
    problems = Problems()
    for name, loaded in project.suites.items():
        path = sealed_path(loaded.gold.path)
        if not path.exists():
            missing.append(name)
        elif card := load_sealed_card(path, project.root, problems):
            there[name] = card
    problems.raise_if_any()
    settings = project.gate.settings
    lines = []
    if missing and (there or settings.require_sealed):
        must = (
            "gate.toml has require_sealed = true"
            if settings.require_sealed
            else "a sealed check asks every suite"
        )
        lines.append(
            f"sealed sets: none for {', '.join(missing)}, and {must}. Seal them: evalgate gold seal NAME"
        )
    for name, card in there.items():
        assert card.sealed is not None
        alpha = spending(settings, settings.attempts)
        lines.append(
            f"sealed set {name} {card.version}: {card.sealed.units} units; alpha {alpha:.4g} for each of {settings.attempts} "
            f"attempts; fresh units to label for power {TARGET_POWER:g}:"
        )
        own = [row for row in rows if row.suite == name]
        made_out = bills(name, own, project.suites[name].gold.units, settings)
        lines += [
            f"  {bill.promotions} promotion{'s' if bill.promotions > 1 else ''}: {bill.rotation} by rotation, "
            f"{bill.reuse} in one set that is reused"
            for bill in made_out
        ] or ["  no claim of it has a count"]
    return lines


def _units(rows: Sequence[PlanRow], units: int, alpha: float) -> int | None:
    """Units of a whole set with which every claim that has a count has power enough; None if none has one."""
    needed = [
        math.ceil(count * units / row.units)
        for row in rows
        if row.units and (count := needed_at(row, alpha)) is not None
    ]
    return max(needed, default=None)


def needed_at(row: PlanRow, alpha: float) -> int | None:
    """Units that a claim needs for TARGET_POWER at another alpha; None where its plan has no count."""
    from evalgate import stats

    if row.needed is None:
        return None
    low, high = row.threshold.get("min"), row.threshold.get("max")
    if is_difference(row.test):
        floor = low if low is not None else -(high or 0.0)
        value = row.assumed if low is not None else -row.assumed
        return int(
            stats.noninferiority_required_n(
                margin=-floor,
                discordance=min(1.0, max(DISCORDANCE, abs(value))),
                alpha=alpha,
                power=TARGET_POWER,
                difference=value,
            )
        )
    floor = low if low is not None else 1 - (high or 0.0)
    value = row.assumed if low is not None else 1 - row.assumed
    return int(
        stats.required_n(
            threshold=floor, p_true=value, alpha=alpha, power=TARGET_POWER, sawtooth_run=40
        )
    )
