"""The bytes of the waist: payloads out, completions and error bodies in. No network here, no state.

What a server says may quote the prompt, and prompts hold clinical text: messages made here name kinds and sizes, and
repeat a server's own words only where they share nothing longer than a few words with what was asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalgate.records import Message, Sampling

# A server may answer to a name and tell the dated version behind it: "gpt-4o" is served by "gpt-4o-2024-08-06".
# "llama-3" is not served by "llama-3-70b": a size is another model.
_VERSION = re.compile(r"-(?:v\d+(?:\.\d+)*|\d{3,}(?:-\d+)*)")


class Garbage(Exception):  # noqa: N818 - a kind of answer, raised and caught within this room
    """An answer with status 200 that holds no completion. The text names the kind, never the content."""


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


class Completion(msgspec.Struct, frozen=True):
    """What one answer says. `model`: the name that the server gives itself, None if it gives none."""

    text: str
    finish: str
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None


_KIND = re.compile(r"[a-z][a-z_]{0,39}")
_NAME = re.compile(r"[\w.:/@+-]{1,64}", re.ASCII)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Completion).decode


def sampling_fields(model: str, sampling: Sampling) -> dict[str, Any]:
    """The fields that all requests of one suite share. `stop` is left out unless given: some servers refuse []."""
    fields: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stream": False,
    }
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    return fields


def payload(fields: Mapping[str, Any], messages: Sequence[Message]) -> bytes:
    """The body of one chat completion request."""
    return _encode({**fields, "messages": messages})


def completion(body: bytes) -> Completion:
    """The completion in an answer's body. Raises Garbage where there is none."""
    try:
        found = _decode(body)
    except _UNREADABLE:
        found = _decode_slowly(body)
    if found.error is not None:
        raise Garbage("status 200 with an error body")
    if not found.choices:
        raise Garbage("status 200 without choices")
    choice, usage = found.choices[0], found.usage
    content = choice.message.content
    if isinstance(content, list):
        content = "".join(part.text or "" for part in content)
    return Completion(
        text=content or "",
        finish=_finish(choice.finish_reason or "unknown"),
        model=found.model,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        cached_tokens=usage.prompt_tokens_details.cached_tokens
        if usage and usage.prompt_tokens_details
        else None,
    )


def shown_name(name: str) -> str:
    """A name that a server gave, as messages may repeat it: as it is where it looks like one, and never a text."""
    return name if _NAME.fullmatch(name) else "another name"


def until(text: str, stop: Sequence[str]) -> str:
    """`text` before the first stop string. Most servers cut there themselves; `transformers serve` leaves it in."""
    return text[: min((at for s in stop if (at := text.find(s)) >= 0), default=len(text))]


def _finish(reason: str) -> str:
    """A finish reason as runs keep it; what does not look like one is "other", which is a stump like all but the whole."""
    return reason if _NAME.fullmatch(reason) else "other"


def _decode_slowly(body: bytes) -> _Completion:
    """For texts cut inside a character: a small model really answers half an emoji, every time it is asked.

    Lone surrogates and broken UTF-8 become U+FFFD, so such an answer is scored like any other.
    """
    try:
        value = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Garbage(f"status 200 with {len(body)} bytes that are not JSON") from None
    try:
        return msgspec.convert(_mended(value), _Completion)
    except msgspec.ValidationError:
        raise Garbage("status 200 with JSON that is no chat completion") from None


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mended(v) for v in value]
    if isinstance(value, dict):
        return {_mended(k): _mended(v) for k, v in value.items()}
    return value


def same_model(asked: str, named: str | None) -> bool:
    """Whether a server that names itself `named` is the `asked` one: equal, silent, or equal up to a dated version."""
    if not named or named == asked:
        return True
    return named.startswith(asked) and _VERSION.fullmatch(named, len(asked)) is not None


def told(body: bytes) -> str:
    """The kind of error a server names (its `type` or `code`, a word in lower case), "" if it names none.

    Its message stays out: servers quote what they were sent, in ways that no comparison catches.
    """
    try:
        value = msgspec.json.decode(body)
    except _UNREADABLE:
        return ""
    error: Any = None
    if isinstance(value, dict):
        error = value.get("error", value if value.get("object") == "error" else None)
    if isinstance(error, dict):
        for field in ("type", "code"):
            kind = error.get(field)
            if isinstance(kind, str) and _KIND.fullmatch(kind):
                return kind
    return ""


_CONTEXT = re.compile(
    rb"context_length_exceeded|exceed_context_size|string_above_max_length|maximum context length|context (?:size|window)"
)


def too_long(body: bytes) -> bool:
    """Whether an error body speaks of the context's length, in the words of OpenAI, vLLM, llama.cpp or TGI."""
    return _CONTEXT.search(body.lower()) is not None


def served_names(body: bytes) -> list[str] | None:
    """The ids that `GET models` lists; None where the body lists none."""
    try:
        value = msgspec.json.decode(body)
    except _UNREADABLE:
        return None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list):
        return None
    names = [entry.get("id") for entry in data if isinstance(entry, dict)]
    return [name for name in names if isinstance(name, str)] or None
