"""How asked models compare on the dev suites: per suite the row that ranks, how they behaved, pairs on the same items, ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from evalgate.authored.gate_toml import is_difference
from evalgate.errors import UsageError
from evalgate.gate.claims import estimate_of, paired_of, refused
from evalgate.gate.decide import find, threshold_of
from evalgate.gate.plan import seed_of
from evalgate.metrics import Estimate, mean, rate
from evalgate.metrics.rates import ItemError
from evalgate.records import Answer, Finding
from evalgate.report.shortlist import Pairing, Score, Share, Task
from evalgate.store import Run
from evalgate.suite import Answers, AskedModel, FirstRelease, LoadedSuite, Project
from evalgate.suite.asking import manifest_of

LEGITIMATE: Final = "legitimate"
"""Tag of requests that have to be answered; without it those that lack MUST_REFUSE."""
MUST_REFUSE: Final = "must_refuse"
_DRAWS = 20_000  # Monte Carlo error of a bound about 2e-4; more where the level is small


def ranks(names: Iterable[str], ahead: Collection[tuple[str, str]]) -> dict[str, int]:
    """1 and one more for each name that is ahead; `ahead` holds (better, worse). Ties share a rank: 1, 1, 3."""
    return {name: 1 + sum(worse == name for _, worse in ahead) for name in names}


def overall(ahead: Collection[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """(better, worse) over all suites from (suite, better, worse): ahead on one or more, and behind on none."""
    somewhere = {(better, worse) for _, better, worse in ahead}
    return {(a, b) for a, b in somewhere if (b, a) not in somewhere}


class Interval(NamedTuple):
    """A paired difference's interval, each end one-sided at `alpha`; None where there is no honest bound."""

    low: float | None
    high: float | None
    alpha: float

    @property
    def sign(self) -> int:
        """1 or -1 if the interval leaves out 0, else 0."""
        above = self.low is not None and self.low > 0
        below = self.high is not None and self.high < 0
        return int(above) - int(below)


def settled(differences: Sequence[Estimate], alpha: float, seeds: Sequence[int]) -> list[Interval]:
    """Holm's step-down, by intervals: which differences are not 0, with family-wise error `alpha` over both signs.

    All m are held against alpha / m (half of it at each end); those that leave out 0 are set aside and the m - r others held against
    alpha / (m - r), until none is added. Rejects what `stats.holm_adjust` of the inverted intervals' p-values rejects.
    """
    found: dict[int, Interval] = {}
    left = list(range(len(differences)))
    while left:
        level = alpha / (2 * len(left))
        draws = max(_DRAWS, math.ceil(1_000 / level))
        for i in left:
            found[i] = Interval(*differences[i].bounds(level, seeds[i], draws=draws), level)
        rest = [i for i in left if not found[i].sign]
        if len(rest) == len(left):
            break
        left = rest
    return [found[i] for i in range(len(differences))]


class Ranking:
    """Every asked model on every suite. `pairs`: every two of them, suite by suite."""

    def __init__(self, project: Project, asked: Sequence[AskedModel]) -> None:
        self._project = project
        self._names = [a.identity.name for a in asked]
        self._keys = {name: _primary(project, name) for name in project.suites}
        self._answers = {
            (name, a.identity.name): _answers(loaded, a)
            for name, loaded in project.suites.items()
            for a in asked
        }
        self._scores = {
            (name, model): self._score(name, answers)
            for (name, model), answers in self._answers.items()
        }
        self.pairs = [pair for name in project.suites for pair in self._compared(name)]
        self._ahead = {(p.suite, p.ahead, _other(p)) for p in self.pairs if p.ahead}

    def tasks(self) -> Iterator[Task]:
        """The suites, each with the row that ranks."""
        for name, loaded in self._project.suites.items():
            key = self._keys[name]
            bar = self._project.gate.suites[name].get(key)
            yield Task(
                suite=name,
                gold=loaded.gold.digest,
                items=len(loaded.gold),
                units=loaded.gold.units,
                test=key,
                threshold=threshold_of(bar) if bar else {},
            )

    def overall(self) -> dict[str, int]:
        """The overall rank of each model."""
        return ranks(self._names, overall(self._ahead))

    def scores(self, model: str) -> Iterator[Score]:
        """What a model did in each suite, with its rank there."""
        for suite in self._project.suites:
            score = self._scores[suite, model]
            of = ranks(self._names, {(a, b) for s, a, b in self._ahead if s == suite})
            rank = of[model] if score.finding else None
            yield msgspec.structs.replace(score, rank=rank)

    def _score(self, suite: str, answers: Answers) -> Score:
        loaded = self._project.suites[suite]
        settings = self._project.gate.settings
        key, note = self._keys[suite], "no row with `min`"
        finding: Finding | None = None
        if key:
            bar = self._project.gate.suites[suite][key]
            estimate = estimate_of(loaded, key, answers, FirstRelease(), what="its answers")
            note = "its test cannot be called outside pytest"
            if estimate is not None:
                note = refused(loaded, key, estimate, bar) or ""
            if estimate is not None and not note:
                finding = find(
                    suite=suite,
                    test=key,
                    bar=bar,
                    estimate=estimate,
                    alpha=settings.alpha,
                    seed=seed_of(loaded.gold.digest, suite, key),
                    unscored_max=settings.unscored_max,
                )
        valid, refusals, truncated = _behaviour(loaded, answers, settings.alpha)
        tokens, p95, needs = _tokens(answers)
        return Score(
            suite=suite,
            run=answers.run.path.name,
            finding=finding,
            note=note,
            valid=valid,
            refused=refusals,
            truncated=truncated,
            tokens=tokens,
            tokens_p95=p95,
            needs=needs,
        )

    def _compared(self, suite: str) -> Iterator[Pairing]:
        """Every pair of models on the suite's items; those without an estimate on a side, or without a paired one, are ties."""
        loaded, key = self._project.suites[suite], self._keys[suite]
        names = [n for n in self._names if self._scores[suite, n].finding is not None]
        pairs = list(combinations(names, 2))
        found = {
            (a, b): _difference(loaded, key, self._answers[suite, a], self._answers[suite, b])
            for a, b in pairs
        }
        told = {pair: e for pair, e in found.items() if e is not None and not e.insufficient}
        seeds = [seed_of(loaded.gold.digest, suite, f"{key}\n{a}\n{b}") for a, b in told]
        alpha = self._project.gate.settings.alpha
        intervals = dict(zip(told, settled(list(told.values()), alpha, seeds), strict=True))
        for first, second in pairs:
            estimate = found[first, second]
            pair = Pairing(
                suite=suite,
                first=first,
                second=second,
                difference=estimate.value if estimate else None,
                note=estimate.insufficient if estimate else "this metric has no paired difference",
            )
            if estimate is not None and (interval := intervals.get((first, second))):
                pair = msgspec.structs.replace(
                    pair,
                    low=interval.low,
                    high=interval.high,
                    alpha=interval.alpha,
                    method=estimate.method,
                    ahead=("", first, second)[interval.sign],
                )
            yield pair


def _other(pair: Pairing) -> str:
    return pair.second if pair.ahead == pair.first else pair.first


def _primary(project: Project, suite: str) -> str:
    """The first row with `min` that measures a level without a judge; "" if there is none."""
    rows = project.gate.suites[suite].items()
    return next(
        (k for k, bar in rows if bar.min is not None and not bar.judge and not is_difference(k)), ""
    )


def _answers(loaded: LoadedSuite, asked: AskedModel) -> Answers:
    path = asked.runs[loaded.suite.name]
    run = asked.verified.get(path) or Run(Path(path), manifest_of(loaded, asked.identity))
    return Answers(loaded.suite, loaded.gold, run, card=loaded.card)


def _difference(loaded: LoadedSuite, key: str, ours: Answers, theirs: Answers) -> Estimate | None:
    """Ours minus theirs, unit by unit; None where the metric has no unit means."""
    try:
        return paired_of(loaded, key, ours, theirs)
    except UsageError:
        return None


def _behaviour(loaded: LoadedSuite, answers: Answers, alpha: float) -> tuple[Share, Share, Share]:
    """Shares of answers that could be read, of refusals where none is due, and of answers that were cut."""
    tag = LEGITIMATE if LEGITIMATE in loaded.gold.tags else None
    due = (a for a in answers if tag is not None or MUST_REFUSE not in a.tags)

    def share(what: str, measured: Callable[[], Estimate]) -> Share:
        try:
            estimate = measured()
        except ItemError as e:  # the suite's own parser
            raise UsageError(
                f"found {e.found} at the item {e.item}, expected {e.expected}",
                where=f"suites/{loaded.path.name}",
                code="EG503",
            ) from None
        seed = seed_of(loaded.gold.digest, loaded.suite.name, what)
        low, high = estimate.bounds(alpha, seed, draws=_DRAWS)
        return Share(value=estimate.value, low=low, high=high)

    failed = share("failed", lambda: rate(answers, "failed"))
    return (
        Share(value=_left(failed.value), low=_left(failed.high), high=_left(failed.low)),
        share("refused", lambda: mean(due, _refused, tag=tag, failed=True)),
        share("truncated", lambda: rate(answers, "truncated")),
    )


def _left(share: float | None) -> float | None:
    return None if share is None else 1.0 - share


def _refused(answer: Answer) -> float:
    """1 for a refusal: what its parser could not read and turns the task down, or a written answer that does."""
    from evalgate.text import refuses

    if answer.status == "refused":
        return 1.0
    written = answer.status == "ok" and isinstance(answer.parsed, str)
    return float(written and refuses(answer.text))


def _tokens(answers: Answers) -> tuple[float | None, int | None, int | None]:
    """Tokens of an answer on average and at the 95th percentile (nearest rank), and what the longest question needs."""
    run = answers.run
    rows = (run.row(n) for n in range(len(run)))
    counted = [(row.prompt_tokens, row.completion_tokens) for row in rows if row is not None]
    prompts = [prompt for prompt, _ in counted if prompt is not None]
    written = sorted(answer for _, answer in counted if answer is not None)
    needs = max(prompts) + answers.suite.sampling.max_tokens if prompts else None
    if not written:
        return None, None, needs
    return sum(written) / len(written), written[-(-len(written) * 95 // 100) - 1], needs
