"""Claim narratives whose entities are known: the facts are drawn first, and each is marked where it is written.

A clinical case (data/claim_entities_cases.toml) happens to somebody; a register and its voice tell it, with a hard part:
something denied, corrected, or of somebody else. What is not marked is a trap. English and Spanish.
"""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from typing import Any

from evalgate.corpus.making import common
from evalgate.corpus.making.claim_entities_slips import WRONG_DRUGS, spoil, written
from evalgate.corpus.making.common import bare, capital, pick, swapped, table, weighted
from evalgate.corpus.making.made import Made

__all__ = ["make", "spoil"]

SPANISH = 0.24
EMPTY = 0.03
"""Shares of Spanish narratives and of those that hold no entity."""
LONGEST = 130
FIRST_DAY, LAST_DAY = date(2024, 2, 1), date(2027, 6, 30)

_MARK = re.compile("\ue000([A-Z_]+)\ue001(.+?)\ue002")
_AT_START = re.compile("^((?:\ue000[A-Z_]+\ue001)?)(.)")
_GIVEN = re.compile(r"^given |\bI[VM]\b|local|x1$|epidural|^DU$")
_GIVEN_ES = re.compile(r"\bI[VM]\b|local|^x1$")
_UNFIT_FOR_CHILDREN = re.compile(r"\{declined|\{denied|Smoking|spouse|lives alone|works nights")
_ADULT_REGISTERS = ("phone", "nurse", "letter", "message", "voicemail", "nota", "carta", "mensaje")
_PAPER = ("examiner", "request", "discharge", "letter", "form", "revision", "carta", "formulario")
_PLANNED = ("surgery", "infusion", "eye", "behavioral", "rehab", "clinic")
_BED = ("hospital", "surgery")


def mark(label: str, text: str) -> str:
    """`text` as an entity."""
    return f"\ue000{label}\ue001{text}\ue002"


def unmark(marked: str) -> tuple[str, list[dict[str, Any]]]:
    """The plain text and its entities in order; a text under the same label, in whatever case, is one at its first place."""
    plain, last, length = [], 0, 0
    entities: list[dict[str, Any]] = []
    seen = set()
    for found in _MARK.finditer(marked):
        label, text = found.groups()
        before = marked[last : found.start()]
        start = length + len(before)
        if (key := (label, text.casefold())) not in seen:
            seen.add(key)
            entities.append(
                {"label": label, "text": text, "start": start, "end": start + len(text)}
            )
        plain += [before, text]
        length, last = start + len(text), found.end()
    return "".join([*plain, marked[last:]]), entities


def make(rng: random.Random, _index: int) -> Made:
    """One narrative with its entities. `index` counts the examples and decides nothing: a scene is drawn anew each time."""
    while True:
        language = "es" if rng.random() < SPANISH else "en"
        book = table("claim_entities" if language == "en" else "claim_entities_es")
        scene = _Scene(rng, language, book)
        marked = scene.nothing() if rng.random() < EMPTY else scene.narrative()
        noise = weighted(rng, book["any"]["noise"])
        if noise != "none":
            noise = "scan" if scene.seeds["register"] in _PAPER else "typing"
            marked = _noisy(rng, marked, scene.invented, scan=noise == "scan")
            scene.seeds["noise"] = noise
        narrative, entities = unmark(marked)
        if len(narrative.split()) <= LONGEST:
            break
    if noise == "scan":
        scene.invented |= {e["text"] for e in entities}
    scene.invented |= {word.upper() for word in scene.invented}  # as a feed writes them
    return Made(
        input={"narrative": narrative},
        expected=entities,
        answer=written(entities),
        unit=common.new_unit(rng, "member"),
        template=f"claim_entities/{scene.seeds['register']}",
        seeds=scene.seeds,
        invented=tuple(sorted(word for word in scene.invented if word in narrative)),
    )


class _Scene:
    """The facts of one narrative, and its telling."""

    def __init__(self, rng: random.Random, language: str, book: dict[str, Any]) -> None:
        self.rng, self.language, self.book = rng, language, book
        self.seeds: dict[str, str] = {"language": language}
        self.invented: set[str] = {"000-000-000"}  # what a planted order asks for
        self.case = pick(rng, table("claim_entities_cases")[language])
        specialty, place, ages, charge, *sex = self.case["is"].split()
        self.seeds |= {"specialty": specialty, "place": place}
        low, high = (int(n) for n in ages.split("-"))
        self.age = rng.randint(low, high)
        self.charge = tuple(int(n) for n in charge.split("-"))
        self.who = common.person(rng, language, sex[0] if sex else "")

    def keep(self, invented: str) -> str:
        """`invented`, noted as such."""
        self.invented.add(invented)
        return invented

    def cards(self, key: str) -> list[str]:
        return [card.strip() for card in self.case[key].split(";")]

    def nothing(self) -> str:
        """A narrative without an entity."""
        part = self.book["empty"]
        slots = self.people() | self.days("prose") | self.background([])
        self.seeds |= {"register": "empty", "hard": "nothing to extract"}
        texts = [pick(self.rng, part["open"]), pick(self.rng, part["matter"])]
        if self.rng.random() < 0.5:
            texts.append(pick(self.rng, part["matter"]))
        texts.append(pick(self.rng, part["end"]))
        return self.joined([*dict.fromkeys(texts)], slots, "prose")

    def narrative(self) -> str:
        """A claim, told with its entities marked."""
        rng, book = self.rng, self.book
        med = pick(rng, self.cards("meds")).split(", ")
        given = self.given(med)
        register = self.register(given=given)
        own = book["register"][register]
        voice = own["voice"]
        base = "third" if voice in ("request", "pharmacy") else voice
        hard = weighted(rng, book["world"]["hard"]).split()
        if given and "conflict_dose" in hard:
            hard = ["none"]
        self.seeds |= {"register": register, "hard": " ".join(hard)}
        style = "terse" if voice in ("terse", "feed") else "lines" if voice == "form" else "prose"
        slots = self.people() | self.days(style) | self.money(register) | self.numbers()
        slots |= self.clinical(med, terse=style == "terse") | self.places(voice)
        wordings = {**book["any"], **book["voice"][base], **book["voice"][voice]}
        wordings |= {"open": own["open"], "close": own["close"]}
        parts = pick(rng, wordings["shapes"]).split()
        self.seeds["shape"] = " ".join(parts)
        phrases: list[str] = []
        for part in parts:
            for name in hard if part == "hard" else [part]:
                phrases += self.phrases(name, wordings, hard, given=given)
        if rng.random() < 0.25 and style == "prose" and voice != "spoken":
            phrases.insert(rng.randrange(1, len(phrases)), pick(rng, wordings["filler"]))
        told = {"spoken": "spoken", "feed": "feed"}.get(voice, style)
        return self.joined(phrases, slots, told)

    def phrases(
        self, name: str, wordings: dict[str, Any], hard: list[str], *, given: bool
    ) -> list[str]:
        """A wording of one part of a narrative, none where the scene has no such part."""
        if name == "none" or (name == "history" and "cdx" not in self.seeds):
            return []
        if name == "med":
            if "conflict_dose" in hard:
                return []  # the correction names drug and dose
            name = "med_given" if given else "med"
        if name == "visit" and "stay" in wordings and self.seeds["place"] == "hospital":
            name = pick(self.rng, ("visit", "visit", "stay"))
        cards = wordings[name]
        if name == "open" and "conflict_member" in hard:
            # The right number comes with the correction.
            cards = [re.sub(r"\{mid\}", "{wrong_mid}", card) for card in cards]
        if self.age < 18:
            cards = [card for card in cards if not _UNFIT_FOR_CHILDREN.search(card)] or cards
        return [pick(self.rng, cards)]

    def given(self, med: list[str]) -> bool:
        """Whether the drug was given at the service, not taken at home."""
        if self.language == "es":
            return bool(_GIVEN_ES.search(med[3]) or med[2].startswith(("durante", "dentro", "en ")))
        return bool(med[2].startswith("given ") or _GIVEN.search(med[3]))

    def register(self, *, given: bool) -> str:
        """A register that suits the case: nobody writes a claim letter at nine, nor asks leave for an emergency."""
        place, specialty = self.seeds["place"], self.seeds["specialty"]
        while True:
            name = weighted(self.rng, self.book["world"]["registers"])
            fits = {
                "request": place in _PLANNED and specialty not in ("emergency", "pediatrics"),
                "pharmacy": not given,
                "discharge": place in _BED,
                "therapy": place == "rehab",
            }
            if fits.get(name, True) and (self.age >= 18 or name not in _ADULT_REGISTERS):
                return name

    def people(self) -> dict[str, str]:
        rng, es = self.rng, self.language == "es"
        woman = self.who.sex == "f"
        other = common.person(rng, self.language)
        own, theirs = common.member_numbers(rng)
        wrong = swapped(rng, own)
        staff = common.person(rng, self.language).last
        he, him, his = ("she", "her", "her") if woman else ("he", "him", "his")
        relation = "sister" if other.sex == "f" else "brother"
        if self.age < 18:
            relation = f"twin {relation}"
        elif rng.random() < 0.3:
            relation = "cousin"
        if es:
            relation = "su hermana" if other.sex == "f" else "su hermano"
        slots = {
            "name": self.keep(self.who.name),
            "first": self.keep(self.who.first),
            "last": self.keep(self.who.last),
            "oname": self.keep(f"{other.first} {self.who.last}"),
            "rep": self.keep(staff),
            "omid": self.keep(theirs),
            "wrong_mid": self.keep(wrong),
            "rel": relation,
            "he": he,
            "him": him,
            "his": his,
            "he_c": capital(he),
            "his_c": capital(his),
            "his_their": "her" if other.sex == "f" else "his",
            "him_their": "her" if other.sex == "f" else "him",
            "man": self.man(woman=woman),
            "sx": "F" if woman else "M",
            "age": str(self.age),
        }
        self.keep(own)
        return slots | {"mid": mark("MEMBER_ID", own)} | self.numbers()

    def man(self, *, woman: bool) -> str:
        if self.age < 18:
            return "girl" if woman else "boy"
        return "woman" if woman else "man"

    def numbers(self) -> dict[str, str]:
        rng = self.rng
        drawn = {
            "claim": common.claim_number(rng),
            "group": f"{pick(rng, 'BDGJ')}{common.digits(rng, 5)}",
            "phone": common.phone(rng),
            "npi": common.provider_number(rng),
        }
        self.invented.update(drawn.values())
        return drawn | {"limit": pick(rng, ("$750", "$1,250", "$2,000", "$4,500"))}

    def days(self, style: str) -> dict[str, str]:
        rng = self.rng
        day = common.workday(common.day_between(rng, FIRST_DAY, LAST_DAY))
        if self.language == "es":
            forms: tuple[str, ...] = (
                ("es", "%d/%m/%Y") if style == "prose" else ("%d/%m/%y", "%d/%m/%Y")
            )
        elif style == "prose":
            forms = ("long", "%m/%d/%Y", "short", "%Y-%m-%d", "%d %b %Y")
        else:
            forms = ("short", "%m/%d/%y", "%m-%d-%Y", "%Y%m%d", "%d%b%y")
        form = pick(rng, forms)
        asked = self.seeds.get("register") == "request"
        received = day + timedelta(days=-rng.randint(8, 21) if asked else rng.randint(3, 28))
        days = {
            "dos": day,
            "dos2": day + timedelta(days=rng.randint(2, 6)),
            "wrong_dos": day + timedelta(days=pick(rng, (-31, -10, -7, -1, 1, 3, 9))),
            "odate": day - timedelta(days=rng.randint(0, 60)),
            "received": received,
            "due": received + timedelta(days=rng.randint(4, 7) if asked else rng.randint(10, 40)),
            "dob": day - timedelta(days=365 * self.age + self.age // 4 + rng.randint(5, 350)),
        }
        slots = {name: self.keep(common.written(d, form)) for name, d in days.items()}
        self.seeds["date"] = form
        return slots | {n: mark("DATE_OF_SERVICE", slots[n]) for n in ("dos", "dos2")}

    def money(self, register: str) -> dict[str, str]:
        rng = self.rng
        low, high = (9, 340) if register == "pharmacy" else self.charge
        amount = common.money(rng, low, high)
        wrong = swapped(rng, amount)
        return {
            "amt": mark("AMOUNT", amount),
            "wrong_amt": wrong if wrong != amount else amount + "0",
            "oamt": common.money(rng, 60, 1800),
        }

    def places(self, voice: str) -> dict[str, str]:
        rng, es = self.rng, self.language == "es"
        doctor = common.person(rng, self.language)
        self.invented |= {doctor.name, doctor.last}
        title = ("Dra." if doctor.sex == "f" else "Dr.") if es else "Dr."
        form = rng.random()
        if es:
            article = ("la " if doctor.sex == "f" else "el ") if voice in ("third", "first") else ""
            doc = article + mark("PROVIDER", f"{title} {doctor.name}")
        elif form < 0.15:
            doc = mark("PROVIDER", doctor.name) + pick(rng, (", MD", " MD", ", DO"))
        else:
            doc = mark("PROVIDER", f"{title} {doctor.name if form < 0.7 else doctor.last}")
        name = common.facility(rng, self.seeds["place"], self.language)
        self.invented.add(bare(name) if es else name)
        place = name[: len(name) - len(bare(name))] + mark("PROVIDER", bare(name)) if es else mark("PROVIDER", name)  # fmt: skip
        store = common.facility(rng, "pharmacy", "en")
        return {
            "doc": doc,
            "place": place,
            "place_b": mark("PROVIDER", bare(name)),
            "place_c": _first_up(place),
            "pharm": mark("PROVIDER", self.keep(store)),
        }

    def clinical(self, med: list[str], *, terse: bool) -> dict[str, str]:
        rng = self.rng
        dx = pick(rng, self.cards("dxs" if terse else "dx"))
        proc = pick(rng, self.cards("procs" if terse else "proc"))
        drug, dose, how, short = med
        how = how.removeprefix("given ")
        slots = {
            "dx": mark("DIAGNOSIS", bare(dx)),
            "adx": _with_article("DIAGNOSIS", dx),
            "proc": mark("PROCEDURE", bare(proc)),
            "aproc": _with_article("PROCEDURE", proc),
            "drug": mark("MEDICATION", drug),
            "dose": mark("DOSE", dose),
            "how": how,
            "hows": short,
            "wrong_dose": _other_dose(rng, dose),
        }
        slots |= {f"{n}_c": _first_up(slots[n]) for n in ("adx", "aproc", "drug")}
        self.seeds |= {"diagnosis": bare(dx), "procedure": bare(proc), "drug": drug}
        return slots | self.background([drug])

    def background(self, drugs: list[str]) -> dict[str, str]:
        """What is no entity: excluded, denied, a relative's; and a known illness with its drug, which are."""
        rng, world = self.rng, self.book["world"]
        about = " ".join([self.case["dx"], self.case["dxs"], self.case["not"]]).lower()
        taken = self.case["meds"] + " ".join(drugs)
        excluded = pick(rng, self.cards("not"))
        free = {
            name: pick(rng, [card for card in world[key] if bare(card) not in about + taken])
            for name, key in (
                *(("family", "families"), ("denied", "denied"), ("declined", "declined")),
                *(("cancelled", "cancelled"), ("odx", "theirs")),
            )
        }
        others = [d for d in world["their_drugs"] if d.split(",")[0] not in taken]
        odrug, odose = pick(rng, others).split(", ")
        complaint = pick(rng, self.cards("complaint"))
        slots = free | {
            "not": excluded,
            "complaint": complaint,
            "odrug": odrug,
            "odose": odose,
            "allergy": pick(rng, world["allergies"]),
            "inject_drug": pick(rng, WRONG_DRUGS),
            "inject_dose": f"{pick(rng, (15, 45, 65, 350))} mg",
            "inject_dx": pick(rng, ("leprosy", "malaria", "scurvy")) if self.language == "en" else "malaria",
        }  # fmt: skip
        self.seeds |= {"excluded": bare(excluded)}
        known = [row.split("; ") for row in world["chronic"]]
        fits = []
        for ages, name, short, med, clash in known:
            low, high = (int(n) for n in ages.split("-"))
            fresh = name not in about and short.lower() not in about.split()
            if low <= self.age <= high and fresh and not re.search(clash, taken):
                fits.append((name, short, med))
        if fits and drugs:
            name, short, med = pick(rng, fits)
            drug, dose, how, hows = med.split(", ")
            terse = self.seeds.get("register") in ("chart", "therapy", "feed", "expediente")
            slots |= {
                "cdx": mark("DIAGNOSIS", short if terse else name),
                "acdx": mark("DIAGNOSIS", name),
                "cdrug": mark("MEDICATION", drug),
                "cdose": mark("DOSE", dose),
                "chow": how,
                "chows": hows,
            }
            self.seeds["cdx"] = name
            while slots["denied"] in name:
                slots["denied"] = pick(rng, world["denied"])
        capitals = ("not", "declined", "cancelled", "complaint")
        plain = ("not", "family", "odx", "complaint", "cancelled")
        slots |= {f"{n}_c": capital(slots[n]) for n in capitals}
        slots |= {f"{n}_b": bare(slots[n]) for n in plain}
        return slots | {"cancelled_bc": capital(bare(slots["cancelled"]))}

    def joined(self, phrases: list[str], slots: dict[str, str], style: str) -> str:
        """The phrases filled and set as the register sets them."""
        filled = [common.expand(self.rng, phrase, slots) for phrase in phrases]
        if style == "feed":
            upper = " | ".join(filled)
            return re.sub("(\ue000[A-Z_]+\ue001)|([^\ue000]+)", lambda m: m[1] or m[2].upper(), upper)  # fmt: skip
        if style == "spoken":
            return " ".join(filled).replace("  ", " ")
        if style == "lines":
            return "\n".join(filled)
        text = " ".join(_first_up(phrase) for phrase in filled)
        if self.language == "es":
            text = re.sub(r"\b([Dd])e el (?=\ue000)", r"\1el ", text)
            text = re.sub(r"\ba el (?=\ue000)", "al ", text)
        return re.sub(r"(?<=[^.])\.(\ue002?)\.(?!\.)", r".\1", text)


def _first_up(text: str) -> str:
    """The text with its first letter in upper case, inside a mark too."""
    return _AT_START.sub(lambda found: found[1] + found[2].upper(), text, count=1)


def _with_article(label: str, card: str) -> str:
    name = bare(card)
    return card[: len(card) - len(name)] + mark(label, name)


def _other_dose(rng: random.Random, dose: str) -> str:
    """The same unit with another figure: a slip of the pen."""
    figure, _, unit = dose.partition(" ")
    value = float(figure.replace(",", ""))
    wrong = value * pick(rng, (0.5, 2, 10)) if value >= 2 else value * pick(rng, (2, 4, 10))
    return f"{wrong:,.4g} {unit}" if wrong < 1000 else f"{wrong:,.0f} {unit}"


def _noisy(rng: random.Random, marked: str, invented: set[str], *, scan: bool) -> str:
    """The narrative with typing slips outside the entities, or with a scanner's misreadings in them, too.

    Other invented names and numbers stay as they are, so that the example's list of them holds.
    """
    kept = "|".join(re.escape(word) for word in sorted(invented, key=len, reverse=True))
    pieces = re.split(f"(\ue000[A-Z_]+\ue001[^\ue002]+\ue002|(?<!\\w)(?:{kept})(?!\\w))", marked)
    for i, piece in enumerate(pieces):
        if piece.startswith("\ue000"):
            label, text = piece[:-1].split("\ue001")
            pieces[i] = f"{label}\ue001{_scanned(rng, text) if scan else text}\ue002"
        elif i % 2 == 0:
            pieces[i] = _scanned(rng, piece) if scan else _typed(rng, piece)
    return "".join(pieces)


def _scanned(rng: random.Random, piece: str) -> str:
    swaps = {"l": "1", "O": "0", "0": "O", "S": "5", "i": "l", "rn": "m", "1": "l", "B": "8"}
    return re.sub(
        "rn|[lO0Si1B]", lambda m: swaps[m[0]] if rng.random() < 0.12 else m[0], piece
    )  # fmt: skip


def _typed(rng: random.Random, piece: str) -> str:
    def slip(found: re.Match[str]) -> str:
        word = found[0]
        if rng.random() > 0.12:
            return word
        i = rng.randrange(1, len(word) - 1)
        return pick(
            rng,
            (
                word[:i] + word[i + 1 :],
                word[:i] + word[i] + word[i:],
                word[: i - 1] + word[i] + word[i - 1] + word[i + 1 :],
            ),
        )

    return re.sub(r"\b[a-z]{4,}\b", slip, piece)
