"""The real loop, in the environment that EVALGATE_TRAIN_PYTHON names: a Llama of some thousand weights, made on the spot."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from training_project import RECIPE, ROOT, TrainingProject, example

from evalgate.release.training import held_out

PYTHON = os.environ.get("EVALGATE_TRAIN_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="EVALGATE_TRAIN_PYTHON names no Python with torch, peft and trl"
)

TINY = """
import json, sys, torch
from pathlib import Path
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
out = Path(sys.argv[1])
tok = Tokenizer(models.BPE()); tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tok.decoder = decoders.ByteLevel()
special = ["<pad>", "<|im_start|>", "<|im_end|>"]
tok.train_from_iterator(["Classify note APPROVE DENY REVIEW"], trainers.BpeTrainer(
    special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
fast = PreTrainedTokenizerFast(tokenizer_object=tok, pad_token="<pad>", eos_token="<|im_end|>",
    additional_special_tokens=special[1:])
fast.chat_template = ("{% for m in messages %}{{'<|im_start|>' + m['role'] + '\\\\n' + m['content'] + '<|im_end|>\\\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\\\\n'}}{% endif %}")
fast.save_pretrained(out)
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=512, eos_token_id=2, pad_token_id=0, bos_token_id=1))
model.generation_config.eos_token_id = 2
model.save_pretrained(out)
"""
CONFIG = """
batch = 2
max_length = 400
dropout = 0.1
save_every = 6
eval_every = 6
schedule = "constant"
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "base"
    done = subprocess.run([PYTHON, "-c", TINY, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def project(tmp_path, tiny):
    project = TrainingProject(tmp_path)
    for path in tiny.iterdir():
        (project.root / "models/base" / path.name).write_bytes(path.read_bytes())
    with (project.root / "evalgate.toml").open("a") as f:
        f.write(f'\n[training]\npython = "{PYTHON}"\n')
    project.write("trainers/qlora.py", (ROOT / "trainers/qlora.py").read_text())
    project.corpus()
    project.mixture()
    project.lock()
    return project


def recipe(project, output, *, trainer="lora", seed=1, more=CONFIG):
    text = RECIPE.replace("lora.py", f"{trainer}.py").replace('"rc1"', f'"{output}"')
    text = text.replace("seed = 1", f"seed = {seed}").replace("steps = 4", "steps = 12")
    project.write(f"trainers/{output}.toml", text + more)


def train(project, output):
    return project.evalgate("gate", "train", f"trainers/{output}.toml", "--no-check")


def weights(project, output) -> str:
    record = json.loads((project.root / f"models/{output}/training.json").read_text())
    return (
        record["adapter"]
        + hashlib.sha256(
            (project.root / f"models/{output}/model.safetensors").read_bytes()
        ).hexdigest()
    )


def trained(project, output, **more):
    recipe(project, output, **more)
    done = train(project, output)
    assert done.returncode == 0, done.stdout + done.stderr
    return weights(project, output)


def test_equal_seeds_give_equal_adapters_and_another_seed_another(project):
    first = trained(project, "one")
    assert trained(project, "two") == first
    assert trained(project, "three", seed=2) != first


def test_a_trainer_killed_after_its_checkpoint_ends_where_a_straight_one_does(project):
    straight = trained(project, "one")
    recipe(project, "two")
    stop = "\nimport os\nfrom evalgate.training import job\n_note = job.Workshop.note\n\n\ndef note(self, event, **more):\n    _note(self, event, **more)\n    if more.get('step') == 8:\n        os.kill(os.getpid(), 9)\n\n\njob.Workshop.note = note\n"
    source = (
        project.root / "models/base/config.json"
    )  # the same trainer must go on: it is killed from outside of its file
    site = project.root / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(stop)
    del source
    wrapper = project.write(
        "python", f'#!/bin/sh\nshift 2\nexec env PYTHONPATH={site} {PYTHON} "$@"\n'
    )
    wrapper.chmod(0o755)
    project.edit("evalgate.toml", f'python = "{PYTHON}"', f'python = "{wrapper}"')
    killed = train(project, "two")
    assert killed.returncode == 4, killed.stderr
    place = project.root / ".evalgate/training/two"
    assert [p.name for p in (place / "checkpoints").glob("checkpoint-*")] == ["checkpoint-6"]
    project.edit("evalgate.toml", f'python = "{wrapper}"', f'python = "{PYTHON}"')
    done = train(project, "two")
    assert done.returncode == 0, done.stderr
    assert weights(project, "two") == straight


def test_an_adapter_over_four_bits_is_trained_and_merged_into_sixteen(project):
    assert trained(project, "one", trainer="qlora") != trained(project, "two")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda base: (base / "chat_template.jinja").unlink(), "EG946"),
        (lambda base: (base / "generation_config.json").unlink(), "EG946"),
        (lambda base: (base / "generation_config.json").write_text("{}"), "EG943"),
        (
            lambda base: (base / "chat_template.jinja").write_text(
                "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
            ),
            "EG941",
        ),
    ],
)
def test_a_base_whose_training_text_would_not_be_serving_text_is_refused(project, spoil, code):
    spoil(project.root / "models/base")
    recipe(project, "one")
    done = train(project, "one")
    assert done.returncode == 2, done.stdout + done.stderr
    assert code in done.stderr


def test_rows_that_are_all_too_long_and_unknown_settings_are_refused(project):
    recipe(project, "one", more=CONFIG.replace("max_length = 400", "max_length = 20"))
    assert "EG948" in train(project, "one").stderr
    recipe(project, "two", more=CONFIG + "ranks = 3\n")
    assert "EG945" in train(project, "two").stderr


def test_no_trainer_ever_reaches_out_of_its_namespace(project):
    trained(project, "one")
    record = json.loads((project.root / "models/one/training.json").read_text())
    assert Path("/proc/self/ns/net").exists()
    assert record["network"] == "netns"


def test_a_loss_that_is_no_number_stops_at_its_step_even_where_nothing_is_measured(project):
    base = project.root / "models/base"
    token = json.loads((base / "tokenizer.json").read_text())["model"]["vocab"]["~"]
    data = bytearray((base / "model.safetensors").read_bytes())
    (size,) = struct.unpack_from("<Q", data)
    told = json.loads(data[8 : 8 + size])["model.embed_tokens.weight"]
    row = 4 * told["shape"][1]
    start = 8 + size + told["data_offsets"][0] + token * row
    data[start : start + row] = struct.pack("<f", float("nan")) * (row // 4)
    (base / "model.safetensors").write_bytes(data)
    rows = [example(n) for n in range(60)]
    spoilt = next(n for n in range(60) if not held_out(rows[n]))
    asked, answered = rows[spoilt].messages
    rows[spoilt] = example(
        spoilt, messages=({"role": "user", "content": f"{asked['content']} and ~"}, answered)
    )
    shutil.rmtree(project.root / "data")
    project.corpus(*rows)
    project.mixture()
    recipe(project, "one", more="batch = 2\nmax_length = 400\n")
    project.edit("trainers/one.toml", "steps = 12", "steps = 40")
    done = train(project, "one")
    assert (done.returncode, "EG949" in done.stderr) == (2, True), done.stdout + done.stderr
    assert not (project.root / "models/one").exists()
