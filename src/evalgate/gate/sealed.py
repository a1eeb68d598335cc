"""`gate check --sealed`: the same question put to the sealed sets. Developers learn one bit; the rest is encrypted.

Where rows rest on people's labels of the answers, the attempt waits for them: nothing is decided about any row before the
last label is there, so that waiting tells nothing and costs nothing.

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
from typing import TYPE_CHECKING, Any

import msgspec

from evalgate import digest
from evalgate.authored import Problems
from evalgate.authored.card import SEALED
from evalgate.authored.sealed_labels import LABELS
from evalgate.errors import EvalgateError, Exit, IntegrityError, Refused
from evalgate.gate.approval import require_approved
from evalgate.gate.check import CheckError, Outcome, Survey, run_tests, without_outcome
from evalgate.gate.sealed_bundle import FOLDER, keep_bundle
from evalgate.gate.sealed_child import OUTCOME, Handed, endpoint_refused
from evalgate.records import Decision, Evidence, Record
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
    from evalgate.store.sealed_certificate import Attempt
    from evalgate.store.signer import Signer
    from evalgate.suite import Project


class SealedVerdict(Record, kw_only=True):
    """What a developer may know. `attempts`: which one it was, of each suite's set.

    `stored`: it was decided before; `waits`: labels are missing, and nothing is decided yet.
    """

    open: bool
    question: Question
    attempts: dict[str, int]
    bundle: str
    stored: bool = False
    waits: bool = False

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

    While labels are missing the attempt stays open, and the answer is not open. `project` needs no suites. Raises Refused
    (EG770 to EG772: no attempt is left; EG773: the processes did not agree; EG776: another check was faster), CheckError (usage, interruption), Unfinished (infrastructure, integrity, a way around the gate), IntegrityError.
    """
    settings = project.gate.settings
    _refuse_endpoints(project, model)
    require_approved(project.root)
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
    (project.root / FOLDER).mkdir(mode=0o700, exist_ok=True)  # the ledger has made reports/
    decision, evidence = found.decide(question, alphas)
    numbers = _numbers(question, attempts)
    verdict = keep_bundle(project.root, key, question, numbers, decision, evidence)
    shutil.rmtree(project.root / FOLDER / "logs", ignore_errors=True)  # of servers that were asked
    waits = decision.exit == Exit.UNDECIDED and not decision.findings
    if not waits:
        parts = _parts(question, attempts, alphas)
        _end(project, question, verdict, parts, evidence, ledger=ledger, signer=signer)
    return _verdict(question, attempts, verdict, waits=waits)


def _parts(
    question: Question, attempts: Attempts, alphas: Mapping[str, float]
) -> dict[str, Attempt]:
    """By suite, what the certificate says of the attempt."""
    from evalgate.store.sealed_certificate import Attempt

    return {
        suite: Attempt(
            set=one,
            number=attempts.number(question, one.digest),
            alpha=alphas[one.digest],
            labels=question.labels.get(suite, ""),
        )
        for suite, one in question.sealed.items()
    }


def _end(
    project: Project,
    question: Question,
    verdict: Verdict,
    parts: Mapping[str, Attempt],
    evidence: Evidence,
    *,
    ledger: Ledger,
    signer: Signer,
) -> None:
    """Certifies the bit and enters it into the ledger: both or neither."""
    from evalgate.gate.certify import certify_sealed

    by = decides(evidence)
    told = certify_sealed(project, question, verdict, parts, evidence, decides=by, signer=signer)
    try:
        close_attempt(ledger, question, verdict, signer.private, decides=by, certificate=told)
    except BaseException:  # a decision that the ledger does not know is none
        (project.root / told.path).unlink(missing_ok=True)
        raise


def decides(evidence: Evidence) -> str:
    """Digest of all that decided but the gold sets: equal for a sealed check and a dev check of the same project.

    Every file but labels, and who answered, was compared with and judged, each with server, version and arguments.
    """
    from evalgate.gate.plan import without_labels

    golds = {suite.gold for suite in evidence.suites}
    asked = (evidence.candidate, evidence.baseline, evidence.judge)
    files = {n: d for n, d in without_labels(evidence.files).items() if n not in golds}
    return digest.of_value(
        [files, [one and (one.digest, one.server, one.version, one.args) for one in asked]]
    )


def _refuse_endpoints(project: Project, model: str) -> None:
    """Raises UsageError (EG768): who runs an endpoint can read every question that it gets."""
    for name in filter(None, (model, project.gate.settings.baseline)):
        if project.model(name)[1].server == "endpoint":
            raise endpoint_refused(name)


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
        labels = {d for name, d in evidence.files.items() if name.endswith(LABELS)}
        if (decision.plan, decision.model) != (question.plan, question.model) or (
            evidence.files and labels != set(question.labels.values())
        ):
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
        return self._key.open(data, kind=OUTCOME, name="", where="the test process")

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
        f"found the plan {plan[:19]}, expected {question.plan[:19]}, or another model, or other labels: something was edited "
        "while the gate was at work. Run it again on files that stand still.",
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
    return Question(
        model=survey.model, plan=survey.plan, sealed=survey.sealed, labels=survey.labels
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
    question: Question,
    attempts: Attempts,
    verdict: Verdict,
    *,
    stored: bool = False,
    waits: bool = False,
) -> SealedVerdict:
    return SealedVerdict(
        open=verdict.open,
        question=question,
        attempts=_numbers(question, attempts),
        bundle=verdict.bundle,
        stored=stored,
        waits=waits,
    )


def _numbers(question: Question, attempts: Attempts) -> dict[str, int]:
    return {suite: attempts.number(question, one.digest) for suite, one in question.sealed.items()}
