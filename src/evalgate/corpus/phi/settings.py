"""phi.toml of a project: patterns of its own, texts that are nobody's, and whether Presidio looks, too."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from evalgate.authored.problems import Problems, read_bytes
from evalgate.corpus.leak.gold import prompts_of
from evalgate.corpus.phi.finding import Finding, Folded
from evalgate.corpus.phi.scanner import Scanner, scan
from evalgate.records import Record

NAME = "phi.toml"


class Pattern(Record, kw_only=True):
    """A kind of identifier that only this project has. Every example must be found whole, or the file is refused."""

    type: str
    regex: str
    examples: tuple[str, ...]

    def __call__(self, text: str) -> Iterator[Finding]:
        for match in re.finditer(self.regex, text):
            if match.start() < match.end():
                yield Finding(
                    type=self.type, start=match.start(), end=match.end(), reason=f"{NAME}"
                )


class Allowed(Record, kw_only=True):
    """An exact text that is nobody's (the plan's own line), and why."""

    text: str
    reason: str


class PhiSettings(Record, kw_only=True):
    """`presidio`: ask its recognisers, too; `spacy_model`: import name of an installed package with a model for names."""

    presidio: bool = False
    spacy_model: str = ""
    pattern: tuple[Pattern, ...] = ()
    allow: tuple[Allowed, ...] = ()


def load_phi_settings(root: Path) -> PhiSettings:
    """phi.toml of the project at `root`, defaults where there is none. Raises FileProblems (EG101, EG883) with all of its faults."""
    path = root / NAME
    if not path.exists():
        return PhiSettings()
    problems = Problems()
    data = read_bytes(path, NAME, problems)
    problems.raise_if_any()
    settings = PhiSettings()
    try:
        text = (data or b"").decode("utf-8")
        settings = msgspec.convert(tomllib.loads(text), PhiSettings)
    except (ValueError, msgspec.ValidationError) as e:
        problems.add(NAME, "EG883", f"found {e}, expected the keys of docs/phi.md. Correct it.")
    for number, pattern in enumerate(settings.pattern, 1):
        for fault in _faults(pattern):
            problems.add(NAME, "EG883", f"[[pattern]] {number}: {fault}")
    for number, allowed in enumerate(settings.allow, 1):
        if len(allowed.text.strip()) < 3 or not allowed.reason.strip():
            problems.add(
                NAME,
                "EG883",
                f"[[allow]] {number}: found no text of three characters or no reason, expected both. Write them.",
            )
    if settings.spacy_model and not settings.presidio:
        problems.add(
            NAME, "EG883", "found spacy_model without presidio = true, expected both. Add it."
        )
    problems.raise_if_any()
    return settings


def _faults(pattern: Pattern) -> Iterator[str]:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{1,30}", pattern.type):
        yield "found a type in another form, expected capitals as in EMPLOYEE_ID. Rename it."
    try:
        regex = re.compile(pattern.regex)
    except re.error as e:
        yield f"found no regular expression ({e}), expected one. Correct it."
        return
    if regex.search(""):
        yield "found a regex that finds nothing at all, expected one that needs characters. Correct it."
    if not pattern.examples:
        yield "found no examples, expected at least one invented one. Write it."
    missed = sum(not regex.fullmatch(Folded(example).text) for example in pattern.examples)
    if missed:
        yield f"found that it misses {missed} of its examples, expected all to match whole. Correct one or the other."


def scanner_of(root: Path) -> Scanner:
    """The scanner that the project at `root` asks for; what its prompts say to every item is nobody's.

    Raises as `load_phi_settings` does, UsageError (EG884), FileProblems (prompts).
    """
    settings = load_phi_settings(root)
    problems = Problems()
    _, prompts = prompts_of(root, problems)
    problems.raise_if_any()
    allowed = [*(a.text for a in settings.allow), *(p for p in prompts if scan(p))]
    more = [*settings.pattern]
    identity = [msgspec.json.encode(pattern).decode() for pattern in settings.pattern]
    if not settings.presidio:
        return Scanner(more, allowed=allowed, identity=identity)
    from evalgate.corpus.phi.presidio import Presidio

    presidio = Presidio(settings.spacy_model)
    return Scanner(
        [*more, presidio],
        allowed=allowed,
        identity=[*identity, presidio.identity],
    )
