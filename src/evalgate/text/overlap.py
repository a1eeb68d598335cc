"""Likeness to one reference text: ROUGE-L and chrF. Both reward shared wording, neither sees whether it is true."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z0-9]+")


def rouge_l(candidate: str, reference: str) -> float:
    """ROUGE-L F-measure in [0, 1]: the longest common subsequence of words against both lengths.

    Words are runs of a-z and 0-9 after lower-casing, as in the rouge-score package without stemmer; accented letters
    split words. 0.0 if either text has no word. Lin, ROUGE: a package for automatic evaluation of summaries (2004).
    """
    from rapidfuzz.distance import LCSseq

    ours, theirs = _WORD.findall(candidate.lower()), _WORD.findall(reference.lower())
    if not ours or not theirs:
        return 0.0
    common = LCSseq.similarity(ours, theirs)
    # F1 of common/len(ours) and common/len(theirs)
    return 2 * common / (len(ours) + len(theirs))


def chrf(candidate: str, reference: str) -> float:
    """Likeness in [0, 1] by chrF: F2 of character n-grams up to 6, as sacrebleu computes it for one sentence.

    Case counts, white space does not. Popovic, chrF: character n-gram F-score for automatic MT evaluation (2015).
    """
    from sacrebleu.metrics.chrf import CHRF

    score: float = CHRF().sentence_score(candidate, [reference]).score
    return min(1.0, score / 100)  # 100.00000000000001 occurs
