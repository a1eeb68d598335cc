"""The facts of one generated claim narrative: people, dates, medicines, background. See claim_entities.py."""

from __future__ import annotations

import random
import re
import sys
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from common import Deck

NSAID = re.compile(
    r"ibuprofen|naproxen|celecoxib|meloxicam|ketorolac|diclofenac|aspirin|enoxaparin"
)
ALLERGY_CLASH = {
    "penicillin": re.compile(r"cillin|ceph|cef"),
    "sulfa drugs": re.compile(
        r"sulfa|celecoxib|furosemide|glipizide|sumatriptan|dorzolamide|tamsulosin"
    ),
    "codeine": re.compile(r"tramadol|fentanyl"),
    "latex": re.compile(r"(?!)"),
}
DEAR = re.compile(  # medicines that cost a member more than a few dollars at the counter
    r"adalimumab|semaglutide|denosumab|sacubitril|apixaban|rivaroxaban|insulin|ticagrelor"
    r"|dalfampridine|tiotropium"
)
RELATIONS = {
    "f": ("mother", "sister", "daughter", "wife"),
    "m": ("father", "brother", "son", "husband"),
}
MONTHS_ES = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto"),
    *("septiembre", "octubre", "noviembre", "diciembre"),
)
FIRST_DAY, LAST_DAY = date(2025, 10, 6), date(2026, 10, 23)
HOLIDAYS = {(11, 27), (12, 25), (1, 1), (7, 3), (9, 7)}


class Redraw(Exception):  # noqa: N818 - not an error: these cards do not go together
    """The cards dealt do not make a sensible narrative."""


@dataclass
class Med:
    """A medicine: name, dose per intake, how it is taken in words and in chart shorthand."""

    drug: str
    dose: str
    sig: str
    short: str

    @classmethod
    def read(cls, line: str) -> Med:
        """`drug | dose | how, in words | how, in shorthand`."""
        return cls(*(field.strip() for field in line.split("|")))

    @property
    def given_once(self) -> bool:
        """Whether it was given during the service rather than taken at home."""
        return bool(re.search(r"^I[VM]|inj|DU$|x1$", self.short))

    def slots(self, prefix: str, suffix: str, *, terse: bool) -> dict[str, str]:
        """drug, dose and sig under `prefix` and `suffix`."""
        return {
            f"{prefix}drug{suffix}": mark("MEDICATION", self.drug),
            f"{prefix}dose{suffix}": mark("DOSE", self.dose),
            f"{prefix}sig{suffix}": self.short if terse else self.sig,
        }


@dataclass
class Teller:
    """The books and decks of one language, and the member numbers already given out."""

    lang: str
    rng: random.Random
    used: set[str]

    def __post_init__(self) -> None:
        self.world = read("world")[self.lang]
        self.book = read("cases") | read("phrases") if self.lang == "en" else read("es")
        self.decks: dict[str, Deck[Any]] = {}

    def deal(self, name: str, cards: list[Any]) -> Any:
        """A card of the deck kept under `name`."""
        if name not in self.decks:
            self.decks[name] = Deck(cards, self.rng)
        return self.decks[name].deal()

    def deal_weighted(self, name: str, cards: dict[str, int]) -> str:
        """A card of the deck that holds each card as often as it says."""
        return str(self.deal(name, [card for card, n in cards.items() for _ in range(n)]))

    def phrase(self, register: str, part: str) -> str:
        """A wording of one part: the register's own, else that of all of its person and style."""
        own = self.book[register]
        if part == "inject":
            return str(self.deal("inject", self.book["shared"]["inject"][self.lang]))
        if part in own:
            return str(self.deal(f"{register}.{part}", own[part]))
        person, style = own["person"], own["style"]
        shared = self.book["shared"][person][style][part]
        return str(self.deal(f"{person}.{style}.{part}", shared))

    def member_ids(self) -> tuple[str, str]:
        """A new member number in one of four fictional formats, and one easily mistaken for it."""
        while True:
            n = f"{self.rng.randrange(10**8):08}"
            twisted = n[:6] + n[7] + n[6]
            mine, other = self.rng.choice(
                [
                    (f"MBR-{n[:5]}-01", f"MBR-{n[:5]}-02"),
                    (f"MBR-{n[:5]}-02", f"MBR-{n[:5]}-01"),
                    (f"ZQ{n[:4]} {n[4:]}", f"ZQ{n[:4]} {twisted[4:]}"),
                    (f"HX{n[0]}-{n[1:4]}-{n[4:]}", f"HX{n[0]}-{n[1:4]}-{twisted[4:]}"),
                    (f"88-K{n[:5]}-A", f"88-K{n[:5]}-B"),
                ]
            )
            if mine != other and not {mine, other} & self.used:
                self.used |= {mine, other}
                return mine, other


def read(name: str) -> dict[str, Any]:
    """One of the books beside this file."""
    return tomllib.loads(Path(__file__).with_name(f"claim_entities_{name}.toml").read_text("utf-8"))


def mark(label: str, text: str) -> str:
    """The text as an entity."""
    return f"[[{label}|{text}]]"


def with_article(label: str, card: str) -> tuple[str, str]:
    """`an/MRI` as an entity: without and with its article, which is no part of it."""
    article, text = card.split("/", 1)
    return mark(label, text), f"{article} {mark(label, text)}".strip()


def bare(phrase: str) -> str:
    """The phrase without its article."""
    return re.sub(r"^(?:an?|the|un|una|la|el) ", "", phrase)


def capital(text: str) -> str:
    """The text with its first letter in upper case, inside a mark too."""
    return re.sub(r"^((?:\[\[[A-Z_]+\|)?)(\w)", lambda m: m[1] + m[2].upper(), text, count=1)


def money(rng: random.Random, low: float, high: float) -> str:
    """A price in dollars between `low` and `high`, more often round than not."""
    value = rng.uniform(low, high)
    return f"${value:,.2f}" if rng.random() < 0.4 or value < 50 else f"${round(value):,}.00"


def near(rng: random.Random, amount: str) -> str:
    """A wrong version of an amount: two digits exchanged, or another sum."""
    digits = [i for i, c in enumerate(amount) if c.isdigit()]
    swaps = [(i, j) for i, j in pairwise(digits) if amount[i] != amount[j] != "0"]
    if not swaps:
        return f"${float(amount[1:].replace(',', '')) + 45:,.2f}"
    i, j = rng.choice(swaps)
    return amount[:i] + amount[j] + amount[i + 1 : j] + amount[i] + amount[j + 1 :]


def write_date(day: date, style: str) -> str:
    """The date as this narrative writes dates."""
    if style == "es":
        return f"{day.day} de {MONTHS_ES[day.month - 1]} de {day.year}"
    if style == "long":
        return f"{day:%B} {day.day}, {day.year}"
    if style == "short":
        return f"{day.month}/{day.day}/{day:%y}"
    return day.strftime(style)


def dates(t: Teller, case: dict[str, Any], register: str, age: int) -> dict[str, str]:
    """The slots that are dates: of the service (marked), and of everything else."""
    rng, style = t.rng, t.book[register]["style"]
    if t.lang == "es":
        styles = ["es"] if style == "prose" else ["%d/%m/%Y"]
    elif register == "edi":
        styles = ["%Y%m%d"]
    else:
        styles = ["%m/%d/%y", "short"] if style == "terse" else ["long", "%m/%d/%Y", "short"]
        styles += ["%Y-%m-%d"] if style != "terse" else []
    dos = FIRST_DAY + timedelta(days=rng.randrange((LAST_DAY - FIRST_DAY).days))
    closed = case["place"] != "urgent"
    while closed and (dos.weekday() > 4 or (dos.month, dos.day) in HOLIDAYS):
        dos += timedelta(days=1)
    if register == "um":  # asked for before the service
        received = dos - timedelta(days=rng.randint(9, 20))
        due = received + timedelta(days=rng.randint(4, 8))
    else:
        received = dos + timedelta(days=rng.randint(4, 25))
        due = received + timedelta(days=rng.randint(20, 45))
    days = {
        "dos": dos,
        "dos2": dos + timedelta(days=rng.randint(*case.get("nights", (1, 1)))),
        "old_date": dos + timedelta(days=rng.choice([-30, -10, -9, -2, -1, 1, 2])),
        "rcvd": received,
        "due": due,
        "dob": dos - timedelta(days=365 * age + age // 4 + rng.randint(5, 350)),
    }
    written = rng.choice(styles)
    out = {name: write_date(day, written) for name, day in days.items()}
    out["claim"] = f"CLM-{dos:%y}-{rng.randrange(10**5):05}"
    return out | {name: mark("DATE_OF_SERVICE", out[name]) for name in ("dos", "dos2")}


def kin(sex: str, other_sex: str, age: int) -> list[str]:
    """Relations that a member of this sex and age can have to another on the same policy."""
    parent, sibling, child, spouse = RELATIONS[other_sex]
    if age < 24:
        return [parent]
    return [sibling, *([child] if age > 48 else []), *([spouse] if sex != other_sex else [])]


def people(t: Teller, case: dict[str, Any], style: str, age: int) -> dict[str, str]:
    """The slots about the member, a relative and the treating physician."""
    rng = t.rng
    sex = case.get("sex") or rng.choice("fm")
    *firsts, families = t.deal("names", t.world["names"])
    first, last = rng.choice(firsts[sex == "m"]), rng.choice(families)
    other_sex = rng.choice("fm")
    other = rng.choice([name for name in firsts[other_sex == "m"] if name != first])
    mid, omid = t.member_ids()
    he, him, his = ("she", "her", "her") if sex == "f" else ("he", "him", "his")
    small = case.get("child", False)
    return {
        "first": first,
        "last": last,
        "mid": mark("MEMBER_ID", mid),
        "omid": omid,
        "oname": f"{other} {last}",
        "rel": rng.choice(kin(sex, other_sex, age)),
        "age": str(age),
        "he": he,
        "him": him,
        "his": his,
        "man": ("girl" if small else "woman") if sex == "f" else ("boy" if small else "man"),
        "sexletter": sex.upper(),
        "sexword": "fem" if sex == "f" else "masc",
        "doc": physician(t, style),
    }


def physician(t: Teller, style: str) -> str:
    """The treating physician: a title belongs to the entity, letters after the name do not."""
    rng = t.rng
    *firsts, families = t.deal("names", t.world["names"])
    woman = rng.random() < 0.5
    first, last = rng.choice(firsts[not woman]), rng.choice(families)
    if t.lang == "es":
        article, title = ("la ", "Dra.") if woman else ("el ", "Dr.")
        doctor = mark("PROVIDER", f"{title} {first} {last}")
        return article + doctor if style == "prose" else doctor
    form = rng.random()
    if form < 0.15:
        return mark("PROVIDER", f"{first} {last}") + " MD"
    return mark("PROVIDER", f"Dr. {last}" if form < 0.4 else f"Dr. {first} {last}")


def medicines(t: Teller, case: dict[str, Any], register: str, *, terse: bool) -> dict[str, str]:
    """The slots of one medicine and of a second that may stand beside it."""
    meds = [Med.read(line) for line in case["meds"]]
    order = list(range(len(meds)))
    t.rng.shuffle(order)
    if register == "pharmacy":
        order = [i for i in order if not meds[i].given_once and meds[i].drug != "acetaminophen"]
    if not order:
        raise Redraw
    main = meds[order[0]]
    out = main.slots("", "", terse=terse) | {"once": "yes" if main.given_once else ""}
    for i in order[1:]:
        fits = meds[i].drug != main.drug and meds[i].given_once == main.given_once
        pair = sorted((order[0], i))
        if fits and pair in case.get("together", [pair]):
            return out | meds[i].slots("", "2", terse=terse)
    return out


def clinical(t: Teller, case: dict[str, Any], style: str, age: int) -> dict[str, str]:
    """The slots of the case and of what is only background: excluded, denied, a relative's."""
    rng, world, terse = t.rng, t.world, style == "terse"
    drugs = {Med.read(line).drug for line in case["meds"]}
    doses = {Med.read(line).dose for line in case["meds"]}
    dx, adx = with_article("DIAGNOSIS", rng.choice(case["dx"]))
    proc, aproc = with_article("PROCEDURE", rng.choice(case["proc"]))
    if terse:
        dx = mark("DIAGNOSIS", rng.choice(case["dx_short"]))
        proc = mark("PROCEDURE", rng.choice(case["proc_short"]))
    excluded = rng.sample(case["not"], 2) if len(case["not"]) > 1 else case["not"] * 2
    known = " ".join([*case["dx"], *case["not"], case["key"], *case.get("avoid", [])])
    taken, amount = rng.choice(world["relatives_take"]).split(" | ")
    if taken in drugs or amount in doses:
        raise Redraw
    out = {
        "dx": dx,
        "adx": adx,
        "proc": proc,
        "aproc": aproc,
        "symptom": rng.choice(case["symptom"]),
        "not": excluded[0],
        "not2": excluded[1],
        "not_bare": bare(excluded[0]),
        "famdx": rng.choice([m for m in world["mothers"] if bare(m).split()[-1] not in known]),
        "odx": rng.choice(world["relatives_have"]),
        "odrug": rng.choice([d for d in world["declined"] if d not in drugs]),
        "rdrug": taken,
        "rdose": amount,
    }
    if style != "prose":
        out |= {k: bare(out[k]) for k in ("not", "not2", "famdx", "odx")}
    if terse:
        out["symptom"] = bare(out["symptom"])
    harmless = [a for a, clash in ALLERGY_CLASH.items() if not clash.search(" ".join(drugs))]
    out["allergy"] = rng.choice(harmless)
    denied = [d for d in world["denied"] if d not in known]
    history = [
        c
        for c in t.book["chronic"]
        if age >= c["age"]
        and c["key"] not in case.get("avoid", ())
        and not {c["key"], c["dx"]} & {case["key"], *case["dx"]}
        and Med.read(c["med"]).drug not in drugs
        and not (c["key"] == "afib" and NSAID.search(" ".join(drugs)))
    ]
    if history:
        c = rng.choice(history)
        out["cdx"] = mark("DIAGNOSIS", c["dx_short"] if terse else c["dx"])
        out |= Med.read(c["med"]).slots("c", "", terse=terse)
        denied = [d for d in denied if d not in c["dx"] and d != c["key"]]
    return out | {"cnot": rng.choice(denied)}


def facts(t: Teller, case: dict[str, Any], register: str, *, stays: bool) -> dict[str, str]:
    """Every slot of one narrative. Raises Redraw if the case does not fit the register."""
    rng, style = t.rng, t.book[register]["style"]
    age = rng.randint(*case["age"])
    slot = people(t, case, style, age) | dates(t, case, register, age)
    slot |= clinical(t, case, style, age)
    slot |= medicines(t, case, register, terse=style == "terse")
    places = t.world["places"]
    place = with_article("PROVIDER", t.deal(case["place"], places[case["place"]]))
    slot["fac"] = place[style == "prose"]
    charge = case["charge"] if stays else case.get("visit_charge", case["charge"])
    if register == "pharmacy":
        slot["pharm"] = with_article("PROVIDER", t.deal("pharmacy", places["pharmacy"]))[0]
        charge = (45, 260) if DEAR.search(slot["drug"]) else (4, 48)
    amount = money(rng, *charge)
    slot |= {
        "amt": mark("AMOUNT", amount),
        "old_amt": near(rng, amount),
        "oamt": money(rng, 90, 1900),
        "limit": rng.choice(["$500", "$1,500", "$3,000", "$6,500"]),
        "group": f"G-{rng.randrange(1000, 9999)}",
        # A real National Provider Identifier begins with 1 or 2, so this one belongs to nobody.
        "npi": f"9{rng.randrange(10**9):09}",
        "phone": f"555-01{rng.randrange(100):02}",
        "rep": rng.choice(["Tolliver", "Ngata", "Isidore", "Palmgren"]),
        "He": capital(slot["he"]),
    }
    capitals = ("aproc", "proc", "drug", "not", "odrug", "symptom", "rel")
    return slot | {f"{name}_cap": capital(slot[name]) for name in capitals}
