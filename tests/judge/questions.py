"""Questions to a judge for tests: made up, and read as Markdown reads them."""

from __future__ import annotations

import re
from typing import NamedTuple

from hypothesis import strategies as st
from injected_texts import ATTACKS

from evalgate.authored.rubric import Criterion, Example
from evalgate.judge.case import Case
from evalgate.judge.prompt import messages

REASON = Criterion(id="states-reason", ask="The letter states why the claim was denied.", points=8)
FAULT = Criterion(
    id="invented-fact",
    ask="The letter states a fact that is not in the {file}.",
    points=-10,
    evidence="quote",
    applies_when="There is a letter, with or without {{braces}}.",
    met="At least %s.",
    not_met="None.",
    examples=(Example(answer="met", text="As ```we``` all know.", why="Nobody knows."),),
)
SCALE = Criterion(
    id="clear", ask="How clear is it?", points=4, kind="scale", anchors=("1st", "2nd", "3rd", "4th", "5th")
)  # fmt: skip
CRITERIA = (REASON, FAULT, SCALE)

# Texts made of what fences, headings, tokens and lines are made of.
nasty = st.text(
    st.sampled_from("`~#<>|[]/im_ \n\r\t\v\u2028\u0085\u200b\u202eA{}%$\\"), max_size=60
)
texts = st.one_of(st.text(max_size=60), nasty, st.sampled_from(ATTACKS).map(lambda a: a.text))
criteria = st.sampled_from(CRITERIA)


def case(output: str, *sources: str) -> Case:
    named = tuple((f"source {n}", text) for n, text in enumerate(sources))
    return Case(id="i", unit="u", sources=named, output=output)


def asked(given: Case, criterion: Criterion) -> str:
    """The user's message."""
    return messages(given, criterion)[-1]["content"]


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_OPENING = re.compile(r" {0,3}(?:(`{3,})[^`]*|(~{3,}).*)", re.DOTALL)


class Part(NamedTuple):
    """A piece of a text; `inside`: between two fences."""

    inside: bool
    text: str


def parts(text: str) -> list[Part]:
    """The pieces of `text`, fences left out. A fence that nothing closes holds the rest."""
    found, start, fence = [], 0, ""
    for line in _LINE.finditer(text):
        words = line[0].rstrip("\r\n")
        if fence:
            closing = re.fullmatch(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*", words)
            marks = "" if closing else fence
        else:
            opening = _OPENING.fullmatch(words)
            marks = (opening[1] or opening[2]) if opening else ""
        if marks != fence:
            found.append(Part(bool(fence), text[start : line.start()]))
            start, fence = line.end(), marks
    return [*found, Part(bool(fence), text[start:])]
