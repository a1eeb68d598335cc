"""Writes goldsets/claim_entities.jsonl: `python goldsets/generators/claim_entities.py`.

The gold set is the hand-written items (goldsets/handwritten/claim_entities.jsonl, in their order) followed by generated
ones. A generated narrative is a clinical case (claim_entities_cases.toml, Spanish ones in claim_entities_es.toml) told in
the wording of one register (claim_entities_phrases.toml). Entities are marked where they are written, so their offsets
are right by construction; whatever is not marked is a trap. The same seed gives the same bytes.
"""

from __future__ import annotations

import random
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from common import Deck, balanced_subset, jsonl, read_jsonl, slots, too_similar, unmark, words

SEED = 20261123
GOLDSETS = Path(__file__).parents[1]
OUT = GOLDSETS / "claim_entities.jsonl"
HANDWRITTEN = GOLDSETS / "handwritten" / "claim_entities.jsonl"

LABELS = (
    *("MEMBER_ID", "DATE_OF_SERVICE", "DIAGNOSIS", "PROCEDURE"),
    *("MEDICATION", "DOSE", "PROVIDER", "AMOUNT"),
)
GENERATED = {"en": 174, "es": 54}
SHORTEST, LONGEST, LONG = 40, 130, 100  # words; from LONG on an item is tagged `long`
ALIKE = 0.78  # redraw a narrative that is more similar than this to one already kept
NOISY = 0.10  # share of generated items with typing or scanning errors outside the entities

REGISTERS = {  # cards in the deck
    "en": {
        **{"call": 2, "adjuster": 2, "fax": 2, "um": 2, "pharmacy": 2, "portal": 2, "email": 2},
        **{"clinic": 3, "edi": 2, "form": 1},
    },
    "es": {"nota": 3, "auditoria": 3, "mensaje": 3, "clinica": 2, "formulario": 1},
}
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
FOR_CHILDREN = {"fax", "clinic", "edi", "form", "um", "auditoria", "clinica", "formulario"}
UNFIT = {  # phrases that do not suit a child, an old member, a psychiatric diagnosis
    "child": re.compile(
        r"{cnot}|{odrug|{onot}|told about|verb understanding|RTW|gait|{He} (?:will|wants)|at the request|to work"
    ),
    "old": re.compile(r"RTW|calls at work"),
    "mental": re.compile(r"Tests for|Tested for|checked me|sign of|Neg w/u|negative|R/o|revisaron|el estudio"),
}
TOGETHER_IS_NONSENSE = [  # two phrases of one narrative
    (r"NKDA|No known drug|none known|Sin alergias|ninguna", r"llergic|All:|Alergias"),
    (r"AHF s/imp", r"AHF: madre"),
    (r"other ill|otras enfermedades", r"Known|Also has|{cdx}|denies"),
    (r"{dos2}", r"Home w/ instr|same day|misma? día"),
]
NSAID = re.compile(r"ibuprofen|naproxen|celecoxib|meloxicam|ketorolac|diclofenac|aspirin|enoxaparin")
ALLERGY_CLASH = {
    "penicillin": re.compile(r"cillin|ceph|cef"),
    "sulfa drugs": re.compile(r"sulfa|celecoxib|furosemide|glipizide|sumatriptan|dorzolamide|tamsulosin"),
    "codeine": re.compile(r"tramadol|fentanyl"),
    "latex": re.compile(r"(?!)"),
}
PLACES = {
    "en": {
        "hospital": ["/Quillhaven Medical Center", "/Tressel Bay Hospital", "/Aldersyke Hospital", "/Pennarrow General"],
        "surgery": ["/Ondaloma Surgical Center", "/Quillhaven Surgical Center", "/Vesperlane Day Surgery"],
        "imaging": ["/Marlpit Imaging Center", "/Kestrelgate Radiology"],
        "clinic": ["/Crestfallow Clinic", "/Thistledon Family Practice", "/Ombrelle Medical Group"],
        "urgent": ["/Brackenfold Urgent Care", "/Fennimarsh Walk-In Clinic"],
        "infusion": ["/Marlpit Infusion Center", "/Larchmoor Infusion Suite"],
        "dialysis": ["/Ferrowell Dialysis Center", "/Saltmere Renal Unit"],
        "eye": ["/Ondaloma Eye Center", "/Glasswren Eye Clinic"],
        "sleep": ["/Restwell Sleep Clinic", "/Nightjar Sleep Laboratory"],
        "rehab": ["/Windlass Rehabilitation", "/Copperbeck Physical Therapy"],
        "mental": ["/Hearthstead Counseling", "/Aldersyke Behavioral Health"],
        "pharmacy": ["/Corvane Street Pharmacy", "/Bellwether Road Pharmacy", "/Tollgate Drugs", "/Juniper Hill Pharmacy"],
    },
    "es": {
        "hospital": ["el/Hospital Puerto Arrayán", "el/Hospital Santa Brígida del Mar", "el/Hospital Cerro Bermejo"],
        "surgery": ["el/Centro Quirúrgico Río Claro", "la/Clínica Valle Sereno"],
        "clinic": ["la/Clínica Valle Sereno", "el/Consultorio Las Lomas Altas"],
        "urgent": ["la/Clínica de Urgencias del Parque", "el/Centro de Urgencias Tres Ríos"],
        "infusion": ["el/Centro de Infusión Río Claro"],
        "eye": ["el/Instituto Visual Mirasol", "la/Clínica de Ojos Alborada"],
        "rehab": ["el/Centro de Rehabilitación Las Jacarandas"],
        "mental": ["el/Centro Psicológico Alborada"],
    },
}
# Women's names, men's names, family names: fictional people of many origins.
NAMES = {
    "en": [
        (["Adaeze", "Folake"], ["Chukwudi", "Tobenna"], ["Okwuosa", "Adeyemi-Holt", "Nwachukwu"]),
        (["Mei-Xing", "Lanfen"], ["Guozhi", "Zhiwen"], ["Ouyang", "Szeto", "Kwan-Bell"]),
        (["Parisa", "Shirin"], ["Kourosh", "Behrouz"], ["Tavakoli", "Zandipour", "Rostamian"]),
        (["Bronagh", "Maeve"], ["Eoghan", "Cathal"], ["Mac Giolla", "Tiernan", "O'Dubhda"]),
        (["Lupe", "Xiomara"], ["Efrain", "Genaro"], ["Villalpando", "Ocampo-Reyes", "Zaldivar"]),
        (["Vaishnavi", "Kaveri"], ["Aniruddha", "Harish"], ["Deshmukh-Lane", "Varadarajan", "Chitale"]),
        (["Signe", "Torunn"], ["Eskil", "Halvard"], ["Nyquist", "Brattgard", "Lindahl-Moe"]),
        (["Teuila", "Moana"], ["Sefa", "Tavita"], ["Faleolo", "Tuiasosopo", "Leavasa"]),
        (["Yelena", "Zoya"], ["Arkady", "Gennady"], ["Voskresensky", "Malakhin", "Ostrogin"]),
        (["Hyun-Ae", "Soo-Bin"], ["Dong-Wook", "Kyung-Ho"], ["Namgung", "Seonwoo", "Hwangbo"]),
        (["Amal", "Rasha"], ["Wissam", "Nizar"], ["Haddadin", "El-Tayeb", "Khoury-Banks"]),
        (["Delphine", "Solange"], ["Thibault", "Anselme"], ["Charbonnet", "Desrosiers", "Vautrin"]),
        (["Kateri", "Winona"], ["Takoda", "Ahiga"], ["Whitefeather", "Begaye-Stone", "Longwater"]),
        (["Ottilie", "Prudence"], ["Barnaby", "Leopold"], ["Thackwell", "Ravenscroft-Ames", "Pettibone"]),
        (["Thuy-Linh", "Ngoc-Anh"], ["Quoc-Bao", "Minh-Khoi"], ["Truong-Vale", "Luong", "Dang-Ha"]),
        (["Selam", "Hiwot"], ["Dawit", "Yonas"], ["Woldemariam", "Gebreyes", "Tessema"]),
    ],
    "es": [
        (["Yolotzin", "Citlali"], ["Cuauhtli", "Nahum"], ["Xicoténcatl", "Tepal", "Cuatianquiz"]),
        (["Remedios", "Consuelo"], ["Baldomero", "Crisanto"], ["Arrieta Loza", "Urquiza Peñalver"]),
        (["Killari", "Nina"], ["Amaru", "Illari"], ["Mamani Chuquimia", "Condori Vilca"]),
        (["Altagracia", "Mercedes"], ["Bienvenido", "Radhamés"], ["Tejada Polanco", "Guzmán Rosado"]),
        (["Ixchel", "Micaela"], ["Balam", "Diego"], ["Chavajay Tzunún", "Ajpop Sicán"]),
        (["Rocío", "Aránzazu"], ["Iñaki", "Fermín"], ["Zubizarreta Gil", "Etxeandia Ruiz"]),
    ],
}
RELATIONS = {"f": ["mother", "sister", "daughter", "wife"], "m": ["father", "brother", "son", "husband"]}
MOTHERS = {
    "en": ["glaucoma", "colon cancer", "a stroke", "epilepsy"],
    "es": ["glaucoma", "cáncer de colon", "epilepsia"],
}
DENIED = {"en": ["diabetes", "asthma", "gout", "epilepsy"], "es": ["diabetes", "asma", "gota", "epilepsia"]}
DECLINED = {
    "en": ["tramadol", "gabapentin", "codeine", "melatonin", "hydrocodone"],
    "es": ["tramadol", "gabapentina", "codeína", "melatonina"],
}
OTHERS = {
    "en": ["amlodipine | 2.5 mg", "simvastatin | 40 mg", "warfarin | 3 mg", "citalopram | 20 mg", "montelukast | 10 mg"],
    "es": ["amlodipino | 2.5 mg", "enalapril | 20 mg", "montelukast | 10 mg"],
}
OTHERS_DX = {
    "en": ["shingles", "a broken wrist", "psoriasis", "vertigo", "tinnitus"],
    "es": ["psoriasis", "vértigo", "una muñeca rota"],
}
MONTHS_ES = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto"),
    *("septiembre", "octubre", "noviembre", "diciembre"),
)
AFTER_COMMA = re.compile(r"^(?:This|Please|My|You|On|After|They|The|It|In|Since|Your|Last|Sorry|Thank|For) ")
HOLIDAYS = {date(2025, 11, 27), date(2025, 12, 25), date(2026, 1, 1), date(2026, 7, 3), date(2026, 9, 7)}
DEAR = re.compile(  # medicines that cost a member more than a few dollars at the counter
    "adalimumab|semaglutide|denosumab|sacubitril|apixaban|rivaroxaban|insulin|ticagrelor|dalfampridine|tiotropium"
)
FIRST_DAY, LAST_DAY = date(2025, 10, 6), date(2026, 10, 23)


class Redraw(Exception):  # noqa: N818 - not an error: these cards do not go together
    """The cards dealt do not make a sensible narrative."""


@dataclass
class Teller:
    """The decks of one language, and the member numbers already given out."""

    lang: str
    rng: random.Random
    used: set[str]

    def __post_init__(self) -> None:
        books = ["cases", "phrases"] if self.lang == "en" else ["es"]
        book: dict[str, Any] = {}
        for name in books:
            path = Path(__file__).with_name(f"claim_entities_{name}.toml")
            book |= tomllib.loads(path.read_text("utf-8"))
        self.book = book
        self.cases = Deck(book["case"], self.rng)
        self.registers = Deck([n for n, k in REGISTERS[self.lang].items() for _ in range(k)], self.rng)
        self.features = Deck([n for n, k in FEATURES.items() for _ in range(k)], self.rng)
        self.people = Deck(NAMES[self.lang], self.rng)
        self.decks: dict[str, Deck[Any]] = {}

    def deal(self, name: str, cards: list[Any]) -> Any:
        """A card of the deck kept under `name`."""
        return self.decks.setdefault(name, Deck(cards, self.rng)).deal()

    def phrase(self, register: str, part: str) -> str:
        """A wording of one part: the register's own, else that of all registers of its person and style."""
        own = self.book[register]
        if part == "inject":
            return str(self.deal("inject", self.book["shared"]["inject"][self.lang]))
        if part in own:
            return str(self.deal(f"{register}.{part}", own[part]))
        person, style = own["person"], own["style"]
        return str(self.deal(f"{person}.{style}.{part}", self.book["shared"][person][style][part]))

    def member_ids(self) -> tuple[str, str]:
        """A new member number in one of four fictional formats, and one easily mistaken for it."""
        rng = self.rng
        while True:
            n = f"{rng.randrange(10**8):08}"
            kind = rng.randrange(4)
            if kind == 0:
                mine, other = f"MBR-{n[:5]}-01", f"MBR-{n[:5]}-02"
                if rng.random() < 0.5:
                    mine, other = other, mine
            elif kind == 1:
                mine, other = f"ZQ{n[:4]} {n[4:]}", f"ZQ{n[:4]} {n[4:6]}{n[7]}{n[6]}"
            elif kind == 2:
                mine, other = f"HX{n[0]}-{n[1:4]}-{n[4:]}", f"HX{n[0]}-{n[1:4]}-{n[4:6]}{n[7]}{n[6]}"
            else:
                mine, other = f"88-K{n[:5]}-A", f"88-K{n[:5]}-B"
            if mine != other and not {mine, other} & self.used:
                self.used |= {mine, other}
                return mine, other


def mark(label: str, text: str) -> str:
    """The text as an entity."""
    return f"[[{label}|{text}]]"


def money(rng: random.Random, low: float, high: float) -> str:
    """A price in dollars between `low` and `high`, more often round than not."""
    value = rng.uniform(low, high)
    cents = round(value * 100) if rng.random() < 0.4 or value < 50 else round(value) * 100
    return f"${cents / 100:,.2f}"


def near(rng: random.Random, amount: str) -> str:
    """A wrong version of an amount: two digits exchanged, or another sum."""
    digits = [i for i, c in enumerate(amount) if c.isdigit()]
    swaps = [(i, j) for i, j in zip(digits, digits[1:], strict=False) if amount[i] != amount[j] and amount[j] != "0"]
    if not swaps:
        return f"${float(amount[1:].replace(',', '')) + 45:,.2f}"
    i, j = rng.choice(swaps)
    chars = list(amount)
    chars[i], chars[j] = chars[j], chars[i]
    return "".join(chars)


def write_date(day: date, style: str) -> str:
    """The date as this narrative writes dates."""
    if style == "es":
        return f"{day.day} de {MONTHS_ES[day.month - 1]} de {day.year}"
    if style == "long":
        return f"{day:%B} {day.day}, {day.year}"
    if style == "short":
        return f"{day.month}/{day.day}/{day:%y}"
    return day.strftime(style)


def provider_number(rng: random.Random) -> str:
    """Ten digits that can be no National Provider Identifier: those begin with 1 or 2."""
    return f"9{rng.randrange(10**9):09}"


def bare(words_: str) -> str:
    """The words without their article."""
    return re.sub(r"^(?:an?|the|un|una|la|el) ", "", words_)


def capital(text: str) -> str:
    """The text with its first letter in upper case, inside a mark too."""
    return re.sub(r"^((?:\[\[[A-Z_]+\|)?)(\w)", lambda m: m[1] + m[2].upper(), text, count=1)


def with_article(label: str, card: str) -> tuple[str, str]:
    """`an/MRI` as an entity: without and with its article, which is no part of it."""
    article, text = card.split("/", 1)
    return mark(label, text), f"{article} {mark(label, text)}".strip()


def facts(t: Teller, case: dict[str, Any], register: str, features: list[str], *, stays: bool) -> dict[str, str]:
    """Every slot of one narrative. Raises Redraw if no medicine of the case fits the register."""
    rng, lang = t.rng, t.lang
    style = t.book[register]["style"]
    terse, articles = style == "terse", style == "prose"
    child = case.get("child", False)
    sex = {"f": "f", "m": "m"}.get(case.get("sex", ""), rng.choice("fm"))
    women, men, families = t.people.deal()
    age = rng.randint(*case["age"])
    first, last = rng.choice(women if sex == "f" else men), rng.choice(families)
    mid, omid = t.member_ids()

    dates = ["long", "%m/%d/%Y", "short", "%Y-%m-%d"]
    if lang == "es":
        dates = ["es"] if articles else ["%d/%m/%Y"]
    elif register == "edi":
        dates = ["%Y%m%d"]
    elif terse:
        dates = ["%m/%d/%y", "short"]
    written = rng.choice(dates)
    dos = FIRST_DAY + timedelta(days=rng.randrange((LAST_DAY - FIRST_DAY).days))
    while dos in HOLIDAYS or (dos.weekday() > 4 and case["place"] != "urgent"):
        dos += timedelta(days=1)
    old = dos + timedelta(days=rng.choice([-30, -10, -9, -2, -1, 1, 2]))
    asked_before = register == "um"
    rcvd = dos - timedelta(days=rng.randint(9, 20)) if asked_before else dos + timedelta(days=rng.randint(4, 25))
    due = rcvd + timedelta(days=rng.randint(4, 8) if asked_before else rng.randint(20, 45))
    nights = rng.randint(*case.get("nights", (1, 1)))
    born = dos - timedelta(days=365 * age + age // 4 + rng.randint(5, 350))

    dx, adx = with_article("DIAGNOSIS", rng.choice(case["dx"]))
    proc, aproc = with_article("PROCEDURE", rng.choice(case["proc"]))
    if terse:
        dx = mark("DIAGNOSIS", rng.choice(case["dx_short"]))
        proc = mark("PROCEDURE", rng.choice(case["proc_short"]))

    meds = [[f.strip() for f in m.split("|")] for m in case["meds"]]
    order = list(range(len(meds)))
    rng.shuffle(order)
    if register == "pharmacy":
        order = [i for i in order if not given_once(meds[i]) and meds[i][0] != "acetaminophen"]
    if not order:
        raise Redraw
    drug, dose, *sig = meds[order[0]]
    pairs = case.get("together")
    fits = [
        i
        for i in order[1:]
        if meds[i][0] != drug
        and given_once(meds[i]) == given_once(meds[order[0]])
        and (pairs is None or sorted((order[0], i)) in pairs)
    ]
    second = meds[fits[0]] if fits else None

    charge = case["charge"] if stays else case.get("visit_charge", case["charge"])
    if register == "pharmacy":
        charge = (45, 260) if DEAR.search(drug) else (4, 48)
    amt = money(rng, *charge)
    dr = physician(rng, t.people.deal(), lang, articles=articles)
    fac = with_article("PROVIDER", t.deal(f"place.{case['place']}", PLACES[lang][case["place"]]))
    other_sex = rng.choice("fm")
    relative = rng.choice([n for n in (women if other_sex == "f" else men) if n != first])
    case_drugs = {m[0] for m in meds}
    text_of_case = " ".join([*case["dx"], *case["not"], case["key"], *case.get("avoid", [])])
    he, him, his = ("she", "her", "her") if sex == "f" else ("he", "him", "his")
    symptom = rng.choice(case["symptom"])
    slot = {
        "mid": mark("MEMBER_ID", mid),
        "dos": mark("DATE_OF_SERVICE", write_date(dos, written)),
        "dos2": mark("DATE_OF_SERVICE", write_date(dos + timedelta(days=nights), written)),
        **{"dx": dx, "adx": adx, "proc": proc, "aproc": aproc},
        "drug": mark("MEDICATION", drug),
        "dose": mark("DOSE", dose),
        **{"sig": sig[terse], "once": "yes" if given_once(meds[order[0]]) else ""},
        **{"doc": dr, "fac": fac[articles], "amt": mark("AMOUNT", amt)},
        **{"first": first, "last": last, "age": str(age), "rep": rng.choice(["Tolliver", "Ngata", "Isidore", "Palmgren"])},
        "claim": f"CLM-{dos:%y}-{rng.randrange(10**5):05}",
        "group": f"G-{rng.randrange(1000, 9999)}",
        "npi": provider_number(rng),
        "phone": f"555-01{rng.randrange(100):02}",
        **{"dob": write_date(born, written), "rcvd": write_date(rcvd, written), "due": write_date(due, written)},
        "limit": rng.choice(["$500", "$1,500", "$3,000", "$6,500"]),
        **{"old_date": write_date(old, written), "old_amt": near(rng, amt), "oamt": money(rng, 90, 1900)},
        **{"he": he, "him": him, "his": his},
        "man": {"f": "girl", "m": "boy"}[sex] if child else {"f": "woman", "m": "man"}[sex],
        **{"sexletter": sex.upper(), "sexword": {"f": "fem", "m": "masc"}[sex]},
        "symptom": bare(symptom) if terse else symptom,
        **{"omid": omid, "oname": f"{relative} {last}"},
        "rel": rng.choice(kin(sex, other_sex, age)),
        "odx": rng.choice(OTHERS_DX[lang]),
    }
    nots = rng.sample(case["not"], 2) if len(case["not"]) > 1 else case["not"] * 2
    slot |= {"not": nots[0], "not2": nots[1], "not_bare": bare(nots[0])}
    mothers = [m for m in MOTHERS[lang] if bare(m).split()[-1] not in text_of_case]
    slot["onot"] = rng.choice(mothers)
    if style != "prose":
        slot |= {k: bare(slot[k]) for k in ("not", "not2", "onot", "odx")}
    denied = [d for d in DENIED[lang] if d not in text_of_case]
    if any("look" in f for f in features):
        slot["rdrug"], slot["rdose"] = (x.strip() for x in rng.choice(OTHERS[lang]).split("|"))
        if slot["rdrug"] in case_drugs or slot["rdose"] in {m[1] for m in meds}:
            raise Redraw
    slot["odrug"] = rng.choice([d for d in DECLINED[lang] if d not in case_drugs])
    if second:
        slot |= {"drug2": mark("MEDICATION", second[0]), "dose2": mark("DOSE", second[1]), "sig2": second[2 + terse]}
    history = [
        c
        for c in t.book["chronic"]
        if age >= c["age"]
        and c["key"] not in case.get("avoid", ())
        and not {c["key"], c["dx"]} & {case["key"], *case["dx"]}
        and c["med"].split(" |")[0] not in case_drugs
        and not (c["key"] == "afib" and NSAID.search(" ".join(case["meds"])))
    ]
    if history:
        c = rng.choice(history)
        cmed = [f.strip() for f in c["med"].split("|")]
        slot["cdx"] = mark("DIAGNOSIS", c["dx_short"] if terse else c["dx"])
        slot |= {"cdrug": mark("MEDICATION", cmed[0]), "cdose": mark("DOSE", cmed[1]), "csig": cmed[2 + terse]}
        denied = [d for d in denied if d not in c["dx"] and d != c["key"]]
    slot["cnot"] = rng.choice(denied)
    allergies = [a for a, clash in ALLERGY_CLASH.items() if not clash.search(" ".join(case_drugs))]
    slot["allergy"] = rng.choice(allergies)
    if register == "pharmacy":
        slot["pharm"] = mark("PROVIDER", t.deal("place.pharmacy", PLACES[lang]["pharmacy"])[1:])
    return slot | {
        "He": capital(slot["he"]),
        "His": capital(slot["his"]),
        **{f"{k}_cap": capital(slot[k]) for k in ("aproc", "proc", "drug", "not", "odrug", "symptom", "rel")},
    }


def given_once(med: list[str]) -> bool:
    """Whether the medicine was given during the service rather than taken at home."""
    short = med[3]
    return bool(re.search(r"^I[VM]|inj|DU$|x1$", short))


def kin(sex: str, other_sex: str, age: int) -> list[str]:
    """Relations that a member of this sex and age can have."""
    parent, sibling, child, spouse = RELATIONS[other_sex]
    if age < 24:
        return [parent]
    return [sibling, *([child] if age > 48 else []), *([spouse] if sex != other_sex else [])]


def physician(rng: random.Random, culture: tuple[list[str], list[str], list[str]], lang: str, *, articles: bool) -> str:
    """The treating physician as an entity: with a title before the name, without letters after it."""
    women, men, families = culture
    sex = rng.choice("fm")
    first, last = rng.choice(women if sex == "f" else men), rng.choice(families)
    if lang == "es":
        article, title = ("la ", "Dra.") if sex == "f" else ("el ", "Dr.")
        return (article if articles else "") + mark("PROVIDER", f"{title} {first} {last}")
    form = rng.random()
    if form < 0.15:
        return mark("PROVIDER", f"{first} {last}") + " MD"
    return mark("PROVIDER", f"Dr. {last}" if form < 0.4 else f"Dr. {first} {last}")


def tell(t: Teller) -> tuple[str, list[str]]:
    """One marked narrative and its tags. Raises Redraw where the cards dealt do not go together."""
    case, register, features = t.cases.deal(), t.registers.deal(), t.features.deal().split()
    rng, own = t.rng, t.book[register]
    child = case.get("child", False)
    if (child and register not in FOR_CHILDREN) or (register == "um" and not case.get("elective")):
        raise Redraw
    if register == "um" and "conflict_date" in features:
        raise Redraw
    stays = "nights" in case and register not in {"um", "edi", "pharmacy"} and rng.random() < 0.4
    slot = facts(t, case, register, features, stays=stays)
    parts: list[str] = []
    for part in rng.choice(own["shapes"]).split():
        parts += features if part == "H" else [part]
    member = {"child": child, "old": int(slot["age"]) > 66, "mental": case["place"] == "mental"}
    unfit = [kind for kind, so in member.items() if so]
    phrases: list[str] = []
    for part in parts:
        name = "med_once" if part == "med" and slot["once"] and register != "um" else part
        phrases.append(suitable(t, register, name, slot, unfit))
        if part == "svc" and stays:
            phrases.append(suitable(t, register, "stay", slot, unfit))
    template = " ".join(phrases)
    while words(unmark(template.format_map(slot))[0]) < SHORTEST + 2:
        phrases.append(suitable(t, register, "close", slot, unfit))
        template = " ".join(phrases)
        if len(phrases) > 9:
            raise Redraw
    if len(set(phrases)) < len(phrases):
        raise Redraw
    for a, b in TOGETHER_IS_NONSENSE:
        if any(re.search(a, p) and re.search(b, q) for p in phrases for q in phrases if p != q):
            raise Redraw
    return assemble(phrases, slot, own, t.lang), tags_of(features, own, t.lang)


def suitable(t: Teller, register: str, part: str, slot: dict[str, str], unfit: list[str]) -> str:
    """A phrase of this part for which all slots can be filled. Raises Redraw after many refusals."""
    for _ in range(30):
        phrase = t.phrase(register, part)
        if set(slots(phrase)) <= slot.keys() and not any(UNFIT[u].search(phrase) for u in unfit):
            return phrase
    raise Redraw


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
    if lang == "es":
        out = re.sub(r"\b([Dd])e el (?=\[\[)", r"\1el ", out)
        out = re.sub(r"\ba el (?=\[\[)", "al ", out)
    if own.get("upper"):
        out = re.sub(r"(\[\[[A-Z_]+\|)|([^\[]+|\[)", lambda m: m[1] or m[2].upper(), out)
    return out


def tags_of(features: list[str], own: dict[str, Any], lang: str) -> list[str]:
    """The tags that follow from how the narrative was made."""
    tags = ["spanish"] if lang == "es" else []
    if own["style"] == "terse":
        tags.append("abbreviation")
    for feature, tag in (("negation", "negation"), ("conflict", "conflict"), ("look", "look_alike"), ("inject", "injection")):
        if any(f.startswith(feature) for f in features):
            tags.append(tag)
    return tags


def spoil(rng: random.Random, marked: str) -> str:
    """The narrative with a handful of typing and scanning errors, never inside an entity."""
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
        scanned = word.replace("l", "1", 1).replace("o", "0", 1)
        worse = rng.choice([swapped, word[:k] + word[k + 1 :], word[:k] + word[k] + word[k:], scanned])
        pieces[i] = pieces[i][:a] + worse + pieces[i][b:]
    return "".join(pieces)


def item(id_: str, unit: str, tags: list[str], marked: str) -> dict[str, Any]:
    """A gold item. Raises ValueError for a length or a label outside the guideline."""
    narrative, entities = unmark(marked)
    if not SHORTEST <= words(narrative) <= LONGEST:
        raise ValueError(f"{id_}: found {words(narrative)} words, expected {SHORTEST} to {LONGEST}.")
    if unknown := {e["label"] for e in entities} - set(LABELS):
        raise ValueError(f"{id_}: found labels {sorted(unknown)}, expected {', '.join(LABELS)}.")
    if words(narrative) >= LONG:
        tags = [*tags, "long"]
    return {"id": id_, "input": {"narrative": narrative}, "expected": entities, "unit": unit, "tags": tags}


def handwritten() -> Iterator[dict[str, Any]]:
    """The hand-written items, their marks turned into offsets."""
    for row in read_jsonl(HANDWRITTEN):
        yield item(row["id"], row["unit"], [*row["tags"], "handwritten"], row["narrative"])


def build(seed: int = SEED) -> list[dict[str, Any]]:
    """All items: hand-written first, then generated. Depends on nothing but the files read and the seed."""
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
            if lang == "en" and t.rng.random() < NOISY:
                marked, tags = spoil(t.rng, marked), [*tags, "noise"]
            narrative = unmark(marked)[0]
            if words(narrative) > LONGEST or too_similar(narrative, kept, ALIKE):
                continue
            number = f"{len(items) + 1:04}"
            items.append(item(f"ce-{number}", f"member-{number}", [*tags, "generated"], marked))
            kept.append(narrative)
    return items


def starter(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The 60 items of the starter project: every tag represented."""
    return balanced_subset(items, 60, seed=SEED)


if __name__ == "__main__":
    OUT.write_text(jsonl(build()), encoding="utf-8")
