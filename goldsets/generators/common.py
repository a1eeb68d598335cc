"""What the gold-set generators share: dealing without near-repeats, marked-up text, JSONL, similarity, subsets.

Nothing here knows a task. All randomness comes from the `random.Random` that the caller seeds.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

# Items of a written set that a judge and clinicians read: 100 labels decide, 20 are for the judge alone.
JUDGED = 120

T = TypeVar("T")
_MARK = re.compile(r"\[\[([A-Z_]+)\|(.+?)\]\]")


class Deck(Generic[T]):
    """Deals the cards of a list in random order and reshuffles when it runs out.

    Unlike `random.choice`, every card is dealt about equally often, which keeps narratives apart.
    """

    def __init__(self, cards: Sequence[T], rng: random.Random) -> None:
        if not cards:
            raise ValueError("found an empty deck, expected at least one card.")
        self._cards = list(cards)
        self._rng = rng
        self._left: list[T] = []

    def deal(self) -> T:
        """The next card."""
        if not self._left:
            self._left = self._cards.copy()
            self._rng.shuffle(self._left)
        return self._left.pop()


def unmark(marked: str) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and entities of a text with marks like `[[MEDICATION|amoxicillin]]`.

    Entities are {"label", "text", "start", "end"} in order of start, so that text[start:end] is the entity's text.
    A text that carries the same label twice (in whatever case) is an entity once, at its first mark.
    """
    plain: list[str] = []
    entities: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    length = last = 0
    for found in _MARK.finditer(marked):
        before = marked[last : found.start()]
        label, text = found.group(1), found.group(2)
        start = length + len(before)
        if (key := (label, text.casefold())) not in seen:
            seen.add(key)
            entities.append(
                {"label": label, "text": text, "start": start, "end": start + len(text)}
            )
        plain += [before, text]
        length = start + len(text)
        last = found.end()
    plain.append(marked[last:])
    return "".join(plain), entities


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file, in order. Raises msgspec.DecodeError."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.strip()]


def jsonl(rows: Iterable[Any]) -> str:
    """One JSON object a line, keys in the order given, characters as they are; equal rows give equal bytes."""
    return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)


def similarity(a: str, b: str) -> float:
    """Token similarity in [0, 1]: 1 for the same words in any order (rapidfuzz token_sort_ratio)."""
    from rapidfuzz import fuzz

    return fuzz.token_sort_ratio(a, b) / 100


def too_similar(text: str, others: Iterable[str], limit: float) -> bool:
    """Whether any of `others` is more similar to `text` than `limit`. Quick: gives up early on each pair."""
    from rapidfuzz import fuzz, process

    return (
        process.extractOne(text, others, scorer=fuzz.token_sort_ratio, score_cutoff=100 * limit)
        is not None
    )


def closest_pair(texts: Sequence[str]) -> tuple[float, int, int]:
    """Similarity and positions of the two most similar texts (0, 0, 0 for fewer than two)."""
    from rapidfuzz import fuzz, process

    rows = process.cdist(texts, texts, scorer=fuzz.token_sort_ratio)
    pairs = combinations(range(len(texts)), 2)
    return max(((float(rows[i][j]) / 100, i, j) for i, j in pairs), default=(0.0, 0, 0))


def balanced_subset(
    items: Sequence[dict[str, Any]], size: int, *, seed: int, at_least: int = 3
) -> list[dict[str, Any]]:
    """`size` items of `size` different units, in the gold set's order, with every tag represented.

    Items are chosen one by one: first for the tags that are still furthest below their share of the whole (never fewer
    than `at_least`, or all there are), the seeded order deciding between equals. The choice depends on nothing but
    the items, `size`, `seed` and `at_least`; `judged` is no tag here, since a draw says nothing about an item.

    Raises ValueError if there are fewer than `size` units.
    """
    units = {item["unit"] for item in items}
    if size > len(units):
        raise ValueError(f"found {len(units)} units, expected at least {size}.")
    order = list(range(len(items)))
    random.Random(seed).shuffle(order)
    tags = [[tag for tag in item["tags"] if tag != "judged"] for item in items]
    total = Counter(tag for of_item in tags for tag in of_item)
    goal = {t: max(min(at_least, n), n * size / len(items)) for t, n in total.items()}
    have: Counter[str] = Counter()
    taken: list[int] = []
    used: set[str] = set()

    def wanted(position: int) -> float:
        """How much the item brings the tags towards their shares; overshooting a share counts against it."""
        return sum((goal[t] - have[t]) / goal[t] for t in tags[position])

    while len(taken) < size:
        free = [i for i in order if items[i]["unit"] not in used]
        best = max(free, key=wanted)  # the first of equals, in seeded order
        taken.append(best)
        used.add(items[best]["unit"])
        have.update(tags[best])
    return [items[i] for i in sorted(taken)]


def with_judged(
    items: Sequence[dict[str, Any]], *, seed: int, size: int = JUDGED
) -> list[dict[str, Any]]:
    """The items, `size` of them with the tag `judged` as their last, and no other.

    The slice that people and judges read, fixed with the gold set: each item has the same chance, and tags on a tenth to
    nine tenths of the items keep their share. Neither an answer nor a score has a part in it.
    """
    bare = [{**item, "tags": [t for t in item["tags"] if t != "judged"]} for item in items]
    drawn = _spread(bare, size, f"judged {seed}")
    return [{**i, "tags": [*i["tags"], "judged"]} if i["id"] in drawn else i for i in bare]


def _spread(items: Sequence[dict[str, Any]], size: int, seed: str) -> set[str]:
    """The ids of `size` items, all if there are no more: every (N/size)-th in line by tags, unit and id (Madow 1944)."""
    counts = Counter(tag for item in items for tag in set(item["tags"]))
    telling = {tag for tag, k in counts.items() if len(items) <= 10 * k <= 9 * len(items)}

    def place(item: dict[str, Any]) -> tuple[str, ...]:
        stratum = sorted(telling.intersection(item["tags"]))
        names = (("stratum", *stratum), ("unit", item["unit"]), ("item", item["id"]))
        return tuple(_hashed(seed, *each) for each in names)

    line = sorted(items, key=place)
    total = len(line)
    if size < total:
        start = int(_hashed(seed, "start"), 16) % total
        taken = (
            (k * size + size + start) // total > (k * size + start) // total for k in range(total)
        )
        line = [item for item, take in zip(line, taken, strict=True) if take]
    return {item["id"] for item in line}


def _hashed(seed: str, *names: str) -> str:
    """64 hex digits that nobody chose: sha256 over the seed and the names, each with its length."""
    return hashlib.sha256("".join(f"{len(n)}:{n}" for n in (seed, *names)).encode()).hexdigest()


def words(text: str) -> int:
    """Number of words, split at white space."""
    return len(text.split())


def slots(template: str) -> Iterator[str]:
    """The names of the `{slots}` of a template."""
    return (found.group(1) for found in re.finditer(r"\{(\w+)\}", template))
