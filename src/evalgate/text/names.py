"""Names of people, places and organisations in English prose, by capital letters. No dictionary, no model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalgate.records import Record
from evalgate.text.sentences import sentences
from evalgate.text.tokens import LETTER, fold

_TITLE = r"(?:Dr|Drs|Mr|Mrs|Ms|Miss|Prof|Sr|Sra|Dra|Nurse|Judge)\b\.?"
_LATIN = [chr(c) for c in range(ord("A"), 0x250)]
_UP = "".join(c for c in _LATIN if c.isupper())
_LOW = "".join(c for c in _LATIN if c.islower())
_CAP = rf"(?<!\w)(?!{_TITLE}\s)(?:[{_UP}]\.(?=\s)|[{_UP}](?:['’][{_UP}])?[{_UP}{_LOW}]*[{_LOW}](?:{LETTER}|['’])*(?:-[{_UP}]{LETTER}+)*)"
_SEQUENCE = re.compile(
    rf"(?P<title>{_TITLE}\s+)?(?P<name>{_CAP}(?:\s+(?:(?:of|de|del|la|van|von)\s+)?{_CAP})*)"
)
_LOWER = re.compile(rf"\b[{_LOW}][^\W\d_]*")
_COMMON_WORDS = """
    the a an this that these those he she it they we you i his her their our your my its there here and or but if in on at
    by for from with without to of as after before during when while since until because although however therefore also
    no not yes all any some both each every other another such same what which who whom whose how why where please dear
    sincerely regards respectfully thank thanks re subject date page section passage document summary history note report
    patient member claimant doctor physician provider nurse surgeon specialist hospital clinic center centre department
    plan policy claim claims appeal appeals request review decision denial coverage benefit benefits service services
    medical health care insurance insurer company office director manager board committee independent external internal
    prior authorization authorisation number id group name address phone fax email code letter notice explanation evidence
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december spanish english american mr mrs ms dr st street avenue road
    emergency urgent primary home life customer state federal act law
    diagnosis treatment therapy procedure surgery medication medications allergies assessment examination exam physical
    vital signs results plan chief complaint present illness past family social review systems symptoms tests follow up
    type stage grade level phase class part
    admitted readmitted discharged transferred hospitalized requested referred prescribed ordered performed completed started
    stopped continued reviewed approved denied diagnosed treated received submitted seen given taken noted reported
"""
_COMMON = frozenset(_COMMON_WORDS.split())


class Name(Record, kw_only=True):
    """A name as written at `start`, and its telling words: folded, without the common ones."""

    start: int
    written: str
    telling: tuple[str, ...]


def names(text: str, source: str = "") -> Iterator[Name]:
    """The names in `text`: capitalised sequences, and whatever follows a title ("Dr. Vasko").

    The first word of a sentence or after a colon is no name unless a title stands before it or a further capitalised
    word follows it. Headings (lines that begin with "#" or end in a colon), words in capitals only, common words, and
    words that `text` or `source` also writes in lower case are none.
    """
    ordinary = _COMMON | {fold(word) for word in _LOWER.findall(f"{text}\n{source}")}
    at = 0
    for sentence in sentences(text):
        if sentence.startswith("#") or sentence.rstrip("* ").endswith(":"):
            continue
        for match in _SEQUENCE.finditer(sentence):
            written = match["name"].split()
            first = not match["title"] and _opens(sentence, match.start())
            if first and (len(written) == 1 or fold(written[0]) in ordinary):
                written = written[1:]
            telling = tuple(w for w in map(_bare, written) if len(w) > 1 and w not in ordinary)
            if telling:
                at = max(at, text.find(written[0], at))
                yield Name(start=at, written=" ".join(written), telling=telling)


def _bare(word: str) -> str:
    return fold(word).rstrip(".'").removesuffix("'s")


def _opens(sentence: str, start: int) -> bool:
    before = sentence[:start].rstrip("*_\"'“‘([ ")
    return not before or before.endswith((":", ".", "!", "?", "|", "—", "–", "-"))
