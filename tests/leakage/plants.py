"""Training rows made of gold items in ways that people and programs make them, so that recall can be counted by kind."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from evalgate.authored import Problems, load_prompt
from evalgate.corpus.example import Example
from evalgate.corpus.leak.gold import GoldText

ROOT = Path(__file__).parents[2]
OTHER = [
    "ledger",
    "harbor",
    "quilt",
    "magnet",
    "orchard",
    "pebble",
    "violin",
    "tunnel",
    "saddle",
    "meadow",
    "lantern",
    "copper",
    "basket",
    "ribbon",
    "anchor",
    "cellar",
    "timber",
    "pillow",
    "garden",
    "bridge",
    "kettle",
    "window",
    "marble",
    "feather",
    "candle",
    "hammer",
    "island",
    "mirror",
    "needle",
    "oyster",
]


def filler(rng: random.Random, count: int) -> str:
    """So many words that no gold item has in a row."""
    return " ".join(f"{rng.choice(OTHER)}{rng.choice(OTHER)}" for _ in range(count))


def verbatim(text: str, rng: random.Random) -> str:
    return text


def rewrapped(text: str, rng: random.Random) -> str:
    """Lines of 20 to 40 characters, quoted like a mail."""
    lines, line = [], ""
    for word in text.split():
        line = f"{line} {word}".strip()
        if len(line) > rng.randint(20, 40):
            lines, line = [*lines, line], ""
    return "> " + "\n> ".join([*lines, line])


def diluted(text: str, rng: random.Random) -> str:
    """Somewhere in 3,000 other words."""
    before = rng.randrange(3000)
    return f"{filler(rng, before)} {text} {filler(rng, 3000 - before)}"


def recased(text: str, rng: random.Random) -> str:
    """Capitals at random, other punctuation, no accents, full-width and invisible characters."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    swapped = re.sub(r"[^\w\s]", lambda _: rng.choice([" ", "; ", " - ", "…", "\u2014"]), plain)
    changed = "".join(c.upper() if rng.random() < 0.5 else c.lower() for c in swapped)
    return re.sub(
        r"[a-z]{3}", lambda m: m[0][0] + rng.choice(["\u00ad", "\u200b", ""]) + m[0][1:], changed
    )


def halved(text: str, rng: random.Random) -> str:
    """A half of its words, in a row."""
    words = text.split()
    begin = rng.randrange(max(1, len(words) // 2))
    return " ".join(words[begin : begin + max(8, len(words) // 2)])


def every_tenth(text: str, rng: random.Random) -> str:
    """Each tenth word is another."""
    words = text.split()
    return " ".join(rng.choice(OTHER) if n % 10 == 5 else w for n, w in enumerate(words))


def every_sixth(text: str, rng: random.Random) -> str:
    """Each sixth word is another: no eight words in a row are left."""
    words = text.split()
    return " ".join(rng.choice(OTHER) if n % 6 == 3 else w for n, w in enumerate(words))


def other_words(text: str, rng: random.Random) -> str:
    """All words but those with a digit are others: a paraphrase, or another language."""
    return " ".join(
        w if re.search(r"\d", w) else f"{rng.choice(OTHER)}{rng.choice(OTHER)}"
        for w in text.split()
    )


def by_template(text: str, rng: random.Random) -> str:
    """The figures of the item, and nothing else of it, put into a sentence in another language."""
    figures = [w.strip(".,;:()") for w in text.split() if re.search(r"\d", w)]
    return f"Se revisó el expediente con los datos siguientes: {', '.join(figures)}. Explique la decisión al afiliado."


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": verbatim,
    "re-wrapped": rewrapped,
    "diluted 3,000 : 1 item": diluted,
    "case, punctuation, accents, invisible characters": recased,
    "half of it": halved,
    "each tenth word another": every_tenth,
    "each sixth word another": every_sixth,
    "other words, figures kept": other_words,
    "translated by a template, figures kept": by_template,
}


def planted(item: GoldText, kind: str, rng: random.Random, *, lineage: bool = False) -> Example:
    """A training row made of `item`; with `lineage` it says whose unit it is of."""
    said = KINDS[kind]("\n".join(item.question), rng)
    return Example(
        id=f"row-{item.gold_set}-{item.id}",
        task=item.gold_set,
        unit=item.unit if lineage else "",
        messages=(
            {"role": "user", "content": f"Please help with this case.\n\n{said}"},
            {"role": "assistant", "content": "Noted."},
        ),
    )


def prompted(task: str, given: str | dict, answer: str, *, name: str) -> Example:
    """A row as training text is made: the project's own prompt for the task, filled in."""
    problems = Problems()
    prompt = load_prompt(ROOT / "suites" / "prompts" / f"{task}.md", ROOT, problems)
    problems.raise_if_any()
    messages = (*prompt.render(given), {"role": "assistant", "content": answer})
    return Example(id=name, task=task, messages=messages)
