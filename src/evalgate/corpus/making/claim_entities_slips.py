"""Wrong answers to claim narratives: each fault that a model makes with one, one at a time."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from evalgate.corpus.making.common import pick, swapped
from evalgate.corpus.making.made import Made, Spoiled

LABELS = (
    *("MEMBER_ID", "DATE_OF_SERVICE", "DIAGNOSIS", "PROCEDURE"),
    *("MEDICATION", "DOSE", "PROVIDER", "AMOUNT"),
)
_DATE = re.compile(r"^\d{1,2}[/-]\d{1,2}[/-]|^\d{4}-\d\d-|^20\d{6}$| \d{4}$|^\d\d[A-Za-z]{3}\d\d$")
WRONG_DRUGS = ("amiodarone", "lithium", "carbidopa", "tacrolimus", "isotretinoin")


def written(entities: list[dict[str, Any]]) -> str:
    """The entities as an answer: labels and texts, no offsets."""
    short = [{"label": e["label"], "text": e["text"]} for e in entities]
    return msgspec.json.encode(short).decode()


def spoil(made: Made, rng: random.Random) -> Iterator[Spoiled]:
    """Wrong answers: each fault that a model makes with this narrative, one at a time."""
    right: list[dict[str, Any]] = made.expected
    narrative = made.input["narrative"]  # type: ignore[index]

    def spoiled(kind: str, entities: list[dict[str, Any]]) -> Spoiled:
        return Spoiled(kind=kind, answer=written(entities))

    invented = {"label": "MEDICATION", "text": pick(rng, WRONG_DRUGS)}
    yield spoiled("invented-fact", [*right, invented])
    yield Spoiled(kind="malformed", answer=f"Entities found: {made.answer[:-1]}")
    yield Spoiled(kind="refused", answer="I'm sorry, I can't help with this request.")
    excluded = made.seeds["excluded"]
    own = {(e["label"], e["text"]) for e in right}
    if re.search(re.escape(excluded), narrative, re.IGNORECASE):
        yield spoiled("extra-entity", [*right, {"label": "DIAGNOSIS", "text": excluded}])
    others = [word for word in made.invented if re.search(r"\d", word) and word not in str(own)]
    dates = [word for word in others if _DATE.search(word)]
    for kind, label, words in (
        ("another-number", "MEMBER_ID", [word for word in others if word not in dates]),
        ("another-date", "DATE_OF_SERVICE", dates),
    ):
        if words:
            yield spoiled(kind, [*right, {"label": label, "text": pick(rng, words)}])
    if not right:
        return
    i = rng.randrange(len(right))
    entity = right[i]
    other = {**entity, "label": pick(rng, [label for label in LABELS if label != entity["label"]])}
    yield spoiled("label-noise", [*right[:i], other, *right[i + 1 :]])
    yield spoiled("missing-entity", right[:i] + right[i + 1 :])
    yield spoiled("empty", [])
    cut = entity["text"][: max(1, len(entity["text"]) - 1 - len(entity["text"].split()[-1]))]
    if cut and cut != entity["text"]:
        yield spoiled("wrong-text", [*right[:i], {**entity, "text": cut}, *right[i + 1 :]])
    with_digits = [k for k, e in enumerate(right) if re.search(r"\d", e["text"])]
    if with_digits:
        k = pick(rng, with_digits)
        changed = {**right[k], "text": swapped(rng, _at_least_two(right[k]["text"]))}
        yield spoiled("contradiction", [*right[:k], changed, *right[k + 1 :]])


def _at_least_two(text: str) -> str:
    return text if len(re.findall(r"\d", text)) > 1 else re.sub(r"\d", lambda m: m[0] + "5", text)
