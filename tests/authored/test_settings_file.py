"""evalgate.toml: where things are and run."""

from pathlib import Path

import pytest
from authored_files import only, told, write
from hypothesis import given
from hypothesis import strategies as st

from evalgate import digest
from evalgate.authored import Problems, find_project, load_settings
from evalgate.errors import UsageError
from evalgate.records import ModelSpec

LOCAL = '[models.a]\nserver = "llamacpp"\nartifact = "models/a.gguf"\n'
ENDPOINT = '[models.e]\nserver = "endpoint"\nurl = "http://h/v1"\nname = "e"\n'


def load(root, text):
    problems = Problems()
    settings = load_settings(write(root, "evalgate.toml", text), root, problems)
    assert (settings is None) == (len(problems) > 0)
    return settings, problems


def refused(root, text):
    settings, problems = load(root, text)
    assert settings is None
    return problems


def test_a_full_file_is_loaded(tmp_path):
    text = """\
[models.smollm2]
artifact = "models/smollm2-135m-instruct.gguf"
server = "llamacpp"
licence = "Apache-2.0"

[models."rc2.1"]
artifact = "models/rc2"
base = "models/base"
template = "sha256:abababababababababababababababababababababababababababababababab"
server = "vllm"
args = ["--max-model-len", "8192"]
concurrency = 128
timeout_s = 30
patience_s = 0.5

[models.judge-70b]
server = "endpoint"
url = "http://judge.internal:8000/v1"
name = "judge-70b"
family = "llama-3"
api_key_env = "JUDGE_API_KEY"

[servers.vllm]
python = ".venv-vllm/bin/python"

[judge]
model = "judge-70b"
[default]
candidate = "smollm2"
"""
    settings, _ = load(tmp_path, text)
    assert settings.path == "evalgate.toml"
    assert settings.digest == digest.of_bytes(text.encode())
    assert settings.default_candidate == "smollm2"
    assert settings.judge_model == "judge-70b"
    assert settings.models == {
        "smollm2": ModelSpec(
            server="llamacpp",
            artifact="models/smollm2-135m-instruct.gguf",
            licence="Apache-2.0",
        ),
        "rc2.1": ModelSpec(
            server="vllm",
            artifact="models/rc2",
            base="models/base",
            template="sha256:" + "ab" * 32,
            python=".venv-vllm/bin/python",
            args=("--max-model-len", "8192"),
            concurrency=128,
            timeout_s=30.0,
            patience_s=0.5,
        ),
        "judge-70b": ModelSpec(
            server="endpoint",
            url="http://judge.internal:8000/v1",
            name="judge-70b",
            family="llama-3",
            api_key_env="JUDGE_API_KEY",
        ),
    }
    assert settings.model("smollm2") is settings.models["smollm2"]


def test_a_project_without_models_is_valid_and_artifacts_need_not_exist(tmp_path):
    settings, _ = load(tmp_path, "")
    assert (settings.models, settings.default_candidate, settings.judge_model) == ({}, None, None)
    assert not (tmp_path / "models").exists()
    assert load(tmp_path, LOCAL)[0].models["a"].artifact == "models/a.gguf"


def test_an_unknown_model_is_a_usage_error_with_the_nearest_name(tmp_path):
    settings, _ = load(tmp_path, LOCAL.replace("[models.a]", "[models.smollm2]"))
    with pytest.raises(UsageError) as caught:
        settings.model("smolm2")
    assert str(caught.value) == (
        "evalgate.toml: EG145 found `smolm2`, expected a model of evalgate.toml (smollm2). Did you mean `smollm2`?"
    )


FAULTS = {
    "an unknown table": (
        "[model_]\n",
        "1:2: EG105 model_: found an unknown key, expected one of models, servers, judge, default, retention, training. Did you mean `models`?",
    ),
    "models that are no table": ("models = 3\n", "1:10: EG107 models: found 3, expected a table."),
    "a model that is no table": (
        "[models]\na = 3\n",
        "2:5: EG107 [models] a: found 3, expected a table.",
    ),
    "a name with a space": (
        LOCAL.replace("[models.a]", '[models."a b"]'),
        "1:9: EG114 [models] a b: found the model name `a b`, expected letters, digits",
    ),
    "no server": (
        '[models.a]\nartifact = "x"\n',
        "1:9: EG106 [models.a]: found no key `server`, expected one. Add it.",
    ),
    "an unknown server": (
        LOCAL.replace("llamacpp", "lamacpp"),
        (
            '2:10: EG141 [models.a] server: found the text "lamacpp", expected one of llamacpp, transformers, vllm, endpoint. '
            "Did you mean `llamacpp`?"
        ),
    ),
    "a server like no other": (
        LOCAL.replace("llamacpp", "zzz"),
        '2:10: EG141 [models.a] server: found the text "zzz", expected one of llamacpp, transformers, vllm, endpoint. Write',
    ),
    "a mistyped key": (
        LOCAL + 'licenc = "MIT"\n',
        (
            "4:1: EG105 [models.a] licenc: found an unknown key, expected one of server, artifact, base, template, args, licence, url, "
            "name, family, api_key_env, concurrency, timeout_s, patience_s. Did you mean `licence`?"
        ),
    ),
    "no artifact": (
        '[models.a]\nserver = "vllm"\n',
        '1:9: EG142 [models.a]: found no key `artifact`, which server = "vllm" needs. Add it.',
    ),
    "an empty artifact": (
        LOCAL.replace("models/a.gguf", " "),
        "3:1: EG109 [models.a] artifact: found an empty",
    ),
    "a template's digest without its kind": (
        LOCAL + 'template = "abab"\n',
        '4:12: EG147 [models.a] template: found the text "abab", expected sha256: and 64 hex digits.',
    ),
    "an endpoint with a template": (
        ENDPOINT + f'template = "sha256:{"0" * 64}"\n',
        "5:1: EG142 [models.e] template: found `template`, expected none",
    ),
    "a python in a model's table": (
        LOCAL + 'python = "bin/python"\n',
        "4:1: EG105 [models.a] python: found an unknown key, expected one of server,",
    ),
    "the environment of a server that has none": (
        LOCAL + '[servers.llamacpp]\npython = "bin/python"\n',
        "4:10: EG105 [servers] llamacpp: found an unknown key, expected one of transformers, vllm.",
    ),
    "an environment without a python": (
        LOCAL + "[servers.vllm]\n",
        "4:10: EG106 [servers.vllm]: found no key `python`, expected one. Add it.",
    ),
    "more than the python of an environment": (
        LOCAL + '[servers.vllm]\npython = "p"\nargs = []\n',
        "6:1: EG105 [servers.vllm] args: found an unknown key, expected one of python.",
    ),
    "an address of a local model": (
        LOCAL + 'url = "http://h/v1"\n',
        '4:1: EG142 [models.a] url: found `url`, expected none: server = "llamacpp" is started by evalgate.',
    ),
    "an endpoint without address": (
        ENDPOINT.replace('url = "http://h/v1"\n', ""),
        '1:9: EG142 [models.e]: found no key `url`, which server = "endpoint" needs. Add it.',
    ),
    "an endpoint without name": (
        ENDPOINT.replace('name = "e"\n', ""),
        '1:9: EG142 [models.e]: found no key `name`, which server = "endpoint" needs. Add it.',
    ),
    "an endpoint with an artifact": (
        ENDPOINT + 'artifact = "x"\n',
        '5:1: EG142 [models.e] artifact: found `artifact`, expected none: server = "endpoint" runs elsewhere. Remove it.',
    ),
    "an endpoint with arguments": (
        ENDPOINT + 'args = ["-x"]\n',
        "5:1: EG142 [models.e] args: found `args`",
    ),
    "another scheme": (
        ENDPOINT.replace("http:", "ftp:"),
        '3:7: EG143 [models.e] url: found the text "ftp://h/v1", expected the base address of an API, such as http',
    ),
    "no scheme": (
        ENDPOINT.replace("http://", ""),
        '3:7: EG143 [models.e] url: found the text "h/v1"',
    ),
    "no host": (
        ENDPOINT.replace("//h", "//"),
        '3:7: EG143 [models.e] url: found the text "http:///v1"',
    ),
    "a port that is none": (
        ENDPOINT.replace("//h", "//h:99999"),
        "3:7: EG143 [models.e] url: found the text",
    ),
    "a broken address": (
        ENDPOINT.replace("//h", "//[h"),
        "3:7: EG143 [models.e] url: found the text",
    ),
    "a query": (ENDPOINT.replace("/v1", "/v1?x=1"), "3:7: EG143 [models.e] url: found the text"),
    "the address of one call": (
        ENDPOINT.replace("/v1", "/v1/chat/completions"),
        '3:7: EG143 [models.e] url: found the text "http://h/v1/chat/completions", expected the base address. Leave off',
    ),
    "a password in the address": (
        ENDPOINT.replace("//h", "//u:hush@h"),
        "3:7: EG144 [models.e] url: found a user name or password in the address, expected none. Use api_key_env",
    ),
    "a key in the file": (
        ENDPOINT + 'api_key = "hush"\n',
        "5:1: EG144 [models.e] api_key: found a key or password in the file, expected none: files are read by many.",
    ),
    "a token in the file": (
        LOCAL + 'hf_token = "hush"\n',
        "4:1: EG144 [models.a] hf_token: found a key or",
    ),
    "a key in the place of the variable's name": (
        ENDPOINT + 'api_key_env = "sk-hush"\n',
        "5:15: EG144 [models.e] api_key_env: found a text that is no variable's name, expected the name of an environment",
    ),
    "a key among the arguments": (
        LOCAL + 'args = ["--host", "x", "--api-key=hush"]\n',
        "4:8: EG144 [models.a] args: found the argument --api-key, expected no keys in files.",
    ),
    "arguments as one text": (
        LOCAL + 'args = "-x"\n',
        '4:8: EG107 [models.a] args: found the text "-x", expected a list',
    ),
    "arguments that are numbers": (
        LOCAL + "args = [1]\n",
        "4:8: EG107 [models.a] args: found a list, expected a list of",
    ),
    "no concurrency": (
        LOCAL + "concurrency = 0\n",
        "4:15: EG108 [models.a] concurrency: found 0, expected 1 to 4096.",
    ),
    "too much concurrency": (
        LOCAL + "concurrency = 4097\n",
        "4:15: EG108 [models.a] concurrency: found 4097",
    ),
    "concurrency as a truth value": (
        LOCAL + "concurrency = true\n",
        "4:15: EG107 [models.a] concurrency: found true",
    ),
    "no time": (
        LOCAL + "timeout_s = 0\n",
        "4:13: EG108 [models.a] timeout_s: found 0, expected a number of seconds above 0.",
    ),
    "no patience": (LOCAL + "patience_s = -1.5\n", "4:14: EG108 [models.a] patience_s: found -1.5"),
    "time in quotes": (
        LOCAL + 'timeout_s = "30"\n',
        '4:13: EG107 [models.a] timeout_s: found the text "30"',
    ),
    "an unknown candidate": (
        LOCAL.replace("[models.a]", "[models.smollm2]") + '[default]\ncandidate = "smolm2"\n',
        "5:13: EG145 [default] candidate: found `smolm2`, expected a model of evalgate.toml (smollm2). Did you mean `smollm2`?",
    ),
    "an unknown judge": (
        '[judge]\nmodel = "j"\n',
        "2:9: EG145 [judge] model: found `j`, expected a model of evalgate.toml (none). Add its [models.NAME] table.",
    ),
    "an empty reference": (
        "[default]\n",
        "1:2: EG106 [default]: found no key `candidate`, expected one.",
    ),
    "a reference that is no text": (
        "[judge]\nmodel = 3\n",
        "2:9: EG107 [judge] model: found 3, expected a text.",
    ),
    "a mistyped reference": (
        LOCAL + '[default]\ncandidate = "a"\njudge = "a"\n',
        "6:1: EG105 [default] judge: found an unknown key, expected one of candidate.",
    ),
    "a judge without family": (
        ENDPOINT + '[judge]\nmodel = "e"\n',
        "1:9: EG146 [models.e]: found no key `family`, which a judge needs",
    ),
    "a key twice": (
        LOCAL + 'server = "vllm"\n',
        "4:1: EG104 found `models.a.server` a second time (first on line 2)",
    ),
}


@pytest.mark.parametrize(("text", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_refused_where_it_stands(tmp_path, text, expected):
    problem = only(refused(tmp_path, text))
    assert problem.startswith("evalgate.toml:" + expected)
    assert "hush" not in problem


def test_ordinary_arguments_that_speak_of_tokens_are_not_keys(tmp_path):
    args = '["--max-num-batched-tokens", "8192", "--tokenizer", "models/a"]'
    assert load(tmp_path, LOCAL.replace("llamacpp", "vllm") + f"args = {args}\n")[0]


def test_everything_wrong_at_once_is_told_at_once(tmp_path):
    text = """\
[models.a]
server = "llam"
[models.b]
server = "endpoint"
api_key = "hush"
concurrency = "many"
[models."c d"]
server = "vllm"
url = "h"
[judge]
model = "b"
[default]
candidate = "x"
[defaults]
"""
    problems = refused(tmp_path, text)
    assert sorted((p.line, p.code) for p in problems) == [
        (2, "EG141"),
        (3, "EG142"),
        (3, "EG142"),
        (3, "EG146"),
        (5, "EG144"),
        (6, "EG107"),
        (7, "EG114"),
        (7, "EG142"),
        (9, "EG142"),
        (9, "EG143"),
        (13, "EG145"),
        (14, "EG105"),
    ]
    assert "hush" not in "".join(told(problems))


def test_a_missing_file_is_a_problem(tmp_path):
    problems = Problems()
    assert load_settings(tmp_path / "evalgate.toml", tmp_path, problems) is None
    assert only(problems).startswith("evalgate.toml: EG101 found no such file")


def test_the_project_is_the_nearest_directory_upward(tmp_path):
    write(tmp_path, "evalgate.toml", "")
    write(tmp_path, "inner/evalgate.toml", "")
    (tmp_path / "inner/a/b").mkdir(parents=True)
    (tmp_path / "other/evalgate.toml").mkdir(parents=True)
    assert find_project(tmp_path / "inner/a/b") == tmp_path / "inner"
    assert find_project(tmp_path / "inner/evalgate.toml") == tmp_path / "inner"
    assert find_project(tmp_path / "other") == tmp_path
    assert find_project(tmp_path / "does/not/exist") == tmp_path


def test_no_project_is_a_usage_error(monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    with pytest.raises(
        UsageError, match=r"/x/y: EG140 found no evalgate\.toml here or above"
    ) as caught:
        find_project(Path("/x/y"))
    assert caught.value.exit == 2


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_are_never_more_than_a_problem(tmp_path_factory, data):
    load(tmp_path_factory.mktemp("one"), data)


@given(
    st.dictionaries(
        st.sampled_from([*ModelSpec.__struct_fields__, "api_key", "x"]),
        st.sampled_from(["", "endpoint", "vllm", "http://h/v1", "http://[", "a b"])
        | st.integers(-1, 5)
        | st.floats()
        | st.booleans()
        | st.lists(st.sampled_from(["", "--api-key", "x"]), max_size=2),
    )
)
def test_any_values_of_a_model_are_never_more_than_a_problem(tmp_path_factory, table):
    import tomlkit

    load(tmp_path_factory.mktemp("one"), tomlkit.dumps({"models": {"m": table}}))
