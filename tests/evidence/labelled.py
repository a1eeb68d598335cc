"""What people said of a text, and a seeded sample of it in which rare answers occur."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from evalgate.authored.rubric import Criterion
from evalgate.judge.case import Case
from evalgate.records import Record


class Labelled(Record, kw_only=True):
    """A case with what people answered to one criterion about it.

    `answer` is what the source takes for true: its only rater's answer, the majority's, or the one settled on. `people`:
    each rater's own answer, in the source's order. Cases of one `group` are only ever sampled together (the two orders
    of a pair). A sample takes about as many cases of each `stratum`.
    """

    case: Case
    criterion: Criterion
    answer: str
    people: tuple[str, ...]
    group: str
    stratum: str


def sample(items: Iterable[Labelled], most: int, seed: int) -> list[Labelled]:
    """At most `most` items: of every stratum equally many as far as they go, spread over as many units as there are.

    Drawn by sha256 of seed and group, so the order of `items` does not matter, and a larger sample of groups of one
    size contains the smaller one. The result is in the order of the draw.
    """
    groups: defaultdict[str, list[Labelled]] = defaultdict(list)
    for item in sorted(items, key=lambda item: item.case.id):
        groups[item.group].append(item)
    strata: defaultdict[str, list[list[Labelled]]] = defaultdict(list)
    for name in sorted(groups, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest()):
        strata[groups[name][0].stratum].append(groups[name])
    queues = [_spread(strata[name]) for name in sorted(strata)]
    drawn: list[Labelled] = []
    for turn in range(max(map(len, queues), default=0)):
        for queue in queues:
            if turn < len(queue) and len(drawn) + len(queue[turn]) <= most:
                drawn += queue[turn]
    return drawn


def _spread(groups: Sequence[list[Labelled]]) -> list[list[Labelled]]:
    """The first group of every unit, then the second of every unit, and so on, each time in the order given."""
    seen: Counter[str] = Counter()
    ranked = []
    for group in groups:
        unit = group[0].case.unit
        ranked.append((seen[unit], group))
        seen[unit] += 1
    return [group for _, group in sorted(ranked, key=lambda pair: pair[0])]
