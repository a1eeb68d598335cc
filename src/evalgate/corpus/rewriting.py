"""A model tells examples in other words, or adds to them; what loses or changes a fact is dropped (see `verifying`).

The answer stays, and the text that it answers from changes. Where the answer is a label that code cannot find in a text, the
model only writes something to stand before it.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec

from evalgate import digest
from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.synthesis import sameness
from evalgate.corpus.verifying import Facts, Reason, digest_of_checks, moved, why_not, why_not_add
from evalgate.records import Message, ModelSpec, Record, Reply, Sampling
from evalgate.text import words

if TYPE_CHECKING:
    from evalgate.models import Server

FIELDS = MappingProxyType({
    "appeal_letters": "case",
    "claim_entities": "narrative",
    "denial_reasons": "text",
    "history_summary": "history",
    "policy_qa": "question",
})  # fmt: skip
"""Of each task, the key of the input that is told anew."""
BLOCK = 1024
TEMPERATURE = 0.8
_WHOLE = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", ""})
_ADDED_TOKENS = 120

RETELL = """\
Write the text below again as {style}, in the language of the text and in other words. Every fact stays: figures, dates, \
names, amounts, medicines and diagnoses exactly as they are written, and what is denied or ruled out stays denied. Add no \
fact. Reply with the new text alone.{keep}

TEXT
{text}"""
ADD = """\
Write one or two short sentences, in the language of the text below, that could stand before it in a file: how it came in \
and who took it. No names, no figures, no dates, and not a word about what it decides. Reply with these sentences alone.

TEXT
{text}"""
STYLES = (
    "a note of a telephone call", "an e-mail", "a plain report", "a short memo", "something that somebody dictated",
    "a letter in simple words",
)  # fmt: skip
PROMPT = digest.of_value([RETELL, ADD, STYLES])


class Rewritten(Record, kw_only=True):
    """What became of the rows of one task: chosen, asked of the model, kept, and dropped by reason."""

    chosen: int
    kept: int
    dropped: dict[str, int]


Second = Callable[[Sequence[Example]], Sequence[Example | str]]
"""A verifier after code: of examples, each as it is kept, or why it is dropped."""


class Rewriter:
    """A context manager that holds the model's server. `told(task, done, total)` is called as answers of a block come.

    `second` is asked about what code has passed. Raises on entry what `models.identify` and `models.serving` raise.
    """

    def __init__(
        self,
        name: str,
        spec: ModelSpec,
        root: Path,
        *,
        seed: int,
        terms: frozenset[str] = frozenset(),
        told: Callable[[str, int, int], None] | None = None,
        second: Second | None = None,
    ) -> None:
        from evalgate.models import identify

        self.model = identify(name, spec, root)
        self.terms = terms
        self.chosen: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.dropped: dict[str, Counter[str]] = {}
        self._place = (name, spec, root)
        self._seed = seed
        self._told = told
        self._second = second
        self._stack = ExitStack()
        self._server: Server | None = None
        self._seen: set[bytes] = set()
        self._checks = digest_of_checks()

    def __enter__(self) -> Self:
        from evalgate.models import serving

        name, spec, root = self._place
        self._server = self._stack.enter_context(
            serving(name, spec, root, self.model, root / "reports" / "logs")
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def arguments(self) -> dict[str, str]:
        """What of it can change a row, for a manifest."""
        return {"model": self.model.digest, "prompt": PROMPT}

    def figures(self, task: str) -> Rewritten:
        """What became of the rows of `task`."""
        return Rewritten(
            chosen=self.chosen[task],
            kept=self.kept[task],
            dropped=dict(sorted(self.dropped.get(task, Counter()).items())),
        )

    def chooses(self, example: Example, share: float) -> bool:
        """Whether the example is among the `share` that is told anew: by its id and the seed, whatever stands beside it."""
        name = f"{self._seed}/{example.id}".encode()
        drawn = int.from_bytes(hashlib.blake2b(name, digest_size=6).digest()) / 2**48
        return drawn < share and source_of(example) is not None

    def retell(self, examples: Sequence[Example]) -> list[Example | None]:
        """Each example told anew, with made_by and checks; None where what the model wrote was dropped.

        Raises what `models.ask_all` and `second` raise, IntegrityError (EG351: the server read another prompt).
        """
        told = [
            text.reason if isinstance(text, _Dropped) else self._verified(example, text)
            for example, text in zip(examples, self._asked(examples), strict=True)
        ]
        found: list[Example | None] = []
        for example, new in zip(examples, self._passed(told), strict=True):
            self.chosen[example.task] += 1
            if isinstance(new, Example):
                self.kept[example.task] += 1
                found.append(new)
            else:
                self.dropped.setdefault(example.task, Counter())[new] += 1
                found.append(None)
        return found

    def _passed(self, told: Sequence[Example | Reason]) -> Sequence[Example | str]:
        """Of what code has passed, what the second verifier passes, too."""
        if self._second is None:
            return told
        judged = iter(self._second([new for new in told if isinstance(new, Example)]))
        return [next(judged) if isinstance(new, Example) else new for new in told]

    def _verified(self, example: Example, text: str) -> Example | Reason:
        source = source_of(example)
        assert source is not None
        facts = Facts(
            source=source,
            others=_others(example),
            answer=example.messages[-1]["content"],
            expected=msgspec.to_builtins(example.expected),
            terms=self.terms,
        )
        adds = isinstance(example.expected, str)
        if why := (why_not_add if adds else why_not)(text, facts):
            return why
        new = self._with(example, source, f"{text}\n\n{source}" if adds else text)
        key = sameness(new.input or new.messages[-2]["content"])
        if key in self._seen:
            return "duplicate"
        self._seen.add(key)
        return new

    def _with(self, example: Example, source: str, text: str) -> Example:
        """The example with `text` in the place of `source`."""
        question = {**example.messages[-2]}
        question["content"] = question["content"].replace(source, text, 1)
        given = example.input
        if isinstance(given, dict):
            given = {**given, FIELDS[example.task]: text}
        before = example.made_by or MadeBy(template="", seed=self._seed)
        return msgspec.structs.replace(
            example,
            messages=(*example.messages[:-2], question, example.messages[-1]),
            input=text if isinstance(given, str) else given,
            expected=moved(msgspec.to_builtins(example.expected), text),
            made_by=msgspec.structs.replace(before, model=self.model.digest, prompt=PROMPT),
            checks={**example.checks, "facts": self._checks},
        )

    def _asked(self, examples: Sequence[Example]) -> list[str | _Dropped]:
        from evalgate.models import ask_all, check_read

        assert self._server is not None
        server = self._server
        found: list[str | _Dropped] = [_Dropped("no-room") for _ in examples]
        questions = [_question(e, self._number(e)) for e in examples]
        most = [_most_tokens(e) for e in examples]
        context, counts, fits = server.context, None, list(range(len(examples)))
        if context is not None:
            counts = context.measured(enumerate(questions), len(questions))
            fits = [i for i in fits if counts[i] + most[i] <= context.limit]
        done = 0

        def land(ordinal: int, reply: Reply) -> None:
            nonlocal done
            if counts is not None:
                check_read(reply, counts[ordinal], where=examples[ordinal].id)
            whole = reply.finish in _WHOLE
            found[ordinal] = _bare(reply.text) if whole else _Dropped("cut-off")
            done += 1
            if self._told:
                self._told(examples[ordinal].task, done, len(fits))

        ask_all(
            server.endpoint,
            ((i, questions[i]) for i in fits),
            Sampling(temperature=TEMPERATURE),
            land,
            alive=server.alive,
            extra=lambda i: {"max_tokens": most[i], "seed": self._number(examples[i]) % 2**31},
        )
        return found

    def _number(self, example: Example) -> int:
        name = f"{self._seed}/retell/{example.id}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=6).digest())


class _Dropped(NamedTuple):
    """Why there is no text to look at."""

    reason: Reason


def blocks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """The examples in order, `BLOCK` at a time."""
    block: list[Example] = []
    for example in examples:
        block.append(example)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


def source_of(example: Example) -> str | None:
    """The text of an example that can be told anew; None where code could not tell whether its facts stayed.

    That is so for requests to decline, and for questions that have no answer: nothing in them is a fact to look for.
    """
    expected = example.expected
    if not expected or (isinstance(expected, dict) and not expected.get("facts")):
        return None
    if len(example.messages) < 2 or example.messages[-2]["role"] != "user":
        return None
    given: Any = example.input
    if isinstance(given, dict):
        given = given.get(FIELDS.get(example.task, ""))
    return given if isinstance(given, str) and given in example.messages[-2]["content"] else None


def _others(example: Example) -> str:
    """The texts of the input that stay."""
    if not isinstance(example.input, dict):
        return ""
    own = FIELDS[example.task]
    return "\n".join(str(v) for k, v in sorted(example.input.items()) if k != own)


def _question(example: Example, number: int) -> list[Message]:
    source = source_of(example)
    if isinstance(example.expected, str):
        return [{"role": "user", "content": ADD.format(text=source)}]
    style = random.Random(number).choice(STYLES)
    pieces = [e["text"] for e in example.expected] if isinstance(example.expected, list) else []
    keep = f"\nKeep these exactly: {'; '.join(pieces)}." if pieces else ""
    return [{"role": "user", "content": RETELL.format(style=style, keep=keep, text=source)}]


def _most_tokens(example: Example) -> int:
    """Room for a text twice as long, in a language of two tokens a word."""
    if isinstance(example.expected, str):
        return _ADDED_TOKENS
    return 64 + 4 * words(source_of(example) or "")


def _bare(text: str) -> str:
    """The reply without a first line that announces it, and without quotation marks around it."""
    text = text.strip()
    first, _, rest = text.partition("\n")
    if first.rstrip().endswith(":") and len(first) < 100 and rest.strip():
        text = rest.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == '"' else text
