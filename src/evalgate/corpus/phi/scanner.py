"""The scanner: all detectors over one text, and what of their findings counts in a training row."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files

import msgspec

from evalgate import digest
from evalgate.corpus.example import Example
from evalgate.corpus.hit import Hit
from evalgate.corpus.phi.finding import MODEL, PRESIDIO, Finding, Folded
from evalgate.corpus.phi.known import Rest, known_of
from evalgate.corpus.phi.labels import WEAK, dates, labelled
from evalgate.corpus.phi.names import names
from evalgate.corpus.phi.shapes import shapes

Detector = Callable[[str], Iterator[Finding]]
"""Findings in a folded text; they may overlap, and each lies inside it."""

BUILT_IN: tuple[Detector, ...] = (labelled, dates, shapes, names)
"""First ones win where two detectors claim the same characters."""


_MEMORY = 1000  # texts whose findings are kept
_SOURCES = (
    "finding.py",
    "known.py",
    "labels.py",
    "names.py",
    "presidio.py",
    "scanner.py",
    "shapes.py",
    "words.py",
)

_PLAIN = ("EMAIL", "URL", "IP", "ADDRESS", "SSN")
"""Shapes that no label beside them makes anything else."""


class Scanner:
    """The built-in detectors and `more` of them, and exact texts that are never anybody's (`allowed`).

    `identity` says what `more` are, so that scanners with equal digests find the same.
    """

    def __init__(
        self,
        more: Iterable[Detector] = (),
        *,
        allowed: Iterable[str] = (),
        identity: Iterable[str] = (),
    ) -> None:
        self._detectors = (*BUILT_IN, *more)
        self._allowed = tuple(allowed)
        self._identity = tuple(identity)
        self._memory: dict[str, list[Finding]] = {}

    @property
    def digest(self) -> str:
        """Digest of everything that decides what is found: the code of the detectors and what was added to them."""
        return digest.of_value([_code(), self._identity, self._allowed])

    def scan(self, text: str) -> list[Finding]:
        """The findings in `text` in order, none over another. Never raises for any text."""
        folded = Folded(text)
        found = [f for detector in self._detectors for f in detector(folded.text)]
        kept = [folded.place(f) for f in _apart(found)]
        return _unexcused(text, kept, self._allowed) if self._allowed else kept

    def scan_example(self, example: Example) -> Iterator[tuple[int, Finding]]:
        """The findings in a row with the message each is in; what its scene says, made again, is nobody's (`known.py`)."""
        texts, invented = known_of(example)
        for i, message in enumerate(example.messages):
            rest = Rest(message["content"], texts)
            found = self._remembered(rest.text)
            if found and texts:  # a rewriting says the scene's facts in another place
                facts = (t[f.start : f.end] for t in texts for f in self._remembered(t))
                found = _unexcused(rest.text, found, (*invented, *facts))
            for one in found:
                start, last = rest.place(one.start), rest.place(one.end - 1)
                yield i, msgspec.structs.replace(one, start=start, end=last + 1)

    def _remembered(self, text: str) -> list[Finding]:
        """`scan`, once for texts that many rows share: what their prompt says around them."""
        if text not in self._memory:
            if len(self._memory) >= _MEMORY:
                self._memory.clear()
            self._memory[text] = self.scan(text)
        return self._memory[text]

    def scan_rows(self, rows: Iterable[Example]) -> Iterator[Hit]:
        """A hit for every finding in every row, in their order."""
        for row in rows:
            for i, found in self.scan_example(row):
                evidence = f"{found.type} at message {i}, characters {found.start}-{found.end}"
                yield Hit(kind="phi", row=row.id, evidence=evidence)


@cache
def _code() -> str:
    """Digest of the detectors' source and of the libraries that decide with them."""
    from importlib.metadata import version

    here = files("evalgate.corpus.phi")
    sources = {name: here.joinpath(name).read_text("utf-8") for name in _SOURCES}
    return digest.of_value([sources, version("rapidfuzz"), platform.python_version()])


@cache
def _built_in() -> Scanner:
    return Scanner()


def scan(text: str) -> list[Finding]:
    """The findings of the built-in detectors in `text`, in order, none over another. Never raises for any text."""
    return _built_in().scan(text)


def scan_example(example: Example) -> Iterator[tuple[int, Finding]]:
    """`Scanner.scan_example` with the built-in detectors."""
    return _built_in().scan_example(example)


def scan_rows(rows: Iterable[Example]) -> Iterator[Hit]:
    """`Scanner.scan_rows` with the built-in detectors."""
    return _built_in().scan_rows(rows)


def _apart(found: list[Finding]) -> list[Finding]:
    """The findings without those whose characters an earlier or a longer one claims; in order of place.

    Names and what a mere word gives away come late: both claim whole lines easily. A second opinion comes last.
    """
    ranked = sorted(
        enumerate(found),
        key=lambda f: (
            f[1].reason in (PRESIDIO, MODEL),
            f[1].type not in _PLAIN,
            f[1].type == "NAME",
            f[1].reason == WEAK,
            f[1].start - f[1].end,
            f[0],
        ),
    )
    kept: list[Finding] = []
    taken: set[int] = set()
    for _, one in ranked:
        if taken.isdisjoint(range(one.start, one.end)):
            kept.append(one)
            taken.update(range(one.start, one.end))
    return sorted(kept, key=lambda f: f.start)


def _unexcused(text: str, found: list[Finding], excuses: Iterable[str]) -> list[Finding]:
    """The findings with a letter or figure that no whole occurrence of an excused text covers."""
    if not found or not (texts := [e for e in set(excuses) if e.strip()]):
        return found
    covered: set[int] = set()
    for excuse in texts:
        pattern = rf"(?<!\w){re.escape(excuse)}(?!\w)" if excuse[0].isalnum() else re.escape(excuse)
        for match in re.finditer(pattern, text):
            covered.update(range(*match.span()))
    return [
        f
        for f in found
        if not all(i in covered or not text[i].isalnum() for i in range(f.start, f.end))
    ]
