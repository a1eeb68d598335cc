"""Writes goldsets/claim_entities.jsonl: `python goldsets/generators/claim_entities.py`.

The gold set is the hand-written items (goldsets/handwritten/claim_entities.jsonl, in their order) followed by generated
ones. A generated narrative is a clinical case (claim_entities_cases.toml, Spanish ones in claim_entities_es.toml), in a
fictional world (claim_entities_world.toml), told in the wording of one register (claim_entities_phrases.toml). Entities
are marked where they are written, so their offsets are right by construction; whatever is not marked is a trap. The same
seed gives the same bytes.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from claim_entities_facts import Redraw, Teller, capital, facts
from common import balanced_subset, jsonl, read_jsonl, slots, too_similar, unmark, words

GOLDSETS = Path(__file__).parents[1]
SEED = 20261123
OUT = GOLDSETS / "claim_entities.jsonl"
HANDWRITTEN = GOLDSETS / "handwritten" / "claim_entities.jsonl"

LABELS = (
    *("MEMBER_ID", "DATE_OF_SERVICE", "DIAGNOSIS", "PROCEDURE"),
    *("MEDICATION", "DOSE", "PROVIDER", "AMOUNT"),
)
GENERATED = {"en": 174, "es": 54}
SHORTEST, LONGEST, LONG = 40, 130, 90  # words; from LONG on an item is tagged `long`
ALIKE = 0.70  # redraw a narrative that is more similar than this to one already kept
NOISY = 0.10  # share of English generated items with typing or scanning errors outside the entities

FEATURES = {  # what stands in the place of H: cards in the deck
    "hist": 6,
    "negation": 7,
    "conflict_date": 3,
    "conflict_amount": 3,
    "look_alike": 4,
    "inject": 2,
    "negation look_alike": 1,
    "negation conflict_amount": 1,
    "hist negation": 2,
    "hist look_alike conflict_date": 1,
}
TAGS = {
    "negation": "negation",
    "conflict": "conflict",
    "look": "look_alike",
    "inject": "injection",
}
FOR_CHILDREN = {"fax", "clinic", "edi", "form", "um", "auditoria", "clinica", "formulario"}
OFFICE = {"clinic", "mental", "sleep", "rehab", "imaging"}  # places without operations
UNFIT = {  # phrases that do not suit a child, an old member, a small test, a psychiatric diagnosis
    "child": re.compile(
        r"{cnot}|{odrug|{famdx}|told about|verb understanding|RTW|gait"
        r"|{He} (?:will|wants)|at the request|to work"
    ),
    "old": re.compile(r"RTW|calls at work"),
    "office": re.compile(r"s/p|Tol well, no|Tolera bien|s/complic|s/incid"),
    "mental": re.compile(
        r"Tests for|Tested for|checked me|sign of|Neg w/u|negative|R/o|Labs|Diet|revisaron|el estudio"
    ),
}
TOGETHER_IS_NONSENSE = [  # two phrases of one narrative
    (r"NKDA|No known drug|none known|Sin alergias|ninguna", r"llergic|All:|Alergias"),
    (r"AHF s/imp", r"AHF: madre"),
    (r"other ill|otras enfermedades", r"Known|Also has|{cdx}|denies"),
    (r"{dos2}", r"Home w/ instr|same day|misma? día"),
]
AFTER_COMMA = re.compile(
    r"^(?:This|Please|My|You|On|After|They|The|It|In|Since|Your|Last|Sorry|Thank|For) "
)


def suitable(t: Teller, register: str, part: str, slot: dict[str, str], unfit: list[str]) -> str:
    """A phrase of this part for which all slots can be filled. Raises Redraw after many refusals."""
    for _ in range(30):
        phrase = t.phrase(register, part)
        if set(slots(phrase)) <= slot.keys() and not any(UNFIT[u].search(phrase) for u in unfit):
            return phrase
    raise Redraw


def tell(t: Teller) -> tuple[str, list[str]]:
    """One marked narrative and its tags. Raises Redraw where the cards dealt do not go together."""
    rng = t.rng
    case = t.deal("case", t.book["case"])
    register = t.deal_weighted("register", t.world["registers"])
    features = t.deal_weighted("feature", FEATURES).split()
    own = t.book[register]
    if case.get("child") and register not in FOR_CHILDREN:
        raise Redraw
    if register == "um" and ("conflict_date" in features or not case.get("elective")):
        raise Redraw
    visit = register in {"um", "edi", "pharmacy"} or "nights" not in case
    stays = not visit and rng.random() < 0.4
    slot = facts(t, case, register, stays=stays)
    member = {
        "child": case.get("child", False),
        "old": int(slot["age"]) > 66,
        "office": case["place"] in OFFICE,
        "mental": case["place"] == "mental",
    }
    unfit = [kind for kind, is_so in member.items() if is_so]

    parts: list[str] = []
    for part in rng.choice(own["shapes"]).split():
        parts += features if part == "H" else ["svc", "stay"] if part == "svc" and stays else [part]
    if slot["once"] and register != "um":
        parts = ["med_once" if part == "med" else part for part in parts]
    phrases = [suitable(t, register, part, slot, unfit) for part in parts]
    while words(unmark(" ".join(phrases).format_map(slot))[0]) < SHORTEST + 2:
        phrases.append(suitable(t, register, "close", slot, unfit))
        if len(set(phrases)) < len(phrases):
            raise Redraw
    for a, b in TOGETHER_IS_NONSENSE:
        if any(re.search(a, p) and re.search(b, q) for p in phrases for q in phrases if p != q):
            raise Redraw
    tags = ["spanish"] if t.lang == "es" else []
    tags += ["abbreviation"] if own["style"] == "terse" else []
    tags += [tag for start, tag in TAGS.items() if any(f.startswith(start) for f in features)]
    return assemble(phrases, slot, own, t.lang), tags


def assemble(phrases: list[str], slot: dict[str, str], own: dict[str, Any], lang: str) -> str:
    """The marked narrative: phrases filled, joined and put into the register's letter case."""
    between = "\n" if own["style"] == "lines" else " "
    out = ""
    for phrase in filter(None, phrases):
        filled = phrase.format_map(slot)
        if out.endswith(","):
            filled = AFTER_COMMA.sub(lambda m: m[0].lower(), filled)
        elif not out.endswith("-"):
            filled = capital(filled)
        out += (between if out else "") + filled
    if lang == "es":  # de + el, a + el
        out = re.sub(r"\b([Dd])e el (?=\[\[)", r"\1el ", out)
        out = re.sub(r"\ba el (?=\[\[)", "al ", out)
    if own.get("upper"):
        out = re.sub(r"(\[\[[A-Z_]+\|)|([^\[]+|\[)", lambda m: m[1] or m[2].upper(), out)
    return out


def spoil(rng: random.Random, marked: str) -> str:
    """The narrative with five typing or scanning errors, never inside an entity."""
    pieces = re.split(r"(\[\[.+?\]\])", marked)
    places = [
        (i, m.start(), m.end())
        for i, piece in enumerate(pieces)
        if not piece.startswith("[[")
        for m in re.finditer(r"\b[a-z]{5,}\b", piece)
    ]
    for i, a, b in sorted(rng.sample(places, min(5, len(places))), reverse=True):
        word = pieces[i][a:b]
        k = rng.randrange(1, len(word) - 2)
        swapped = word[:k] + word[k + 1] + word[k] + word[k + 2 :]
        missing, doubled = word[:k] + word[k + 1 :], word[:k] + word[k] + word[k:]
        scanned = word.replace("l", "1", 1).replace("o", "0", 1)
        worse = rng.choice([swapped, missing, doubled, scanned])
        pieces[i] = pieces[i][:a] + worse + pieces[i][b:]
    return "".join(pieces)


def item(id_: str, unit: str, tags: list[str], marked: str) -> dict[str, Any]:
    """A gold item. Raises ValueError for a length or a label outside the guideline."""
    narrative, entities = unmark(marked)
    if not SHORTEST <= (length := words(narrative)) <= LONGEST:
        raise ValueError(f"{id_}: found {length} words, expected {SHORTEST} to {LONGEST}.")
    if unknown := {e["label"] for e in entities} - set(LABELS):
        raise ValueError(f"{id_}: found labels {sorted(unknown)}, expected {', '.join(LABELS)}.")
    return {
        "id": id_,
        "input": {"narrative": narrative},
        "expected": entities,
        "unit": unit,
        "tags": [*tags, *(["long"] if length >= LONG else [])],
    }


def handwritten() -> Iterator[dict[str, Any]]:
    """The hand-written items, their marks turned into offsets."""
    for row in read_jsonl(HANDWRITTEN):
        yield item(row["id"], row["unit"], [*row["tags"], "handwritten"], row["narrative"])


def build(seed: int = SEED) -> list[dict[str, Any]]:
    """All items: hand-written first, then generated. Depends on the files read and the seed."""
    items = list(handwritten())
    kept = [i["input"]["narrative"] for i in items]
    used = {e["text"] for i in items for e in i["expected"] if e["label"] == "MEMBER_ID"}
    for lang, count in GENERATED.items():
        t = Teller(lang, random.Random(f"{seed} {lang}"), used)
        goal = len(items) + count
        while len(items) < goal:
            try:
                marked, tags = tell(t)
            except Redraw:
                continue
            if (
                lang == "en"
                and t.rng.random() < NOISY
                and (worse := spoil(t.rng, marked)) != marked
            ):
                marked, tags = worse, [*tags, "noise"]
            narrative = unmark(marked)[0]
            if words(narrative) > LONGEST or too_similar(narrative, kept, ALIKE):
                continue
            number = f"{len(items) + 1:04}"
            items.append(item(f"ce-{number}", f"member-{number}", [*tags, "generated"], marked))
            kept.append(narrative)
    return items


def starter_subset(items: list[dict[str, Any]], n: int = 60) -> list[dict[str, Any]]:
    """`n` items of `n` units for the starter project: every tag represented, in the gold set's order."""
    return balanced_subset(items, n, seed=SEED)


if __name__ == "__main__":
    OUT.write_text(jsonl(build()), encoding="utf-8")
