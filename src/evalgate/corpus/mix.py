"""A mixture: which rows of which corpora are trained, how often and in which order; computed once, kept as a list.

Task i gets rows in proportion to n_i^(1/T), n_i its rows in all corpora: T = 1 leaves them as they are, a higher
temperature gives small tasks more (Arivazhagan et al. 2019, arXiv:1907.05019, section 4.1). Caps hold before shares: no
row is used more than `cap_repeats` times, no task has more than its `max_share` of the rows; what a capped task leaves
goes to the others in the same proportion. Nothing here depends on a library's generator of random numbers: orders are
sorts by SplitMix64 (Steele, Lea and Flood 2014), seeded with SHA-256 of what they are for.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from evalgate.digest import canonical
from evalgate.errors import UsageError
from evalgate.records import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

CAP_REPEATS = 4
"""By default a row is seen up to four times: up to there repeats were worth nearly as much as new text in pre-training
(Muennighoff et al. 2023, arXiv:2305.16264). Nobody has shown it for every fine-tuning; compare candidates."""


class Blend(Record, kw_only=True):
    """What a mixture is asked to be. `rows`: None for as many as there are; `max_share`: decimal shares by task.

    `part`: of all rows only these (`corpus.parts`), before anything else.
    """

    temperature: float = 2.0
    cap_repeats: int = CAP_REPEATS
    max_share: dict[str, str] = msgspec.field(default_factory=dict)
    rows: int | None = None
    seed: int = 0
    part: str = "1"


def rows_of_tasks(available: Mapping[str, int], recipe: Blend) -> dict[str, int]:
    """How many rows each task gets; their sum is `recipe.rows`, or as many as there are and the caps allow.

    `available`: rows of each task, all at least 1. A task below its caps has its share by the formula within one row.
    Raises UsageError (EG831): a temperature below 0.1 or above 1000, a cap on a task that is not there, caps that leave too few rows, a task left without any.
    """
    caps = {task: Fraction(share) for task, share in recipe.max_share.items()}
    if unknown := sorted(caps.keys() - available.keys()):
        raise _refused(f"a share for {', '.join(unknown)}, of which no corpus has rows", "tasks that are there")  # fmt: skip
    if not 0.1 <= recipe.temperature <= 1000:  # beyond, a weight would be no number any more
        raise _refused(
            "a temperature outside of 0.1 to 1000",
            "one inside: 1 for shares as they are, 2 by default",
        )
    wanted = sum(available.values()) if recipe.rows is None else recipe.rows
    total = _feasible(available, caps, recipe.cap_repeats, wanted)
    if total == 0 or (recipe.rows is not None and total < wanted):
        raise _refused(
            f"caps under which at most {total} rows can be had",
            f"{wanted}. Raise --cap-repeats or --max-share, or ask for fewer --rows",
        )
    limits = _limits(available, caps, recipe.cap_repeats, total)
    found = _filled(_weights(available, recipe.temperature), limits, total)
    if missing := sorted(task for task, rows in found.items() if rows == 0):
        raise _refused(
            f"that {', '.join(missing)} would get no row of {total}",
            "every task in the mixture. Ask for more --rows, a higher --temperature or a higher share, or leave the task out",
        )
    return found


def _refused(found: str, expected: str) -> UsageError:
    return UsageError(f"found {found}, expected {expected}.", where="data mix", code="EG831")


def _weights(available: Mapping[str, int], temperature: float) -> dict[str, Fraction]:
    """n^(1/T) of each task, against the largest: exact from here on, so that rounding is the same everywhere."""
    most = max(available.values())
    return {task: Fraction((n / most) ** (1 / temperature)) for task, n in available.items()}


def _limits(
    available: Mapping[str, int], caps: Mapping[str, Fraction], repeats: int, total: int
) -> dict[str, int]:
    """The most rows that each task may have in a mixture of `total`."""
    return {
        task: min(n * repeats, math.floor(caps[task] * total) if task in caps else total)
        for task, n in available.items()
    }


def _feasible(
    available: Mapping[str, int], caps: Mapping[str, Fraction], repeats: int, wanted: int
) -> int:
    """The largest number of rows up to `wanted` that the caps allow; 0 if none.

    Without rounding, sum(min(repeats n, share N)) - N is concave in N and 0 at 0: the N that are allowed are an interval
    from 0, whose end is found by bisection; from there it is at most a few steps down to where the rounded caps suffice.
    """

    def room(total: int) -> Fraction:
        limits = (
            min(Fraction(n * repeats), caps[task] * total if task in caps else Fraction(total))
            for task, n in available.items()
        )
        return sum(limits, Fraction(-total))

    low, high = 0, wanted
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if room(middle) >= 0 else (low, middle - 1)
    while low and sum(_limits(available, caps, repeats, low).values()) < low:
        low -= 1
    return low


def _filled(
    weights: Mapping[str, Fraction], limits: Mapping[str, int], total: int
) -> dict[str, int]:
    """`total` rows in proportion to the weights under the limits; the largest remainders are rounded up, ties by name."""
    found: dict[str, int] = {}
    open_ = sorted(weights)
    while True:
        left = total - sum(found.values())
        whole = sum((weights[task] for task in open_), Fraction())
        shares = {task: left * weights[task] / whole for task in open_}
        full = [task for task in shares if shares[task] >= limits[task]]
        found |= {task: limits[task] for task in full}
        open_ = [task for task in shares if task not in found]
        if not full:
            break
    found |= {task: math.floor(shares[task]) for task in open_}
    short = total - sum(found.values())
    by_remainder = sorted(open_, key=lambda task: (found[task] - shares[task], task))
    found |= {task: found[task] + 1 for task in by_remainder[:short]}
    return found


def order(rows: Mapping[str, Ints], counts: Mapping[str, int], seed: int) -> tuple[Ints, Ints]:
    """(row, epoch) of every place of the mixture. `rows`: the numbers of each task's rows, in an order of their own.

    A task's rows come all once before one comes again, each time in another order; a row's epoch is how often it came
    before. Tasks are spread evenly: every stretch of the list has the shares of the whole, but for a few rows.
    """
    tasks = sorted(counts)
    taken, epochs, places = [], [], []
    for task in tasks:
        every, number = rows[task], counts[task]
        for epoch in range(-(-number // every.size)):
            mixed = np.argsort(_stream(len(every), seed, task, "order", epoch), kind="stable")
            part = every[mixed[: number - epoch * every.size]]
            taken.append(part)
            epochs.append(np.full(part.size, epoch, dtype=np.int64))
        within = (_stream(number, seed, task, "place", 0) >> np.uint64(11)) * 2.0**-53
        places.append((np.arange(number) + within) / number)
    final = np.argsort(np.concatenate(places), kind="stable")
    return np.concatenate(taken)[final], np.concatenate(epochs)[final]


def _stream(length: int, *what: object) -> NDArray[np.uint64]:
    """The first outputs of SplitMix64 whose state begins as the digest of `what`."""
    start = int.from_bytes(hashlib.sha256(canonical(what)).digest()[:8], "little")
    state = np.arange(1, length + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state += np.uint64(start)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
