"""From evalgate.toml's table to an identity and a server."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import socket
from pathlib import Path

import pytest
from scripted import ScriptedServer

from evalgate import digest
from evalgate.errors import EvalgateError, InfrastructureError, IntegrityError, UsageError
from evalgate.models import Endpoint, ask_all, identify, serving
from evalgate.models import llamacpp as room
from evalgate.records import ModelIdentity, ModelSpec, Reply, Sampling

WEIGHTS = "models/smollm2-135m-instruct.gguf"
ROOT = Path(__file__).parents[2]

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None,
    reason="the embedded extra is not installed: pip install 'evalgate-release[embedded]'",
)


def project(
    tmp_path: Path, data: bytes = b"GGUF and then nothing a model could be made of"
) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / WEIGHTS).write_bytes(data)
    return tmp_path


def local(*args: str, artifact: str = WEIGHTS, **fields) -> ModelSpec:
    return ModelSpec(server="llamacpp", artifact=artifact, args=args, **fields)


def remote(url: str, **fields) -> ModelSpec:
    return ModelSpec(server="endpoint", url=url, **{"name": "m", "patience_s": 0.3} | fields)


def refused(action, *args) -> EvalgateError:
    with pytest.raises(EvalgateError) as caught:
        action(*args)
    return caught.value


def test_missing_weights_are_told_with_the_command_that_brings_them(tmp_path):
    error = refused(identify, "smollm2", local(), tmp_path)
    assert isinstance(error, UsageError)
    assert str(error).startswith(f"{WEIGHTS}: EG301 found nothing, expected")
    assert str(error).endswith("Run 'evalgate models import smollm2'.")
    other = refused(identify, "rc2", local(artifact="models/rc2.gguf"), tmp_path)
    assert "import" not in str(other)
    assert other.code == "EG301"


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("models/page.gguf", b"<html>not found</html>", "without the GGUF header"),
        ("models/empty.gguf", b"", "without the GGUF header"),
        ("models/big-00001-of-00002.gguf", b"GGUF", "one part of a split GGUF"),
        ("models", None, "a directory"),
    ],
)
def test_what_is_no_whole_gguf_file_is_told(tmp_path, name, data, found):
    project(tmp_path)
    if data is not None:
        (tmp_path / name).write_bytes(data)
    error = refused(identify, "m", local(artifact=name), tmp_path)
    assert error.code == "EG303"
    assert error.exit == 2
    assert str(error).startswith(f"{name}: EG303 found")
    assert found in str(error)


@needs_wheel
def test_an_artifact_is_known_by_its_bytes_and_by_every_argument_that_can_change_an_answer(
    tmp_path,
):
    root = project(tmp_path)
    plain = identify("m", local(), root)
    assert plain.digest == digest.of_file(root / WEIGHTS)
    assert plain.verified
    assert plain.version
    assert plain.args == ("--ctx-size", "8192", "--parallel", "4")
    assert identify("m", local("--threads", "1", "--port", "8080"), root) == plain
    assert identify("m", local("--ctx-size", "8192"), root) == plain
    assert identify("m", local("--parallel", "2"), root).args == (
        "--ctx-size",
        "4096",
        "--parallel",
        "2",
    )
    assert identify("m", local("--cache-prompt"), root).args != plain.args
    assert identify("m", local("--gpu-layers", "0"), root).args != plain.args
    (root / WEIGHTS).write_bytes(b"GGUF and something else")
    assert identify("m", local(), root).digest != plain.digest


@pytest.mark.parametrize(
    "args",
    [("--ctx", "4096"), ("--ctx-size", "many"), ("--parallel", "0"), ("--port", "70000"), ("--threads",),
     ("--flash-attn",), ("model.gguf",), ("--ctx-size=-1",)],
)  # fmt: skip
def test_arguments_that_llamacpp_does_not_know_are_told(tmp_path, args):
    error = refused(identify, "m", local(*args), project(tmp_path))
    assert error.code == "EG306"
    assert error.exit == 2
    assert "evalgate.toml: [models.m]" in str(error)
    assert "--ctx-size" in str(error)


def test_an_endpoint_is_known_by_what_it_is_called_and_never_verified(tmp_path):
    def known(**fields) -> ModelIdentity:
        return identify("judge", remote("http://127.0.0.1:9/v1", **fields), tmp_path)

    plain = known(family="llama-3")
    assert not plain.verified
    assert plain == identify("judge", remote("http://127.0.0.1:9/v1/", family="llama-3"), tmp_path)
    assert known(family="llama-3", timeout_s=1.0) == plain
    assert (
        len({known().digest, known(family="qwen").digest, known(name="n").digest, plain.digest})
        == 4
    )


def test_an_endpoint_is_checked_and_then_yielded(tmp_path, monkeypatch):
    monkeypatch.setenv("A_KEY", "abc")
    with ScriptedServer(models=["m"], api_key="abc") as server:
        spec = remote(server.url, api_key_env="A_KEY", concurrency=7, timeout_s=3.0)
        with serving("judge", spec, tmp_path, identify("judge", spec, tmp_path), tmp_path) as found:
            found.alive()
            assert found.context is None  # nobody can count for a server elsewhere
            assert found.endpoint == Endpoint(
                url=server.url,
                name="m",
                api_key="abc",
                concurrency=7,
                timeout_s=3.0,
                patience_s=0.3,
            )
        assert server.probes == 1


def enter(spec: ModelSpec, root: Path, identity: ModelIdentity | None = None) -> None:
    with serving("m", spec, root, identity or identify("m", spec, root), root / "logs"):
        pytest.fail("it must not be served")


def test_an_endpoint_that_serves_another_model_is_refused(tmp_path):
    with ScriptedServer(models=["n"]) as server:
        assert refused(enter, remote(server.url), tmp_path).code == "EG312"


@pytest.mark.parametrize("value", [None, "", "two\nlines", "schlüssel"])
def test_a_missing_or_unusable_key_is_told_without_the_key(tmp_path, monkeypatch, value):
    monkeypatch.delenv("A_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("A_KEY", value)
    error = refused(enter, remote("http://127.0.0.1:9/v1", api_key_env="A_KEY"), tmp_path)
    assert error.code == "EG307"
    assert "A_KEY" in str(error)
    assert not value or value not in str(error)


@needs_wheel
def test_weights_that_changed_since_they_were_identified_are_not_served(tmp_path):
    root = project(tmp_path)
    identity = identify("m", local(), root)
    (root / WEIGHTS).write_bytes(b"GGUF but other bytes")
    error = refused(enter, local(), root, identity)
    assert isinstance(error, IntegrityError)
    assert error.code == "EG330"


@needs_wheel
def test_a_file_that_is_no_model_dies_at_start_with_the_servers_words(tmp_path):
    error = refused(enter, local(), project(tmp_path))
    assert isinstance(error, InfrastructureError)
    assert error.code == "EG320"
    assert str(error).startswith(f"{WEIGHTS}: EG320 found that the server died at start")
    assert "\n    " in str(error)


@needs_wheel
def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = refused(enter, local("--port", str(port)), project(tmp_path))
    assert error.code == "EG323"
    assert f"port {port}" in str(error)
    assert error.exit == 4


def test_a_missing_wheel_is_told_with_the_command_that_installs_it(tmp_path, monkeypatch):
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    error = refused(identify, "m", local(), project(tmp_path))
    assert error.code == "EG305"
    assert error.exit == 2
    assert "pip install 'evalgate-release[embedded]'" in str(error)


def embedded(root: Path, *args: str, questions: int = 3) -> dict[int, Reply]:
    spec = local(*args)
    landed: dict[int, Reply] = {}
    with serving("smollm2", spec, root, identify("smollm2", spec, root), root / "logs") as server:
        requests = (
            (
                i,
                [
                    {
                        "role": "user",
                        "content": f"What is {i + 2} plus {i * 7 + 3}? " + "Explain. " * i,
                    }
                ],
            )
            for i in range(questions)
        )
        ask_all(
            server.endpoint,
            requests,
            Sampling(max_tokens=12),
            landed.__setitem__,
            alive=server.alive,
        )
    return landed


@pytest.fixture
def real(tmp_path) -> Path:
    """A project with a copy of the real weights."""
    if not (ROOT / WEIGHTS).is_file():
        pytest.skip(f"{WEIGHTS} is not there: run 'evalgate models import smollm2'")
    (tmp_path / "models").mkdir()
    shutil.copyfile(ROOT / WEIGHTS, tmp_path / WEIGHTS)
    return tmp_path


@needs_wheel
@pytest.mark.embedded
def test_the_real_server_gives_the_same_answers_whatever_runs_beside_them(real):
    first = embedded(real, "--threads", "1")
    alone = embedded(real, "--threads", "1", "--parallel", "1", "--ctx-size", "2048")
    default = embedded(real, questions=1)
    assert [first[i].text for i in range(3)] == [alone[i].text for i in range(3)]
    assert first[0].text == default[0].text
    assert all(reply.text for reply in first.values())
    assert {reply.finish for reply in first.values()} <= {"stop", "length"}
    assert first[0].prompt_tokens > 10
    assert (real / "logs" / "smollm2.log").stat().st_mode & 0o077 == 0


@needs_wheel
@pytest.mark.embedded
def test_the_real_server_answers_nobody_else_and_notices_touched_weights(real):
    spec = local()
    with (
        pytest.raises(IntegrityError) as caught,
        serving("smollm2", spec, real, identify("smollm2", spec, real), real / "logs") as server,
    ):
        endpoint, alive = server.endpoint, server.alive
        assert endpoint.api_key
        stranger = Endpoint(url=endpoint.url, name="smollm2")
        with pytest.raises(InfrastructureError, match="401"):
            ask_all(
                stranger,
                [(0, [{"role": "user", "content": "hello"}])],
                Sampling(max_tokens=1),
                print,
            )
        alive()
        (real / "linked").hardlink_to(real / WEIGHTS)
        alive()  # the bytes are the same
        os.utime(real / WEIGHTS)
        alive()
    assert caught.value.code == "EG330"


@needs_wheel
@pytest.mark.embedded
def test_the_real_server_counts_what_it_reads_and_says_what_fits(real):
    template = "sha256:872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788"
    spec = local("--ctx-size", "512", "--parallel", "2", "--threads", "1", template=template)
    with serving("m", spec, real, identify("m", spec, real), real / "logs") as server:
        context = server.context
        assert context.limit == 256
        chats = [[{"role": "user", "content": "¿Qué? 🩺 " * n}] for n in (1, 10)]
        counts = list(context.counted(chats))
        landed: dict[int, Reply] = {}
        ask_all(server.endpoint, enumerate(chats), Sampling(max_tokens=1), landed.__setitem__)
        assert [landed[i].prompt_tokens for i in range(2)] == counts
        problem = context.too_long(counts, 250, path="g", name=str)
        assert '"--ctx-size", "1024", "--parallel", "2"' in problem.message
        assert "shorten the item" in context.advice(9000)
    other = local(template=f"sha256:{'0' * 64}")
    assert refused(enter, other, real).code == "EG344"


def test_defaults_give_every_slot_the_same_context():
    found = room.options((), where="x")
    assert found.ctx_size == room.PARALLEL * room.CTX_PER_SLOT
    assert room.options(("--parallel", "8"), where="x").ctx_size == 8 * room.CTX_PER_SLOT
