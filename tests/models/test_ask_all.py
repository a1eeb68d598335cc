"""The client against a real HTTP server on loopback that misbehaves as real ones do."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import threading
import time

import pytest
from asking import Then, ask, endpoint, free_port, number, question, refusal
from scripted import Response, ScriptedServer

from evalgate.errors import InfrastructureError
from evalgate.models import ask_all
from evalgate.records import Reply, Sampling


def test_every_question_lands_once_with_its_own_answer():
    with ScriptedServer(lambda messages, payload: f"answer {number(messages)}") as server:
        landed = ask(server, 200, concurrency=16)
    assert sorted(landed) == list(range(200))
    assert all(reply.text == f"answer {i}" for i, reply in landed.items())
    assert landed[0].finish == "stop"
    assert (landed[0].prompt_tokens, landed[0].completion_tokens) == (3, 2)
    assert landed[0].tries == ()
    assert landed[0].seconds > 0
    assert server.count == 200
    assert server.connections <= 16


def test_nothing_to_ask_ends_at_once():
    with ScriptedServer() as server:
        assert ask(server, 0) == {}
        assert server.count == 0


def test_the_payload_holds_what_the_suite_asks_for():
    with ScriptedServer() as server:
        ask(server, 1, Sampling(temperature=0.5, max_tokens=7, seed=3))
        ask(server, 1, Sampling(stop=("\n",)))
    plain, stopped = (r.payload for r in server.requests)
    assert plain == {
        "model": "m",
        "messages": question(0),
        "temperature": 0.5,
        "max_tokens": 7,
        "seed": 3,
        "stream": False,
    }
    assert stopped["stop"] == ["\n"]


def test_the_key_is_sent_and_never_shown():
    with ScriptedServer(api_key="abc-secret") as server:
        ask(server, api_key="abc-secret")
        error = refusal(server, api_key="wrong-secret")
    assert server.requests[0].headers["authorization"] == "Bearer abc-secret"
    assert "secret" not in repr(endpoint(server.url, api_key="abc-secret"))
    assert "secret" not in str(error)
    assert "401" in str(error)


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with ScriptedServer() as server:
        assert ask(server)[0].text == "ok"


def test_questions_are_pulled_only_when_there_is_room_for_them():
    out = most = landed = 0

    def requests():
        nonlocal out, most
        for i in range(300):
            out += 1
            most = max(most, out - landed)
            yield i, question(i)

    def land(ordinal: int, reply: Reply) -> None:
        nonlocal landed
        landed += 1

    with ScriptedServer(Then(Response(status=429, headers={"Retry-After": "0"}))) as server:
        ask_all(endpoint(server.url, concurrency=8), requests(), Sampling(), land)
    assert landed == 300
    assert most <= 8
    assert server.peak <= 8


def test_a_full_house_uses_all_its_connections():
    with ScriptedServer(lambda messages, payload: Response(text="ok", delay=0.05)) as server:
        ask(server, 64, concurrency=16)
    assert server.peak == 16


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (Response(status=429, headers={"Retry-After": "0"}), "status 429"),
        (Response(status=503), "status 503"),
        (Response(status=502, body=b"<html>bad gateway</html>"), "status 502"),
        (Response(status=500, json={"error": {"message": "oops"}}), "status 500"),
        (Response(body=b"<html>hello</html>"), "status 200 with 18 bytes that are not JSON"),
        (Response(body=b'{"choices": [{"mess'), "status 200 with 19 bytes that are not JSON"),
        (Response(body=b""), "status 200 with 0 bytes that are not JSON"),
        (Response(json={"error": {"message": "overloaded"}}), "status 200 with an error body"),
        (Response(json={"choices": []}), "status 200 without choices"),
        (Response(json={"ok": True}), "status 200 without choices"),
        (
            Response(json={"choices": [{"text": "a"}]}),
            "status 200 with JSON that is no chat completion",
        ),
        (Response(json=[1]), "status 200 with JSON that is no chat completion"),
        (Response(half=True), "no whole answer (ClientPayloadError)"),
        (Response(reset=True), "no whole answer ("),
        (Response(headers={"Content-Length": "nonsense"}), "no whole answer ("),
    ],
    ids=lambda v: v[:40] if isinstance(v, str) else "",
)
def test_a_passing_fault_is_retried_and_recorded(first: Response, error: str):
    with ScriptedServer(Then(first, first)) as server:
        landed = ask(server, 3)
    assert [reply.text for reply in landed.values()] == ["ok"] * 3
    for reply in landed.values():
        assert len(reply.tries) == 2
        assert all(t.error.startswith(error) and t.seconds >= 0 for t in reply.tries)
    assert server.count == 9


def test_retry_after_is_waited_for():
    with ScriptedServer(Then(Response(status=429, headers={"Retry-After": "1"}))) as server:
        ask(server)
    first, second = (r.at for r in server.requests)
    assert 0.95 <= second - first < 3


def test_retry_after_nothing_is_not_waited_for():
    with ScriptedServer(Then(*[Response(status=429, headers={"Retry-After": "0"})] * 3)) as server:
        started = time.monotonic()
        ask(server)
    assert server.requests[-1].at - started < 0.2


def test_a_retry_after_beyond_all_patience_does_not_hang():
    busy = Response(status=429, headers={"Retry-After": "3600"})
    with ScriptedServer(lambda messages, payload: busy) as server:
        started = time.monotonic()
        error = refusal(server, patience_s=0.5)
    assert error.code == "EG310"
    assert time.monotonic() - started < 3


def test_one_request_in_twenty_throttled_costs_only_its_own_retry():
    calls = 0

    def reply(messages, payload):
        nonlocal calls
        calls += 1
        if calls % 20 == 0:
            return Response(status=429, headers={"Retry-After": "0"})
        return Response(text="ok", delay=0.02)

    with ScriptedServer(reply) as server:
        landed = ask(server, 400, concurrency=16)
    late = server.requests[-160:]
    assert len(landed) == 400
    assert sum(len(r.tries) for r in landed.values()) == calls - 400
    assert server.peak == 16
    assert (
        len(late) / (late[-1].at - late[0].at) > 16 / 0.02 / 4
    )  # a quarter of the ceiling, on a busy machine


def test_a_storm_slows_the_pace_until_the_server_can_follow():
    with ScriptedServer() as server:
        room = 4

        def reply(messages, payload):
            if server.in_flight > room:
                return Response(status=429, headers={"Retry-After": "0"})
            return Response(text="ok", delay=0.01)

        server._reply = reply
        landed = ask(server, 200, concurrency=64)
        refused = sum(len(r.tries) for r in landed.values())
        assert len(landed) == 200
        assert refused < 600


def test_a_useless_answer_is_asked_for_eight_times_and_then_is_an_outage():
    with ScriptedServer(lambda m, p: Response(body=b"nope")) as server:
        error = refusal(server, patience_s=4)
    assert error.code == "EG313"
    assert error.where == server.url
    assert "not JSON" in str(error)
    assert server.count == 8


def test_a_server_that_is_not_there_is_waited_for_no_longer_than_patience():
    url = f"http://127.0.0.1:{free_port()}/v1"
    started = time.monotonic()
    error = refusal(url, 10, patience_s=0.6)
    assert error.code == "EG310"
    assert error.where == url
    assert "0.6 s" in str(error)
    assert "ClientConnectorError" in str(error)
    assert 0.5 < time.monotonic() - started < 5


def test_a_server_that_comes_back_is_asked_again():
    port = free_port()
    late = ScriptedServer(port=port)
    timer = threading.Timer(0.5, late.start)
    timer.start()
    try:
        landed = ask(f"http://127.0.0.1:{port}/v1", 20, patience_s=10)
    finally:
        timer.join()
        late.stop()
    assert len(landed) == 20
    assert all(
        t.error == "no whole answer (ClientConnectorError)"
        for r in landed.values()
        for t in r.tries
    )
    assert sum(len(r.tries) for r in landed.values()) >= 4


def test_a_server_that_is_full_but_working_costs_no_patience():
    def reply(messages, payload):
        if number(messages) == 0:
            return Response(text="slow", delay=2.0)
        return "ok" if server.requests[0].at < time.monotonic() - 2.0 else Response(status=429)

    with ScriptedServer(reply) as server:
        landed = ask(server, 2, concurrency=2, patience_s=1.5)
    assert landed[0].text == "slow"
    assert landed[1].text == "ok"


def test_a_question_without_an_answer_lands_as_a_timeout_if_the_server_lives():
    def reply(messages, payload):
        return Response(hang=True) if number(messages) == 3 else "ok"

    with ScriptedServer(reply) as server:
        landed = ask(server, 10, timeout_s=0.3)
    assert landed[3].finish == "timeout"
    assert landed[3].text == ""
    assert [t.error for t in landed[3].tries] == ["no answer in 0.3 s"] * 2
    assert sum(r.text == "ok" for r in landed.values()) == 9
    assert server.probes == 1


def test_a_late_answer_is_asked_for_once_more():
    with ScriptedServer(Then(Response(hang=True))) as server:
        landed = ask(server, timeout_s=0.3)
    assert landed[0].text == "ok"
    assert len(landed[0].tries) == 1
    assert server.probes == 0


def test_a_server_that_trickles_is_too_late_as_a_whole():
    def trickle(sock: socket.socket) -> None:
        for _ in range(3):
            client, _ = sock.accept()
            with client, contextlib.suppress(OSError):  # the client leaves in the middle
                if client.recv(65536).startswith(b"GET"):
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                    continue
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while True:
                    client.sendall(b" ")
                    time.sleep(0.05)

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        thread = threading.Thread(target=trickle, args=(sock,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
        landed = ask(url, timeout_s=0.5)
        assert landed[0].finish == "timeout"
    thread.join(10)


def test_a_server_that_does_not_answer_a_probe_either_is_an_outage():
    with ScriptedServer(lambda m, p: Response(hang=True), models=Response(status=500)) as server:
        error = refusal(server, timeout_s=0.2)
    assert error.code == "EG314"
    assert "hangs" in str(error)


def test_a_server_that_answers_only_probes_is_an_outage_in_the_end():
    landed = []
    with (
        ScriptedServer(lambda m, p: Response(hang=True)) as server,
        pytest.raises(InfrastructureError) as caught,
    ):
        ask_all(
            endpoint(server.url, timeout_s=0.05, concurrency=8),
            ((i, question(i)) for i in range(100)),
            Sampling(),
            lambda i, reply: landed.append(reply.finish),
        )
    assert caught.value.code == "EG316"
    assert landed == []  # an outage leaves no wrong answers behind


class Died(Exception):  # noqa: N818
    pass


def test_a_dead_server_process_is_noticed_on_the_first_failed_connection():
    calls = 0

    def alive() -> None:
        nonlocal calls
        calls += 1
        if calls > 1:  # the first call is the clock's
            raise Died

    started = time.monotonic()
    with pytest.raises(Died):
        ask(f"http://127.0.0.1:{free_port()}/v1", 5, alive=alive, patience_s=60)
    assert time.monotonic() - started < 2


def test_a_dead_server_process_is_noticed_while_waiting_for_an_answer():
    gone = time.monotonic() + 0.5

    def alive() -> None:
        if time.monotonic() > gone:
            raise Died

    with ScriptedServer(lambda m, p: Response(hang=True)) as server, pytest.raises(Died):
        ask(server, 5, alive=alive, timeout_s=60)
    gc.collect()


@pytest.mark.parametrize(
    "error", [ValueError("disk"), KeyboardInterrupt(), SystemExit(3)], ids=repr
)
def test_what_land_raises_comes_out_and_nothing_is_left_running(error: BaseException):
    landed = 0

    def land(ordinal: int, reply: Reply) -> None:
        nonlocal landed
        landed += 1
        if landed == 5:
            raise error

    with ScriptedServer(lambda m, p: Response(text="ok", delay=0.01)) as server:
        with pytest.raises(type(error)) as caught:
            ask_all(
                endpoint(server.url, concurrency=8),
                ((i, question(i)) for i in range(100)),
                Sampling(),
                land,
            )
        gc.collect()
        assert caught.value is error
        time.sleep(0.3)  # what was sent arrives
        asked = server.count
        time.sleep(0.1)
        assert server.count == asked <= 5 + 2 * 8
    assert landed == 5


def test_what_the_questions_raise_comes_out():
    def requests():
        yield 0, question(0)
        raise LookupError("gold")

    with ScriptedServer() as server, pytest.raises(LookupError):
        ask_all(endpoint(server.url), requests(), Sampling(), lambda i, r: None)
    gc.collect()


def test_an_interrupt_comes_out_while_requests_are_in_flight():
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # background jobs start with it ignored
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    with ScriptedServer(lambda m, p: Response(hang=True)) as server:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            ask(server, 50, concurrency=16)
        timer.join()
        gc.collect()
        signal.signal(signal.SIGINT, before)
        assert server.count == 16


def test_a_server_that_is_busy_for_ever_is_an_outage_however_slowly_it_says_so():
    with ScriptedServer(lambda m, p: Response(status=503, delay=1.2)) as server:
        begun = time.monotonic()
        with pytest.raises(InfrastructureError) as caught:
            ask_all(
                endpoint(server.url, timeout_s=2.0, patience_s=0.5, concurrency=4),
                ((i, question(i)) for i in range(20)),
                Sampling(),
                lambda i, reply: None,
            )
    assert caught.value.code == "EG310"
    assert time.monotonic() - begun < 20


def test_a_timeout_lands_once_the_server_has_answered_something_else():
    landed = []

    def reply(messages, payload):
        return (
            Response(hang=True) if messages[-1]["content"] == question(0)[-1]["content"] else "ok"
        )

    with ScriptedServer(reply) as server:
        ask_all(
            endpoint(server.url, timeout_s=0.3, concurrency=2),
            ((i, question(i)) for i in range(30)),
            Sampling(),
            lambda i, r: landed.append((i, r.finish)),
        )
    assert (0, "timeout") in landed
    assert len(landed) == 30
