"""An adaptive developer who tries a hundred checkpoints, none of which is any better, and what each kind of gate lets through.

Checkpoints are 500 items of right and wrong. The next one is the one in hand with some items answered anew, so that two in
a row are alike (correlation 0.86); every checkpoint is truly right on a share `true` of all items, whatever it scores.
The developer keeps what a leaderboard on the gate set shows to be better: exact scores, or only moves of so many paired
standard errors (a ladder). With a sealed set the leaderboard is on dev items, and the gate gives one bit an attempt, through the
real attempts and a real ledger on disk.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

import numpy as np

from evalgate import stats
from evalgate.authored import GateSettings
from evalgate.errors import Refused
from evalgate.store.attempts import Question, SealedSet, Verdict, close_attempt, open_attempt
from evalgate.store.ledger import Ledger
from evalgate.store.signer import gate_signer, keyring_of

ITEMS = 500
THRESHOLD = 0.95
ALIKE = 0.86
TODAY = dt.date(2026, 12, 1)


@cache
def enough(alpha: float) -> int:
    """Right items with which the gate passes at `alpha`."""
    return next(k for k in range(ITEMS + 1) if stats.cp_lower(k, ITEMS, alpha) >= THRESHOLD)


def leaderboard(
    rng: np.random.Generator, *, steps: int, errors: float, true: float, worlds: int
) -> tuple[float, float]:
    """Mean score at the end, and share of worlds in which it passes, climbing on the gate set itself at alpha 0.05.

    `errors`: standard errors that a move must be better by; 0 for exact scores.
    """
    held = rng.random((worlds, ITEMS)) < true
    score = held.sum(1)
    for _ in range(steps):
        tried = _next(rng, held, true)
        gain = tried.sum(1) - score
        spread = np.sqrt((tried != held).sum(1))
        better = (gain > 0) & (gain > errors * spread)
        held[better] = tried[better]
        score[better] += gain[better]
    return float(score.mean()) / ITEMS, float((score >= enough(0.05)).mean())


def sealed(
    rng: np.random.Generator, folder: Path, *, steps: int, true: float, settings: GateSettings
) -> tuple[bool, int, int]:
    """One world: climbing on dev items, asking the gate about every checkpoint that is better there, until it opens.

    Returns whether it opened, the attempts that it took, and how often it refused to be asked.
    """
    folder.mkdir()
    key = gate_signer(folder, keyring_of(folder)).private
    ledger = Ledger(folder, keyring_of(folder))
    one = SealedSet(version="1", digest="sha256:sealed", date="2026-11-23")
    dev, gate = (rng.random(ITEMS) < true for _ in range(2))
    asked = refused = 0
    for step in range(steps):
        tried, gate = _next(rng, dev, true), _next(rng, gate, true)
        if tried.sum() <= dev.sum():
            continue
        dev = tried
        question = Question(
            model={"name": f"checkpoint-{step}", "digest": f"sha256:{step}"},
            plan="p",
            sealed={"s": one},
        )
        try:
            attempts = open_attempt(ledger, question, settings, key, TODAY)
        except Refused:
            refused += 1
            continue
        asked += 1
        alpha = attempts.alpha(question, one.digest, settings)
        passed = bool(gate.sum() >= enough(alpha))
        close_attempt(ledger, question, Verdict(open=passed, bundle="b", sum="sha256:b"), key)
        if passed:
            return True, asked, refused
    return False, asked, refused


def _next(rng: np.random.Generator, held: np.ndarray, true: float) -> np.ndarray:
    """The checkpoint after `held`: most items as they are, the others answered anew."""
    return np.where(rng.random(held.shape) < ALIKE, held, rng.random(held.shape) < true)
