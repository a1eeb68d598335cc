"""Envelopes: what was signed, as what, by whom."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.crypto.envelope import authenticated, read_envelope, seal_envelope
from evalgate.crypto.keys import SigningKey

KEY = SigningKey.generate()


def test_what_is_signed_is_encoded_as_the_protocol_says():
    # the example of the DSSE protocol's own page
    assert (
        authenticated("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(st.binary(max_size=300), st.text(max_size=30))
def test_an_envelope_gives_back_what_was_put_in_and_names_its_signer(payload, kind):
    envelope = read_envelope(seal_envelope(kind, payload, KEY))
    assert (envelope.payload, envelope.payload_type) == (payload, kind)
    assert envelope.signers([SigningKey.generate().public, KEY.public]) == (KEY.public,)


@given(st.data())
def test_no_change_of_any_byte_keeps_the_signature_and_changes_the_content(data):
    sealed = seal_envelope("kind", b'{"decision":"closed"}', KEY)
    at = data.draw(st.integers(0, len(sealed) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda b: b != sealed[at]))
    changed = sealed[:at] + bytes([value]) + sealed[at + 1 :]
    try:
        envelope = read_envelope(changed)
    except ValueError:
        return
    if envelope.signers(
        [KEY.public]
    ):  # a key id is a hint, base64 has spare bits: neither is content
        assert envelope.payload == b'{"decision":"closed"}'
        assert envelope.payload_type == "kind"


def test_a_payload_offered_as_another_type_has_no_signer():
    sealed = json.loads(seal_envelope("alias", b"{}", KEY))
    sealed["payloadType"] = "certificate"
    assert read_envelope(json.dumps(sealed).encode()).signers([KEY.public]) == ()


def test_a_key_id_alone_proves_nothing():
    sealed = json.loads(seal_envelope("kind", b"{}", SigningKey.generate()))
    sealed["signatures"][0]["keyid"] = KEY.public.id
    assert read_envelope(json.dumps(sealed).encode()).signers([KEY.public]) == ()


def test_any_of_several_signatures_may_be_the_one_that_counts():
    one, two = (json.loads(seal_envelope("kind", b"{}", k)) for k in (SigningKey.generate(), KEY))
    one["signatures"] += two["signatures"]
    assert read_envelope(json.dumps(one).encode()).signers([KEY.public]) == (KEY.public,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"payload":"!","payloadType":"k","signatures":[]}',
        json.dumps(
            {"payload": base64.b64encode(b"x").decode(), "payloadType": 3, "signatures": []}
        ).encode(),
    ],
)
def test_what_is_no_envelope_is_said_to_be_none(data):
    with pytest.raises(ValueError):
        read_envelope(data)
