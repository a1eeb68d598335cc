"""The frozen records that pass between the rooms of the house.

Everything is a `Record`: immutable, keyword-only, and unknown keys are refused when decoding, so that a mistyped
`mni = 0.9` is an error and never an absent threshold.
"""

from __future__ import annotations

from typing import Any, Literal, dataclass_transform

import msgspec

Message = dict[str, str]
"""One chat message: {"role": "system" | "user" | "assistant", "content": text}."""

Status = Literal["ok", "unparseable", "refused", "truncated", "timeout", "missing", "unscored"]
"""What became of one item. Everything but "ok" is a wrong answer; nothing vanishes.

"unscored" is of verdicts only: the answer is there, and its judge did not say what it is worth.
"""

FindingStatus = Literal["pass", "fail", "inconclusive", "insufficient"]
Verdict = Literal["open", "closed", "undecided"]


# mypy takes msgspec's frozen and keyword-only from here; msgspec itself does not inherit kw_only, hence the repetition
@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every value type."""


class Problem(Record, kw_only=True):
    """One fault of one authored file. Prints as `path:line:column: CODE message` (absent parts left out)."""

    path: str
    message: str
    code: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = self.path
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return f"{place}: {self.code} {self.message}"


class Entity(Record, kw_only=True):
    """A labelled piece of text; offsets are optional, since language models cannot count characters."""

    label: str
    text: str
    start: int | None = None
    end: int | None = None


class GoldItem(Record, kw_only=True):
    """One line of a gold set.

    `unit` is the independent sampling unit (member, case, document): items of one unit are not independent evidence.
    """

    id: str
    input: str | dict[str, Any]
    expected: Any
    unit: str
    tags: tuple[str, ...] = ()

    def __repr__(
        self,
    ) -> str:  # pytest prints values on failure; clinical text must not reach a log
        return f"<GoldItem {self.id}>"


class Answer(Record, kw_only=True):
    """One gold item with what the model made of it. `parsed` is None unless `status` is "ok"."""

    id: str
    unit: str
    tags: tuple[str, ...]
    input: str | dict[str, Any]
    expected: Any
    text: str
    parsed: Any
    status: Status
    correct: bool

    def __repr__(
        self,
    ) -> str:  # pytest prints values on failure; clinical text must not reach a log
        return f"<Answer {self.id} {self.status}>"


class Bar(Record, kw_only=True):
    """One row of gate.toml: exactly one of `min`, `max`, `all`."""

    min: float | None = None
    max: float | None = None
    all: bool | None = None
    judge: str | None = None


class ModelSpec(Record, kw_only=True):
    """One `[models.NAME]` table of evalgate.toml, with the `python` that `[servers.SERVER]` names for its server.

    `base` is what an adapter lies over; `template` the digest of the chat template that the model was trained with.
    """

    server: Literal["llamacpp", "transformers", "vllm", "endpoint"]
    artifact: str | None = None
    base: str | None = None
    template: str | None = None
    args: tuple[str, ...] = ()
    licence: str | None = None
    url: str | None = None
    name: str | None = None
    family: str | None = None
    api_key_env: str | None = None
    concurrency: int | None = None
    timeout_s: float = 300.0
    patience_s: float = 60.0
    python: str | None = None


class Sampling(Record, kw_only=True):
    """What a suite asks for: temperature >= 0, max_tokens per answer, seed, stop strings."""

    temperature: float = 0.0
    max_tokens: int = 512
    seed: int = 0
    stop: tuple[str, ...] = ()


class Try(Record, kw_only=True):
    """One failed attempt at one item: what went wrong, after how many seconds."""

    error: str
    seconds: float


class Reply(Record, kw_only=True):
    """What the server said about one item, with every attempt that preceded it.

    `finish` is the server's finish reason, or "timeout" when every attempt ran into the deadline (text is then "").
    `cached_tokens`: how many of the prompt's the server had from before; None if it does not say.
    """

    text: str
    finish: str
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    tries: tuple[Try, ...] = ()

    def __repr__(self) -> str:  # its text is what a model wrote about somebody
        return f"<Reply {self.finish} of {len(self.text)} characters>"


class ModelIdentity(Record, kw_only=True):
    """Which model answered: digest of the served bytes, or (endpoint) of url + name + family, then unverified."""

    name: str
    digest: str
    server: str
    version: str
    args: tuple[str, ...] = ()
    verified: bool = True


class Finding(Record, kw_only=True):
    """What one threshold's test found. Numbers are full precision; renderers round lower ends down, upper ends up."""

    suite: str
    test: str
    status: FindingStatus
    estimate: float | None
    low: float | None
    high: float | None
    units: int
    items: int
    unscored: int
    threshold: dict[str, float | bool]
    method: str
    alpha: float
    needed: int | None = None
    reason: str = ""
    worst: tuple[str, ...] = ()
    """Ids of the few worst items, worst first."""
    answers: dict[Status, int] = {}
    """How many of `items` were answered how."""


class SuiteEvidence(Record, kw_only=True):
    """What the findings of one suite rest on. `run` and `key` name the run, `baseline_*` the baseline's.

    `answers` counts the items of the whole gold set by status; it is empty where no claim is about all of it.
    `asked`: when the first and the last answer landed (UTC, ISO 8601). Paths are relative to the project.
    """

    suite: str
    items: int
    units: int
    answers: dict[Status, int]
    gold: str
    gold_version: str
    prompt: str
    sampling: Sampling
    run: str
    key: str
    asked: tuple[str, str] | None = None
    baseline_run: str = ""
    baseline_key: str = ""
    verdicts: dict[str, str] = {}
    """The run of the judge's verdicts by criterion; {} where nothing is judged."""
    sums: dict[str, str] = {}
    """By path of each of these runs, the chained checksum of its last row: whoever edits a row changes it."""


class Egress(Record, kw_only=True):
    """The network around a check, as it was and as the probe found it. See docs/privacy.md.

    `why`: what spoke against a namespace. `allowed`: addresses besides loopback. `probe`: what became of each attempt to
    get out: "refused: ..", "blocked by the guard", "not claimed" or "REACHED: ..". `control`: loopback was reached.
    """

    guarantee: Literal["netns", "guard"]
    why: str = ""
    allowed: tuple[str, ...] = ()
    probe: dict[str, str] = {}
    control: bool = False


class Lock(Record, kw_only=True):
    """How a decision's plan stands to the last locked one (docs/plan.md). `digest` and `at`: of that lock.

    `changed`: what is another now, empty if it is the locked plan. `weakened`: what the locked plan asks less for than one
    locked before it did, with when and why.
    """

    digest: str
    at: str
    changed: tuple[str, ...] = ()
    weakened: tuple[str, ...] = ()


class Evidence(Record, kw_only=True):
    """What a decision rests on, for people who want to look closer or do it again: ids, counts and digests, no texts.

    `decided` is UTC in ISO 8601. `asked` questions were put to a model now, `kept` answers came from earlier runs; `judged`
    questions were put to the judge now.
    `files` maps each file that decides to the digest of its bytes. `notes` must stand above every number.
    """

    decided: str
    evalgate: str
    python: str
    candidate: ModelIdentity | None = None
    baseline: ModelIdentity | None = None
    judge: ModelIdentity | None = None
    asked: int = 0
    kept: int = 0
    judged: int = 0
    files: dict[str, str] = {}
    suites: tuple[SuiteEvidence, ...] = ()
    notes: tuple[str, ...] = ()
    egress: Egress | None = None
    lock: Lock | None = None
    """None where no plan was ever locked."""


class Decision(Record, kw_only=True):
    """The one object that every output renders. See DESIGN: schema evalgate.decision/1."""

    decision: Verdict
    exit: int
    reasons: tuple[str, ...]
    model: dict[str, str]
    plan: str
    findings: tuple[Finding, ...]
    attempt: int | None = None
    certificate: str | None = None
    retry: bool = False
    integrity: tuple[str, ...] = ()
