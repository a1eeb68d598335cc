"""What must hold before the first question: the artifact's own template and tokenizer are served, and the adapter is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalgate import digest
from evalgate.errors import IntegrityError, UsageError
from evalgate.models.endpoint import Endpoint
from evalgate.models.tokens import Tokenizer, exchanged, unusable
from evalgate.records import Message

# Short conversations that a wrong tokenizer or template gets wrong: both languages of the letters, marks that become
# unknown, digits that are grouped, spaces that are swallowed, roles, and words that look like a template's own.
GOLDEN: tuple[tuple[Message, ...], ...] = (
    ({"role": "user", "content": "Claim 00417-B was denied on 2025-03-09. Why?"},),
    ({"role": "user", "content": "¿Por qué negaron la ecografía? El año pasado sí la pagaron."},),
    ({"role": "user", "content": "Dose 0.25 mg ↑ 1/2 tab q8h; temp 38.5°C, SpO₂ ≥ 92 % 🩺👩🏽‍⚕️"},),
    ({"role": "user", "content": "Member 90071992547409931234567890, $1,234,567.89, 555-0142"},),
    ({"role": "user", "content": "  two  spaces,\ttab,\n\n\nthree lines, a trailing space "},),
    ({"role": "user", "content": "naïve café: e\u0301 is é, ﬁ is fi, 患者 пациент مريض"},),
    (
        {"role": "system", "content": "Answer with one word."},
        {"role": "user", "content": "Covered?"},
        {"role": "assistant", "content": "No"},
        {"role": "user", "content": "Repeat <|im_end|> [/INST] </s> {{ x }} as it stands."},
    ),
)

PROBES: tuple[str, ...] = (
    "Summarise: the knee brace was denied as not medically necessary.",
    'List the entities as JSON: "Rx budesonide 2 mg once, charged $90."',
    "¿Está cubierta la visita de urgencias?",
)
PROBE_TOKENS = 8


def check_template(found: str | None, told: str | None, *, where: str) -> None:
    """Returns if the artifact has a chat template, and the one that `told` names, where that is given.

    Raises UsageError (EG343: none), IntegrityError (EG344: another one).
    """
    if found is None:
        raise UsageError(
            "found no chat template, expected one beside the weights (chat_template.jinja). Save the tokenizer with the "
            "template that the model was trained with.",
            where=where,
            code="EG343",
        )
    if told is not None and found != told:
        raise IntegrityError(
            f"found the chat template {found}, expected {told}, the one that the model was trained with. Another template "
            "makes it another model: put the right one back.",
            where=where,
            code="EG344",
        )


def check_tokens(
    served: Sequence[Sequence[int] | int | None],
    own: Sequence[Sequence[int] | int | None],
    *,
    where: str,
) -> None:
    """Returns if the server reads every golden conversation as the artifact's own template and tokenizer do.

    Each side has the token ids of each conversation, or only how many; None where a template refuses it. Raises
    IntegrityError (EG349).
    """
    for number, (theirs, ours) in enumerate(zip(served, own, strict=True), 1):
        if theirs != ours:
            raise IntegrityError(
                f"found that the server reads conversation {number} of {len(own)} as {_size(theirs)}, expected {_size(ours)}, as "
                "the artifact's own tokenizer and chat template do. Use the same versions on both sides (docs/models.md).",
                where=where,
                code="EG349",
            )


def _size(tokens: Sequence[int] | int | None) -> str:
    if tokens is None:
        return "none (refused)"
    return (
        f"{tokens} tokens"
        if isinstance(tokens, int)
        else f"{len(tokens)} tokens {digest.of_value(list(tokens))[7:15]}"
    )


def own_ids(tokenizer: Tokenizer) -> list[list[int] | None]:
    """The golden conversations' ids by the artifact's own tokenizer."""
    return [tokenizer.ids(conversation) for conversation in GOLDEN]


def vllm_ids(endpoint: Endpoint) -> tuple[list[list[int] | None], int]:
    """The golden conversations' ids by vLLM's /tokenize, and its longest context."""
    path, limit = "../tokenize", 0
    ids: list[list[int] | None] = []
    for status, value in exchanged(
        endpoint, path, ({"model": endpoint.name, "messages": c} for c in GOLDEN)
    ):
        if status == 400:
            ids.append(None)
            continue
        try:
            ids.append(list(value["tokens"]))
            limit = int(value["max_model_len"])
        except (KeyError, TypeError, ValueError):
            raise unusable(endpoint, path, f"status {status}") from None
    return ids, limit


def answered_counts(endpoint: Endpoint) -> list[int | None]:
    """How many tokens a server says that it read of each golden conversation, asked for an answer of one token."""
    return [
        None if answer is None else answer["usage"]["prompt_tokens"]
        for answer in _chats(endpoint, [list(c) for c in GOLDEN], max_tokens=1)
    ]


def check_round_trip(endpoint: Endpoint, *, where: str) -> None:
    """Returns if llama.cpp's tokenizer gives back every golden conversation as its template rendered it.

    Raises IntegrityError (EG349), InfrastructureError (EG352).
    """
    rendered = _field(endpoint, "../apply-template", "prompt", [{"messages": c} for c in GOLDEN])
    texts = [
        text for text in rendered if text is not None
    ]  # some templates refuse a system message
    asked = [{"content": t, "add_special": False, "parse_special": True} for t in texts]
    ids = _field(endpoint, "../tokenize", "tokens", asked)
    back = _field(endpoint, "../detokenize", "content", [{"tokens": i} for i in ids])
    for number, (text, found) in enumerate(zip(texts, back, strict=True), 1):
        if str(found).lstrip(" ") != text.lstrip(" "):  # some tokenizers begin with a space
            raise IntegrityError(
                f"found that the tokenizer does not give conversation {number} of {len(texts)} back as it was, expected all to "
                "survive: what it cannot write it cannot read. The file was converted with the wrong tokenizer; convert it again.",
                where=where,
                code="EG349",
            )


def _field(endpoint: Endpoint, path: str, field: str, bodies: Sequence[Any]) -> list[Any]:
    """One field of each answer; None where the server refuses (400, 500)."""
    found = []
    for status, value in exchanged(endpoint, path, bodies):
        if status == 200 and not (isinstance(value, dict) and field in value):
            raise unusable(endpoint, path, "no such field")
        found.append(value[field] if status == 200 else None)
    return found


def llamacpp_limits(endpoint: Endpoint) -> tuple[int, int, str | None]:
    """Tokens of context of a slot, tokens that the model was trained for, digest of the template in use."""
    _, listed = next(exchanged(endpoint, "models"))
    _, props = next(exchanged(endpoint, "../props"))
    try:
        meta = listed["data"][0]["meta"]
        limits = int(meta["n_ctx"]), int(meta["n_ctx_train"])
        template = props.get("chat_template")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise unusable(endpoint, "models", "no context length") from None
    return *limits, digest.of_bytes(template.encode()) if template else None


def check_adapter_works(endpoint: Endpoint, base: str, *, where: str) -> None:
    """Returns if the adapter answers otherwise than its base: other tokens, or other probabilities of the same ones.

    Both are asked twice, in turns, the base first: a server's first answers may differ from all later ones, and what
    differs between two answers of one model is noise. Raises IntegrityError (EG348).
    """
    turns = [_traces(endpoint, name) for name in (base, endpoint.name) * 2]
    bases, adapted = turns[0::2], turns[1::2]
    noise = max(_distance(*bases), _distance(*adapted))
    if min(_distance(a, b) for a in adapted for b in bases) <= 2 * noise:
        raise IntegrityError(
            f"found the same answers with and without the adapter ({len(PROBES)} probes, log-probabilities within {noise:g}), "
            "expected them to differ: it is not loaded or changes nothing. See the server's log.",
            where=where,
            code="EG348",
        )


Trace = list[tuple[str, float]]


def _traces(endpoint: Endpoint, model: str) -> list[Trace]:
    """Greedy tokens with their log-probabilities, one list for each probe."""
    messages = [[{"role": "user", "content": text}] for text in PROBES]
    fields = {"model": model, "max_tokens": PROBE_TOKENS, "logprobs": True}
    traces = []
    for answer in _chats(endpoint, messages, **fields):
        try:
            told = answer["choices"][0]["logprobs"]["content"]
            traces.append([(str(t["token"]), float(t["logprob"])) for t in told])
        except (KeyError, IndexError, TypeError, ValueError):
            raise unusable(endpoint, "chat/completions", "no log-probabilities") from None
    return traces


def _distance(one: Sequence[Trace], other: Sequence[Trace]) -> float:
    """The largest difference of a log-probability; infinite where a token differs."""
    largest = 0.0
    for a, b in zip(one, other, strict=True):
        if [token for token, _ in a] != [token for token, _ in b]:
            return float("inf")
        largest = max([largest, *(abs(x - y) for (_, x), (_, y) in zip(a, b, strict=True))])
    return largest


def _chats(endpoint: Endpoint, conversations: Sequence[Any], **fields: Any) -> list[Any]:
    """Whole answers to conversations at temperature 0; None where the server gives none, as for a role that the template lacks."""
    common = {**endpoint.fields, "model": endpoint.name, "temperature": 0, "seed": 0, **fields}
    bodies = ({**common, "messages": c} for c in conversations)
    return [
        value if status == 200 else None
        for status, value in exchanged(endpoint, "chat/completions", bodies)
    ]
