"""What has a shape of its own: addresses of the net, phone numbers, SSN, NPI and card numbers, Medicare ids, street addresses.

Figures may be misread letters (O, l, I, S, B, Z) wherever the rest of the shape leaves no doubt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from evalgate.corpus.phi.finding import Finding

D = r"[\dOQoDlI|SsBbZz]"
"""A figure, or a letter that a scan reads in its place."""

TRUE = str.maketrans("OQoDlI|SsBbZz", "0000111558822")
"""What a misread figure is."""

# USPS Publication 28, appendix C1, the kinds of street and their short forms as people write them.
_KINDS = """
    alley aly anex annex anx arcade arc avenue ave av avn bayou byu beach bch bend bnd bluff blf bluffs boulevard blvd boul
    branch br bridge brg brook brk brooks burg bypass byp camp cp canyon cyn cape cpe causeway cswy center ctr centre circle
    cir circ circles cliff clf cliffs clfs club clb common cmn commons corner cor corners cors course crse court ct courts cts
    cove cv coves creek crk crescent cres crest crst crossing xing crossroad curve dale dl dam dm divide dv drive dr drv drives
    estate est estates ests expressway expy extension ext extensions fall falls fls ferry fry field fld fields flds flat flt
    flats ford frd fords forest frst forge frg forges fork frk forks frks fort ft freeway fwy garden gdn gardens gdns gateway
    gtwy glen gln glens green grn greens grove grv groves harbor hbr harbors haven hvn heights hts highway hwy hill hl hills
    hls hollow holw inlet inlt island is islands isle junction jct junctions key ky keys knoll knl knolls lake lk lakes land
    landing lndg lane ln light lgt lights loaf lf lock lck locks lcks lodge ldg loop lp mall manor mnr manors meadow mdw
    meadows mdws mews mill ml mills mls mission msn motorway mount mt mountain mtn mountains neck nck orchard orch oval overpass
    park pk parks parkway pkwy parkways pass passage psge path pike pine pne pines pnes place pl plain pln plains plns plaza plz
    point pt points pts port prt ports prairie pr radial ramp ranch rnch rapid rapids rest ridge rdg ridges river riv road rd
    roads rds route rte row rue run shoal shl shoals shore shr shores skyway spring spg springs spgs spur square sq squares
    station sta stravenue stream strm street st str streets summit smt terrace ter terr throughway trace trce track trak
    trafficway trail trl trailer tunnel turnpike tpke underpass union un unions valley vly valleys viaduct via view vw views
    village vlg villages ville vista vis walk walks wall way ways well wl wells wls
"""
_PLAIN_KINDS = "street avenue boulevard road lane drive court terrace parkway highway".split()
_KIND = "|".join(
    sorted(
        {form for k in _KINDS.split() for form in (k.capitalize(), k.upper())}.union(_PLAIN_KINDS),
        key=len,
        reverse=True,
    )
)
"""In lower case only where the word is nothing else after a number and a name."""
_STATES = """
    Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Georgia Hawaii Idaho Illinois Indiana Iowa
    Kansas Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri Montana Nebraska Nevada
    Ohio Oklahoma Oregon Pennsylvania Tennessee Texas Utah Vermont Virginia Washington Wisconsin Wyoming
"""
_STATE = (
    r"(?:AL|AK|AS|AZ|AR|CA|CO|CT|DE|DC|FL|GA|GU|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|"
    r"OR|PA|PR|RI|SC|SD|TN|TX|UT|VT|VA|VI|WA|WV|WI|WY|D\.C\.|New (?:Hampshire|Jersey|Mexico|York)|North (?:Carolina|Dakota)|"
    rf"South (?:Carolina|Dakota)|Rhode Island|West Virginia|Puerto Rico|District of Columbia|{'|'.join(_STATES.split())})"
)
_ZIP = rf"{D}{{5}}(?:-{D}{{4}})?(?![\w-])"
_WORD = r"(?:[^\W\d_][\w'’.-]*|\d{1,3}(?:st|nd|rd|th))"
_CAPITAL = r"(?:[^\W\d_a-z][\w'’.-]*|de|del|la|of|\d{1,3}(?:st|nd|rd|th))"
_UNIT = r"(?:,? *(?:Apt|Apartment|Unit|Suite|Ste|Bldg|Building|Floor|Fl|Flat|Rm|Room|Lot|Trlr|#)\.? *#? *[\w-]{1,6})"
_TOWN = rf"(?:,?\s+{_WORD}(?: {_WORD}){{0,3}}?,?\s+{_STATE}\b\.?(?:,?\s+{_ZIP})?)"
_HOUSE = r"(?<![\w$.,/-])(?:\d|[OlISBZ](?=\d{2}))[\dOlISBZ]{0,5}(?:-\d{1,4})?[A-Za-z]?"


def _luhn(figures: str) -> bool:
    total = 0
    for place, c in enumerate(reversed(figures)):
        doubled = int(c) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_npi(figures: str) -> bool:
    """Whether ten figures are a possible NPI: they begin with 1 or 2, and 80840 and they together pass the Luhn check."""
    return (
        len(figures) == 10
        and figures[0] in "12"
        and figures.isdecimal()
        and _luhn("80840" + figures)
    )


def true_figures(written: str) -> str:
    """The figures of a number as it was meant, misread letters put right and separators left out."""
    return "".join(c for c in written.translate(TRUE) if c.isdecimal())


def _misread(written: str) -> int:
    return sum(c.isalpha() for c in written)


def _mostly_figures(match: re.Match[str]) -> bool:
    written = match.group()
    true = sum(c.isdecimal() for c in written)
    return true >= 3 and _misread(written) <= true


def _is_card(match: re.Match[str]) -> bool:
    figures = true_figures(match.group())
    return 13 <= len(figures) <= 19 and _luhn(figures) and len(set(figures)) > 2


def _is_four_numbers(match: re.Match[str]) -> bool:
    """Whether it is an address of version 4, one number of which may have a figure too many; "1,000,000,000" and a phone number are none."""
    written = match.group()
    sizes = [len(part) for part in re.split("[.,]", written)]
    other = sizes[1:] == [3, 3, 4] or ("." not in written and sizes[1:] == [3, 3, 3])
    return _mostly_figures(match) and written.count(",") < 2 and sizes.count(4) < 2 and not other


def _is_hexadecimal(match: re.Match[str]) -> bool:
    written = match.group()
    marks = sum(c in ":;" for c in written)
    figures = sum(c.isdecimal() for c in written)
    return (
        marks >= 5 or "::" in written or ":;" in written or ";:" in written
    ) and 2 * figures >= len(written) - marks


def _anything(match: re.Match[str]) -> bool:
    del match
    return True


def _is_street(match: re.Match[str]) -> bool:
    """Whether a number and words are a street, and the number not the end of a date."""
    if re.search(r"\d{1,2},? ?$", match.string[max(0, match.start() - 4) : match.start()]):
        return False
    words = match["words"].split()
    telling = [w for w in words if w[0].isupper() or w[0].isdigit()]
    return len(telling) * 2 >= len(words) and words[0].lower() not in _NOT_STREETS


def _is_zip(match: re.Match[str]) -> bool:
    """Whether five figures, or nine, follow what may be a state, misread or mistyped."""
    state, figures = match["state"].strip("."), true_figures(match["value"])
    if len(figures) not in (4, 5, 6, 8, 9, 10) or 2 * _misread(match["value"]) > len(figures) - 1:
        return False
    if len(state) == 2:
        return re.fullmatch(_STATE, state.replace("0", "O").replace("1", "I")) is not None
    from rapidfuzz.distance import OSA

    return any(OSA.distance(state, name, score_cutoff=1) <= 1 for name in _STATES.split())


_FAXES = re.compile(r"(?:^|[^\w])(?:re)?(?:fa[xk]|facs)\w*[^\n]{0,35}$", re.IGNORECASE)


def _faxed(text: str, start: int) -> bool:
    return _FAXES.search(text, max(0, start - 45), start) is not None


def _is_small_street(match: re.Match[str]) -> bool:
    return match["words"].split()[0] not in _NOT_STREETS


_NOT_STREETS = frozenset(
    "mg ml mcg days weeks months years patients units tablets of the a in on at to and or".split()
)

_SHAPES: tuple[tuple[str, str, re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    ("EMAIL", "an address with @",
     re.compile(r"[\w.+%'-]{0,63}[\w%+-] ?(?:@|©|®|\(at\)|\[at\]|%40)[\w-]{1,63}(?: ?[.,] ?[\w-]{2,63}){1,6}", re.IGNORECASE), _anything),
    ("EMAIL", "an address in words",
     re.compile(r"\b[\w.+-]{1,64} (?:at|\(at\)|\[at\]) [\w-]+(?: ?\. ?| dot )(?:com|org|net|edu|gov|io|co|us|info)\b", re.IGNORECASE), _anything),
    ("URL", "a scheme or www", re.compile(r"\b(?:h[tf]{1,3}p{1,2}s{0,2}[:;]/{1,3}|\bw{2,5}[.,])[^\s<>\"')\]]{3,}[\w/]", re.IGNORECASE), _anything),
    ("URL", "a host and a path",
     re.compile(r"(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,8}(?:com|org|net|edu|gov|info|io|me|us|co|health|uk|de|ca)/[^\s<>\"')\]]*[\w/]", re.IGNORECASE), _anything),
    ("IP", "four numbers", re.compile(rf"(?<![\w.,]){D}{{1,4}}(?:[.,]{D}{{1,4}}){{3}}(?![\w]|[.,]\d)"), _is_four_numbers),
    ("IP", "hexadecimal groups", re.compile(r"(?<!\w)(?:\w{1,5}[:;]{1,2}){2,7}\w{1,5}(?!\w|[:;]\w)"), _is_hexadecimal),
    ("OTHER_ID", "a UUID", re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), _anything),
    ("MEMBER_ID", "a Medicare number",
     re.compile(r"\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d\d\b"), _anything),
    ("MEMBER_ID", "three letters and figures", re.compile(r"\b(?!NCT|ISO|DOI|PMC)[A-Z]{3}\d{8,12}\b"), _anything),
    ("ACCOUNT", "a card number", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)"), _is_card),
    ("SSN", "three, two and four figures", re.compile(rf"(?<![\w-]){D}{{3}}([-. ]){D}{{2}}\1{D}{{4}}(?![\w-])"), _mostly_figures),
    ("SSN", "masked but for four", re.compile(r"(?<!\w)[Xx*#•]{3}[- ]?[Xx*#•]{2}[- ]?\d{4}(?!\w)"), _anything),
    ("PHONE", "ten figures in groups",
     re.compile(rf"(?<![\w-])(?:\+?[1lI][-. ]{{0,2}})?(?:\({D}{{3}}\)[-. ]?|{D}{{3,4}}[-./ ]){D}{{3}}[-. ]{D}{{4}}(?:,? *(?:ext|x)\.? *\d{{1,6}})?(?![\w-])", re.IGNORECASE),
     _mostly_figures),
    ("PHONE", "about ten figures in groups",
     re.compile(rf"(?<![\w-])(?<!\d,)(?:\+?[1lI][-. ])?(?:\({D}{{2,4}}\)[-. ]?{D}{{2,4}}[-. ]|{D}{{2,4}}(?P<mark>[-.]){D}{{3,4}}(?P=mark)){D}{{3,6}}(?![\w-])"),
     lambda m: _mostly_figures(m) and 9 <= len(true_figures(m.group())) <= 12),
    ("PHONE", "a country code", re.compile(r"(?<![\w-])(?:\+|00(?=\d{1,3}[-. ]))\d{1,3}[-. ]?(?:\(0?\d{1,4}\)[-. ]?)?\d{1,4}(?:[-. ]?\d{2,4}){2,4}(?![\w-])"), _mostly_figures),
    ("NPI", "ten figures with its check digit", re.compile(rf"(?<![\w.-])[12lIZz]{D}{{9}}(?![\w-]|\.\d)"),
     lambda m: _misread(m.group()) < 4 and is_npi(true_figures(m.group()))),
    ("ADDRESS", "a post office box", re.compile(rf"\b(?:P\.? ?[O0]\.?|Post Office) ?[B8]ox \w{{1,7}}{_TOWN}?|\b(?:Rural Route|RR|HC) \w{{1,3}},? Box \w{{1,6}}", re.IGNORECASE), _anything),
    ("ADDRESS", "a number, words and a kind of street",
     re.compile(rf"{_HOUSE},? +(?P<words>(?:{_CAPITAL} +){{1,4}}(?:{_KIND}))\b\.?{_UNIT}?{_TOWN}?"), _is_street),
    ("ADDRESS", "a number and a street in small letters",
     re.compile(rf"{_HOUSE} +(?P<words>(?:[nsew]\.? )?(?!the |a |this |each |per |any )[a-z]{{3,}}(?: [a-z]{{3,}})? (?:street|avenue|road|lane|boulevard|ave|blvd))\b{_UNIT}?"), _is_small_street),
    ("ADDRESS", "a number and a numbered road", re.compile(rf"{_HOUSE} +(?P<words>(?:(?:{_WORD}) +)?(?:Highway|Hwy|Route|Rte|Road|Rd|County Road|Avenue|Ave|Calle|Avenida)\.? +(?:\d{{1,4}}|[A-Z])\b){_UNIT}?{_TOWN}?"), _is_street),
    ("ADDRESS", "a number and a name where somebody lives",
     re.compile(rf"(?i:\b(?:address|addr|lives? (?:at|on)|living at|resid\w+ (?:at|on)|residence|moved to|located at|stay\w* at|(?:mail\w*|ship\w*|sent|send|deliver\w*) (?:\w+ ){{0,4}}to)(?: is)?)[ :=#,(\n]{{1,4}}"
                rf"(?P<value>{_HOUSE} +(?P<words>[A-Z\d][\w'’.-]*(?: +[A-Z\d][\w'’.-]*){{0,4}}){_UNIT}?{_TOWN}?)"), _is_street),
    ("ADDRESS", "a number, words, a town, a state and a ZIP",
     re.compile(rf"{_HOUSE} +(?P<words>{_CAPITAL}(?: +{_CAPITAL}){{0,3}}){_UNIT}?(?:,|\n|,? ) ?{_CAPITAL}(?: {_CAPITAL}){{0,2}},? +{_STATE} +{_ZIP}"), _is_street),
    ("ADDRESS", "a kind of street and a number",
     re.compile(rf"\b(?P<words>(?:(?:Rue|Via|Calle|Avenida|Avda\.?|Rua|Carrera|Piazza|Viale|ul\.|Ulica)(?: {_WORD}){{1,4}}?|[^\W\d_]\w+(?:stra[sß]s?e|str\.|gasse|weg|platz|laan|straat|gracht|gata[n]?|v[äe]gen|vej|gade|katu|utca))),? \d{{1,4}}[A-Za-z]?\b"), _is_street),
    ("ZIP", "after a state", re.compile(rf"\b{_STATE},? +(?P<value>{_ZIP})"), lambda m: any(c.isdecimal() for c in m["value"])),
    ("ZIP", "after a town and a state",
     re.compile(rf"[^\W\d_]{{3}},? (?P<state>[A-Z0][\w.]{{1,12}}),? +(?P<value>{D}{{4,6}}(?:-{D}{{3,5}})?)(?![\w-])"), _is_zip),
)  # fmt: skip


def shapes(text: str) -> Iterator[Finding]:
    """Every piece of a folded text that its own shape gives away; pieces may overlap."""
    for type_, reason, pattern, holds in _SHAPES:
        for match in pattern.finditer(text):
            if holds(match):
                part = "value" if "value" in pattern.groupindex else 0
                faxed = type_ == "PHONE" and _faxed(text, match.start())
                yield Finding(
                    type="FAX" if faxed else type_,
                    start=match.start(part),
                    end=match.end(part),
                    reason=reason,
                )
