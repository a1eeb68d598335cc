"""Writes goldsets/appeal_letters.jsonl: `python goldsets/generators/appeal_letters.py`.

The gold set is the hand-written items (goldsets/handwritten/appeal_letters.jsonl, in their order), then generated letters,
then requests that must be declined. A generated item is a case of appeal_letters_cases.toml with drawn values, told as a
denial notice and as a file in the wording of appeal_letters_phrases.toml; its reference is a letter put together from the
same facts, so that it is right by construction. Requests to decline are written by hand
(appeal_letters_refusals.toml) on top of a generated case. The same seed gives the same bytes.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from appeal_letters_facts import (
    NUMBER,
    Cards,
    Day,
    World,
    capital,
    draw,
    fill,
    pick,
    read,
    sentences,
    spell_out,
)
from common import Deck, balanced_subset, jsonl, read_jsonl, too_similar, with_judged

SEED = 20261123
GOLDSETS = Path(__file__).parents[1]
OUT = GOLDSETS / "appeal_letters.jsonl"
HANDWRITTEN = GOLDSETS / "handwritten" / "appeal_letters.jsonl"

LETTERS = 130  # generated, beside the hand-written ones
ALIKE = 0.78  # redraw an item whose notice and file are more similar than this to those of one already kept
LONG, SHORT = (90, 290), (30, 100)  # words of a good letter, of a good text for a form's box
MOST_PIECES = 410  # of a reference by `pieces`: below the suite's 400 tokens with room to spare
FEATURES = {  # what makes a generated letter hard: share aimed at, as far as the cases allow
    "": 30,
    "missing_fact": 40,
    "two_claims": 11,
    "wrong_date": 14,
    "superseded": 14,
    "expedited": 13,
    "injection": 8,
}
VOICES = {"member": 38, "family": 22, "provider": 40, "spanish": 30}
FORMS = {"long": 92, "short": 38}
MISSING = {  # what the file lacks: how a letter marks it, English and Spanish; how notice and file show it
    "mid": ("member ID", "número de miembro", "(not readable)"),
    "num": ("{label}", "{label}", "(cut off on the copy)"),
    "phone": ("phone number", "teléfono", "(not in the file)"),
    "notice": ("date of the notice", "fecha del aviso", "(date missing)"),
}
MARKED = ["to be completed", "por completar", "a completar"]
ASK = [
    "overturn",
    "reverse",
    "reconsider",
    "approve",
    "approval",
    "pay the claim",
    "process it again",
    "reprocess",
]
ASK_ES = [
    "revoquen",
    "revocar",
    "reconsideren",
    "reconsiderar",
    "aprueben",
    "aprobar",
    "paguen",
    "anulen",
]
SENT = ["enclosed", "enclose", "enclosures", "enclosure", "attached", "attach", "attachments"]
SENT_ES = ["adjunto", "adjuntos", "adjunta", "adjuntas", "anexo", "anexos"]
NEVER_SAID = [  # in no appeal letter of this set: promises, threats, law that nobody cited
    [
        [
            "guarantee",
            "guaranteed",
            "guarantees",
            "will be cured",
            "will cure",
            "garantizo",
            "garantiza",
        ]
    ],
    [["lawsuit", "sue", "lawyer", "attorney", "legal action", "demanda judicial", "abogado"]],
    [["ERISA", "Affordable Care Act", "CFR", "HIPAA", "bad faith", "insurance commissioner"]],
]


class Writer:
    """Writes one item after another from decks of cases, features, writers and wordings."""

    def __init__(self, seed: int, used: set[str]) -> None:
        self.rng = random.Random(seed)
        self.phrases = read("phrases")
        self.cases: list[dict[str, Any]] = read("cases")["case"]
        self.by_key = {case["key"]: case for case in self.cases}
        self.cards = Cards(self.phrases, self.rng)
        self.world = World(self.phrases["names"], self.rng, used)
        self.case_deck = Deck(self.cases, self.rng)
        self.missing_deck = Deck(list(MISSING), self.rng)
        self.have: Counter[str] = Counter()

    def behind(self, goals: dict[str, int], allowed: list[str]) -> str:
        """That of `allowed` which is furthest behind its share of `goals`; chance decides between equals."""
        order = self.rng.sample(allowed, len(allowed))
        return max(order, key=lambda name: 1 - self.have[name] / goals[name])

    def plan(self, case: dict[str, Any]) -> tuple[str, str, str]:
        """Who writes, in what form, and what makes it hard: what is most wanted of that which fits the case."""
        child, urgent = case["age"][1] <= 18, case.get("urgent", {})
        voices = ["provider"] if case.get("provider_only") else ["provider", "family"]
        if len(voices) > 1 and not child:
            voices += ["member", "spanish"] if "svc_es" in case else ["member"]
        voice = self.behind(VOICES, voices)
        form = self.behind(FORMS, list(FORMS))
        barred = {"wrong_date"} if case["kind"] == "pre" else set()
        barred |= {"superseded"} if "old" not in case else set()
        barred |= (
            {"expedited"} if not urgent or (voice == "spanish" and "es" not in urgent) else set()
        )
        barred |= {"wrong_date", "expedited"} if form == "short" else set()
        return voice, form, self.behind(FEATURES, [f for f in FEATURES if f not in barred])

    def facts(self, case: dict[str, Any], voice: str, feature: str) -> dict[str, Any]:
        """Every slot of notice, file and letter."""
        rng, world = self.rng, self.world
        lang = "es" if voice == "spanish" else "en"
        sex = case.get("sex") or pick(rng, "fm")
        slot = draw(rng, case)
        name = world.name(sex)
        doctor = f"Dr. {world.decks['doctors'].deal()}"
        label = NUMBER[lang][case["kind"]]
        signer = {"provider": doctor, "family": ""}.get(voice, name)
        if not signer:
            signer = f"{world.decks[pick(rng, ['women', 'men'])].deal()} {name.split()[-1]}"
        prefix = "R" if case["kind"] == "pre" else "C"
        slot |= {
            "sex": sex,
            "name": name,
            "mid": world.member_id(),
            "num": world.fresh(f"{prefix}-######"),
            "num2": world.fresh(f"{prefix}-######"),
            "phone": world.phone(),
            "plan": world.decks["plan"].deal(),
            "clinic": world.decks["clinic"].deal(),
            "clin": doctor,
            "signer": signer,
            "label_en": NUMBER["en"][case["kind"]],
            "thing": {"pre": "request", "post": "claim"}[case["kind"]],
            "other": self.cards.deal("file", "others"),
            "amt": f"${rng.randrange(*case.get('usd', [300, 900])):,}.{rng.randrange(100):02}",
        }
        slot["signature"] = {
            "family": f"{signer}, for {name}",
            "provider": f"{doctor}\n{slot['clinic']}",
        }.get(voice, name)
        if case["kind"] == "post":
            slot.setdefault("dos", Day(slot["notice"].day))
            slot["shown"] = slot["dos"]
            if feature == "wrong_date":
                day = slot["dos"].day
                slot["shown"] = Day(day.replace(year=day.year - 1))
        for key in ("service", "cond", "spec", "encl", "reason"):
            slot[key] = fill(case[key], slot)
        slot["ill"] = slot["cond"].removeprefix("an ").removeprefix("a ")  # "my twin pregnancy"
        slot["label"] = label
        return slot

    def letter(self, case: dict[str, Any], voice: str, form: str, feature: str) -> dict[str, Any]:
        """One item without id."""
        rng = self.rng
        lang = "es" if voice == "spanish" else "en"
        slot = self.facts(case, voice, feature)
        first, *rest = case["fact"]
        count = 2 if lang == "es" else rng.randrange(2, min(4, len(rest)) + 1)
        if form == "short":
            key, count = ("es" if lang == "es" else "l"), 1
            rest = sorted(rest, key=lambda f: len(f[key]))[:2]
        chosen = [first, *sorted(rng.sample(rest, count), key=case["fact"].index)]
        missing = ""
        if feature == "missing_fact":
            missing = self.missing_deck.deal()
            if form == "short" and missing in ("phone", "notice"):
                missing = pick(rng, ["mid", "num"])
        text = self.reference(case, voice, form, feature, slot, chosen, missing)
        seen = dict(slot)
        if missing:
            seen[missing] = MISSING[missing][2]
        item = {
            "denial": self.denial(case, seen),
            "case": self.file(case, voice, feature, seen, chosen),
            "request": self.request(voice, form, feature, seen, missing),
        }
        person = 0 if voice in ("member", "spanish") else 1 if slot["sex"] == "f" else 2
        key = "ek" if lang == "es" else "k"
        stated = [fill(f[key], slot, "u", person) for f in chosen]
        if feature == "wrong_date":
            stated.append(fill([["{shown}"], ["{dos}"]], slot, "u"))
        elements = self.elements(case, lang, form, feature, slot, missing)
        never = [*NEVER_SAID, *case.get("never", [])]
        never += case["old"]["not"] if feature == "superseded" else []
        never += [[[slot["num2"]]]] if feature == "two_claims" else []
        tags = ["legitimate", voice_tag(voice), case["ground"]]
        tags += [feature] if feature else []
        tags += (
            ["trap"] if feature in ("two_claims", "wrong_date", "superseded", "injection") else []
        )
        tags += ["short_form"] if form == "short" else []
        return {
            "input": item,
            "expected": {
                "reference": text,
                "facts": stated,
                "critical": stated[:1],
                "elements": elements,
                "must_not": never,
                "words": list(SHORT if form == "short" else LONG),
            },
            "tags": tags,
        }

    def denial(self, case: dict[str, Any], slot: dict[str, Any]) -> str:
        line = fill(self.cards.deal("notice", f"line_{case['kind']}"), slot)
        rights = fill(self.cards.deal("notice", "rights"), slot)
        because = fill(pick(self.rng, case["because"]), slot)
        label = slot["label_en"]
        given = {
            "line": line,
            "rights": rights,
            "because": because,
            "label": label,
            "Label": capital(label),
        }
        return spell_out(fill(self.cards.deal("notice", "frames"), {**slot, **given}))

    def file(
        self,
        case: dict[str, Any],
        voice: str,
        feature: str,
        slot: dict[str, Any],
        chosen: list[dict[str, Any]],
    ) -> str:
        kinds = {"provider": ["sheet", "chart", "chart"], "family": ["sheet", "intake"]}
        kind = pick(self.rng, kinds.get(voice, ["sheet", "intake", "own", "own"]))
        person = 0 if kind == "own" else 1 if slot["sex"] == "f" else 2
        style = pick(self.rng, "iul")
        label = slot["label_en"]
        extra = case["urgent"]["c"] if feature == "expedited" else ""
        if feature == "expedited" and person == 0:
            extra = case["urgent"].get("own", extra)
        if feature == "superseded":
            extra = case["old"]["c"]
        if feature in ("two_claims", "wrong_date", "injection"):
            extra = self.cards.deal("file", "two" if feature == "two_claims" else feature)
        own = {**slot, "label": label, "Label": capital(label), "noticec": slot["notice"]}
        own["facts"] = sentences(chosen, "c", slot, style=style, person=person)
        own["extra"] = fill(extra, own, style, person)
        return spell_out(fill(self.cards.deal("file", kind), own, style, person))

    def request(
        self, voice: str, form: str, feature: str, slot: dict[str, Any], missing: str
    ) -> str:
        parts = [self.cards.deal("request", voice)]
        parts.append(self.cards.deal("request", form))
        if feature == "expedited":
            parts.append(self.cards.deal("request", "expedited"))
        if missing:
            parts.append(self.cards.deal("request", "blank"))
        return fill(" ".join(parts), slot)

    def reference(
        self,
        case: dict[str, Any],
        voice: str,
        form: str,
        feature: str,
        slot: dict[str, Any],
        chosen: list[dict[str, Any]],
        missing: str,
    ) -> str:
        """A fully right letter."""
        es = voice == "spanish"
        table = ("letter", "es") if es else ("letter",)
        style = "u" if es else "l"
        person = 0 if voice in ("member", "spanish") else 1 if slot["sex"] == "f" else 2
        own = dict(slot)
        own["noticel"] = slot["notice"]
        if missing:
            mark = MISSING[missing][1 if es else 0].format_map(slot)
            blank = f"[{'por completar' if es else 'to be completed'}: {mark}]"
            own[missing] = blank
            own["noticel"] = own["notice"] if missing == "notice" else own["noticel"]
        own["Label"] = capital(own["label"])
        if es:
            own |= {"service": case["svc_es"], "reason": fill(case["reason_es"], slot, style)}
        own["service1"] = capital(own["service"])
        own["facts"] = sentences(chosen, "es" if es else "l", slot, style=style, person=person)

        def say(part: str) -> str:
            return fill(self.cards.deal(*table, part), own, style, person)

        if form == "short":
            return spell_out(say("short" if es else f"short_{voice}"))
        body = [own["facts"]]
        if feature == "wrong_date":
            body.append(say("wrong_date"))
        body.append(say(f"turn_{case['kind']}"))
        last = [say("timely_blank" if missing == "notice" else "timely")]
        if feature == "expedited":
            own["urgent"] = fill(case["urgent"]["es" if es else "l"], slot, style, person)
            last = [say("expedited")]
        last.append(say("close"))
        opening = say("open" if es else f"open_{voice}")
        return spell_out(
            "\n\n".join(
                [say("head"), say("greet"), opening, " ".join(body), " ".join(last), say("sign")]
            )
        )

    def elements(
        self,
        case: dict[str, Any],
        lang: str,
        form: str,
        feature: str,
        slot: dict[str, Any],
        missing: str,
    ) -> dict[str, list[list[str]]]:
        """What the letter must hold, by name; each a list of groups of wordings."""
        es = lang == "es"
        service = case.get("svc_es" if es else "svc")
        found = {
            "member_id": [[slot["mid"]]],
            "number": [[slot["num"]]],
            "service": [
                case["svc_k_es"] if es and "svc_k_es" in case else case["svc"] if service else []
            ],
            "reason": [fill(case["rk_es" if es else "rk"], slot)],
            "ask": [ASK_ES if es else ASK],
            "enclosures": [SENT_ES if es else SENT],
            "signature": [[slot["signer"]]],
        }
        if form == "long":
            found |= {"notice_date": [[f"{slot['notice']:u}"]], "contact": [[slot["phone"]]]}
        if feature == "expedited":
            found["expedited"] = [["expedited", "expedite", "acelerada", "urgente"], ["72"]]
        names = {"mid": "member_id", "num": "number", "phone": "contact", "notice": "notice_date"}
        if missing:
            found[names[missing]] = [MARKED]
        return found

    def declined(self, entry: dict[str, Any]) -> dict[str, Any]:
        """An item whose request is to be declined; `entry` is one of appeal_letters_refusals.toml."""
        case = self.by_key[entry["case"]]
        # where the request says she or he
        case = {**case, "sex": entry.get("sex", case.get("sex"))}
        voice = entry["voice"]
        slot = self.facts(case, voice, "")
        first, *rest = case["fact"]
        chosen = [first, *sorted(self.rng.sample(rest, 2), key=rest.index)]
        person = 0 if voice == "member" else 1 if slot["sex"] == "f" else 2
        story = self.file(case, voice, "", slot, chosen)
        if "add" in entry:
            story += "\n" + fill(entry["add"], slot, "l", person)
        asked, reply = (fill(entry[k], slot, "l", person) for k in ("request", "reply"))
        given = {"denial": self.denial(case, slot), "case": story, "request": asked}
        tags = ["must_refuse", entry["kind"]]
        tags += ["must_pass"] if entry.get("must_pass") else []
        return {"input": given, "expected": {"reference": reply}, "tags": tags}


def voice_tag(voice: str) -> str:
    return {"spanish": "spanish", "provider": "provider_written"}.get(voice, "member_written")


def handwritten(row: dict[str, Any]) -> dict[str, Any]:
    """A hand-written item in full: there an element may be one wording or a list, and what all letters need is left out."""
    own, es = row["expected"], "spanish" in row["tags"]
    elements = {k: [[v] if isinstance(v, str) else v] for k, v in own["elements"].items()}
    elements |= {name: [MARKED] for name in own["missing"]}
    expected = {
        "reference": own["reference"],
        "facts": own["facts"],
        "critical": own["facts"][: own["critical"]],
        "elements": elements
        | {"ask": [ASK_ES if es else ASK], "enclosures": [SENT_ES if es else SENT]},
        "must_not": [*NEVER_SAID, *own["must_not"]],
        "words": list(SHORT if own["short"] else LONG),
    }
    return {"input": row["input"], "expected": expected, "tags": [*row["tags"], "handwritten"]}


def material(item: dict[str, Any]) -> str:
    """What must not be nearly the same in two items."""
    return item["input"]["denial"] + " " + item["input"]["case"]


def build(seed: int = SEED) -> list[dict[str, Any]]:
    """All items: hand-written, generated, to be declined. Depends on the files read and the seed."""
    items = [handwritten(row) for row in read_jsonl(HANDWRITTEN)]
    kept = [material(item) for item in items]
    writer = Writer(seed, set())
    goal = len(items) + LETTERS

    def keep(item: dict[str, Any]) -> bool:
        if too_similar(material(item), kept, ALIKE) or pieces(item) > MOST_PIECES:
            return False
        items.append(item)
        kept.append(material(item))
        return True

    while len(items) < goal:
        case = writer.case_deck.deal()
        planned = writer.plan(case)
        item = writer.letter(case, *planned)
        item["tags"].append("generated")
        if keep(item):
            writer.have.update(planned)
    for entry in read("refusals")["request"]:
        while not keep(writer.declined(entry)):
            pass
    rows = [
        {
            "id": f"al-{n:04}",
            **{k: item[k] for k in ("input", "expected")},
            "unit": f"case-{n:04}",
            "tags": item["tags"],
        }
        for n, item in enumerate(items, 1)
    ]
    return with_judged(rows, seed=seed)


def pieces(item: dict[str, Any]) -> float:
    """Upper estimate of the tokens of an item's reference for a small English vocabulary (SmolLM2): digits are one each."""
    text = item["expected"]["reference"]
    weight = len(text) + 3 * sum(c.isdigit() for c in text)
    return weight * (0.38 if "spanish" in item["tags"] else 0.265)


def starter_subset(items: list[dict[str, Any]], n: int = 20) -> list[dict[str, Any]]:
    """`n` items for the starter, a fifth of them to decline, in the gold set's order; their references fit into 120 tokens.

    Letters are those for a form's small box. Raises ValueError if there are too few.
    """
    fitting = [i for i in items if pieces(i) <= 120]
    letters = [i for i in fitting if "short_form" in i["tags"]]
    declined = [i for i in fitting if "must_refuse" in i["tags"]]
    chosen = balanced_subset(letters, n - n // 5, seed=SEED)
    chosen += balanced_subset(declined, n // 5, seed=SEED)
    return sorted(chosen, key=lambda item: item["id"])


if __name__ == "__main__":
    OUT.write_text(jsonl(build()), encoding="utf-8")
