"""How many predicted entities match gold entities, one to one."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any, Literal

from evalgate.records import Entity

Match = Literal["exact", "span", "relaxed"]


def count_matches(
    gold: Sequence[Entity], guesses: Sequence[Entity], match: Match, similarity: float
) -> int:
    """Size of the largest one-to-one assignment of `guesses` to `gold`, at most min(len(gold), len(guesses)).

    exact: same label and same text with white space collapsed, case-sensitive. span: same label, start and end
    (a guess without offsets matches nothing). relaxed: same label and rapidfuzz.fuzz.ratio / 100 >= `similarity` of the
    texts after NFKC, white space collapsed, case folded.
    """
    if not gold or not guesses:
        return 0
    if match == "relaxed":
        return _relaxed(gold, guesses, similarity)
    key = _spans if match == "span" else _texts
    return (key(gold) & key(guesses)).total()


def _texts(entities: Sequence[Entity]) -> Counter[Hashable]:
    return Counter((e.label, " ".join(e.text.split())) for e in entities)


def _spans(entities: Sequence[Entity]) -> Counter[Hashable]:
    return Counter(
        (e.label, e.start, e.end) for e in entities if e.start is not None and e.end is not None
    )


def _relaxed(gold: Sequence[Entity], guesses: Sequence[Entity], similarity: float) -> int:
    wanted, offered = _by_label(gold), _by_label(guesses)
    return sum(
        _assign(wanted[label], offered[label], similarity)
        for label in wanted.keys() & offered.keys()
    )


def _by_label(entities: Sequence[Entity]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for e in entities:
        groups[e.label].append(" ".join(unicodedata.normalize("NFKC", e.text).casefold().split()))
    return groups


def _assign(gold: list[str], guesses: list[str], similarity: float) -> int:
    """Maximum bipartite matching of similar texts by augmenting paths (Berge 1957).

    A guess made several times counts as often as a gold text like it is repeated, at least once: otherwise a guess and
    its copies would find several gold entities that merely resemble each other.
    """
    from rapidfuzz.fuzz import ratio

    # The cut-off only saves time: it lies just below the threshold, which is compared exactly here.
    cutoff = max(0.0, 100 * similarity - 1e-6)
    wanted = Counter(gold)
    places: dict[str, list[int]] = defaultdict(list)  # gold text -> the offered guesses it may take
    right = 0
    for guess, copies in Counter(guesses).items():
        alike = [
            text
            for text in wanted
            if text == guess or ratio(text, guess, score_cutoff=cutoff) / 100 >= similarity
        ]
        usable = min(copies, max((wanted[text] for text in alike), default=0))
        for text in alike:
            places[text] += range(right, right + usable)
        right += usable
    return largest_matching([places[text] for text in gold], right)


def largest_matching(edges: Sequence[Sequence[int]], right: int) -> int:
    """Size of a maximum matching; `edges[i]` lists the right nodes (0 .. right-1) that left node i may take.

    Each left node is matched for good if an alternating path from it reaches a free right node: O(nodes x edges).
    """
    taken_by = [-1] * right
    takes = [-1] * len(edges)
    for root in range(len(edges)):
        came_from: dict[int, int] = {}  # right node -> left node it was reached from
        frontier = [root]
        free = -1
        while frontier and free < 0:
            node = frontier.pop()
            for j in edges[node]:
                if j not in came_from:
                    came_from[j] = node
                    if taken_by[j] < 0:
                        free = j
                        break
                    frontier.append(taken_by[j])
        while free >= 0:  # back along the path: each left node takes the right node that it reached
            node = came_from[free]
            taken_by[free] = node
            takes[node], free = free, takes[node]
    return sum(j >= 0 for j in takes)


def as_entities(value: Any, where: str) -> list[Entity]:
    """`value` as entities; JSON objects are accepted. Raises ValueError naming `where`, never a text."""
    if isinstance(value, (list, tuple)):
        if all(type(e) is Entity for e in value):
            return list(value)
        import msgspec

        try:
            return msgspec.convert(list(value), list[Entity])
        except (msgspec.ValidationError, TypeError):
            pass  # the library's message may quote a value; ours names the place only
    raise ValueError(
        f"{where}: found {type(value).__name__}, expected a list of entities (label, text, start, end). "
        "Return list[Entity] from the suite's parser and write them in the gold set."
    )
