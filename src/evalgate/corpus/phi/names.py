"""Names of people by what stands around them: titles, labels, greetings, signatures, ages, verbs of people. No list of names.

A name that was given away once is found wherever the same text writes it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from evalgate.corpus.phi.finding import Finding
from evalgate.corpus.phi.words import BOTH, ENDINGS, EPONYMS, LEADERS, NOT_PEOPLE, ORDINARY

_UP = "".join(
    c for c in map(chr, [*range(0x41, 0x590), *range(0x1E00, 0x2000)]) if c.isupper() or c.istitle()
)
_CASELESS = "\u05d0-\u05ea\u0620-\u06ff\u0900-\u0dff\u0e01-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1200-\u137f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = rf"(?:(?:[dl]['’])?[{_UP}](?:[\w'’`-]*\w)?|[{_CASELESS}][{_CASELESS}\u200c]*)"
_PARTICLE = r"(?:de|del|della|dela|da|das|do|dos|di|du|des|la|le|las|los|van|von|der|den|ter|ten|te|zu|zum|af|av|bin|binti|bint|bar|bat|ibn|al|el|ben|y|e|ní|ap)"
_PART = rf"(?:[{_UP}]\.(?![{_UP}]\.)|{_WORD})"
_RUN = re.compile(
    rf"(?<![\w@./-])(?:{_PARTICLE} ){{0,2}}(?:al-|el-)?{_PART}(?: {{1,2}}(?:{_PARTICLE} ){{0,3}}(?:al-|el-)?{_PART})*(?![@/])"
)
_TOKEN = re.compile(rf"(?:al-|el-)?{_PART}|{_PARTICLE}")

_TITLE = re.compile(
    r"(?:^|[^\w])(?:mr|mrs|ms|mx|dr|drs|prof|rev|sr|sra|dra|hon)\.? {0,2}$|(?:^|[^\w])(?:Miss|Doctor|Professor|Nurse|Señora?|Sister|Father|"
    r"Pastor|Rabbi|Imam|Judge|Herr|Frau|Madame|Monsieur|Sir|Aunt|Uncle|Auntie|Grandma|Grandpa|Nana|Se[ñn]orita|Don|Doña|Tía|Tío) $",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"(?:^|[\n.!?:>\]] *|, )(?:dear|hi|hi there|hello|hey|thanks|thank you|many thanks|good morning|good afternoon|good evening|morning|welcome|"
    r"bye|goodbye|hola|estimad[oa]|querid[oa]|buenos d[ií]as|okay|all right|alright|so)[ ,]{1,3}$",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"\b(?:sincerely|regards|truly|faithfully|respectfully|wishes|thanks|thank you|yours|cheers|atentamente|cordially|gratefully|signed|signature)"
    r"[,.!]?(?: yours)?[,.]?\s*\n\s*\Z|(?:\b(?:signed|dictated|reviewed|prepared|written|approved|authored|transcribed|verified|entered|taken|"
    r"cosigned|completed|submitted|witnessed|interpreted|performed|ordered|prescribed|referred|seen|examined|evaluated|followed|accompanied|treated)"
    r"(?: \w+)? (?:and \w+ )?by|/s/|\b(?:cc|bcc|attn|attention|from|to|by|re|sent by|on behalf of))[:.]? *\Z",
    re.IGNORECASE,
)
_HEADER = re.compile(r"(?:from|to|re)\b", re.IGNORECASE)
_PERSON_VERB = re.compile(
    r"(?:^|[^\w])(?:(?:spoke|speak|spoken|speaking|talked|talk|talking|met|meet|meeting|lives?|living|stay(?:s|ed|ing)?|visit(?:s|ed)?|appointment|"
    r"visit|consult(?:ed)?|discussed|coordinated|checked in|session) (?:\w+ )?(?:with|to)|named|name is|name's|names are|nickname|"
    r"goes by|known as|a\.?k\.?a\.?|i am|i'm|this is|it is|it's|saw|told|asks?|asked|phoned|emailed|contact|contacted|reach(?:ed)?|ask for|helped|regarding|about|request of|according to|per|thanks to|on account of|attributed to|"
    r"appeals? of|claims? of|case of|chart of|file of|behalf of|care of|c/o|estate of|death of|birth of|parents? of|mother of|father of|wife of|husband of|son of|daughter of|"
    r"me llamo|se llama|soy|named after|married to|married|divorced from|survived by|caring for|cares for|care for)[,:]? +$",
    re.IGNORECASE,
)
_SAYS_NAME = re.compile(
    r"(?:name is|name's|i am|i'm|this is|named|me llamo|soy|se llama|told|phoned|emailed|saw|met|spoke (?:\w+ )?with|talked (?:\w+ )?(?:to|with)|ask for|met with|goes by)[,:]? +$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"(?:'s|’s)?(?:,? (?:is|was) (?:an?|the|my|our) (?:\w+ )?\d{1,3}[ -]?(?:-?year|-?month|-?week|-?day|yo\b|y\.?/?o)|,? ?\(?(?:an? \d{1,3}[- ](?:year|month|week|day|yo)|(?:aged?|age:?) ?\d{1,3}\b)"
    r"|,? \(?\d{1,3}(?:[ -]?(?:years?[ -]old|yrs?[ -]old|yo\b|y/o)|[MF]\b|,(?= ))|,? (?-i:M\.?D|D\.?O|R\.?N|N\.?P|P\.?A(?:-C)?|Ph\.?D|D\.?D\.?S|Pharm\.?D|L\.?C\.?S\.?W|"
    r"L\.?P\.?N|C\.?N\.?A|P\.?T|O\.?T|J\.?D|Esq|Jr|Sr|D\.?P\.?M|D\.?C|LMFT|CRNA|FNP|APRN)\b"
    r"|,? [(<]?(?:DOB|D\.O\.B|born|date of birth|MRN|SSN|member (?:id|number|no)|ID\b|claim (?:no|number))|[,;|]? \(?\d{1,2}/\d{1,2}/\d{2,4}| ?[(<]\S+@)",
    re.IGNORECASE,
)
_DOES = re.compile(
    r"(?:'s|’s)? (?:(?:who |also |has |had |then |still |now |never |always |often |recently |currently |first |later )?(?:said|says|stated|states|reported|reports|denied|denies|called|calls|"
    r"wrote|writes|asked|asks|told|tells|complain(?:s|ed)|presents|presented|lives|lived|works|worked|agreed|agrees|underwent|received|visited|"
    r"requested|requests|signed|phoned|confirmed|explained|explains|wants|wanted|needs|needed|feels|felt|thinks|takes|took|had|has|likes|came|comes|went|goes|"
    r"arrived|noticed|notes|fell|suffers|suffered|smokes|drinks|sleeps|lost|gained|developed|describes|described|endorses|admits|brought|"
    r"wakes|walks|uses|tried|remembers|died|passed|returned|returns|follows|followed|lets|gave|gives|knows|knew|thanked|drives|helps|smiled|"
    r"was (?:born|admitted|seen|diagnosed|discharged|treated|referred|taken|told|given|brought|started|hospitalized|placed|found|here|able|last|well|doing)|"
    r"is (?:here|doing|a|an|taking|in|on|being|seen|not|currently|able|well|very|married|divorced|widowed|retired)|will|would|can|does|did)\b)",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r" (?:(?:who |also |then |still |now |never |always |often |recently |currently |first |later )?(?:said|says|stated|states|reported|reports|denies|"
    r"wrote|writes|asked|asks|told|complain(?:s|ed)|presented|lives|lived|works|worked|agreed|agrees|underwent|visited|phoned|wants|wanted|thinks|"
    r"likes|noticed|suffers|smokes|drinks|admits|remembers|died|thanked|drives|smiled|takes care|"
    r"was (?:born|admitted|seen|diagnosed|discharged|referred|hospitalized|here)|is (?:here|doing well|married|divorced|widowed|retired|\d))\b)",
)
"""Verbs of people only: what may follow one capitalised word that begins a sentence."""
_FIELD_END = re.compile(
    r" *(?:$|\n|[;|<(\"\]]|, ?[^\W\d_]+[.\n;(]|, ?[^\W\d_]+$|,? *(?:\d|[^\W\d_]+ ?[:#=])|  )"
)
"""What ends a field that is one word: in "Patient: Well, I fell" the word is speech."""
_STRONG = frozenset(
    (
        "a label",
        "a title",
        "a greeting",
        "a signature",
        "a person's role before it",
        "a verb of people before it",
    )
)
_MISREAD = re.compile(r"[^\W\d_]{2,}[013458][^\W\d_]{2,}")
_MADE = re.compile(r"[^\W\d_]{3,}\d{1,4}")
_SPEAKER = re.compile(r" ?:(?!\d)")
_LINE_START = re.compile(r"(?:^|\n)[ \t>*\-•\d.)(\[|\"]*$")
_LABELLED = re.compile(
    r"(?P<label>[^\W_][\w'’ /().-]{1,40}?)[\"'*_]*\s?(?P<mark>[:;=|#]|\.{2,}|-|\n)+[\"'*_|> ]*\s?$"
)
_LABELS = """
    name patientname nameofpatient membername nameofmember fullname lastname firstname givenname familyname surname patient member
    subscriber subscribername enrollee enrolleename beneficiary beneficiaryname insured insuredname nameofinsured policyholder
    policyholdername claimant claimantname client clientname applicant applicantname guarantor guarantorname dependent dependentname
    provider providername physician physicianname attending attendingphysician primarycarephysician primarycareprovider pcp surgeon
    assistantsurgeon nurse therapist pharmacist doctor referringphysician referringprovider orderingphysician orderingprovider
    renderingprovider emergencycontact contact contactname contactperson nextofkin guardian legalguardian representative
    authorizedrepresentative caller callername spouse spousename husband wife mother father son daughter sister brother parent partner
    mothersname fathersname caregiver signature signed signedby author dictatedby reviewedby preparedby employee employeename
    employer witness attorney from to attn cc re requester requestedby reviewer interpreter nombre paciente nombredelpaciente
    miembro afiliado beneficiario patientsname membersname alias aka maidenname accountholder cardholder nameoncard
""".split()  # fmt: skip
_WEAK_LABELS = frozenset(
    "from to cc re provider employer contact patient member doctor signed partner representative reviewer caller".split()
)
_PEOPLE = frozenset("""
    patient member subscriber enrollee beneficiary insured policyholder claimant client applicant guarantor dependent wife husband
    spouse son daughter brother sister mother father mom dad parent aunt uncle cousin niece nephew grandson granddaughter grandmother
    grandfather partner boyfriend girlfriend fiancé fiancée friend neighbor neighbour boss coworker roommate caregiver physician
    surgeon nurse therapist dentist attorney guardian doctor caller pt oncologist cardiologist neurologist pediatrician paciente
    hermano hermana hijo hija madre padre esposo esposa baby twin twins child
""".split())  # fmt: skip
_AFTER_PEOPLE = re.compile(
    r"(?P<who>[^\W\d_]{2,})(?:'s name)?(?:,| is| was|, who is| named|, named)? {1,2}$"
)
_LOWER = re.compile(
    r"(?:\b(?:my name is|my name's|name is|patient name|member name|full name|this is (?=\w+ \w+ (?:calling|speaking|here)))\s*[:=]?\s*"
    r"|(?:^|\n) {0,8}(?:patient|member|subscriber|name) {0,2}: {0,2}"
    r"|(?<![\w.])(?:mr|mrs|dr|ms)\.? (?!\w+['’]))(?P<name>[^\W\d_][^\W\d_'’-]+(?: [^\W\d_][^\W\d_'’-]+){0,2})",
)
_HAIL = re.compile(r"(?:^|[\n\].!?:] *)(?:hi|hello|hey|dear|good morning|good afternoon|good evening|thanks|thank you)[ ,]{1,3}(?P<name>[a-z][a-z'’-]+)(?= ?[,.!?\n]| how\b|$)")  # fmt: skip
_NOT_HAILED = ORDINARY | frozenset(
    "everybody everyone there all team folks again guys buddy sweetie honey dude ma'am sorry both much bye yeah yep alright doc it's i'm".split()
)


_CONTRACTED = re.compile(r"['’](?:m|ve|ll|re|d|t)$")


@lru_cache(maxsize=20_000)
def _ordinary(word: str) -> bool:
    bare = word.rstrip(".").lower().removesuffix("'s").removesuffix("’s")
    return bare in ORDINARY or not bare[:1].isalpha() or _CONTRACTED.search(bare) is not None


def _flat(label: str) -> str:
    return (
        re.sub(r"[\W_]+", "", label.lower())
        .translate(str.maketrans("01|5834", "oliseba"[:7]))
        .replace("rn", "m")
    )


_LABEL_KEYS = {_flat(label): label for label in _LABELS}


@lru_cache(maxsize=20_000)
def _label(written: str) -> str | None:
    """The label of a name that the last words before a mark mean, slips allowed for."""
    words = written.split()
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    for k in range(min(4, len(words)), 0, -1):
        key = _flat("".join(words[-k:]))
        if found := _LABEL_KEYS.get(key):
            return found
        most = 0 if len(key) < 6 else 1 if len(key) < 9 else 2
        if most and len(key) < 30:
            near = process.extractOne(
                key, tuple(_LABEL_KEYS), scorer=OSA.distance, score_cutoff=most
            )
            if near:
                return _LABEL_KEYS[near[0]]
    return None


@lru_cache(maxsize=20_000)
def _person(word: str) -> bool:
    if word in _PEOPLE:
        return True
    if len(word) < 6:
        return False
    from rapidfuzz.distance import OSA

    return any(len(p) > 5 and OSA.distance(word, p, score_cutoff=1) <= 1 for p in _PEOPLE)


def _has_code(words: list[str]) -> bool:
    """Whether a word is a code: more than one figure in it, or a figure at its end. "Gail417" of made records is none."""
    return any(
        "_" in w
        or ((w[-1].isdigit() or sum(c.isdigit() for c in w) > 1) and not _MADE.fullmatch(w))
        for w in words
    )


class _Run:
    """A sequence of capitalised words without an ordinary one, and the text on both sides of it."""

    def __init__(self, text: str, spans: list[tuple[int, int]]) -> None:
        self.text, self.start, self.end = text, spans[0][0], spans[-1][1]
        self.words = [text[a:b] for a, b in spans]
        self.before = text[max(0, self.start - 70) : self.start]
        self.after = text[self.end : self.end + 60]

    @property
    def capitals(self) -> bool:
        return all(w.isupper() for w in self.words if len(w) > 2) and any(
            len(w) > 2 for w in self.words
        )

    def reason(self, lower: frozenset[str]) -> str | None:  # noqa: C901, PLR0912 (a table of cases, first match wins)
        """What gives the name away, None where nothing does."""
        if _has_code(self.words):
            return None
        institution = _next_word(self.after) in NOT_PEOPLE
        before, many = self.before, len(self.words) > 1
        if _TITLE.search(before) and not before.endswith(("MS ", "MR ", "DO ")):
            return "a title"
        if (
            not institution
            and (match := _LABELLED.search(before))
            and (label := _label(match["label"]))
        ):
            weak = label in _WEAK_LABELS and match["mark"] != ":" and not many
            if not weak and (
                many
                or (
                    match["mark"] != "\n"
                    and (_FIELD_END.match(self.after) or _with_given(self.text, self) > self.end)
                )
            ):
                return "a label"
        if institution:
            return None
        if _GREETING.search(before) and (many or re.match(r" ?[,.!?:;\n]|$| how\b", self.after)):
            return "a greeting"
        if (match := _SIGN_OFF.search(before)) and not self.capitals and not self._worded(lower):
            head = (
                _HEADER.match(match.group()) is not None
            )  # "to" and "from" name people at the head of a letter only
            if not head or (many and _LINE_START.search(before[: match.start()])):
                return "a signature"
        if many and all(_MADE.fullmatch(w) for w in self.words):
            return "names with the figures of made records"
        if self._eponym:
            return None
        if (
            (match := _AFTER_PEOPLE.search(before))
            and _person(match["who"].lower())
            and (many or self._alone_after(match))
        ):
            return "a person's role before it"
        if (
            _AFTER.match(self.after)
            and not self.capitals
            and (many or not _technical(self.words[0]))
        ):
            return "an age, a degree or a birth behind it"
        if self.capitals or any(_MADE.fullmatch(w) for w in self.words):
            return None
        if (
            _PERSON_VERB.search(before)
            and (many or _SAYS_NAME.search(before))
            and not self._worded(lower)
        ):
            return "a verb of people before it"
        if (
            (_DOES if many else _SAYS).match(self.after)
            and not self._worded(lower)
            and (many or not _technical(self.words[0]))
        ):
            return "a verb of people behind it"
        if many and not self._worded(lower) and self._bare:
            if _SPEAKER.match(self.after) and _LINE_START.search(before):
                return "a speaker"
            return "capitalised words"
        return None

    def _alone_after(self, role: re.Match[str]) -> bool:
        """Whether one word after a role may be a name: not after "the patient", who is given things that are written so."""
        given = role["who"].lower() in ("patient", "pt", "baby", "child", "client", "member")
        return not _technical(self.words[0]) and (not given or "named" in role.group())

    @property
    def _eponym(self) -> bool:
        return (
            any(re.sub(r"['’]s?$", "", w).lower() in EPONYMS for w in self.words)
            and len(self.words) == 1
        )

    def _worded(self, lower: frozenset[str]) -> bool:
        """Whether a word of it is also written small in this text, or is figures and letters."""
        return any(
            w.lower() in lower or (any(c.isdigit() for c in w) and not _MISREAD.fullmatch(w))
            for w in self.words
            if len(w) > 1 and w[0].isupper()
        )

    @property
    def _bare(self) -> bool:
        words = [w.rstrip(".") for w in self.words]
        full = [w for w in words if len(w) > 1]
        if (
            not 1 <= len(full) <= 4
            or words[0].lower() in LEADERS
            or len(words) > 5
            or len(words[-1]) < 2
        ):
            return False
        if any(w.isupper() and len(w) > 1 for w in full) or any(
            _technical(w) or w.lower() in NOT_PEOPLE for w in full
        ):
            return False
        return not any(re.sub(r"['’]s?$", "", w).lower() in EPONYMS for w in full)


@lru_cache(maxsize=20_000)
def _technical(word: str) -> bool:
    small = re.sub(r"['’]s$", "", word).lower()
    return len(small) > 5 and small.endswith(ENDINGS)


def _next_word(after: str) -> str:
    match = re.match(r"(?:['’]s)? ?([^\W\d_]+)", after)
    return match.group(1).lower() if match else ""


def names(text: str) -> Iterator[Finding]:
    """Every name of a person in a folded text that its surroundings give away."""
    lower = frozenset(re.findall(r"\b[^\W\d_A-Z][^\W\d_]{2,}", text))
    known: dict[str, None] = {}
    singles: list[_Run] = []
    for match in _RUN.finditer(text):
        for run in _split(text, match.start(), match.end()):
            reason = run.reason(lower)
            if reason is None and (end := _surname_first(text, run)):
                yield Finding(type="NAME", start=run.start, end=end, reason="a list")
                known.update(dict.fromkeys(run.words))
            elif reason is None:
                singles.append(run)
            else:
                end = _with_given(text, run) if reason in _STRONG else run.end
                yield Finding(type="NAME", start=run.start, end=_less_s(text, end), reason=reason)
                if reason != "capitalised words":
                    known.update(dict.fromkeys(re.sub(r"['’]s$", "", w) for w in run.words))
    again = {
        w
        for w in known
        if len(w) > 2
        and w[0].isupper()
        and not any(c.isdigit() for c in w)
        and w.lower() not in lower
        and w.lower() not in EPONYMS
    }
    for run in singles:
        if (
            any(re.sub(r"['’]s$", "", w) in again for w in run.words)
            and not _has_code(run.words)
            and _next_word(run.after) not in NOT_PEOPLE
        ):
            yield Finding(
                type="NAME",
                start=run.start,
                end=_less_s(text, run.end),
                reason="named elsewhere in this text",
            )
    yield from _small(text)


def _small(text: str) -> Iterator[Finding]:
    """Names in small letters, as people type and machines transcribe: only behind what leaves little doubt."""
    for match in _LOWER.finditer(text):
        end = match.start("name")
        for word in re.finditer(r"[^\W\d_][^\W\d_'’-]+", match["name"]):
            if word.group().lower() in ORDINARY:
                break
            end = match.start("name") + word.end()
        if end > match.start("name"):
            yield Finding(
                type="NAME",
                start=match.start("name"),
                end=end,
                reason="small letters behind a label or title",
            )
    for match in _HAIL.finditer(text):
        if match["name"] not in _NOT_HAILED:
            yield Finding(
                type="NAME", start=match.start("name"), end=match.end("name"), reason="a greeting"
            )


def _split(text: str, start: int, end: int) -> Iterator[_Run]:
    """The parts of a capitalised sequence between its ordinary words."""
    spans: list[tuple[int, int]] = []
    tokens = list(_TOKEN.finditer(text, start, end))
    for i, token in enumerate(tokens):
        word = token.group()
        particle = word.islower() and "-" not in word
        beside = spans or (i + 1 < len(tokens) and not _ordinary(tokens[i + 1].group()))
        both = word.lower() in BOTH and beside
        if (
            _ordinary(word)
            and not particle
            and not both
            and not (len(word.rstrip(".")) == 1 and spans)
        ):
            if spans:
                yield from _whole(text, spans)
            spans = []
        elif not particle or not spans or spans[-1][1] < token.start():
            spans.append(token.span())
    if spans:
        yield from _whole(text, spans)


def _whole(text: str, spans: list[tuple[int, int]]) -> Iterator[_Run]:
    while spans and text[spans[-1][0]].islower() and "-" not in text[slice(*spans[-1])]:
        spans = spans[:-1]
    if any((text[a].isupper() and b - a > 1) or ord(text[a]) > 0x590 for a, b in spans):
        yield _Run(text, spans)


def _surname_first(text: str, run: _Run) -> int | None:
    """The end of "Family, Given M." where a line, an id or a date says that it is a list of people."""
    if len(run.words) > 3 or not (
        match := re.compile(rf", {{0,2}}(?:{_PARTICLE} )?{_WORD}(?: {_PART}){{0,2}}").match(
            text, run.end
        )
    ):
        return None
    given = re.sub(r"^, *", "", match.group()).split()
    if any(c.isdigit() for w in run.words for c in w) or any(_ordinary(w) for w in given):
        return None
    rest = text[match.end() : match.end() + 40]
    if _AFTER.match(rest) or (_SPEAKER.match(rest) and _LINE_START.search(run.before)):
        return match.end()
    if _LINE_START.search(run.before) and re.match(r"\s*(?:\n|$|[|;\t(-]|,? *\d)", rest):
        return match.end()
    if re.match(r",? (?:for|was|is|has|had|came|called|who|in|about)\b", rest) and re.search(
        r"(?:^|\b(?:of|with|by|for|to|was|is|called|told|asked)(?: Dr\.?)? |: ?)$", run.before
    ):
        return match.end()
    return match.end() if re.search(r" [A-Z]\.$", match.group()) else None


def _with_given(text: str, run: _Run) -> int:
    """The end of a name behind a label, with the given name that a comma may part from the family's."""
    match = re.compile(rf", ?(?:{_PARTICLE} )?{_WORD}(?: {_PART}){{0,2}}").match(text, run.end)
    if match and not any(_ordinary(w) for w in re.sub(r"^, *", "", match.group()).split()):
        return match.end()
    return run.end


def _less_s(text: str, end: int) -> int:
    return end - 2 if text[end - 2 : end] in ("'s", "’s") else end
