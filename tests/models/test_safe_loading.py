"""Nothing that could run comes near a server: kinds of files, configuration that names code, paths that lead elsewhere."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest
import stand_in
from hypothesis import given
from hypothesis import strategies as st

from evalgate.errors import EvalgateError, UsageError
from evalgate.models import identify
from evalgate.models.artifact import check_safe
from evalgate.models.hosted import options
from evalgate.records import ModelSpec

SOURCES = Path(__file__).parents[2] / "src" / "evalgate"


def refused(action, *args, **kwargs) -> EvalgateError:
    with pytest.raises(EvalgateError) as caught:
        action(*args, **kwargs)
    return caught.value


@pytest.fixture
def root(tmp_path) -> Path:
    stand_in.model(tmp_path / "m")
    stand_in.adapter(tmp_path / "a")
    stand_in.environment(tmp_path / "env")
    return tmp_path


def spec(**fields) -> ModelSpec:
    return ModelSpec(**({"server": "vllm", "artifact": "m", "python": "env/python"} | fields))


def test_what_save_pretrained_writes_is_taken(root):
    for name in (
        "tokenizer.json", "vocab.json", "merges.txt", "tokenizer.model", "README.md", "LICENSE", "USE_POLICY.md",
        "generation_config.json", "recipe.yaml", "additional_chat_templates/rag.jinja", "tekken.json", "x.gguf",
    ):  # fmt: skip
        path = root / "m" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert identify("rc", spec(), root).verified


@pytest.mark.parametrize(
    "name",
    ["pytorch_model.bin", "training_args.bin", "optimizer.pt", "consolidated.00.pth", "x.pkl", "last.ckpt", "modeling_mine.py",
     "deep/down/tokenization.py", "flax_model.msgpack", "tf_model.h5", "model.onnx", "x.safetensors.exe", "kernel.so", "x.PY",
     "weights", "x.npy", "custom_generate/generate.py", "X.JSON"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["m", "a"])
def test_a_kind_of_file_that_may_hold_code_is_refused_by_name(root, where, name):
    path = root / where / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    error = refused(identify, "rc", spec(artifact=where, base=None if where == "m" else "m"), root)
    assert (type(error), error.code, error.where) == (UsageError, "EG356", where)
    assert repr(name) in error.message


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "modeling_mine.Mine"}}),
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "somebody/model--modeling.Mine"}}),
        ("config.json", {"text_config": {"auto_map": {"AutoConfig": "x.X"}}}),
        ("config.json", {"layers": [{"trust_remote_code": True}]}),
        ("config.json", {"_attn_implementation": "somebody/flash"}),
        ("config.json", {"experts_implementation": {"": "somebody/moe@main"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["tok.Tok", None]}}),
        ("preprocessor_config.json", {"auto_map": {"AutoProcessor": "p.P"}}),
        (
            "adapter_config.json",
            {"auto_mapping": {"base_model_class": "X", "parent_library": "os"}},
        ),
        ("adapter_config.json", {"megatron_config": {"a": 1}, "megatron_core": "os"}),
    ],
)
def test_configuration_that_names_code_is_refused_by_file_and_key(root, file, told):
    path = root / "m" / file
    have = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(have | told))
    error = refused(check_safe, root / "m", where="m")
    assert error.code == "EG357"
    assert file in error.message


def test_switches_that_are_off_and_names_without_a_hub_are_taken(root):
    told = {"auto_map": None, "auto_mapping": {}, "trust_remote_code": False, "_attn_implementation": "sdpa",
            "megatron_config": None, "megatron_core": "megatron.core"}  # fmt: skip
    path = root / "m" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    check_safe(root / "m", where="m")


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=10,
)


@given(nested, st.lists(st.sampled_from(["a", "b", 0]), max_size=4))
def test_a_switch_is_found_however_deep_it_lies(value, path):
    from evalgate.models.artifact import _switch

    assert _switch(value) == ""
    hidden: object = {"auto_map": {"AutoModel": "x.X"}, "other": value}
    for step in path:
        hidden = [value, hidden] if step == 0 else {"z": value, step: hidden}
    assert _switch(hidden) == "auto_map"


@pytest.mark.parametrize("name", [".git/config", ".hidden", "sub/.x"])
def test_hidden_entries_are_refused(root, name):
    path = root / "m" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    assert refused(identify, "rc", spec(), root).code == "EG302"


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "extra.json", "adapter_config.json"]
)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder link"])
def test_links_and_pipes_are_refused_before_they_are_opened(root, name, kind):
    """A pipe in the place of config.json would hang whoever opens it."""
    path = root / "m" / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(root / "a" if kind == "folder link" else root / "a" / "adapter_config.json")
    error = refused(identify, "rc", spec(), root)
    assert error.code in ("EG302", "EG340")  # an adapter's configuration first asks for its base
    assert error.exit == 2


def test_an_index_that_names_files_elsewhere_or_of_another_kind_is_refused(root):
    index = root / "m" / "model.safetensors.index.json"
    for name in ("../a/adapter_model.safetensors", "/etc/passwd", "config.json", "..", 3):
        index.write_text(json.dumps({"weight_map": {"t": name}}))
        assert refused(identify, "rc", spec(), root).code == "EG342", name


def test_a_model_outside_of_the_project_or_behind_a_link_is_refused(root):
    project = root / "project"
    project.mkdir()
    (project / "linked").symlink_to(root / "m")
    (project / "env").symlink_to(root / "env")
    for place in ("../m", str(root / "m"), "linked", "x/../../m"):
        (project / "x").mkdir(exist_ok=True)
        error = refused(identify, "rc", spec(artifact=place), project)
        assert (error.code, error.where) == ("EG358", place)
    (project / "models").symlink_to(root)  # a directory above may be mounted or linked
    assert (
        identify("rc", spec(artifact="models/m"), project).digest
        == identify("rc", spec(), root).digest
    )
    error = refused(identify, "rc", spec(artifact="models/a", base="../m"), project)
    assert (error.code, error.where) == ("EG358", "../m")


@pytest.mark.parametrize("server", ["vllm", "transformers"])
@pytest.mark.parametrize("argument", ["--trust-remote-code", "--trust_remote_code", "--trust-remote-code=true", "--model-impl", "--hf-overrides", "--chat-template"])  # fmt: skip
def test_arguments_that_switch_code_on_are_on_no_list(root, server, argument):
    error = refused(options, server, (argument, "x"), root / "m", where="t")
    assert error.code == "EG345"


@pytest.mark.parametrize("server", ["transformers", "vllm"])
def test_a_kernel_of_a_hub_is_no_attention_implementation(root, server):
    name = "--attn-implementation" if server == "transformers" else "--attention-backend"
    assert refused(options, server, (name, "somebody/flash"), root / "m", where="t").code == "EG359"
    assert name in options(server, (name, "sdpa"), root / "m", where="t").deciding


def test_no_module_of_evalgate_renders_a_template_or_loads_a_pickle():
    """Chat templates are rendered by the servers, and by transformers (in its sandbox) where tokens are counted.

    The room `training` is left out: it runs in the trainer's own process, on safetensors, and needs torch.
    """
    unsafe = {
        "jinja2",
        "pickle",
        "cloudpickle",
        "dill",
        "joblib",
        "marshal",
        "shelve",
        "torch",
        "yaml",
    }
    found = {}
    for path in SOURCES.rglob("*.py"):
        if path.parent.name == "training":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used = unsafe.intersection(name.partition(".")[0] for name in names)
            if used:
                found[path.name] = used
    assert found == {}
    rendering = [p.name for p in SOURCES.rglob("*.py") if "apply_chat_template" in p.read_text()]
    assert sorted(rendering) == ["rendering.py", "tokens_script.py"]
    assert "trust_remote_code" not in (SOURCES / "models" / "tokens_script.py").read_text()
