"""Scores of written answers: pure functions on strings. No model, no network, nothing downloaded.

Each says in its docstring what it cannot see; docs/text.md gives the measured errors.
"""

from evalgate.text.abstention import abstains
from evalgate.text.citations import citations
from evalgate.text.facts import asserts, coverage, missing
from evalgate.text.overlap import chrf, rouge_l
from evalgate.text.reading import reading_grade, words
from evalgate.text.refusals import refuses
from evalgate.text.support import unsupported

__all__ = [
    "abstains",
    "asserts",
    "chrf",
    "citations",
    "coverage",
    "missing",
    "reading_grade",
    "refuses",
    "rouge_l",
    "unsupported",
    "words",
]
