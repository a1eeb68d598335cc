"""What a server may say in an answer: names, statuses, texts, reasons; and what of it is told or sent."""

from __future__ import annotations

import pytest
from asking import PROMPT, ask, endpoint, refusal
from scripted import Response, ScriptedServer

from evalgate.errors import InfrastructureError, UsageError
from evalgate.models import ask_all
from evalgate.records import Sampling


@pytest.mark.parametrize(
    ("named", "served"),
    [("m", True), ("m-2024-08-06", True), ("m-0613", True), ("m-v1.2", True), ("", True),
     ("m-70b", False), ("m-1", False), ("other", False), ("M", False), ("mm-2024-08-06", False)],
)  # fmt: skip
def test_an_answer_by_another_model_is_an_error_at_once(named: str, served: bool):
    with ScriptedServer(lambda m, p: Response(text="ok", model=named)) as server:
        if served:
            assert ask(server)[0].text == "ok"
        else:
            error = refusal(server)
            assert error.code == "EG312"
            assert "serves another model" in str(error)
            assert named in str(error)
    assert server.count == 1


@pytest.mark.parametrize("named", ["Ms Quillon is pregnant", "m" * 65, "ünver"])
def test_a_text_in_place_of_a_models_name_is_not_repeated(named: str):
    with ScriptedServer(lambda m, p: Response(text="ok", model=named)) as server:
        error = refusal(server)
    assert error.code == "EG312"
    assert "found an answer of the model another name, expected 'm'" in str(error)
    assert named not in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refused_request_is_an_error_at_once_with_its_kind_only(status: int):
    body = {"error": {"message": "temperature must\nbe below 2 " + "x" * 500, "type": "invalid"}}
    with ScriptedServer(lambda m, p: Response(status=status, json=body)) as server:
        error = refusal(server, 100)
    assert error.code == "EG311"
    assert f"status {status}" in str(error)
    assert "(invalid)" in str(error)
    assert "temperature" not in str(error)  # a server may quote what it was asked
    assert "\n" not in str(error)
    assert len(str(error)) < 520
    assert server.count <= 4


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": f"cannot read: {PROMPT}", "type": "invalid"}},
        {"error": {"message": "no", "input": PROMPT}},
        {"detail": [{"msg": "bad", "input": PROMPT}]},
        {"error": PROMPT},
        {"object": "error", "message": PROMPT, "type": PROMPT},
    ],
)
def test_what_was_asked_never_reaches_an_error_message(body: dict):
    with (
        ScriptedServer(lambda m, p: Response(status=400, json=body)) as server,
        pytest.raises(InfrastructureError) as e,
    ):
        ask_all(
            endpoint(server.url), [(0, [{"role": "user", "content": PROMPT}])], Sampling(), print
        )
    assert "amoxicillin" not in str(e.value)


def test_a_redirect_is_not_followed():
    with ScriptedServer() as other:
        to = Response(status=307, headers={"Location": f"{other.url}/chat/completions"})
        with ScriptedServer(lambda m, p: to) as server:
            error = refusal(server)
    assert error.code == "EG315"
    assert other.count == 0


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (Response(text=None), ""),
        (
            Response(
                text=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "x"}]
            ),
            "ab",
        ),
        (Response(body=b'{"choices":[{"message":{"content":"end \\ud83d"}}]}'), "end �"),
        (Response(body=b'{"choices":[{"message":{"content":"end \xc3"}}]}'), "end �"),
        (Response(body=b'{"choices":[{"message":{"content":"\\ud83d\\ude00"}}]}'), "😀"),
    ],
    ids=["null", "parts", "half a surrogate pair", "broken utf-8", "an emoji"],
)
def test_every_kind_of_content_is_text(response: Response, text: str):
    with ScriptedServer(lambda m, p: response) as server:
        reply = ask(server)[0]
    assert reply.text == text
    assert reply.tries == ()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        (None, "unknown"),
        ("Ms Quillon is pregnant", "other"),
    ],
)
def test_the_finish_reason_passes_through(given: str | None, found: str):
    with ScriptedServer(lambda m, p: Response(text="a", finish_reason=given)) as server:
        assert ask(server)[0].finish == found


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "This model's maximum context length is 8192 tokens. However, ..", "type": "BadRequestError", "code": 400}}),
        (400, {"error": {"code": 400, "message": "request (3031 tokens) exceeds the available context size (2048 tokens)", "type": "exceed_context_size_error"}}),
        (400, {"error": {"message": "..", "code": "context_length_exceeded"}}),
        (413, {"error": "larger than the context window"}),
    ],
    ids=["vllm", "llama.cpp", "openai", "gateway"],
)  # fmt: skip
def test_a_question_that_does_not_fit_is_told_by_its_line_and_not_by_its_words(status, body):
    def reply(messages, payload):
        fits = messages[-1]["content"] != "question 3"
        return Response(text="ok") if fits else Response(status=status, json=body)

    with ScriptedServer(reply) as server, pytest.raises(UsageError) as caught:
        ask(server, 6)
    error = caught.value
    assert error.code == "EG355"
    assert error.exit == 2
    assert "line 4 of the gold set" in str(error)
    assert "question 3" not in str(error)
    assert "8192" not in str(error)


def test_an_endpoints_own_fields_are_sent_and_never_displace_what_a_suite_asks_for():
    with ScriptedServer() as server:
        ask(server, sampling=Sampling(temperature=0.5), fields={"top_k": 0, "temperature": 9})
    assert server.requests[0].payload["top_k"] == 0
    assert server.requests[0].payload["temperature"] == 0.5


def test_stop_strings_that_a_server_leaves_in_are_cut_here():
    with ScriptedServer(reply="one###two###") as server:
        assert ask(server, sampling=Sampling(stop=("###",)))[0].text == "one"
