"""Conversations as tokens to train on: the text that the server will see, and only the answer is learnt.

The prompt is rendered by the model's own chat template, as for serving, and tokenised by itself, so that its ids are those
of serving; the answer, with the token that ends it, follows. Nothing is cut: an example that is too long is left out whole,
because a cut answer teaches a model never to stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from evalgate.corpus.example import Example
from evalgate.errors import UsageError
from evalgate.records import Message, Record

IGNORED = -100
"""The label of a token that is not learnt: torch's `ignore_index`."""


class Tokenizer(Protocol):
    """What is used of a tokenizer of transformers."""

    all_special_ids: Sequence[int]

    def apply_chat_template(self, conversation: Sequence[Message], **options: Any) -> Any:
        """The text of a conversation."""

    def __call__(self, text: str, **options: Any) -> Any:
        """The ids of a text."""

    def decode(self, token_ids: Sequence[int], **options: Any) -> str:
        """The text of ids."""


class Tokens(Record, kw_only=True):
    """One example as the trainer takes it. `labels` are `ids` where they are learnt, else -100; equally many."""

    id: str
    task: str
    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def trained(self) -> int:
        """How many tokens are learnt."""
        return sum(label != IGNORED for label in self.labels)


class LeftOut(Record, kw_only=True):
    """An example that is longer than the trainer takes: its tokens."""

    id: str
    task: str
    length: int


def stops_of(tokenizer: Tokenizer, generation_config: Mapping[str, Any]) -> dict[int, str]:
    """The tokens that end an answer when the model is served, with their texts, from its generation_config.json.

    A tokenizer's own `eos_token` is not asked: one converted from GGUF has been seen to name another. Raises UsageError
    (EG943: none is named).
    """
    found = generation_config.get("eos_token_id")
    given: list[Any] = found if isinstance(found, list) else [found]
    ids = [one for one in given if isinstance(one, int)]
    if not ids or len(ids) < len(given):
        raise _unfit("no eos_token_id in generation_config.json", "EG943")
    return {one: tokenizer.decode([one]) for one in ids}


def tokens_of(tokenizer: Tokenizer, example: Example, stops: Mapping[int, str]) -> Tokens:
    """The tokens of one example; the last message is learnt, with the one of `stops` that ends it.

    Raises UsageError (EG940: the template does not continue the prompt that it renders for serving; EG941: it does not end
    the answer with the model's stop token; EG942: the tokens do not decode to the answer; EG944: a message contains a control token).
    """
    control = frozenset(tokenizer.all_special_ids)
    if any(control.intersection(_ids(tokenizer, m["content"])) for m in example.messages):
        raise UsageError(
            f"found the text of a control token in a message of {example.id}, expected words: the model would take it for the "
            "end of a turn. Leave the row out, or write it differently.",
            where="the mixture",
            code="EG944",
        )
    prompt = tokenizer.apply_chat_template(
        example.messages[:-1], tokenize=False, add_generation_prompt=True
    )
    whole = tokenizer.apply_chat_template(example.messages, tokenize=False)
    if not whole.startswith(prompt):
        raise _unfit(
            "a chat template that renders a question with its answer otherwise than the question alone",
            "EG940",
        )
    answered = whole[len(prompt) :].rstrip()
    stop = next((one for one, text in stops.items() if answered.endswith(text)), None)
    if stop is None:
        raise _unfit(
            f"a chat template that does not end an answer with {' or '.join(stops.values())}",
            "EG941",
        )
    learnt = answered[: -len(stops[stop])]
    answer = example.messages[-1]["content"]
    before = _ids(tokenizer, prompt)
    after = (*_ids(tokenizer, learnt), stop)
    said = tokenizer.decode(after[:-1], clean_up_tokenization_spaces=False)
    if said != learnt or learnt.strip() != answer.strip():
        raise _unfit(f"tokens of {example.id} that are not those of its answer", "EG942")
    return Tokens(
        id=example.id,
        task=example.task,
        ids=before + after,
        labels=(IGNORED,) * len(before) + after,
    )


def _ids(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def rendered(
    tokenizer: Tokenizer,
    examples: Iterable[Example],
    stops: Mapping[int, str],
    max_length: int,
) -> Iterator[Tokens | LeftOut]:
    """Every example as tokens, or left out where it has more than `max_length` of them. Raises as `tokens_of`."""
    for example in examples:
        tokens = tokens_of(tokenizer, example, stops)
        if len(tokens.ids) > max_length:
            yield LeftOut(id=tokens.id, task=tokens.task, length=len(tokens.ids))
        else:
            yield tokens


def _unfit(found: str, code: str) -> UsageError:
    return UsageError(
        f"found {found}, expected training text to be serving text. Use the template that the model is served with.",
        where="the base model",
        code=code,
    )
