"""One made appeal case: its people and numbers, and how notice, file, request and letter tell it."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from evalgate.corpus.making import telling
from evalgate.corpus.making.common import (
    claim_number,
    facility,
    member_numbers,
    money,
    person,
    phone,
    pick,
    place_name,
    table,
)
from evalgate.corpus.making.telling import FORMS, ISO, Fact, drawn, fact

LABELS = {"pre": ("reference number", "número de referencia"), "post": ("claim", "reclamo")}
ASK = "overturn|reverse|reconsider|approve|approval|pay the claim|process it again"
ASK_ES = "revocar|revoquen|reconsideren|aprueben|aprobar|paguen"
SENT = "enclosed|enclosing|attached|attaching"
SENT_ES = "adjunto|adjuntos|adjunta"
MARKED = "to be completed|por completar"
EXPEDITED = "expedited|expedite"
BARRED = (  # in no made letter: promises, threats, law that nobody cited
    "guarantee|guaranteed|guarantees|will be cured|will cure|garantizo",
    "lawsuit|sue|lawyer|attorney|legal action|abogado",
    "ERISA|Affordable Care Act|CFR|HIPAA|bad faith",
)
GAPS = {"mid": "member_id", "num": "number", "phone": "contact", "notice": "notice_date"}
"""What a file may lack, and which element of the letter then is a marked blank."""
_FIRST, _LAST = date(2021, 3, 1), date(2025, 5, 30)
_DAYS = ("45", "90", "120", "150", "180", "365")


class Case:
    """A case with its values drawn. `voice` is who signs: member, family, provider, or spanish for a member's in Spanish."""

    def __init__(self, rng: random.Random, case: dict[str, Any], voice: str, feature: str) -> None:
        self.rng, self.case, self.voice, self.feature = rng, case, voice, feature
        self.spanish = voice == "spanish"
        self.words = table("appeal_letters_phrases")
        self.forms = {
            "denial": pick(rng, FORMS),
            "file": pick(rng, FORMS),
            "letter": pick(rng, ("es", "%m/%d/%Y") if self.spanish else FORMS[:2]),
        }
        self.slots: dict[str, str | date] = self._numbers() | self._people() | self._days()
        self.slots |= self._values()
        self.chosen: list[dict[str, Any]] = []

    def _numbers(self) -> dict[str, str | date]:
        rng, kind = self.rng, self.case["kind"]
        label, label_es = LABELS[kind]
        own, other = claim_number(rng), claim_number(rng)
        while other == own:
            other = claim_number(rng)
        return {
            "mid": member_numbers(rng)[0],
            "num": own,
            "num2": other,
            "phone": phone(rng),
            "days": pick(rng, _DAYS),
            "label": label,
            "label_es": label_es,
            "amt": money(rng, *self.case.get("usd", (300, 900))),
            "other": pick(rng, self.words["file"]["others"]),
        }

    def _people(self) -> dict[str, str | date]:
        rng = self.rng
        member = person(rng, "es" if self.spanish else "en", self.case.get("sex", ""))
        doctor = person(rng).last
        while doctor == member.last:
            doctor = person(rng).last
        clin, clinic = f"Dr. {doctor}", facility(rng, "clinic")
        relative = f"{person(rng).first} {member.last}"
        signer = {"provider": clin, "family": relative}.get(self.voice, member.name)
        low, high = self.case["age"]
        signature = {
            "provider": f"{clin}\n{clinic}",
            "family": f"{relative}, for {member.name}",
        }
        self.sex = member.sex
        return {
            "name": member.name,
            "age": str(low + int(rng.random() * (high - low + 1))),
            "clin": clin,
            "clinic": clinic,
            "spec": self.case["spec"],
            "signer": signer,
            "signature": signature.get(self.voice, member.name),
            "plan": f"{place_name(rng)} {pick(rng, self.words['plans'])}",
        }

    def _days(self) -> dict[str, str | date]:
        rng = self.rng
        notice = _FIRST + timedelta(days=int(rng.random() * (_LAST - _FIRST).days))
        found: dict[str, str | date] = {
            name: notice - timedelta(days=rng.randint(*ago))
            for name, ago in self.case["days"].items()
        }
        found |= {"notice": notice, "today": notice + timedelta(days=rng.randint(4, 30))}
        found["asked"] = notice - timedelta(days=rng.randint(1, 5))
        served = found.get("dos")
        if isinstance(served, date):
            moved = served - timedelta(days=pick(rng, (10, 30, 31, 365)))
            found["shown"] = moved if self.feature == "wrong_date" else served
        return found

    def _values(self) -> dict[str, str | date]:
        case, known = self.case, self.words["es_words"]
        values: dict[str, str | date] = dict(drawn(self.rng, case.get("pick", {})))
        values |= {f"{k}_es": known[v] for k, v in values.items() if v in known}
        if "side_es" in values:
            values["side_m"] = str(values["side_es"]).removesuffix("a") + "o"
        values |= {key: case[key] for key in ("service", "cond", "reason", "encl")}
        past = case.get("past", False)
        values |= {"have": "had", "has": "had"} if past else {"have": "have", "has": "has"}
        values["untried"], values["finding"] = pick(self.rng, case["untried"]), case["finding"]
        return values

    def fill(self, phrase: str, part: str, **own: str) -> str:
        """`phrase` with the slots of the case, `own` before them, and the dates of a `part`: denial, file or letter."""
        slots = {**self.slots, **own}
        return telling.prose(self.rng, phrase, slots, self.forms.get(part, part))

    def person(self, me: bool) -> dict[str, str]:
        """The words for the member, in the first person or the third."""
        if me:
            return {"S": "I", "s": "I", "P": "My", "p": "my", "o": "me"}
        if self.sex == "f":
            return {"S": "She", "s": "she", "P": "Her", "p": "her", "o": "her"}
        return {"S": "He", "s": "he", "P": "His", "p": "his", "o": "him"}

    def choose(self, short: bool) -> None:
        """Chooses the facts that the file holds: the first carries the appeal."""
        first, *rest = self.case["fact"]
        if short:
            rest = sorted(rest, key=lambda f: len(f.get("lc", f["l"])))[:2]
        count = 1 if short else pick(self.rng, (2, 3)) if len(rest) > 2 else len(rest)
        order = sorted(self.rng.sample(range(len(rest)), count))
        self.chosen = [first, *(rest[i] for i in order)]

    def stated(self) -> list[Fact]:
        """What a letter must state, the first fact first."""
        key = "ek" if self.spanish else "k"
        words = self.person(self.voice == "member")
        found = [fact(self.fill(f[key], ISO, **words)) for f in self.chosen]
        if self.feature == "wrong_date":
            found.append(fact(self.fill("{shown} & {dos}", ISO)))
        return found

    def told(self, kind: str, me: bool, part: str) -> list[str]:
        """The chosen facts as sentences of the file (kind c), a letter (l), a short letter (lc) or in Spanish (es)."""
        words = self.person(me)
        found = []
        for f in self.chosen:
            name = kind if kind in f else "l"
            said = f.get("l_me", f["l"]) if me and name == "l" else f[name]
            found.append(self.fill(said, part, **words))
        return found

    def denial(self, gap: str) -> str:
        """The plan's notice."""
        words = self.words["notice"]
        own = {
            "line": pick(self.rng, words[f"line_{self.case['kind']}"]),
            "because": pick(self.rng, self.case["because"]),
            "rights": pick(self.rng, words["rights"]),
            **self._missing(gap, 0),
        }
        return self.fill(pick(self.rng, words["frames"]), "denial", **own)

    def file(self, gap: str, added: str = "") -> str:
        """The case as its writer gets it."""
        words = self.words["file"]
        kinds = {"provider": ("chart", "chart", "sheet"), "family": ("sheet", "intake")}
        kind = pick(self.rng, kinds.get(self.voice, ("sheet", "intake", "own", "own")))
        extra = ""
        if self.feature == "superseded":
            extra = self.case["old"]["c"] + " "
        elif self.feature == "expedited":
            extra = self.case["urgent"]["c"] + " "
        elif self.feature in ("two", "wrong_date", "injection"):
            extra = pick(self.rng, words[self.feature])
        facts = self.told("c", kind == "own", "file")
        own = {"extra": added + extra, **self._missing(gap, 0)}
        frame = pick(self.rng, words[kind])
        return self.fill(frame, "file", facts=" ".join(facts), bullets="\n- ".join(facts), **own)

    def request(self, form: str, gap: str) -> str:
        """Who wants the letter, and how."""
        words = self.words["request"]
        asked = [pick(self.rng, words[self.voice]), pick(self.rng, words[form])]
        asked += [pick(self.rng, words["expedited"])] if self.feature == "expedited" else []
        asked += [pick(self.rng, words["blank"])] if gap else []
        return self.fill(" ".join(asked), "file")

    def letter(self, form: str, gap: str) -> str:
        """A fully right letter."""
        words = self.words["letter"]["es"] if self.spanish else self.words["letter"]
        voice = "member" if self.spanish else self.voice
        me = voice == "member"
        own = self.person(me)
        if self.spanish:
            own |= {"service": self.case["es"]["svc"], "reason": self.case["es"]["reason"]}
        own |= self._missing(gap, 2 if self.spanish else 1)
        telling_kind = "es" if self.spanish else "lc" if form == "short" else "l"
        facts = self.told(telling_kind, me, "letter")

        def say(name: str) -> str:
            cards: list[str] = words[name]
            return pick(self.rng, cards)

        if form == "short":
            whole = say(f"short_{voice}")
            return self.fill(whole, "letter", **{**own, "facts": " ".join(facts)})
        if self.feature == "wrong_date":
            facts.append(say("wrong_date"))
        body = " ".join([*facts, say(f"turn_{self.case['kind']}")])
        last = [say("timely_blank" if gap == "notice" else "timely")]
        if self.feature == "expedited":
            last = [say("expedited")]
            own["urgent"] = self.case["urgent"]["l"]
        last.append(say("close"))
        paragraphs = (
            say("head"),
            say("greet"),
            say(f"open_{voice}"),
            body,
            " ".join(last),
            say("sign"),
        )
        return self.fill("\n\n".join(paragraphs), "letter", **own)

    def _missing(self, gap: str, how: int) -> dict[str, str]:
        """What stands in the place of the missing value: in notice and file (0), a blank in English (1), in Spanish (2)."""
        if not gap:
            return {}
        shown = self.words["gap"][gap][how]
        if how:
            shown = f"[{'por completar' if how == 2 else 'to be completed'}: {shown}]"
        return {gap: shown}

    def elements(self, form: str, gap: str) -> dict[str, Fact]:
        """What a letter must hold anywhere, by name."""
        own = self.case["es"] if self.spanish else self.case
        known = {
            "member_id": "{mid}",
            "number": "{num}",
            "service": own["svck"] if self.spanish else own["svc"],
            "reason": own["rk"],
            "ask": ASK_ES if self.spanish else ASK,
            "enclosures": SENT_ES if self.spanish else SENT,
            "signature": "{signer}",
        }
        if form == "long":
            known |= {"notice_date": "{notice}", "contact": "{phone}"}
        if self.feature == "expedited":
            known["expedited"] = f"{EXPEDITED} & 72"
        if gap:
            known[GAPS[gap]] = MARKED
        slots = {**self.slots}
        return {
            name: fact(telling.fill(self.rng, said, slots, ISO)) for name, said in known.items()
        }

    def never(self) -> list[Fact]:
        """What no letter about the case may say; the number of another claim comes last."""
        said = [*BARRED, *self.case["never"], "{untried} & tried|failed|took|probé|falló"]
        said += [self.case["old"]["not"]] if self.feature == "superseded" else []
        said += ["{num2}"] if self.feature == "two" else []
        return [fact(self.fill(phrase, ISO)) for phrase in said]

    def names(self) -> list[str]:
        """Every made-up name and number of the case."""
        named = ("name", "signer", "clin", "clinic", "plan", "mid", "num", "num2", "phone")
        doctor = str(self.slots["clin"]).partition(" ")[2]
        return [*(str(self.slots[name]) for name in named), doctor]
