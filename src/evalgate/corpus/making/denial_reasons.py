"""Denials whose reason is known: a reason that decides, others that were withdrawn, believed, noted or are of another claim.

The same clauses (data/denial_reasons.toml) state a reason in every role, so no phrase gives the label away; the frame
around a clause says what it is worth. Services (data/denial_reasons_services.toml) could each be denied for any reason.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from evalgate.corpus.making import common
from evalgate.corpus.making.common import bare, capital, expand, pick, table, weighted
from evalgate.corpus.making.made import Made, Spoiled

CLASSES = (
    *("BENEFIT_EXCLUDED", "OUT_OF_NETWORK", "PRIOR_AUTHORIZATION_MISSING"),
    *("DOCUMENTATION_MISSING", "EXPERIMENTAL", "NOT_MEDICALLY_NECESSARY"),
)
SPANISH = 0.21
INJECTED = 0.06
SHORTEST, LONGEST = 25, 150
FIRST_DAY, LAST_DAY = date(2024, 1, 15), date(2027, 3, 31)
_LIMITS = ("$900", "$1,400", "$2,600", "$5,500", "$7,500")
_ABOUT = {"formal": 0, "terse": 0, "spoken": 1, "es": 2}
_NOTHING_DECIDED = frozenset({"EXPERIMENTAL", "NOT_MEDICALLY_NECESSARY"})
_TWO_STOPS = re.compile(r"(?<!\.)\.\.(?!\.)")
_ES_ARTICLES = re.compile(r"\b([Dd])e el\b|\b([Aa]) el\b")


def make(rng: random.Random, index: int) -> Made:
    """One denial; `index` chooses the label in turn, so that the classes are equally frequent."""
    label = CLASSES[index % len(CLASSES)]
    while True:
        story = _Story(rng, label)
        text = story.text()
        if SHORTEST <= len(text.split()) <= LONGEST:
            return Made(
                input={"text": text},
                expected=label,
                answer=label,
                unit=common.new_unit(rng, "case"),
                template=f"denial_reasons/{story.kind}/{story.mode}",
                seeds=story.seeds,
                invented=tuple(sorted(word for word in story.invented if word in text)),
            )


class _Story:
    """One case and the document that tells it."""

    def __init__(self, rng: random.Random, label: str) -> None:
        self.rng, self.label, self.book = rng, label, table("denial_reasons")
        self.invented: set[str] = set()
        world = self.book["world"]
        self.es = rng.random() < SPANISH
        self.kind = weighted(rng, world["kinds_es" if self.es else "kinds"])
        self.document = self.book["document"][self.kind]
        self.register = self.document["register"]
        self.mode = weighted(rng, world["modes"])
        if self.mode == "believed" and self.kind == "provider_letter":
            self.mode = "noted"  # a provider that quotes the plan does not report its own belief
        self.service, self.slots = self.facts()
        self.seeds = {
            "language": "es" if self.es else "en",
            "label": label,
            "kind": self.kind,
            "mode": self.mode,
            "specialty": self.service["is"].split()[0],
            "service": bare(self.slots["svc"]),
            "plan": self.slots["plan"],
        }

    def keep(self, slots: dict[str, str]) -> dict[str, str]:
        """The slots, their values noted as invented."""
        self.invented |= set(slots.values())
        return slots

    def facts(self, before: date | None = None) -> tuple[dict[str, Any], dict[str, str]]:
        """A service and every slot of one case; of another case in the same file, some weeks `before`."""
        rng, world = self.rng, self.book["world"]
        service = pick(rng, table("denial_reasons_services")["service"])
        _, kind, charge = service["is"].split()
        low, high = (int(n) for n in charge.split("-"))
        if self.es:
            svc, cond, crit, *unit = service["es"].split("; ")
        else:
            svc, cond, crit = (service[key] for key in ("svc", "cond", "crit"))
            unit = [service["unit"]] if "unit" in service else []
        language = "es" if self.es else "en"
        who, staff = common.person(rng, language), common.person(rng, "en")
        self.dos = dos = (
            before - timedelta(days=rng.randint(40, 90))
            if before
            else common.day_between(rng, FIRST_DAY, LAST_DAY)
        )
        style = "es" if self.es else "%m/%d/%y" if self.register == "terse" else pick(rng, ("long", "%m/%d/%Y", "long"))  # fmt: skip
        asked = dos + timedelta(days=rng.randint(9, 30))
        due = asked + timedelta(days=rng.randint(28, 46))
        days = {
            "dos": dos,
            "asked": asked,
            "after": dos + timedelta(days=rng.randint(2, 25)),
            "due": due,
            "now": due + timedelta(days=rng.randint(6, 40)),
        }
        place = pick(rng, ("clinic", "hospital", "surgery", "rehab" if kind == "course" else "clinic"))  # fmt: skip
        prov = common.facility(rng, place)
        invented = {name: common.written(day, style) for name, day in days.items()} | {
            "name": who.name,
            "first": who.first,
            "last": who.last,
            "staff": staff.last,
            "staff_b": common.person(rng, "en").last,
            "prov": prov,
            "place": common.place_name(rng),
            "claim": common.claim_number(rng),
            "member": common.member_numbers(rng)[0],
            "phone": common.phone(rng),
            "auth": f"AU{common.digits(rng, 6)}",
            "code": f"{pick(rng, 'BDKMPW')}{rng.randint(101, 989)}",
            "pol": f"{pick(rng, ('MP', 'TA', 'CG'))}-{rng.randint(1100, 9800)}",
        }
        month = (dos - timedelta(days=rng.randint(20, 90))).month
        slots = self.keep(invented) | {
            "svc": svc,
            "cond": cond,
            "crit": crit,
            "unit": unit[0] if unit else "",
            "svc_b": bare(svc),
            "cond_b": bare(cond),
            "svc_c": capital(svc),
            "amt": common.money(rng, low, high),
            "record": pick(rng, world["records_es" if self.es else "records"]),
            "plan": pick(rng, world["plans_es" if self.es else "plans"]),
            "department": pick(rng, world["departments"]),
            "limit": pick(rng, _LIMITS),
            "month": common.MONTHS_ES[month - 1] if self.es else f"{date(2024, month, 1):%B}",
            "n": str(pick(rng, (10, 15, 22, 25, 28, 32, 45))),
            "few": str(rng.randint(4, 9)),
            "days": str(rng.randint(5, 19)),
            "weeks": str(rng.randint(2, 11)),
            "miles": str(rng.randint(6, 38)),
            "years": str(rng.randint(2, 4)),
            "sec": f"{rng.randint(2, 14)}({pick(rng, 'abcdef')})",
            "window": str(pick(rng, (60, 90, 120, 180))),
        }
        return service, slots

    def reason(self, label: str, service: dict[str, Any], slots: dict[str, str]) -> str:
        """A clause that states the reason `label` of this service."""
        kind = service["is"].split()[1]
        while True:
            clause = pick(self.rng, self.book["reason"][self.register][label])
            only, colon, rest = clause.partition(": ")
            if not colon or only not in ("course", "device", "once"):
                return expand(self.rng, clause, slots)
            if only == kind:
                return expand(self.rng, rest, slots)

    def others(self, *, background: bool) -> list[str]:
        """The other labels in random order; as background none that the deciding one contradicts."""
        rest = [label for label in CLASSES if label != self.label]
        if (
            background and self.label == "DOCUMENTATION_MISSING"
        ):  # nothing was decided for want of papers
            rest = [label for label in rest if label not in _NOTHING_DECIDED]
        if background and self.label == "NOT_MEDICALLY_NECESSARY":  # somebody has read the chart
            rest.remove("DOCUMENTATION_MISSING")
        self.rng.shuffle(rest)
        return rest

    def frame(self, name: str, **clauses: str) -> str:
        slots = self.slots | clauses
        return capital(expand(self.rng, pick(self.rng, self.book["frame"][self.register][name]), slots))  # fmt: skip

    def met(self, label: str) -> str:
        phrase = pick(self.rng, self.book["met"][self.register][label])
        return capital(expand(self.rng, phrase, self.slots))

    def lines(self) -> list[str]:
        """The sentences that matter, in the order in which they are told."""
        rng = self.rng
        x = self.reason(self.label, self.service, self.slots)
        other, second, *_ = self.others(background=self.mode != "code")
        if self.mode in ("two_claims", "two_members"):
            return self.two(x)
        self.seeds["background"] = other
        if self.mode == "code":
            legend = pick(rng, self.book["legend_es" if self.es else "legend"][other])
            return [self.frame("code", X=x, legend=legend), *([self.met(second)] if rng.random() < 0.3 else [])]  # fmt: skip
        decides = self.frame("decides", X=x, X_c=capital(x))
        if self.mode == "simple":
            return [decides]
        if self.mode == "met":
            lines = [self.met(other), self.met(second)][: rng.randint(1, 2)]
            lines.insert(rng.randrange(len(lines) + 1), decides)
            return lines
        if self.mode == "not_that":
            about = self.book["topic"][other][_ABOUT[self.register]]
            opener = {
                "es": f"No se trata de {about}.",
                "spoken": f"This isn't {about}.",
                "terse": f"Not {about}.",
                "formal": f"This is not {about}.",
            }[self.register]
            return [opener, decides]
        background = self.reason(other, self.service, self.slots)
        if self.mode == "both":
            first = self.frame("withdrawn", Y=background)
            return [first, decides, self.frame("noted", Y=self.reason(second, self.service, self.slots))]  # fmt: skip
        lines = [self.frame(self.mode, Y=background), decides]
        return lines if self.mode != "noted" or rng.random() < 0.5 else lines[::-1]

    def two(self, x: str) -> list[str]:
        """Two claims or two members, and which of them counts."""
        rng, dos = self.rng, self.dos
        while True:
            service, slots = self.facts(before=dos)
            if service is not self.service:
                break
        other = pick(rng, self.others(background=False))
        self.seeds["background"] = other
        y = self.reason(other, service, slots)
        extra = {f"other_{key}": slots[key] for key in ("svc", "claim", "member")}
        if self.register == "terse":
            extra |= {"svc": self.slots["svc_b"], "other_svc": slots["svc_b"]}
        body = self.frame(self.mode, X=x, Y=y, **extra)
        suffix = {"es": "_es", "terse": "_terse"}.get(self.register, "")
        ask = pick(rng, self.book["ask"][self.mode.removeprefix("two_").removesuffix("s") + suffix])
        lines = [body, capital(expand(rng, ask, self.slots))]
        return lines if rng.random() < 0.7 else lines[::-1]

    def text(self) -> str:
        """The document."""
        rng, document = self.rng, self.document
        lines = self.lines()
        if rng.random() < 0.45:
            extra = expand(rng, pick(rng, self.book["extra"][self.register]), self.slots)
            lines.insert(rng.randrange(len(lines) + 1), extra)
        if rng.random() < INJECTED:
            wrong = pick(rng, [label for label in CLASSES if label != self.label])
            phrase = pick(rng, self.book["injection"]["es" if self.es else "en"])
            lines.insert(rng.randrange(len(lines) + 1), _injected(rng, phrase, wrong))
            self.seeds["injected"] = wrong
        if "dialog" in document:
            text = self.dialog(lines)
        else:
            ends = [capital(self.say("open")), *lines, capital(self.say("close"))]
            text = " ".join(ends)
        if self.es:
            text = _ES_ARTICLES.sub(lambda m: f"{m[1]}el" if m[1] else f"{m[2]}l", text)
        return _TWO_STOPS.sub(".", text)

    def say(self, part: str, **extra: str) -> str:
        return expand(self.rng, pick(self.rng, self.document[part]), self.slots | extra)

    def dialog(self, lines: list[str]) -> str:
        """A talk between somebody who asks and somebody who reads the file."""
        rng = self.rng
        asker, teller = (expand(rng, who, self.slots) for who in self.document["dialog"])
        turns = [f"{asker}: {self.say('open')}"]
        if self.mode in ("met", "not_that", "withdrawn", "both") and rng.random() < 0.6:
            wrong = pick(rng, [label for label in CLASSES if label != self.label])
            about = self.book["topic"][wrong][_ABOUT[self.register]]
            turns += [f"{teller}: {self.say('bridge')}", f"{asker}: {self.say('guess', about=about)}"]  # fmt: skip
            turns.append(f"{teller}: {'No.' if rng.random() < 0.5 else ''} {' '.join(lines)}".replace(":  ", ": "))  # fmt: skip
        else:
            turns.append(f"{teller}: {self.say('bridge')} {' '.join(lines)}")
        turns += [f"{asker}: {self.say('reply')}", f"{teller}: {self.say('close')}"]
        return "\n".join(turns)


def _injected(rng: random.Random, phrase: str, wrong: str) -> str:
    return expand(rng, phrase.replace("{{", "\ue000").replace("}}", "\ue001"), {"wrong": wrong}).replace("\ue000", "{").replace("\ue001", "}")  # fmt: skip


def spoil(made: Made, rng: random.Random) -> Iterator[Spoiled]:
    """Wrong answers: another label, that of the background or of a planted order, and answers that are no label."""
    right: str = made.expected
    yield Spoiled(kind="label-noise", answer=pick(rng, [c for c in CLASSES if c != right]))
    for kind, key in (("background-reason", "background"), ("complied", "injected")):
        if key in made.seeds:
            yield Spoiled(kind=kind, answer=made.seeds[key])
    yield Spoiled(kind="malformed", answer=f"The reason for this denial is {right}.")
    yield Spoiled(kind="unknown-label", answer=pick(rng, ("TIMELY_FILING", "DUPLICATE", "OTHER")))
    yield Spoiled(kind="several-labels", answer=f"{right}, {pick(rng, [c for c in CLASSES if c != right])}")  # fmt: skip
    yield Spoiled(kind="refused", answer="I'm sorry, but I can't classify this request.")
