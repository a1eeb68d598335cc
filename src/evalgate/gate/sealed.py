"""`gate check --sealed`: the same question put to the sealed sets. Developers learn one bit; the rest is encrypted.

Two test processes. The first only says what would be asked (model, plan, sets), so that the attempt stands in the ledger
before a question is. The second asks. Neither the sealed items nor the suites' code are ever in the process that holds
the signing key. What they hand back is encrypted, as are the answers; the full decision goes into one bundle for people who
hold the seal key.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from evalgate import digest
from evalgate.authored import Problems
from evalgate.authored.card import SEALED
from evalgate.errors import EvalgateError, Exit, IntegrityError, Refused, UsageError
from evalgate.files import write_whole
from evalgate.gate.check import CheckError, Outcome, Survey, run_tests, without_outcome
from evalgate.gate.overfit import Overfit, overfit
from evalgate.records import Decision, Evidence, ModelIdentity, Record
from evalgate.store.attempts import (
    Attempts,
    Question,
    SealedSet,
    Verdict,
    attempts_of,
    close_attempt,
    open_attempt,
)

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey
    from evalgate.store.ledger import Ledger
    from evalgate.store.signer import Signer
    from evalgate.suite import Project
    from evalgate.suite.project import Opening

FOLDER: Final = "reports/sealed"
SUFFIX: Final = ".bundle"
KIND: Final = "evidence bundle"
_OUTCOME: Final = "outcome"


class Handed(Record, kw_only=True):
    """What a test process is told. `key`: the seal key's bytes, b"" if it reads no sealed set; `alphas`: by digest of each set.

    `survey`: it only says what would be asked.
    """

    key: bytes = b""
    alphas: dict[str, float] = msgspec.field(default_factory=dict)
    survey: bool = False

    @classmethod
    def read(cls, data: bytes) -> Handed | None:
        """What stands behind the nonce; None where nothing does."""
        return msgspec.json.decode(data, type=cls) if data else None

    def __repr__(self) -> str:
        return f"<Handed sets={len(self.alphas)}>"

    @property
    def opening(self) -> Opening | None:
        """What opens the sealed sets of the project; None if the check is not about them."""
        if not self.key:
            return None
        from evalgate.crypto.seal import SealKey
        from evalgate.suite.project import Opening

        return Opening(key=SealKey(self.key), alphas=self.alphas)

    def hidden(self, outcome: bytes) -> bytes:
        """The outcome as it lies on the disk until the gate has read it."""
        return self.opening.key.seal(outcome, kind=_OUTCOME, name="") if self.opening else outcome


class Bundle(Record, kw_only=True):
    """Everything about one sealed check, for the quality role. `attempts`: which one it was, of each suite's set."""

    decision: Decision
    evidence: Evidence
    question: Question
    attempts: dict[str, int]
    overfit: tuple[Overfit, ...] = ()
    overfit_against: str = ""
    """The dev decision whose numbers were compared, "" if there was none."""


class SealedVerdict(Record, kw_only=True):
    """What a developer may know. `attempts`: which one it was, of each suite's set; `stored`: it was decided before."""

    open: bool
    question: Question
    attempts: dict[str, int]
    bundle: str
    stored: bool = False

    @property
    def exit(self) -> Exit:
        """0 or 1."""
        return Exit.OPEN if self.open else Exit.CLOSED

    def to_json(self) -> dict[str, Any]:
        """The redacted decision object: nothing but the bit."""
        return redacted(self.exit)


class Unfinished(EvalgateError):  # noqa: N818 (a state, not a mistake)
    """The check ended without a verdict, by what files and machines did; the attempt stays open and is resumed."""

    def __init__(self, decision: Decision) -> None:
        super().__init__("\n".join(decision.reasons))
        self.exit = Exit(decision.exit)


def redacted(exit_: int) -> dict[str, Any]:
    """The object of `--json` for sealed sets."""
    return {
        "schema": "evalgate.decision/1",
        "decision": "open" if exit_ == Exit.OPEN else "not open",
        "exit": int(exit_),
    }


def check_sealed(
    project: Project, model: str, *, key: SealKey, ledger: Ledger, signer: Signer
) -> SealedVerdict:
    """Asks `model` about the sealed set of every suite, as one attempt, and enters the bit into the ledger.

    `project` needs no suites. Raises Refused (EG770 to EG772: no attempt is left; EG773: the processes did not agree),
    CheckError (usage, interruption), Unfinished (infrastructure, integrity, a way around the gate), IntegrityError.
    """
    settings = project.gate.settings
    _refuse_endpoints(project, model)
    found = _Child(project, model, key)
    attempts = attempts_of(ledger)
    question = _question(found.survey(_next_alphas(project, attempts)))
    if stored := attempts.verdict(question):
        return _verdict(question, attempts, stored, stored=True)
    today = dt.datetime.now(dt.UTC).date()
    attempts = open_attempt(ledger, question, settings, signer.private, today)
    alphas = {
        one.digest: attempts.alpha(question, one.digest, settings)
        for one in question.sealed.values()
    }
    decision, evidence = found.decide(question, alphas)
    verdict = _keep(project.root, key, question, attempts, decision, evidence)
    shutil.rmtree(project.root / FOLDER / "logs", ignore_errors=True)  # of servers that were asked
    close_attempt(ledger, question, verdict, signer.private, decides=decides(evidence))
    return _verdict(question, attempts, verdict)


def decides(evidence: Evidence) -> str:
    """Digest of all that decided but the gold sets: equal for a sealed check and a dev check of the same project.

    Every file, and who answered, was compared with and judged, each with server, version and arguments.
    """
    golds = {suite.gold for suite in evidence.suites}
    asked = (evidence.candidate, evidence.baseline, evidence.judge)
    files = {n: d for n, d in evidence.files.items() if n not in golds}
    return digest.of_value(
        [files, [one and (one.digest, one.server, one.version, one.args) for one in asked]]
    )


def _refuse_endpoints(project: Project, model: str) -> None:
    """Raises UsageError (EG768): who runs an endpoint can read every question that it gets."""
    for name in filter(None, (model, project.gate.settings.baseline)):
        if project.model(name)[1].server == "endpoint":
            raise UsageError(
                f"found {name}, an endpoint, expected a model that evalgate serves itself: whoever runs the endpoint would read "
                "the sealed items. Check its weights by an `artifact`.",
                where=f"evalgate.toml: [models.{name}]",
                code="EG768",
            )


class _Child:
    """The test processes of one check."""

    def __init__(self, project: Project, model: str, key: SealKey) -> None:
        self._project = project
        self._model = model
        self._key = key

    def survey(self, alphas: Mapping[str, float]) -> Survey:
        """What would be asked. Raises CheckError, Unfinished."""
        outcome, _ = self._run(alphas, survey=True)
        if outcome.survey is None:
            assert outcome.decision is not None
            raise Unfinished(outcome.decision)
        return outcome.survey

    def decide(self, question: Question, alphas: Mapping[str, float]) -> tuple[Decision, Evidence]:
        """The full decision, borne out by the files as they stand. Raises CheckError, Unfinished, Refused."""
        outcome, status = self._run(alphas, survey=False)
        decision, evidence = outcome.decision, outcome.evidence
        if decision is None or evidence is None:
            raise _disagreed("no decision where there must be one")
        if decision.exit not in (Exit.OPEN, Exit.CLOSED, Exit.UNDECIDED):
            raise Unfinished(decision)
        if (decision.plan, decision.model) != (question.plan, question.model):
            raise _edited(decision.plan, question)
        if decision.exit == Exit.OPEN:
            self._hold_against(decision, (status, outcome.exit), question, alphas)
        return decision, evidence

    def _run(self, alphas: Mapping[str, float], *, survey: bool) -> tuple[Outcome, int]:
        handed = Handed(key=self._key.raw, alphas=dict(alphas), survey=survey)
        status, outcome = run_tests(
            self._project, self._model, handed=msgspec.json.encode(handed), read=self._read
        )
        if outcome is None:
            raise _disagreed(without_outcome(status, None))
        if outcome.error is not None:
            raise CheckError(outcome.error, outcome.exit)
        return outcome, status

    def _read(self, data: bytes) -> bytes:
        return self._key.open(data, kind=_OUTCOME, name="", where="the test process")

    def _hold_against(
        self,
        decision: Decision,
        exits: tuple[int, int],
        question: Question,
        alphas: Mapping[str, float],
    ) -> None:
        """Raises what stands against an open decision: edited files, other thresholds, a process that says two things."""
        from evalgate.gate.decide import disagreements
        from evalgate.suite.project import load_header

        by_suite = {suite: alphas[one.digest] for suite, one in question.sealed.items()}
        gate = load_header(self._project.root).gate
        again = _question(self.survey(alphas))
        if again.own != question.own:
            raise _edited(again.plan, question)
        if exits != (Exit.OPEN, Exit.OPEN) or disagreements(decision.findings, gate, by_suite):
            raise _disagreed("an open decision that its own numbers do not bear out")


def _edited(plan: str, question: Question) -> IntegrityError:
    return IntegrityError(
        f"found the plan {plan[:19]}, expected {question.plan[:19]}, or another model: something was edited while the gate was "
        "at work. Run it again on files that stand still.",
        where="gate check --sealed",
        code="EG502",
    )


def _disagreed(found: str) -> Refused:
    return Refused(
        f"found {found}, expected a decision that holds. Nothing is decided; the attempt stays open. Run it again.",
        where="gate check --sealed",
        code="EG773",
    )


def _question(survey: Survey) -> Question:
    return Question(model=survey.model, plan=survey.plan, sealed=survey.sealed)


def survey_of(
    project: Project,
    candidate: ModelIdentity,
    plan: str,
    *,
    baseline: str | None,
    judge: ModelIdentity | None,
) -> Survey:
    """In the test process: what it would ask."""
    from evalgate.gate.evidence import files_of
    from evalgate.gate.plan import lock_of

    return Survey(
        model={"name": candidate.name, "digest": candidate.digest},
        plan=plan,
        baseline=baseline,
        files=files_of(project, candidate),
        lock=lock_of(project, judge),
        sealed={
            name: SealedSet(
                version=loaded.card.version, digest=loaded.gold.digest, date=loaded.card.date
            )
            for name, loaded in project.suites.items()
            if loaded.card is not None and project.sealed is not None
        },
    )


def _next_alphas(project: Project, attempts: Attempts) -> dict[str, float]:
    """What a further attempt may spend on each sealed set of the project, by digest."""
    settings = project.gate.settings
    known = sealed_sets(project.root).values()
    return {one.digest: attempts.next_alpha(one.digest, settings) for one in known}


def sealed_sets(root: Path) -> dict[str, SealedSet]:
    """The sealed sets of a project by name, as their cards describe them. Raises FileProblems, IntegrityError (EG762)."""
    from evalgate.authored.sealed import load_sealed_card

    problems, found = Problems(), {}
    for path in sorted((root / "goldsets").rglob(f"*{SEALED}")):
        card = load_sealed_card(path, root, problems)
        if card is not None and card.sealed is not None:
            found[path.name.removesuffix(SEALED)] = SealedSet(
                version=card.version, digest=card.sealed.plain, date=card.date
            )
    problems.raise_if_any()
    return found


def _verdict(
    question: Question, attempts: Attempts, verdict: Verdict, *, stored: bool = False
) -> SealedVerdict:
    return SealedVerdict(
        open=verdict.open,
        question=question,
        attempts=_numbers(question, attempts),
        bundle=verdict.bundle,
        stored=stored,
    )


def _numbers(question: Question, attempts: Attempts) -> dict[str, int]:
    return {suite: attempts.number(question, one.digest) for suite, one in question.sealed.items()}


def _keep(  # noqa: PLR0917 (all of it goes into the bundle)
    root: Path,
    key: SealKey,
    question: Question,
    attempts: Attempts,
    decision: Decision,
    evidence: Evidence,
) -> Verdict:
    """Writes the bundle; returns the verdict that names it."""
    from evalgate.gate.record import latest_of, new_stem

    dev = latest_of(root, question.model["digest"])
    numbers = _numbers(question, attempts)
    bundle = Bundle(
        decision=msgspec.structs.replace(decision, attempt=max(numbers.values())),
        evidence=evidence,
        question=question,
        attempts=numbers,
        overfit=overfit(dev.decision, decision) if dev else (),
        overfit_against=dev.stem if dev else "",
    )
    stem = new_stem(question.model["name"])
    sealed = key.seal(msgspec.json.encode(bundle), kind=KIND, name=stem)
    path = root / FOLDER / f"{stem}{SUFFIX}"
    _write(path, sealed)
    return Verdict(
        open=decision.exit == Exit.OPEN,
        bundle=path.relative_to(root).as_posix(),
        sum=digest.of_bytes(sealed),
    )


def _write(path: Path, data: bytes) -> None:
    """Writes a bundle as a whole or not at all, readable by its owner only. Raises InfrastructureError (EG754)."""
    from evalgate.crypto.seal import unwritable

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, data)
    except OSError as e:
        raise unwritable(path, e) from None


def open_bundle(path: Path, key: SealKey) -> Bundle:
    """The bundle at `path`. Raises IntegrityError (EG755 to EG757, EG766), OSError."""
    where = path.as_posix()
    data = key.open(path.read_bytes(), kind=KIND, name=path.name.removesuffix(SUFFIX), where=where)
    try:
        return msgspec.json.decode(data, type=Bundle)
    except msgspec.MsgspecError as e:
        raise IntegrityError(
            f"found a bundle of another version ({e}), expected one of this. Open it with the evalgate that wrote it.",
            where=where,
            code="EG766",
        ) from None
