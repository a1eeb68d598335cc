"""transformers and vLLM, played by a stand-in: identity, command lines, checks before the first question, faults."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import stand_in
from hypothesis import given
from hypothesis import strategies as st

from evalgate.errors import EvalgateError, InfrastructureError, IntegrityError, UsageError
from evalgate.models import ask_all, check_read, identify, serving
from evalgate.models.hosted import options, version
from evalgate.models.wire import until
from evalgate.records import ModelSpec, Reply, Sampling

SERVERS = ("transformers", "vllm")
HELLO = [{"role": "user", "content": "hello"}]


def spec(root: Path, server: str, *args: str, artifact: str = "m", **fields) -> ModelSpec:
    python = str(stand_in.environment(root / "env", **fields.pop("behaviour", {})))
    return ModelSpec(server=server, artifact=artifact, args=args, python=python, **fields)


def refused(action, *args, **kwargs) -> EvalgateError:
    with pytest.raises(EvalgateError) as caught:
        action(*args, **kwargs)
    return caught.value


def asked(root: Path, found: ModelSpec, questions=1, max_tokens=16) -> dict[int, Reply]:
    landed: dict[int, Reply] = {}
    with serving("rc", found, root, identify("rc", found, root), root / "logs") as server:
        requests = ((i, HELLO) for i in range(questions))
        ask_all(
            server.endpoint,
            requests,
            Sampling(max_tokens=max_tokens),
            landed.__setitem__,
            alive=server.alive,
        )
    return landed


@pytest.fixture
def root(tmp_path) -> Path:
    stand_in.model(tmp_path / "m")
    return tmp_path


@pytest.mark.parametrize("server", SERVERS)
def test_a_model_is_served_checked_and_asked(root, server):
    found = spec(root, server)
    landed = asked(root, found)
    assert landed[0].text == "ok"
    assert landed[0].prompt_tokens == 3
    assert (root / "logs" / "rc.log").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("server", SERVERS)
def test_a_model_is_known_by_its_bytes_its_arguments_and_the_versions_that_serve_it(root, server):
    plain = identify("rc", spec(root, server), root)
    assert plain.verified
    assert "transformers 1.0" in plain.version
    assert "torch 1.0" in plain.version
    assert identify("rc", spec(root, server, "--port", "8080"), root) == plain
    assert identify("rc", spec(root, server, "--dtype", "bfloat16"), root) == plain
    assert identify("rc", spec(root, server, "--dtype=float32"), root).args != plain.args
    newer = spec(root, server, behaviour={"version": "2.0"})
    assert identify("rc", newer, root).version != plain.version
    (root / "m" / "generation_config.json").write_text("{}")
    assert identify("rc", spec(root, server), root).digest != plain.digest


def test_an_environment_that_changed_since_the_model_was_identified_is_not_served(root):
    identity = identify("rc", spec(root, "vllm"), root)
    newer = spec(root, "vllm", behaviour={"version": "2.0"})

    def enter() -> None:
        with serving("rc", newer, root, identity, root / "logs"):
            pytest.fail("it must not be served")

    assert refused(enter).code == "EG330"


def test_defaults_that_decide_are_written_out(root):
    assert options("vllm", (), root / "m", where="x").deciding == (
        "--dtype", "bfloat16", "--generation-config", "vllm", "--max-model-len", "512",
        "--no-enable-prefix-caching", "--seed", "0",
    )  # fmt: skip
    found = options(
        "vllm", ("--max-model-len", "64", "--enable-prefix-caching"), root / "m", where="x"
    )
    assert "--no-enable-prefix-caching" not in found.deciding
    assert found.deciding[found.deciding.index("--max-model-len") + 1] == "64"
    told = options("transformers", ("--dtype", "float32"), root / "m", where="x").deciding
    assert told == ("--device", "auto", "--dtype", "float32")


@given(
    st.permutations(
        [("--dtype", "float32"), ("--seed", "3"), ("--enforce-eager",), ("--max-num-seqs=8",), ("--port", "9000")]
    ),
    st.booleans(),
)  # fmt: skip
def test_neither_order_nor_spelling_of_arguments_changes_a_model(tmp_path_factory, order, joined):
    folder = tmp_path_factory.mktemp("one")
    model = stand_in.model(folder / "m")
    args = [part for group in order for part in (("=".join(group),) if joined else group)]
    assert options("vllm", args, model, where="x").deciding == (
        "--dtype", "float32", "--enforce-eager", "--generation-config", "vllm", "--max-model-len", "512",
        "--max-num-seqs", "8", "--no-enable-prefix-caching", "--seed", "3",
    )  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    "args",
    [("--host", "0.0.0.0"), ("--model", "x"), ("--served-model-name=x",), ("--chat-template", "x"), ("--trust-remote-code",),
     ("--continuous-batching",), ("--lora-modules", "a=b"), ("--generation-config", "auto"), ("--dtype",), ("x",),
     ("--dtype", "a", "--dtype", "b"), ("--port", "http"), ("--port", "70000"), ("--enforce-eager=1",)],
)  # fmt: skip
def test_arguments_that_could_lead_the_gate_elsewhere_are_refused(root, server, args):
    error = refused(identify, "rc", spec(root, server, *args), root)
    assert isinstance(error, UsageError)
    assert error.code == "EG345"
    assert "evalgate.toml: [models.rc]" in str(error)


def test_arguments_of_the_template_must_be_an_object(root):
    args = ("--chat-template-kwargs", '{"enable_thinking": false}')
    assert options("transformers", args, root / "m", where="x").template == {
        "enable_thinking": False
    }
    assert (
        refused(
            options, "transformers", ("--chat-template-kwargs", "1"), root / "m", where="x"
        ).code
        == "EG345"
    )


def test_a_missing_environment_or_package_is_told_without_its_path(root):
    gone = ModelSpec(server="vllm", artifact="m", python="env/none")
    error = refused(identify, "rc", gone, root)
    assert error.code == "EG346"
    assert "[servers.vllm] python" in str(error)
    assert str(root) not in str(error)
    empty = root / "empty"
    empty.write_text("#!/bin/sh\nexit 0\n")
    empty.chmod(0o700)
    assert refused(version, "vllm", empty).code == "EG346"


def test_a_generation_config_that_bends_answers_is_refused_where_it_would(root):
    config = root / "m" / "generation_config.json"
    config.write_text(
        json.dumps({"eos_token_id": 2, "temperature": 0.6, "repetition_penalty": 1.1})
    )
    identify("rc", spec(root, "transformers"), root)  # switched off in every request
    config.write_text(
        json.dumps({"eos_token_id": 2, "suppress_tokens": [7], "guidance_scale": None})
    )
    error = refused(identify, "rc", spec(root, "transformers"), root)
    assert error.code == "EG354"
    assert "found suppress_tokens in" in str(error)
    identify("rc", spec(root, "vllm"), root)  # told to ignore the file


def test_a_template_that_is_missing_or_not_the_told_one_is_refused(root):
    from evalgate import digest

    told = digest.of_file(root / "m" / "chat_template.jinja")
    identify("rc", spec(root, "vllm", template=told), root)
    (root / "m" / "chat_template.jinja").write_text("another")
    error = refused(identify, "rc", spec(root, "vllm", template=told), root)
    assert isinstance(error, IntegrityError)
    assert error.code == "EG344"
    assert told in str(error)
    (root / "m" / "chat_template.jinja").unlink()
    assert refused(identify, "rc", spec(root, "vllm"), root).code == "EG343"


# --- adapters ------------------------------------------------------------------------------------------------------


def over(root: Path, server: str = "vllm", **fields) -> ModelSpec:
    return spec(root, server, artifact="a", **{"base": "m"} | fields)


def test_an_adapter_is_asked_by_its_own_name_and_known_with_its_base(root):
    stand_in.adapter(root / "a")
    found = over(root)
    assert asked(root, found)[0].text == "ok"
    assert "rc.base" in (root / "logs" / "rc.log").read_text()
    before = identify("rc", found, root).digest
    (root / "m" / "config.json").write_text((root / "m" / "config.json").read_text() + " ")
    assert identify("rc", found, root).digest != before


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"server": "transformers"}, "serve a merged copy"), ({"server": "llamacpp"}, "serve a merged copy"),
     ({"base": None}, "an adapter without its base"), ({"base": "nothing"}, "nothing at nothing"),
     ({"artifact": "m"}, "base but no adapter_config.json")],
)  # fmt: skip
def test_an_adapter_that_cannot_be_served_is_told_with_the_way_out(root, fields, told):
    stand_in.adapter(root / "a")
    written = {"server": "vllm", "artifact": "a", "base": "m"} | fields
    error = refused(identify, "rc", ModelSpec(**written), root)
    assert error.code == "EG340"
    assert error.exit == 2
    assert told in str(error)


def test_an_adapter_that_the_server_ignores_is_noticed_before_the_first_question(root):
    stand_in.adapter(root / "a")
    error = refused(asked, root, over(root, behaviour={"deaf": True}))
    assert isinstance(error, IntegrityError)
    assert error.code == "EG348"
    assert "with and without the adapter" in str(error)


def test_an_adapter_trained_under_another_template_is_refused(root):
    stand_in.adapter(root / "a")
    (root / "a" / "chat_template.jinja").write_text("another")
    error = refused(identify, "rc", over(root), root)
    assert error.code == "EG344"
    assert error.exit == 5


# --- tokens --------------------------------------------------------------------------------------------------------


def test_a_server_that_reads_other_tokens_than_the_artifacts_own_is_not_asked(root):
    error = refused(asked, root, spec(root, "vllm", behaviour={"ids": 1}))
    assert isinstance(error, IntegrityError)
    assert error.code == "EG349"
    assert "conversation 1 of 7" in str(error)


@pytest.mark.parametrize("server", SERVERS)
def test_a_template_that_refuses_a_role_on_both_sides_is_no_fault_until_it_is_needed(root, server):
    (root / "m" / "chat_template.jinja").write_text("no system")
    found = spec(root, server)
    assert asked(root, found)[0].text == "ok"
    with serving("rc", found, root, identify("rc", found, root), root / "logs") as running:
        system = [{"role": "system", "content": "x"}, *HELLO]
        error = refused(lambda: list(running.context.counted([system])))
    assert error.code == "EG353"


def test_a_tokenizer_that_cannot_be_run_is_an_outage_with_its_words_in_a_log(root):
    error = refused(asked, root, spec(root, "transformers", behaviour={"mute": True}))
    assert isinstance(error, InfrastructureError)
    assert error.code == "EG352"
    assert "no tokenizer here" in (root / "logs" / "rc.tokens.log").read_text()


@pytest.mark.parametrize("server", SERVERS)
def test_the_context_is_the_servers_and_the_advice_says_what_to_set(root, server):
    found = spec(root, server, behaviour={"limit": 64})
    with serving("rc", found, root, identify("rc", found, root), root / "logs") as running:
        context = running.context
        assert context.limit == (64 if server == "vllm" else 512)
        counts = context.measured(enumerate([HELLO, [{"role": "user", "content": "a " * 600}]]), 2)
        assert list(counts) == [3, 603]
        assert context.too_long([3, 48], 16, path="g", name=str) is None
        problem = context.too_long(counts, 16, path="gold.jsonl", name=lambda n: f"item-{n}")
    assert str(problem).startswith(
        "gold.jsonl:2: EG350 found that item item-1 needs 619 tokens (603 of prompt, 16 of answer)"
    )
    assert "made for no more" in problem.message
    if server == "vllm":
        assert '"--max-model-len", "256"' in context.advice(100)


def test_an_answer_to_a_prompt_that_was_cut_is_no_evidence():
    check_read(Reply(text="", finish="stop", prompt_tokens=9), 9, where="x")
    check_read(Reply(text="", finish="timeout"), 9, where="x")
    for read in (8, 10, None):
        error = refused(check_read, Reply(text="", finish="stop", prompt_tokens=read), 9, where="x")
        assert error.code == "EG351"
        assert error.exit == 5


def test_an_answer_ends_before_the_first_stop_string():
    assert until("one two three", ("three", "two")) == "one "
    assert until("one", ()) == "one"
    assert until("", ("x",)) == ""


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_dies_in_the_middle_is_told(root, server):
    error = refused(asked, root, spec(root, server, behaviour={"dies": 9}))
    assert isinstance(error, InfrastructureError)
    assert error.code == "EG322"
    assert "exit code 9" in str(error)


def test_a_server_that_is_stopped_hangs_and_is_told(root):
    found = spec(root, "vllm", behaviour={"slow": 30}, timeout_s=1.0, patience_s=1.0)
    identity = identify("rc", found, root)

    def ask() -> None:
        with serving("rc", found, root, identity, root / "logs") as running:
            pid = server_of(os.getpid())
            os.kill(pid, signal.SIGSTOP)
            try:
                ask_all(running.endpoint, [(0, HELLO)], Sampling(), lambda n, r: None)
            finally:
                os.kill(pid, signal.SIGCONT)

    error = refused(ask)
    assert error.code == "EG314"
    assert error.exit == 4


def server_of(pid: int) -> int:
    """The process that a supervisor below `pid` runs."""
    for child in children(pid):
        if "supervisor.py" in Path(f"/proc/{child}/cmdline").read_text():
            return children(child)[0]
    raise AssertionError


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_server_that_never_starts_is_told_with_its_words(root):
    broken = root / "env"
    found = spec(root, "vllm")
    identity = identify("rc", found, root)
    python = broken / "python"
    python.write_text(
        python.read_text().replace(
            "import stand_in\n", "import stand_in\nif '-m' in sys.argv: sys.exit('out of memory')\n"
        )
    )

    def enter() -> None:
        with serving("rc", found, root, identity, root / "logs"):
            pytest.fail("it must not be served")

    error = refused(enter)
    assert error.code == "EG320"
    assert "    out of memory" in str(error)


def test_the_key_is_not_on_the_command_line(root):
    found = spec(root, "vllm")
    with serving("rc", found, root, identify("rc", found, root), root / "logs") as running:
        line = Path(f"/proc/{server_of(os.getpid())}/cmdline").read_text()
        assert running.endpoint.api_key
        assert running.endpoint.api_key not in line
        assert "--no-enable-log-requests" in line
