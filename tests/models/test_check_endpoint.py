"""Asking a server what it serves, before it is asked anything else."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from scripted import Response, ScriptedServer

from evalgate.errors import InfrastructureError
from evalgate.models import Endpoint, check_endpoint


def check(url: str, name: str = "m", **fields) -> None:
    check_endpoint(Endpoint(url=url, name=name, **{"patience_s": 0.5} | fields))


def refusal(url: str, name: str = "m", **fields) -> InfrastructureError:
    with pytest.raises(InfrastructureError) as caught:
        check(url, name, **fields)
    return caught.value


def test_a_server_that_lists_the_model_is_accepted():
    with ScriptedServer(models=["other", "m"]) as server:
        check(server.url)
        check(server.url + "/")
    assert server.probes == 2


def test_a_server_that_lists_other_models_is_named_with_them():
    with ScriptedServer(models=["llama-3", "qwen"]) as server:
        error = refusal(server.url)
    assert error.code == "EG312"
    assert "llama-3, qwen" in str(error)
    assert "'m'" in str(error)


def test_a_text_in_a_list_of_models_is_not_repeated():
    with ScriptedServer(models=["org/qwen:7b", "Ms Quillon is pregnant"]) as server:
        error = refusal(server.url)
    assert "found the models org/qwen:7b, another name, expected 'm'" in str(error)


@pytest.mark.parametrize(
    "listing",
    [None, Response(status=405), Response(json={"data": []}), Response(json={"data": "x"}), Response(json={"data": [1]})],
    ids=["404", "405", "none", "no list", "no ids"],
)  # fmt: skip
def test_a_server_that_does_not_say_what_it_serves_is_accepted(listing):
    with ScriptedServer(models=listing) as server:
        check(server.url)


def test_a_wrong_key_is_an_error_at_once():
    with ScriptedServer(models=["m"], api_key="right") as server:
        check(server.url, api_key="right")
        error = refusal(server.url, api_key="wrong", patience_s=60)
    assert error.code == "EG311"
    assert "401" in str(error)
    assert "api_key_env" in str(error)


def test_a_server_that_is_not_there_is_waited_for_until_patience_ends():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{s.getsockname()[1]}/v1"
    started = time.monotonic()
    error = refusal(url)
    assert error.code == "EG310"
    assert 0.4 < time.monotonic() - started < 5


def test_a_server_that_is_still_loading_is_waited_for():
    with ScriptedServer(models=Response(status=503)) as server:
        error = refusal(server.url)
        assert "503" in str(error)
        assert server.probes > 1
        server._models = ["m"]
        check(server.url)


def test_a_page_that_is_no_api_is_no_proof_of_another_model():
    with ScriptedServer(models=Response(body=b"<html></html>")) as server:
        check(server.url)


def test_a_dead_server_process_ends_the_waiting():
    class Died(Exception):  # noqa: N818
        pass

    def alive() -> None:
        raise Died

    with pytest.raises(Died):
        check_endpoint(Endpoint(url="http://127.0.0.1:9/v1", name="m"), alive=alive)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of an authority that no machine knows, for 127.0.0.1, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed, which makes the certificate")
    key, found = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(found)]
    subprocess.run(command, check=True, capture_output=True)
    found.write_bytes(found.read_bytes() + key.read_bytes())
    return found


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_certificate_of_an_unknown_authority_is_not_accepted(certificate):
    with ScriptedServer(models=["m"], tls=tls(certificate)) as server:
        error = refusal(server.url)
        assert server.probes == 0
    assert error.code == "EG310"
    assert "Certificate" in str(error)


def test_an_authority_that_the_machine_trusts_is_accepted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ScriptedServer(models=["m"], tls=tls(certificate)) as server:
        check(server.url)
        assert server.probes == 1


def test_a_server_that_cannot_list_its_models_is_probed_elsewhere():
    def other(method, path, payload):
        return Response(json={}) if path == "/health" else None

    with ScriptedServer(models=Response(status=500, json={}), other=other) as server:
        assert refusal(server.url).code == "EG310"
        check(server.url, probe=f"http://127.0.0.1:{server.port}/health")
