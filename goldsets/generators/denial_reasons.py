"""Writes goldsets/denial_reasons.jsonl: `python goldsets/generators/denial_reasons.py`.

The gold set is the hand-written items (goldsets/handwritten/denial_reasons.jsonl, in their order) followed by generated
ones. Generated texts are put together from the wording in denial_reasons_phrases.toml. Each carries THE reason and, as
background, other reasons that were withdrawn, alleged, merely noted, printed as a code or true of another claim. The
same clauses serve in both roles, so that no single word gives the class away. The same seed gives the same bytes.
"""

from __future__ import annotations

import random
import re
import sys
import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parent))
from common import Deck, balanced_subset, jsonl, read_jsonl, too_similar, words

T = TypeVar("T")
SEED = 20261123
GOLDSETS = Path(__file__).parents[1]
OUT = GOLDSETS / "denial_reasons.jsonl"
HANDWRITTEN = GOLDSETS / "handwritten" / "denial_reasons.jsonl"

NMN, EXP, PA = "NOT_MEDICALLY_NECESSARY", "EXPERIMENTAL", "PRIOR_AUTHORIZATION_MISSING"
OON, BEN, DOC = "OUT_OF_NETWORK", "BENEFIT_EXCLUDED", "DOCUMENTATION_MISSING"
CLASSES = (NMN, EXP, PA, OON, BEN, DOC)
GENERATED = {NMN: 70, EXP: 54, PA: 66, OON: 60, BEN: 62, DOC: 60}
SHORTEST, LONGEST = 40, 120  # words of a text
ALIKE = 0.80  # redraw a text that is more similar than this to one already kept

# Background that would contradict the reason: a file without records has had no clinical decision, and a
# complete chart lacks no records.
UNCLINICAL = {DOC: {NMN, EXP}, NMN: {DOC}}

DOCUMENTS = {  # kind: (register of its sentences, cards in the deck)
    "letter": ("formal", 3),
    "minutes": ("formal", 2),
    "email": ("formal", 2),
    "appeal": ("formal", 2),
    "note": ("terse", 3),
    "remit": ("terse", 2),
    "call": ("spoken", 3),
    "portal": ("spoken", 3),
}
SPANISH = {"es_letter": ("es", 5), "es_call": ("es_spoken", 3), "es_portal": ("es_spoken", 3)}
MODES = {  # how the other reasons come in: cards in the deck
    "simple": 4,  # not at all
    "plain": 3,  # as conditions that were met
    "negated": 2,
    "alleged": 2,
    "withdrawn": 3,
    "noted": 3,
    "double": 2,  # one withdrawn, one noted
    "conflict": 3,  # as the legend of a remark code
    "look_alike": 3,  # as the reason of another claim
}
INJECTED_PER_CLASS = 2

DAYS = {  # after the date of service: from, to (exclusive)
    "ahead": (-90, -61),
    "before": (-60, -9),
    "dos": (0, 1),
    "after": (8, 30),
    "due": (45, 65),
    "notice": (70, 90),
    "now": (100, 125),
}
LIMITS = ["12", "18", "20", "24", "30", "36", "40"]  # sessions a year
MONTHS_ES = [
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto"),
    *("septiembre", "octubre", "noviembre", "diciembre"),
]


class Facts:
    """The facts of one fictional claim; `fill` writes them into a phrase."""

    def __init__(
        self, rng: random.Random, phrases: dict[str, Any], register: str, used: set[str]
    ) -> None:
        self.rng = rng
        self.register = register
        self.spanish = register.startswith("es")
        service = pick(rng, phrases["service"])
        self.course = "unit" in service
        self.device = "device" in service
        names = phrases["names"]
        keys = ("svc", "cond", "crit", "unit")
        own = dict(zip(keys, service["es"], strict=False)) if self.spanish else service
        language = "es" if self.spanish else "terse" if register == "terse" else "en"
        self.again = phrases["again"][language]
        svc = own["svc"].removeprefix("the ") if register == "terse" else own["svc"]
        self.names = (svc, own["cond"], pick(rng, names["provider"]))
        self.claim = unused(rng, "C", 100000, used)
        self.fixed: dict[str, str] = {k: own[k] for k in keys if k in own} | {"claim": self.claim}
        self.fixed["cond_name"] = own["cond"]
        # Marks, since only the finished text shows which mention is the first: see `settle`.
        self.fixed |= {k: self.mark(n) for n, k in enumerate(("svc", "cond", "prov"))}
        self.fixed["plan"] = pick(rng, names["plan"])
        self.fixed["record"] = pick(rng, names["record_es" if self.spanish else "record"])
        self.fixed["member"] = unused(rng, "M", 10000, used)
        self.fixed["amt"] = f"${rng.randrange(*service['usd']):,}.{rng.randrange(100):02d}"
        dos = date(2026, 1, 5) + timedelta(days=rng.randrange(170))
        for name, (low, high) in DAYS.items():
            day = dos + timedelta(days=rng.randrange(low, high))
            self.fixed[name] = self.day(day)
            self.fixed[f"{name}_short"] = self.day(day, short=True)

    def mark(self, number: int) -> str:
        return f"\ue000{self.claim}/{number}\ue001"

    def day(self, day: date, *, short: bool = False) -> str:
        if self.spanish:
            year = "" if short else f" de {day.year}"
            return f"{day.day} de {MONTHS_ES[day.month - 1]}{year}"
        if self.register == "terse":
            return f"{day:%m/%d/%y}"
        return f"{day:%B} {day.day}" + ("" if short else f", {day.year}")

    def number(self, slot: str) -> str | None:
        """A number drawn afresh at each use, so that two clauses of a text do not share one by accident."""
        draw = self.rng.randrange
        match slot:
            case "visits" | "visits_same":
                self.fixed["visits_same"] = pick(self.rng, LIMITS)
                return self.fixed["visits_same"]
            case "few":
                return str(draw(6, 11))
            case "miles":
                return str(draw(10, 45))
            case "auth":
                return f"A-{draw(10000, 100000)}"
            case "code":
                return f"{pick(self.rng, 'QRXZ')}{draw(10, 100)}"
            case "sec":
                return f"{draw(3, 12)}.{draw(1, 9)}"
            case "pol":
                return f"TP-{draw(100, 400)}"
        return None

    def fill(self, phrase: str, **extra: str) -> str:
        """The phrase with its choices made and its slots filled; unknown slots raise KeyError."""
        phrase = re.sub(r"\[([^]]*\|[^]]*)\]", lambda m: pick(self.rng, m[1].split("|")), phrase)
        known = {**self.fixed, **extra}

        def value(m: re.Match[str]) -> str:
            slot = m[1]
            if slot == "visits_same":
                return self.fixed[slot]
            fresh = None if slot in known and slot != "visits" else self.number(slot)
            return known[slot] if fresh is None else fresh

        return re.sub(r"\{(\w+)\}", value, phrase)

    def settle(self, text: str) -> str:
        """The text with names for the first mention of service, condition and provider, often words for later ones."""
        named: set[int] = set()

        def value(m: re.Match[str]) -> str:
            number = int(m[1])
            later = number in named and self.rng.random() < 0.75
            named.add(number)
            words = pick(self.rng, self.again[number]) if later else self.names[number]
            before = text[: m.start()]
            starts = not before or before.endswith((". ", "? ", "! ", "“", "\n"))
            return sentence(words) if starts else words

        text = re.sub(f"\ue000{self.claim}/(\\d)\ue001", value, text)
        if not self.spanish:
            return text
        return re.sub(r"\b([Dd])e el\b", r"\1el", re.sub(r"\b([Aa]) el\b", r"\1l", text))


def unused(rng: random.Random, letter: str, low: int, used: set[str]) -> str:
    """A claim or member number that no other text has: one item, one unit."""
    while (number := f"{letter}-{rng.randrange(low, 10 * low)}") in used:
        pass
    used.add(number)
    return number


def pick(rng: random.Random, cards: Sequence[T]) -> T:
    return cards[rng.randrange(len(cards))]


def sentence(text: str) -> str:
    return text[0].upper() + text[1:]


class Writer:
    """Writes one text after another; every list of phrases is a deck, so that all are used about equally often."""

    def __init__(self, seed: int, kept: list[str]) -> None:
        """`kept`: texts that no new one may resemble or share a number with."""
        self.rng = random.Random(seed)
        self.kept = list(kept)
        self.used = {number for text in kept for number in re.findall(r"\b[CM]-\d+", text)}
        with Path(__file__).with_name("denial_reasons_phrases.toml").open("rb") as f:
            self.phrases = tomllib.load(f)
        self.decks: dict[tuple[str, ...], Deck[str]] = {}

    def deal(self, *path: str) -> str:
        if path not in self.decks:
            cards: Any = self.phrases
            for key in path:
                cards = cards[key]
            self.decks[path] = Deck(cards, self.rng)
        return self.decks[path].deal()

    def reason(self, label: str, facts: Facts, *, alone: bool = True) -> str:
        """A clause that states the reason `label` and fits the service; not `alone`: a mere remark beside it."""
        fits = {"course": facts.course, "item": not facts.course, "device": facts.device}
        fits["final"] = alone
        while True:
            kind, _, clause = self.deal("reason", facts.register, label).partition(": ")
            if fits.get(kind, True):
                return facts.fill(
                    clause if kind in fits else f"{kind}: {clause}" if clause else kind
                )

    def met(self, label: str, facts: Facts) -> str:
        while True:
            kind, colon, text = self.deal("met", facts.register, label).partition("course: ")
            if not colon:
                return sentence(facts.fill(kind))
            if facts.course:
                return sentence(facts.fill(text))

    def others(self, label: str, mode: str) -> list[str]:
        """The other classes in random order, without those that would contradict `label` as background."""
        barred = UNCLINICAL.get(label, set()) if mode in ("withdrawn", "noted", "double") else set()
        if label == NMN and mode == "withdrawn":
            barred = set()  # the records came late: a frequent story
        rest = [c for c in CLASSES if c != label and c not in barred]
        self.rng.shuffle(rest)
        return rest

    def story(self, label: str, mode: str, facts: Facts) -> tuple[list[str], set[str]]:
        """The sentences that matter, in order, and the tags that they earn."""
        rng, register = self.rng, facts.register
        others = self.others(label, mode)
        clear = [c for c in others[1:] if not (label == DOC and c == NMN)]

        def carry(frame: str, clause: str, slot: str) -> str:
            return sentence(facts.fill(self.deal(frame, register), **{slot: clause}))

        decides = carry("decides", self.reason(label, facts), "X")
        extra = [self.met(clear[0], facts)] if rng.random() < 0.5 else []
        tags = {"negation"} if extra else set()
        detail = facts.fill(self.deal("detail", register, label))
        if mode == "simple":
            return [decides, detail], set()
        if rng.random() < 0.25:
            decides = f"{decides} {detail}"
        if mode == "plain":
            first = next(c for c in others if not (label == DOC and c == NMN))
            lines = [self.met(first, facts), *(extra if clear[0] != first else [])]
            lines.insert(rng.randrange(len(lines) + 1), decides)
            return lines, {"negation"}
        if mode == "negated":
            first = next(c for c in others if not (label == DOC and c == NMN))
            topic = self.phrases["topic"][first]
            if facts.spanish:
                opener = f"No es {topic[2]}."
            elif register == "spoken":
                opener = f"It isn't {topic[1]}."
            else:
                opener = f"This is not {topic[0]} denial."
            return [opener, self.met(first, facts), decides], {"negation"}
        if mode == "conflict":
            table = "legend_es" if facts.spanish else "legend"
            line = facts.fill(
                self.deal("conflict", register),
                X=self.reason(label, facts),
                legend=self.deal(table, others[0]),
            )
            return [line, *extra], tags | {"conflict"}
        background = self.reason(others[0], facts, alone=mode in ("withdrawn", "alleged"))
        if mode == "alleged":
            return [carry("alleged", background, "Y"), decides, *extra], {"negation"}
        if mode == "withdrawn":
            return [carry("withdrawn", background, "Y"), *extra, decides], {
                "negation",
                "multi_reason",
            }
        noted = carry("noted", background, "Y")
        if mode == "double":
            earlier = carry("withdrawn", self.reason(others[1], facts), "Y")
            return [earlier, decides, noted], {"negation", "multi_reason"}
        return ([decides, noted] if rng.random() < 0.6 else [noted, decides]) + extra, tags | {
            "multi_reason"
        }

    def look_alike(self, label: str, facts: Facts) -> list[str]:
        """Two claims or two members in one text; a sentence says which of them is meant."""
        register = "es" if facts.spanish else "terse" if facts.register == "terse" else "formal"
        facts.register = register
        other = Facts(self.rng, self.phrases, register, self.used)
        while other.names[0] == facts.names[0]:
            other = Facts(self.rng, self.phrases, register, self.used)
        both = {f"other_{k}": other.fixed[k] for k in ("claim", "member", "svc")}
        frame = self.deal("look_alike", register)
        x = self.reason(label, facts)
        y = self.reason(self.others(label, "look_alike")[0], other)
        prefix = "es_" if facts.spanish else ""
        ask = self.deal("ask", prefix + ("member" if "other_member" in frame else "claim"))
        body = sentence(facts.fill(frame, X=x, Y=y, **both))
        opening = facts.fill(self.deal("look_alike", prefix + "open"))
        parts = [opening, body, facts.fill(ask)]
        if self.rng.random() < 0.3:
            parts = [opening, facts.fill(ask), body]
        closing = {"es": "es_letter", "terse": "note", "formal": "email"}[register]
        parts.append(facts.fill(self.deal("close", closing)))
        return [other.settle(part) for part in parts]

    def call(self, label: str, mode: str, facts: Facts, lines: list[str]) -> list[str]:
        es = "es_" if facts.spanish else ""
        caller, agent = ("Afiliada", "Agente") if es else ("Caller", "Agent")

        def say(part: str, **extra: str) -> str:
            return sentence(facts.fill(self.deal("call", es + part), **extra))

        turns = [f"{caller}: {say('caller_open')}", f"{agent}: {say('agent_open')}"]
        if mode in ("plain", "negated", "withdrawn", "double") and self.rng.random() < 0.7:
            wrong = pick(self.rng, [c for c in CLASSES if c != label])
            guess = say("caller_guess", about=self.phrases["about"][wrong][1 if es else 0])
            turns += [f"{caller}: {guess}", f"{agent}: {say('agent_bridge')} {' '.join(lines)}"]
        else:
            turns[-1] += " " + " ".join(lines)
        turns += [f"{caller}: {say('caller_close')}", f"{agent}: {say('agent_close')}"]
        return turns

    def text(self, label: str, kind: str, mode: str, *, inject: bool) -> tuple[str, set[str]]:
        """One text of the document `kind` whose reason is `label`, and its tags."""
        register = (DOCUMENTS | SPANISH)[kind][0]
        if mode == "alleged" and (register == "terse" or kind == "appeal"):
            mode = "noted"  # notes do not argue with the reader, nor does a letter that is being quoted
        facts = Facts(self.rng, self.phrases, register, self.used)
        if mode == "look_alike":
            parts, tags = self.look_alike(label, facts), {"look_alike"}
        else:
            lines, tags = self.story(label, mode, facts)
            if kind.endswith("call"):
                parts = self.call(label, mode, facts, lines)
            else:
                if kind == "appeal":
                    lines = ["Your letter reads: “" + " ".join(lines) + "”"]
                opening = sentence(facts.fill(self.deal("open", kind)))
                parts = [opening, *lines, sentence(facts.fill(self.deal("close", kind)))]
        if inject:
            wrong = pick(self.rng, [c for c in CLASSES if c != label])
            line = self.deal("injection", "es" if facts.spanish else "en")
            parts.insert(self.rng.randrange(1, len(parts) + 1), line.replace("{WRONG}", wrong))
            tags.add("injection")
        if kind in ("note", "remit"):
            tags.add("abbreviation")
        if facts.spanish:
            tags.add("spanish")
        is_call = kind.endswith("call") and mode != "look_alike"
        return facts.settle(("\n" if is_call else " ").join(parts)), tags

    def items(self) -> list[dict[str, Any]]:
        """The generated items in random order, without ids."""
        made = []
        for label, count in GENERATED.items():
            spanish = [k for k, (_, n) in SPANISH.items() for _ in range(n)]
            english = Deck([k for k, (_, n) in DOCUMENTS.items() for _ in range(n)], self.rng)
            modes = Deck([m for m, n in MODES.items() for _ in range(n)], self.rng)
            kinds = spanish + [english.deal() for _ in range(count - len(spanish))]
            self.rng.shuffle(kinds)
            for number, kind in enumerate(kinds):
                mode = modes.deal()
                while True:
                    text, tags = self.text(label, kind, mode, inject=number < INJECTED_PER_CLASS)
                    fits = SHORTEST <= words(text) <= LONGEST
                    if fits and not too_similar(text, self.kept, ALIKE):
                        break
                self.kept.append(text)
                made.append(
                    {
                        "input": {"text": text},
                        "expected": label,
                        "tags": sorted(tags | {"generated"}),
                    }
                )
        self.rng.shuffle(made)
        return made


def build(seed: int = SEED) -> list[dict[str, Any]]:
    """All gold items: the hand-written ones in their order, then the generated ones."""
    written = [
        {
            "input": r["input"],
            "expected": r["expected"],
            "tags": sorted({*r["tags"], "handwritten"}),
        }
        for r in read_jsonl(HANDWRITTEN)
    ]
    rows = written + Writer(seed, [r["input"]["text"] for r in written]).items()
    return [
        {
            "id": f"dr-{n:04d}",
            "input": row["input"],
            "expected": row["expected"],
            "unit": f"case-{n:04d}",
            "tags": row["tags"],
        }
        for n, row in enumerate(rows, start=1)
    ]


def starter_subset(items: Sequence[dict[str, Any]], n: int = 60) -> list[dict[str, Any]]:
    """`n` items in the gold set's order, equally many of each class, every tag of a class represented where possible.

    Raises ValueError unless `n` is a multiple of the number of classes and small enough.
    """
    if n % len(CLASSES):
        raise ValueError(f"found n = {n}, expected a multiple of {len(CLASSES)}.")
    chosen = [
        item["id"]
        for label in CLASSES
        for item in balanced_subset(
            [i for i in items if i["expected"] == label], n // len(CLASSES), seed=SEED, at_least=1
        )
    ]
    return [item for item in items if item["id"] in set(chosen)]


if __name__ == "__main__":
    OUT.write_text(jsonl(build()), encoding="utf-8")
