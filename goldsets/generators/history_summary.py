"""Writes goldsets/history_summary.jsonl: `python goldsets/generators/history_summary.py`.

The gold set is the hand-written items (goldsets/handwritten/history_summary.jsonl, in their order) followed by generated
ones. A generated history is a main story (history_summary_mains.toml) told in dated notes, crossed by two or three threads
(history_summary_threads.toml), each with one thing that a summary must get right and a trap, among notes of no weight
(history_summary_fillers.toml). Story and threads bring their own sentences of the reference summary, the facts that a
summary must state and the statements it must not make, filled with the same dates and doses as the notes. Requests that
must be declined stand in history_summary_refusals.toml. The same seed gives the same bytes.
"""

from __future__ import annotations

import random
import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from common import Deck, balanced_subset, jsonl, read_jsonl, too_similar, with_judged, words

GOLDSETS = Path(__file__).parents[1]
SEED = 20261123
OUT = GOLDSETS / "history_summary.jsonl"
HANDWRITTEN = GOLDSETS / "handwritten" / "history_summary.jsonl"

# Items by length of the history in words. The longest fill an 8k context: about 7,000 tokens of SmolLM2.
LENGTHS = {(250, 600): 71, (600, 1200): 40, (1200, 2500): 12, (4150, 4350): 5}
REFERENCE = (35, 165)  # words of a reference summary
FACTS = (6, 12)
SHORT = 113  # pieces of a reference that surely fits into 120 tokens
ALIKE = 0.80  # redraw a history that is more similar than this to one already kept
SPANISH, TERSE = 0.22, 0.22  # shares of records with Spanish notes, with chart shorthand

MONTHS = "January February March April May June July August September October November December"
SHORTHAND = {
    "three times a day": "TID",
    "twice a day": "BID",
    "once a day": "qd",
    "at bedtime": "qHS",
    "every morning": "qAM",
    "without": "w/o",
    "with": "w/",
    "blood pressure": "BP",
    "because of": "2/2",
    "prescribed": "Rx'd",
    "history": "hx",
    "started": "st'd",
}
# What wrongly says that somebody takes a drug now, or has a condition. Past tenses ("was taking") are no mistake.
TAKES = (
    *(
        "takes",
        "is taking",
        "still taking",
        "currently taking",
        "now taking",
        "is on",
        "remains on",
    ),
    *("continues", "continues on", "currently on", "maintained on", "now on"),
)
HAS = ("has", "was diagnosed with", "is diagnosed with")


class RedrawError(Exception):
    """What was drawn does not go together."""


def load(name: str) -> dict[str, Any]:
    path = Path(__file__).parent / f"history_summary_{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def capital(text: str) -> str:
    """The text with a capital first letter, unless its first word has capitals of its own (eGFR)."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.islower() else text


def written(day: date, form: str) -> str:
    if form == "us":
        return f"{day:%m/%d/%Y}"
    return f"{MONTHS.split()[day.month - 1]} {day.day}, {day.year}" if form == "long" else f"{day}"


def weekday(day: date) -> date:
    """The day itself, or the Friday before a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))


class Member:
    """One fictional member: slots of the texts, and the random choices made while filling them."""

    def __init__(self, rng: random.Random, world: dict[str, Any], story: dict[str, Any]) -> None:
        self.rng = rng
        self.world = world
        self.today = weekday(date(2025, 10, 1) + timedelta(days=rng.randrange(365)))
        self.form = rng.choice(["iso", "us", "long"])
        self.head = rng.choice(sorted(world["heads"]))
        self.spanish = rng.random() < SPANISH
        self.terse = not self.spanish and rng.random() < TERSE
        sex = story.get("sex") or rng.choice("fm")
        self.sex, self.age = sex, rng.randrange(*story["age"])
        he = ("she", "her", "her") if sex == "f" else ("he", "his", "him")
        first_f, first_m, family = rng.choice(world["names"])
        self.first, self.family = first_f if sex == "f" else first_m, family
        doctors = rng.sample(world["clinicians"], 3)
        birthday = date(self.today.year - self.age, 1, 1) + timedelta(days=rng.randrange(250))
        if (birthday.month, birthday.day) > (self.today.month, self.today.day):
            birthday = birthday.replace(year=birthday.year - 1)
        self.slots: dict[str, Any] = {
            "he": he[0],
            "pr": he[0],
            "his": he[1],
            "him": he[2],
            "himself": f"{he[2]}self",
            "sexword": "woman" if sex == "f" else "man",
            "sex": "female" if sex == "f" else "male",
            "age": str(self.age),
            "dob": birthday,
            "full": f"{self.first} {family}",
            "title": f"{'Ms.' if sex == 'f' else 'Mr.'} {family}",
            "mid": f"{rng.choice('HKTW')}{rng.randrange(10**6, 10**7)}",
            "pcp": f"Dr. {doctors[0]}",
            "spec": f"Dr. {doctors[1]}",
            "other": f"Dr. {doctors[2]}",
            "hospital": rng.choice(world["hospitals"]),
            "practice": rng.choice(world["practices"]),
            "pharmacy": rng.choice(world["pharmacies"]),
            "due": weekday(self.today + timedelta(days=rng.randrange(8, 30))),
            "denied": weekday(self.today - timedelta(days=rng.randrange(12, 25))),
        }

    def fill(self, text: str, slots: dict[str, Any], form: str | None = None) -> str:
        """The text with its choices made and its slots filled; {Slot} capitalises. Raises KeyError for unknown slots."""
        known = {**self.slots, **slots}
        text = re.sub(r"\[([^\[\]]*\|[^\[\]]*)\]", self._choice, text)
        text = re.sub(r"<(\d+)-(\d+)>", lambda m: str(self.rng.randint(int(m[1]), int(m[2]))), text)

        def value(m: re.Match[str]) -> str:
            lower = m[1][0].lower() + m[1][1:]
            found = known[m[1]] if m[1] in known else known[lower]
            if isinstance(found, date):
                return written(found, form or self.form)
            return found if m[1] == lower else capital(found)

        while (filled := re.sub(r"\{(\w+)\}", value, text)) != text:
            text = filled
        return text

    def prose(self, text: str, slots: dict[str, Any], form: str | None = None) -> str:
        """`fill`, with a capital at the start of every sentence."""
        text = self.fill(text, slots, form)
        return re.sub(r"(?:^|(?<=[.?!] ))[a-z]+(?= )", lambda m: capital(m[0]), text)

    def _choice(self, m: re.Match[str]) -> str:
        return self.rng.choice(m[1].split("|"))

    def document(self, day: date, doc: str, text: str) -> str:
        """One dated document of the record."""
        kind, role = self.rng.choice(self.world["kinds"][doc])
        by = {
            **{who: self.slots[who] for who in ("pcp", "spec", "other", "hospital", "pharmacy")},
            "lab": f"{self.slots['hospital']} laboratory",
            "nurse": self.rng.choice(self.world["nurses"]),
            "therapist": self.rng.choice(self.world["therapists"]),
            "plan": "health plan",
            "self": self.slots["full"],
        }[role]
        if doc == "visit" and self.rng.random() < 0.5:
            text = f"{self.prose(self.rng.choice(self.world['vitals']['text']), {})} {text}"
        if self.terse:
            for long, short in SHORTHAND.items():
                text = re.sub(rf"\b{long}\b", short, text)
        slots = {"date": day, "kind": kind, "by": by, "KIND": kind.upper(), "Kind": capital(kind)}
        head = self.fill(self.world["heads"][self.head], slots)
        return f"{head}\n{text}"


def fact(text: str) -> list[list[str]]:
    """A fact of the contract: "a|b & c" is [["a", "b"], ["c"]]."""
    return [[w.strip() for w in group.split("|")] for group in text.split(" & ")]


class Tale:
    """A member's history while it is put together: documents, and what a summary has to say about them."""

    def __init__(self, member: Member) -> None:
        self.m = member
        self.documents: list[tuple[date, str]] = []
        self.sentences: list[str] = []
        self.facts: list[list[list[str]]] = []
        self.critical: list[list[list[str]]] = []
        self.never: list[list[list[str]]] = []
        self.form = member.rng.choice(["iso", "us", "long"])

    def events(self, part: dict[str, Any], slots: dict[str, Any]) -> dict[str, Any]:
        """Dates the events of a story or thread and writes them down; the slots with {d1}, {d2}, ... added."""
        rng = self.m.rng
        days = []
        shift = rng.randint(0, part.get("jitter", 0))
        for event in part["event"]:
            early, late = event["at"]
            ago = shift + rng.randint(late, early)
            days.append(weekday(self.m.today - timedelta(days=ago)))
        if days != sorted(days) or len(set(days)) < len(days):
            raise RedrawError
        slots = {**slots, **{f"d{n}": day for n, day in enumerate(days, 1)}}
        if len(days) > 1:
            slots["due2"] = weekday(days[1] + timedelta(days=35))
        for event, day in zip(part["event"], days, strict=True):
            texts = event.get("es", []) if self.m.spanish else []
            text = self.m.prose(rng.choice(texts or event["text"]), slots)
            self.documents.append((day, self.m.document(day, event["doc"], text)))
        return slots

    def tell(self, part: dict[str, Any], slots: dict[str, Any]) -> None:
        """What the reference says of it, and the facts."""
        fill = self.m.fill
        self.sentences.append(self.m.prose(self.m.rng.choice(part["ref"]), slots, self.form))
        for text in part["facts"]:
            one = fact(fill(text.removeprefix("! "), slots, "iso"))
            self.facts.append(one)
            if text.startswith("! "):
                self.critical.append(one)
        for text in part.get("never", []):
            self.never += [[wordings] for wordings in self.wrong(fill(text, slots, "iso"))]

    def wrong(self, text: str) -> Iterator[list[str]]:
        """The wordings of a false statement, macros spelt out."""
        macro, _, what = text.partition(":")
        if macro.lower() == "takes":
            yield [f"{verb} {what}" for verb in TAKES]
        elif macro.lower() == "has":
            who = ("patient", "member", self.m.slots["he"], self.m.family)
            yield [f"{subject} {verb} {what}" for subject in who for verb in HAS]
        else:
            yield text.split("|")


class Writer:
    """Deals stories, threads, purposes and fillers so that all are used about equally often."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.world, self.fillers = load("world"), load("fillers")["filler"]
        self.stories = Deck(load("mains")["main"], rng)
        self.rows = {
            thread["kind"]: Deck(
                [{**thread, **row, "use": use(thread, row)} for row in thread["row"]], rng
            )
            for thread in load("threads")["thread"]
        }
        self.kinds = Deck(sorted(self.rows), rng)
        self.barriers = Deck(self.world["barrier"], rng)

    def thread(self, member: Member, taken: set[str], kind: str | None = None) -> dict[str, Any]:
        """A thread that fits the member and touches nothing that is taken. Raises RedrawError."""
        for _ in range(12):
            row = self.rows[kind or self.kinds.deal()].deal()
            low, high = row.get("age", (0, 120))
            fits = row.get("sex", member.sex) == member.sex and low <= member.age <= high
            if fits and not taken & {*row["use"], row["kind"]}:
                return row
        raise RedrawError

    def slots(self, story: dict[str, Any]) -> dict[str, Any]:
        """The slots of a main story, and those that its purpose needs."""
        rng, choices = self.rng, self.world["choices"]
        slots: dict[str, Any] = {"cond": story["cond"]}
        for name, cards in story.get("pick", {}).items():
            for number, value in enumerate(rng.choice(cards).split(" | "), 1):
                slots[name if number == 1 else f"{name}{number}"] = value
        if "svc" in story:
            named = ("svc", "svc_key", "amount", "amount_key")
            slots |= dict(zip(named, rng.choice(story["svc"]).split(" | "), strict=True))
        barrier = self.barriers.deal()
        limits = "limit_mind" if story.get("limits") == "mind" else "limit"
        limit, limit_key = rng.choice(choices[limits]).split("/", 1)
        slots |= {"barrier": barrier["barrier"], "barrier_key": barrier["key"]}
        slots |= {"limit": limit, "limit_key": limit_key}
        return slots | {k: rng.choice(choices[k]) for k in ("when", "job", "ground")}

    def tale(
        self, threads: list[str | None], size: tuple[int, int]
    ) -> tuple[Tale, str, set[str], dict[str, Any]]:
        """A history with its summary: (tale, purpose, tags, slots). Raises RedrawError."""
        story = self.stories.deal()
        m = Member(self.rng, self.world, story)
        tale, slots = Tale(m), self.slots(story)
        slots = tale.events(story, slots)
        onset = max(slots["d1"], m.today - timedelta(days=100))
        slots["lastday"] = weekday(onset + timedelta(days=self.rng.randrange(1, 3)))
        opening = m.fill("{age}-year-old {sexword} with {cond}.", slots, tale.form)
        tale.sentences.append(opening)
        tale.tell(story, slots)
        tags, taken = set(story.get("tags", [])), set(story["use"])
        purpose = self.rng.choice(story["purpose"])
        self.purpose(tale, purpose, slots)
        for kind in threads:
            row = self.thread(m, taken, kind)
            taken |= {*row["use"], row["kind"]}
            own = {k: v for k, v in row.items() if isinstance(v, str)} | {"other": m.slots["other"]}
            own = tale.events(row, own)
            tale.tell(row, own)
            tags |= set(row["tags"])
            slots = {**own, **slots, f"cond_{row['kind']}": own.get("cond", "")}
        slots["record"] = self.record(tale, slots, taken, size)
        tags |= {"spanish"} if m.spanish else set()
        tags |= {"abbreviation"} if m.terse else set()
        return tale, purpose, tags, slots

    def purpose(self, tale: Tale, name: str, slots: dict[str, Any]) -> None:
        """The note that says why a summary is wanted, and its facts."""
        own = self.world["purpose"][name]
        early, late = own["at"]
        day = weekday(tale.m.today - timedelta(days=self.rng.randint(late, early)))
        if name == "appeal":
            day = max(day, tale.m.slots["denied"])
        text = tale.m.prose(self.rng.choice(own["text"]), slots)
        tale.documents.append((day, tale.m.document(day, own["doc"], text)))
        tale.tell(own, slots)

    def record(
        self, tale: Tale, slots: dict[str, Any], taken: set[str], size: tuple[int, int]
    ) -> str:
        """The whole record in order of date, filled up with notes of no weight to a length drawn from `size`."""
        m, rng = tale.m, self.rng
        top = m.fill(rng.choice(sorted(self.world["tops"].values())), slots)
        top += "\n" + m.fill(
            "[Main problem on file|Reason the record was pulled|Lead problem]: {cond}.", slots
        )
        goal = rng.randrange(*size)
        length = words(top) + sum(words(text) for _, text in tale.documents)
        if length > size[1]:
            raise RedrawError
        fitting = [f for f in self.fillers if not taken & set(f.get("use", []))]
        if size[1] <= 1200:
            deck = Deck([f for f in fitting if "long" not in f], rng)
        else:  # a part of them, so that the longest records do not consist of the same notes
            deck = Deck(rng.sample(fitting, 3 * len(fitting) // 5), rng)
        told: set[str] = set()
        span = 500 if size[1] <= 1200 else 1500
        while length < goal:
            filler = deck.deal()
            day = weekday(m.today - timedelta(days=rng.randint(5, span)))
            text = m.prose(filler["text"], slots)
            if text in told:
                continue
            told.add(text)
            document = m.document(day, filler["doc"], text)
            tale.documents.append((day, document))
            length += words(document)
        ordered = sorted(tale.documents, key=lambda d: d[0])
        return "\n\n".join([top, *(text for _, text in ordered)])

    def summary(self, size: tuple[int, int]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """Input, expected and tags of a legitimate request. Raises RedrawError."""
        wanted = self.rng.choice([2, 2, 3]) if size[1] <= 600 else self.rng.choice([3, 3, 4])
        tale, purpose, tags, slots = self.tale([None] * wanted, size)
        request = tale.m.prose(self.rng.choice(self.world["purpose"][purpose]["request"]), slots)
        reference = " ".join(tale.sentences)
        low, high = REFERENCE
        if not (low <= words(reference) <= high and FACTS[0] <= len(tale.facts) <= FACTS[1]):
            raise RedrawError
        if not tale.critical:
            raise RedrawError
        length = words(slots["record"])
        tags |= {"long_context"} if length >= 4000 else {"long"} if length >= 1200 else set()
        expected = {
            "reference": reference,
            "facts": tale.facts,
            "critical": tale.critical,
            "must_not": tale.never,
        }
        given = {"history": slots["record"], "request": request}
        return given, expected, [*sorted(tags), "legitimate"]

    def refusal(self, card: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """Input, expected and tags of a request that must be declined. Raises RedrawError."""
        tale, purpose, _, slots = self.tale(card["threads"], (150, 230))
        if purpose not in card.get("purpose", [purpose]):
            raise RedrawError
        given = {"history": slots["record"], "request": tale.m.prose(card["request"], slots)}
        reference = tale.m.prose(card["reference"], slots, tale.form)
        expected = {"reference": reference, "facts": [], "critical": [], "must_not": []}
        return given, expected, ["must_refuse"]


def use(thread: dict[str, Any], row: dict[str, Any]) -> list[str]:
    return [*thread.get("use", []), *row.get("use", [])]


def handwritten() -> Iterator[dict[str, Any]]:
    """The hand-written items: their facts are written like those of the tables."""
    for row in read_jsonl(HANDWRITTEN):
        facts = [fact(text.removeprefix("! ")) for text in row["facts"]]
        critical = [fact(text[2:]) for text in row["facts"] if text.startswith("! ")]
        expected = {
            "reference": row["reference"],
            "facts": facts,
            "critical": critical,
            "must_not": [[text.split("|")] for text in row["never"]],
        }
        given = {"history": row["history"], "request": row["request"]}
        yield {"input": given, "expected": expected, "tags": [*row["tags"], "handwritten"]}


def build(seed: int = SEED) -> list[dict[str, Any]]:
    """All items: hand-written first, then generated. Depends on the files read and the seed."""
    made = list(handwritten())
    kept = [m["input"]["history"] for m in made]
    writer = Writer(random.Random(seed))
    for size, count in LENGTHS.items():
        made += [draw(partial(writer.summary, size), kept) for _ in range(count)]
    made += [draw(partial(writer.refusal, card), kept) for card in load("refusals")["refusal"]]
    rows = [
        {
            "id": f"hs-{number:04}",
            "input": m["input"],
            "expected": m["expected"],
            "unit": f"member-{number:04}",
            "tags": m["tags"],
        }
        for number, m in enumerate(made, 1)
    ]
    return with_judged(rows, seed=seed)


def draw(make: Any, kept: list[str]) -> dict[str, Any]:
    """One generated item whose history resembles none of `kept`, which grows by it."""
    while True:
        try:
            given, expected, tags = make()
        except RedrawError:
            continue
        if not too_similar(given["history"], kept, ALIKE):
            kept.append(given["history"])
            return {"input": given, "expected": expected, "tags": [*tags, "generated"]}


def starter_subset(items: list[dict[str, Any]], n: int = 20) -> list[dict[str, Any]]:
    """`n` items for the starter, three in ten of them to be declined, in the gold set's order.

    Only records that make less than 300 words with their request, and references that fit into 120 tokens.
    """
    short = [
        i
        for i in items
        if words(f"{i['input']['history']} {i['input']['request']}") < 300
        and pieces(i["expected"]["reference"]) <= SHORT
    ]
    refused = 3 * n // 10
    chosen: list[dict[str, Any]] = []
    for tag, size in (("legitimate", n - refused), ("must_refuse", refused)):
        chosen += balanced_subset([i for i in short if tag in i["tags"]], size, seed=SEED)
    return sorted(chosen, key=lambda i: i["id"])


def pieces(text: str) -> int:
    """Digits, marks and parts of words of a text: close to its tokens where each digit is a token (SmolLM2)."""
    return len(re.findall(r"[^\W\d_]{1,6}|\d|[^\w\s]", text))


if __name__ == "__main__":
    OUT.write_text(jsonl(build()), encoding="utf-8")
