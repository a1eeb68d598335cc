"""Gold that a candidate has learnt from, as kept checks of its corpora name it, and its claims without those items.

The list is that of `data check CORPUS --keep`, beside the corpus. Claims are measured again from the kept answers by the
suites' own tests and `gate.decide.find`, once with all items, which has to give what was decided, and once without.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import msgspec

from evalgate.authored import Problems
from evalgate.corpus.leak.check import RULES, Report
from evalgate.corpus.leak.gold import prompts_of
from evalgate.corpus.leakage import CHECKS
from evalgate.errors import EvalgateError, UsageError
from evalgate.gate.claims import estimate_of
from evalgate.gate.decide import find, threshold_of
from evalgate.gate.plan import seed_of
from evalgate.gate.record import Recorded
from evalgate.gate.sides import open_side
from evalgate.records import Answer, Finding, SuiteEvidence
from evalgate.release.admission import settings_of
from evalgate.release.trained import read_training, trained_models
from evalgate.report.contaminated import Beside, Contaminated
from evalgate.store.run import EARLIER, last_sum
from evalgate.store.shelf import KeptRun
from evalgate.suite import Answers, FirstRelease, LoadedSuite, Project, load_project


def contaminated(root: Path, kept: Recorded) -> Contaminated | None:
    """The claims of a kept decision with and without contaminated items; None for a model that was not trained here.

    Reads the bytes of models with a record of training. Where gold, corpus, suite, run or rules are others now than were
    checked, a note says that nothing is known. Raises IntegrityError (EG857: a record of training that cannot be read).
    """
    settings = settings_of(root)
    spec = settings.models.get(kept.decision.model.get("name", ""))
    if spec is None or spec.artifact is None or read_training(root / spec.artifact) is None:
        return None
    known = {d: one.training for one in trained_models(root, settings) for d in one.digests}
    below = known.pop(kept.decision.model.get("digest", ""), None)
    if below is None:
        return Contaminated(items={}, notes=(_unknown("the model's files are others now"),))
    corpora: dict[str, str] = {}
    while below is not None:
        corpora |= {digest: name for name, digest in below.corpora.items()}
        below = known.pop(below.base, None)
    checks = list(_checks(root))
    items: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for suite in kept.evidence.suites:
        touched: set[str] = set()
        gold = PurePosixPath(suite.gold).stem
        for corpus, name in corpora.items():
            about = [one for one in checks if corpus in one.corpora.values()]
            current = [one for one in about if one.gold.get(gold) == kept.evidence.files.get(suite.gold)]  # fmt: skip
            touched.update(*(one.contaminated.get(gold, {}) for one in current))
            if not current:
                why = "was checked against another gold set, or by other rules" if about else "has no kept check"  # fmt: skip
                notes.append(_unknown(f"{name} {why} ({suite.suite}): evalgate data check data/{name} --keep"))  # fmt: skip
        if touched:
            items[suite.suite] = tuple(sorted(touched))
    claims, more = _claims(root, kept, items) if items else ((), ())
    return Contaminated(items=items, claims=claims, notes=(*notes, *more))


def _unknown(why: str) -> str:
    return f"contaminated gold items: not known, {why}"


def _checks(root: Path) -> Iterator[Report]:
    """The kept checks whose rules and prompts are those of now; a file that cannot be read tells nothing."""
    prompts = prompts_of(root, Problems())[0]
    for path in sorted((root / "data").glob(f"*{CHECKS}")):
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Report)
        except (OSError, ValueError, RecursionError):
            continue
        if found.rules == RULES and found.prompts == prompts:
            yield found


def _claims(
    root: Path, kept: Recorded, items: dict[str, tuple[str, ...]]
) -> tuple[tuple[Beside, ...], tuple[str, ...]]:
    """The claims of the suites with such items, and what is not known of them."""
    try:
        project = load_project(root, only=set(items))
    except EvalgateError as e:
        return (), (_unknown(f"the suites cannot be loaded ({e.code})"),)
    claims: list[Beside] = []
    notes: list[str] = []
    for evidence in kept.evidence.suites:
        if evidence.suite not in items:
            continue
        if evidence.suite not in project.suites:
            notes.append(_unknown(f"{evidence.suite} is no longer a suite"))
            continue
        try:
            measured = _Measured(project, kept, evidence, items[evidence.suite])
        except EvalgateError as e:
            notes.append(_unknown(f"{evidence.suite}: {e.message or e} ({e.code})"))
            continue
        claims += [measured.beside(f) for f in kept.decision.findings if f.suite == evidence.suite]
    return tuple(claims), tuple(notes)


class _Without(Answers):
    """The answers to all items but some."""

    def __init__(self, whole: Answers, left_out: Collection[str]) -> None:
        super().__init__(whole.suite, whole.gold, whole.run)
        self.unit_weight_max = whole.unit_weight_max
        self._left_out = frozenset(left_out)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Answer]:
        return (answer for answer in super().__iter__() if answer.id not in self._left_out)


class _Measured:
    """One suite's kept answers, and the baseline's, with and without some items. Raises UsageError, IntegrityError."""

    def __init__(
        self, project: Project, kept: Recorded, evidence: SuiteEvidence, items: Collection[str]
    ) -> None:
        self._project = project
        self._loaded: LoadedSuite = project.suites[evidence.suite]
        self._plan = kept.decision.plan
        whole = _answers(project, self._loaded, evidence, evidence.run, evidence.key)
        self._whole: tuple[Answers, Answers | FirstRelease] = (whole, FirstRelease())
        self._without: tuple[Answers, Answers | FirstRelease]
        self._without = (_Without(whole, items), FirstRelease())
        if evidence.baseline_run:
            where, key = evidence.baseline_run, evidence.baseline_key
            baseline = _answers(project, self._loaded, evidence, where, key)
            self._whole = (whole, baseline)
            self._without = (self._without[0], _Without(baseline, items))

    def beside(self, decided: Finding) -> Beside:
        """A claim as it was decided, and without the items; neither is shown as known if the suite measures otherwise now."""
        try:
            again = self._found(decided, *self._whole)
            without = self._found(decided, *self._without)
        except UsageError as e:
            return Beside(whole=decided, why=f"not known: it cannot be measured ({e.code})")
        if again is None or without is None:
            return Beside(whole=decided, why="not known: more than answers go into it, or its row changed")  # fmt: skip
        if (again.estimate, again.low, again.high) != (decided.estimate, decided.low, decided.high):
            return Beside(whole=decided, why="not known: its test measures otherwise now")
        return Beside(whole=decided, without=without)

    def _found(
        self, decided: Finding, answers: Answers, baseline: Answers | FirstRelease
    ) -> Finding | None:
        suite, test = decided.suite, decided.test
        bar = self._project.gate.suites[suite].get(test)
        if bar is None or bar.judge or threshold_of(bar) != decided.threshold:
            return None
        estimate = estimate_of(self._loaded, test, answers, baseline, what="the kept answers")
        if estimate is None:
            return None
        return find(
            suite=suite,
            test=test,
            bar=bar,
            estimate=estimate,
            alpha=decided.alpha,
            seed=seed_of(self._plan, suite, test),
            unscored_max=self._project.gate.settings.unscored_max,
        )


def _answers(
    project: Project, loaded: LoadedSuite, evidence: SuiteEvidence, run: str, key: str
) -> Answers:
    """The answers that were decided on, wherever --fresh has put them. Raises UsageError (EG987: they are gone)."""
    place = project.root / run
    for path in (place, *(place / EARLIER).glob("*")):
        if last_sum(path) == evidence.sums.get(run):
            there = KeptRun(suite=evidence.suite, key=key[:16], repeat=0, path=path)
            return open_side(loaded, there, evidence.suite)
    raise UsageError(
        "found other answers than were decided on, or none, expected those. They were purged or moved: check again.",
        where=run,
        code="EG987",
    )
