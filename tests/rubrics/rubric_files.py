"""Rubric files for the tests, in small and of any shape."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from hypothesis import strategies as st

from evalgate.authored import Criterion, Problems
from evalgate.authored.rubric import Example

NAME = "rubrics/letters.toml"
RUBRIC = """\
# Who may change this file: the owner.
[rubric]
id = "letter"
task = "letters"
version = "1.2.0"
title = "Letters"       # as members read it
show = ["case"]
pass_mark = 0.80

# What every letter needs.
[[criterion]]
id = "states-reason"    # the oldest
axis = "completeness"
ask = "The letter states the reason on file."
points = 8              # agreed in spring
evidence = "quote"
met = "Names the reason."
not_met = "Names none, or another."
examples = [
  { answer = "met", text = "We denied it because no trial was on record." },
  { answer = "not_met", text = "It did not meet our criteria.", why = "No reason." },
]

# What no letter may do.
[[criterion]]
id = "invented-fact"
ask = "The letter states a date that is not in the case."
points = -10
critical = true
evidence = "quote"
met = "Any date that the case lacks."
not_met = "Every date is in the case."

[[criterion]]
id = "wrong-citation"
ask = "A citation points to a passage that was not shown."
points = -6
judged_by = ["code"]
check = "citations_resolve"

[[criterion]]
id = "plain-language"
kind = "scale"
ask = "How easily could the member act on this letter?"
points = 5
anchors = ["Not at all.", "Knows what.", "Knows why.", "Knows what is next.", "And every term is explained."]
"""


def write(root: Path, name: str, text: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(items) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def told(problems: Problems) -> list[str]:
    return [str(problem) for problem in problems]


def only(problems: Problems) -> str:
    assert len(problems) == 1, told(problems)
    return told(problems)[0]


_SIGNS = st.characters(exclude_categories=("Cc", "Cs", "Cn"), include_characters="\n\t=+-@'\"#;,")
texts = (
    st.text(_SIGNS, min_size=1, max_size=30)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(str.strip)
)
"""Any text that a rubric may hold, many of them traps for spreadsheets or TOML."""
maybe = st.just("") | texts
points = st.sampled_from([1.0, 8.0, -10.0, 2.5, -0.125, 1000.0])
ids = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)


def _examples(answers):
    made = st.builds(Example, answer=st.sampled_from(answers), text=texts, why=maybe)
    return st.lists(made, max_size=3).map(tuple)


_binary = st.builds(
    Criterion,
    id=ids,
    ask=texts,
    points=points,
    axis=maybe,
    critical=st.booleans(),
    evidence=st.sampled_from(["none", "quote"]),
    applies_when=maybe,
    met=maybe,
    not_met=maybe,
    examples=_examples(["met", "not_met", "cannot_tell"]),
    judged_by=st.sampled_from([("judge", "clinician"), ("clinician",), ("clinician", "judge")]),
)
_scale = st.builds(
    Criterion,
    id=ids,
    kind=st.just("scale"),
    ask=texts,
    points=points,
    anchors=st.tuples(*[texts] * 5),
    examples=_examples(["1", "5", "cannot_tell"]),
)
_code = st.builds(
    Criterion,
    id=ids,
    ask=texts,
    points=points,
    critical=st.booleans(),
    judged_by=st.just(("code",)),
    check=st.sampled_from(["citations_resolve", "plain_reading"]),
)
_earning = st.builds(Criterion, id=st.just("earns"), ask=texts, points=st.just(1.0))
criteria = st.tuples(
    st.lists(_binary | _scale | _code, max_size=4, unique_by=lambda c: c.id), _earning
).map(lambda pair: (*(c for c in pair[0] if c.id != "earns"), pair[1]))
"""The criteria of a rubric that loads."""
