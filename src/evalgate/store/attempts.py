"""Attempts on sealed gold sets: what each may spend of alpha, by what the ledger says (docs/goldsets.md).

An attempt is one question put to sealed sets: this model, under this plan, about these sets. It is an entry of the ledger
before the first question is asked, so crashed and abandoned ones count, and asking the same again is no second attempt.
Where people label the answers, an attempt waits for their labels and ends with the first verdict; other labels after that
are another look at the same answers, and another attempt.

Why it holds against any developer: up to the first pass all that anybody learns is "not open", over and over, so what is
tried next depends on nothing in the set but on one single path of answers. By the union bound the chance of any false pass
is at most the sum of what the attempts spend, which is alpha. After a pass there are more paths: the set is rotated, or
(`sealed_reuse = true`) attempt k after m passes spends alpha_k / sum_{i <= m} C(k-1, i).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from evalgate import digest
from evalgate.errors import Exit, IntegrityError, Refused
from evalgate.records import Record

if TYPE_CHECKING:
    from evalgate.authored import GateSettings
    from evalgate.crypto.keys import SigningKey
    from evalgate.store.ledger import Ledger

T = TypeVar("T")

MONTHS: Final = 12
"""Age at which a sealed set is rotated: by then the questions that a model gets have moved on."""

ATTEMPT: Final = "attempt"
DECISION: Final = "decision"


class SealedSet(Record, kw_only=True):
    """Which sealed set: its version in words, the digest of its plain text, the date on its card (ISO 8601)."""

    version: str
    digest: str
    date: str = ""


class Question(Record, kw_only=True):
    """What an attempt is about. `model`: name and digest; `sealed`: the set of each suite.

    `labels`: of each suite that people have labelled answers of, the digest of the file of their labels.
    """

    model: dict[str, str]
    plan: str
    sealed: dict[str, SealedSet]
    labels: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def about(self) -> str:
        """Equal for equal answers: bytes of the model, plan, and bytes of the sets; names and versions say nothing."""
        sets = {suite: each.digest for suite, each in self.sealed.items()}
        return digest.of_value([self.model.get("digest", ""), self.plan, sets])

    @property
    def own(self) -> str:
        """Equal for equal questions: what they are about, and what people said of it."""
        return digest.of_value([self.about, self.labels]) if self.labels else self.about


class Verdict(Record, kw_only=True):
    """What a finished attempt came to, as the ledger has it. `bundle`: path below the project; `sum`: digest of its bytes."""

    open: bool
    bundle: str
    sum: str


class Certified(Record, kw_only=True):
    """Which certificate says so: its path below the project, and the digest of its bytes."""

    path: str
    digest: str


class Entry(Protocol):
    """An entry of the ledger, as far as attempts need it."""

    @property
    def at(self) -> str:
        """UTC, ISO 8601."""

    @property
    def kind(self) -> str:
        """`attempt` and `decision` matter here."""

    @property
    def body(self) -> dict[str, Any]:
        """What it says."""


class _Spent:
    """What happened to one sealed set. `live`: the attempts without a verdict, by `Question.about`; `ended`: by `Question.own`.

    `passes_before`: of each attempt, in order, how often the set had opened the gate by then.
    """

    def __init__(self) -> None:
        self.live: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.passes_before: list[int] = []
        self.passes = 0
        self.last_pass = ""

    def number(self, question: Question) -> int:
        """Which attempt the question is, or would be."""
        next_ = len(self.passes_before) + 1
        return self.ended.get(question.own) or self.live.get(question.about) or next_


class Attempts:
    """All attempts that entries of the ledger tell of, oldest first."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Raises IntegrityError (EG775) for an entry in another form than evalgate writes."""
        self._sets: dict[str, _Spent] = {}
        self._verdicts: dict[str, Verdict] = {}
        for entry in entries:
            if entry.kind == ATTEMPT:
                self._begin(_read(entry.body, Question))
            elif entry.kind == DECISION and "sealed" in entry.body:
                self._end(_read(entry.body, _Ended), entry.at)

    def __repr__(self) -> str:
        return f"<Attempts on {len(self._sets)} sets>"

    def _begin(self, question: Question) -> None:
        for one in _digests(question):
            spent = self._sets.setdefault(one, _Spent())
            if question.about not in spent.live and question.own not in spent.ended:
                spent.passes_before.append(spent.passes)
                spent.live[question.about] = len(spent.passes_before)

    def _end(self, ended: _Ended, at: str) -> None:
        question = ended.question
        if question.own in self._verdicts:
            return  # the first word stands
        self._verdicts[question.own] = ended.verdict
        for one in _digests(question):
            spent = self._sets.setdefault(one, _Spent())
            spent.ended[question.own] = spent.live.pop(question.about, 0)
            if ended.verdict.open:
                spent.passes += 1
                spent.last_pass = at

    def verdict(self, question: Question) -> Verdict | None:
        """What the same question came to before, None if it was never finished."""
        return self._verdicts.get(question.own)

    def begun(self, question: Question) -> bool:
        """Whether its attempt is open already (or over)."""
        return self.live(question) or question.own in self._verdicts

    def live(self, question: Question) -> bool:
        """Whether there is an attempt about the same without a verdict: it is gone on with, whatever people have said meanwhile."""
        return any(question.about in self._of(one).live for one in _digests(question))

    def count(self, one: str) -> int:
        """Attempts so far on the set with the digest `one`."""
        return len(self._of(one).passes_before)

    def passes(self, one: str) -> int:
        """How often that set has opened the gate."""
        return self._of(one).passes

    def last_pass(self, one: str) -> str:
        """When it last did, "" if never."""
        return self._of(one).last_pass

    def number(self, question: Question, one: str) -> int:
        """Which attempt on that set the question is, or would be: 1 for the first."""
        return self._of(one).number(question)

    def alpha(self, question: Question, one: str, settings: GateSettings) -> float:
        """What the question may spend on that set, one-sided; 0 where nothing is left."""
        spent, number = self._of(one), self.number(question, one)
        passes = [*spent.passes_before, spent.passes][number - 1]
        return spending(settings, number, passes)

    def next_alpha(self, one: str, settings: GateSettings) -> float:
        """What the next attempt on that set may spend; what the last one might, where nothing is left."""
        spent, used = self._of(one), self.count(one)
        number = min(used + 1, _most(settings) or used + 1)
        return spending(settings, number, min(spent.passes, number - 1))

    def _of(self, one: str) -> _Spent:
        return self._sets.get(one, _Spent())


def spending(settings: GateSettings, number: int, passes: int = 0) -> float:
    """The alpha of attempt `number` (from 1) after `passes` passes of the same set, as gate.toml has it spent."""
    from evalgate.stats import alpha_for_attempt

    return alpha_for_attempt(
        settings.alpha,
        number,
        settings.attempt_spending,
        attempts=settings.attempts,
        passes=passes if settings.sealed_reuse else 0,
    )


def refuse_worn(
    attempts: Attempts, question: Question, settings: GateSettings, today: dt.date
) -> None:
    """Raises Refused for every reason why sets of the question may not be asked once more, all in one message.

    EG770: no attempts are left. EG771: the set has opened the gate. EG772: it is older than twelve months.
    """
    if attempts.begun(question):
        return
    worn = [
        (code, f"{suite}: found {why}")
        for suite, one in question.sealed.items()
        for code, why in _worn(attempts, one, settings, today)
    ]
    if worn:
        raise Refused(
            f"{'; '.join(why for _, why in worn)}; expected a set that can still decide. Rotate: `evalgate gold open "
            "goldsets/NAME.sealed --out FILE` gives its items to the dev set, then seal fresh ones with `evalgate gold seal "
            "NAME` (docs/goldsets.md).",
            code=worn[0][0],
        )


def _worn(
    attempts: Attempts, one: SealedSet, settings: GateSettings, today: dt.date
) -> Iterable[tuple[str, str]]:
    used, most = attempts.count(one.digest), _most(settings)
    if most is not None and used >= most:
        yield "EG770", f"{used} of {most} attempts spent on version {one.version}"
    if attempts.passes(one.digest) and not settings.sealed_reuse:
        when = attempts.last_pass(one.digest)[:10]
        yield "EG771", f"version {one.version} used up: it opened the gate on {when}"
    if one.date and _months(dt.date.fromisoformat(one.date), today) >= MONTHS:
        yield "EG772", f"version {one.version} of {one.date}, twelve months old or more"


def _most(settings: GateSettings) -> int | None:
    return settings.attempts if settings.attempt_spending == "flat" else None


def _months(since: dt.date, today: dt.date) -> int:
    return 12 * (today.year - since.year) + today.month - since.month - (today.day < since.day)


def open_attempt(
    ledger: Ledger, question: Question, settings: GateSettings, key: SigningKey, today: dt.date
) -> Attempts:
    """Enters the attempt, unless it is there already; returns the attempts as they stand then.

    Raises Refused, also where another process took the last attempt meanwhile; what `Ledger.append` raises.
    """
    attempts = attempts_of(ledger)
    if attempts.begun(question):
        return attempts
    refuse_worn(attempts, question, settings, today)
    ledger.append(ATTEMPT, msgspec.to_builtins(question), key)
    # Which attempt it is, its place in the ledger says: two processes may have counted at once.
    attempts = attempts_of(ledger)
    most = _most(settings)
    for suite, one in question.sealed.items():
        if most is not None and (number := attempts.number(question, one.digest)) > most:
            raise Refused(
                f"{suite}: found attempt {number} on version {one.version}, expected at most {most}: another check took the "
                "last one. Rotate the set (docs/goldsets.md).",
                code="EG770",
            )
    return attempts


def close_attempt(
    ledger: Ledger,
    question: Question,
    verdict: Verdict,
    key: SigningKey,
    *,
    decides: str = "",
    certificate: Certified | None = None,
) -> None:
    """Enters what the attempt came to: one bit, and which bundle holds the rest. `decides`: digest of the files that decided.

    Raises Refused (EG776) where another check has ended the attempt meanwhile; what `Ledger.append` raises.
    """
    if not attempts_of(ledger).live(question):
        raise Refused(
            "found that another check has ended this attempt meanwhile, expected to be the only one. Run it again: what was "
            "decided is told, and other labels are another attempt.",
            where="gate check --sealed",
            code="EG776",
        )
    body = msgspec.to_builtins(question) | {
        "decision": "open" if verdict.open else "not open",
        "exit": int(Exit.OPEN if verdict.open else Exit.CLOSED),
        "bundle": {"path": verdict.bundle, "digest": verdict.sum},
        "decides": decides,
    }
    if certificate is not None:
        body |= {"certificate": certificate.path, "digest": certificate.digest}
    ledger.append(DECISION, body, key)


def attempts_of(ledger: Ledger) -> Attempts:
    """The attempts of a project's ledger. Raises IntegrityError."""
    return Attempts(ledger.of_kind(ATTEMPT, DECISION))


class _Bundle(Record, kw_only=True):
    path: str
    digest: str


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A `decision` entry about sealed sets; other keys of it are somebody else's business."""

    model: dict[str, str]
    plan: str
    sealed: dict[str, SealedSet]
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    decision: str
    bundle: _Bundle

    @property
    def question(self) -> Question:
        return Question(model=self.model, plan=self.plan, sealed=self.sealed, labels=self.labels)

    @property
    def verdict(self) -> Verdict:
        return Verdict(
            open=self.decision == "open", bundle=self.bundle.path, sum=self.bundle.digest
        )


def _read(body: Mapping[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as e:
        raise IntegrityError(
            f"found an entry about sealed sets that cannot be read ({e}), expected what evalgate wrote. Restore the ledger "
            "from its last good copy.",
            where="reports/ledger.jsonl",
            code="EG775",
        ) from None


def _digests(question: Question) -> list[str]:
    """The sets of a question, each once: two suites may share one."""
    return list(dict.fromkeys(one.digest for one in question.sealed.values()))
