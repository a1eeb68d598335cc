"""Numbers that a label beside them gives away ("Member ID", "its my policy no."), and dates near what happened then.

Labels are compared with slips of the hand and misread letters allowed for, so a code needs no shape of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from evalgate.corpus.phi.finding import Finding
from evalgate.corpus.phi.shapes import TRUE, D, true_figures

_TAILS = ("", "id", "number", "no", "num", "nbr", "nr", "code", "identifier", "idnumber", "idno", "identificationnumber", "reference")  # fmt: skip

# After "*": words that name a thing as well, so that only a telling value may follow them without "id" or "number".
_HEADS = {
    "MEMBER_ID": "member subscriber enrollee beneficiary insured policyholder medicare medicaid mbi hicn memberrecord insurance healthplan "
    "healthinsurance plan planmember dependent insurancecard memberidentification afiliado miembro asegurado",
    "CLAIM_NUMBER": "claim *claims claimcontrol claimreference claimfile icn dcn internalcontrol documentcontrol reclamo reclamacion",
    "MRN": "mrn medicalrecord medrec mr mrno medicalchart *chart *patient *pt *hospital *record emr ehr healthrecord *unit expediente historiaclinica",
    "NPI": "npi nationalprovider *provider nationalprovideridentifier providernpi *billingprovider *renderingprovider *rendering "
    "*referringprovider *orderingprovider",
    "SSN": "ssn socialsecurity social socsec socsecurity ss ssno segurosocial",
    "ACCOUNT": "account acct patientaccount bankaccount billingaccount guarantoraccount checkingaccount savingsaccount iban routing card "
    "creditcard debitcard cuenta",
    "POLICY": "policy pol insurancepolicy contract certificate poliza",
    "OTHER_ID": "driverslicense driverlicense driverslicence license licence licenseplate passport vin vehicle serial device deviceserial "
    "case *reference ref authorization auth priorauthorization priorauth preauthorization confirmation rx prescription accession "
    "*order dea specimen ticket employee student badge tracking invoice encounter visit referral request",
    "PHONE": "phone telephone tel cell cellphone mobile homephone workphone daytimephone eveningphone contact callback pager beeper ph call ring "
    "text telefono celular whatsapp",
    "FAX": "fax facsimile faxline telefax returnfax officefax",
    "ZIP": "zip postal postcode zipcode postalcode zip4 mailingzip",
    "DATE_OF_BIRTH": "dob born bornon birth birthday birthdate dateofbirth birthdt nacido nacida nacimiento fechadenacimiento",
    "DATE": "dos dateofservice servicedate admissiondate admitdate dateofadmission dischargedate dateofdischarge dateofsurgery surgerydate "
    "dateofvisit visitdate appointmentdate dateofappointment dateofdeath deathdate dateofprocedure proceduredate dateofinjury "
    "injurydate dateofexam examdate filldate datefilled collectiondate fechadeservicio fechadeingreso fechadealta",
}  # fmt: skip
_BORN = frozenset(("DATE_OF_BIRTH", "DATE"))
_EVENTS = """
    admitted admission admit discharged discharge readmitted hospitalized hospitalised service services dos visit visited seen surgery
    operation operated rehab procedure biopsy died death deceased expired passed transferred appointment encounter presented collected
    examined evaluated treated delivered signed filed received scheduled exam ingreso alta cita cirugia atendida atendido
"""
_LINKS = frozenset(
    """is was are be been has had it its s the a an as of on in at under with her his their my your our to for from by and or then that this
    says said reads reading quotes quoted listed file record records card given gave following starts starting ending ends old new current
    valid longer now here me let see um uh which used none nothing changed updated corrected both uses es su mi el la del de please named called exactly full""".split()
)
_LOOKALIKE = str.maketrans(
    {"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "8": "b", "3": "e", "í": "l"}
)
_LONG_LOOKALIKE = str.maketrans({"a": "o", "4": "o", "c": "e", "t": "f", "h": "b", "2": "z"})
"""Letters that scans take for each other; in short words too much would be alike."""


WEAK = "a word beside it"
"""The reason of a number that nothing but a word that may mean much gives away."""


class _Label(NamedTuple):
    type: str
    telling: bool
    head: int


def _alike(word: str) -> str:
    alike = word.lower().replace("rn", "m").translate(_LOOKALIKE).replace("rl", "n")
    return alike.translate(_LONG_LOOKALIKE) if len(alike) > 3 else alike


def _table() -> dict[str, _Label]:
    table: dict[str, _Label] = {}
    for type_, heads in _HEADS.items():
        for written in heads.split():
            head = written.removeprefix("*")
            telling = {"PHONE", "FAX", "ZIP", "SSN", "NPI", "MRN"}.intersection(
                {type_}
            ) and written == head
            for tail in _TAILS:
                table.setdefault(
                    _alike(head + tail), _Label(type_, bool(tail or telling), len(head))
                )
    return table


_TABLE = _table()
_BIRTH_KEYS = tuple(_alike(w) for w in _HEADS["DATE_OF_BIRTH"].split())
_EVENT_KEYS = tuple(_alike(w) for w in _EVENTS.split())
_VALUE = re.compile(
    r"(?<![\w.])(?<!\d,)(?=[\w./-]{0,60}\d)[^\W_]{1,40}(?:[-._/][^\W_]{1,40}){0,8}(?: (?=[\w-]{0,40}\d)[\dOlISBZ]{2,20}(?:-[\dOlISBZ]{1,20}){0,4}){0,6}"
)
_WORDS = re.compile(r"[^\W_]+|#")
_TAG = re.compile(r"<[^<>]{0,60}>")
_UNIT = re.compile(
    r" ?(?:%|mg|ml|mcg|mm|cm|kg|lbs?|g/|days?|weeks?|months?|years?|hours?|minutes?|times|percent|dollars|pages?)\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"[-_](?:years?|yrs?|months?|weeks?|days?|hours?|minutes?|folds?|old)\b|^\d{1,3}/\d{1,4}$",
    re.IGNORECASE,
)
_MADE_NAME = re.compile(r"[A-Z][a-zà-ÿ]{2,}\d{1,4}")  # "Gail417" of made records
_LETTERS = re.compile(r"(?<!\w)[A-Z]{1,4} $")
_NAMES_IT = re.compile(r" [^\W\d_]{1,3} [^\W\d_]{2,4} (?=[^\W_]{2})")
_SAYS = re.compile(
    r"[\"')\]]*(?:,? (?=\()|\s*[-,(]?\s*(?:is|was|as|for|its|that|this|it's|being)\b|\s*\(|[?.]?,? ?-{0,2} ?(?:its|it's|it is|thats|that's|that is|this is)\b)",
    re.IGNORECASE,
)


def _slips(length: int) -> int:
    return 0 if length < 5 else 1 if length < 11 else 2 if length < 16 else 3


@cache
def _keys(length: int, slips: int) -> tuple[str, ...]:
    return tuple(key for key in _TABLE if abs(len(key) - length) <= slips)


@lru_cache(maxsize=20_000)
def _read(joined: str) -> tuple[_Label, int] | None:
    """The label that some words without blanks mean, and how sure that is: its length less twice the slips."""
    if label := _TABLE.get(joined):
        return label, len(joined)
    most = _slips(len(joined))
    if not most or len(joined) > 30:
        return None
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    near = _keys(len(joined), most)
    found = process.extractOne(joined, near, scorer=OSA.distance, score_cutoff=most)
    if found is None:
        return None
    label, slips = _TABLE[found[0]], int(found[1])
    return (
        (label, len(found[0]) - 2 * slips)
        if label.head > 3 or (slips < 2 and label.head == 3)
        else None
    )


def _best(phrases: list[list[str]]) -> _Label | None:
    """The surest label among phrases. One that begins with a link ("her number") is none in a slip's spelling."""
    read = []
    for phrase in phrases:
        joined = _joined(phrase)
        if joined in _TABLE or (phrase and phrase[0].lower() not in _LINKS):
            read += [r] if (r := _read(joined)) else []
    return max(read, key=lambda r: r[1])[0] if read else None


def _before(text: str, start: int) -> list[str]:
    """Up to nine words before `start`, in the form in which they are compared: of its line, or of the line above an empty start."""
    line = text[max(0, start - 90) : start]
    head, _, last = line.rpartition("\n")
    if not last.strip(' "|'):
        last = (
            head.rstrip().rpartition("\n")[2] if len(head.rstrip().rpartition("\n")[2]) < 45 else ""
        )
    return _WORDS.findall(_TAG.sub(" ", last))[-9:]


def _label_before(text: str, start: int) -> _Label | None:
    words, strange = _before(text, start), 0
    for _ in range(5):
        # A link may be the end of a label ("account no" is none, "born on" is): the label is tried first.
        tails = [words[-k:] for k in range(1, min(5, len(words)) + 1)]
        if found := _best([*tails, *([w for w in t if w != "#"] for t in tails if "#" in t)]):
            return found if found.telling or not strange else None
        if not words:
            return None
        if words[-1].lower() not in _LINKS:
            # A short word in small letters may be a link in a slip's spelling; then only a telling label counts.
            strange += 1
            if strange > 2 or len(words[-1]) > 4 or not words[-1].islower():
                return None
        words = words[:-1]
    return None


def _label_after(text: str, end: int) -> _Label | None:
    after = text[end : end + 60]
    if not (says := _SAYS.match(after) or _NAMES_IT.match(after)):
        return None
    words = _WORDS.findall(re.split(r"[;\n!?]\s|(?<=\w{5})\.\s", after[says.end() :])[0])[:9]
    # Up to three short words may stand before the label: "(that is the", in whatever spelling.
    for first in range(min(4, len(words))):
        heads = [
            [w for w in words[first : first + k] if w != "#"]
            for k in range(1, min(5, len(words) - first) + 1)
        ]
        if found := _best(heads):
            return found
        if len(words[first]) > 5 or not words[first].isalpha():
            return None
    return None


def _joined(words: list[str]) -> str:
    """Some words as one, "#" read as "number" where no such word stands before it."""
    out = []
    for i, word in enumerate(words):
        if word != "#":
            out.append(word)
        elif not i or words[i - 1].lower() not in _TAILS:
            out.append("number")
    return _alike("".join(out))


def _plausible(label: _Label, value: str) -> bool:
    """Whether a value may be what its label says, errors of a hand or a scan allowed for."""
    figures = len(true_figures(value))
    true = sum(c.isdecimal() for c in value)
    size = sum(c.isalnum() for c in value)
    if _QUANTITY.search(value) or _MADE_NAME.fullmatch(value):
        return False
    if _DATE_LIKE.fullmatch(value.translate(TRUE)):
        return (
            label.type == "MRN"
            and label.telling
            and re.fullmatch(r"\d\d-\d\d-\d\d", value) is not None
        )
    if label.type in ("PHONE", "FAX"):
        return 7 <= figures <= 16 and true >= 5 and size - figures <= 3
    if label.type == "ZIP":
        return figures in (4, 5, 6, 8, 9, 10) and true >= 3 and size == figures
    if label.type == "NPI":
        return 9 <= figures <= 11 and size - figures <= 1
    if label.type == "SSN":
        return figures in (4, 8, 9, 10, 11) and true >= 4
    if true < 2:
        return False
    return (size >= 4 and figures >= 3) if label.telling else (size >= 5 and figures >= 4)


def labelled(text: str) -> Iterator[Finding]:
    """Every number or code of a folded text with a label of it before or behind."""
    for match in _VALUE.finditer(text):
        start, end = match.span()
        if text[max(0, start - 1) : start] in ("$", "£", "€") or (
            end - start < 5 and _UNIT.match(text, end)
        ):
            continue
        label = _label_before(text, start)
        if label is None and (letters := _LETTERS.search(text, max(0, start - 6), start)):
            label = _label_before(text, letters.start())  # they are the beginning of the code
            start = letters.start() if label else start
        label = label or _label_after(text, end)
        if label and label.type not in _BORN and _plausible(label, text[start:end]):
            yield Finding(
                type=label.type,
                start=start,
                end=end,
                reason="a label beside it" if label.telling else WEAK,
            )


_MONTHS = tuple(
    """january february march april may june july august september october november december enero febrero marzo abril mayo junio julio
    agosto septiembre octubre noviembre diciembre""".split()
)
_SHORT_MONTHS = (*dict.fromkeys(_alike(m[:3]) for m in _MONTHS), _alike("sept"))
_MONTH_STARTS = frozenset(m[:3] for m in _MONTHS)
_YEAR = re.compile(rf"{D}{{4}}")
_MONTH_KEYS = tuple(_alike(m) for m in _MONTHS)
_DATE_LIKE = re.compile(
    r"(?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])(?:[-/.](?:\d{4}|\d\d))?|(?:\d\d/\d\d-\d\d/\d\d)|(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}|(?:19|20)\d\d"
)
_ORDINAL = "(?:st|nd|rd|th)?"
_DATES = (
    re.compile(rf"(?<![\w/.-]){D}{{1,3}}([-/.]){D}{{1,3}}\1{D}{{2,5}}(?![\w/-])"),
    re.compile(rf"(?<![\w/.-]){D}{{4,5}}([-/.]){D}{{1,3}}\1{D}{{1,3}}(?![\w/-])"),
    re.compile(rf"(?<![\w-])(?P<month>[^\W_]{{3,11}})\.? {D}{{1,3}}{_ORDINAL}(?:,? {{1,2}}{D}{{4,5}})?(?![\w/-])"),
    re.compile(rf"(?<![\w/.-]){D}{{1,3}}{_ORDINAL}[ -](?:of |de )?(?P<month>[^\W_]{{3,11}})\.?(?:(?:-|,? (?:de |del )?){D}{{4,5}}|-{D}{{2}})?(?![\w/-])"),
)  # fmt: skip


@lru_cache(maxsize=5_000)
def _is_month(word: str, dated: bool) -> bool:
    """Whether a word is a month, or with a year behind it (`dated`) a month in a slip's or a scan's spelling."""
    key = _alike(word)
    if key in _MONTH_KEYS or key in _SHORT_MONTHS or not dated:
        return key in _MONTH_KEYS or (word.lower()[:3] in _MONTH_STARTS and len(word) < 5)
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    keys = _SHORT_MONTHS if len(key) < 5 else _MONTH_KEYS
    return bool(
        process.extractOne(key, keys, scorer=OSA.distance, score_cutoff=1 if len(key) < 7 else 2)
    )


def dates(text: str) -> Iterator[Finding]:
    """Days of a folded text that a life's event gives away: a birth beside them, or an admission, a visit, a death before them.

    A year alone, or a date that nothing was said of (a plan's effective date), is none.
    """
    for pattern in _DATES:
        for match in pattern.finditer(text):
            if "month" in pattern.groupindex and not _is_month(
                match["month"], _YEAR.search(match.group()) is not None
            ):
                continue
            if 2 * sum(c.isdecimal() for c in match.group()) < len(true_figures(match.group())):
                continue
            if found := _dated(text, *match.span()):
                yield Finding(type=found[0], start=match.start(), end=match.end(), reason=found[1])


def _dated(text: str, start: int, end: int) -> tuple[str, str] | None:
    for label in (_label_before(text, start), _label_after(text, end)):
        if label and label.type in _BORN:
            return label.type, "a label beside it"
    before = [_alike(w) for w in _before(text, start)[-7:]]
    behind = [_alike(w) for w in _WORDS.findall(text[end : end + 40].partition("\n")[0])[:3]]
    if any(_near(w, _BIRTH_KEYS, 3) for w in before[-2:] if w[0] in "bd") or any(
        w in _BIRTH_KEYS for w in [*before[-4:], *behind[:2]]
    ):
        return "DATE_OF_BIRTH", "a birth beside it"
    if any(_near(w, _EVENT_KEYS, 5) for w in before + behind):
        return "DATE", "an event beside it"
    return None


@lru_cache(maxsize=20_000)
def _near(key: str, keys: tuple[str, ...], shortest: int) -> bool:
    """Whether a word is one of `keys`, or a slip beside one if it has `shortest` letters."""
    if key in keys:
        return True
    most = 0 if len(key) < shortest else 1 if len(key) < 10 else 2
    if not most:
        return False
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    return bool(process.extractOne(key, keys, scorer=OSA.distance, score_cutoff=most))
