"""How hard a text is to read, and how long it is."""

from __future__ import annotations

import re

from evalgate.text.sentences import sentences

_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_VOWELS = re.compile(r"[aeiouyáéíóúü]+")
# An e that is written, not spoken: "male" and "denied" against "table" and "wanted".
_SILENT = re.compile(r"(?:[^laeiouy]e|[aeiouy]le|[^tdil]ed|[aeiouy]led|[^cgsxzi]es)\Z")
# Two vowels written together, spoken apart: "radio", "lying", "issuer"; not the "ion" of "section".
_HIATUS = re.compile(
    r"(?<![tscgx])i[ao](?!u)|[iu]um|eo(?!u)|[^qg]ua|uer|[aeo]y[aeiou]|[aeoy]ing|ier\b|uous"
)


def words(text: str) -> int:
    """Number of words. "follow-up", "1,500" and "don't" are one word each; punctuation is none."""
    return len(_WORD.findall(text))


def reading_grade(text: str) -> float:
    """US school grade by the Flesch-Kincaid formula, at least 0.0; 0.0 for a text without words.

    0.39 words/sentences + 11.8 syllables/words - 15.59 (Kincaid et al. 1975). Syllables are counted by vowel groups,
    for English; a number counts as one. Valid for texts of some hundred words; a single sentence can land anywhere.
    """
    pieces = sentences(text)
    found = [word for piece in pieces for word in _WORD.findall(piece)]
    if not found:
        return 0.0
    spoken = sum(_syllables(word) for word in found)
    return max(0.0, 0.39 * len(found) / len(pieces) + 11.8 * spoken / len(found) - 15.59)


def _syllables(word: str) -> int:
    """Syllables of an English word, 1 at least; parts of a hyphened word are counted apart."""
    return sum(_part(part.group().lower()) for part in _LETTERS.finditer(word)) or 1


def _part(word: str) -> int:
    groups = len(_VOWELS.findall(word)) + len(_HIATUS.findall(word))
    if _SILENT.search(word):
        groups -= 1
    return max(1, groups)
