"""Laws of the bytes: whatever a server sends, and whatever a prompt holds."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.models import wire
from evalgate.records import Sampling

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = (
    "choices",
    "message",
    "content",
    "error",
    "usage",
    "model",
    "finish_reason",
    "text",
    "type",
    "object",
)
LIKELY = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)
    ),
    max_leaves=15,
)


def body(content: str, **fields) -> bytes:
    return msgspec.json.encode({"choices": [{"message": {"content": content}, **fields}]})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_completion_or_garbage(data: bytes):
    with pytest.raises(wire.Garbage):
        wire.completion(data)


@given(LIKELY)
def test_any_json_is_a_completion_or_garbage(value):
    try:
        found = wire.completion(msgspec.json.encode(value))
    except wire.Garbage as e:
        assert "\n" not in str(e)
    else:
        assert isinstance(found.text, str)


def test_json_nested_beyond_all_reason_is_garbage():
    with pytest.raises(wire.Garbage):
        wire.completion(b'{"error":' + b"[" * 100_000)
    assert wire.told(b'{"error":' + b"[" * 100_000) == ""


@given(st.text(max_size=200))
def test_a_text_comes_back_as_it_was_sent(text: str):
    assert wire.completion(body(text)).text == text


@given(st.text(max_size=50))
def test_a_text_cut_inside_a_character_keeps_the_rest(text: str):
    before, _, after = body(f"start {text}é").rpartition("é".encode())
    found = wire.completion(before + b"\xc3" + after).text
    assert found == f"start {text}\ufffd"


@given(st.text(max_size=80), st.sampled_from(["message", "type", "code", "param", "input"]))
def test_an_error_of_a_server_is_told_by_its_kind_only(prompt: str, name: str):
    asked = f"The patient is called {prompt} and takes metformin every morning."
    assert wire.told(msgspec.json.encode({"error": {name: f"bad: {asked}"}})) == ""
    assert wire.told(msgspec.json.encode({"error": {name: asked.upper(), "code": "too_long"}})) in {
        "too_long",
        "",
    }


@given(JSON)
def test_any_error_body_gives_one_short_word(value):
    for found in (value, {"error": value}, {"error": {"message": value, "type": value}}):
        said = wire.told(msgspec.json.encode(found))
        assert len(said) <= 40
        assert re.fullmatch("[a-z_]*", said)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_payload_holds_the_messages_unchanged(system: str, user: str):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    sent = msgspec.json.decode(wire.payload(wire.sampling_fields("m", Sampling()), messages))
    assert sent["messages"] == messages
    assert "stop" not in sent


@given(
    st.text("abc-0123456789v.", min_size=1, max_size=12), st.text("abc-0123456789v.", max_size=12)
)
def test_another_model_is_never_the_same_unless_it_begins_with_the_name(asked: str, named: str):
    if wire.same_model(asked, named):
        assert not named or named.startswith(asked)
    assert wire.same_model(asked, asked)
    assert wire.same_model(asked, None)


@given(JSON)
def test_any_listing_names_models_or_none(value):
    for found in (value, {"data": value}, {"data": [{"id": value}]}):
        names = wire.served_names(msgspec.json.encode(found))
        assert names is None or (names and all(isinstance(n, str) for n in names))
