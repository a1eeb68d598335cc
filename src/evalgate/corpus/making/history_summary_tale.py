"""One made history while it is put together: its people, its dated notes, and what a summary has to say of them."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from typing import Any

from evalgate.corpus.making import telling
from evalgate.corpus.making.common import (
    facility,
    member_numbers,
    person,
    pick,
    table,
    weighted,
    workday,
)
from evalgate.corpus.making.telling import FORMS, ISO, Fact, RedrawError, Slots, drawn, fact, parts

REGISTERS = {"plain": 66, "terse": 18, "spanish": 13, "capitals": 3}
SIZES = {  # words of a record, by its class of length
    "brief": (90, 240),
    "usual": (240, 560),
    "long": (560, 1150),
    "very long": (1150, 2300),
    "longest": (3200, 4000),
}
_FIRST, _LAST = date(2021, 2, 1), date(2025, 6, 30)
_TRIES = 30


class Tale:
    """One history while it is put together: its notes, and what a summary has to say of them."""

    def __init__(self, rng: random.Random, story: dict[str, Any]) -> None:
        self.rng, self.story = rng, story
        self.frames = table("history_summary_frames")
        self.register = weighted(rng, REGISTERS)
        self.heads = pick(rng, list(self.frames["heads"]))
        self.top = pick(rng, list(self.frames["tops"]))
        self.form, self.answer_form = pick(rng, FORMS), pick(rng, FORMS)
        days = (_LAST - _FIRST).days
        self.today = workday(_FIRST + timedelta(days=int(rng.random() * days)))
        self.slots: dict[str, str | date] = dict(self._people())
        self.notes: list[tuple[date, str]] = []
        self.said: list[str] = []
        self.facts: list[Fact] = []
        self.critical: list[Fact] = []
        self.never: list[Fact] = []
        self.faults: list[str] = []
        self.taken: set[str] = set(story["use"])
        self.threads: list[str] = []
        self.story_slots = self._told_story()
        self.thread_slots: Slots = {}

    def _told_story(self) -> Slots:
        """Tells the main story; its slots, the service that it leads to among them."""
        rng, story = self.rng, self.story
        own = drawn(rng, story.get("pick", {}))
        # a value may hold slots of its own ("deroofing in the {where}")
        named = ("svc", "svck", "amount", "amountk")
        service = telling.fill(rng, pick(rng, story["svc"]), own)
        own |= dict(zip(named, service.split(" | "), strict=True))
        own["cond"] = telling.fill(rng, story["cond"], own)
        return self.tell(story, own)

    def thread(self, kind: str = "") -> None:
        """Crosses the story with one more thread, of `kind` if that is given. Raises RedrawError if none fits."""
        threads = table("history_summary_threads")["thread"]
        fitting = [
            t for t in threads if t["kind"] == kind or (not kind and t["kind"] not in self.threads)
        ]
        for _ in range(_TRIES):
            thread = pick(self.rng, fitting)
            row = pick(self.rng, thread["row"])
            use = {*row["use"], thread["kind"]}
            if not self.taken & use and row.get("sex", self.sex) == self.sex:
                break
        else:
            raise RedrawError
        self.taken |= use
        self.threads.append(thread["kind"])
        own: dict[str, str] = {}
        for name, value in row.items():
            own |= parts(name, value) if isinstance(value, str) else {}
        own["he"], own["his"] = str(self.slots["he"]), str(self.slots["his"])
        self.thread_slots = self.tell(thread, own)

    def _people(self) -> dict[str, str | date]:
        rng = self.rng
        member = person(rng, sex=self.story.get("sex", ""))
        low, high = self.story["age"]
        age = low + int(rng.random() * (high - low))
        born = self.today - timedelta(days=int(365.25 * age) + 20 + int(rng.random() * 320))
        he = ("she", "her", "her") if member.sex == "f" else ("he", "his", "him")
        doctors = _distinct(rng, member.last, 3)
        self.people = (member.name, *doctors)
        self.sex = member.sex
        self.age = age
        twin = person(rng, sex=member.sex).first
        slots: dict[str, str | date] = {
            "he": he[0],
            "his": he[1],
            "him": he[2],
            "himself": f"{he[2]}self",
            "sexword": "woman" if member.sex == "f" else "man",
            "sex": "female" if member.sex == "f" else "male",
            "age": str(age),
            "dob": born,
            "full": member.name,
            "title": f"{'Ms.' if member.sex == 'f' else 'Mr.'} {member.last}",
            "twin": f"{twin if twin != member.first else 'Evadne'} {member.last}",
            "mid": member_numbers(rng)[0],
            "pcp": f"Dr. {doctors[0]}",
            "spec": f"Dr. {doctors[1]}",
            "specname": doctors[1],
            "other": f"Dr. {doctors[2]}",
            "nurse": self._helper("RN"),
            "therapist": self._helper("PT"),
            "desk": "front office",
            "plan": "health plan",
            "self": member.name,
            "year": str(self.today.year - 3 - int(rng.random() * 18)),
            "due": workday(self.today + timedelta(days=8 + int(rng.random() * 24))),
            "denied": workday(self.today - timedelta(days=18 + int(rng.random() * 12))),
            "lastday": workday(self.today - timedelta(days=45 + int(rng.random() * 60))),
        }
        kinds = {"hospital": "hospital", "practice": "clinic", "urgent": "urgent"}
        kinds |= {"radiology": "imaging", "pharmacy": "pharmacy"}
        self.places = {name: facility(rng, kind) for name, kind in kinds.items()}
        self.places["lab"] = f"{self.places['hospital']} laboratory"
        return slots | self.places

    def _helper(self, letters: str) -> str:
        who = person(self.rng)
        return f"{who.first[0]}. {who.last}, {letters}"

    def fill(self, phrase: str, own: Slots | None = None, form: str = "") -> str:
        return telling.fill(self.rng, phrase, {**self.slots, **(own or {})}, form or self.form)

    def prose(self, phrase: str, own: Slots | None = None, form: str = "") -> str:
        return telling.prose(self.rng, phrase, {**self.slots, **(own or {})}, form or self.form)

    def note(self, day: date, doc: str, said: str) -> None:
        """Writes one dated note down, headed as this record heads them."""
        kind, _, who = pick(self.rng, self.frames["kinds"][doc]).partition(" by ")
        if self.register == "terse":
            for long, short in self.frames["short_for"].items():
                said = said.replace(long, short)
        own = {"date": day, "kind": kind, "by": self.fill(f"{{{who}}}"), "KIND": kind.upper()}
        self.notes.append((day, self.fill(self.frames["heads"][self.heads], own) + said))

    def tell(self, part: dict[str, Any], own: Slots) -> dict[str, str | date]:
        """Dates and writes the notes of a story, a thread or a request; its slots, with {d1}, {d2}, ... for the days and {w12} for weeks."""
        days = [
            workday(self.today - timedelta(days=self.rng.randint(late, early)))
            for early, late in (note["ago"] for note in part["note"])
        ]
        if days != sorted(set(days)):
            raise RedrawError
        dated: dict[str, str | date] = {
            **own,
            **{f"d{n}": day for n, day in enumerate(days, 1)},
            **{f"w1{n}": str((day - days[0]).days // 7) for n, day in enumerate(days, 1)},
        }
        for note, day in zip(part["note"], days, strict=True):
            texts = note.get("es") if self.register == "spanish" else None
            self.note(day, note["doc"], self.prose(pick(self.rng, texts or note["text"]), dated))
        self.sum_up(part, dated)
        return dated

    def sum_up(self, part: dict[str, Any], own: Slots) -> None:
        """What the summary says of it, the facts, and what it must not say."""
        self.said.append(self.prose(pick(self.rng, part["ref"]), own, self.answer_form))
        for phrase in part["facts"]:
            one = fact(self.fill(phrase.removeprefix("! "), own, ISO))
            self.facts.append(one)
            if phrase.startswith("! "):
                self.critical.append(one)
        for phrase in part.get("wrong", []):
            kind, _, wordings = self.fill(phrase, own, ISO).partition(": ")
            self.never.append([wordings.split("|")])
            self.faults.append(kind)

    def asked_by(self, name: str) -> Slots:
        """The note that says why the summary is wanted, and its part of the summary; its slots and those of the story."""
        ask, lists = self.frames["ask"][name], self.frames["lists"]
        limits = "limit_mind" if self.story.get("limits") == "mind" else "limit"
        barrier, barrierk = pick(self.rng, lists["barrier"]).split(" | ")
        limit, limitk = pick(self.rng, lists[limits]).split(" | ")
        own = {
            **self.story_slots,
            "barrier": barrier,
            "barrierk": barrierk,
            "limit": limit,
            "limitk": limitk,
            **{key: pick(self.rng, lists[key]) for key in ("ground", "when", "job")},
        }
        return self.tell({**ask, "note": [ask]}, own)

    def pad(self, size: str) -> None:
        """Adds notes of no weight until the record has a length of the class `size`."""
        rng, taken = self.rng, self.taken
        least, most = SIZES[size]
        goal = least + rng.random() * (most - least)
        cards = table("history_summary_notes")
        fitting = [n for n in cards["note"] if not taken & set(n.get("use", []))]
        panels = [
            name for name in cards["panel"] if not taken.intersection(cards["panel_use"][name])
        ]
        span = 380 if most < 1200 else 1300
        length, told = self.words(), set[str]()
        while length < goal:
            if panels and most > 1200 and rng.random() < 0.35:
                doc, said = "lab", self._panel(cards["panel"][pick(rng, panels)])
            else:
                note = pick(rng, fitting)
                doc, said = note["doc"], self.prose(note["text"])
            if said in told:
                continue
            told.add(said)
            self.note(workday(self.today - timedelta(days=rng.randint(4, span))), doc, said)
            length += len(self.notes[-1][1].split())

    def _panel(self, rows: str) -> str:
        """Values drawn within the limits of "name: low-high unit; ..."."""

        def value(m: re.Match[str]) -> str:
            decimals = len(m[1].partition(".")[2])
            return f"{self.rng.uniform(float(m[1]), float(m[2])):.{decimals}f}"

        return re.sub(r"(\d[\d.]*)-(\d[\d.]*)", value, rows).capitalize() + "."

    def names(self) -> list[str]:
        """Every made-up name of the tale, whole and by its family name, and the member's number."""
        slots = self.slots
        helpers = [str(slots[name]) for name in ("nurse", "therapist")]
        families = [helper.split()[1].rstrip(",") for helper in helpers]
        member = [self.people[0], str(slots["title"]).partition(" ")[2], str(slots["twin"])]
        return [
            *member,
            *self.people[1:],
            *self.places.values(),
            str(slots["mid"]),
            *helpers,
            *families,
        ]

    def words(self) -> int:
        return sum(len(said.split()) for _, said in self.notes)

    def record(self, own: Slots, noise: str) -> str:
        """All notes in order of their days below the head of the record."""
        notes = [said for _, said in sorted(self.notes, key=lambda note: note[0])]
        marks = self.frames["noise"]
        if noise == "marks":
            for at in sorted(self.rng.sample(range(1, len(notes)), 1 + len(notes) // 9))[::-1]:
                notes.insert(at, self.fill(pick(self.rng, marks["mark"])))
        if noise == "injected":
            notes.insert(self.rng.randrange(1, len(notes)), pick(self.rng, marks["injected"]))
        top = self.fill(self.frames["tops"][self.top], own)
        whole = "\n\n".join([top[:1].upper() + top[1:], *notes])
        return whole.upper() if self.register == "capitals" else whole


def _distinct(rng: random.Random, taken: str, count: int) -> list[str]:
    """`count` family names, none of them `taken`."""
    found: list[str] = []
    while len(found) < count:
        name = person(rng).last
        if name != taken and name not in found:
            found.append(name)
    return found
